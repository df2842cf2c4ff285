"""Windows over small arrays: each one's elements by tables of their places, made once per shape.

Of a small array it is the number of NumPy's calls that takes time, not their work: one ``take``
collects what all windows read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from .numpy_constants import ones
from .numpy_windows import _windows

Array = Any
Sizes = tuple[int, ...]

FEW = 2048
"""Up to so many elements in windows they are collected by a table."""


def _places(
    shape: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> Array:
    """Which elements of an array of ``shape`` each window reads: -1 where it reads padding.

    Returns: (*leading, *size, *kernel).
    """
    k = len(kernel)
    places = np.arange(prod(shape)).reshape(shape)
    ends = [
        max(p, (m - 1) * s + d * (c - 1) + 1 - n - p)
        for m, s, d, c, n, p in zip(size, stride, dilation, kernel, shape[-k:], padding)
    ]
    widths = [(0, 0)] * (len(shape) - k) + list(zip(padding, ends))
    places = np.pad(places, widths, constant_values=-1)
    return _windows(places, kernel, stride, dilation, size)


def _fixed(array: Array) -> Array:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


# -- maxima and means -----------------------------------------------------------------------------


@lru_cache(128)
def _pool_table(shape: Sizes, *window: Any) -> tuple[Array, Array, bool] | None:
    """The places in each window, where windows begin in this table, and whether none overlap.

    Padding is replaced by the window's first element, which changes no maximum. None if a window
    has no element.

    Returns:
        (*leading, *size, elements), (*leading, *size), and whether.
    """
    count = prod(window[0])
    of_windows = _places(shape, *window)
    result_shape = of_windows.shape[: len(shape)]
    places = of_windows.reshape(-1, count)
    inside = places >= 0
    if not inside.any(1).all():
        return None
    first = np.take_along_axis(places, inside.argmax(1)[:, None], 1)
    apart = len(np.unique(places[inside])) == inside.sum()
    starts = np.arange(0, places.size, count).reshape(result_shape)
    places = np.where(inside, places, first).reshape(*result_shape, count)
    return _fixed(places), _fixed(starts), bool(apart)


def max_pool_few(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> tuple[Array, list[Any]] | None:
    """The maxima over windows of few elements and what their gradient needs."""
    table = _pool_table(x.shape, kernel, stride, padding, dilation, size)
    if table is None:
        return None
    places, starts, apart = table
    values = x.reshape(-1)[places]
    best = values.argmax(-1)
    best += starts
    return values.take(best), [best, places, apart]


def max_pool_few_gradient(grad: Array, input_shape: Sizes, aux: list[Any]) -> Array:
    """The gradient of :func:`max_pool_few`."""
    best, places, apart = aux
    chosen = places.take(best)
    if apart:
        result = np.zeros(input_shape, grad.dtype)
        result.put(chosen, grad)
        return result
    sums = np.bincount(chosen.reshape(-1), grad.reshape(-1), prod(input_shape))
    return sums.astype(grad.dtype, copy=False).reshape(input_shape)


def sum_pool_few(x: Array, kernel: Sizes, stride: Sizes, size: Sizes) -> Array | None:
    """The sums over windows of few elements without padding."""
    none = (0,) * len(kernel)
    table = _pool_table(x.shape, kernel, stride, none, (1,) * len(kernel), size)
    if table is None:
        return None
    places = table[0]
    return x.take(places).dot(ones(places.shape[-1], x.dtype))


@lru_cache(128)
def _owners(shape: Sizes, kernel: Sizes, stride: Sizes, size: Sizes) -> Array | None:
    """The window of each element, if each is in exactly one."""
    none = (0,) * len(kernel)
    table = _pool_table(shape, kernel, stride, none, (1,) * len(kernel), size)
    if table is None or not table[2] or table[0].size != prod(shape):
        return None
    owners = np.empty(table[0].size, np.int64)
    owners[table[0]] = np.arange(table[1].size).reshape(table[1].shape)[..., None]
    return _fixed(owners.reshape(shape))


def sum_pool_few_gradient(grad: Array, shape: Sizes, kernel: Sizes, stride: Sizes) -> Array | None:
    """The gradient of :func:`sum_pool_few` for windows that tile the input, else None."""
    owners = _owners(shape, kernel, stride, grad.shape[-len(kernel) :])
    return None if owners is None else grad.take(owners)


# -- convolution ----------------------------------------------------------------------------------


class _ConvTable:
    """Places of the columns' elements, and shapes that follow from a convolution's options."""

    def __init__(
        self, shape: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
    ) -> None:
        if min(stride) < 1 or min(dilation) < 1 or min(padding) < 0:
            raise ValueError("no convolution has such options")
        self.size = tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(shape[2:], kernel, stride, padding, dilation)
        )
        self.fits = min(self.size) > 0
        self.input_size = prod(shape)
        if not self.fits or prod(self.size) * prod(kernel) * shape[0] * shape[1] > 2 * FEW:
            self.fits = False
            return
        k = len(kernel)
        places = _places(shape, kernel, stride, padding, dilation, self.size)
        # (N, C, *size, *kernel) as (C, *kernel, N, *size)
        order = (1, *range(2 + k, 2 + 2 * k), 0, *range(2, 2 + k))
        columns = places.transpose(order).reshape(shape[1] * prod(kernel), -1)
        self.padded = bool((columns < 0).any())
        self.places = _fixed(np.where(columns < 0, self.input_size, columns))
        self.flat = self.places.reshape(-1)


@lru_cache(128)
def _conv_table(*arguments: Any) -> _ConvTable:
    return _ConvTable(*arguments)


def _columns(x: Array, table: _ConvTable) -> Array:
    if table.padded:
        padded = np.zeros(table.input_size + 1, x.dtype)
        padded[:-1] = x.reshape(-1)
        return padded[table.places]
    return x.reshape(-1)[table.places]  # two thirds of the time of `take`


def conv_few(
    x: Array, weight: Array, bias: Array | None, stride: Sizes, padding: Sizes, dilation: Sizes
) -> Array | None:
    """The convolution of a small ``x`` (N, C, *spatial), or None if it is not small."""
    table = _conv_table(x.shape, weight.shape[2:], stride, padding, dilation)
    if not table.fits:
        return None
    filters = weight.shape[0]
    result = weight.reshape(filters, -1).dot(_columns(x, table))
    result = result.reshape((filters, x.shape[0], -1)).transpose(1, 0, 2)
    if bias is None:
        result = np.ascontiguousarray(result)
    else:
        result = np.add(result, bias.reshape(filters, 1), order="C")
    return result.reshape((x.shape[0], filters, *table.size))


def conv_few_gradients(
    grad: Array, x: Array, weight: Array, stride: Sizes, padding: Sizes, dilation: Sizes,
    needs: Sequence[bool],
) -> tuple[Array | None, Array | None, Array | None] | None:  # fmt: skip
    """The gradients of :func:`conv_few` for input, weight and bias, those that are needed."""
    table = _conv_table(x.shape, weight.shape[2:], stride, padding, dilation)
    if not table.fits or table.size != grad.shape[2:]:
        return None
    filters = weight.shape[0]
    rows = grad.reshape(grad.shape[0], filters, -1).transpose(1, 0, 2).reshape(filters, -1)
    grad_input = grad_weight = grad_bias = None
    if needs[0]:
        spread = weight.reshape(filters, -1).T.dot(rows)
        sums = np.bincount(table.flat, spread.reshape(-1), table.input_size + 1)
        grad_input = sums[:-1].astype(grad.dtype).reshape(x.shape)
    if needs[1]:
        grad_weight = rows.dot(_columns(x, table).T).reshape(weight.shape)
    if needs[2]:
        grad_bias = rows.dot(ones(rows.shape[1], rows.dtype))
    return grad_input, grad_weight, grad_bias


__all__ = [
    "FEW", "conv_few", "conv_few_gradients", "max_pool_few", "max_pool_few_gradient",
    "sum_pool_few", "sum_pool_few_gradient",
]  # fmt: skip
