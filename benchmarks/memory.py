#!/usr/bin/env python
"""Memory of a training step above its parameters and inputs: PyTorch against flambeau.

    python benchmarks/memory.py
    python benchmarks/memory.py --only mnist-cnn,wide-mlp --peers torch,flambeau,compiled

Two figures, each from a fresh process per workload and peer, one thread.

*Allocated*: the largest number of bytes of tensor data alive at once during one step, above the
parameters, the inputs and the optimizer's state: that is, gradients, activations and whatever else
is alive with them. Five steps run first and the gradients are dropped before the measured one. For
flambeau it is `tracemalloc`'s peak, which sees every NumPy array and every Python object besides
(so it is charged for its tape, a few kilobytes); for PyTorch the profiler's `profile_memory`
events, which see its CPU allocator but neither its C++ objects nor oneDNN's and MKL's buffers. A
compiled step's arena counts in full.

*Resident*: how far five steps raise the process's peak resident set (`VmHWM`) above its size just
before the first of them: gradients, optimizer state, work space and whatever the allocator keeps.
Each process first trains another tiny model, so that the pages of code count as little as can be;
for a compiled step the compiler's own work is in it. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import peers
import workloads

PROGRAM = "memory.py"
DEFAULT_PEERS = "torch,flambeau,compiled"
STEPS = 5


def resident(field: str) -> int:
    """`VmRSS` or `VmHWM` of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}; resident memory is measured on Linux only")


class Step:
    """One step on a workload's first batch, and what drops the gradients that it left."""

    def __init__(self, torch: Any, framework: str, workload: str) -> None:
        built = workloads.build(workload, torch)
        self._compiled = framework == "compiled"
        self._step: Any = torch.compile(built.step) if self._compiled else built.step
        self._batch, self._parameters = built.batches[0], built.parameters

    def __call__(self) -> float:
        return self._step(*self._batch).item()

    def drop_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def arena(self) -> int:
        """Bytes that a compiled step keeps to work in."""
        if not self._compiled:
            return 0
        explained = self._step.explain(measure=False)
        return sum(int(size) for size in re.findall(r"arena of (\d+) bytes", explained))


def peak_of_torch(step: Step) -> int:
    """The profiler's allocator events of one call, summed up in time order. The call before it is
    profiled as well, so that what the step frees of its predecessor's is known."""
    import torch.profiler

    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        step()
        step.drop_gradients()
        with torch.profiler.record_function("measured step"):
            step()
    events = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    start = next(e.start_ns() for e in events if e.name() == "measured step")
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    alive = sum(change for when, change in changes if when < start)
    before = highest = alive
    for _, change in sorted((c for c in changes if c[0] >= start), key=lambda c: c[0]):
        alive += change
        highest = max(highest, alive)
    return highest - before


def peak_of_numpy(step: Step) -> int:
    tracemalloc.start()
    step()
    step.drop_gradients()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest - before + step.arena()


def handlers(name: str) -> dict[str, Callable[..., Any]]:
    torch = peers.module_of(name)
    framework = name.partition(":")[0]

    def allocated(workload: str) -> int:
        step = Step(torch, framework, workload)
        for _ in range(STEPS):
            step()
        return peak_of_torch(step) if framework == "torch" else peak_of_numpy(step)

    def grown(workload: str) -> int:
        warm = Step(torch, framework, "iris-mlp" if workload != "iris-mlp" else "circles-mlp")
        for _ in range(STEPS):
            warm()
        step = Step(torch, framework, workload)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present size
        before = resident("VmRSS")
        for _ in range(STEPS):
            step()
        return resident("VmHWM") - before

    return {"allocated": allocated, "grown": grown}


def measure(name: str, workload: str, rounds: int) -> dict[str, Any]:
    """Both figures of a peer on a workload, medians over fresh processes."""
    result: dict[str, Any] = {}
    for request in ("allocated", "grown"):
        values = []
        for _ in range(rounds if request == "grown" else 1):
            peer = peers.Peer(f"{name}:1", PROGRAM)
            try:
                values.append(peer.ask(request, workload=workload))
            except peers.PeerError as error:
                return {"error": str(error)}
            finally:
                peer.close()
        result[request] = statistics.median(values)
    return result


def kibibytes(value: float | None) -> str:
    return "" if value is None else f"{value / 1024:.0f}"


def ratio(results: dict[str, Any], figure: str, eager: str) -> str:
    """The compiled step's figure over an eager one's."""
    mine, other = (results.get(name, {}).get(figure) for name in ("compiled", eager))
    return f"{mine / other:.2f}" if mine is not None and other else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="workloads, separated by commas")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help=f"default: {DEFAULT_PEERS}")
    parser.add_argument("--rounds", type=int, default=3, help="processes per resident figure")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        peers.serve(options.peer, handlers)
        return 0
    facts = machine.describe()
    names, _ = peers.able([name for name in options.peers.split(",") if name])
    chosen = [name for name in options.only.split(",") if name] or list(workloads.WORKLOADS)
    report: dict[str, Any] = {"machine": facts, "workloads": {}}
    columns = [f"{name}, {figure}" for figure in ("allocated", "resident") for name in names]
    compared = [
        (figure, eager)
        for figure in ("allocated", "grown")
        for eager in ("torch", "flambeau")
        if eager in names and "compiled" in names
    ]
    words = {"allocated": "allocated", "grown": "resident"}
    columns += [f"compiled / {eager}, {words[figure]}" for figure, eager in compared]
    print("| KiB | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for workload in chosen:
        results = {name: measure(name, workload, options.rounds) for name in names}
        report["workloads"][workload] = results
        cells = [
            kibibytes(results[name].get(figure))
            for figure in ("allocated", "grown")
            for name in names
        ]
        cells += [ratio(results, figure, eager) for figure, eager in compared]
        print(f"| {workload} | " + " | ".join(cells) + " |", flush=True)
        for name, result in results.items():
            if "error" in result:
                print(f"{workload}: {name} did not run: {result['error'][:160]}", file=sys.stderr)
    print(f"\n{machine.sentence(facts)}.")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
