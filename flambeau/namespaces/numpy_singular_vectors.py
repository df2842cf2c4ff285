"""Singular vectors with the signs that PyTorch's LAPACK gives them.

Matrices much wider than high LAPACK brings to a square triangle before all else; the library that
PyTorch's wheels compute with does not do so for real ones.  Embedded among zeros, which change
neither values nor vectors, a matrix is narrow enough that LAPACK takes the other way here, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def _is_wide(m: int, n: int) -> bool:
    """Whether LAPACK's ``gesdd`` brings matrices of these sizes to a triangle first."""
    return n >= int(m * 11 / 6)


def svd(x: Array, full: bool) -> tuple[Array, Array, Array]:
    """``U``, ``S`` and ``Vh``; square ``U`` and ``Vh`` if ``full``."""
    m, n = x.shape[-2:]
    if m > 1 and x.dtype.kind == "f" and n > m and _is_wide(m, n):
        found = _embedded(x, full) if n <= 2 * m else _by_triangle(x, full)
        values = found[1]
        floor = values[..., 0] * (np.finfo(x.dtype).eps * n * 10)
        if (values[..., -1] > floor).all():  # else vectors may have come from the zeros
            return found
    left, values, right = np.linalg.svd(x, full_matrices=full)
    return left, values, right


def _embedded(x: Array, full: bool) -> tuple[Array, Array, Array]:
    """With some rows of zeros, and a column if else it were square."""
    *batch, m, n = x.shape
    rows, columns = m, n
    while _is_wide(rows, columns):
        rows += 1
        columns = max(columns, rows + 1)
    among = np.zeros((*batch, rows, columns), x.dtype)
    among[..., :m, :n] = x
    left, values, right = np.linalg.svd(among)
    # the column's own vector is the last one
    return left[..., :m, :m], values[..., :m], right[..., : n if full else m, :n]


def _by_triangle(x: Array, full: bool) -> tuple[Array, Array, Array]:
    """The vectors of the triangle of an LQ factorization, among zeros."""
    m = x.shape[-2]
    q, r = np.linalg.qr(x.swapaxes(-1, -2), "complete" if full else "reduced")
    square = r[..., :m, :].swapaxes(-1, -2)
    across = q.swapaxes(-1, -2)
    wide = np.concatenate([square, np.zeros((*x.shape[:-1], 1), x.dtype)], -1)
    left, values, right = _embedded(wide, False)
    turned = np.matmul(right[..., :m], across[..., :m, :])
    return left, values, np.concatenate([turned, across[..., m:, :]], -2)


__all__ = ["svd"]
