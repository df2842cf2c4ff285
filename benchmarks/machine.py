"""What the numbers were measured on: processor, versions, and what the hardware can do at best."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PEAK_PROGRAM = """
import time
import numpy as np

def best(run, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)

n = 1536
a = np.ones((n, n), np.float32)
out = np.empty_like(a)
flops = 2 * n**3 / best(lambda: np.matmul(a, a, out=out), 12)
source = np.ones(32 * 2**20, np.float32)
target = np.empty_like(source)
bytes = 2 * source.nbytes / best(lambda: np.copyto(target, source), 6)
print(flops, bytes)
"""


def cpu_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        vectors = [f for f in ("avx512f", "avx2", "neon") if f in fields.get("flags", "").split()]
        return " ".join([fields.get("model name", platform.machine()), *vectors[:1]])
    except OSError:
        return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return None


def version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def version_of(distribution: str) -> str | None:
    """The same, and flambeau's also where it runs from its repository."""
    if distribution != "flambeau":
        return version(distribution)
    source = Path(__file__).resolve().parent.parent / "flambeau" / "version.py"
    found = re.search(r'FLAMBEAU_VERSION = "(.*?)"', source.read_text())
    return found[1] if found else None


def environment(threads: int | None) -> dict[str, str]:
    """The variables that hold BLAS and OpenMP libraries to a number of threads, or to none."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {k: v for k, v in os.environ.items() if k not in names}
    return kept if threads is None else kept | dict.fromkeys(names, str(threads))


def peak() -> tuple[float, float]:
    """Float operations per second of a large float32 product on all cores, and bytes per second of
    a large copy; each the best of several runs in a process of its own."""
    out = subprocess.run(
        [sys.executable, "-c", PEAK_PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        env=environment(cpu_count()),
    )
    flops, bytes_ = map(float, out.stdout.split())
    return flops, bytes_


def describe() -> dict[str, Any]:
    """The facts that a reader needs to judge the numbers, ready for JSON."""
    packages = ("flambeau", "numpy", "llvmlite", "torch", "jax", "tinygrad", "mlx")
    return {
        "cpu": cpu_name(),
        "cores": cpu_count(),
        "memory_gib": memory_gib(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in packages if (found := version_of(name))},
        "load_average_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def sentence(facts: dict[str, Any]) -> str:
    """The description as one line of text."""
    memory = f", {facts['memory_gib']:.0f} GiB" if facts["memory_gib"] else ""
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items())
    load = facts["load_average_before"]
    busy = "" if load is None else f"; load average before the run {load:.1f}"
    return (
        f"{facts['cpu']}, {facts['cores']} cores{memory}; Python {facts['python']}, "
        f"{versions}{busy}"
    )
