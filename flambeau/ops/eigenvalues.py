"""Eigenvalues and singular values of matrices, with their vectors.

The matrices are the last two dims; those before them are a batch.  Vectors are unique up to a
factor of size 1 (and a rotation among equal values): gradients are those of functions that do not
depend on it, in PyTorch's convention for complex numbers as they stand.

Source: https://pytorch.org/docs/stable/linalg.html#matrix-decompositions
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .matrix_checks import require_factorable, require_square
from .matrix_factors import hermitian, symmetrized
from .matrix_parts import (
    adjoint,
    as_kind,
    columns,
    constant,
    diagonal_matrix,
    diagonal_of,
    kept,
    product,
    rows,
    total,
)
from .operation import Array, composite, operation
from .return_types import return_type

# -- of Hermitian matrices --------------------------------------------------------------------


def _gaps(xp: Any, values: Any) -> Any:
    """Value j - value i in row i and column j; 1 on the diagonal."""
    off = ~np.eye(values.shape[-1], dtype=bool)
    return xp.where(
        constant(values, off), columns(xp, values) - rows(xp, values),
        xp.full((), 1, xp.dtype(values)),
    )  # fmt: skip


def _off_diagonal(xp: Any, x: Any) -> Any:
    return kept(xp, x, ~np.eye(x.shape[-1], dtype=bool))


@operation(public=False, method=False, name="eigh_factors", dtypes="inexact", holomorphic=False,
           outputs=("eigenvalues", "eigenvectors"), node_name="LinalgEighBackward0",
           samples=(("symmetric(2,2)",), ("symmetric(3,2,2)", True)))  # fmt: skip
def eigh_(xp, A: Array, upper: bool = False):
    """The eigenvalues, rising, and eigenvectors (columns) of the Hermitian part of ``A``.

    ``upper`` has a say in the vectors' signs only.
    """
    return xp.factors(symmetrized(xp, A), "eigh_upper" if upper else "eigh")


@eigh_.vjp("A")
def _(xp, grad, out):
    by_values, by_vectors = grad
    values, vectors = out
    back = adjoint(xp, vectors)
    middle = None
    if by_vectors is not None:
        inner = xp.matmul(back, by_vectors)
        middle = _off_diagonal(xp, (inner - adjoint(xp, inner)) * 0.5 / _gaps(xp, values))
    if by_values is not None:
        if xp.dtype(vectors).kind == "c":
            by_values = xp.astype(by_values, xp.dtype(vectors))
        middle = total(middle, diagonal_matrix(xp, by_values))
    return product(xp, vectors, middle, back)


def _triangle_of(A: Any, UPLO: str, name: str) -> Any:
    """``A``, of which one triangle is looked at, as a Hermitian matrix."""
    require_square(name, A)
    side = UPLO.upper()
    if side not in ("U", "L"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return hermitian(A, side == "U")


@composite(out=True, public=False)
def eigh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues (rising) and eigenvectors (columns) of Hermitian matrices.

    Args:
        A: (*, n, n).
        UPLO: which triangle is looked at: "L" or "U".
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: eigenvalues (*, n), real, and eigenvectors (*, n, n).

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers, or another ``UPLO``.
        torch.linalg.LinAlgError: an iteration does not converge.
    """
    found = eigh_(_triangle_of(A, UPLO, "linalg.eigh"), UPLO.upper() == "U")
    return return_type("linalg_eigh", ("eigenvalues", "eigenvectors"))(tuple(found))


@composite(out=True, public=False)
def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of Hermitian matrices (*, n, n), rising; see :func:`eigh`.

    Args:
        A: the matrices; one triangle is read.
        UPLO: which, "L" or "U".

    Returns:
        real numbers (*, n).
    """
    A = _triangle_of(A, UPLO, "linalg.eigh")
    return eigh_(A)[0] if A.requires_grad else eigvalsh_(A)


@operation(public=False, method=False, name="eigvalsh_values", dtypes="inexact", holomorphic=False,
           node_name="LinalgEighBackward0", samples=(("symmetric(3,3)",),))  # fmt: skip
def eigvalsh_(xp, A: Array):
    """The eigenvalues alone, where no gradient will be asked for."""
    (values,) = xp.factors(symmetrized(xp, A), "eigvalsh")
    return values


# -- of any square matrices -------------------------------------------------------------------


@operation(public=False, method=False, name="eig_factors", holomorphic=False, dtypes="inexact",
           outputs=("eigenvalues", "eigenvectors"), node_name="LinalgEigBackward0",
           samples=(("symmetric(3,3)",),))  # fmt: skip
def eig_(xp, A: Array):
    """The eigenvalues and eigenvectors (columns), complex."""
    return xp.factors(A, "eig")


@eig_.vjp("A")
def _(xp, grad, out, A_dtype):
    by_values, by_vectors = grad
    values, vectors = out
    middle = None
    if by_vectors is not None:
        back = adjoint(xp, vectors)
        inner = xp.matmul(back, by_vectors)
        # the vectors' lengths stay 1: what would change them does not count
        lengths = xp.astype(xp.real(diagonal_of(xp, inner)), xp.dtype(vectors))
        inner = inner - xp.matmul(back, vectors) * columns(xp, lengths)
        middle = _off_diagonal(xp, inner / xp.conj(_gaps(xp, values)))
    if by_values is not None:
        middle = total(middle, diagonal_matrix(xp, by_values))
    back = adjoint(xp, vectors)
    return as_kind(xp, xp.solve(back, xp.matmul(middle, back)), A_dtype)


@operation(public=False, method=False, name="eigvals_values", holomorphic=False, dtypes="inexact",
           node_name="LinalgEigBackward0", samples=(("symmetric(3,3)",),))  # fmt: skip
def eigvals_(xp, A: Array):
    """The eigenvalues alone, where no gradient will be asked for."""
    (values,) = xp.factors(A, "eigvals")
    return values


@composite(out=True, public=False)
def eig(A: Any) -> Any:
    """The eigenvalues and eigenvectors (columns of length 1) of square matrices.

    Args:
        A: (*, n, n).
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: eigenvalues (*, n) and eigenvectors (*, n, n), both complex.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: an iteration does not converge.
    """
    require_square("linalg.eig", A)
    return return_type("linalg_eig", ("eigenvalues", "eigenvectors"))(tuple(eig_(A)))


@composite(out=True, public=False)
def eigvals(A: Any) -> Any:
    """The eigenvalues of square matrices; see :func:`eig`.

    Args:
        A: (*, n, n).

    Returns:
        (*, n), complex.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: an iteration does not converge.
    """
    require_square("linalg.eigvals", A)
    return eig_(A)[0] if A.requires_grad else eigvals_(A)


# -- singular values --------------------------------------------------------------------------


@operation(public=False, method=False, name="svd_factors", dtypes="inexact", holomorphic=False,
           outputs=("U", "S", "Vh"), node_name="LinalgSvdBackward0",
           samples=(((3, 3), False), ((4, 3), False), ((2, 3, 4), False)))  # fmt: skip
def svd_(xp, A: Array, full_matrices: bool):
    """Orthonormal columns ``U``, singular values ``S`` falling, orthonormal rows ``Vh``."""
    return xp.factors(A, "svd_full" if full_matrices else "svd")


@operation(public=False, method=False, name="svdvals_values", dtypes="inexact", holomorphic=False,
           node_name="LinalgSvdBackward0", samples=(((4, 3),),))  # fmt: skip
def svdvals_(xp, A: Array):
    """The singular values alone, where no gradient will be asked for."""
    (values,) = xp.factors(A, "svdvals")
    return values


def _skew(xp: Any, x: Any) -> Any:
    return x - adjoint(xp, x)


def _first(xp: Any, x: Any, count: int, dim: int) -> Any:
    """The first ``count`` columns (dim -1) or rows (dim -2)."""
    if x is None or x.shape[dim] == count:
        return x
    key = [slice(None)] * x.ndim
    key[dim] = slice(0, count)
    return xp.slice(x, tuple(key))


@svd_.vjp("A")
def _(xp, grad, out):
    left, values, right = out
    k = values.shape[-1]
    left, right = _first(xp, left, k, -1), _first(xp, right, k, -2)
    by_left, by_values, by_right = _first(xp, grad[0], k, -1), grad[1], _first(xp, grad[2], k, -2)
    m, n = left.shape[-2], right.shape[-1]
    kind = xp.dtype(left)
    cast = (lambda x: xp.astype(x, kind)) if kind.kind == "c" else (lambda x: x)
    inner = None if by_values is None else diagonal_matrix(xp, cast(by_values))
    gaps = _gaps(xp, values * values)
    outside: list[Any] = []
    if by_left is not None:
        turn = xp.matmul(adjoint(xp, left), by_left)
        skew = _skew(xp, turn)
        inner = total(inner, _off_diagonal(xp, skew / gaps) * columns(xp, values))
        if kind.kind == "c":  # the phases of U and V are one
            inner = inner + diagonal_matrix(xp, diagonal_of(xp, skew) * 0.5 / values)
        if m > k:
            rest = by_left - xp.matmul(left, turn)
            outside.append(xp.matmul(rest / columns(xp, values), right))
    if by_right is not None:
        turn = xp.matmul(right, adjoint(xp, by_right))
        inner = total(inner, rows(xp, values) * _off_diagonal(xp, _skew(xp, turn) / gaps))
        if n > k:
            rest = by_right - xp.matmul(adjoint(xp, turn), right)
            outside.append(xp.matmul(left, rest / rows(xp, values)))
    return total(product(xp, left, inner, right), *outside)


def _require_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            f"{name}: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER "
            "backend."
        )


@composite(out=True, public=False)
def linalg_svd(A: Any, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """The singular value decomposition ``A = U @ diag(S) @ Vh``, a named tuple.

    Args:
        A: (*, m, n).
        full_matrices: whether ``U`` and ``Vh`` are square, rather than of min(m, n) vectors.
        driver: cuSOLVER's, on GPUs only: None.
        out: a tuple of three tensors to write the results into.

    Returns:
        U (*, m, m) and Vh (*, n, n), orthonormal, or (*, m, k) and (*, k, n) with k = min(m, n);
        S (*, k), real, falling.

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers, or another ``driver``.
        torch.linalg.LinAlgError: the iteration does not converge (NaN, for example).
    """
    require_factorable("linalg.svd", A)
    _require_driver("torch.linalg.svd", driver)
    return return_type("linalg_svd", ("U", "S", "Vh"))(tuple(svd_(A, full_matrices)))


@composite(out=True, public=False)
def svdvals(A: Any, *, driver: str | None = None) -> Any:
    """The singular values of matrices, falling.

    Args:
        A: (*, m, n).
        driver: cuSOLVER's, on GPUs only: None.

    Returns:
        real numbers (*, min(m, n)).

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers, or another ``driver``.
    """
    require_factorable("linalg.svd", A)
    _require_driver("torch.linalg.svd", driver)
    return svd_(A, False)[1] if A.requires_grad else svdvals_(A)


@composite(out=True)
def svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition ``input = U @ diag(S) @ V.mH``.

    Args:
        input: (*, m, n).
        some: whether ``U`` and ``V`` are of min(m, n) vectors, rather than square.
        compute_uv: False: ``U`` and ``V`` are zeros.
        out: a tuple of three tensors to write the results into.

    Returns:
        A named tuple: U (*, m, k), S (*, k) falling, V (*, n, k), with k = min(m, n) unless square.

    Raises:
        RuntimeError: ``input`` has fewer than two dims, or holds whole numbers.
    """
    if input._array.ndim < 2:
        raise RuntimeError("linalg.svd: input should have at least 2 dimensions, but got "
                           f"{input._array.ndim} dimensions instead")  # fmt: skip
    fields = return_type("svd", ("U", "S", "V"))
    if not compute_uv:
        *batch, m, n = input._array.shape
        values = svdvals(input)
        return fields((input.new_zeros((*batch, m, m)), values, input.new_zeros((*batch, n, n))))
    require_factorable("linalg.svd", input)
    left, values, right = svd_(input, not some)
    return fields((left, values, right.mH))
