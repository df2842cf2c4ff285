#!/usr/bin/env python
"""Time of one training step, loss read each step: flambeau against the other frameworks.

    python benchmarks/training_steps.py                       # every workload, installed peers
    python benchmarks/training_steps.py --only iris-mlp,mnist-cnn --peers torch,flambeau,compiled
    python benchmarks/training_steps.py --out results/        # JSON and a Markdown table as files
    python benchmarks/training_steps.py --readme README.md --chart docs/images/training_steps.svg
    python benchmarks/training_steps.py --from results/training_steps.json --readme README.md

Peers: torch (PyTorch's plain loop), torch-compile (the step through torch.compile; needs a C++
compiler), flambeau (the same loop), compiled (the same step through flambeau.compile), jax (one
jitted step), tinygrad (a TinyJit step), mlx (a step through mx.compile). Other frameworks run at
each number of threads, and the better counts; those that are not installed are skipped, and said. A
workload's peers take turns, block by block, in one run, each in a process of its own; a block's
figure is the median of its steps, a row's the median of its blocks. Ratios are medians of the
ratios of neighbouring blocks. The first steps' losses are compared with PyTorch's: a row whose
losses differ says so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import peers
import training_table
import workloads

DEFAULT_PEERS = "torch,flambeau,compiled,torch-compile,jax,tinygrad,mlx"
PROGRAM = "training_steps.py"


def handlers(name: str) -> dict[str, Callable[..., Any]]:
    """What a peer's process answers: `build` a workload, `run` a block of its steps."""
    torch = peers.module_of(name)
    framework = name.partition(":")[0]
    calls: dict[str, Callable[[], float]] = {}

    def build(workload: str, warm_up: float) -> dict[str, Any]:
        built = workloads.build(workload, torch)
        step, batches = built.step, built.batches
        if framework in ("compiled", "torch-compile"):
            step = torch.compile(step)
        elif framework in ("jax", "tinygrad", "mlx"):
            written = importlib.import_module(f"{framework}_workloads")
            batches = [written.batch(tuple(t.numpy() for t in batch)) for batch in batches]
            initial = [parameter.detach().numpy().copy() for parameter in built.parameters]
            step = written.jitted_step(workload, initial)
        position = 0

        def call() -> float:
            nonlocal position
            batch = batches[position]
            position = (position + 1) % len(batches)
            return step(*batch).item()

        losses = [call() for _ in range(peers.CHECKED_STEPS)]
        peers.timed_block(call, warm_up, least=1)
        calls[workload] = call
        return {"losses": losses, "flops": built.flops, "bytes": built.bytes}

    def run(workload: str, seconds: float) -> list[int]:
        return peers.timed_block(calls[workload], seconds, least=1)

    def forget(workload: str) -> None:
        calls.pop(workload, None)

    return {"build": build, "run": run, "forget": forget}


def measure(
    workload: str, running: dict[str, peers.Peer], rounds: int, seconds: float, warm_up: float
) -> dict[str, dict[str, Any]]:
    """Every peer's blocks on one workload, taken in turns."""
    results: dict[str, dict[str, Any]] = {}
    for name, peer in running.items():
        try:
            answer = peer.ask("build", workload=workload, warm_up=warm_up)
            results[name] = answer | {"blocks": []}
        except peers.PeerError as error:
            results[name] = {"error": str(error)}
    able = [name for name in running if "blocks" in results[name]]
    every: dict[str, list[int]] = {name: [] for name in able}
    for turn in range(rounds):
        for name in able if turn % 2 == 0 else able[::-1]:
            times = running[name].ask("run", workload=workload, seconds=seconds)
            results[name]["blocks"].append(statistics.median(times) / 1e3)
            every[name] += times
    for name in able:
        running[name].ask("forget", workload=workload)
        ordered = sorted(every[name])
        results[name]["microseconds"] = statistics.median(results[name]["blocks"])
        results[name]["p99_microseconds"] = ordered[int(0.99 * (len(ordered) - 1))] / 1e3
        results[name]["steps"] = len(ordered)
    return results


def summarize(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Each framework at its better number of threads, its ratio to PyTorch, and its losses'
    distance from PyTorch's."""
    best: dict[str, str] = {}
    for name, result in results.items():
        framework = name.partition(":")[0]
        if "microseconds" not in result:
            continue
        if (
            framework not in best
            or result["microseconds"] < results[best[framework]]["microseconds"]
        ):
            best[framework] = name
    summary: dict[str, Any] = {}
    reference = results[best["torch"]] if "torch" in best else None
    for framework, name in best.items():
        row = {"peer": name, "microseconds": results[name]["microseconds"]}
        row["p99_microseconds"] = results[name]["p99_microseconds"]
        if reference is not None:
            pairs = zip(reference["blocks"], results[name]["blocks"])
            row["torch_over_this"] = statistics.median(a / b for a, b in pairs)
            losses = zip(reference["losses"], results[name]["losses"])
            row["loss_difference"] = max(abs(a - b) / max(abs(a), 1e-6) for a, b in losses)
        summary[framework] = row
    return summary


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="workloads, separated by commas")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help=f"default: {DEFAULT_PEERS}")
    parser.add_argument("--threads", default="1,2", help="numbers of threads the others try")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each peer")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a block")
    parser.add_argument(
        "--warm-up",
        type=float,
        default=peers.WARM_UP_SECONDS,
        help="seconds of steps before the first block",
    )
    parser.add_argument("--out", type=Path, help="folder for training_steps.json and .md")
    parser.add_argument("--from", dest="measured", type=Path, help="a JSON file; measures nothing")
    parser.add_argument("--readme", type=Path, help="write the table between this file's markers")
    parser.add_argument("--chart", type=Path, help="draw the ratios, as SVG or PNG by its suffix")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        peers.serve(options.peer, handlers)
        return 0

    if options.measured:
        report = json.loads(options.measured.read_text())
    else:
        chosen = [name for name in options.only.split(",") if name] or list(workloads.WORKLOADS)
        unknown = [name for name in chosen if name not in workloads.WORKLOADS]
        if unknown:
            parser.error(f"no workload {unknown[0]!r}; there are {', '.join(workloads.WORKLOADS)}")
        report = measured(chosen, options)
    text = training_table.full(report)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "training_steps.json").write_text(json.dumps(report, indent=1) + "\n")
        (options.out / "training_steps.md").write_text(text + "\n")
    if options.chart:
        import training_chart

        training_chart.draw(report, options.chart)
    if options.readme:
        training_table.write_into(options.readme, report)
    return 0


def measured(chosen: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """The report: all peers on all workloads."""
    named, skipped = peers.able([name for name in options.peers.split(",") if name])
    threads = [n for n in map(int, options.threads.split(",")) if n <= machine.cpu_count()] or [1]
    facts = machine.describe()
    facts["peak_flops"], facts["peak_bytes"] = machine.peak()
    report: dict[str, Any] = {
        "machine": facts,
        "frameworks": list(dict.fromkeys(name.partition(":")[0] for name in named)),
        "skipped": skipped,
        "workloads": {},
    }
    running = {name: peers.Peer(name, PROGRAM) for name in peers.expand(named, threads)}
    try:
        for workload in chosen:
            results = measure(workload, running, options.rounds, options.seconds, options.warm_up)
            flops, bytes_ = (
                max((result.get(key, 0.0) for result in results.values()), default=0.0)
                for key in ("flops", "bytes")
            )
            report["workloads"][workload] = {
                "description": (workloads.WORKLOADS[workload].__doc__ or "").strip(),
                "arithmetic_microseconds": flops / facts["peak_flops"] * 1e6,
                "memory_microseconds": bytes_ / facts["peak_bytes"] * 1e6,
                "peers": results,
                "summary": summarize(results),
            }
            print(f"{workload} measured", file=sys.stderr)
    finally:
        for peer in running.values():
            peer.close()
    return report


if __name__ == "__main__":
    sys.exit(main())
