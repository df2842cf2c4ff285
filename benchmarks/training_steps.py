#!/usr/bin/env python
"""Time of one training step, loss read each step: PyTorch, flambeau at once, flambeau compiled.

    python benchmarks/training_steps.py                       # every workload, installed peers
    python benchmarks/training_steps.py --only iris-mlp,mnist-cnn --peers torch,flambeau,compiled
    python benchmarks/training_steps.py --out results/        # JSON and a Markdown table as files

Peers: torch (PyTorch's plain loop, at its better of one and two threads), torch-compile (the step
through torch.compile; needs a C++ compiler), flambeau (the same loop), compiled (the same step
through flambeau.compile), jax (one jitted step). A workload's peers take turns, block by block,
in one run, each in a process of its own; a block's figure is the median of its steps, a row's the
median of its blocks. Ratios are medians of the ratios of neighbouring blocks. The first steps'
losses are compared with PyTorch's: a row whose losses differ says so.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import peers
import workloads

DEFAULT_PEERS = "torch,flambeau,compiled,jax"
PROGRAM = "training_steps.py"


def handlers(name: str) -> dict[str, Callable[..., Any]]:
    """What a peer's process answers: `build` a workload, `run` a block of its steps."""
    torch = peers.module_of(name)
    framework = name.partition(":")[0]
    calls: dict[str, Callable[[], float]] = {}

    def build(workload: str) -> dict[str, Any]:
        built = workloads.build(workload, torch)
        step, batches = built.step, built.batches
        if framework in ("compiled", "torch-compile"):
            step = torch.compile(step)
        elif framework == "jax":
            import jax_workloads

            batches = [tuple(jax_workloads.jnp.asarray(t.numpy()) for t in b) for b in batches]
            initial = [parameter.detach().numpy().copy() for parameter in built.parameters]
            step = jax_workloads.jitted_step(workload, initial)
        position = 0

        def call() -> float:
            nonlocal position
            batch = batches[position]
            position = (position + 1) % len(batches)
            return step(*batch).item()

        losses = [call() for _ in range(peers.CHECKED_STEPS)]
        peers.timed_block(call, peers.WARM_UP_SECONDS)
        calls[workload] = call
        return {"losses": losses, "flops": built.flops, "bytes": built.bytes}

    def run(workload: str, seconds: float) -> list[int]:
        return peers.timed_block(calls[workload], seconds)

    def forget(workload: str) -> None:
        calls.pop(workload, None)

    return {"build": build, "run": run, "forget": forget}


def expand(names: list[str], threads: list[int]) -> list[str]:
    """PyTorch and JAX are measured at each number of threads, flambeau as it is installed, unless
    a peer's name says how many: `flambeau:1`."""
    expanded: list[str] = []
    for name in names:
        several = name in ("torch", "torch-compile", "jax")
        expanded += [f"{name}:{count}" for count in threads] if several else [name]
    return expanded


def measure(
    workload: str, running: dict[str, peers.Peer], rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """Every peer's blocks on one workload, taken in turns."""
    results: dict[str, dict[str, Any]] = {}
    for name, peer in running.items():
        try:
            results[name] = peer.ask("build", workload=workload) | {"blocks": []}
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


def table(report: dict[str, Any], frameworks: list[str]) -> str:
    """The report as Markdown."""
    header = ["workload", *(f"{name}, us" for name in frameworks)]
    header += [f"torch / {name}" for name in frameworks if name != "torch"]
    header += ["arithmetic, us", "memory, us"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    notes: list[str] = []
    for workload, entry in report["workloads"].items():
        summary, results = entry["summary"], entry["peers"]
        cells = [workload]
        for name in frameworks:
            if name in summary:
                threads = summary[name]["peer"].partition(":")[2]
                suffix = f" ({threads} thr.)" if threads else ""
                cells.append(f"{number(summary[name]['microseconds'])}{suffix}")
                if summary[name].get("loss_difference", 0) > 1e-3 or math.isnan(
                    summary[name].get("loss_difference", 0)
                ):
                    notes.append(f"{workload}: {name}'s first losses differ from PyTorch's.")
            else:
                cells.append("")
                errors = [r["error"] for p, r in results.items() if p.partition(":")[0] == name]
                notes += [f"{workload}: {name} did not run: {e[:160]}" for e in errors[:1]]
        for name in frameworks:
            if name != "torch":
                ratio = summary.get(name, {}).get("torch_over_this")
                cells.append("" if ratio is None else f"{ratio:.2f}")
        cells += [number(entry["arithmetic_microseconds"]), number(entry["memory_microseconds"])]
        lines.append("| " + " | ".join(cells) + " |")
    facts = report["machine"]
    lines += ["", f"{machine.sentence(facts)}."]
    lines += [
        f"Arithmetic: the step's products at {facts['peak_flops'] / 1e9:.0f} GFLOP/s, a large "
        f"product's speed here; memory: parameters and their update at "
        f"{facts['peak_bytes'] / 1e9:.0f} GB/s."
    ]
    return "\n".join(lines + [f"- {note}" for note in notes])


def number(microseconds: float) -> str:
    return f"{microseconds:.2g}" if microseconds < 10 else f"{microseconds:.0f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="workloads, separated by commas")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help=f"default: {DEFAULT_PEERS}")
    parser.add_argument("--threads", default="1,2", help="numbers of threads PyTorch and JAX try")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each peer")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a block")
    parser.add_argument("--out", type=Path, help="folder for training_steps.json and .md")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        peers.serve(options.peer, handlers)
        return 0

    chosen = [name for name in options.only.split(",") if name] or list(workloads.WORKLOADS)
    unknown = [name for name in chosen if name not in workloads.WORKLOADS]
    if unknown:
        parser.error(f"no workload {unknown[0]!r}; there are {', '.join(workloads.WORKLOADS)}")
    named = [name for name in options.peers.split(",") if peers.available(name)]
    frameworks = list(dict.fromkeys(name.partition(":")[0] for name in named))
    threads = [n for n in map(int, options.threads.split(",")) if n <= machine.cpu_count()] or [1]
    facts = machine.describe()
    facts["peak_flops"], facts["peak_bytes"] = machine.peak()
    report: dict[str, Any] = {"machine": facts, "workloads": {}}
    running = {name: peers.Peer(name, PROGRAM) for name in expand(named, threads)}
    try:
        for workload in chosen:
            results = measure(workload, running, options.rounds, options.seconds)
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

    text = table(report, frameworks)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "training_steps.json").write_text(json.dumps(report, indent=1) + "\n")
        (options.out / "training_steps.md").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
