"""What all pictures share: where they are drawn, their colours, and numbers out of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#7F7F7F",
)  # fmt: skip
"""Hues that stay apart for most kinds of colour blindness (Okabe and Ito, 2008; Tol, 2021)."""


def colour(index: int) -> str:
    """The colour of the series or class ``index``; they come round again.

    Returns:
        Such as ``"#0072B2"``.
    """
    return COLOURS[index % len(COLOURS)]


def require_matplotlib() -> None:
    """Import matplotlib, or say how to get it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "plots are drawn with matplotlib, which is not installed: pip install 'flambeau[plots]'"
        ) from error


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (5.2, 3.6)) -> Axes:
    """``ax``, or the axes of a new figure of ``size`` inches.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed, and ``ax`` is None.
    """
    if ax is not None:
        return ax
    require_matplotlib()
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def panels(count: int, columns: int, size: tuple[float, float]) -> list[Any]:
    """New axes for some panels, row by row; what is left over is hidden.

    Args:
        count: how many.
        columns: panels in a row.
        size: of a panel, in inches.

    Returns:
        A list of ``count`` axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import pyplot

    columns = min(columns, count)
    rows = -(-count // columns)
    _, grid = pyplot.subplots(
        rows,
        columns,
        figsize=(size[0] * columns, size[1] * rows),
        squeeze=False,
        layout="constrained",
    )
    flat = list(grid.ravel())
    for spare in flat[count:]:
        spare.set_visible(False)
    return flat[:count]


def count_along(ax: Axes, values: Any) -> None:
    """Give the horizontal axis of ``ax`` whole numbers, also where ``values`` has only one."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(values) and min(values) == max(values):
        ax.set_xlim(values[0] - 1, values[0] + 1)


def tidy(ax: Axes, title: str | None = None) -> Axes:
    """A light grid on ``ax``, no frame at the top and right, and the ``title``; returns ``ax``."""
    ax.grid(alpha=0.25)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if title is not None:
        ax.set_title(title, wrap=True)
    return ax


def legend_of(ax: Axes, names: Sequence[str]) -> None:
    """A legend: on the axes where it is small, else beside them, or below them if names are long.

    Args:
        ax: the axes.
        names: the labels that it shows.
    """
    longest = max(map(len, names))
    if longest > 40:
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
    elif longest > 24 or len(names) > 8:
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    else:
        place = {}
    small = place or len(names) > 6
    ax.legend(frameon=False, fontsize="small" if small else None, **place)


def numbers(values: Any) -> np.ndarray:
    """``values``, a tensor, an array, a list or a pandas column, as a NumPy array.

    Returns:
        The array.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def column(values: Any, name: str) -> np.ndarray:
    """``(N,)`` values from ``(N,)`` or ``(N, 1)``.

    Args:
        values: what :func:`numbers` takes.
        name: what the message calls it.

    Returns:
        ``(N,)``.

    Raises:
        ValueError: they have another shape; the message says whose they are.
    """
    array = numbers(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} should hold one value for each sample, of shape (N,) or (N, 1): "
            f"its shape is {array.shape}"
        )
    return array


def same_length(**arrays: Any) -> None:
    """Check that arrays have as many samples.

    Raises:
        ValueError: they differ.
    """
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"there should be as many of each sample: {said}")


def evaluated(model: Any, inputs: np.ndarray) -> np.ndarray:
    """What ``model`` gives for ``inputs``, in evaluation mode, without gradients.

    Returns:
        The array.
    """
    import flambeau

    training = getattr(model, "training", False)
    parameter = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
    tensor = flambeau.from_numpy(np.ascontiguousarray(inputs))
    tensor = tensor.to(flambeau.get_default_dtype() if parameter is None else parameter.dtype)
    if parameter is not None:
        tensor = tensor.to(parameter.device)
    if training:
        model.eval()
    try:
        with flambeau.no_grad():
            return numbers(model(tensor))
    finally:
        if training:
            model.train()
