"""From a graph to a module of LLVM code: kernels, their order, their memory, and the entry point."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .codegen.builder import Builder, Register
from .codegen.elementwise import llvm_type
from .codegen.expressions import Array, Expressions
from .codegen.indexing import contiguous_strides
from .layout import choose_layouts
from .codegen.loops import LoopCode, arrange_loops
from .codegen.sequential import write_sequential
from .codegen.tiles import TileCode, tile_plan
from .codegen.transposition import TransposingCode, transposed_dims
from .fusion import fuse
from .graph import Graph, Value
from .kernels import CONTRACTIONS, Kernel, member_accesses
from .memory import Lifetime, plan_arena
from .passes import simplify
from .unsupported import Unsupported


@dataclass(frozen=True)
class Place:
    """Where a value is: ``kind`` is ``"slot"`` (a pointer of the table) or ``"arena"`` (an offset)."""

    kind: str
    at: int


@dataclass
class KernelReport:
    """What one kernel does: its name, operations in floating point, bytes read and written."""

    name: str
    computes: str
    flops: int
    bytes: int


@dataclass
class Program:
    """A compiled program before it is machine code.

    The program is one function of a table of 64-bit words: the status word, the arena's address,
    then the addresses of ``constants``, of the inputs and of the outputs.
    """

    source: str
    constants: list[np.ndarray]
    arena_bytes: int
    kernels: list[KernelReport] = field(default_factory=list)


STATUS, ARENA, FIRST_POINTER = 0, 1, 2
PROFILE = 4096
"""Positions in the table."""


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


class _Lowering:
    def __init__(self, graph: Graph, vector_bytes: int) -> None:
        self.vector_bytes = vector_bytes
        graph = _distinct_roots(simplify(graph))
        self.graph, self.layouts = choose_layouts(graph, vector_bytes // 4)
        for value in self.graph.values():
            llvm_type(value.dtype, value.primitive)
        self.kernels, self.is_leaf = fuse(self.graph)
        self.inputs = {id(v): i for i, v in enumerate(self.graph.inputs)}
        self.constants: list[np.ndarray] = []
        self.constant_slots: dict[int, int] = {}
        self.places: dict[int, Place] = {}
        self.copies: list[tuple[Value, int]] = []
        self.declarations: set[str] = set()

    def strides(self, value: Value) -> tuple[int, ...]:
        return self.layouts.strides(value)

    # -- memory ---------------------------------------------------------------------------------

    def read_values(self, kernel: Kernel) -> dict[int, Value]:
        """The arrays in memory that ``kernel`` reads."""
        found: dict[int, Value] = {}
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

    def plan(self) -> None:
        """Decide the kernels' order and where every array lies."""
        for kernel in self.kernels:
            for value in self.read_values(kernel).values():
                if value.primitive == "constant" and id(value) not in self.constant_slots:
                    self.constant_slots[id(value)] = len(self.constants)
                    self.constants.append(np.ascontiguousarray(value.attributes["array"]))
        first_input = FIRST_POINTER + len(self.constants)
        first_output = first_input + len(self.graph.inputs)
        self.slot_count = first_output + len(self.graph.outputs)
        for key, slot in self.constant_slots.items():
            self.places[key] = Place("slot", FIRST_POINTER + slot)
        for key, i in self.inputs.items():
            self.places[key] = Place("slot", first_input + i)
        for i, value in enumerate(self.graph.outputs):
            self.places[id(value)] = Place("slot", first_output + i)
        self._order_with_updates()
        # temporaries
        step = {id(k): i for i, k in enumerate(self.kernels)}
        last: dict[int, int] = {}
        for kernel in self.kernels:
            for key in self.read_values(kernel):
                last[key] = max(last.get(key, 0), step[id(kernel)])
        for value, _ in self.copies:
            last[id(value)] = len(self.kernels)
        temporaries = [
            (v, Lifetime(self.layouts.size(v) * v.dtype.itemsize, step[id(k)], last.get(id(v), step[id(k)])))
            for k in self.kernels
            for v in k.stored
            if id(v) not in self.places
        ]
        offsets, self.arena_bytes = plan_arena([life for _, life in temporaries])
        for (value, _), offset in zip(temporaries, offsets, strict=True):
            self.places[id(value)] = Place("arena", offset)

    def _order_with_updates(self) -> None:
        """Let updates write into their input, where all readers of the old value can run before."""
        reads = {id(k): self.read_values(k) for k in self.kernels}
        home = {id(v): k for k in self.kernels for v in k.values}
        before: dict[int, list[Kernel]] = {
            id(k): [home[key] for key in reads[id(k)] if key in home and home[key] is not k]
            for k in self.kernels
        }
        output_ids = {id(v) for v in self.graph.outputs}
        for i, value in self.graph.updates.items():
            old = self.graph.inputs[i]
            kernel = home[id(value)]
            readers = [k for k in self.kernels if id(old) in reads[id(k)] and k is not kernel]
            fits = id(value) not in output_ids and self._updates_in_place(kernel, value, old)
            if fits:
                before[id(kernel)].extend(readers)
                if _has_cycle(kernel, before):
                    del before[id(kernel)][-len(readers) :]
                    fits = False
            if fits:
                self.places[id(value)] = self.places[id(old)]
            else:
                self.copies.append((value, i))
        self.kernels = _sorted(self.kernels, before)

    def _updates_in_place(self, kernel: Kernel, value: Value, old: Value) -> bool:
        if value.shape != old.shape or value.dtype != old.dtype or kernel.is_sequential:
            return False
        if value.size == 0 or self.strides(value) != contiguous_strides(old.shape):
            return False
        home = next((g, m) for g in kernel.groups for m in g.members if m.value is value)
        for group in kernel.groups:
            for member in group.members:
                for access in member_accesses(group, member, self.is_leaf)[0]:
                    if access.value is old and (
                        group is not home[0] or access.index != home[1].position or group.reduces
                    ):
                        return False
        return True

    # -- code -----------------------------------------------------------------------------------

    def code(self, profiled: bool) -> Program:
        self.plan()
        texts: dict[str, str] = {}
        calls: list[str] = []
        reports: list[KernelReport] = []
        for number, kernel in enumerate(self.kernels):
            reads = self.read_values(kernel)
            arrays = {**reads, **{id(v): v for v in kernel.stored}}
            text = self._kernel_text(kernel, reads, arrays)
            if text is None:
                continue
            name = texts.setdefault(text, f"k{number}_{kernel.anchor.primitive}")
            arguments = ["ptr %table", *(f"ptr %{self._pointer(v)}" for v in arrays.values())]
            if profiled:
                calls += _clock(len(reports), "before")
            calls.append(f"call void @{name}({', '.join(arguments)})")
            if profiled:
                calls += _clock(len(reports), "after")
            reports.append(self._report(name, kernel, arrays.values()))
        functions = [text.replace("@KERNEL", f"@{name}", 1) for text, name in texts.items()]
        body = self._pointers() + calls + self._final_copies()
        declarations = self.declarations | {
            "declare ptr @PyLong_FromLong(i64)",
            "declare i64 @llvm.readcyclecounter()",
            "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
        }
        program = "define internal i64 @program(ptr %table) #0 {\nentry:\n" + "\n".join(body)
        program += "\n%status = load i64, ptr %table\nret i64 %status\n}\n"
        source = "\n".join([*sorted(declarations), *functions, program, _ENTRY])
        attributes = f'"prefer-vector-width"="{self.vector_bytes * 8}"'
        source += f"\nattributes #0 = {{ nounwind {attributes} }}\n"
        return Program(source, self.constants, self.arena_bytes, reports)

    def _kernel_text(
        self, kernel: Kernel, reads: dict[int, Value], arrays: dict[int, Value]
    ) -> str | None:
        if all(v.size == 0 for v in kernel.stored):
            return None
        parameters = [("ptr", "%table"), *(("ptr", f"%a{i}") for i in range(len(arrays)))]
        builder = Builder("KERNEL", parameters, self.declarations)
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
        else:
            arrange_loops(kernel, self.is_leaf, self.strides)
            dims = transposed_dims(kernel, self.is_leaf, self.strides)
            if dims is not None:
                TransposingCode(
                    builder, kernel, expressions, stored, dims, self.is_leaf, self.vector_bytes
                ).write()
                return builder.finish()
            plan = tile_plan(kernel, self.is_leaf, self.strides, self.vector_bytes)
            if plan is not None:
                TileCode(builder, kernel, expressions, stored, plan).write()
                return builder.finish()
            LoopCode(
                builder,
                kernel,
                expressions,
                stored,
                self.is_leaf,
                self.strides,
                self.vector_bytes,
            ).write()
        return builder.finish()

    def _pointer(self, value: Value) -> str:
        place = self.places[id(value)]
        return f"{'s' if place.kind == 'slot' else 't'}{place.at}"

    def _pointers(self) -> list[str]:
        """Load every address that kernels are called with."""
        lines = ["%arenap = getelementptr i64, ptr %table, i64 1", "%arena = load ptr, ptr %arenap"]
        used = {place for place in self.places.values()}
        for place in sorted(used, key=lambda p: (p.kind, p.at)):
            if place.kind == "slot":
                lines.append(f"%p{place.at} = getelementptr i64, ptr %table, i64 {place.at}")
                lines.append(f"%s{place.at} = load ptr, ptr %p{place.at}")
            else:
                lines.append(f"%t{place.at} = getelementptr i8, ptr %arena, i64 {place.at}")
        return lines

    def _final_copies(self) -> list[str]:
        lines = []
        for value, i in self.copies:
            size = value.size * value.dtype.itemsize
            if size:
                target = self._pointer(self.graph.inputs[i])
                lines.append(
                    f"call void @llvm.memcpy.p0.p0.i64(ptr %{target}, ptr "
                    f"%{self._pointer(value)}, i64 {size}, i1 false)"
                )
        return lines

    def _report(self, name: str, kernel: Kernel, arrays: object) -> KernelReport:
        flops = 0
        for group in kernel.groups:
            points = math.prod(v.extent for v in (*kernel.outer, *group.inner, *group.reduced))
            for member in group.members:
                factor = 2 if member.value.primitive in CONTRACTIONS else 1
                flops += points * factor
        size = sum(v.size * v.dtype.itemsize for v in arrays)  # type: ignore[attr-defined]
        computes = ", ".join(v.primitive for v in kernel.values)
        return KernelReport(name, computes, flops, size)


def _has_cycle(start: Kernel, before: dict[int, list[Kernel]]) -> bool:
    """Whether ``start`` must run before itself."""
    stack = list(before[id(start)])
    seen: set[int] = set()
    while stack:
        kernel = stack.pop()
        if kernel is start:
            return True
        if id(kernel) not in seen:
            seen.add(id(kernel))
            stack.extend(before[id(kernel)])
    return False


def _sorted(kernels: list[Kernel], before: dict[int, list[Kernel]]) -> list[Kernel]:
    """``kernels`` with each after those it must follow, else in the order given."""
    result: list[Kernel] = []
    state: set[int] = set()
    for kernel in kernels:
        stack = [(kernel, False)]
        while stack:
            k, done = stack.pop()
            if done:
                result.append(k)
            elif id(k) not in state:
                state.add(id(k))
                stack.append((k, True))
                stack.extend((p, False) for p in reversed(before[id(k)]) if id(p) not in state)
    return result


# The table's pointers are followed by: the number of arguments of the call, and for each its slot.
_ENTRY = """
define ptr @flambeau_entry(ptr %self, ptr %arguments, i64 %count) #0 {
entry:
  %data = getelementptr i8, ptr %self, i64 16
  %table = load ptr, ptr %data
  %map0 = getelementptr i64, ptr %table, i64 SLOTS
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %bind, label %run
bind:
  %i = phi i64 [ 0, %entry ], [ %next, %bind ]
  %object_at = getelementptr ptr, ptr %arguments, i64 %i
  %object = load ptr, ptr %object_at
  %pointer_at = getelementptr i8, ptr %object, i64 16
  %pointer = load ptr, ptr %pointer_at
  %slot_at = getelementptr i64, ptr %map0, i64 %i
  %slot = load i64, ptr %slot_at
  %target = getelementptr i64, ptr %table, i64 %slot
  store ptr %pointer, ptr %target
  %next = add nsw i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %bind, label %run
run:
  store i64 0, ptr %table
  %status = call i64 @program(ptr %table)
  %result = call ptr @PyLong_FromLong(i64 %status)
  ret ptr %result
}
"""


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


def lower(graph: Graph, vector_bytes: int, profiled: bool = False) -> Program:
    """The program of ``graph`` for a CPU with vectors of ``vector_bytes``.

    A ``profiled`` program counts the cycles of each kernel in the table, from word PROFILE on.
    """
    lowering = _Lowering(graph, vector_bytes)
    program = lowering.code(profiled)
    program.source = program.source.replace("SLOTS", str(lowering.slot_count))
    return program


__all__ = ["FIRST_POINTER", "KernelReport", "Place", "Program", "Unsupported", "lower"]
