"""Decision regions and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import axes_or_new, colour, column, evaluated, numbers, same_length, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "os^Dv*PX"


def plot_classification_2d(
    X: Any,
    y: Any,
    model: Any = None,
    transform: str | Callable[[Any], Any] | None = None,
    *,
    title: str | None = None,
    classes: Sequence[str] | None = None,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """Draw samples with two features, and the regions in which a network puts each class.

    Args:
        X: the features, ``(N, 2)``.
        y: the classes, ``(N,)`` or ``(N, 1)``: whole numbers from 0.
        model: the network, from ``(M, 2)`` to one output for two classes, or one for each class;
            no regions if None.
        transform: what makes probabilities of its outputs: the name of a layer in ``nn``
            (``"Sigmoid"``, ``"Softmax"``), or a function; ``"Identity"`` where they are
            probabilities already. By default Sigmoid for one output and Softmax for several.
        title: above the axes.
        classes: their names.
        resolution: points along each side at which the network is asked.
        ax: where to draw; a new figure's axes if None.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the shapes do not fit, there are no samples, a value is not finite, a class is
            none, or there is no such layer.
    """
    features, labels = numbers(X), column(y, "y").astype(np.int64)
    if features.ndim != 2 or features.shape[1] != 2:
        raise ValueError(f"X should have two features, of shape (N, 2), not {features.shape}")
    same_length(X=features, y=labels)
    if not len(labels):
        raise ValueError("there are no samples to draw")
    if not np.isfinite(features).all():
        raise ValueError("X has values that are infinite or NaN, which have no place in the plane")
    least, greatest = labels.min(), labels.max()
    if least < 0 or classes is not None and greatest >= len(classes):
        numbered = "from 0" if classes is None else f"from 0 to {len(classes) - 1}"
        raise ValueError(f"classes are numbered {numbered}, and there are {least} to {greatest}")
    axes = axes_or_new(ax, (5.0, 4.2))
    low, high = features.min(axis=0), features.max(axis=0)
    # Of points that all lie on a line there is no range to take a part of.
    margin = 0.08 * np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    low, high = low - margin, high + margin
    if model is not None:
        _regions(axes, model, transform, low, high, resolution)
    for label in np.unique(labels):
        chosen = features[labels == label]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=26,
            color=colour(int(label)),
            marker=_MARKERS[int(label) % len(_MARKERS)],
            edgecolors="white",
            linewidths=0.5,
            label=str(label) if classes is None else classes[label],
            zorder=3,
        )
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("feature 1")
    axes.set_ylabel("feature 2")
    axes.legend(
        title="class", loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize="small"
    )
    tidy(axes, title)
    if model is not None:
        axes.grid(visible=False)
    return axes


def _regions(
    axes: Axes,
    model: Any,
    transform: str | Callable[[Any], Any] | None,
    low: np.ndarray,
    high: np.ndarray,
    resolution: int,
) -> None:
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    across = np.linspace(low[0], high[0], resolution)
    up = np.linspace(low[1], high[1], resolution)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    outputs = evaluated(model, grid.astype(np.float32))
    outputs = outputs.reshape(len(grid), -1)
    shares = _probabilities(outputs, transform)
    if shares.shape[1] == 1:
        share = shares.reshape(resolution, resolution)
        shading = LinearSegmentedColormap.from_list("", [colour(0), "white", colour(1)])
        axes.imshow(
            share,
            extent=(low[0], high[0], low[1], high[1]),
            origin="lower",
            aspect="auto",
            interpolation="bilinear",
            cmap=shading,
            vmin=0,
            vmax=1,
            alpha=0.55,
            zorder=0,
        )
        if share.min() < 0.5 < share.max():
            axes.contour(across, up, share, levels=[0.5], colors="0.15", linewidths=1.6, zorder=2)
        return
    best = shares.argmax(axis=1)
    certainty = shares.max(axis=1)
    hues = np.array([to_rgb(colour(index)) for index in range(shares.shape[1])])
    # The surer the network is, the stronger the colour; never as strong as the points.
    count = shares.shape[1]
    strength = 0.12 + 0.33 * np.clip((certainty - 1 / count) / (1 - 1 / count), 0, 1)
    picture = 1 - (1 - hues[best]) * strength[:, None]
    axes.imshow(
        picture.reshape(resolution, resolution, 3),
        extent=(low[0], high[0], low[1], high[1]),
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
        zorder=0,
    )
    chosen = best.reshape(resolution, resolution)
    for index in np.unique(best):
        inside = (chosen == index).astype(float)
        if 0 < inside.mean() < 1:
            axes.contour(across, up, inside, levels=[0.5], colors="0.15", linewidths=0.8, zorder=2)


def _probabilities(outputs: np.ndarray, transform: str | Callable[[Any], Any] | None) -> np.ndarray:
    import flambeau
    from flambeau import nn

    if transform is None:
        transform = "Sigmoid" if outputs.shape[1] == 1 else "Softmax"
    function: Any = transform
    if isinstance(transform, str):
        function = getattr(nn, transform, None)
        if function is None:
            raise ValueError(
                f"transform={transform!r}: there is no such layer in nn. Sigmoid, Softmax and "
                "Identity are usual"
            )
    if isinstance(function, type):
        function = function(dim=1) if function in (nn.Softmax, nn.LogSoftmax) else function()
    with flambeau.no_grad():
        result = numbers(function(flambeau.from_numpy(outputs)))
    if result.shape != outputs.shape:
        raise ValueError(
            f"transform made outputs of shape {outputs.shape} into {result.shape}: it should give "
            "a probability for each of them"
        )
    return result


def confusion_matrix(targets: Any, predictions: Any, count: int | None = None) -> np.ndarray:
    """How often each class was taken for each.

    Args:
        targets: the classes, ``(N,)``, whole numbers from 0.
        predictions: the classes predicted, ``(N,)``, or a score for each class, ``(N, classes)``.
        count: the number of classes; by default what occurs.

    Returns:
        ``(classes, classes)``: at row ``i`` and column ``j`` how many samples of class ``i`` were
        taken for class ``j``.

    Raises:
        ValueError: the shapes do not fit, or a class is none.
    """
    expected = column(targets, "targets").astype(np.int64)
    found = numbers(predictions)
    if found.ndim == 2 and found.shape[1] > 1:
        count = max(count or 0, found.shape[1])
        found = found.argmax(axis=1)
    found = column(found, "predictions").astype(np.int64)
    same_length(targets=expected, predictions=found)
    if not len(expected):
        raise ValueError("there are no samples")
    least, greatest = min(expected.min(), found.min()), max(expected.max(), found.max())
    count = int(greatest) + 1 if count is None else count
    if least < 0 or greatest >= count:
        raise ValueError(
            f"classes are numbered from 0 to {count - 1}, and there are {least} to {greatest}"
        )
    return np.bincount(expected * count + found, minlength=count * count).reshape(count, count)


def plot_confusion_matrix(
    targets: Any,
    predictions: Any,
    classes: Sequence[str] | None = None,
    *,
    normalize: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw how often each class was taken for each.

    Args:
        targets: the classes, ``(N,)``, whole numbers from 0.
        predictions: the classes predicted, ``(N,)``, or a score for each class, ``(N, classes)``.
        classes: their names.
        normalize: shares of each true class, rather than counts.
        ax: where to draw; a new figure's axes if None.
        title: above the axes; by default the share of right predictions.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the shapes do not fit, or a class is none.
    """
    counts = confusion_matrix(targets, predictions, None if classes is None else len(classes))
    count = len(counts)
    of_each = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / of_each
    names = [str(index) for index in range(count)] if classes is None else list(classes)
    side = min(2.4 + 0.42 * count, 12.0) + 0.07 * max(len(name) for name in names)
    axes = axes_or_new(ax, (side, side))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if count <= 25:
        for row in range(count):
            for across in range(count):
                number = counts[row, across]
                if number:
                    axes.text(
                        across,
                        row,
                        f"{shares[row, across]:.0%}" if normalize else f"{number}",
                        ha="center",
                        va="center",
                        fontsize=9 if count <= 12 else 7,
                        color="white" if shares[row, across] > 0.55 else "0.15",
                    )
    # Of very many classes every few have their name.
    named = range(0, count, -(-count // 30))
    names = [names[index] for index in named]
    slanted = max(len(name) for name in names) > 3
    axes.set_xticks(
        named, names, rotation=45 if slanted else 0, ha="right" if slanted else "center"
    )
    axes.set_yticks(named, names)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{np.trace(counts) / counts.sum():.1%} right" if title is None else title)
    return axes
