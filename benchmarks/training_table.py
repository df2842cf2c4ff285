"""The table of training steps, in full as the benchmark prints it and shorter for the README."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import machine

TITLES = {
    "torch": "PyTorch",
    "flambeau": "flambeau",
    "compiled": "flambeau.compile",
    "torch-compile": "torch.compile",
    "jax": "jax.jit",
    "tinygrad": "tinygrad",
    "mlx": "MLX",
}
"""Frameworks as readers know them, in the order of the columns."""

LABELS = {
    "cubic-fit": "cubic fit, 200 x 4",
    "iris-mlp": "iris MLP, batch 2",
    "circles-mlp": "circles MLP, batch 50",
    "spiral-mlp": "spiral MLP, 300 rows",
    "digits-mlp": "digits MLP, 1437 rows",
    "digits-cnn": "digits CNN, 1437 images",
    "mnist-cnn": "MNIST CNN, batch 64",
    "wide-mlp": "MLP 784-1024-1024-10",
    "character-gpt": "character GPT",
    "lstm": "LSTM 64, 50 steps",
}
"""Workloads in a few words."""

ASKED = {
    "cubic-fit": 12.0,
    "iris-mlp": 25.0,
    "circles-mlp": 20.0,
    "spiral-mlp": 12.0,
    "digits-mlp": 4.0,
    "digits-cnn": 10.0,
    "mnist-cnn": 5.0,
    "wide-mlp": 1.75,
    "character-gpt": 1.5,
    "lstm": 2.5,
}
"""PyTorch / flambeau.compile, at least: what this project holds itself to."""

DIFFERENT = 1e-3
"""Relative difference of losses from PyTorch's beyond which a row says so."""

MARKER = "<!-- benchmarks/training_steps.py: {} -->"


def full(report: dict[str, Any]) -> str:
    """Every framework's time and ratio, what is asked, the floors, and notes."""
    frameworks = report["frameworks"]
    others = [name for name in frameworks if name != "torch"]
    header = ["workload", *(f"{name}, us" for name in frameworks)]
    header += [f"torch / {name}" for name in others]
    header += ["asked of compiled", "arithmetic, us", "memory, us"]
    rows = []
    for workload, entry in report["workloads"].items():
        summary = entry["summary"]
        cells = [workload, *(_time(summary, name, threads=True) for name in frameworks)]
        cells += [_ratio(summary, name) for name in others]
        cells += [f"{ASKED[workload]:g}" if workload in ASKED else ""]
        rows.append(cells + _floors(entry))
    lines = [*_markdown(header, rows), "", _machine(report)]
    return "\n".join(lines + [f"- {note}" for note in notes(report)])


def short(report: dict[str, Any], picture: str | None) -> str:
    """What the README shows."""
    summaries = [entry["summary"] for entry in report["workloads"].values()]
    frameworks = [name for name in TITLES if any(name in summary for summary in summaries)]
    mine = [name for name in ("flambeau", "compiled") if name in frameworks]
    header = ["workload", *(TITLES[name] for name in frameworks)]
    header += [f"PyTorch / {TITLES[name]}" for name in mine]
    header += ["arithmetic", "memory"]
    rows = []
    for workload, entry in report["workloads"].items():
        summary = entry["summary"]
        cells = [LABELS.get(workload, workload), *(_time(summary, name) for name in frameworks)]
        ratios = [_ratio(summary, name) for name in mine]
        cells += [f"**{r}**" if n == "compiled" and r else r for n, r in zip(mine, ratios)]
        rows.append(cells + _floors(entry))
    lines = _markdown(header, rows, numbers=True)
    lines += ["", _machine(report)]
    lines += [f"- {note}" for note in notes(report)]
    if picture:
        alternative = "Speed of each framework relative to PyTorch's plain loop, by workload"
        lines = [f"![{alternative}]({picture})", "", *lines]
    return "\n".join(lines)


def notes(report: dict[str, Any]) -> list[str]:
    """What a reader must know besides the numbers."""
    found = [f"{TITLES.get(name, name)}: {why}." for name, why in report["skipped"].items()]
    for workload, entry in report["workloads"].items():
        for name in report["frameworks"]:
            result = entry["summary"].get(name)
            if result is None:
                wrong = [r["error"] for p, r in entry["peers"].items() if p.split(":")[0] == name]
                found += [f"{workload}: {TITLES.get(name, name)} did not run: {e[:160]}"
                          for e in wrong[:1]]  # fmt: skip
            elif not result.get("loss_difference", 0) <= DIFFERENT:
                found.append(f"{workload}: {name}'s first losses differ from PyTorch's.")
    return found


def write_into(page: Path, report: dict[str, Any]) -> None:
    """Replaces what stands between the page's markers; the picture that stands there stays."""
    begin, end = MARKER.format("begin"), MARKER.format("end")
    text = page.read_text()
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no lines {begin!r} and {end!r} to write between")
    before, _, rest = text.partition(begin)
    old, _, after = rest.partition(end)
    chart = "docs/images/training_steps.svg"
    shown = re.search(r"!\[.*?\]\((.*?)\)", old)
    picture = shown[1] if shown else chart if (page.parent / chart).exists() else None
    page.write_text(f"{before}{begin}\n{short(report, picture)}\n{end}{after}")


def number(microseconds: float) -> str:
    """Two digits at least, and no more than are known."""
    return f"{microseconds:.2g}" if microseconds < 10 else f"{microseconds:.0f}"


def _markdown(header: list[str], rows: list[list[str]], numbers: bool = False) -> list[str]:
    rule = "|---" + ("|--:" if numbers else "|---") * (len(header) - 1) + "|"
    return [_row(header), rule, *map(_row, rows)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _time(summary: dict[str, Any], name: str, threads: bool = False) -> str:
    if name not in summary:
        return ""
    text = number(summary[name]["microseconds"])
    count = summary[name]["peer"].partition(":")[2]
    return f"{text} ({count} thr.)" if threads and count else text


def _ratio(summary: dict[str, Any], name: str) -> str:
    ratio = summary.get(name, {}).get("torch_over_this")
    if ratio is None or math.isnan(ratio):
        return ""
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}"


def _floors(entry: dict[str, Any]) -> list[str]:
    return [number(entry["arithmetic_microseconds"]), number(entry["memory_microseconds"])]


def _machine(report: dict[str, Any]) -> str:
    facts = report["machine"]
    return (
        f"{machine.sentence(facts)}. Microseconds; ratios are medians of those of neighbouring "
        "blocks of steps. Arithmetic: the step's products at "
        f"{facts['peak_flops'] / 1e9:.0f} GFLOP/s, a large product's speed here; memory: "
        f"parameters and their update at {facts['peak_bytes'] / 1e9:.0f} GB/s."
    )
