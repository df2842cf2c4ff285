"""From a graph to a module of LLVM code: kernels, their order, their memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .codegen.builder import Builder, Register
from .codegen.elementwise import llvm_type
from .codegen.expressions import Array, Expressions
from .codegen.indexing import contiguous_strides
from .codegen.loops import LoopCode, arrange_loops
from .codegen.sequential import write_sequential
from .codegen.tiles import TileCode, tile_plan
from .codegen.transposition import TransposingCode, transposed_dims
from .fusion import fuse
from .graph import Graph, Value
from .kernels import CONTRACTIONS, Kernel, member_accesses
from .layout import choose_layouts
from .memory import Lifetime, plan_arena
from .passes import simplify
from .program import FIRST_POINTER, PROFILE, Call, plain_program, team_program
from .schedule import Schedule, updates_in_place

DIVIDED_FROM = 5.0
"""Microseconds from which a kernel is divided among threads."""
THREADED_FROM = 25.0
"""Microseconds from which a program is one for a team."""


@dataclass(frozen=True)
class Place:
    """Where a value is: ``kind`` is ``"slot"`` (an address given) or ``"arena"`` (an offset)."""

    kind: str
    at: int

    @property
    def register(self) -> str:
        """The name of the register with the address, in the function that calls kernels."""
        return f"%{'s' if self.kind == 'slot' else 't'}{self.at}"


@dataclass
class KernelReport:
    """What one kernel does: its name, operations in floating point, bytes read and written."""

    name: str
    computes: str
    flops: int
    bytes: int
    cost: float = 0.0
    """An estimate of the time it takes, in microseconds."""


@dataclass
class Program:
    """A compiled program before it is machine code."""

    source: str
    constants: list[np.ndarray]
    arena_bytes: int
    kernels: list[KernelReport] = field(default_factory=list)
    divided: int = 0
    """Kernels that a team shares; if 0, the program is one for a single thread."""


@dataclass
class Module:
    """What the functions of one module share."""

    vector_bytes: int
    declarations: set[str] = field(default_factory=set)
    functions: dict[str, str] = field(default_factory=dict)
    """Text with ``@KERNEL`` for the name -> name."""
    others: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, text: str, label: str) -> str:
        """The name of a function with this text."""
        name = self.functions.get(text)
        if name is None:
            name = self.functions[text] = f"k{self.count}_{label}"
            self.count += 1
        return name

    def text(self) -> str:
        functions = [
            text.replace("@KERNEL", f"@{name}", 1) for text, name in self.functions.items()
        ]
        attributes = f'"prefer-vector-width"="{self.vector_bytes * 8}"'
        return "\n".join(
            [*sorted(self.declarations), *functions, *self.others,
             f"attributes #0 = {{ nounwind {attributes} }}\n"]
        )  # fmt: skip


def _distinct_roots(graph: Graph) -> Graph:
    """The graph with every root a value of its own that a kernel computes."""
    seen: set[int] = set()

    def own(value: Value) -> Value:
        if value.primitive in ("input", "constant") or id(value) in seen:
            value = Value("reshape", (value,), {"shape": value.shape}, value.shape, value.dtype)
        seen.add(id(value))
        return value

    outputs = [own(v) for v in graph.outputs]
    return Graph(graph.inputs, outputs, {i: own(v) for i, v in graph.updates.items()})


class Lowering:
    """One graph on its way to code: a whole program, or the body of a scan in it."""

    def __init__(self, graph: Graph, module: Module, unchanging: Iterable[int] = ()) -> None:
        """``unchanging`` are the inputs that are the same at every run of the code."""
        self.module = module
        self.vector_bytes = module.vector_bytes
        graph = _distinct_roots(simplify(graph))
        self.graph, self.layouts = choose_layouts(graph, self.vector_bytes // 4)
        for value in self.graph.values():
            llvm_type(value.dtype, value.primitive)
        self.kernels, self.is_leaf = fuse(self.graph)
        self.inputs = {id(v): i for i, v in enumerate(self.graph.inputs)}
        self.unchanging = {id(self.graph.inputs[i]) for i in unchanging}
        self.constants: dict[int, Value] = {}
        self.places: dict[int, Place] = {}
        self.scratch: dict[int, Place] = {}
        self.copies: list[tuple[Value, int]] = []
        self.scans: dict[int, ScanCode] = {}
        for kernel in self.kernels:
            if kernel.anchor.primitive == "scan":
                self.scans[id(kernel)] = ScanCode(kernel, module)
        self._plan()

    def strides(self, value: Value) -> tuple[int, ...]:
        return self.layouts.strides(value)

    # -- memory ---------------------------------------------------------------------------------

    def read_values(self, kernel: Kernel) -> dict[int, Value]:
        """The arrays in memory that ``kernel`` reads."""
        found: dict[int, Value] = {}
        scan = self.scans.get(id(kernel))
        if scan is not None:
            found = {id(v): v for v in kernel.anchor.operands}
            found.update(scan.body.constants)
            return found
        stored = {id(v) for v in kernel.stored}
        own = {id(v) for v in kernel.values}
        for group in kernel.groups:
            for member in group.members:
                accesses, _ = member_accesses(group, member, self.is_leaf)
                for access in accesses:
                    v = access.value
                    if v.primitive == "constant" and v.size == 1:
                        continue
                    if id(v) in own and id(v) not in stored:
                        continue
                    found[id(v)] = v
        return found

    def _plan(self) -> None:
        """Decide the kernels' order and where every array lies."""
        reads = {id(k): self.read_values(k) for k in self.kernels}
        for values in reads.values():
            self.constants.update({k: v for k, v in values.items() if v.primitive == "constant"})
        first_input = FIRST_POINTER + len(self.constants)
        first_output = first_input + len(self.graph.inputs)
        self.slot_count = first_output + len(self.graph.outputs)
        for i, key in enumerate(self.constants):
            self.places[key] = Place("slot", FIRST_POINTER + i)
        for key, i in self.inputs.items():
            self.places[key] = Place("slot", first_input + i)
        for i, value in enumerate(self.graph.outputs):
            self.places[id(value)] = Place("slot", first_output + i)
        schedule = Schedule(self.kernels, reads)
        output_ids = {id(v) for v in self.graph.outputs}
        for i, value in self.graph.updates.items():
            old = self.graph.inputs[i]
            if (
                id(value) not in output_ids
                and updates_in_place(schedule.home[id(value)], value, old, self.is_leaf)
                and self.strides(value) == contiguous_strides(old.shape)
                and schedule.let_overwrite(value, old)
            ):
                self.places[id(value)] = self.places[id(old)]
            else:
                self.copies.append((value, i))
        self.kernels = schedule.ordered()
        self._separate_unchanging(reads)
        self._place_temporaries(reads)

    def _separate_unchanging(self, reads: dict[int, dict[int, Value]]) -> None:
        """Find the kernels whose results are the same at every run; they go first."""
        known = set(self.unchanging)
        first: list[Kernel] = []
        if known:
            for kernel in self.kernels:
                needed = [v for v in reads[id(kernel)].values() if v.primitive != "constant"]
                inside = not any(
                    self.places.get(id(v), Place("arena", 0)).kind == "slot" for v in kernel.stored
                )
                if inside and all(id(v) in known for v in needed):
                    known |= {id(v) for v in kernel.stored}
                    first.append(kernel)
        self.prologue = first
        self.kernels = [k for k in self.kernels if not any(k is f for f in first)]

    def _place_temporaries(self, reads: dict[int, dict[int, Value]]) -> None:
        everything = [*self.prologue, *self.kernels]
        step = {id(k): i for i, k in enumerate(everything)}
        end = len(everything)
        last: dict[int, int] = {}
        for kernel in everything:
            for key in reads[id(kernel)]:
                last[key] = max(last.get(key, 0), step[id(kernel)])
        for value, _ in self.copies:
            last[id(value)] = end
        owners: list[tuple[dict[int, Place], int]] = []
        lifetimes: list[Lifetime] = []
        for kernel in everything:
            at = step[id(kernel)]
            kept = at < len(self.prologue)
            for value in kernel.stored:
                if id(value) not in self.places:
                    size = self.layouts.size(value) * value.dtype.itemsize
                    until = end if kept else last.get(id(value), at)
                    lifetimes.append(Lifetime(size, 0 if kept else at, until))
                    owners.append((self.places, id(value)))
            scan = self.scans.get(id(kernel))
            if scan is not None:
                lifetimes.append(Lifetime(scan.scratch_bytes, at, at))
                owners.append((self.scratch, id(kernel)))
        offsets, self.arena_bytes = plan_arena(lifetimes)
        for (places, key), offset in zip(owners, offsets, strict=True):
            places[key] = Place("arena", offset)

    # -- code -----------------------------------------------------------------------------------

    def calls(
        self, kernels: Sequence[Kernel], reports: list[KernelReport], divided: bool = False
    ) -> list[Call]:
        """What runs ``kernels``; with ``divided``, large ones in parts."""
        calls: list[Call] = []
        for kernel in kernels:
            reads = self.read_values(kernel)
            arrays = {**reads, **{id(v): v for v in kernel.stored}}
            if all(v.size == 0 for v in kernel.stored):
                continue
            pointers = [self.places[key].register for key in arrays]
            scan = self.scans.get(id(kernel))
            report = self._report("", kernel, arrays.values())
            units = 1
            if scan is not None:
                pointers.append(self.scratch[id(kernel)].register)
                text = scan.text(kernel, list(arrays))
                report.flops = scan.flops
                report.cost = scan.cost
            else:
                large = divided and report.cost >= DIVIDED_FROM
                text, units = self._kernel_text(kernel, reads, arrays, large)
            report.name = name = self.module.add(text, kernel.anchor.primitive)
            arguments = ["ptr %table", *(f"ptr {p}" for p in pointers)]
            reading = [self._extent(v) for v in reads.values()]
            writing = [self._extent(v) for v in kernel.stored]
            if scan is not None:
                at = self.scratch[id(kernel)]
                writing.append((at.kind, at.at, at.at + scan.scratch_bytes))
            calls.append(Call(name, ", ".join(arguments), units, report.cost, reading, writing))
            reports.append(report)
        return calls

    def _extent(self, value: Value) -> tuple[str, int, int]:
        """The memory that ``value`` takes: the kind of its place, first byte, end."""
        place = self.places[id(value)]
        if place.kind == "slot":
            return ("slot", place.at, place.at + 1)
        size = self.layouts.size(value) * value.dtype.itemsize
        return ("arena", place.at, place.at + size)

    def _kernel_text(
        self, kernel: Kernel, reads: dict[int, Value], arrays: dict[int, Value], large: bool
    ) -> tuple[str, int]:
        """The kernel's function, and into how many units it can be divided (1: it is not)."""
        parameters = [("ptr", "%table"), *(("ptr", f"%a{i}") for i in range(len(arrays)))]
        builder = Builder("KERNEL", parameters, self.module.declarations)
        pointers = {
            key: Array(builder.parameters[i + 1], self.strides(v))
            for i, (key, v) in enumerate(arrays.items())
        }
        stored = {id(v): pointers[id(v)] for v in kernel.stored}
        written = {self.places[id(v)] for v in kernel.stored}
        for key, array in pointers.items():
            # two names of one place: what is updated in place
            if self.places[key] in written:
                builder.written.add(array.pointer.name)
        status = builder.parameters[0]
        expressions = Expressions(
            builder, {k: a for k, a in pointers.items() if k in reads}, status
        )
        if kernel.is_sequential:
            write_sequential(builder, kernel.anchor, expressions, stored)
            return builder.finish(), 1
        arrange_loops(kernel, self.is_leaf, self.strides)
        code: TransposingCode | TileCode | LoopCode
        dims = transposed_dims(kernel, self.is_leaf, self.strides)
        if dims is not None:
            code = TransposingCode(
                builder, kernel, expressions, stored, dims, self.is_leaf, self.vector_bytes
            )
        else:
            plan = tile_plan(kernel, self.is_leaf, self.strides, self.vector_bytes)
            if plan is not None:
                code = TileCode(builder, kernel, expressions, stored, plan)
            else:
                code = LoopCode(
                    builder, kernel, expressions, stored, self.is_leaf, self.strides,
                    self.vector_bytes,
                )  # fmt: skip
        units = code.units() if large else 1
        if units > 1:
            builder.parameters += [Register("%first", "i64"), Register("%last", "i64")]
        code.write(divided=units > 1)
        return builder.finish(), units

    def arena_pointers(self) -> list[str]:
        """Code that makes the addresses of everything in the arena."""
        offsets = {p.at for p in (*self.places.values(), *self.scratch.values())
                   if p.kind == "arena"}  # fmt: skip
        return [f"%t{at} = getelementptr i8, ptr %arena, i64 {at}" for at in sorted(offsets)]

    def final_copies(self) -> list[str]:
        """Code that brings updates which were not made in place to their inputs."""
        lines = []
        for value, i in self.copies:
            size = value.size * value.dtype.itemsize
            if size:
                target = self.places[id(self.graph.inputs[i])].register
                lines.append(
                    f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr "
                    f"{self.places[id(value)].register}, i64 {size}, i1 false)"
                )
        return lines

    def _report(self, name: str, kernel: Kernel, arrays: Iterable[Value]) -> KernelReport:
        flops = 0
        for group in kernel.groups:
            points = math.prod(v.extent for v in (*kernel.outer, *group.inner, *group.reduced))
            for member in group.members:
                factor = 2 if member.value.primitive in CONTRACTIONS else 1
                flops += points * factor
        size = sum(v.size * v.dtype.itemsize for v in arrays)
        speed = 200e3 if kernel.is_contraction else 10e3
        cost = max(flops / speed, size / 40e3)
        computes = ", ".join(v.primitive for v in kernel.values)
        return KernelReport(name, computes, flops, size, cost)


class ScanCode:
    """The kernel of a scan: a loop around the code of its body.

    The body's inputs are given by address: the elements of the sequences, the carries as the step
    before left them (in the stacked results, or in turns in two places of the scratch memory), and
    the constants, from which parts of the body may be computed once.
    """

    def __init__(self, kernel: Kernel, module: Module) -> None:
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
        constants = range(self.carries + self.sequences, len(graph.inputs))
        self.body = Lowering(body, module, constants)
        self.extra: dict[int, int] = {}
        self.scratch_bytes: int = self.body.arena_bytes
        for k in range(self.carries):
            if k not in wanted:
                self.extra[k] = self.scratch_bytes
                value = graph.outputs[k]
                self.scratch_bytes += 2 * (-(-value.size * value.dtype.itemsize // 64) * 64)
        reports: list[KernelReport] = []
        before = plain_calls(self.body.calls(self.body.prologue, reports))
        count = len(reports)
        inside = plain_calls(self.body.calls(self.body.kernels, reports))
        self.cost = sum(r.cost for r in reports[:count])
        self.cost += self.steps * sum(r.cost for r in reports[count:])
        self.flops = sum(r.flops for r in reports[:count])
        self.flops += self.steps * sum(r.flops for r in reports[count:])
        slots = range(FIRST_POINTER, self.body.slot_count)
        parameters = ", ".join(["ptr %table", "ptr %arena", *(f"ptr %s{i}" for i in slots)])
        self.functions = []
        for lines in (before, inside):
            text = "\n".join([*self.body.arena_pointers(), *lines])
            self.functions.append(
                module.add(
                    f"define internal void @KERNEL({parameters}) #0 {{\nentry:\n{text}\n"
                    "ret void\n}\n",
                    "body",
                )
            )

    def text(self, kernel: Kernel, arrays: list[int]) -> str:
        """The kernel's function; it is given the addresses of ``arrays`` and of the scratch."""
        anchor = self.anchor
        at = {key: f"%a{i}" for i, key in enumerate(arrays)}
        parameters = ["ptr %table", *(f"ptr %a{i}" for i in range(len(arrays))), "ptr %scratch"]
        operands = [at[id(v)] for v in anchor.operands]
        stacked = {v.attributes["output"]: at[id(v)] for v in kernel.values if id(v) in at}
        carried = [f"%c{k}" for k in range(self.carries)]
        constants = [at[key] for key in self.body.constants]
        lines, results = [], []
        for k in range(self.sequences):
            value = anchor.operands[self.carries + k]
            size = value.size // max(1, self.steps) * value.dtype.itemsize
            lines += [
                f"%xo{k} = mul i64 %t, {size}",
                f"%x{k} = getelementptr i8, ptr {operands[self.carries + k]}, i64 %xo{k}",
            ]
        elements = [f"%x{k}" for k in range(self.sequences)]
        for k in self.outputs:
            value = anchor.attributes["body"].graph.outputs[k]
            size = value.size * value.dtype.itemsize
            if k in self.extra:
                turn = -(-size // 64) * 64
                lines += [
                    f"%oo{k} = mul i64 %odd, {turn}",
                    f"%op{k} = add i64 %oo{k}, {self.extra[k]}",
                    f"%o{k} = getelementptr i8, ptr %scratch, i64 %op{k}",
                ]
            else:
                lines += [
                    f"%oo{k} = mul i64 %t, {size}",
                    f"%o{k} = getelementptr i8, ptr {stacked[k]}, i64 %oo{k}",
                ]
            results.append(f"%o{k}")
        rest = operands[self.carries + self.sequences :]

        def call(name: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
            given = ["%table", "%scratch", *constants, *inputs, *outputs]
            return f"call void @{name}({', '.join(f'ptr {p}' for p in given)})"

        first = call(
            self.functions[0],
            [*operands[: self.carries + self.sequences], *rest],
            ["%scratch"] * len(self.outputs),
        )
        phis = [
            f"%c{k} = phi ptr [ {operands[k]}, %entry ], [ %o{k}, %step ]"
            for k in range(self.carries)
        ]
        position = f"sub i64 {self.steps - 1}, %i" if self.reverse else "add i64 %i, 0"
        return "\n".join(
            [
                f"define internal void @KERNEL({', '.join(parameters)}) #0 {{",
                "entry:",
                first,
                "br label %step",
                "step:",
                "%i = phi i64 [ 0, %entry ], [ %next, %step ]",
                *phis,
                f"%t = {position}",
                "%odd = and i64 %i, 1",
                *lines,
                call(self.functions[1], [*carried, *elements, *rest], results),
                "%next = add nsw i64 %i, 1",
                f"%more = icmp slt i64 %next, {self.steps}",
                "br i1 %more, label %step, label %leave",
                "leave:",
                "ret void",
                "}",
                "",
            ]
        )


def _clock(number: int, moment: str) -> list[str]:
    """Code that adds the time of kernel ``number`` to its word of the table."""
    name = f"{moment}{number}"
    lines = [f"%{name} = call i64 @llvm.readcyclecounter()"]
    if moment == "after":
        word = f"%word{number}"
        lines += [
            f"{word} = getelementptr i64, ptr %table, i64 {PROFILE + number}",
            f"%sofar{number} = load i64, ptr {word}",
            f"%took{number} = sub i64 %after{number}, %before{number}",
            f"%total{number} = add i64 %sofar{number}, %took{number}",
            f"store i64 %total{number}, ptr {word}",
        ]
    return lines


def plain_calls(calls: Sequence[Call], profiled: bool = False) -> list[str]:
    """Code that makes ``calls`` one after the other."""
    lines: list[str] = []
    for number, call in enumerate(calls):
        if profiled:
            lines += _clock(number, "before")
        lines.append(f"call void @{call.name}({call.arguments})")
        if profiled:
            lines += _clock(number, "after")
    return lines


def lower(
    graph: Graph, vector_bytes: int, profiled: bool = False, threads: bool = False
) -> Program:
    """The program of ``graph`` for a CPU with vectors of ``vector_bytes``.

    With ``threads`` it can be run by a team, if it is large enough.  A ``profiled`` program counts
    the cycles of each kernel in the table, from word PROFILE on.
    """
    program = _lowered(graph, vector_bytes, profiled, False)
    if threads and not profiled and sum(k.cost for k in program.kernels) >= THREADED_FROM:
        return _lowered(graph, vector_bytes, False, True)
    return program


def _lowered(graph: Graph, vector_bytes: int, profiled: bool, threads: bool) -> Program:
    module = Module(vector_bytes)
    module.declarations |= {
        "declare ptr @PyLong_FromLong(i64)",
        "declare i64 @llvm.readcyclecounter()",
        "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
    }
    lowering = Lowering(graph, module)
    reports: list[KernelReport] = []
    head = ["%arenap = getelementptr i64, ptr %table, i64 1", "%arena = load ptr, ptr %arenap"]
    for slot in range(FIRST_POINTER, lowering.slot_count):
        head.append(f"%p{slot} = getelementptr i64, ptr %table, i64 {slot}")
        head.append(f"%s{slot} = load ptr, ptr %p{slot}")
    head += lowering.arena_pointers()
    calls = lowering.calls(lowering.kernels, reports, threads)
    copies = lowering.final_copies()
    divided = sum(c.units > 1 for c in calls) if threads else 0
    if divided:
        text, entry = team_program(calls, head, copies, lowering.slot_count)
    else:
        lines = [*head, *plain_calls(calls, profiled), *copies]
        text, entry = plain_program(lines, lowering.slot_count)
    module.others += [text, entry]
    constants = [np.ascontiguousarray(v.attributes["array"]) for v in lowering.constants.values()]
    return Program(module.text(), constants, lowering.arena_bytes, reports, divided)


__all__ = ["KernelReport", "Program", "lower"]
