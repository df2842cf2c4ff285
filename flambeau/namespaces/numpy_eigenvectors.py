"""Eigenvectors of small Hermitian matrices with the signs that PyTorch's LAPACK gives them.

The signs come from the last stage, an implicit QL or QR iteration that turns a tridiagonal matrix
into a diagonal one by plane rotations.  Of the two rotations that annul an element, which differ
in sign, LAPACK took one up to version 3.9 and takes another since 3.10.  PyTorch's wheels compute
with a library that does the former, NumPy's with one that does the latter.  Here the iteration is
run on the tridiagonal matrix alone and one row of the vectors, which is enough to tell the signs.
Matrices of more than 25 rows are divided first, and come out alike.

Source: Anderson et al., LAPACK Users' Guide (1999), ``syevd``, ``steqr`` and ``lartg``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any

SMALLEST, LARGEST = 3, 25
"""The sizes at which signs differ: 2 rows take a single rotation, without a choice."""

MOST_ELEMENTS = 1600
"""Of larger batches the signs stay NumPy's: to find them takes longer than all the rest."""


def eigh(x: Array, upper: bool = False) -> tuple[Array, Array]:
    """Eigenvalues, rising, and eigenvectors of Hermitian matrices.

    Args:
        x: (*, n, n), of which the lower triangle is looked at.
        upper: give the vectors the signs that they have when the upper triangle is looked at.
    """
    values, vectors = np.linalg.eigh(x)
    n = x.shape[-1]
    if SMALLEST <= n <= LARGEST and 0 < x.size <= MOST_ELEMENTS:
        for matrix, found in zip(x.reshape(-1, n, n), vectors.reshape(-1, n, n)):
            _give_signs(matrix, found, upper)
    return values, vectors


def _give_signs(matrix: Array, vectors: Array, upper: bool) -> None:
    n = len(matrix)
    weights = np.sqrt(np.arange(2.0, n + 2))  # a row that is orthogonal to no vector
    row = _turned_row(matrix, weights, np.finfo(matrix.dtype).eps / 2, upper)
    if row is None:
        return
    seen = weights @ vectors
    turn = np.conj(seen) * row
    size = np.abs(turn)
    vectors *= np.where(size > 0, turn / np.where(size > 0, size, 1), 1).astype(vectors.dtype)


def _turned_row(matrix: Array, weights: Array, epsilon: float, upper: bool) -> Array | None:
    """``weights @ vectors``, the vectors sorted by their values; None if it does not converge."""
    low = np.tril(matrix)
    whole = low + np.tril(low, -1).conj().T
    if upper:  # from the last row upwards
        parts = _tridiagonal(whole[::-1, ::-1], weights[::-1])
        diagonal, beside, row = (part[::-1] for part in parts)
    else:
        diagonal, beside, row = _tridiagonal(whole, weights)
    if not _iterate(diagonal, beside, row, epsilon):
        return None
    return np.array([row[i] for i in np.argsort(diagonal, kind="stable")])


def _tridiagonal(matrix: Array, weights: Array) -> tuple[list[float], list[float], list[Any]]:
    """The elements on and beside the diagonal, and ``weights`` times the reflections used."""
    n = len(matrix)
    wide = np.result_type(matrix.dtype, np.float64)
    a = matrix.astype(wide)
    row = weights.astype(wide)
    beside = []
    for i in range(n - 1):
        column = a[i + 1 :, i].copy()
        alpha = column[0]
        if not column[1:].any() and alpha.imag == 0:
            beside.append(float(alpha.real))
            continue
        beta = -math.copysign(float(np.linalg.norm(column)), alpha.real)
        scale = (beta - alpha) / beta
        column /= alpha - beta
        column[0] = 1
        rest = a[i + 1 :, i + 1 :]
        rest -= np.outer(np.conj(scale) * column, column.conj() @ rest)
        rest -= np.outer(rest @ column, scale * column.conj())
        tail = row[i + 1 :]
        tail -= (tail @ column) * scale * column.conj()
        beside.append(beta)
    return a.diagonal().real.tolist(), beside, row.tolist()


def _rotation(f: float, g: float) -> tuple[float, float, float]:
    """Cosine, sine and length that turn (f, g) to (length, 0), as up to LAPACK 3.9."""
    if g == 0:
        return 1.0, 0.0, f
    if f == 0:
        return 0.0, 1.0, g
    length = math.hypot(f, g)
    c, s = f / length, g / length
    if c < 0 and abs(f) > abs(g):
        return -c, -s, -length
    return c, s, length


def _iterate(d: list[float], e: list[float], row: list[Any], epsilon: float) -> bool:
    """Diagonalize in place, block by block."""
    n = len(d)
    steps = 30 * n
    start = 0
    while start < n:
        end = start
        while end < n - 1:
            if abs(e[end]) <= math.sqrt(abs(d[end])) * math.sqrt(abs(d[end + 1])) * epsilon:
                e[end] = 0.0
                break
            end += 1
        if end > start:
            upwards = abs(d[end]) < abs(d[start])
            steps = _block(d, e, row, epsilon, (start, end), upwards, steps)
            if steps < 0:
                return False
        start = end + 1
    return True


def _block(
    d: list[float], e: list[float], row: list[Any], epsilon: float, ends: tuple[int, int],
    upwards: bool, steps: int,
) -> int:  # fmt: skip
    """One block by the QL method, or by QR (``upwards``), which is QL on the block reversed.

    Returns:
        how many steps are left; less than 0 if they were not enough.
    """
    way = -1 if upwards else 1
    at, last = ends[::way]

    def beside(i: int) -> int:
        """The place in ``e`` between row i and the next one on the way."""
        return i if way == 1 else i - 1

    while (last - at) * way >= 0:
        stop = at
        while stop != last:
            small = epsilon * epsilon * abs(d[stop]) * abs(d[stop + way])
            if e[beside(stop)] ** 2 <= small + 1e-300:
                e[beside(stop)] = 0.0
                break
            stop += way
        if stop == at:
            at += way
            continue
        if stop == at + way:
            low = min(at, stop)
            first, second, c, s = _two_rows(d[low], e[low], d[low + 1])
            _turn(row, low, c, s)
            d[low], d[low + 1], e[low] = first, second, 0.0
            at += 2 * way
            continue
        steps -= 1
        if steps < 0:
            return steps
        p = d[at]
        g = (d[at + way] - p) / (2 * e[beside(at)])
        g = d[stop] - p + e[beside(at)] / (g + math.copysign(math.hypot(g, 1.0), g))
        s = c = 1.0
        p = 0.0
        i = stop - way
        while True:
            f, b = s * e[beside(i)], c * e[beside(i)]
            c, s, r = _rotation(g, f)
            if i != stop - way:
                e[beside(i + way)] = r
            g = d[i + way] - p
            r = (d[i] - g) * s + 2 * c * b
            p = s * r
            d[i + way] = g + p
            g = c * r - b
            _turn(row, min(i, i + way), c, -s * way)
            if i == at:
                break
            i -= way
        d[at] -= p
        e[beside(at)] = g
    return steps


def _turn(row: list[Any], j: int, c: float, s: float) -> None:
    """Rotate the columns j and j + 1."""
    first, second = row[j], row[j + 1]
    row[j + 1] = c * second - s * first
    row[j] = s * second + c * first


def _two_rows(a: float, b: float, c: float) -> tuple[float, float, float, float]:
    """The eigenvalues of ((a, b), (b, c)), the larger in size first, and the first's vector."""
    total, difference, double = a + c, a - c, 2 * b
    larger, smaller = (a, c) if abs(a) > abs(c) else (c, a)
    root = math.hypot(difference, double)
    sign = -1 if total < 0 else 1
    if total:
        first = 0.5 * (total + sign * root)
        second = (larger / first) * smaller - (b / first) * b
    else:
        first, second = 0.5 * root, -0.5 * root
    side = 1 if difference >= 0 else -1
    slope = difference + side * root
    if abs(slope) > abs(double):
        tangent = -double / slope
        sine = 1 / math.sqrt(1 + tangent * tangent)
        cosine = tangent * sine
    elif double == 0:
        cosine, sine = 1.0, 0.0
    else:
        tangent = -slope / double
        cosine = 1 / math.sqrt(1 + tangent * tangent)
        sine = tangent * cosine
    if sign == side:
        cosine, sine = -sine, cosine
    return first, second, cosine, sine


__all__ = ["eigh"]
