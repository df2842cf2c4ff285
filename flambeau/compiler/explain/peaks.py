"""What one core of this machine does at best: arithmetic on registers, and copies."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from functools import cache

import numpy as np

from .. import runtime
from .facts import Machine

_CHAINS = 12
"""Multiply-adds that do not wait for each other: more than latency times units."""
_CACHED_BYTES = 512 << 10
"""What two arrays may take together to count as lying in the nearest caches."""
_LARGE_BYTES = 64 << 20


def _best(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _chains_source(element: str, lanes: int) -> str:
    """A function that runs chains of multiply-adds, and returns what depends on them all."""
    vector = f"<{lanes} x {element}>"
    suffix = f"v{lanes}f{32 if element == 'float' else 64}"
    phis, steps, sums = [], [], []
    for i in range(_CHAINS):
        phis.append(f"%c{i} = phi {vector} [ %start, %entry ], [ %n{i}, %loop ]")
        steps.append(
            f"%n{i} = call {vector} @llvm.fma.{suffix}({vector} %c{i}, {vector} %factor, "
            f"{vector} %start)"
        )
    for i in range(_CHAINS):
        before = "%start" if i == 0 else f"%s{i - 1}"
        sums.append(f"%s{i} = fadd {vector} {before}, %n{i}")
    return "\n".join(
        [
            f"declare {vector} @llvm.fma.{suffix}({vector}, {vector}, {vector})",
            f"define {element} @chains(i64 %count, {element} %value) {{",
            "entry:",
            f"%one = insertelement {vector} undef, {element} %value, i32 0",
            f"%start = shufflevector {vector} %one, {vector} undef, <{lanes} x i32> "
            "zeroinitializer",
            f"%factor = fmul {vector} %start, %start",
            "br label %loop",
            "loop:",
            "%i = phi i64 [ 0, %entry ], [ %next, %loop ]",
            *phis,
            *steps,
            "%next = add nsw i64 %i, 1",
            "%more = icmp slt i64 %next, %count",
            "br i1 %more, label %loop, label %done",
            "done:",
            *sums,
            f"%result = extractelement {vector} %s{_CHAINS - 1}, i32 0",
            f"ret {element} %result",
            "}",
        ]
    )


def _arithmetic(element: str) -> float:
    """Operations per second of multiply-adds (of multiplications where the CPU has none)."""
    size = 4 if element == "float" else 8
    lanes = runtime.vector_bytes() // size
    if not _has_fma():
        return _without_fma(element, lanes)
    return _timed_chains(_chains_source(element, lanes), element, 2 * _CHAINS * lanes)


def _has_fma() -> bool:
    name, features = runtime.cpu()
    return "+fma" in features.split(",") or "+neon" in features.split(",") or "apple" in name


def _without_fma(element: str, lanes: int) -> float:
    source = _chains_source(element, lanes)
    bits = 32 if element == "float" else 64
    vector = f"<{lanes} x {element}>"
    for i in range(_CHAINS):
        call = (
            f"%n{i} = call {vector} @llvm.fma.v{lanes}f{bits}({vector} %c{i}, {vector} %factor, "
            f"{vector} %start)"
        )
        source = source.replace(
            call, f"%m{i} = fmul {vector} %c{i}, %factor\n%n{i} = fadd {vector} %m{i}, %start"
        )
    return _timed_chains(source, element, 2 * _CHAINS * lanes)


def _timed_chains(source: str, element: str, operations: int) -> float:
    code = runtime.LoadedCode(runtime.object_code(source))
    real = ctypes.c_float if element == "float" else ctypes.c_double
    chains = ctypes.CFUNCTYPE(real, ctypes.c_int64, real)(code.address("chains"))
    count = 100_000
    seconds = _best(lambda: chains(count, 0.5), 12)
    return operations * count / seconds


def _copy(count: int, repeats: int, times: int) -> float:
    source = np.ones(count // 2, np.uint8)
    target = np.empty_like(source)

    def run() -> None:
        for _ in range(times):
            np.copyto(target, source)

    run()
    return times * count / _best(run, repeats)


@cache
def machine() -> Machine:
    """The peaks, measured once in a process (a fifth of a second)."""
    name, _ = runtime.cpu()
    bits = runtime.vector_bytes() * 8
    return Machine(
        float32=_arithmetic("float"),
        float64=_arithmetic("double"),
        memory=_copy(_LARGE_BYTES, 3, 1),
        cache=_copy(_CACHED_BYTES // 4, 5, 200),
        cache_bytes=_CACHED_BYTES,
        cpu=f"{name}, vectors of {bits} bits",
    )


__all__ = ["machine"]
