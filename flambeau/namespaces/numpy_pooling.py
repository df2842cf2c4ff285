"""Faster maxima over windows on NumPy arrays.

Windows that tile the input (kernel and stride equal, no padding) are reduced dim by dim, from the
last one: which of the neighbours was the largest is kept as truth values, one per comparison, and
leads the gradient back.  Equal elements: the first one counts, as in PyTorch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from .numpy_turning import quick, turn
from .numpy_windows import max_pool_indices
from .numpy_workspace import WORKSPACE

Array = Any
Sizes = Sequence[int]

_MANY = 1 << 13
"""Elements from which on copying costs more than arranging for it."""
_AT_ONCE = 1 << 19
"""Bytes of a result that are computed at a time."""

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
        neighbours = _neighbours(x.reshape(-1, k, prod(shape[dim + 1 :])))
        best = next(neighbours)
        wins = []
        for other in neighbours:
            wins.append(np.greater(other, best))
            best = np.maximum(best, other)
        choices.append(wins)
        shape[dim] //= k
        x = best
    return x.reshape(shape), (tuple(size), choices)


def _neighbours(parts: Array) -> Iterator[Array]:
    """What lies at each place of the middle dim of a contiguous (n, k, inner).

    Neighbours that lie apart are copied once: comparing and choosing walk contiguous memory.
    """
    n, k, inner = parts.shape
    if inner == 1 and k > 1 and parts.size >= _MANY and quick(parts):
        apart = WORKSPACE.array("image", (k, n), parts.dtype)
        turn(parts.reshape(n, k), apart)
        yield from apart
        return
    runs = _runs(parts)
    for i in range(k):
        yield runs[:, i].copy().view(parts.dtype).reshape(-1)


def _runs(parts: Array) -> Array:
    """(n, k, inner) as (n, k), where there are many: a run of ``inner`` is copied as one."""
    n, k, inner = parts.shape
    if inner == 1:
        return parts.reshape(n, k)
    if parts.size < _MANY:
        return parts
    return parts.reshape(n, k * inner).view(np.dtype((np.void, inner * parts.itemsize)))


def max_pool_tiles_gradient(grad: Array, input_shape: Sizes, kernel: Sizes, aux: Any) -> Array:
    """The gradient of :func:`max_pool_tiles`: each tile's goes to its largest element."""
    _, choices = aux
    dims = len(kernel)
    grad = np.ascontiguousarray(grad)
    shape = (*grad.shape[:-dims], *(n * k for n, k in zip(grad.shape[-dims:], kernel)))
    tiles = np.empty(shape, grad.dtype)
    # some samples at a time, so that what lies between input and result stays in the cache
    samples = len(grad) if grad.ndim > dims else 1
    for part in _parts(samples, grad.nbytes * prod(kernel)):
        chosen = [
            [wins.reshape(samples, -1)[part].reshape(-1) for wins in choices_of_dim]
            for choices_of_dim in choices
        ]
        _spread(grad[part], kernel, chosen, tiles[part])
    if shape == tuple(input_shape):
        return tiles
    whole = np.zeros(input_shape, grad.dtype)
    whole[tuple(slice(0, n) for n in shape)] = tiles
    return whole


def _parts(samples: int, size: int) -> Iterator[slice]:
    """Slices of ``samples``, which are of ``size`` bytes together; one of everything for one."""
    step = max(1, samples * _AT_ONCE // max(size, 1))
    if samples == 1:
        yield slice(None)
        return
    for first in range(0, samples, step):
        yield slice(first, first + step)


def _spread(grad: Array, kernel: Sizes, choices: Any, out: Array) -> None:
    """Put each element of ``grad`` at the place of its tile of ``out`` that was chosen, else 0."""
    dims = len(kernel)
    integer = _INTEGER[grad.itemsize]
    shape = list(grad.shape)
    # bits times 0 or 1, as integers: exact for every value, and without branches
    current = grad.view(integer)
    for place, choices_of_dim in enumerate(reversed(choices)):
        dim = len(shape) - dims + place
        k = kernel[place]
        inner = prod(shape[dim + 1 :])
        target = out.view(integer) if place == dims - 1 else np.empty(current.size * k, integer)
        result = target.reshape(current.size // inner, k, inner)
        rows = current.reshape(-1)
        many = result.size >= _MANY
        if many and inner == 1 and k == 2 and integer is np.int32 and sys.byteorder == "little":
            # both places in one: the bits of the second are the upper half
            places = np.multiply(choices_of_dim[0], np.uint8(32))
            pairs = result.reshape(-1).view(np.uint64)
            np.left_shift(rows.view(np.uint32), places.reshape(-1), out=pairs, dtype=np.uint64)
        else:
            runs = _runs(result)
            for i in range(k - 1, 0, -1):
                taken = np.multiply(rows, choices_of_dim[i - 1].reshape(-1))
                runs[:, i] = taken.view(runs.dtype).reshape(runs[:, i].shape)
                # what was not taken: bits that are equal cancel
                rows = np.bitwise_xor(rows, taken, out=taken)
            runs[:, 0] = rows.view(runs.dtype).reshape(runs[:, 0].shape)
        shape[dim] *= k
        current = result


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
