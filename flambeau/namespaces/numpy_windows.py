"""Convolution and pooling on NumPy arrays: windows as strided views, products through BLAS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Array = Any
Sizes = Sequence[int]


def _padded(x: Array, padding: Sizes, value: float = 0) -> Array:
    """``x`` with ``padding`` elements of ``value`` on both sides of its last dims."""
    if not np.any(padding):
        return x
    leading = x.ndim - len(padding)
    shape = [*x.shape[:leading], *(n + 2 * p for n, p in zip(x.shape[leading:], padding))]
    result = np.zeros(shape, x.dtype) if value == 0 else np.full(shape, value, x.dtype)
    inner = tuple(slice(p, p + n) for n, p in zip(x.shape[leading:], padding))
    result[(..., *inner)] = x
    return result


def _windows(x: Array, kernel: Sizes, stride: Sizes, dilation: Sizes, size: Sizes) -> Array:
    """A view ``(*leading, *size, *kernel)`` of the windows over the last dims of ``x``."""
    leading = x.ndim - len(kernel)
    strides = x.strides
    spatial = strides[leading:]
    return as_strided(
        x,
        (*x.shape[:leading], *size, *kernel),
        (
            *strides[:leading],
            *(a * s for a, s in zip(spatial, stride)),
            *(a * d for a, d in zip(spatial, dilation)),
        ),
    )


def _window_counts(n: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes) -> list[int]:
    return [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(n, kernel, stride, dilation)]


def _columns(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> tuple[Array, list[int]]:
    """im2col: ``(groups, N * positions, channels / groups * taps)`` and the output's size."""
    x = _padded(x, padding)
    size = _window_counts(x.shape[2:], kernel, stride, dilation)
    windows = _windows(x, kernel, stride, dilation, size)
    batch, channels = x.shape[:2]
    k = len(kernel)
    split = windows.reshape(batch, groups, channels // groups, *size, *kernel)
    order = (1, 0, *range(3, 3 + k), 2, *range(3 + k, 3 + 2 * k))
    rows = batch * int(np.prod(size))
    taps = channels // groups * int(np.prod(kernel))
    return split.transpose(order).reshape(groups, rows, taps), size


def conv(
    x: Array, weight: Array, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Array:
    columns, size = _columns(x, weight.shape[2:], stride, padding, dilation, groups)
    filters = weight.reshape(groups, weight.shape[0] // groups, -1)
    result = np.matmul(columns, filters.transpose(0, 2, 1))
    result = result.reshape(groups, x.shape[0], *size, -1)
    k = len(size)
    result = result.transpose(1, 0, 2 + k, *range(2, 2 + k))
    return np.ascontiguousarray(result).reshape(x.shape[0], weight.shape[0], *size)


def _grouped_rows(grad: Array, groups: int) -> Array:
    """``grad`` (N, C, *size) as ``(groups, N * positions, C / groups)``."""
    batch, channels = grad.shape[:2]
    split = grad.reshape(batch, groups, channels // groups, -1).transpose(1, 0, 3, 2)
    return split.reshape(groups, -1, channels // groups)


def conv_weight(
    grad: Array,
    x: Array,
    weight_shape: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    k = len(stride)
    x = _padded(x, padding)
    # the output's size is grad's: with a stride it may leave a rest of the input unread
    windows = _windows(x, weight_shape[2:], stride, dilation, grad.shape[2:])
    batch, channels = x.shape[:2]
    split = windows.reshape(batch, groups, channels // groups, *windows.shape[2:])
    order = (1, 0, *range(3, 3 + k), 2, *range(3 + k, 3 + 2 * k))
    columns = split.transpose(order).reshape(groups, grad.shape[0] * _count(grad.shape[2:]), -1)
    rows = _grouped_rows(grad, groups)
    return np.matmul(rows.transpose(0, 2, 1), columns).reshape(weight_shape)


def _count(sizes: Sizes) -> int:
    count = 1
    for n in sizes:
        count *= n
    return count


def conv_input(
    grad: Array,
    weight: Array,
    input_shape: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    kernel, size = weight.shape[2:], grad.shape[2:]
    batch, channels = input_shape[:2]
    rows = _grouped_rows(grad, groups)
    filters = weight.reshape(groups, weight.shape[0] // groups, -1)
    taps = np.matmul(filters.transpose(0, 2, 1), rows.transpose(0, 2, 1))
    taps = taps.reshape(groups, channels // groups, *kernel, batch, *size)
    padded = [n + 2 * p for n, p in zip(input_shape[2:], padding)]
    result = np.zeros((groups, channels // groups, batch, *padded), grad.dtype)
    for tap in np.ndindex(*kernel):
        reach = tuple(
            slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(tap, dilation, stride, size)
        )
        result[(..., *reach)] += taps[(slice(None), slice(None), *tap)]
    inner = tuple(slice(p, p + n) for p, n in zip(padding, input_shape[2:]))
    result = result[(..., *inner)].reshape(channels, *((batch,)), *input_shape[2:])
    return np.ascontiguousarray(np.swapaxes(result, 0, 1))


def max_pool_indices(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> Array:
    """The flat spatial index of each window's largest element (the first, or the first NaN)."""
    k = len(kernel)
    spatial = x.shape[-k:]
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    flat = np.arange(_count(spatial)).reshape(spatial)
    # with ceil_mode a last window may reach past the padding
    over = [max(0, (m - 1) * s + d * (c - 1) + 1 - n - p)
            for m, s, d, c, n, p in zip(size, stride, dilation, kernel, spatial, padding)]  # fmt: skip
    widths = [(p, max(p, o)) for p, o in zip(padding, over)]
    if np.any(widths):
        x = np.pad(x, [(0, 0)] * (x.ndim - k) + widths, constant_values=lowest)
        flat = np.pad(flat, widths, constant_values=-1)
    values = _windows(x, kernel, stride, dilation, size)
    values = values.reshape(*values.shape[:-k], -1)
    places = _windows(flat, kernel, stride, dilation, size).reshape(*size, -1)
    inside = places >= 0
    best = np.argmax(values, axis=-1)
    if not inside.all():  # a window of -inf only must not point into the padding
        chosen = np.take_along_axis(np.broadcast_to(inside, values.shape), best[..., None], -1)
        best = np.where(chosen[..., 0], best, np.argmax(inside, axis=-1))
    return np.take_along_axis(np.broadcast_to(places, values.shape), best[..., None], -1)[..., 0]


def _over(shape: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, size: Sizes) -> list[int]:
    """How far the last windows reach beyond the padded array (``ceil_mode``)."""
    return [
        max(0, (m - 1) * s + c - n - 2 * p)
        for m, s, c, n, p in zip(size, stride, kernel, shape, padding)
    ]


def avg_pool(x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, size: Sizes) -> Array:
    """The sum over each window (the caller divides)."""
    k = len(kernel)
    over = _over(x.shape[-k:], kernel, stride, padding, size)
    if np.any(padding) or np.any(over):
        widths = [(p, p + o) for p, o in zip(padding, over)]
        x = np.pad(x, [(0, 0)] * (x.ndim - k) + widths)
    result = np.zeros((*x.shape[:-k], *size), x.dtype)
    for tap in np.ndindex(*kernel):
        reach = (slice(t, t + s * (n - 1) + 1, s) for t, s, n in zip(tap, stride, size))
        result += x[(..., *reach)]
    return result


def avg_pool_input(
    grad: Array, input_shape: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes
) -> Array:
    """The gradient of :func:`avg_pool`: each window's gradient added to all its elements."""
    k = len(kernel)
    size = grad.shape[-k:]
    over = _over(input_shape[-k:], kernel, stride, padding, size)
    padded = [n + 2 * p + o for n, p, o in zip(input_shape[-k:], padding, over)]
    result = np.zeros((*input_shape[:-k], *padded), grad.dtype)
    for tap in np.ndindex(*kernel):
        reach = (slice(t, t + s * (n - 1) + 1, s) for t, s, n in zip(tap, stride, size))
        result[(..., *reach)] += grad
    inner = tuple(slice(p, p + n) for p, n in zip(padding, input_shape[-k:]))
    return np.ascontiguousarray(result[(..., *inner)])
