"""From a graph to a module of LLVM code: kernels, their order, their memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .codegen.builder import Builder, Register
from .codegen.expressions import Array, Expressions
from .codegen.indexing import contiguous_strides
from .codegen.loops import LoopCode, arrange_loops
from .codegen.sequential import write_sequential
from .codegen.tiles import TileCode, tile_plan
from .codegen.transposition import RowsApartCode, TransposingCode, transposing_copy
from .fusion import fuse
from .graph import Graph, Value
from .host import HOST, hosted
from .host_call import HostCall
from .host_code import DECLARATIONS, host_text
from .kernel_form import kernel_form
from .kernels import CONTRACTIONS, Kernel, member_accesses
from .layout import choose_layouts
from .lowered import KernelReport, Program
from .memory import ALIGNMENT, Lifetime, Room, plan_arena, plan_rooms
from .module import Module
from .passes import simplify
from .program import (
    FIRST_POINTER,
    SLOTS,
    Call,
    counter_source,
    plain_calls,
    plain_program,
    team_program,
)
from .recomputation import recomputed
from .scan_code import ScanCode
from .schedule import Schedule, updates_in_place
from .stopwatch import Stopwatch
from .unsupported import Unsupported
from .widening import widened

DIVIDED_FROM = 5.0
"""Microseconds from which a kernel is divided among threads."""
THREADED_FROM = 25.0
"""Microseconds from which a program is one for a team."""


_ROOM = 1 << 16
"""Bytes of a result from which temporaries are put into it while it is not yet written."""
_GUEST = 1 << 12
"""And bytes of such a temporary."""

_RAISING = ("host", 0, 1)
"""What kernels that may raise write, as it were, and those that write over the state read."""


@dataclass(frozen=True)
class Place:
    """Where a value is.

    ``kind`` is ``"slot"`` (at the address given in ``slot``), ``"arena"`` (``offset`` bytes into
    it), or ``"room"``: ``offset`` bytes into what will be another value's, whose ``slot`` it is.
    """

    kind: str
    slot: int = 0
    offset: int = 0

    @property
    def register(self) -> str:
        """The name of the register with the address, in the function that calls kernels."""
        if self.kind == "room":
            return f"%r{self.slot}_{self.offset}"
        return f"%s{self.slot}" if self.kind == "slot" else f"%t{self.offset}"

    def code(self) -> str:
        """What makes it."""
        if self.kind == "room":
            return f"{self.register} = getelementptr i8, ptr %r{self.slot}, i64 {self.offset}"
        return f"{self.register} = getelementptr i8, ptr %arena, i64 {self.offset}"


def _distinct_roots(graph: Graph) -> Graph:
    """The graph with every root a value of its own that a kernel computes."""
    seen: set[int] = set()

    def own(value: Value) -> Value:
        if value.primitive in ("input", "constant") or id(value) in seen:
            given = value
            value = Value("reshape", (value,), {"shape": value.shape}, value.shape, value.dtype)
            value.origin = given.origin
        seen.add(id(value))
        return value

    outputs = [own(v) for v in graph.outputs]
    return Graph(graph.inputs, outputs, {i: own(v) for i, v in graph.updates.items()})


class Lowering:
    """One graph on its way to code: a whole program, or the body of a scan in it."""

    def __init__(
        self,
        graph: Graph,
        module: Module,
        unchanging: Iterable[int] = (),
        uses_results: bool = True,
    ) -> None:
        """Decide what the code will be.

        Arguments:
            graph: it.
            module: where the code goes.
            unchanging: the inputs that are the same at every run of the code.
            uses_results: whether temporaries may lie in results that are written later.
        """
        self.module = module
        self.uses_results = uses_results
        self.vector_bytes = module.vector_bytes
        graph = widened(hosted(_distinct_roots(simplify(graph)), module.half))
        graph = recomputed(graph)
        self.graph, self.layouts = choose_layouts(graph, self.vector_bytes // 4)
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
        if kernel.anchor.primitive == HOST:
            return {id(v): v for v in kernel.anchor.operands}
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
        self.state_slots = range(first_input, first_output)
        self.slot_count = first_output + len(self.graph.outputs)
        for i, key in enumerate(self.constants):
            self.places[key] = Place("slot", FIRST_POINTER + i)
        for key, i in self.inputs.items():
            self.places[key] = Place("slot", first_input + i)
        for i, value in enumerate(self.graph.outputs):
            self.places[id(value)] = Place("slot", first_output + i)
        schedule = Schedule(self.kernels, reads)
        # what may raise comes before anything of the state is written over
        hosts = [k for k in self.kernels if k.anchor.primitive == HOST]
        output_ids = {id(v) for v in self.graph.outputs}
        for i, value in self.graph.updates.items():
            old = self.graph.inputs[i]
            if (
                id(value) not in output_ids
                and updates_in_place(schedule.home[id(value)], value, old, self.is_leaf)
                and self.strides(value) == contiguous_strides(old.shape)
                and schedule.let_overwrite(value, old, hosts)
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
                inside = not any(id(v) in self.places for v in kernel.stored)
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
        rooms = self._rooms(step) if self.uses_results else {}
        guests = [i for i, life in enumerate(lifetimes) if rooms and life.size >= _GUEST]
        hosted = plan_rooms([lifetimes[i] for i in guests], list(rooms.values()))
        slots = list(rooms)
        found = {guests[i]: Place("room", slots[r], offset) for i, (r, offset) in hosted.items()}
        others = [i for i in range(len(lifetimes)) if i not in found]
        offsets, self.arena_bytes = plan_arena([lifetimes[i] for i in others])
        for i, offset in zip(others, offsets, strict=True):
            found[i] = Place("arena", offset=offset)
        for i, (places, key) in enumerate(owners):
            places[key] = found[i]
        self.temporaries = [
            (key, life, found[i]) for i, ((_, key), life) in enumerate(zip(owners, lifetimes))
        ]
        """The id of each temporary (of a scan's kernel), its lifetime, its place."""

    def _rooms(self, step: dict[int, int]) -> dict[int, Room]:
        """The memory of large results until they are written, by their slots."""
        home = {id(v): step[id(k)] for k in (*self.prologue, *self.kernels) for v in k.stored}
        rooms = {}
        for value in self.graph.outputs:
            size = value.size * value.dtype.itemsize - ALIGNMENT  # it may begin between two lines
            if size >= _ROOM:
                rooms[self.places[id(value)].slot] = Room(size, home[id(value)])
        return rooms

    # -- code -----------------------------------------------------------------------------------

    def cost(self) -> float:
        """An estimate of the time all kernels take, in microseconds."""
        return sum(self._report("", k, self._arrays(k).values()).cost for k in self.kernels)

    def _arrays(self, kernel: Kernel) -> dict[int, Value]:
        """All arrays in memory that ``kernel`` works on."""
        return {**self.read_values(kernel), **{id(v): v for v in kernel.stored}}

    def calls(
        self, kernels: Sequence[Kernel], reports: list[KernelReport], divided: bool = False
    ) -> list[Call]:
        """What runs ``kernels``; with ``divided``, large ones in parts."""
        calls: list[Call] = []
        for kernel in kernels:
            reads = self.read_values(kernel)
            arrays = self._arrays(kernel)
            if all(v.size == 0 for v in kernel.stored):
                continue
            pointers = [self.places[key].register for key in arrays]
            scan = self.scans.get(id(kernel))
            report = self._report("", kernel, arrays.values())
            units = 1
            host = kernel.anchor.primitive == HOST
            if host:
                text = self._host_text(kernel, list(arrays))
            elif scan is not None:
                pointers.append(self.scratch[id(kernel)].register)
                text = scan.text(kernel, list(arrays))
                if divided and report.cost >= DIVIDED_FROM:
                    units = scan.parts
            else:
                large = divided and report.cost >= DIVIDED_FROM
                text, units = self._kernel_text(kernel, reads, arrays, large)
            label = kernel.anchor.primitive
            if host:
                label = f"numpy_{kernel.anchor.attributes['call']}"
            report.name = name = self.module.add(text, label)
            arguments = ["ptr %table", *(f"ptr {p}" for p in pointers)]
            if scan is not None and units == 1:
                arguments += ["i64 0", f"i64 {scan.parts}"]
            reading = [self._extent(v) for v in reads.values()]
            writing = [self._extent(v) for v in kernel.stored]
            if scan is not None:
                writing.append(self._part(self.scratch[id(kernel)], scan.scratch_bytes))
            if host:
                writing.append(_RAISING)
            elif any(of == "state" for of, _, _ in writing):
                reading.append(_RAISING)
            cost = report.cost
            calls.append(Call(name, ", ".join(arguments), units, cost, reading, writing, host))
            report.parts = calls[-1].parts
            reports.append(report)
        return calls

    def _extent(self, value: Value) -> tuple[str, int, int]:
        """The memory that ``value`` takes: what it is a part of, first byte, end."""
        size = self.layouts.size(value) * value.dtype.itemsize
        return self._part(self.places[id(value)], size)

    def _part(self, place: Place, size: int) -> tuple[str, int, int]:
        if place.kind == "slot" and place.slot in self.state_slots:
            return ("state", place.slot, place.slot + 1)
        of = "arena" if place.kind == "arena" else f"slot {place.slot}"
        return (of, place.offset, place.offset + size)

    def _host_text(self, kernel: Kernel, arrays: list[int]) -> str:
        """The function of a kernel that NumPy computes."""
        number = self.module.add_host(HostCall.of(kernel.stored))
        self.module.declarations.update(DECLARATIONS)
        wanted = [*kernel.anchor.operands, *kernel.stored]
        return host_text(number, len(arrays), [arrays.index(id(v)) for v in wanted])

    def _kernel_text(
        self, kernel: Kernel, reads: dict[int, Value], arrays: dict[int, Value], large: bool
    ) -> tuple[str, int]:
        """The kernel's function, and into how many units it can be divided (1: it is not)."""
        stored = {self.places[id(v)] for v in kernel.stored}
        written = [self.places[key] in stored for key in arrays]
        values = list(arrays.values())
        form = kernel_form(kernel, values, self.is_leaf, self.strides, written)
        if form is None:
            return self._new_kernel_text(kernel, reads, arrays, large)
        known = self.module.texts.get((form, large))
        if known is None:
            known = self._new_kernel_text(kernel, reads, arrays, large)
            self.module.texts[form, large] = known
        return known

    def _new_kernel_text(
        self, kernel: Kernel, reads: dict[int, Value], arrays: dict[int, Value], large: bool
    ) -> tuple[str, int]:
        """The same, of a form that has not been written yet."""
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
        repeatable = not any(self.places[key] in written for key in reads)
        status = builder.parameters[0]
        expressions = Expressions(
            builder, {k: a for k, a in pointers.items() if k in reads}, status
        )
        if kernel.is_sequential:
            write_sequential(builder, kernel.anchor, expressions, stored)
            return builder.finish(), 1
        arrange_loops(kernel, self.is_leaf, self.strides)
        code: TransposingCode | TileCode | LoopCode
        copy = transposing_copy(kernel, self.is_leaf, self.strides)
        if copy is not None:
            copying = RowsApartCode if copy.takes_rows_apart() else TransposingCode
            code = copying(
                builder, kernel, expressions, stored, copy, self.is_leaf, self.vector_bytes
            )
        else:
            plan = tile_plan(kernel, self.is_leaf, self.strides, self.vector_bytes, repeatable)
            if plan is not None:
                code = TileCode(
                    builder, kernel, expressions, stored, plan, repeatable, self.is_leaf
                )
            else:
                code = LoopCode(
                    builder, kernel, expressions, stored, self.is_leaf, self.strides,
                    self.vector_bytes, repeatable,
                )  # fmt: skip
        units = code.units() if large else 1
        if units > 1:
            builder.parameters += [Register("%first", "i64"), Register("%last", "i64")]
        code.write(divided=units > 1)
        return builder.finish(), units

    def temporary_pointers(self) -> list[str]:
        """Code that makes the addresses of all temporaries."""
        places = {p for p in (*self.places.values(), *self.scratch.values()) if p.kind != "slot"}
        lines = []
        for slot in sorted({p.slot for p in places if p.kind == "room"}):
            lines += [
                f"%r{slot}.given = ptrtoint ptr %s{slot} to i64",
                f"%r{slot}.over = add i64 %r{slot}.given, {ALIGNMENT - 1}",
                f"%r{slot}.line = and i64 %r{slot}.over, {-ALIGNMENT}",
                f"%r{slot} = inttoptr i64 %r{slot}.line to ptr",
            ]
        return lines + [p.code() for p in sorted(places, key=lambda p: p.register)]

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
        """What is said of ``kernel`` to the user."""
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
        if kernel.anchor.primitive == HOST:
            computes = f"{kernel.anchor.attributes['call']} in NumPy"
        scan = self.scans.get(id(kernel))
        if scan is not None:
            flops, cost = scan.flops, scan.cost
        return KernelReport(name, computes, flops, size, cost)


def lower(
    graph: Graph,
    vector_bytes: int,
    profiled: bool = False,
    threads: bool = False,
    watch: Stopwatch | None = None,
    half: bool = True,
    deliver: Callable[[str], None] | None = None,
) -> Program:
    """The program of ``graph`` for a CPU with vectors of ``vector_bytes``.

    ``half`` says whether that converts half precision; if not, NumPy computes with it.

    With ``threads`` it can be run by a team, if it is large enough.  A ``profiled`` program counts
    the cycles of each kernel in the table, from word PROFILE on.  ``watch`` is told of the stages.
    ``deliver`` gets the code in pieces, as it is written.
    """
    watch = watch or Stopwatch()
    module = Module(vector_bytes, threads and not profiled, half, deliver=deliver)
    module.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    lowering = Lowering(graph, module)
    if 2 * lowering.slot_count > SLOTS:
        raise Unsupported("any graph", f"it has {lowering.slot_count} arrays")
    watch.done("lowering")
    reports: list[KernelReport] = []
    head = ["%arenap = getelementptr i64, ptr %table, i64 1", "%arena = load ptr, ptr %arenap"]
    for slot in range(FIRST_POINTER, lowering.slot_count):
        head.append(f"%p{slot} = getelementptr i64, ptr %table, i64 {slot}")
        head.append(f"%s{slot} = load ptr, ptr %p{slot}")
    head += lowering.temporary_pointers()
    threads = module.threads and lowering.cost() >= THREADED_FROM
    calls = lowering.calls(lowering.kernels, reports, threads)
    copies = lowering.final_copies()
    divided = sum(c.units > 1 for c in calls)
    if divided:
        text, once = team_program(calls, head, copies)
    else:
        lines = [*head, *plain_calls(calls, profiled), *copies]
        text, once = plain_program(lines, bool(module.hosts))
    module.others += [text, once]
    if profiled:
        module.others.append(counter_source())
    if deliver is not None:
        module.deliver_rest()
    constants = [np.ascontiguousarray(v.attributes["array"]) for v in lowering.constants.values()]
    program = Program(
        module.text(), constants, lowering.arena_bytes, reports, divided, module.hosts
    )
    watch.done("code")
    return program


__all__ = ["KernelReport", "Program", "lower"]
