#!/usr/bin/env python
"""How late the latest steps are: the 99th percentile of a training step against its median.

    python benchmarks/tails.py
    python benchmarks/tails.py --only mnist-cnn --seconds 2 --rounds 8

On an idle machine (asked of a compiled step: p99 no more than twice the median), and beside a
process that keeps one core busy (asked: p99 no more than eager's there, at the better of its
numbers of threads). The same steps as in training_steps.py, loss read each step; peers take turns
block by block, each in a process of its own, and a figure is of all the steps of its blocks. The
busy process is an endless loop that this script starts and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import machine
import peers
import training_table

STEPS_PROGRAM = "training_steps.py"
DEFAULT_PEERS = "torch,flambeau,compiled"
DEFAULT = "spiral-mlp,digits-mlp,mnist-cnn"
EAGER = ("torch", "flambeau")
ASKED_IDLE = 2.0
"""p99 / median of a compiled step, at most."""


@contextmanager
def busy_process(wanted: bool) -> Iterator[None]:
    """A process that uses all of one core, if wanted."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def measure(
    workload: str, running: dict[str, peers.Peer], options: argparse.Namespace
) -> dict[str, Any]:
    """Every peer's times on an idle machine and beside a busy process, in turns."""
    for peer in running.values():
        peer.ask("build", workload=workload, warm_up=options.warm_up)
    found: dict[str, Any] = {}
    for condition in ("idle", "busy"):
        times: dict[str, list[int]] = {name: [] for name in running}
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        with busy_process(condition == "busy"):
            for turn in range(options.rounds):
                names = list(running)
                for name in names if turn % 2 == 0 else names[::-1]:
                    block = running[name].ask("run", workload=workload, seconds=options.seconds)
                    times[name] += block
        found[condition] = {name: figures(every) for name, every in times.items()}
        found[condition]["load_average_before"] = load
    for peer in running.values():
        peer.ask("forget", workload=workload)
    return found


def figures(nanoseconds: list[int]) -> dict[str, float]:
    ordered = sorted(nanoseconds)
    median, p99 = statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]
    return {"median": median / 1e3, "p99": p99 / 1e3, "ratio": p99 / median, "steps": len(ordered)}


def least_p99(found: dict[str, Any], frameworks: tuple[str, ...]) -> float | None:
    """Of the frameworks, each at its better number of threads."""
    several = [f["p99"] for name, f in found.items() if name.partition(":")[0] in frameworks]
    return min(several, default=None)


def rows(workload: str, found: dict[str, Any], running: list[str]) -> list[str]:
    """A row for each peer: both conditions, and whether it is within what is asked."""
    lines = []
    for name in running:
        idle, busy = found["idle"][name], found["busy"][name]
        cells = [workload, name, *(training_table.number(idle[k]) for k in ("median", "p99"))]
        cells.append(f"{idle['ratio']:.2f}")
        cells += [training_table.number(busy[k]) for k in ("median", "p99")]
        if name.partition(":")[0] == "compiled":
            cells.append("yes" if idle["ratio"] <= ASKED_IDLE else "no")
            limits = [least_p99(found["busy"], (framework,)) for framework in EAGER]
            within = ["" if x is None else "yes" if busy["p99"] <= x else "no" for x in limits]
            cells.append(" / ".join(within))
        else:
            cells += ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=DEFAULT, help="workloads, separated by commas")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help=f"default: {DEFAULT_PEERS}")
    parser.add_argument("--threads", default="1,2", help="numbers of threads PyTorch tries")
    parser.add_argument("--rounds", type=int, default=8, help="blocks of each peer")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a block")
    parser.add_argument("--warm-up", type=float, default=peers.WARM_UP_SECONDS)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    named, skipped = peers.able([name for name in options.peers.split(",") if name])
    threads = [n for n in map(int, options.threads.split(",")) if n <= machine.cpu_count()] or [1]
    report: dict[str, Any] = {"machine": machine.describe(), "skipped": skipped, "workloads": {}}
    names = peers.expand(named, threads)
    print(
        "| us | peer | idle: median | p99 | p99 / median | busy: median | p99 "
        f"| idle ratio <= {ASKED_IDLE:g} | busy p99 <= PyTorch's / flambeau's eager |\n"
        + "|---" * 9
        + "|"
    )
    running = {name: peers.Peer(name, STEPS_PROGRAM) for name in names}
    try:
        for workload in options.only.split(","):
            found = report["workloads"][workload] = measure(workload, running, options)
            print("\n".join(rows(workload, found, names)), flush=True)
    finally:
        for peer in running.values():
            peer.close()
    print(f"\n{machine.sentence(report['machine'])}.")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
