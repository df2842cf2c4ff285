"""The time of each kernel: the program compiled a second time, with a clock around each call.

It runs on copies of the arrays on one thread, so nothing of the user's changes; the ordinary
program is run on the same copies as it is.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .. import runtime
from ..array_calls import drawn_back
from ..executable import Executable, compile_graph
from ..program import PROFILE, counter_source, cycle_counter

_BUDGET = 0.4
"""Seconds that the runs of one program may take."""
_MOST_RUNS = 1000
SHORTEST = 5e-9
"""Seconds below which a kernel's time means nothing."""


@cache
def _counter() -> tuple[float, float]:
    """Seconds of one count, and the counts between two readings one after the other."""
    source = (
        f"{counter_source()}"
        "define i64 @count() {\n"
        f"%c = {cycle_counter()}\nret i64 %c\n}}\n"
        "define i64 @between() {\n"
        f"%a = {cycle_counter()}\n%b = {cycle_counter()}\n%d = sub i64 %b, %a\nret i64 %d\n}}\n"
    )
    code = runtime.LoadedCode(runtime.object_code(source))
    count = ctypes.CFUNCTYPE(ctypes.c_int64)(code.address("count"))
    between = ctypes.CFUNCTYPE(ctypes.c_int64)(code.address("between"))
    start, counted = time.perf_counter(), count()
    while time.perf_counter() - start < 0.02:
        pass
    counts = count() - counted
    seconds = time.perf_counter() - start
    return seconds / max(1, counts), _middle(np.array([between() for _ in range(500)]))


def _middle(samples: np.ndarray) -> Any:
    """The mean of the quicker three quarters: counters may be coarser than a kernel is long, and
    a few runs are interrupted."""
    kept = max(1, samples.shape[0] * 3 // 4)
    return np.sort(samples, axis=0)[:kept].mean(axis=0)


class Timed:
    """Times of one program.

    Attributes:
        kernels: seconds of each kernel, on one thread: the mean of the quicker runs.
        seconds: the median of a run of the ordinary program.
        runs: how many runs it is the median of.
    """

    def __init__(self, kernels: list[float], seconds: float, runs: int) -> None:
        self.kernels = kernels
        self.seconds = seconds
        self.runs = runs


def measure(executable: Executable, arrays: Sequence[np.ndarray]) -> Timed:
    """Time ``executable`` and its kernels on copies of ``arrays``, one per input of its graph."""
    with drawn_back(executable.graph):
        return _measured(executable, arrays)


def _measured(executable: Executable, arrays: Sequence[np.ndarray]) -> Timed:
    profiled = compile_graph(executable.graph, profiled=True)
    given = [np.array(a, order="C") for a in arrays]
    updated = [(given[i], given[i].copy()) for i in executable.updated]
    outputs = executable.empty_outputs()
    words = profiled._run.__self__  # type: ignore[attr-defined]
    count = len(profiled.kernels)
    slots = words[PROFILE : PROFILE + count]
    pace, overhead = _counter()

    def again() -> None:
        for array, before in updated:
            np.copyto(array, before)

    samples: list[np.ndarray] = []
    until = time.perf_counter() + _BUDGET / 2
    while len(samples) < 4 or (time.perf_counter() < until and len(samples) < _MOST_RUNS):
        again()
        slots[:] = 0
        profiled._run(*given, *outputs)
        samples.append(np.array(slots, np.float64))
    counts = _middle(np.array(samples[1:]))
    kernels = [max(0.0, float(c) - overhead) * pace for c in counts]
    times: list[float] = []
    until = time.perf_counter() + _BUDGET / 2
    while len(times) < 4 or (time.perf_counter() < until and len(times) < _MOST_RUNS):
        again()
        start = time.perf_counter()
        executable._run(*given, *outputs)
        times.append(time.perf_counter() - start)
    return Timed(kernels, statistics.median(times[1:]), len(times) - 1)


__all__ = ["SHORTEST", "Timed", "measure"]
