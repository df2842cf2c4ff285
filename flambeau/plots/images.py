"""Images with their labels, filters and feature maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import axes_or_new, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RIGHT, _WRONG = "#006D4F", "#B03000"


def plot_images(
    images: Any,
    labels: Any = None,
    predictions: Any = None,
    classes: Sequence[str] | None = None,
    *,
    columns: int = 8,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw images in a grid, above each its label and what a network took it for.

    Args:
        images: ``(N, H, W)``, ``(N, 1, H, W)`` or ``(N, 3, H, W)``; bytes, or numbers from 0 to 1
            (others are scaled to that range).
        labels: the classes, ``(N,)``, whole numbers from 0; or words.
        predictions: the classes predicted, ``(N,)``, or a score for each, ``(N, classes)``; right
            ones are written in green, wrong ones in red as "predicted (true)".
        classes: their names.
        columns: images in a row.
        mean, std: what the images were normalized with, to be undone.
        ax: where to draw; a new figure's axes if None.
        title: above the grid.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the shapes do not fit.
    """
    pictures = _as_pictures(images, mean, std)
    captions = _captions(len(pictures), labels, predictions, classes)
    longest = max((len(text) for text, _ in captions), default=0)
    return _grid(pictures, captions, columns, ax, title, 1.15 if longest < 12 else 1.6, None)


def plot_filters(
    layer: Any,
    *,
    columns: int = 8,
    limit: int = 64,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the filters of a convolution: blue below zero, white at zero, red above.

    Args:
        layer: the convolution, or its weight ``(out, in, H, W)``. Filters of three input channels
            are drawn in colour; otherwise each input channel of each filter is an image.
        columns: filters in a row.
        limit: draw no more than this many.
        ax: where to draw; a new figure's axes if None.
        title: above the grid; by default what there is.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the weight has not four dimensions.
    """
    weight = numbers(getattr(layer, "weight", layer))
    if weight.ndim != 4:
        raise ValueError(f"filters have the shape (out, in, H, W), not {weight.shape}")
    count, channels = weight.shape[:2]
    if channels == 3:
        low, high = weight.min(), weight.max()
        pictures = list(((weight - low) / max(high - low, 1e-12)).transpose(0, 2, 3, 1))
        bound = None
    else:
        pictures = list(weight.reshape(count * channels, *weight.shape[2:]))
        bound = float(np.abs(weight).max()) or 1.0
        columns = channels if 1 < channels <= 16 else columns
    drawn = pictures[:limit]
    if title is None:
        title = f"{count} filters of {channels} × {weight.shape[2]} × {weight.shape[3]}"
        if len(drawn) < len(pictures):
            title += f", the first {len(drawn)} of {len(pictures)} images"
    return _grid(drawn, [], columns, ax, title, 0.9, bound)


def plot_feature_maps(
    model: Any,
    image: Any,
    layer: Any = None,
    *,
    columns: int = 8,
    limit: int = 64,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw what a layer of a network makes of an image, a map for each channel.

    Args:
        model: the network.
        image: its input, ``(C, H, W)`` or ``(1, C, H, W)``.
        layer: the layer, or its name (``"features.0"``); by default the first convolution.
        columns: maps in a row.
        limit: draw no more than this many.
        ax: where to draw; a new figure's axes if None.
        title: above the grid; by default the layer.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there is no such layer, it was not run, or its output is no map.
    """
    maps, name = _maps(model, image, layer)
    shown = list(maps[:limit])
    if title is None:
        title = f"{name}: {len(maps)} maps of {maps.shape[1]} × {maps.shape[2]}"
        title += f", the first {limit}" if len(maps) > limit else ""
    return _grid(shown, [], columns, ax, title, 1.0, None, "viridis")


def _maps(model: Any, image: Any, layer: Any) -> tuple[np.ndarray, str]:
    import flambeau
    from flambeau import nn

    named = dict(model.named_modules())
    if layer is None:
        convolutions = [n for n, m in named.items() if isinstance(m, (nn.Conv1d, nn.Conv2d))]
        if not convolutions:
            raise ValueError("the network has no convolution: say which layer to draw")
        layer = convolutions[0]
    if isinstance(layer, str):
        if layer not in named:
            known = ", ".join(repr(name) for name in list(named)[1:12])
            raise ValueError(f"the network has no layer {layer!r}; it has {known}")
        name, layer = layer, named[layer]
    else:
        name = next((n for n, m in named.items() if m is layer), type(layer).__name__)
    seen: list[np.ndarray] = []
    handle = layer.register_forward_hook(lambda _, __, output: seen.append(numbers(output)))
    training = model.training
    model.eval()
    try:
        batch = image if isinstance(image, flambeau.Tensor) else flambeau.tensor(numbers(image))
        with flambeau.no_grad():
            model(batch if batch.dim() == 4 else batch.unsqueeze(0))
    finally:
        handle.remove()
        model.train(training)
    if not seen or seen[0].ndim != 4:
        what = f"its output is of shape {seen[0].shape}" if seen else "the network did not run it"
        raise ValueError(f"the layer {name!r} gives no maps (N, C, H, W): {what}")
    return seen[0][0], f"{name} {type(layer).__name__}"


def _as_pictures(images: Any, mean: Any, std: Any) -> list[np.ndarray]:
    """Arrays ``(H, W)`` or ``(H, W, 3)`` with values from 0 to 1."""
    array = numbers(images)
    if array.ndim == 4 and array.shape[1] not in (1, 3) or array.ndim not in (3, 4):
        raise ValueError(
            f"images should be of shape (N, H, W), (N, 1, H, W) or (N, 3, H, W), not {array.shape}"
        )
    if array.ndim == 3:
        array = array[:, None]
    values = array.astype(np.float64) / (255.0 if array.dtype == np.uint8 else 1.0)
    if std is not None:
        values = values * np.reshape(std, (-1, 1, 1))
    if mean is not None:
        values = values + np.reshape(mean, (-1, 1, 1))
    if values.size and (values.min() < -1e-3 or values.max() > 1 + 1e-3):
        values = (values - values.min()) / max(values.max() - values.min(), 1e-12)
    values = np.clip(values.transpose(0, 2, 3, 1), 0, 1)
    return [value[:, :, 0] if value.shape[2] == 1 else value for value in values]


def _captions(
    count: int, labels: Any, predictions: Any, classes: Sequence[str] | None
) -> list[tuple[str, str]]:
    """The text and the colour above each image."""

    def named(values: Any, what: str) -> list[str]:
        array = numbers(values)
        if array.ndim == 2 and what == "predictions":
            array = array.argmax(axis=1)
        if array.shape != (count,):
            raise ValueError(f"there are {count} images, and the {what} are of shape {array.shape}")
        if array.dtype.kind in "iufb":
            return [str(int(v)) if classes is None else classes[int(v)] for v in array]
        return [str(v) for v in array]

    true = None if labels is None else named(labels, "labels")
    found = None if predictions is None else named(predictions, "predictions")
    if true is None and found is None:
        return []
    if found is None or true is None:
        return [(text, "0.2") for text in (true or found or [])]
    return [
        (p, _RIGHT) if p == t else (f"{p} ({t})", _WRONG) for t, p in zip(true, found, strict=True)
    ]


def _grid(
    pictures: list[np.ndarray],
    captions: list[tuple[str, str]],
    columns: int,
    ax: Axes | None,
    title: str | None,
    inches: float,
    bound: float | None,
    cmap: str = "gray",
) -> Axes:
    """Draw pictures of one size into the cells of one axes."""
    if not pictures:
        raise ValueError("there is no image to draw")
    height, width = pictures[0].shape[:2]
    columns = max(1, min(columns, len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    # In units of an image's width: the gap, and the room for a caption above each image.
    tall = height / width
    gap, room = 0.08, 0.27 / inches if captions else 0.0
    across, down = 1 + gap, tall + gap + room
    size = (
        columns * across * inches + 0.2,
        rows * down * inches + 0.2 + 0.35 * (title is not None),
    )
    axes = axes_or_new(ax, size)
    limits: dict[str, Any] = {"cmap": cmap}
    if bound is not None:
        limits = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound}
    elif cmap == "gray":
        limits |= {"vmin": 0, "vmax": 1}
    for index, picture in enumerate(pictures):
        left, top = index % columns * across, index // columns * down + room
        axes.imshow(
            picture,
            extent=(left, left + 1, top + tall, top),
            interpolation="nearest",
            **limits,
        )
        if captions:
            text, hue = captions[index]
            axes.text(
                left + 0.5,
                top - 0.03,
                text,
                ha="center",
                va="bottom",
                fontsize=9 if len(text) < 12 else 7.5,
                color=hue,
            )
    axes.set_xlim(-gap, columns * across)
    axes.set_ylim(rows * down, -gap / 2)
    axes.set_aspect("equal")
    axes.axis("off")
    if title is not None:
        axes.set_title(title, fontsize=11)
    return axes
