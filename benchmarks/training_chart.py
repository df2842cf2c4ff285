"""The picture of the training steps: how many times PyTorch's speed each framework has.

One line of dots per workload on a logarithmic axis. The page around it may be dark or light, so
the background is transparent and text and lines have colours that are read on both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import training_table

COLOURS = {
    "compiled": "#e8590c",
    "flambeau": "#f59f00",
    "torch-compile": "#d6336c",
    "jax": "#1c7ed6",
    "tinygrad": "#12a150",
    "mlx": "#9b6bdf",
}
"""Of each framework; saturated enough for a white page and for a black one."""

MARKERS = {
    "compiled": "o",
    "flambeau": "o",
    "torch-compile": "s",
    "jax": "D",
    "tinygrad": "^",
    "mlx": "v",
}
INK = "#808890"
"""Text and lines: grey that has contrast 3.5 or more with white and with GitHub's dark page."""


def draw(report: dict[str, Any], path: Path) -> None:
    """Draws the report's ratios into a file whose suffix says its format."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    rows = [(name, entry["summary"]) for name, entry in report["workloads"].items()]
    shown = [f for f in COLOURS if any(_ratio(summary, f) is not None for _, summary in rows)]
    settings = {
        "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica Neue", "Arial", "DejaVu Sans"],
        "font.size": 11,
        "svg.fonttype": "none",  # text stays text: small, and sharp at any size
        "svg.hashsalt": "flambeau",
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with matplotlib.rc_context(settings):
        figure, axes = plt.subplots(figsize=(9.0, 1.5 + 0.42 * len(rows)), layout="constrained")
        low, high = 1.0, 1.0
        for position, (_, summary) in enumerate(rows):
            ratio = _ratio(summary, "compiled")
            if ratio is not None:  # the bar leads the eye; dots are read against the axis
                axes.plot([1, ratio], [position] * 2, color=COLOURS["compiled"], lw=5, alpha=0.35,
                          solid_capstyle="butt", zorder=2)  # fmt: skip
                axes.annotate(f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.1f}x",
                              (ratio, position), (9, 0), textcoords="offset points", va="center",
                              color=COLOURS["compiled"], fontweight="bold")  # fmt: skip
        for framework in shown:
            points = [(_ratio(s, framework), i) for i, (_, s) in enumerate(rows)]
            found = [(ratio, i) for ratio, i in points if ratio is not None]
            low = min([low, *(ratio for ratio, _ in found)])
            high = max([high, *(ratio for ratio, _ in found)])
            mine = framework == "compiled"
            axes.scatter(*zip(*found), s=75 if mine else 42, marker=MARKERS[framework],
                         color=COLOURS[framework], label=training_table.TITLES[framework],
                         zorder=4 if mine else 3, linewidths=0)  # fmt: skip
        axes.axvline(1, color=INK, lw=1.4, zorder=1)
        axes.set_xscale("log")
        axes.set_xlim(low / 1.3, high * 1.9)
        ticks = [t for t in _ticks() if low / 1.3 <= t <= high * 1.9]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _times(x)))
        axes.grid(axis="x", color=INK, alpha=0.25, lw=0.8)
        axes.set_axisbelow(True)
        axes.set_yticks(range(len(rows)), [training_table.LABELS.get(n, n) for n, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlabel(
            "slower  \u2190  training steps per second, PyTorch's plain loop = 1x  \u2192  faster"
        )
        figure.legend(loc="outside upper center", ncols=len(shown), frameon=False, fontsize=10,
                      handletextpad=0.2, columnspacing=1.4)  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        no_date = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
        figure.savefig(path, transparent=True, dpi=150, **no_date)
        plt.close(figure)


def _ratio(summary: dict[str, Any], framework: str) -> float | None:
    ratio = summary.get(framework, {}).get("torch_over_this")
    return ratio if ratio is not None and ratio > 0 else None


def _ticks() -> list[float]:
    return [m * 10.0**e for e in range(-4, 4) for m in (1, 3)]


def _times(ratio: float) -> str:
    return f"{ratio:g}x"
