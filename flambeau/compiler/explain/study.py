"""What one compiled graph is made of: its lowering is repeated, without making code."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from ...namespaces.primitives import BINARY, UNARY
from .. import lowering as rules
from .. import runtime, team
from ..codegen.indexing import Variable
from ..executable import Executable
from ..fusion import obstacles
from ..graph import Value
from ..kernels import CONTRACTIONS, member_accesses
from ..kernels import Kernel as LoopNest
from ..log import described_seconds
from ..lowering import Lowering
from ..memory import padded
from ..module import Module
from . import facts
from .listing import Names, body_lines, called, graph_lines, line
from .peaks import machine
from .profile import SHORTEST, measure

_ARITHMETIC = frozenset([*UNARY, *BINARY])


class Study:
    """One program under study.

    Args:
        title: what it is.
        executable: it.
        inputs: the names of its graph's inputs.
    """

    def __init__(self, title: str, executable: Executable, inputs: Sequence[str]) -> None:
        self.executable = executable
        threads = team.supported() and os.cpu_count() != 1
        module = Module(runtime.vector_bytes(), threads, runtime.has_half_precision())
        self.lowering = Lowering(executable.graph, module)
        self.names = Names(self.lowering.graph, inputs)
        self.nests = [k for k in self.lowering.kernels if not all(v.size == 0 for v in k.stored)]
        self.number = {id(k): i for i, k in enumerate(self.nests)}
        captured = Names(executable.graph, inputs)
        self.program = facts.Program(
            title=title,
            graph=graph_lines(executable.graph, captured),
            kernels=[self._kernel(i, k) for i, k in enumerate(self.nests)],
            buffers=self._buffers(),
            arena_bytes=executable.arena_bytes,
            peak_bytes=0,
            unshared_bytes=0,
            stage_seconds=dict(executable.stage_seconds),
            from_cache=executable.cached,
            inputs=[],
            outputs=[],
            updates=self._updates(inputs),
            threads=self._threads(),
        )
        self._add_obstacles()
        self._add_memory()

    # -- kernels --------------------------------------------------------------------------------

    def _kernel(self, number: int, nest: LoopNest) -> facts.Kernel:
        report = self.executable.kernels[number]
        values, inlined = self._computed(nest)
        stored = {id(v) for v in nest.stored}
        lines, origins = [], []
        for value in values:
            text = line(value, self.names)
            lines.append(f"{text}  -> memory" if id(value) in stored else text)
            if value.primitive == "scan" and value is nest.anchor:
                lines += body_lines(value)
            if value.origin is not None and str(value.origin) not in origins:
                origins.append(str(value.origin))
        return facts.Kernel(
            number=number,
            name=report.name,
            lines=lines,
            computes=[called(v) for v in nest.values],
            inlined=len(inlined),
            origins=origins,
            operations=self._operations(nest, inlined, report.flops),
            bytes=self._bytes(nest, report.bytes),
            estimate=report.cost * 1e-6,
            parts=report.parts,
        )

    def _computed(self, nest: LoopNest) -> tuple[list[Value], list[Value]]:
        """All values of a kernel in order, and those of them that are computed where they are
        used."""
        own = {id(v) for v in nest.values}
        values: list[Value] = []
        inlined: list[Value] = []
        seen: set[int] = set()

        def visit(value: Value) -> None:
            if id(value) in seen:
                return
            seen.add(id(value))
            for operand in value.operands:
                if not self.lowering.is_leaf(operand):
                    visit(operand)
            values.append(value)
            if id(value) not in own:
                inlined.append(value)

        for value in nest.values:
            visit(value)
        return values, inlined

    def _operations(self, nest: LoopNest, inlined: Sequence[Value], reported: int) -> int:
        """Arithmetic operations, an exponential or a comparison being one."""
        if id(nest) in self.lowering.scans:
            return reported
        count = sum(v.size for v in inlined if v.primitive in _ARITHMETIC)
        for group in nest.groups:
            points = math.prod(v.extent for v in (*nest.outer, *group.inner, *group.reduced))
            for member in group.members:
                if member.value.primitive == "conv_input":  # the loops go beyond the borders
                    grad, weight = member.value.operands
                    count += 2 * grad.size * math.prod(weight.shape[1:])
                elif member.value.primitive in CONTRACTIONS:
                    count += 2 * points
                elif group.reduces or member.value.primitive in _ARITHMETIC:
                    count += points
        return count

    def _bytes(self, nest: LoopNest, reported: int) -> int:
        """The sizes of what is read and written; of a part of an array, those of the part."""
        if nest.is_sequential:
            return reported
        stored = {id(v): v for v in nest.stored}
        elements: dict[int, int] = {}
        arrays = self.lowering.read_values(nest)
        for group in nest.groups:
            loops = (*nest.outer, *group.inner, *group.reduced)
            points = math.prod(v.extent for v in loops)
            for member in group.members:
                for access in member_accesses(group, member, self.lowering.is_leaf)[0]:
                    key = id(access.value)
                    if key not in arrays or key in stored:
                        continue
                    atoms = {atom for index in access.index for atom in index.terms}
                    variables = [atom for atom in atoms if isinstance(atom, Variable)]
                    read = points
                    if len(variables) == len(atoms):
                        read = min(points, math.prod(v.extent for v in variables))
                    elements[key] = min(access.value.size, elements.get(key, 0) + read)
        size = sum(v.size * v.dtype.itemsize for v in stored.values())
        return size + sum(n * arrays[key].dtype.itemsize for key, n in elements.items())

    def _add_obstacles(self) -> None:
        found: dict[tuple[int, str], list[str]] = {}
        for producer, reader, reason in obstacles(self.lowering.graph, self.lowering.kernels):
            number = self.number.get(id(reader))
            if number is None or id(producer) not in self.number:
                continue
            name = f"kernel {self.number[id(producer)]}"
            found.setdefault((number, reason), []).append(name)
        for (number, reason), names in found.items():
            self.program.kernels[number].obstacles.append(
                f"not joined with {', '.join(names)}: {reason}"
            )

    def _threads(self) -> str:
        from ...threads import get_num_threads

        count = get_num_threads()
        divided = self.executable._program.divided
        expected = sum(k.cost for k in self.executable.kernels) * 1e-6
        if divided:
            return (
                f"{divided} of {len(self.nests)} kernels are divided among up to {count} threads "
                f"(those expected to take {rules.DIVIDED_FROM:.0f} us or more)"
            )
        if not team.supported():
            return "one thread: there is no team on this system"
        if expected < rules.THREADED_FROM * 1e-6:
            return (
                f"one thread: the {described_seconds(expected)} that it is expected to take are "
                f"below the {rules.THREADED_FROM:.0f} us from which a team is woken"
            )
        return "one thread: no kernel is large enough to be divided"

    # -- memory ---------------------------------------------------------------------------------

    def _buffers(self) -> list[facts.Buffer]:
        values = {id(v): v for k in self.lowering.kernels for v in k.values}
        buffers = []
        outputs = {self.lowering.places[id(v)].slot: v for v in self.lowering.graph.outputs}
        for key, life, place in self.lowering.temporaries:
            value = values.get(key)
            name = "scratch of a scan" if value is None else (
                f"{self.names.of(value)}: {value.dtype}{list(value.shape)}"
            )  # fmt: skip
            within = self.names.of(outputs[place.slot]) if place.kind == "room" else ""
            buffers.append(
                facts.Buffer(name, life.size, place.offset, life.first, life.last, within)
            )
        return buffers

    def _add_memory(self) -> None:
        program = self.program
        inside = [b for b in program.buffers if not b.within]
        taken = [padded(b.bytes) for b in inside]
        program.unshared_bytes = sum(taken)
        steps = range(len(self.lowering.kernels) + 1)
        program.peak_bytes = max(
            sum(n for n, b in zip(taken, inside) if b.first <= step <= b.last) for step in steps
        )

    def _updates(self, inputs: Sequence[str]) -> list[str]:
        copied = {i for _, i in self.lowering.copies}
        return [
            f"{inputs[i]}: " + ("computed aside, then copied" if i in copied else "in place")
            for i in sorted(self.lowering.graph.updates)
        ]

    # -- time -----------------------------------------------------------------------------------

    def measure(self, arrays: Sequence[np.ndarray]) -> None:
        """Time the program and its kernels on copies of ``arrays``."""
        timed = measure(self.executable, arrays)
        program = self.program
        program.seconds, program.runs = timed.seconds, timed.runs
        if len(timed.kernels) != len(program.kernels):
            program.not_measured = "the program for one thread is made of other kernels"
            return
        best = machine()
        for kernel, nest, seconds in zip(program.kernels, self.nests, timed.kernels):
            kernel.seconds = seconds
            if seconds < SHORTEST:
                continue
            kernel.cached = kernel.bytes <= best.cache_bytes
            dtype = nest.anchor.dtype
            peak = best.float64 if dtype.kind == "f" and dtype.itemsize == 8 else best.float32
            kernel.arithmetic = kernel.operations / seconds / peak
            kernel.traffic = kernel.bytes / seconds / (best.cache if kernel.cached else best.memory)


__all__ = ["Study"]
