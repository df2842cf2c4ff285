"""The code of a scan: a loop around the code of its body."""

from __future__ import annotations

from collections.abc import Sequence

from .graph import Graph, Value
from .kernels import Kernel
from .lowered import KernelReport
from .memory import padded
from .module import Module
from .program import FIRST_POINTER, plain_calls
from .scan_division import divided_body

_PARTS = (4, 2)
_FEWEST_ROWS = 16
"""Into how many parts a batch may be divided, and the rows that a part must have."""


class ScanCode:
    """The kernel of a scan: a loop around the code of its body.

    The body's inputs are given by address: the elements of the sequences, the carries as the step
    before left them (in the stacked results, or in turns in two places of the scratch memory), and
    the constants, from which parts of the body may be computed once.
    """

    def __init__(self, kernel: Kernel, module: Module) -> None:
        from .lowering import Lowering

        self.anchor = anchor = kernel.anchor
        self.module = module
        self.steps = kernel.anchor.shape[0]
        attributes = anchor.attributes
        self.carries, self.sequences = attributes["carries"], attributes["sequences"]
        self.reverse = attributes["reverse"]
        graph = attributes["body"].graph
        wanted = {v.attributes["output"] for v in kernel.values}
        self.outputs = [k for k in range(len(graph.outputs)) if k < self.carries or k in wanted]
        body = Graph(graph.inputs, [graph.outputs[k] for k in self.outputs])
        self.parts = 1
        for parts in _PARTS if module.threads else ():
            smaller = divided_body(body, self.carries + self.sequences, parts)
            if smaller is not None and smaller.inputs[0].shape[0] >= _FEWEST_ROWS:
                body, self.parts = smaller, parts
                break
        constants = range(self.carries + self.sequences, len(graph.inputs))
        self.body = Lowering(body, module, constants, uses_results=False)
        self.extra: dict[int, int] = {}
        self.scratch_bytes: int = self.body.arena_bytes
        for k in range(self.carries):
            if k not in wanted:
                self.extra[k] = self.scratch_bytes
                value = body.outputs[self.outputs.index(k)]
                self.scratch_bytes += 2 * padded(_bytes(value))
        self.part_scratch = self.scratch_bytes
        self.scratch_bytes *= self.parts
        reports: list[KernelReport] = []
        before = plain_calls(self.body.calls(self.body.prologue, reports))
        count = len(reports)
        inside = plain_calls(self.body.calls(self.body.kernels, reports))
        self.cost = sum(r.cost for r in reports[:count])
        self.cost += self.steps * sum(r.cost for r in reports[count:])
        self.flops = sum(r.flops for r in reports[:count])
        self.flops += self.steps * sum(r.flops for r in reports[count:])
        self.cost *= self.parts
        self.flops *= self.parts
        slots = range(FIRST_POINTER, self.body.slot_count)
        parameters = ", ".join(["ptr %table", "ptr %arena", *(f"ptr %s{i}" for i in slots)])
        self.functions = []
        for lines in (before, inside):
            text = "\n".join([*self.body.temporary_pointers(), *lines])
            self.functions.append(
                module.add(
                    f"define hidden void @KERNEL({parameters}) #0 {{\nentry:\n{text}\n"
                    "ret void\n}\n",
                    "body",
                )
            )

    def text(self, kernel: Kernel, arrays: list[int]) -> str:
        """The kernel's function; it is given the addresses of ``arrays`` and of the scratch.

        Its last parameters are the first and the last part of the rows that it is to do.
        """
        anchor = self.anchor
        at = {key: f"%a{i}" for i, key in enumerate(arrays)}
        parameters = ["ptr %table", *(f"ptr %a{i}" for i in range(len(arrays)))]
        parameters += ["ptr %whole_scratch", "i64 %first", "i64 %last"]
        operands = [at[id(v)] for v in anchor.operands]
        stacked = {v.attributes["output"]: at[id(v)] for v in kernel.values if id(v) in at}
        carried = [f"%c{k}" for k in range(self.carries)]
        constants = [at[key] for key in self.body.constants]
        before = [
            f"%so = mul i64 %p, {self.part_scratch}",
            "%scratch = getelementptr i8, ptr %whole_scratch, i64 %so",
        ]
        initial = []
        for k in range(self.carries):
            value = anchor.operands[k]
            before += [
                f"%io{k} = mul i64 %p, {_bytes(value) // self.parts}",
                f"%i{k} = getelementptr i8, ptr {operands[k]}, i64 %io{k}",
            ]
            initial.append(f"%i{k}")
        lines, results = [], []
        for k in range(self.sequences):
            value = anchor.operands[self.carries + k]
            size = _bytes(value) // max(1, self.steps)
            lines += [
                f"%xs{k} = mul i64 %t, {size}",
                f"%xp{k} = mul i64 %p, {size // self.parts}",
                f"%xo{k} = add i64 %xs{k}, %xp{k}",
                f"%x{k} = getelementptr i8, ptr {operands[self.carries + k]}, i64 %xo{k}",
            ]
        elements = [f"%x{k}" for k in range(self.sequences)]
        for k in self.outputs:
            size = _bytes(anchor.attributes["body"].graph.outputs[k])
            if k in self.extra:
                turn = padded(size // self.parts)
                lines += [
                    f"%oo{k} = mul i64 %odd, {turn}",
                    f"%op{k} = add i64 %oo{k}, {self.extra[k]}",
                    f"%o{k} = getelementptr i8, ptr %scratch, i64 %op{k}",
                ]
            else:
                lines += [
                    f"%os{k} = mul i64 %t, {size}",
                    f"%op{k} = mul i64 %p, {size // self.parts}",
                    f"%oo{k} = add i64 %os{k}, %op{k}",
                    f"%o{k} = getelementptr i8, ptr {stacked[k]}, i64 %oo{k}",
                ]
            results.append(f"%o{k}")
        rest = operands[self.carries + self.sequences :]

        def call(name: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
            given = ["%table", "%scratch", *constants, *inputs, *outputs]
            return f"call void @{name}({', '.join(f'ptr {p}' for p in given)})"

        unused = ["%scratch"] * (self.carries + self.sequences)
        first = call(self.functions[0], [*unused, *rest], ["%scratch"] * len(self.outputs))
        phis = [
            f"%c{k} = phi ptr [ {initial[k]}, %part ], [ %o{k}, %step ]"
            for k in range(self.carries)
        ]
        position = f"sub i64 {self.steps - 1}, %i" if self.reverse else "add i64 %i, 0"
        return "\n".join(
            [
                f"define hidden void @KERNEL({', '.join(parameters)}) #0 {{",
                "entry:",
                "%some = icmp slt i64 %first, %last",
                "br i1 %some, label %part, label %leave",
                "part:",
                "%p = phi i64 [ %first, %entry ], [ %next_part, %done ]",
                *before,
                first,
                "br label %step",
                "step:",
                "%i = phi i64 [ 0, %part ], [ %next, %step ]",
                *phis,
                f"%t = {position}",
                "%odd = and i64 %i, 1",
                *lines,
                call(self.functions[1], [*carried, *elements, *rest], results),
                "%next = add nsw i64 %i, 1",
                f"%more = icmp slt i64 %next, {self.steps}",
                "br i1 %more, label %step, label %done",
                "done:",
                "%next_part = add nsw i64 %p, 1",
                "%more_parts = icmp slt i64 %next_part, %last",
                "br i1 %more_parts, label %part, label %leave",
                "leave:",
                "ret void",
                "}",
                "",
            ]
        )


def _bytes(value: Value) -> int:
    return value.size * value.dtype.itemsize


__all__ = ["ScanCode"]
