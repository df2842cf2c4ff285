"""Frameworks under measurement, each in a process of its own, so that thread pools, allocators and
imports of one never touch another. The parent asks one process after the other for a short block of
steps, so that a slow minute of the machine falls on all of them.

A peer is named `framework` or `framework:threads`: `torch:1`, `torch:2`, `flambeau`, `compiled`.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).resolve().parent
CHECKED_STEPS = 5
WARM_UP_SECONDS = 2.0
"""Before the first block: operations that are repeated have moved to compiled programs by then."""


class PeerError(RuntimeError):
    """The peer's process said why it cannot do what it was asked."""


class Peer:
    """A child process that builds and runs what it is asked for, over a pipe of JSON lines."""

    def __init__(self, name: str, program: str) -> None:
        self.name = name
        framework, _, threads = name.partition(":")
        environment = machine.environment(int(threads) if threads else None)
        if framework == "tinygrad":
            environment |= tinygrad_environment(int(threads) if threads else machine.cpu_count())
        root = str(HERE.parent)
        environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / program), "--peer", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, request: str, **arguments: Any) -> Any:
        """Sends a request and waits for its result; raises PeerError with the peer's own words."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"request": request, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"{self.name} ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()


DISTRIBUTIONS = {"torch-compile": "torch", "compiled": "flambeau", "many": "flambeau"}
"""The installed package of a framework that is not named like it."""

IN_TURN = ("torch", "torch-compile", "jax", "tinygrad", "mlx")
"""Measured at each number of threads, of which the better counts."""


def missing(name: str) -> str | None:
    """Why a peer cannot run here, in a few words; None if it can."""
    framework = name.partition(":")[0]
    distribution = DISTRIBUTIONS.get(framework, framework)
    if distribution != "flambeau" and machine.version(distribution) is None:
        return f"{distribution} is not installed"
    if framework == "torch-compile" and not any(map(shutil.which, cpp_compilers())):
        return "torch.compile needs a C++ compiler (g++), and there is none"
    if framework == "mlx" and not shutil.which("g++"):
        return "mx.compile needs g++, and there is none"
    if framework == "tinygrad" and not (clang() or llvm_library()):
        return "tinygrad needs clang or libLLVM, and there is neither"
    return None


def available(name: str) -> bool:
    """Whether the peer can run here."""
    return missing(name) is None


def able(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The peers that can run here, and why the others cannot; each of those is said in a line."""
    reasons = {name: reason for name in names if (reason := missing(name)) is not None}
    for name, reason in reasons.items():
        print(f"{name} is skipped: {reason}.", file=sys.stderr)
    return [name for name in names if name not in reasons], reasons


def expand(names: Sequence[str], threads: Sequence[int]) -> list[str]:
    """Other frameworks at each number of threads, flambeau as it is installed, unless a peer's name
    says how many: `flambeau:1`."""
    expanded: list[str] = []
    for name in names:
        expanded += [f"{name}:{count}" for count in threads] if name in IN_TURN else [name]
    return expanded


def cpp_compilers() -> list[str]:
    """What PyTorch's compiler looks for."""
    return [name for name in (os.environ.get("CXX"), "g++", "clang++", "c++") if name]


def clang() -> str | None:
    """A clang, also one that is installed under its version's name only."""
    names = ["clang", *(f"clang-{version}" for version in range(22, 13, -1))]
    return next((name for name in names if shutil.which(name)), None)


def llvm_library() -> bool:
    found = [ctypes.util.find_library(n) for n in ("LLVM", *(f"LLVM-{v}" for v in range(14, 22)))]
    return any(found)


def tinygrad_environment(threads: int) -> dict[str, str]:
    """tinygrad on the processor with so many threads; clang is what it takes first itself."""
    compiler = clang()
    chosen = {"DEV": "CPU", "CC": compiler} if compiler else {"DEV": "CPU:LLVM"}
    return chosen | {"NUM_CPU_THREADS": str(threads)}


def module_of(name: str) -> Any:
    """In the peer's process: the module whose API the workloads use, held to its threads."""
    framework, _, threads = name.partition(":")
    if framework in ("torch", "torch-compile"):
        import torch

        torch.set_num_threads(int(threads) if threads else machine.cpu_count())
        return torch
    if framework in ("jax", "tinygrad", "mlx") and threads == "1":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    import flambeau

    return flambeau


def serve(name: str, handlers: Callable[[str], dict[str, Callable[..., Any]]]) -> None:
    """In the peer's process: answers requests until the parent closes the pipe."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not enter the answers
    known = handlers(name)
    for line in sys.stdin:
        arguments = json.loads(line)
        try:
            answer = {"result": known[arguments.pop("request")](**arguments)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def timed_block(call: Callable[[], Any], seconds: float, least: int = 3) -> list[int]:
    """Nanoseconds of each call, for about as long as asked."""
    clock = time.perf_counter_ns
    times: list[int] = []
    end = clock() + int(seconds * 1e9)
    while len(times) < least or clock() < end:
        start = clock()
        call()
        times.append(clock() - start)
    return times
