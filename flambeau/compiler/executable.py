"""A compiled graph that can be called."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from . import cache, runtime, team
from .entry import entry_address, steps_address
from .graph import Graph
from .host_call import HostCalls
from .lowered import KernelReport, Program
from .overlap import overlaps
from .program import (
    ARENA,
    FIRST_POINTER,
    HOST_POINTER,
    ONCE,
    ONCE_POINTER,
    SLOTS,
    TEAM_POINTER,
    table_words,
)
from .progress import stage
from .stopwatch import Stopwatch
from .unsupported import Unsupported

_ALIGNED = 64


def aligned_bytes(count: int, make: Callable[..., np.ndarray] = np.empty) -> np.ndarray:
    """Memory that begins at a multiple of 64, uninitialised or of ``np.zeros``."""
    raw = make(count + _ALIGNED, np.uint8)
    start = -raw.ctypes.data % _ALIGNED
    return raw[start : start + count]


class _Table(np.ndarray):
    """A program's table, which holds what the machine code that is called with it needs."""

    needs: tuple[object, ...]


class _Machinery:
    """Machine code and the memory it works on, for as long as anybody may be in it."""

    def __init__(self, program: Program, code: runtime.LoadedCode) -> None:
        self.program = program
        self.code = code
        self.once = code.address(ONCE)
        # keeps Python's lock, as a built-in function does: a program has one arena
        self.steps = ctypes.PYFUNCTYPE(
            ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, *[ctypes.c_int64] * 2
        )(steps_address())
        self.arena = aligned_bytes(program.arena_bytes)
        self.tables: list[np.ndarray] = []
        self.hosts = HostCalls(program.hosts)

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if self.program.divided and not is_finalizing():
            team.retire(self.code, self.arena, self.tables)


class Executable:
    """A graph as machine code.

    Attributes:
        kernels: what the kernels do, in the order in which they run.
        compile_seconds: the time it took to make it.
        stage_seconds: the same by stage.
        cached: whether the machine code came from the disk cache.
    """

    def __init__(
        self,
        graph: Graph,
        program: Program,
        code: runtime.LoadedCode,
        stage_seconds: dict[str, float],
        cached: bool,
    ) -> None:
        self.graph = graph
        self.kernels: list[KernelReport] = program.kernels
        self.stage_seconds = stage_seconds
        self.compile_seconds = sum(stage_seconds.values())
        self.cached = cached
        self.arena_bytes = program.arena_bytes
        self._program = program
        self._machinery = _Machinery(program, code)
        self.calls_python = bool(program.hosts)
        self.lock: Any = threading.RLock() if program.hosts else nullcontext()
        """Held while a program runs that calls Python, where other threads may come in."""
        self.input_specs = [(v.shape, v.dtype) for v in graph.inputs]
        self.output_specs = [(v.shape, v.dtype) for v in graph.outputs]
        self.updated = frozenset(graph.updates)
        self._run = self._bound(range(len(graph.inputs)), {})

    @property
    def source(self) -> str:
        """The LLVM code."""
        return self._program.source

    def _bound(self, changing: Sequence[int], state: dict[int, np.ndarray]) -> Callable[..., int]:
        """A built-in function of the inputs ``changing`` and then the outputs."""
        constants = self._program.constants
        first_input = FIRST_POINTER + len(constants)
        slots = first_input + len(self.input_specs) + len(self.output_specs)
        outputs = range(first_input + len(self.input_specs), slots)
        words = table_words(len(self.kernels))
        memory = aligned_bytes(8 * words, np.zeros).view(np.int64)
        machinery = self._machinery
        machinery.tables.append(memory)
        table = memory.view(_Table)
        table.needs = (machinery, *state.values())
        table[ARENA] = machinery.arena.ctypes.data
        for i, array in enumerate(constants):
            table[FIRST_POINTER + i] = array.ctypes.data
        for i, array in state.items():
            table[first_input + i] = array.ctypes.data
        mapped = [*(first_input + i for i in changing), *outputs]
        table[slots : slots + len(mapped)] = mapped
        if self._program.divided:
            table[TEAM_POINTER] = team.team().address
        table[HOST_POINTER] = id(machinery.hosts)
        table[SLOTS], table[ONCE_POINTER] = slots, machinery.once
        return runtime.builtin_function(entry_address(), table)

    def bind(self, state: Sequence[np.ndarray | None]) -> Callable[..., int]:
        """The program with some inputs fixed.

        Arguments:
            state: for each input of the graph the array that it always is (its memory is read and
                updated at each call), or None for one that changes.

        Returns a built-in function that takes the arrays of the changing inputs, in order, then
        the arrays to put the outputs into, and returns the status: 0, or not 0 where an index was
        out of range.  It checks nothing: arrays must be C-contiguous and of the graph's shapes and
        dtypes, and an updated one must not overlap with another.
        """
        fixed = {i: a for i, a in enumerate(state) if a is not None}
        self._check_overlap([a if a is not None else None for a in state])
        changing = [i for i in range(len(self.input_specs)) if i not in fixed]
        return self._bound(changing, fixed)

    def use_arena(self, arena: np.ndarray) -> None:
        """Work in ``arena``, of :func:`aligned_bytes`, which other programs use at other times."""
        machinery = self._machinery
        machinery.arena = arena
        for table in machinery.tables:
            table[ARENA] = arena.ctypes.data

    def repeated(self, bound: Callable[..., int], addresses: np.ndarray, objects: int) -> int:
        """Call ``bound``, which is of :meth:`bind`, once for each row of ``addresses``.

        Arguments:
            bound: the program with its state.
            addresses: of what ``bound`` takes, (steps, arguments) of int64; they are checked as
                little.
            objects: how many of a row's are those of arrays, as ``id`` gives them; behind them
                come addresses of memory.

        Returns how many steps went well: all, or those before an index was out of range.
        """
        table: np.ndarray = bound.__self__  # type: ignore[attr-defined]
        steps, count = addresses.shape
        with self.lock:
            done = self._machinery.steps(
                table.ctypes.data, steps, addresses.ctypes.data, count, objects
            )
        return int(done)

    def addresses(self, bound: Callable[..., int]) -> tuple[int, int]:
        """Of the machine code that :meth:`repeated` calls, and of the table it takes."""
        table: np.ndarray = bound.__self__  # type: ignore[attr-defined]
        return steps_address(), int(table.ctypes.data)

    def empty_outputs(self) -> list[np.ndarray]:
        """Fresh arrays for the outputs."""
        return [np.empty(shape, dtype) for shape, dtype in self.output_specs]

    def describe(self) -> str:
        """The kernels and what they do, as text."""
        origin = "from the disk cache" if self.cached else "compiled"
        lines = [
            f"  {len(self.kernels)} kernels, {origin} in {self.compile_seconds * 1e3:.0f} ms, "
            f"arena of {self.arena_bytes} bytes"
        ]
        for kernel in self.kernels:
            lines.append(
                f"    {kernel.name:<24} {kernel.flops:>12,} flops {kernel.bytes:>12,} bytes  "
                f"{kernel.computes}"
            )
        return "\n".join(lines)

    def __call__(self, arrays: Sequence[np.ndarray], spoiled: bool = False) -> list[np.ndarray]:
        """Run the program on ``arrays``, one per input of the graph.

        Updated inputs are written in place.  Returns fresh arrays, one per output; ``spoiled`` ones
        are full of NaN before, so that it shows if a program leaves part of one unwritten.
        """
        if len(arrays) != len(self.input_specs):
            raise ValueError(f"expected {len(self.input_specs)} arrays, got {len(arrays)}")
        arrays = list(arrays)
        for i, (array, (shape, dtype)) in enumerate(zip(arrays, self.input_specs, strict=True)):
            if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
                raise ValueError(
                    f"input {i} should be a C-contiguous array {dtype}{list(shape)}, "
                    f"got {array.dtype}{list(array.shape)}"
                )
        arrays = self._separated(arrays)
        outputs = self.empty_outputs()
        if spoiled:
            for array in outputs:
                array.reshape(-1).view(np.uint8).fill(255)
        with self.lock:
            status = self._run(*arrays, *outputs)
        if status:
            raise IndexError("an index is out of bounds in a compiled program")
        return outputs

    def _separated(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """``arrays`` with copies of those that overlap with an updated one."""
        for _, other in overlaps(dict(enumerate(arrays)), self.updated):
            if other not in self.updated:
                arrays[other] = arrays[other].copy()
        return arrays

    def _check_overlap(self, arrays: Sequence[np.ndarray | None]) -> None:
        known = {i: array for i, array in enumerate(arrays) if array is not None}
        for i, j in overlaps(known, self.updated):
            raise ValueError(f"inputs {i} (updated) and {j} share memory")


def _key(graph: Graph, profiled: bool) -> tuple[str, bool]:
    """The name under which the program is kept, and whether a team may run it."""
    threads = team.supported() and os.cpu_count() != 1
    processors = os.cpu_count() if threads else 1
    target = f"{runtime.target_description()} {profiled} {processors}"
    return cache.graph_key(graph, target), threads


def prepare(graph: Graph) -> bool:
    """Have LLVM begin if ``graph`` will have to be compiled.

    Returns:
        whether its code is in the disk cache.
    """
    if cache.has(_key(graph, False)[0]):
        return True
    if "llvmlite.binding" in sys.modules:
        return False

    # in this thread, for what is imported in another takes turns with it at Python's lock
    runtime.load()
    threading.Thread(target=_make_fixed_code, name="fixed code", daemon=True).start()
    return False


def _make_fixed_code() -> None:
    """What every program needs; the first code that LLVM makes takes longest."""
    entry_address()
    if team.supported():
        team.code()


class _Compilation:
    """A graph on its way to an executable: its code is written, LLVM is at work on it."""

    def __init__(self, graph: Graph, profiled: bool) -> None:
        self.graph = graph
        self.watch = Stopwatch()
        self.objects: runtime.ObjectWriter | None = None
        self.key, threads = _key(graph, profiled)
        self.kept = cache.load(self.key)
        self.watch.done("cache")
        if self.kept is None:
            self.objects = runtime.ObjectWriter()
            try:
                self.program = self._lower(profiled, threads, self.objects)
            except BaseException:
                self.objects.close()
                raise

    def _lower(self, profiled: bool, threads: bool, objects: runtime.ObjectWriter) -> Program:
        stage("lowering")
        from .lowering import lower  # a process whose programs are all kept needs none of it

        vector_bytes, half = runtime.vector_bytes(), runtime.has_half_precision()
        self.watch.done("importing")
        program = lower(self.graph, vector_bytes, profiled, threads, self.watch, half, objects.add)
        stage("LLVM")
        return program

    def finish(self) -> Executable:
        """Wait for LLVM, and load what it has made."""
        watch = self.watch
        watch.begin()
        if self.objects is not None:
            code = self.objects.finish()
            watch.done("LLVM")
            cache.store(self.key, self.program, code)
            watch.done("cache")
        else:
            assert self.kept is not None
            self.program, code = self.kept
        helpers = team.helpers() if self.program.divided else None
        loaded = runtime.LoadedCode(*code, functions=helpers)
        watch.done("loading")
        return Executable(
            self.graph, self.program, loaded, watch.seconds, cached=self.objects is None
        )


def compile_graphs(graphs: Sequence[Graph], profiled: bool = False) -> list[Executable]:
    """Compile ``graphs`` for the CPU at hand; ``profiled`` ones count each kernel's cycles.

    The code of one is written while LLVM is at work on those before.

    Raises:
        Unsupported: something in one of them cannot be lowered.
    """
    if not runtime.arrays_are_where_expected():
        raise Unsupported("any graph", "this Python or NumPy lays out arrays in another way")
    begun: list[_Compilation] = []
    try:
        for graph in graphs:
            begun.append(_Compilation(graph, profiled))
        return [compilation.finish() for compilation in begun]
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(
            "this program", f"{type(error).__name__} in the compiler, please report it: {error}"
        ) from error
    finally:
        for compilation in begun:
            if compilation.objects is not None:
                compilation.objects.close()


def compile_graph(graph: Graph, profiled: bool = False) -> Executable:
    """The same for one graph."""
    (executable,) = compile_graphs([graph], profiled)
    return executable


__all__ = ["Executable", "aligned_bytes", "compile_graph", "compile_graphs", "prepare"]
