"""A regression and what its hidden nodes contribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import axes_or_new, colour, column, evaluated, numbers, same_length, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_regression(
    X: Any,
    y: Any,
    y_pred: Any = None,
    *,
    x_range: Sequence[float] | None = None,
    y_range: Sequence[float] | None = None,
    dx: float | None = None,
    dy: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the samples of a regression with one feature, and the line fitted to them.

    Args:
        X: the feature, ``(N,)`` or ``(N, 1)``.
        y: the targets, as many.
        y_pred: the predictions for ``X``, as many.
        x_range, y_range: the least and greatest value to show.
        dx, dy: the distance between ticks.
        ax: where to draw; a new figure's axes if None.
        title: above the axes.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the shapes do not fit.
    """
    feature, target = column(X, "X"), column(y, "y")
    prediction = None if y_pred is None else column(y_pred, "y_pred")
    same_length(X=feature, y=target, y_pred=prediction)
    axes = axes_or_new(ax)
    axes.scatter(
        feature,
        target,
        s=16,
        color=colour(0),
        alpha=0.55,
        linewidths=0,
        label="data",
    )
    if prediction is not None:
        order = np.argsort(feature, kind="stable")
        axes.plot(
            feature[order], prediction[order], color=colour(1), linewidth=2.2, label="prediction"
        )
        axes.legend(frameon=False)
    _scale(axes, x_range, y_range, dx, dy)
    axes.set_xlabel("X")
    axes.set_ylabel("y")
    return tidy(axes, title)


def _scale(
    axes: Axes,
    x_range: Sequence[float] | None,
    y_range: Sequence[float] | None,
    dx: float | None,
    dy: float | None,
) -> None:
    if x_range is not None:
        axes.set_xlim(x_range[0], x_range[1])
    if y_range is not None:
        axes.set_ylim(y_range[0], y_range[1])
    if dx is not None or dy is not None:
        from matplotlib.ticker import MultipleLocator

        if dx is not None:
            axes.xaxis.set_major_locator(MultipleLocator(dx))
        if dy is not None:
            axes.yaxis.set_major_locator(MultipleLocator(dy))


def plot_nodes(
    X: Any,
    y_pred: Any,
    model: Any,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw what each node of the last hidden layer contributes to a prediction.

    A node's contribution is its output times its weight; their sum and the bias are the prediction.

    Args:
        X: the feature, ``(N,)`` or ``(N, 1)``.
        y_pred: the predictions for ``X``, as many.
        model: the network, whose last layer is ``nn.Linear`` with one output.
        ax: where to draw; a new figure's axes if None.
        title: above the axes.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the shapes do not fit, or the network does not end in such a layer.
    """
    feature, prediction = column(X, "X"), column(y_pred, "y_pred")
    same_length(X=feature, y_pred=prediction)
    contributions, bias = _contributions(model, feature)
    order = np.argsort(feature, kind="stable")
    axes = axes_or_new(ax, (6.0, 4.0))
    x = feature[order]
    many = contributions.shape[1] > 8
    for node in range(contributions.shape[1]):
        axes.plot(
            x,
            contributions[order, node],
            color=colour(node % 7 + 1),
            linewidth=1.0 if many else 1.5,
            alpha=0.6 if many else 0.9,
            label=None if many else f"node {node + 1}",
        )
    if many:
        axes.lines[-1].set_label(f"{contributions.shape[1]} nodes")
    if bias is not None:
        axes.axhline(bias, color="0.4", linewidth=1.2, linestyle=":", label="bias")
    axes.plot(
        x, prediction[order], color=colour(0), linewidth=2.6, label="sum of all: the prediction"
    )
    axes.set_xlabel("X")
    axes.set_ylabel("contribution to y")
    axes.legend(frameon=False, fontsize="small")
    return tidy(axes, title)


def _contributions(model: Any, feature: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Output times weight of each node of the last hidden layer, ``(N, nodes)``, and the bias."""
    from flambeau.nn import Linear

    layers = [layer for layer in model.modules() if isinstance(layer, Linear)]
    if not layers or layers[-1].out_features != 1:
        raise ValueError(
            "plot_nodes: the network should end in nn.Linear with one output, and "
            + (f"it ends in {layers[-1]}" if layers else "it has no nn.Linear")
        )
    last = layers[-1]
    seen: list[np.ndarray] = []
    handle = last.register_forward_pre_hook(lambda _, inputs: seen.append(numbers(inputs[0])))
    try:
        evaluated(model, feature[:, None])
    finally:
        handle.remove()
    if len(seen) != 1:
        raise ValueError(f"plot_nodes: the network ran its last layer {len(seen)} times, not once")
    bias = None if last.bias is None else float(numbers(last.bias)[0])
    return seen[0].reshape(len(feature), -1) * numbers(last.weight)[0], bias
