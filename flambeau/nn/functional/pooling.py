"""Pooling.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (pooling functions)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.nn.functional.node_names import adaptive_mean, node_called
from flambeau.ops import adaptive_pooling as _adaptive
from flambeau.ops import pooling as _pooling
from flambeau.ops.mean_pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
)
from flambeau.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
]

adaptive_avg_pool1d = node_called(adaptive_mean(1))(_adaptive.adaptive_avg_pool1d)
adaptive_avg_pool2d = node_called(adaptive_mean(2))(_adaptive.adaptive_avg_pool2d)
adaptive_avg_pool3d = node_called(adaptive_mean(3))(_adaptive.adaptive_avg_pool3d)


_MAX_POOL_DOC = """The maximum over windows of the last {dims} dim(s).

    Args:
        input: ``(N, C, {sizes})`` or ``(C, {sizes})``.
        kernel_size: elements in a window; a number, or one per dim, as for the next three.
        stride: step of the window (None: ``kernel_size``).
        padding: elements of minus infinity added on both sides, at most half the window.
        dilation: distance between the elements of a window.
        ceil_mode: whether a last, incomplete window counts.
        return_indices: whether the places of the maxima among the flattened last {dims} dim(s)
            are returned too.

    Returns:
        ``(N, C, {out})`` or without N; with ``return_indices`` also the places, int64.

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.
    """


def _max_pool_function(dims: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    pool = _pooling._max_pool

    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return pool(
            dims, input, kernel_size, stride, padding, dilation, ceil_mode,
            return_indices=return_indices,
        )  # fmt: skip

    def with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return pool(
            dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
        )

    name = f"max_pool{dims}d"
    max_pool.__name__ = max_pool.__qualname__ = name
    sizes = {1: "L", 2: "H, W", 3: "D, H, W"}[dims]
    max_pool.__doc__ = _MAX_POOL_DOC.format(
        dims=dims, sizes=sizes, out=", ".join(f"{size}_out" for size in sizes.split(", "))
    )
    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = (
        f":func:`{name}` with ``return_indices=True``, whatever is given for it.\n\n"
        "``input``, ``kernel_size``, ``stride``, ``padding``, ``dilation`` and ``ceil_mode`` are "
        "as there.\nReturns the maxima and their places."
    )
    return max_pool, with_indices


max_pool1d, max_pool1d_with_indices = _max_pool_function(1)
max_pool2d, max_pool2d_with_indices = _max_pool_function(2)
max_pool3d, max_pool3d_with_indices = _max_pool_function(3)


@node_called("SqueezeBackward1")
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over as many windows along the last dim as the result is to have elements.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``.
        output_size: the length of the result.
        return_indices: whether the places of the maxima along L are returned too.

    Returns:
        ``(N, C, output_size)``, or without N; with ``return_indices`` also the places, int64.

    Raises:
        ValueError: too few dims.
        RuntimeError: too many dims, an empty dim, or a size that does not fit.
    """
    return _adaptive.adaptive_max_pool(1, input, output_size, return_indices)


@node_called("AdaptiveMaxPool2DBackward0")
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over a grid of windows of the last two dims.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        output_size: ``(H_out, W_out)``, or one number for both; None keeps a dim's size.
        return_indices: whether the places of the maxima in the flattened H x W are returned too.

    Returns:
        ``(N, C, H_out, W_out)``, or without N; with ``return_indices`` also the places, int64.

    Raises:
        ValueError: too few dims.
        RuntimeError: too many dims, an empty dim, or a size that does not fit.
    """
    return _adaptive.adaptive_max_pool(2, input, output_size, return_indices)


@node_called("AdaptiveMaxPool3DBackward0")
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over a grid of windows of the last three dims.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``.
        output_size: ``(D_out, H_out, W_out)``, or one number for all; None keeps a dim's size.
        return_indices: whether the places of the maxima in the flattened D x H x W are returned
            too.

    Returns:
        ``(N, C, D_out, H_out, W_out)``, or without N; with ``return_indices`` also the places,
        int64.

    Raises:
        ValueError: too few dims.
        RuntimeError: too many dims, an empty dim, or a size that does not fit.
    """
    return _adaptive.adaptive_max_pool(3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """:func:`adaptive_max_pool1d` of ``input``, always with the places of the maxima.

    ``output_size`` is as there; ``return_indices`` changes nothing. Returns maxima and places.
    """
    return _adaptive.adaptive_max_pool(1, input, output_size, True)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """:func:`adaptive_max_pool2d` of ``input``, always with the places of the maxima.

    ``output_size`` is as there; ``return_indices`` changes nothing. Returns maxima and places.
    """
    return _adaptive.adaptive_max_pool(2, input, output_size, True)


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """:func:`adaptive_max_pool3d` of ``input``, always with the places of the maxima.

    ``output_size`` is as there; ``return_indices`` changes nothing. Returns maxima and places.
    """
    return _adaptive.adaptive_max_pool(3, input, output_size, True)
