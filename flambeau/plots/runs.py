"""Several runs in one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import axes_or_new, colour, count_along, legend_of, numbers, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def smoothed(values: Any, smoothing: float) -> np.ndarray:
    """Exponential moving average, corrected for its beginning; NaN is left out.

    Args:
        values: ``(N,)``.
        smoothing: the weight of what came before, from 0 (no smoothing) to less than 1.

    Returns:
        ``(N,)``.

    Raises:
        ValueError: ``smoothing`` is out of range.

    Source: the correction is that of Adam (Kingma and Ba, 2015, section 3).
    """
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"smoothing should be at least 0 and less than 1, not {smoothing}")
    result = np.array(numbers(values), np.float64)
    total = weight = 0.0
    for index, value in enumerate(result):
        if math.isfinite(value):
            total = smoothing * total + (1.0 - smoothing) * value
            weight = smoothing * weight + (1.0 - smoothing)
            result[index] = total / weight
    return result


def plot_runs(
    runs: Mapping[str, Any],
    quantity: str = "train_loss",
    *,
    smoothing: float = 0.0,
    ax: Axes | None = None,
    title: str | None = None,
    log: bool | None = None,
) -> Axes:
    """Draw one quantity of several runs over each other.

    Args:
        runs: by name what a run recorded: a history (a mapping of columns, with ``epoch`` and
            ``quantity`` among them), or the values alone, or a list of either. A list stands for
            repetitions, with different seeds say: their mean is drawn, and how far they spread.
        quantity: the column to draw.
        smoothing: weight of the past in a moving average, from 0 to less than 1; the values
            themselves stay visible behind it.
        ax: where to draw; a new figure's axes if None.
        title: above the axes.
        log: a logarithmic scale; by default where the values are positive and spread wide.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there is no run, a history has no such column, or ``smoothing`` is out of range.
    """
    if not runs:
        raise ValueError("there is no run to draw")
    series = {name: _repetitions(run, name, quantity) for name, run in runs.items()}
    axes = axes_or_new(ax, (6.4, 4.0))
    drawn: list[np.ndarray] = []
    counted = "step"
    for index, (name, repetitions) in enumerate(series.items()):
        hue = colour(index)
        style = ("-", "--", ":", "-.")[index // 8 % 4]
        length = min(len(values) for _, values in repetitions)
        x = repetitions[0][0][:length]
        counted = "epoch" if any(isinstance(r, Mapping) for r in _listed(runs[name])) else counted
        values = np.stack([values[:length] for _, values in repetitions])
        smooth = np.stack([smoothed(row, smoothing) for row in values])
        middle = smooth.mean(axis=0)
        if len(values) > 1:
            axes.fill_between(
                x, smooth.min(axis=0), smooth.max(axis=0), color=hue, alpha=0.15, linewidth=0
            )
        elif smoothing:
            axes.plot(x, values[0], color=hue, alpha=0.25, linewidth=1.0)
        known = np.isfinite(middle)
        axes.plot(
            x[known],
            middle[known],
            style,
            color=hue,
            linewidth=1.6,
            label=name,
            marker="o" if known.sum() == 1 else None,  # of one place there is no line
        )
        drawn.append(values[np.isfinite(values)])
    everything = np.concatenate(drawn)
    if log is None and everything.size:
        log = "loss" in quantity and 0 < everything.min() * 20 < everything.max()
    if log:
        axes.set_yscale("log")
    if "accuracy" in quantity:
        from matplotlib.ticker import PercentFormatter

        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=0))
    places = np.concatenate([places for run in series.values() for places, _ in run])
    if (places == np.rint(places)).all():
        count_along(axes, places)
    axes.set_xlabel(counted)
    axes.set_ylabel(quantity.replace("_", " "))
    legend_of(axes, list(runs))
    return tidy(axes, title)


def _listed(run: Any) -> Sequence[Any]:
    """The repetitions of a run, one if it is no list of runs."""
    if isinstance(run, Mapping):
        return [run]
    if isinstance(run, (list, tuple)) and len(run) and not np.isscalar(run[0]):
        first = run[0]
        if isinstance(first, (Mapping, list, tuple)) or getattr(first, "ndim", 0) == 1:
            return run
    return [run]


def _repetitions(run: Any, name: str, quantity: str) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for one in _listed(run):
        if isinstance(one, Mapping):
            if quantity not in one:
                raise ValueError(
                    f"the run {name!r} has no column {quantity!r}; it has {', '.join(one)}"
                )
            values = numbers(one[quantity]).astype(np.float64)
            x = numbers(one["epoch"]) if "epoch" in one else np.arange(1, len(values) + 1)
        else:
            values = np.array([float(value) for value in one], np.float64)
            x = np.arange(1, len(values) + 1)
        if not len(values):
            raise ValueError(f"the run {name!r} has no values")
        found.append((x, values))
    return found
