"""Factorizations and solutions of matrices on NumPy arrays; dims before the last two are a batch.

Nothing here raises for a matrix that has no factorization or solution, so that the others of its
batch keep theirs: factors come with ``info`` (0, or where it failed), solutions are not finite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .numpy_eigenvectors import eigh
from .numpy_ldl import ldl
from .numpy_singular_vectors import svd

Array = Any

_PANEL = 32
"""Columns that are eliminated one by one before the rest of the matrix is updated at once."""


class LinAlgError(RuntimeError):
    """A matrix for which the wanted factorization or solution does not exist.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.LinAlgError.html
    """

    __module__ = "torch.linalg"


def _matrices(x: Array) -> Array:
    return x.reshape(-1, *x.shape[-2:])


def _infos(x: Array) -> Array:
    return np.zeros(x.shape[:-2], np.int32)


def _each(function: Callable[..., Array], *arrays: Array) -> Array:
    """``function`` of each matrix of a batch, NaN where it raises NumPy's LinAlgError."""
    batch = np.broadcast_shapes(*(a.shape[:-2] for a in arrays))
    stacks = [_matrices(np.broadcast_to(a, (*batch, *a.shape[-2:]))) for a in arrays]
    results = []
    for matrices in zip(*stacks):
        try:
            results.append(function(*matrices))
        except np.linalg.LinAlgError:
            results.append(np.full(matrices[-1].shape, np.nan, matrices[-1].dtype))
    return np.stack(results).reshape(*batch, *results[0].shape)


# -- solutions --------------------------------------------------------------------------------


def inverse(x: Array) -> Array:
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return _each(np.linalg.inv, x)


def solve(x: Array, y: Array) -> Array:
    try:
        return np.linalg.solve(x, y)
    except np.linalg.LinAlgError:
        return _each(np.linalg.solve, x, y)


def solve_triangular(x: Array, y: Array, upper: bool, unitriangular: bool) -> Array:
    n, k = y.shape[-2:]
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    if not n or not k or 0 in batch:
        return np.zeros((*batch, n, k), y.dtype)
    full = np.triu(x) if upper else np.tril(x)
    if unitriangular:
        full[..., np.arange(n), np.arange(n)] = 1
    result = np.array(np.broadcast_to(y, (*batch, n, k)))
    _substitute(full, result, upper)
    return result


def _substitute(x: Array, result: Array, upper: bool) -> None:
    """Solve in place, half of the unknowns after the other."""
    n = x.shape[-1]
    if n > _PANEL:
        half = n // 2
        first, second = slice(0, half), slice(half, n)
        if upper:
            first, second = second, first
        _substitute(x[..., first, first], result[..., first, :], upper)
        result[..., second, :] -= np.matmul(x[..., second, first], result[..., first, :])
        _substitute(x[..., second, second], result[..., second, :], upper)
        return
    try:
        result[...] = np.linalg.solve(x, result)
    except np.linalg.LinAlgError:  # a zero on the diagonal: infinities, as PyTorch has them
        with np.errstate(divide="ignore", invalid="ignore"):
            for i in reversed(range(n)) if upper else range(n):
                known = slice(i + 1, n) if upper else slice(0, i)
                row = x[..., i : i + 1, known]
                if row.shape[-1]:
                    result[..., i : i + 1, :] -= np.matmul(row, result[..., known, :])
                result[..., i : i + 1, :] /= x[..., i : i + 1, i : i + 1]


# -- factorizations ---------------------------------------------------------------------------


def _cholesky(x: Array) -> tuple[Array, Array]:
    infos = _infos(x)
    try:
        return np.linalg.cholesky(x), infos
    except np.linalg.LinAlgError:
        factors = np.empty(x.shape, x.dtype)
        for position, matrix in enumerate(_matrices(x)):
            factor, info = _unfinished_cholesky(matrix)
            _matrices(factors)[position] = factor
            infos.reshape(-1)[position] = info
        return factors, infos


def _unfinished_cholesky(matrix: Array) -> tuple[Array, int]:
    """The factor as far as it goes, and the order of the minor that is not positive-definite."""
    factor = np.tril(matrix)
    for j in range(len(factor)):
        row = factor[j, :j]
        pivot = factor[j, j].real - np.vdot(row, row).real
        if not pivot > 0:
            return factor, j + 1
        factor[j, j] = np.sqrt(pivot)
        factor[j + 1 :, j] -= factor[j + 1 :, :j] @ row.conj()
        factor[j + 1 :, j] /= factor[j, j]
    return factor, 0


def _magnitude(x: Array) -> Array:
    """What LAPACK compares to find a pivot."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def _lu(x: Array) -> tuple[Array, Array, Array]:
    """The packed factors, the pivots (from 1), and the first zero on the diagonal (from 1)."""
    m, n = x.shape[-2:]
    k = min(m, n)
    batch = x.shape[:-2]
    packed = np.array(_matrices(x)) if x.size else np.empty((0, m, n), x.dtype)
    count = len(packed)
    pivots = np.zeros((count, k), np.int32)
    each = np.arange(count)
    for start in range(0, k, _PANEL):
        stop = min(start + _PANEL, k)
        for j in range(start, stop):
            best = np.argmax(_magnitude(packed[:, j:, j]), 1) + j
            pivots[:, j] = best + 1
            swapped = packed[each, best]
            packed[each, best] = packed[:, j]
            packed[:, j] = swapped
            pivot = packed[:, j, j]
            packed[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)[:, None]
            rest = packed[:, j + 1 :, j + 1 : stop]
            rest -= packed[:, j + 1 :, j, None] * packed[:, j, None, j + 1 : stop]
        if stop < n:
            block = packed[:, start:stop, start:stop]
            right = packed[:, start:stop, stop:]
            right[...] = solve_triangular(block, right, False, True)
            packed[:, stop:, stop:] -= np.matmul(packed[:, stop:, start:stop], right)
    zero = packed[:, np.arange(k), np.arange(k)] == 0
    infos = np.where(zero.any(1), zero.argmax(1) + 1, 0) if k else np.zeros(count)
    if not x.size:
        pivots = np.broadcast_to(np.arange(1, k + 1, dtype=np.int32), (*batch, k)).copy()
        return np.array(x), pivots, _infos(x)
    return (
        packed.reshape(x.shape), pivots.reshape(*batch, k), infos.astype(np.int32).reshape(batch)
    )  # fmt: skip


def _svd(x: Array, full: bool) -> tuple[Array, Array, Array]:
    if x.size:
        return svd(x, full)
    batch, (m, n) = x.shape[:-2], x.shape[-2:]
    k = min(m, n)

    def identity(rows: int, columns: int) -> Array:
        return np.array(
            np.broadcast_to(np.eye(rows, columns, dtype=x.dtype), (*batch, rows, columns))
        )

    left, right = identity(m, m if full else k), identity(n if full else k, n)
    return left, np.zeros((*batch, k), x.real.dtype), right


def _qr(x: Array, mode: Any) -> tuple[Array, ...]:
    if x.size:
        return tuple(np.linalg.qr(x, mode))
    batch, (m, n) = x.shape[:-2], x.shape[-2:]
    k = m if mode == "complete" else min(m, n)
    q = np.array(np.broadcast_to(np.eye(m, k, dtype=x.dtype), (*batch, m, k)))
    return q, np.zeros((*batch, k, n), x.dtype)


def _geqrf(x: Array) -> tuple[Array, Array]:
    """``R`` with the Householder vectors below it, and their scales."""
    if not x.size:
        return np.array(x), np.zeros((*x.shape[:-2], min(x.shape[-2:])), x.dtype)
    packed, scales = np.linalg.qr(x, "raw")
    return packed.swapaxes(-1, -2), scales


def _eig(x: Array) -> tuple[Array, Array]:
    kind = np.result_type(x.dtype, np.complex64)
    if not x.size:
        return np.zeros(x.shape[:-1], kind), np.zeros(x.shape, kind)
    values, vectors = np.linalg.eig(x)
    return values.astype(kind, copy=False), vectors.astype(kind, copy=False)


def _eigvals(x: Array) -> tuple[Array]:
    kind = np.result_type(x.dtype, np.complex64)
    if not x.size:
        return (np.zeros(x.shape[:-1], kind),)
    return (np.linalg.eigvals(x).astype(kind, copy=False),)


def _slogdet(x: Array) -> tuple[Array, Array]:
    sign, size = np.linalg.slogdet(x)
    return np.asarray(sign), np.asarray(size)


_FACTORIZATIONS: dict[str, Callable[[Array], tuple[Array, ...]]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "ldl": lambda x: ldl(x, False),
    "ldl_hermitian": lambda x: ldl(x, True),
    "qr": lambda x: _qr(x, "reduced"),
    "qr_complete": lambda x: _qr(x, "complete"),
    "geqrf": _geqrf,
    "svd": lambda x: _svd(x, False),
    "svd_full": lambda x: _svd(x, True),
    "svdvals": lambda x: (_svd(x, False)[1] if not x.size else np.linalg.svd(x, compute_uv=False),),
    "eigh": eigh,
    "eigh_upper": lambda x: eigh(x, True),
    "eigvalsh": lambda x: (np.linalg.eigvalsh(x),),
    "eig": _eig,
    "eigvals": _eigvals,
    "slogdet": _slogdet,
}  # fmt: skip


def factors(x: Array, kind: str) -> tuple[Array, ...]:
    """All parts of a factorization at once; see the primitive ``factor``.

    Raises:
        LinAlgError: the iteration did not converge.
        RuntimeError: "eig" of what is not finite.
    """
    try:
        return _FACTORIZATIONS[kind](x)
    except np.linalg.LinAlgError:
        raise _divergence(x, kind) from None


def factor(x: Array, kind: str, part: int) -> Array:
    """One part of a factorization of matrices."""
    return factors(x, kind)[part]


def _divergence(x: Array, kind: str) -> RuntimeError:
    """PyTorch's error for an iteration over singular values or eigenvalues that did not end."""
    place = _non_finite_member(x)
    if kind.startswith("svd"):
        why = "is ill-conditioned or has too many repeated singular values (error code: 1)"
        if place is not None:
            why = "contained non-finite values"
        name = "linalg.svd"
    elif kind in ("eig", "eigvals") and place is not None:
        return RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    else:
        why = "is ill-conditioned or has too many repeated eigenvalues (error code: 1)"
        name = "linalg.eigh" if kind.startswith("eigh") or kind == "eigvalsh" else "linalg.eig"
    where = f"(Batch element {place or 0}): " if x.ndim > 2 else ""
    return LinAlgError(
        f"{name}: {where}The algorithm failed to converge because the input matrix {why}."
    )


def _non_finite_member(x: Array) -> int | None:
    wrong = ~np.isfinite(_matrices(x)).all((-1, -2))
    return int(wrong.argmax()) if wrong.any() else None


# -- the exponential --------------------------------------------------------------------------

_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
    40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
"""Coefficients of the Pade approximant of degree 13 (Higham 2005)."""

_LARGEST_NORM = 5.371920351148152
"""Up to this 1-norm the approximant is exact in double precision."""


def matrix_exp(x: Array) -> Array:
    """The exponentials by scaling and squaring, computed in double precision.

    Source: Higham, The scaling and squaring method for the matrix exponential revisited (2005).
    """
    if not x.size:
        return np.array(x)
    a = _matrices(x).astype(np.result_type(x.dtype, np.float64))
    norms = np.abs(a).sum(1).max(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.ceil(np.log2(norms / _LARGEST_NORM))
    squarings = np.where(np.isfinite(wanted) & (wanted > 0), wanted, 0).astype(int)
    a *= 0.5 ** squarings[:, None, None]
    identity = np.eye(x.shape[-1])
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    b = _PADE
    odd = a6 @ (a6 * b[13] + a4 * b[11] + a2 * b[9])
    odd = a @ (odd + a6 * b[7] + a4 * b[5] + a2 * b[3] + identity * b[1])
    even = a6 @ (a6 * b[12] + a4 * b[10] + a2 * b[8])
    even = even + a6 * b[6] + a4 * b[4] + a2 * b[2] + identity * b[0]
    result = solve(even - odd, even + odd)
    for step in range(squarings.max()):
        more = squarings > step
        result[more] = result[more] @ result[more]
    return result.astype(x.dtype).reshape(x.shape)


__all__ = [
    "LinAlgError", "factor", "factors", "inverse", "matrix_exp", "solve", "solve_triangular",
]  # fmt: skip
