#!/usr/bin/env python
"""How long `flambeau.compile` takes: cold, and with the machine code in its disk cache.

    python benchmarks/compile_time.py
    python benchmarks/compile_time.py --only spiral-mlp,character-gpt --rounds 9

Each figure is the median over fresh processes, which share a cache in a temporary folder that is
empty for a cold one. A compiled step's first call runs eagerly, the second and third capture it.
The program is compiled at the third, or read from the cache at the second, and its first result
checked against NumPy's.

*compiling*: both captures, loading the compiler itself (llvmlite), which happens once in a process,
and making the machine code or reading it from the cache. *calls*: the whole of the second and the
third call: that, the steps that they do, and the check, which does a step on NumPy. *first call*:
the eager one, for comparison.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import workloads

HERE = Path(__file__).resolve().parent
ASKED = {
    "iris-mlp": 0.2,
    "circles-mlp": 0.2,
    "spiral-mlp": 0.2,
    "digits-mlp": 0.2,
    "mnist-cnn": 0.6,
    "character-gpt": 3.0,
}
"""Seconds of a cold compilation, at most."""
ASKED_CACHED = 0.05
DEFAULT = "spiral-mlp,mnist-cnn,character-gpt"


def measured_here(workload: str) -> dict[str, Any]:
    """In a fresh process: the seconds of a step's first calls."""
    import flambeau

    built = workloads.build(workload, flambeau)
    step = flambeau.compile(built.step)
    calls = []
    start = time.perf_counter()
    from flambeau.compiler import executable as compiler

    loading = compiling = time.perf_counter() - start

    def timed(make: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal compiling
            start = time.perf_counter()
            result = make(*arguments)
            compiling += time.perf_counter() - start
            return result

        return call

    # with the import of the compiler and of LLVM, which its own stages leave out
    compiler.prepare = timed(compiler.prepare)
    step._runner = timed(step._runner)
    batches = built.batches
    for i in range(3):
        start = time.perf_counter()
        step(*batches[i % len(batches)]).item()
        calls.append(time.perf_counter() - start)
    (variant,) = [v for variants in step._variants.values() for v in variants]
    if variant.runner is None:
        raise RuntimeError(f"{workload} is not compiled: {variant.eager_reason}")
    executables = variant.runner.executables().values()
    stages: dict[str, float] = {"capture": sum(variant.capture_seconds)}
    for executable in executables:
        for stage, seconds in executable.stage_seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    stages["importing the compiler"] = compiling - sum(stages.values()) + stages["capture"]
    return {
        "first call": calls[0],
        "calls": loading + calls[1] + calls[2],
        "compilation": compiling + stages["capture"],
        "stages": stages,
        "kept": all(executable.cached for executable in executables),
    }


def fresh(workload: str, cache: str) -> dict[str, Any]:
    """The same in a new process whose cache is the folder."""
    environment = dict(os.environ) | {"FLAMBEAU_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users' Pythons keep their byte code
    paths = [str(HERE.parent), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, str(HERE / "compile_time.py"), "--process", workload]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    result: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return result


def medians(results: list[dict[str, Any]]) -> dict[str, Any]:
    figures = ("first call", "calls", "compilation")
    summary: dict[str, Any] = {f: statistics.median(r[f] for r in results) for f in figures}
    summary["stages"] = {
        stage: statistics.median(r["stages"][stage] for r in results)
        for stage in results[0]["stages"]
    }
    return summary


def measure(workload: str, rounds: int) -> dict[str, Any]:
    """Cold and cached, taking turns."""
    cold, cached = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(fresh(workload, cache))
            cached.append(fresh(workload, cache))
    if any(r["kept"] for r in cold) or not all(r["kept"] for r in cached):
        raise RuntimeError(f"{workload}: the cache was not used as expected")
    return {"cold": medians(cold), "cached": medians(cached)}


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}"


def longest(stages: dict[str, float]) -> str:
    """The stages that take most, in milliseconds."""
    ordered = sorted(stages.items(), key=lambda stage: -stage[1])[:4]
    return ", ".join(f"{stage} {milliseconds(seconds)}" for stage, seconds in ordered)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=DEFAULT, help="workloads, separated by commas, or all")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each figure")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.process:
        logging.disable(logging.CRITICAL)
        print(json.dumps(measured_here(options.process)))
        return 0
    chosen = list(workloads.WORKLOADS) if options.only == "all" else options.only.split(",")
    report: dict[str, Any] = {"machine": machine.describe(), "workloads": {}}
    print(
        "| ms | compiling, cold | asked | compiling, cached | asked | calls, cold | calls, cached "
        "| first call | longest stages, cold | cached |\n|" + "---|" * 10
    )
    for workload in chosen:
        result = report["workloads"][workload] = measure(workload, options.rounds)
        cold, cached = result["cold"], result["cached"]
        cells = [
            workload,
            milliseconds(cold["compilation"]),
            milliseconds(ASKED[workload]) if workload in ASKED else "",
            milliseconds(cached["compilation"]),
            milliseconds(ASKED_CACHED),
            milliseconds(cold["calls"]),
            milliseconds(cached["calls"]),
            milliseconds(cold["first call"]),
            longest(cold["stages"]),
            longest(cached["stages"]),
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\n{machine.sentence(report['machine'])}.")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
