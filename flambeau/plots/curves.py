"""Training curves: loss and accuracy over the epochs.

A history is a mapping of columns to sequences of one length, as `flambeau.training` records and
its `metrics.csv` holds: `epoch`, `train_loss` and, where there are any, `test_loss`,
`train_accuracy`, `test_accuracy`. Missing values are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import axes_or_new, count_along, numbers, require_matplotlib, tidy
from .runs import smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_accuracy", "plot_loss", "training_curves"]

History = Mapping[str, Sequence[float]]

# Two hues that stay apart in grey and for most kinds of colour blindness (Okabe and Ito, 2008).
_COLOURS = {"train": "#0072B2", "test": "#D55E00"}


def plot_loss(
    history: History,
    ax: Axes | None = None,
    *,
    smoothing: float = 0.0,
    title: str | None = None,
) -> Axes:
    """Draw the loss in training and testing over the epochs, on a logarithmic scale if it fits.

    Arguments:
        history: columns `epoch`, `train_loss` and perhaps `test_loss`, of one length.
        ax: where to draw; a new figure's axes if None.
        smoothing: weight of the past in a moving average, from 0 to less than 1; the values
            themselves stay visible behind it.
        title: above the axes.

    Returns:
        The axes.

    Raises:
        ImportError: there is no matplotlib.
        ValueError: the history has no `epoch` or no `train_loss`, they differ in length, or
            `smoothing` is out of range.
    """
    axes = _plot(history, "loss", ax, smoothing, title)
    columns = (history.get("train_loss", ()), history.get("test_loss", ()))
    drawn = [value for column in columns for value in column if math.isfinite(value)]
    if drawn and min(drawn) > 0 and max(drawn) > 20 * min(drawn):
        axes.set_yscale("log")
    return axes


def plot_accuracy(
    history: History,
    ax: Axes | None = None,
    *,
    smoothing: float = 0.0,
    title: str | None = None,
) -> Axes:
    """Draw the accuracy in training and testing over the epochs, in percent.

    Arguments:
        history: columns `epoch`, `train_accuracy` and perhaps `test_accuracy` (shares, 0 to 1).
        ax: where to draw; a new figure's axes if None.
        smoothing: weight of the past in a moving average, from 0 to less than 1; the values
            themselves stay visible behind it.
        title: above the axes.

    Returns:
        The axes.

    Raises:
        ImportError: there is no matplotlib.
        ValueError: the history has no `epoch` or no `train_accuracy`, they differ in
            length, or `smoothing` is out of range.
    """
    axes = _plot(history, "accuracy", ax, smoothing, title)
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    tests = [value for value in history.get("test_accuracy", ()) if math.isfinite(value)]
    if tests:
        axes.axhline(tests[-1], color=_COLOURS["test"], linewidth=0.8, linestyle=":")
        axes.annotate(
            f"{tests[-1]:.1%}",
            xy=(1.0, tests[-1]),
            xycoords=("axes fraction", "data"),
            xytext=(-4, -4),
            textcoords="offset points",
            horizontalalignment="right",
            verticalalignment="top",
            color=_COLOURS["test"],
        )
    return axes


def training_curves(
    history: History,
    ax: Sequence[Axes] | None = None,
    *,
    smoothing: float = 0.0,
    title: str | None = None,
    path: str | Path | None = None,
) -> Sequence[Axes]:
    """Draw loss and, where it was measured, accuracy next to each other.

    Arguments:
        history: as for `plot_loss`; with a `train_accuracy` or `test_accuracy` there are two
            panels.
        ax: the axes to draw on, as many as there are panels; those of a new figure if None. The
            new figure belongs to no window and needs no display.
        smoothing: as for `plot_loss`.
        title: above the panels.
        path: where to write the picture (PNG, SVG, PDF by its ending), if anywhere.

    Returns:
        The axes; `axes[0].figure` is the figure.

    Raises:
        ImportError: there is no matplotlib.
        ValueError: a column is missing, lengths differ, `smoothing` is out of range, or `ax` are
            too few.
    """
    panels: list[Any] = [plot_loss]
    if any(math.isfinite(value) for value in history.get("train_accuracy", ())):
        panels.append(plot_accuracy)
    if ax is None:
        require_matplotlib()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as NewFigure

        figure = NewFigure(figsize=(5.2 * len(panels), 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        ax = list(figure.subplots(1, len(panels), squeeze=False)[0])
    elif len(ax) < len(panels):
        raise ValueError(f"training_curves: {len(panels)} panels to draw, but {len(ax)} axes given")
    for panel, axes in zip(panels, ax):
        panel(history, axes, smoothing=smoothing)
    drawn_on: Any = ax[0].figure
    if title is not None:
        drawn_on.suptitle(title)
    if path is not None:
        drawn_on.savefig(path, dpi=120)
    return ax


def _plot(
    history: History, quantity: str, ax: Axes | None, smoothing: float, title: str | None
) -> Axes:
    for column in ("epoch", f"train_{quantity}"):
        if column not in history:
            raise ValueError(f"the history has no column {column!r}; it has {', '.join(history)}")
    epochs = numbers(history["epoch"])
    axes = axes_or_new(ax)
    for part, hue in _COLOURS.items():
        measured = history.get(f"{part}_{quantity}")
        if measured is None:
            continue
        values = numbers(measured)
        if len(values) != len(epochs):
            raise ValueError(
                f"the history has {len(epochs)} epochs, but {len(values)} of {part}_{quantity}"
            )
        known = np.isfinite(values)
        if not known.any():
            continue
        marker = "o" if known.sum() <= 20 else None
        if smoothing:
            axes.plot(epochs[known], values[known], color=hue, alpha=0.25, linewidth=1.0)
        axes.plot(
            epochs[known],
            smoothed(values, smoothing)[known],
            color=hue,
            label=part,
            marker=marker,
            markersize=3.5,
            linewidth=1.5,
        )
    count_along(axes, epochs)
    axes.set_xlabel("epoch")
    axes.set_ylabel(quantity)
    if axes.get_lines():
        axes.legend(frameon=False)
    return tidy(axes, title)
