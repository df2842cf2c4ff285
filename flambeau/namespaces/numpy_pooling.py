"""Faster maxima over windows on NumPy arrays.

Windows that tile the input (kernel and stride equal, no padding) are reduced dim by dim, from the
last one: which of the neighbours was the largest is kept as truth values, one per comparison, and
leads the gradient back.  Equal elements: the first one counts, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .numpy_windows import max_pool_indices

Array = Any
Sizes = Sequence[int]

_INTEGER = {2: np.int16, 4: np.int32, 8: np.int64}


def max_pool_tiles(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> tuple[Array, tuple[Any, ...]] | None:
    """The maxima over tiles and what their gradient needs; None if the windows are no tiles."""
    if tuple(kernel) != tuple(stride) or any(padding) or any(d != 1 for d in dilation):
        return None
    dims = len(kernel)
    spatial = x.shape[-dims:]
    if x.itemsize not in _INTEGER or any(m * k > n for m, k, n in zip(size, kernel, spatial)):
        return None
    if any(m * k != n for m, k, n in zip(size, kernel, spatial)):
        # a rest at the end that no window reads
        x = x[(..., *(slice(0, m * k) for m, k in zip(size, kernel)))]
    x = np.ascontiguousarray(x)
    choices: list[Any] = []
    shape = list(x.shape)
    for dim in range(len(shape) - 1, len(shape) - 1 - dims, -1):
        k = kernel[dim - len(shape)]
        parts = x.reshape(-1, k, prod(shape[dim + 1 :]))
        if parts.shape[2] == 1:
            parts = parts[..., 0]
        # one copy of neighbours that lie apart: comparing and choosing walk contiguous memory
        best = parts[:, 0].copy()
        wins = []
        for i in range(1, k):
            other = parts[:, i].copy()
            wins.append(np.greater(other, best))
            np.maximum(best, other, out=best)
        choices.append(wins)
        shape[dim] //= k
        x = best
    return x.reshape(shape), (tuple(size), choices)


def max_pool_tiles_gradient(grad: Array, input_shape: Sizes, kernel: Sizes, aux: Any) -> Array:
    """The gradient of :func:`max_pool_tiles`: each tile's goes to its largest element."""
    size, choices = aux
    dims = len(kernel)
    integer = _INTEGER[grad.itemsize]
    shape = list(grad.shape)
    # bits times 0 or 1, as integers: exact for every value, and without branches
    current = np.ascontiguousarray(grad).view(integer)
    for place, wins in enumerate(reversed(choices)):
        dim = len(shape) - dims + place
        k = kernel[place]
        inner = prod(shape[dim + 1 :])
        result = np.empty((current.size // inner, k, inner), integer)
        rows = current.reshape(-1, inner)
        if inner == 1:
            parts, rows = result[..., 0], rows[:, 0]
        else:
            parts = result
        for i in range(k - 1, 0, -1):
            taken = np.multiply(rows, wins[i - 1])
            parts[:, i] = taken
            # what was not taken: bits that are equal cancel
            rows = np.bitwise_xor(rows, taken, out=taken)
        parts[:, 0] = rows
        shape[dim] *= k
        current = result
    tiles = current.reshape(shape).view(grad.dtype)
    if tuple(shape) == tuple(input_shape):
        return tiles
    whole = np.zeros(input_shape, grad.dtype)
    whole[tuple(slice(0, n) for n in shape)] = tiles
    return whole


def max_pool(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> tuple[Array, Array]:
    """The maxima over any windows, and their places in the flattened last dims."""
    dims = len(kernel)
    indices = max_pool_indices(x, kernel, stride, padding, dilation, size)
    flat = x.reshape(*x.shape[:-dims], prod(x.shape[-dims:]))
    places = indices.reshape(*indices.shape[:-dims], prod(indices.shape[-dims:]))
    return np.take_along_axis(flat, places, -1).reshape(indices.shape), indices


def max_pool_gradient(grad: Array, input_shape: Sizes, indices: Array, dims: int) -> Array:
    """The gradient of :func:`max_pool`: added up at the places of the maxima."""
    n = prod(input_shape[-dims:])
    rows = prod(input_shape[:-dims])
    places = indices.reshape(rows, prod(indices.shape[-dims:])) + np.arange(rows)[:, None] * n
    result = np.bincount(places.reshape(-1), grad.reshape(-1), rows * n)
    return result.astype(grad.dtype, copy=False).reshape(input_shape)
