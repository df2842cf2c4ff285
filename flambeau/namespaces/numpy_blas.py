"""Products through NumPy's BLAS, on one thread unless they are large.

OpenBLAS puts every product of more than a few thousand elements on all cores.  For products of
less than some milliseconds the threads' waiting for each other costs more than they gain, and on a
machine with other work it costs ten times the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..threads import blas_threads

Array = Any

OWN_LIMIT = 1 << 18
"""Up to so many multiplications OpenBLAS itself stays on one thread (for matrices)."""

PARALLEL = 1 << 26
"""From so many on, several threads gain."""


def dot(x: Array, y: Array, out: Array | None = None) -> Array:
    """``x.dot(y)`` for one- and two-dimensional arrays."""
    work = x.size * y.shape[1] if y.ndim == 2 else x.size
    if work > PARALLEL or (work < OWN_LIMIT and x.ndim == 2 == y.ndim) or work < 8192:
        return x.dot(y) if out is None else x.dot(y, out=out)
    threads = blas_threads()
    if threads is None or (count := threads[0]()) == 1:
        return x.dot(y) if out is None else x.dot(y, out=out)
    threads[1](1)
    try:
        return x.dot(y) if out is None else x.dot(y, out=out)
    finally:
        threads[1](count)


def matmul(x: Array, y: Array, out: Array | None = None) -> Array:
    """``np.matmul`` of arrays of two dims and more: stacks of products."""
    n, k = x.shape[-2:]
    m = y.shape[-1]
    work = n * k * m  # of one of them: each is a call of BLAS
    if work > PARALLEL or (work < OWN_LIMIT and n > 1 < m) or work < 8192:
        return np.matmul(x, y, out=out)
    with one_thread():
        return np.matmul(x, y, out=out)


@contextmanager
def one_thread() -> Iterator[None]:
    """Have a block's products, many and small, stay on the calling thread."""
    threads = blas_threads()
    count = 1 if threads is None else threads[0]()
    if count > 1:
        threads[1](1)
    try:
        yield
    finally:
        if count > 1:
            threads[1](count)
