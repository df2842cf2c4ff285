#!/usr/bin/env python
"""Time of an epoch of a shuffled DataLoader: PyTorch against flambeau.

    python benchmarks/dataloader.py
    python benchmarks/dataloader.py --only "20 columns" --json epochs.json

60,000 samples in batches of 64, each batch only taken and dropped: rows of a TensorDataset (20 or
784 float32 columns and an integer label), a dataset in Python that returns a tensor and an integer
for each sample, and larger samples that come from worker processes. An epoch includes making the
iterator, shuffling, and starting and ending the workers. PyTorch and flambeau take turns, each in a
process of its own; PyTorch has one thread, its better number here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import peers

PEERS = ("torch:1", "flambeau")
PROGRAM = "dataloader.py"
ROWS = 60_000
BATCH = 64
WARM_UP_SECONDS = 0.3
"""Epochs before the first that counts: copies of many rows have moved to machine code by then."""


def loaders(torch: Any) -> dict[str, Callable[[], Any]]:
    """Makers of every measured loader by name."""
    data = torch.utils.data
    labels = torch.arange(ROWS) % 10

    def in_memory(columns: int, **options: Any) -> Callable[[], Any]:
        def make() -> Any:
            rows = torch.rand(ROWS, columns)
            dataset = data.TensorDataset(rows, labels)
            return data.DataLoader(dataset, batch_size=BATCH, shuffle=True, **options)

        return make

    class Samples(data.Dataset):
        """One sample after another, as a program that reads its own files does."""

        def __init__(self, size: int, shape: tuple[int, ...]) -> None:
            self.size = size
            self.rows = torch.rand(min(size, 1000), *shape)

        def __len__(self) -> int:
            return self.size

        def __getitem__(self, index: int) -> Any:
            return self.rows[index % len(self.rows)], index % 10

    def in_python(size: int, shape: tuple[int, ...], **options: Any) -> Callable[[], Any]:
        def make() -> Any:
            dataset = Samples(size, shape)
            return data.DataLoader(dataset, batch_size=BATCH, shuffle=True, **options)

        return make

    return {
        "20 columns": in_memory(20),
        "784 columns": in_memory(784),
        "784 columns, one worker": in_memory(784, num_workers=1),
        "dataset in Python": in_python(ROWS, (20,)),
        "dataset in Python, two workers": in_python(ROWS, (20,), num_workers=2),
        "images 3x64x64, two workers": in_python(6_000, (3, 64, 64), num_workers=2),
    }


def handlers(name: str) -> dict[str, Callable[..., Any]]:
    """What a peer's process answers: `names`, and `run` an epoch of one loader."""
    known = loaders(peers.module_of(name))
    made: dict[str, Any] = {}

    def run(loader: str) -> float:
        if loader not in made:
            made.clear()
            made[loader] = known[loader]()
            warm = time.perf_counter() + WARM_UP_SECONDS
            while time.perf_counter() < warm:
                _epoch(made[loader])
        return _epoch(made[loader])

    return {"names": lambda: list(known), "run": run}


def _epoch(loader: Any) -> float:
    """Milliseconds of an epoch."""
    start = time.perf_counter()
    for _ in loader:
        pass
    return (time.perf_counter() - start) * 1e3


def measure(chosen: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds of an epoch of each loader on each peer, epochs taken in turns."""
    running = {name: peers.Peer(name, PROGRAM) for name in PEERS if peers.available(name)}
    results: dict[str, dict[str, Any]] = {}
    try:
        names = next(iter(running.values())).ask("names")
        for loader in [name for name in names if not chosen or name in chosen]:
            row: dict[str, Any] = {name: [] for name in running}
            for _ in range(rounds):
                for name, peer in running.items():
                    try:
                        if isinstance(row[name], list):
                            row[name].append(peer.ask("run", loader=loader))
                    except peers.PeerError as error:
                        row[name] = str(error)
            results[loader] = {
                name.partition(":")[0]: value
                if isinstance(value, str)
                else statistics.median(value)
                for name, value in row.items()
            }
    finally:
        for peer in running.values():
            peer.close()
    return results


def table(report: dict[str, Any]) -> str:
    lines = [
        f"| an epoch, batches of {BATCH}, shuffled | torch, ms | flambeau, ms | torch / flambeau |",
        "|---|---|---|---|",
    ]
    for loader, row in report["epochs"].items():
        torch, ours = row.get("torch"), row.get("flambeau")
        cells = [f"{v:.1f}" if isinstance(v, float) else str(v or "") for v in (torch, ours)]
        both = isinstance(torch, float) and isinstance(ours, float)
        cells.append(f"{torch / ours:.1f}" if both else "")
        lines.append(f"| {loader} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"{machine.sentence(report['machine'])}."])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="loaders, separated by semicolons")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each loader")
    parser.add_argument("--json", type=Path, help="file to keep the numbers in")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        peers.serve(options.peer, handlers)
        return 0
    facts = machine.describe()
    chosen = [name for name in options.only.split(";") if name]
    report = {"machine": facts, "epochs": measure(chosen, options.rounds)}
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
