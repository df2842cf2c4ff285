"""Rows of small matrices without broadcasting: what is one number per row is spread by a table.

On matrices of some hundred elements NumPy's calls are all that takes time, and those that broadcast
or reduce take three times as long as those on arrays of one shape, ``take`` and products.
"""

from __future__ import annotations

from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np

from .numpy_constants import number

Array = Any

FEW = 512
"""Up to so many elements, ..."""
NARROW = 32
"""... in rows of up to so many, a matrix counts as small."""


class Rows:
    """Tables for the rows of a matrix of n rows and m columns, not to be written to.

    Attributes:
        starts: (n,), where each row begins in the flat matrix.
        row: (n, m), the row of each element.
        column: (n, m), the column of each element.
        ones: (m,).
        square: (m, m) ones: ``x.dot(square)`` has each row's sum in all its places.
        means: (m, m) of 1 / m: the same with each row's mean.
        column_means: (n, n) of 1 / n: ``column_means.dot(x)`` has each column's mean in all its
            places.
    """

    __slots__ = ("starts", "row", "column", "ones", "square", "means", "column_means")

    def __init__(self, n: int, m: int, dtype: np.dtype) -> None:
        grid = np.indices((n, m))
        self.starts = _fixed(np.arange(0, n * m, m))
        self.row, self.column = _fixed(grid[0]), _fixed(grid[1])
        self.ones = _fixed(np.ones(m, dtype))
        self.square = _fixed(np.ones((m, m), dtype))
        self.means = _fixed(np.full((m, m), 1 / m, dtype))
        self.column_means: Any = _fixed(np.full((n, n), 1 / n, dtype)) if n <= 2 * NARROW else None


def _fixed(array: Array) -> Array:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


@lru_cache(256)
def rows_of(shape: tuple[int, int], dtype: np.dtype) -> Rows:
    """The tables for matrices of a shape."""
    return Rows(*shape, dtype)


def are_few(x: Array) -> bool:
    """Whether ``x`` is a small matrix with elements, row by row in memory."""
    few = x.ndim == 2 and 0 < x.size <= FEW and x.shape[1] <= NARROW
    return few and x.flags.c_contiguous


def less_maxima(x: Array, rows: Rows) -> Array:
    """``x`` less each row's largest element (NaN if it has one)."""
    best = x.argmax(1)
    best += rows.starts
    return x - x.reshape(-1)[best][rows.row]


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) along the rows."""
    rows = rows_of(x.shape, x.dtype)
    flat = x.reshape(-1)
    if flat.dot(flat) < _SAFE:
        e = np.exp(x)
    else:
        e = less_maxima(x, rows)
        np.exp(e, e)
    e /= e.dot(rows.square)
    return e


_SAFE = 50.0**2
"""Below this sum of squares no element is so large that its exponential or the sum overflows."""


def log_softmax(x: Array) -> Array:
    """log(exp(x) / sum(exp(x))) along the rows."""
    rows = rows_of(x.shape, x.dtype)
    shifted = less_maxima(x, rows)
    sums = np.exp(shifted).dot(rows.square)
    np.log(sums, sums)
    shifted -= sums
    return shifted


def logsumexp(x: Array) -> Array | None:
    """(n,), the logarithm of the sum of exponentials of each row; None if a row has none."""
    rows = rows_of(x.shape, x.dtype)
    best = x.argmax(1)
    best += rows.starts
    largest = x.reshape(-1)[best]
    if not isfinite(largest.dot(largest)):
        return None
    shares = x - largest[rows.row]
    np.exp(shares, shares)
    total = shares.dot(rows.ones)
    np.log(total, total)
    total += largest
    return total


def variance(x: Array, free: float) -> Array:
    """(n,), the sum of squared distances from each row's mean, divided by ``free``."""
    rows = rows_of(x.shape, x.dtype)
    centred = x - x.dot(rows.means)
    centred *= centred
    total = centred.dot(rows.ones)
    total /= number(free, x.dtype)
    return total


def _normalize(
    centred: Array, variance: Array, weight: Array | None, bias: Array | None, rows: Rows
) -> None:
    """Divide by the deviations, which replace ``variance`` as reciprocals; scale; offset."""
    np.sqrt(variance, variance)
    np.reciprocal(variance, variance)
    if weight is None:
        centred *= variance
    else:
        centred *= variance * weight[rows.column]
    if bias is not None:
        centred += bias[rows.column]


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """The rows with mean 0 and variance 1, then a scale and an offset for each column.

    Returns: the result, and (n, 1) means and reciprocal deviations.
    """
    dtype = x.dtype
    rows = rows_of(x.shape, dtype)
    mean = x.dot(rows.means)
    result = x - mean
    inverse = (result * result).dot(rows.means)
    inverse += number(eps, dtype)
    _normalize(result, inverse, weight, bias, rows)
    return result, mean[:, :1], inverse[:, :1]


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    """The columns with mean 0 and variance 1, then a scale and an offset for each of them.

    Returns: the result, and (n, m) means, variances and reciprocal deviations, each row alike.
    """
    dtype = x.dtype
    rows = rows_of(x.shape, dtype)
    mean = rows.column_means.dot(x)
    result = x - mean
    variance = rows.column_means.dot(result * result)
    inverse = variance + number(eps, dtype)
    _normalize(result, inverse, weight, bias, rows)
    return result, mean, variance, inverse
