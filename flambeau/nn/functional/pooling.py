"""Pooling."""

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
    max_pool.__doc__ = (
        f"The maximum over windows of the last {dims} dims, and the places of the maxima if "
        "``return_indices``; see :class:`~flambeau.nn.MaxPool1d` for the arguments."
    )
    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = f":func:`{name}` with ``return_indices``."
    return max_pool, with_indices


max_pool1d, max_pool1d_with_indices = _max_pool_function(1)
max_pool2d, max_pool2d_with_indices = _max_pool_function(2)
max_pool3d, max_pool3d_with_indices = _max_pool_function(3)


@node_called("SqueezeBackward1")
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over ``output_size`` windows of the last dim."""
    return _adaptive.adaptive_max_pool(1, input, output_size, return_indices)


@node_called("AdaptiveMaxPool2DBackward0")
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over a grid of windows of the last two dims; None keeps a dim's size."""
    return _adaptive.adaptive_max_pool(2, input, output_size, return_indices)


@node_called("AdaptiveMaxPool3DBackward0")
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over a grid of windows of the last three dims; None keeps a dim's size."""
    return _adaptive.adaptive_max_pool(3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """:func:`adaptive_max_pool1d`, and the places of the maxima."""
    return _adaptive.adaptive_max_pool(1, input, output_size, True)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """:func:`adaptive_max_pool2d`, and the places of the maxima."""
    return _adaptive.adaptive_max_pool(2, input, output_size, True)


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> Any:
    """:func:`adaptive_max_pool3d`, and the places of the maxima."""
    return _adaptive.adaptive_max_pool(3, input, output_size, True)
