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

from .axes import count_along

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_accuracy", "plot_loss", "training_curves"]

History = Mapping[str, Sequence[float]]

# Two hues that stay apart in grey and for most kinds of colour blindness (Okabe and Ito, 2008).
_COLOURS = {"train": "#0072B2", "test": "#D55E00"}


def plot_loss(history: History, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the loss in training and testing over the epochs, on a logarithmic scale if it fits.

    Arguments:
        history: columns `epoch`, `train_loss` and perhaps `test_loss`, of one length.
        ax: where to draw; a new figure's axes if None.
        title: above the axes.

    Returns:
        The axes.

    Raises:
        ImportError: there is no matplotlib.
        ValueError: the history has no `epoch` or no `train_loss`, or they differ in length.
    """
    axes = _plot(history, "loss", ax, title)
    columns = (history.get("train_loss", ()), history.get("test_loss", ()))
    drawn = [value for column in columns for value in column if math.isfinite(value)]
    if drawn and min(drawn) > 0 and max(drawn) > 20 * min(drawn):
        axes.set_yscale("log")
    return axes


def plot_accuracy(history: History, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw the accuracy in training and testing over the epochs, in percent.

    Arguments:
        history: columns `epoch`, `train_accuracy` and perhaps `test_accuracy` (shares, 0 to 1).
        ax: where to draw; a new figure's axes if None.
        title: above the axes.

    Returns:
        The axes.

    Raises:
        ImportError: there is no matplotlib.
        ValueError: the history has no `epoch` or no `train_accuracy`, or they differ in length.
    """
    axes = _plot(history, "accuracy", ax, title)
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
    title: str | None = None,
    path: str | Path | None = None,
) -> Figure:
    """Draw loss and, where it was measured, accuracy next to each other.

    Arguments:
        history: as for `plot_loss`; with a `train_accuracy` or `test_accuracy` there are two
            panels.
        ax: the axes to draw on, as many as there are panels; those of a new figure if None. The
            new figure belongs to no window and needs no display.
        title: above the panels.
        path: where to write the picture (PNG, SVG, PDF by its ending), if anywhere.

    Returns:
        The figure.

    Raises:
        ImportError: there is no matplotlib.
        ValueError: a column is missing, lengths differ, or `ax` are too few.
    """
    panels: list[Any] = [plot_loss]
    if any(math.isfinite(value) for value in history.get("train_accuracy", ())):
        panels.append(plot_accuracy)
    if ax is None:
        _require_matplotlib()
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as NewFigure

        figure = NewFigure(figsize=(5.2 * len(panels), 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        ax = list(figure.subplots(1, len(panels), squeeze=False)[0])
    elif len(ax) < len(panels):
        raise ValueError(f"training_curves: {len(panels)} panels to draw, but {len(ax)} axes given")
    for panel, axes in zip(panels, ax):
        panel(history, axes)
    drawn_on: Any = ax[0].figure
    if title is not None:
        drawn_on.suptitle(title)
    if path is not None:
        drawn_on.savefig(path, dpi=120)
    return drawn_on  # type: ignore[no-any-return]


def _plot(history: History, quantity: str, ax: Axes | None, title: str | None) -> Axes:
    for column in ("epoch", f"train_{quantity}"):
        if column not in history:
            raise ValueError(f"the history has no column {column!r}; it has {', '.join(history)}")
    epochs = list(history["epoch"])
    if ax is None:
        _require_matplotlib()
        from matplotlib import pyplot

        ax = pyplot.subplots(figsize=(5.2, 3.6), layout="constrained")[1]
    for part, colour in _COLOURS.items():
        values = history.get(f"{part}_{quantity}")
        if values is None:
            continue
        if len(values) != len(epochs):
            raise ValueError(
                f"the history has {len(epochs)} epochs, but {len(values)} of {part}_{quantity}"
            )
        known = [(x, y) for x, y in zip(epochs, values) if math.isfinite(y)]
        if known:
            ax.plot(
                [x for x, _ in known],
                [y for _, y in known],
                color=colour,
                label=part,
                marker="o" if len(known) <= 20 else None,
                markersize=3.5,
                linewidth=1.5,
            )
    count_along(ax, epochs)
    ax.set_xlabel("epoch")
    ax.set_ylabel(quantity)
    ax.grid(alpha=0.25)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if ax.get_lines():
        ax.legend(frameon=False)
    if title is not None:
        ax.set_title(title)
    return ax


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "plots are drawn with matplotlib, which is not installed: pip install 'flambeau[plots]'"
        ) from error
