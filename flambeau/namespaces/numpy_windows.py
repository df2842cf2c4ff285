"""Pooling on NumPy arrays: windows as strided views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Array = Any
Sizes = Sequence[int]


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


def _count(sizes: Sizes) -> int:
    count = 1
    for n in sizes:
        count *= n
    return count


def max_pool_indices(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> Array:
    """The flat spatial index of each window's largest element (the first, or the first NaN)."""
    k = len(kernel)
    spatial = x.shape[-k:]
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    flat = np.arange(_count(spatial)).reshape(spatial)
    # with ceil_mode a last window may reach past the padding
    over = [
        max(0, (m - 1) * s + d * (c - 1) + 1 - n - p)
        for m, s, d, c, n, p in zip(size, stride, dilation, kernel, spatial, padding)
    ]
    widths = [(p, max(p, o)) for p, o in zip(padding, over)]
    if np.any(widths):
        x = np.pad(x, [(0, 0)] * (x.ndim - k) + widths, constant_values=lowest)
        flat = np.pad(flat, widths, constant_values=-1)
    values = _windows(x, kernel, stride, dilation, size)
    values = values.reshape(*values.shape[:-k], _count(kernel))
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
        window: Any = (..., *reach)
        result[window] += grad
    inner: Any = (..., *(slice(p, p + n) for p, n in zip(padding, input_shape[-k:])))
    return np.ascontiguousarray(result[inner])
