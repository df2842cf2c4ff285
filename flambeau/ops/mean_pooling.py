"""Means over windows.

Source: https://pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..namespaces import numpy
from ..namespaces import numpy_small_windows as few
from ..namespaces.numpy_constants import number
from .operation import Array, composite, operation
from .pooling_windows import pool_arguments


@operation(dtypes="inexact", public=False, method=False, out=False, name="avg_pool",
           samples=(((2, 5, 6), (3, 2), (2, 2), (1, 0), (3, 3)),))  # fmt: skip
def avg_pool(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    size: tuple[int, ...],
):
    """The sum over windows of the last dims."""
    return xp.avg_pool(input, kernel, stride, padding, size)


@avg_pool.vjp("input")
def _(xp, grad, input_shape, kernel, stride, padding):
    return xp.avg_pool_input(grad, tuple(input_shape), kernel, stride, padding)


@operation(dtypes="inexact", public=False, method=False, out=False, name="avg_pool_input",
           samples=(((2, 3, 3), (2, 5, 6), (3, 2), (2, 2), (1, 0)),))  # fmt: skip
def avg_pool_input(
    xp,
    output: Array,
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
):
    """The gradient of :func:`avg_pool` for an input of ``shape``."""
    return xp.avg_pool_input(output, shape, kernel, stride, padding)


@avg_pool_input.vjp("output")
def _(xp, grad, output_shape, kernel, stride, padding):
    return xp.avg_pool(grad, kernel, stride, padding, tuple(output_shape[-len(kernel) :]))


@operation(dtypes="inexact", public=False, method=False, out=False, name="mean_pool",
           node_name="AvgPool2DBackward0",
           samples=(((2, 3, 6), (2,), (2,), (0,), (3,), True, None),
                    ((2, 5, 6), (3, 2), (2, 2), (1, 0), (3, 3), False, None),
                    ((1, 2, 7, 7), (3, 3), (2, 2), (1, 1), (4, 4), True, 5)))  # fmt: skip
def mean_pool(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    size: tuple[int, ...],
    count_include_pad: bool,
    divisor: int | None,
):
    """The mean over windows of the last dims, or their sum divided by ``divisor``."""
    sums = xp.avg_pool(input, kernel, stride, padding, size)
    return sums / _divisors(
        xp, input.shape, xp.dtype(input), kernel, stride, padding, size, count_include_pad, divisor
    )


def _divisors(
    xp: Any,
    shape: Any,
    dtype: Any,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    size: tuple[int, ...],
    count_include_pad: bool,
    divisor: int | None,
) -> Any:
    """What each window's sum is divided by: one number, or an array of the result's last dims."""
    if divisor is not None:
        return divisor
    spatial = tuple(shape[-len(kernel) :])
    padded = tuple(n + 2 * p for n, p in zip(spatial, padding))
    inside = all((m - 1) * s + k <= n for m, s, k, n in zip(size, stride, kernel, padded))
    if inside and (count_include_pad or not any(padding)):
        return prod(kernel)
    # the number of elements in each window: sums of ones
    if count_include_pad:
        return xp.avg_pool(xp.full(padded, 1, dtype), kernel, stride, (0,) * len(kernel), size)
    return xp.avg_pool(xp.full(spatial, 1, dtype), kernel, stride, padding, size)


@mean_pool.kernel
def _(input, kernel, stride, padding, size, count_include_pad, divisor):
    if 0 < input.size < few.FEW and not any(padding):
        inside = True
        for n, m, s, k in zip(input.shape[-len(kernel) :], size, stride, kernel):
            inside = inside and (m - 1) * s + k <= n
        sums = few.sum_pool_few(input, kernel, stride, size) if inside else None
        if sums is not None:
            sums /= number(prod(kernel) if divisor is None else divisor, sums.dtype)
            return sums
    return mean_pool.forward(
        numpy, input, kernel, stride, padding, size, count_include_pad, divisor
    )


@mean_pool.vjp("input")
def _(xp, grad, input_shape, kernel, stride, padding, size, count_include_pad, divisor):
    divisors = _divisors(
        xp, input_shape, xp.dtype(grad), kernel, stride, padding, size, count_include_pad, divisor
    )
    return xp.avg_pool_input(grad / divisors, tuple(input_shape), kernel, stride, padding)


@mean_pool.vjp_kernel("input")
def _(grad, input_shape, kernel, stride, padding, size, count_include_pad, divisor):
    if 0 < grad.size < few.FEW and prod(input_shape) < few.FEW and kernel == stride:
        if not any(padding):
            count = prod(kernel) if divisor is None else divisor
            found = few.sum_pool_few_gradient(grad / count, tuple(input_shape), kernel, stride)
            if found is not None:
                return found
    function = mean_pool.vjps[0].function
    return function(
        numpy, grad, input_shape, kernel, stride, padding, size, count_include_pad, divisor
    )


def _mean_name(node: Any) -> str:
    dims = len(node.kernel)
    return "SqueezeBackward1" if dims == 1 else f"AvgPool{dims}DBackward0"


mean_pool.naming = _mean_name


_MEAN_NAMES = ("", "avg_pool1d", "avg_pool2d", "avg_pool3d")


def _avg_pool(
    dims: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Any:
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    kernel, step, pads, _, size = pool_arguments(
        _MEAN_NAMES[dims], dims, input, kernel_size, stride, padding, 1, ceil_mode
    )
    return mean_pool.function(input, kernel, step, pads, size, count_include_pad, divisor_override)


@composite(method=False)
def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean over windows along the last dim.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        padding: zeros added on both sides, at most half the window.
        ceil_mode: whether a last, incomplete window counts.
        count_include_pad: whether the added zeros count in the mean.

    Returns:
        (N, C, L_out) or (C, L_out).

    Raises:
        RuntimeError: another number of dims, or windows that do not fit.
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean over windows of the last two dims.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size, stride, padding: see :func:`avg_pool1d`; one number or a pair.
        ceil_mode: whether a last, incomplete window counts.
        count_include_pad: whether the added zeros count in the mean.
        divisor_override: what a window's sum is divided by, instead of the number of its elements.

    Returns:
        (N, C, H_out, W_out) or without N.

    Raises:
        RuntimeError: another number of dims, windows that do not fit, or a divisor of 0.
    """
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean over windows of the last three dims.

    Args:
        input: (N, C, D, H, W) or (C, D, H, W).
        kernel_size, stride, padding: see :func:`avg_pool1d`; one number or a triple.
        ceil_mode: whether a last, incomplete window counts.
        count_include_pad: whether the added zeros count in the mean.
        divisor_override: what a window's sum is divided by, instead of the number of its elements.

    Returns:
        (N, C, D_out, H_out, W_out) or without N.

    Raises:
        RuntimeError: another number of dims, windows that do not fit, or a divisor of 0.
    """
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
