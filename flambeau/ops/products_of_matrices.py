"""Products of two matrices by the faster of NumPy's BLAS and a compiled program.

NumPy's BLAS keeps products of less than some ten million multiplications on one thread, and of a
matrix with few columns it fills few of its registers.  A program that is compiled for the sizes at
hand takes a half to a fifth of its time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..namespaces.numpy_blas import dot
from . import native

LEAST, MOST = 1 << 18, 1 << 28
"""Multiplications from which on, and up to which, a compiled program is worth its call."""

_THIN = 4
"""Matrices with fewer rows or columns are rather vectors, at which BLAS is as fast."""

_LARGEST = 1 << 21
"""Elements up to which an operand may be read in another order."""

_SECONDS = 5e-11
"""Three times what a multiplication takes on NumPy: these programs are made quickly."""


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``x.dot(y)`` of two matrices."""
    n, k = x.shape
    m = y.shape[1]
    if (
        not LEAST <= n * k * m <= MOST
        or min(n, k, m) < _THIN
        or max(x.size, y.size) > _LARGEST
        or x.dtype.char not in "fd"
        or x.dtype is not y.dtype
        or k != y.shape[0]
    ):
        return dot(x, y)
    seconds = n * k * m * _SECONDS
    turned = not x.flags.c_contiguous and x.flags.f_contiguous
    found: np.ndarray = native.call(
        ("product", turned), _turned_product if turned else _product,
        (x.T if turned else x, y), seconds, lambda: dot(x, y),
    )  # fmt: skip
    return found


def _product(xp: Any, x: Any, y: Any) -> Any:
    return xp.matmul(x, y)


def _turned_product(xp: Any, x: Any, y: Any) -> Any:
    return xp.matmul(xp.permute(x, (1, 0)), y)
