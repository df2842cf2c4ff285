#!/usr/bin/env python
"""Time of one small operation with its gradient recorded: PyTorch against flambeau.

    python benchmarks/operations.py
    python benchmarks/operations.py --only add,linear --out results/

Each operation is called in a loop on small float32 tensors that require gradients, its result
dropped: what is measured is what a framework adds to a few additions. The quickest block counts,
as whatever else the machine does only adds to it. Rows that end in `backward` run the backward pass
too. PyTorch and flambeau take turns, each in a process of its own; PyTorch
has one thread, its better number here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import peers
import workloads

BUDGET_MICROSECONDS = 3.0
PEERS = ("torch:1", "flambeau")
PROGRAM = "operations.py"


def operations(torch: Any) -> dict[str, Callable[[], Any]]:
    """Every measured call by name, on tensors that it keeps."""
    torch.manual_seed(workloads.SEED)
    functional = torch.nn.functional
    a = torch.randn(10, 10, requires_grad=True)
    b = torch.randn(10, 10, requires_grad=True)
    row = torch.randn(10, requires_grad=True)
    positive = torch.rand(10, 10).add(0.5).requires_grad_()
    layer = torch.nn.Linear(10, 10)
    leaf = torch.randn(10, 10)
    labels = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
    columns = torch.tensor([1, 3, 5])
    mask = leaf > 0
    images = torch.randn(2, 1, 8, 8, requires_grad=True)
    convolution = torch.nn.Conv2d(1, 4, 3)
    batch_norm = torch.nn.BatchNorm1d(10)
    weight, bias = torch.ones(10, requires_grad=True), torch.zeros(10, requires_grad=True)
    probabilities = torch.rand(10, 10).mul(0.9).add(0.05).requires_grad_()
    wanted = mask.float()
    tokens = torch.randn(2, 2, 5, 4, requires_grad=True)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-6)
    layer(leaf).sum().backward()

    def product_backward() -> None:
        a.grad = b.grad = None
        (a * b).sum().backward()

    def layer_backward() -> None:
        layer.zero_grad()
        functional.cross_entropy(layer(leaf), labels).backward()

    return {
        "add": lambda: a + b,
        "add row": lambda: a + row,
        "add number": lambda: a + 1.5,
        "sub": lambda: a - b,
        "mul": lambda: a * b,
        "div": lambda: a / positive,
        "pow 2": lambda: a**2,
        "neg": lambda: -a,
        "exp": lambda: a.exp(),
        "log": lambda: positive.log(),
        "relu": lambda: torch.relu(a),
        "tanh": lambda: torch.tanh(a),
        "sigmoid": lambda: torch.sigmoid(a),
        "softmax": lambda: functional.softmax(a, dim=1),
        "log_softmax": lambda: functional.log_softmax(a, dim=1),
        "logsumexp": lambda: a.logsumexp(1),
        "sum": lambda: a.sum(),
        "sum of a dimension": lambda: a.sum(dim=1),
        "mean": lambda: a.mean(),
        "var of a dimension": lambda: a.var(1),
        "max of a dimension": lambda: a.max(dim=1),
        "argmax": lambda: a.argmax(dim=1),
        "topk": lambda: a.topk(3),
        "compare": lambda: a > b,
        "where": lambda: torch.where(mask, a, b),
        "matmul": lambda: a @ b,
        "matrix by vector": lambda: a @ row,
        "linear": lambda: functional.linear(a, b, row),
        "Linear module": lambda: layer(leaf),
        "reshape": lambda: a.reshape(5, 20),
        "transpose": lambda: a.t(),
        "getitem number": lambda: a[3],
        "getitem slice": lambda: a[:, 2:5],
        "getitem tensor": lambda: a[columns],
        "cat": lambda: torch.cat([a, b]),
        "stack": lambda: torch.stack([a, b]),
        "squeeze": lambda: a.squeeze(),
        "item": lambda: a[0, 0].item(),
        "mse_loss": lambda: functional.mse_loss(a, leaf),
        "cross_entropy": lambda: functional.cross_entropy(a, labels),
        "binary_cross_entropy": lambda: functional.binary_cross_entropy(probabilities, wanted),
        "binary_cross_entropy_with_logits": lambda: functional.binary_cross_entropy_with_logits(
            a, wanted
        ),
        "dropout": lambda: functional.dropout(a, 0.3),
        "layer_norm": lambda: functional.layer_norm(a, (10,), weight, bias),
        "BatchNorm1d module": lambda: batch_norm(a),
        "scaled_dot_product_attention": lambda: functional.scaled_dot_product_attention(
            tokens, tokens, tokens
        ),
        "conv2d": lambda: convolution(images),
        "max_pool2d": lambda: functional.max_pool2d(images, 2),
        "(a * b).sum() and backward": product_backward,
        "Linear, cross_entropy and backward": layer_backward,
        "SGD step": lambda: optimizer.step(),
    }


def handlers(name: str) -> dict[str, Callable[..., Any]]:
    """What a peer's process answers: `names`, and `run` a block of calls of one operation."""
    known = operations(peers.module_of(name))

    def run(operation: str, seconds: float) -> float:
        call = known[operation]
        clock = time.perf_counter_ns
        for _ in range(20):
            call()
        start = clock()
        for _ in range(20):
            call()
        calls = max(20, int(seconds * 1e9 / max(1, (clock() - start) / 20) / 10))
        blocks = []
        for _ in range(10):
            start = clock()
            for _ in range(calls):
                call()
            blocks.append((clock() - start) / calls / 1e3)
        return min(blocks)

    return {"names": lambda: list(known), "run": run}


def measure(chosen: list[str], rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    """Microseconds of each operation on each peer, the quickest of blocks taken in turns."""
    running = {name: peers.Peer(name, PROGRAM) for name in PEERS if peers.available(name)}
    results: dict[str, dict[str, Any]] = {}
    try:
        names = next(iter(running.values())).ask("names")
        for operation in [name for name in names if not chosen or name in chosen]:
            row: dict[str, Any] = {name: [] for name in running}
            for _ in range(rounds):
                for name, peer in running.items():
                    try:
                        if isinstance(row[name], list):
                            row[name].append(peer.ask("run", operation=operation, seconds=seconds))
                    except peers.PeerError as error:
                        row[name] = str(error)
            results[operation] = {
                name.partition(":")[0]: value if isinstance(value, str) else min(value)
                for name, value in row.items()
            }
    finally:
        for peer in running.values():
            peer.close()
    return results


def table(report: dict[str, Any]) -> str:
    lines = [
        "| operation | torch, us | flambeau, us | torch / flambeau | |",
        "|---|---|---|---|---|",
    ]
    for operation, row in report["operations"].items():
        torch, ours = row.get("torch"), row.get("flambeau")
        cells = [f"{v:.2f}" if isinstance(v, float) else str(v or "") for v in (torch, ours)]
        both = isinstance(torch, float) and isinstance(ours, float)
        ratio = f"{torch / ours:.2f}" if both else ""
        several = "backward" in operation or "step" in operation
        over = isinstance(ours, float) and ours > BUDGET_MICROSECONDS and not several
        cells += [ratio, f"over {BUDGET_MICROSECONDS:.0f} us" if over else ""]
        lines.append(f"| {operation} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"{machine.sentence(report['machine'])}."])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="operations, separated by commas")
    parser.add_argument("--rounds", type=int, default=4, help="blocks of each operation")
    parser.add_argument("--seconds", type=float, default=0.05, help="length of a block")
    parser.add_argument("--out", type=Path, help="folder for operations.json and .md")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        peers.serve(options.peer, handlers)
        return 0
    facts = machine.describe()
    chosen = [name for name in options.only.split(",") if name]
    results = measure(chosen, options.rounds, options.seconds)
    report = {"machine": facts, "operations": results}
    text = table(report)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "operations.json").write_text(json.dumps(report, indent=1) + "\n")
        (options.out / "operations.md").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
