"""The Bunch-Kaufman factorization ``A = L D L.T`` of symmetric and Hermitian matrices in NumPy.

Packed as LAPACK packs it (``sytrf``, ``hetrf`` for the lower triangle): the blocks of D, of size 1
or 2, on and below the diagonal, the columns of L below them; a pivot p > 0 says that row p (from 1)
was swapped, two equal negative ones that a block of two begins there and that row -p was swapped
with its second row.

Source: Bunch and Kaufman, Some stable methods for calculating inertia and solving symmetric linear
systems (1977).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

_ALPHA = (1 + 17**0.5) / 8


def ldl(x: Array, hermitian: bool) -> tuple[Array, Array, Array]:
    """The packed factors, the pivots, and the first singular block (from 1; 0 if there is none)."""
    n = x.shape[-1]
    packed = np.tril(x)
    pivots = np.zeros((*x.shape[:-2], n), np.int32)
    infos = np.zeros(x.shape[:-2], np.int32)
    if x.size:
        conjugate = hermitian and x.dtype.kind == "c"
        for matrix, row, at in zip(
            packed.reshape(-1, n, n), pivots.reshape(-1, n), range(max(1, infos.size))
        ):
            infos.reshape(-1)[at] = _factor_one(matrix, row, conjugate)
    return packed, pivots, infos


def _size(x: Array) -> Array:
    return np.abs(x.real) + np.abs(x.imag)


def _factor_one(a: Array, pivots: Array, conjugate: bool) -> int:
    n = len(a)
    info = 0
    k = 0
    while k < n:
        width, swap = _choice(a, k)
        largest = max(_size(a[k, k]), _size(a[k + 1 :, k]).max(initial=0))
        if largest == 0 or np.isnan(largest):
            info = info or k + 1
            pivots[k] = k + 1
            k += 1
            continue
        second = k + width - 1
        if swap != second:
            _swap(a, second, swap, conjugate)
            if width == 2:
                a[k + 1, k], a[swap, k] = a[swap, k], a[k + 1, k]
        if conjugate:
            for i in range(k, k + width):
                a[i, i] = a[i, i].real
        below = slice(k + width, n)
        if width == 2:
            d = a[k + 1, k]
            other = d.conjugate() if conjugate else d
            block = np.array([[a[k, k], other], [d, a[k + 1, k + 1]]])
        else:
            block = a[k : k + 1, k : k + 1].copy()
        if k + width < n:
            columns = a[below, k : k + width].copy()
            scaled = np.linalg.solve(block.T, columns.T).T
            a[below, below] -= np.tril(scaled @ (columns.conj() if conjugate else columns).T)
            a[below, k : k + width] = scaled
        pivots[k : k + width] = swap + 1 if width == 1 else -(swap + 1)
        k += width
    return info


def _choice(a: Array, k: int) -> tuple[int, int]:
    """How large the next block is, and the row that comes to be its last."""
    n = len(a)
    diagonal = abs(a[k, k].real) if a.dtype.kind != "c" else _size(a[k, k])
    if k == n - 1:
        return 1, k
    column = _size(a[k + 1 :, k])
    place = int(column.argmax()) + k + 1
    largest = column[place - k - 1]
    if diagonal >= _ALPHA * largest:
        return 1, k
    row = np.concatenate([_size(a[place, k:place]), _size(a[place + 1 :, place])])
    widest = row.max()
    if diagonal >= _ALPHA * largest * (largest / widest):
        return 1, k
    if _size(a[place, place]) >= _ALPHA * widest:
        return 1, place
    return 2, place


def _swap(a: Array, i: int, j: int, conjugate: bool) -> None:
    """Swap rows and columns ``i`` < ``j``, from i on, in the lower triangle of a matrix."""
    a[j + 1 :, [i, j]] = a[j + 1 :, [j, i]]
    between = a[i + 1 : j, i].copy()
    across = a[j, i + 1 : j].copy()
    a[i + 1 : j, i] = across.conj() if conjugate else across
    a[j, i + 1 : j] = between.conj() if conjugate else between
    if conjugate:
        a[j, i] = a[j, i].conjugate()
    a[i, i], a[j, j] = a[j, j], a[i, i]


def unpacked_ldl(packed: Array, pivots: Array, hermitian: bool) -> tuple[Array, Array, Array]:
    """``L``, ``D`` and the order of rows ``p`` with ``A[p][:, p] = L @ D @ L.T`` of one matrix."""
    n = len(packed)
    conjugate = hermitian and packed.dtype.kind == "c"
    lower = np.eye(n, dtype=packed.dtype)
    blocks = np.zeros((n, n), packed.dtype)
    order = np.arange(n)
    k = 0
    while k < n:
        width = 1 if pivots[k] > 0 else 2
        swap = abs(int(pivots[k])) - 1
        second = k + width - 1
        order[[second, swap]] = order[[swap, second]]
        lower[[second, swap], :k] = lower[[swap, second], :k]
        lower[k + width :, k : k + width] = packed[k + width :, k : k + width]
        blocks[k, k] = packed[k, k]
        if width == 2:
            d = packed[k + 1, k]
            blocks[k + 1, k] = d
            blocks[k, k + 1] = d.conjugate() if conjugate else d
            blocks[k + 1, k + 1] = packed[k + 1, k + 1]
        k += width
    return lower, blocks, order


__all__ = ["ldl", "unpacked_ldl"]
