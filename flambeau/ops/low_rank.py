"""Approximate decompositions of large matrices of low rank, by random sketches.

Source: Halko, Martinsson and Tropp, Finding structure with randomness: probabilistic algorithms for
constructing approximate matrix decompositions (2009), algorithms 4.4 and 5.1.
"""

from __future__ import annotations

from typing import Any

from .eigenvalues import linalg_svd
from .matmul import matmul
from .matrix_factors import linalg_qr
from .operation import composite


def _basis(A: Any, q: int, niter: int) -> Any:
    """(*, m, q): orthonormal columns whose span nearly holds that of the matrices (*, m, n)."""
    from ..random.functions import randn

    found = linalg_qr(matmul(A, randn(A._array.shape[-1], q, dtype=A.dtype)))[0]
    across = A.mH
    for _ in range(niter):
        found = linalg_qr(matmul(across, found))[0]
        found = linalg_qr(matmul(A, found))[0]
    return found


@composite(method=False)
def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> Any:
    """An approximate singular value decomposition of matrices of rank about ``q``.

    Args:
        A: (*, m, n).
        q: how many singular values.
        niter: how many power iterations, which sharpen the approximation.
        M: (*, m, n), subtracted from ``A`` first.

    Returns:
        U (*, m, q), S (*, q), V (*, n, q) with ``A`` about ``U @ diag(S) @ V.mH``.
    """
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    if M is not None:
        A = A - M.expand(tuple(A._array.shape))
    m, n = A._array.shape[-2:]
    wide = m < n
    tall = A.mH if wide else A
    basis = _basis(tall, q, niter)
    left, values, right = linalg_svd(matmul(basis.mH, tall), full_matrices=False)
    left, right = matmul(basis, left), right.mH
    return (right, values, left) if wide else (left, values, right)


@composite(method=False)
def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """An approximate principal component analysis of the rows of matrices.

    Args:
        A: (*, m, n): m samples of n features.
        q: how many components; min(6, m, n) by default.
        center: subtract the columns' means first.
        niter: see :func:`svd_lowrank`.

    Returns:
        U, S, V as of :func:`svd_lowrank`; the columns of V are the principal directions.

    Raises:
        ValueError: ``q`` or ``niter`` is out of range.
    """
    m, n = A._array.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - A.mean((-2,), True)
    return svd_lowrank(A, q, niter)
