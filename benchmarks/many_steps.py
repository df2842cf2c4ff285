#!/usr/bin/env python
"""Time of a whole run of training steps: `flambeau.compile(step, steps=n)` against PyTorch's loop.

    python benchmarks/many_steps.py
    python benchmarks/many_steps.py --only cubic-fit,iris-mlp --rounds 5

Runs: the cubic fit for 10,000 steps; the iris MLP for 20 epochs over a list of 50 batches; an epoch
of the MNIST CNN over a shuffled `DataLoader` of 60,000 images in memory. The images are MNIST's
where `--mnist FOLDER` has its files, else synthetic ones of the same shape; their values do not
change the time.

Peers: torch (a plain loop that reads each loss), compiled (the same loop over a compiled step),
many (one call of `flambeau.compile(step, steps=n)`, all losses as one tensor). They take turns, run
by run; a figure is the median of the runs, a ratio that of neighbouring runs. The number of steps
is the same for all; a first run of each, which compiles, is not counted. The losses of the first
run are compared with PyTorch's.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import peers
import training_table
import workloads

PROGRAM = "many_steps.py"
DEFAULT_PEERS = "torch,compiled,many"
DEFAULT_MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
ASKED = {"cubic-fit": 100.0}
"""PyTorch / many, at least."""
COMPARED = 50
"""Losses from the first run that are compared."""


@dataclass
class Run:
    """A run of steps, each on the next of the batches."""

    step: Callable[..., Any]
    batches: Iterable[Any] | None
    """None: the same batch each time."""
    batch: tuple[Any, ...]
    steps: int


def cubic_fit(torch: Any, steps: int, mnist: str) -> Run:
    """Cubic fit, 200 x 4, 10,000 steps on the same rows."""
    built = workloads.build("cubic-fit", torch)
    return Run(built.step, None, built.batches[0], steps or 10_000)


def iris_mlp(torch: Any, steps: int, mnist: str) -> Run:
    """Iris MLP, batches of 2, 20 epochs of 50 steps."""
    built = workloads.build("iris-mlp", torch)
    count = steps or 1000
    repeated = [built.batches[i % len(built.batches)] for i in range(count)]
    return Run(built.step, repeated, built.batches[0], count)


def mnist_cnn(torch: Any, steps: int, mnist: str) -> Run:
    """MNIST CNN, batch 64, an epoch of a shuffled DataLoader over 60,000 images."""
    built = workloads.build("mnist-cnn", torch)
    rows = 64 * steps if steps else 60_000
    images, labels = mnist_rows(Path(mnist), rows)
    data = torch.utils.data
    dataset = data.TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
    loader = data.DataLoader(dataset, batch_size=64, shuffle=True)
    return Run(built.step, loader, built.batches[0], len(loader))


RUNS: dict[str, Callable[[Any, int, str], Run]] = {
    "cubic-fit": cubic_fit,
    "iris-mlp": iris_mlp,
    "mnist-cnn": mnist_cnn,
}


def mnist_rows(folder: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Images from 0 to 1 and labels: MNIST's from its packed files, or others like them."""
    try:
        pixels = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
        classes = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    except OSError:
        rng = np.random.default_rng(workloads.SEED)
        return workloads.images(rng, rows, 1, 28, 28), rng.integers(0, 10, rows)
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:rows]
    labels = np.frombuffer(classes, np.uint8, offset=8)[:rows]
    return images.astype(np.float32) / 255, labels.astype(np.int64)


def handlers(name: str) -> dict[str, Callable[..., Any]]:
    """What a peer's process answers: `build` a run and do it once, `run` it again and time it."""
    torch = peers.module_of(name)
    framework = name.partition(":")[0]
    calls: dict[str, Callable[[], list[float]]] = {}

    def loop(step: Callable[..., Any], run: Run) -> list[float]:
        if run.batches is None:
            return [step(*run.batch).item() for _ in range(run.steps)]
        return [step(*batch).item() for batch in run.batches]

    def build(workload: str, steps: int, mnist: str) -> dict[str, Any]:
        run = RUNS[workload](torch, steps, mnist)
        torch.manual_seed(workloads.SEED)
        if framework == "many":
            many = torch.compile(run.step, steps=run.steps)
            arguments = run.batch if run.batches is None else (run.batches,)
            calls[workload] = lambda: many(*arguments).tolist()
        else:
            step = torch.compile(run.step) if framework == "compiled" else run.step
            calls[workload] = lambda: loop(step, run)
        return {"losses": calls[workload]()[:COMPARED], "steps": run.steps}

    def run(workload: str) -> float:
        start = time.perf_counter()
        calls[workload]()
        return time.perf_counter() - start

    def forget(workload: str) -> None:
        calls.pop(workload, None)

    return {"build": build, "run": run, "forget": forget}


def measure(
    workload: str, running: dict[str, peers.Peer], options: argparse.Namespace
) -> dict[str, Any]:
    """All peers' runs, in turns; of a peer's numbers of threads the better counts."""
    results: dict[str, dict[str, Any]] = {}
    for name, peer in running.items():
        made = peer.ask("build", workload=workload, steps=options.steps, mnist=str(options.mnist))
        results[name] = made | {"seconds": []}
    for turn in range(options.rounds):
        names = list(running)
        for name in names if turn % 2 == 0 else names[::-1]:
            results[name]["seconds"].append(running[name].ask("run", workload=workload))
    for peer in running.values():
        peer.ask("forget", workload=workload)
    best: dict[str, dict[str, Any]] = {}
    for name, result in results.items():
        framework = name.partition(":")[0]
        result |= {"peer": name, "median": statistics.median(result["seconds"])}
        if framework not in best or result["median"] < best[framework]["median"]:
            best[framework] = result
    reference = best.get("torch")
    for result in best.values():
        if reference is not None:
            pairs = zip(reference["seconds"], result["seconds"])
            result["torch_over_this"] = statistics.median(a / b for a, b in pairs)
            losses = zip(reference["losses"], result["losses"])
            result["loss_difference"] = max(abs(a - b) / max(abs(a), 1e-6) for a, b in losses)
    return best


def table(report: dict[str, Any], frameworks: list[str]) -> str:
    others = [name for name in frameworks if name != "torch"]
    header = ["run", "steps", *(f"{name}, ms" for name in frameworks)]
    header += [f"torch / {name}" for name in others] + ["asked of many"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    notes: list[str] = []
    for workload, best in report["runs"].items():
        cells = [workload, str(next(iter(best.values()))["steps"])]
        cells += [f"{1e3 * best[name]['median']:.1f}" for name in frameworks]
        ratios = (best[name].get("torch_over_this") for name in others)
        cells += ["" if ratio is None else f"{ratio:.1f}" for ratio in ratios]
        cells += [f"{ASKED[workload]:g}" if workload in ASKED else ""]
        lines.append("| " + " | ".join(cells) + " |")
        notes += [
            f"{workload}: the first {COMPARED} losses of {name} differ from PyTorch's by "
            f"{result['loss_difference']:.1e}, relative."
            for name, result in best.items()
            if not result.get("loss_difference", 0) <= training_table.DIFFERENT
        ]
    return "\n".join([*lines, "", machine.sentence(report["machine"]) + ".", *notes])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(RUNS), help="runs, separated by commas")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help=f"default: {DEFAULT_PEERS}")
    parser.add_argument("--threads", default="1,2", help="numbers of threads PyTorch tries")
    parser.add_argument("--rounds", type=int, default=5, help="counted runs of each peer")
    parser.add_argument("--steps", type=int, default=0, help="steps of each run, if not its own")
    parser.add_argument("--mnist", type=Path, default=DEFAULT_MNIST, help="folder of MNIST's files")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        peers.serve(options.peer, handlers)
        return 0
    named, skipped = peers.able([name for name in options.peers.split(",") if name])
    threads = [n for n in map(int, options.threads.split(",")) if n <= machine.cpu_count()] or [1]
    report: dict[str, Any] = {"machine": machine.describe(), "skipped": skipped, "runs": {}}
    running = {name: peers.Peer(name, PROGRAM) for name in peers.expand(named, threads)}
    try:
        for workload in options.only.split(","):
            report["runs"][workload] = measure(workload, running, options)
            print(f"{workload} measured", file=sys.stderr)
    finally:
        for peer in running.values():
            peer.close()
    print(table(report, list(dict.fromkeys(name.partition(":")[0] for name in named))))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
