"""Triangular and orthogonal factors of matrices: Cholesky, QR, Householder vectors.

The matrices are the last two dims; those before them are a batch.  Gradients are in PyTorch's
convention for complex numbers as they stand; the formulas are derived in Giles, An extended
collection of matrix derivative results (2008), and Walter and Lehmann, Algorithmic differentiation
of linear algebra functions (2012).

Source: https://pytorch.org/docs/stable/linalg.html#matrix-decompositions
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .dtype_checks import require_kinds, type_word
from .matmul import matmul
from .matrix_checks import (
    raise_failures,
    require_factorable,
    require_floating,
    require_square,
)
from .matrix_parts import (
    adjoint,
    block,
    halved_diagonal,
    identity_like,
    kept,
    lower_part,
    total,
    upper_part,
)
from .matrix_solutions import inverse_, require_sizes, solve_, triangular
from .operation import Array, composite, operation, renamed
from .return_types import return_type

# -- one triangle for both ----------------------------------------------------------------------


@operation(public=False, method=False, name="mirrored_triangle", dtypes="inexact",
           holomorphic=False, samples=(("symmetric(3,3)", False), ((2, 3, 3), True)))  # fmt: skip
def mirrored_triangle(xp, A: Array, upper: bool):
    """The Hermitian matrices of which ``A`` has one triangle.

    The gradient goes through as it is: as in PyTorch a function of Hermitian matrices has the
    gradient for Hermitian changes, whichever triangle it looks at.
    """
    part = upper_part(xp, A, 1) if upper else lower_part(xp, A, -1)
    return part + adjoint(xp, part) + kept(xp, A, np.eye(A.shape[-1], dtype=bool))


@mirrored_triangle.vjp("A")
def _(xp, grad):
    return grad


def hermitian(A: Any, upper: bool = False) -> Any:
    """``A`` with its ``upper`` or lower triangle mirrored; ``A`` itself if it is Hermitian."""
    if A._base is not None:
        A._refresh()
    array = A._array
    if array.__class__ is np.ndarray:
        across = array.swapaxes(-1, -2)
        if np.array_equal(array, across.conj() if array.dtype.kind == "c" else across):
            return A
    return mirrored_triangle(A, upper)


@operation(public=False, method=False, name="one_triangle", dtypes="inexact", holomorphic=False,
           samples=(("lower(3,3)", False), ((2, 3, 3), True)))  # fmt: skip
def one_triangle(xp, A: Array, upper: bool):
    """The upper or the lower triangle; the gradient goes through as it is.

    So is PyTorch's gradient of functions of Cholesky factors, which look at one triangle only.
    """
    return upper_part(xp, A) if upper else lower_part(xp, A)


@one_triangle.vjp("A")
def _(xp, grad):
    return grad


def _factor_of(L: Any, upper: bool) -> Any:
    """``L``, of which one triangle is looked at, as a lower triangular matrix."""
    if L._base is not None:
        L._refresh()
    array = L._array
    known = array.__class__ is np.ndarray
    if not known or (np.tril(array, -1) if upper else np.triu(array, 1)).any():
        L = one_triangle(L, upper)
    return L.mH if upper else L


def symmetrized(xp: Any, x: Any) -> Any:
    """The Hermitian part: of Hermitian matrices exactly themselves."""
    return (x + adjoint(xp, x)) * 0.5


# -- Cholesky ---------------------------------------------------------------------------------


@operation(public=False, method=False, name="cholesky_factors", dtypes="inexact",
           holomorphic=False, outputs=("L", "info"), differentiable=(True, False),
           node_name="LinalgCholeskyExBackward0",
           samples=(("positive(3,3)",), ("positive(2,3,3)",)))  # fmt: skip
def cholesky_(xp, A: Array):
    """The lower triangular ``L`` with ``L @ L.mH = A``, of the Hermitian part of ``A``."""
    return xp.factors(symmetrized(xp, A), "cholesky")


@cholesky_.vjp("A")
def _(xp, grad, out):
    lower = out[0]
    middle = halved_diagonal(xp, lower_part(xp, xp.matmul(adjoint(xp, lower), grad)))
    middle = symmetrized(xp, middle)
    across = adjoint(xp, lower)
    left = xp.solve_triangular(across, middle, True, False)
    return adjoint(xp, xp.solve_triangular(across, adjoint(xp, left), True, False))


_INDEFINITE = (
    "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {info} is not positive-definite)."
)


@composite(out=True, public=False)
def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:
    """The Cholesky factor and, for each matrix, 0 or the order of a minor that is not positive.

    Args:
        A: (*, n, n).
        upper: give ``L.mH``, for ``A = U.mH @ U``.
        check_errors: raise as :func:`cholesky` does.
        out: a pair of tensors to write the results into.

    Returns:
        a named tuple: L (*, n, n), info (*) int32.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        NotImplementedError: ``A`` is of half precision.
        torch.linalg.LinAlgError: a matrix is not positive-definite, with ``check_errors``.
    """
    require_square("linalg.cholesky", A, floating=False)
    require_floating("linalg.cholesky", A, half=True)
    if A._array.dtype.itemsize <= 2:
        raise NotImplementedError(f"\"cholesky_cpu\" not implemented for '{type_word(A._array)}'")
    lower, info = cholesky_(hermitian(A, upper))
    if check_errors:
        raise_failures("linalg.cholesky_ex", info, _INDEFINITE)
    return return_type("linalg_cholesky_ex", ("L", "info"))((lower.mH if upper else lower, info))


@composite(out=True, public=False)
def linalg_cholesky(A: Any, *, upper: bool = False) -> Any:
    """The Cholesky factor ``L`` of Hermitian positive-definite matrices, ``A = L @ L.mH``.

    Args:
        A: (*, n, n); only one triangle is looked at.
        upper: give ``L.mH``, for ``A = U.mH @ U``.

    Returns:
        (*, n, n), zero in the other triangle.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a matrix is not positive-definite.
    """
    factor, info = cholesky_ex(A, upper=upper)
    raise_failures("linalg.cholesky", info, _INDEFINITE)
    return factor


@composite(out=True)
def cholesky(input: Any, upper: bool = False) -> Any:
    """The Cholesky factor; see ``torch.linalg.cholesky``.

    Args:
        input: (*, n, n); only one triangle is looked at.
        upper: give ``L.mH``, for ``input = U.mH @ U``.

    Returns:
        (*, n, n), zero in the other triangle.

    Raises:
        RuntimeError: ``input`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a matrix is not positive-definite.
    """
    require_square("cholesky", input)
    lower, info = cholesky_(hermitian(input, upper))
    raise_failures("cholesky", info, _INDEFINITE)
    return renamed(lower.mH if upper else lower, "CholeskyBackward0")


@composite(out=True)
def cholesky_solve(input: Any, L: Any, upper: bool = False) -> Any:
    """The solution of ``A @ X = input``, given the Cholesky factor of ``A``.

    Args:
        input: (*, n, k).
        L: (*, n, n), lower triangular with ``A = L @ L.mH``, or upper with ``A = L.mH @ L``.
        upper: which triangle of ``L`` is looked at.

    Returns:
        (*, n, k).

    Raises:
        RuntimeError: the shapes do not fit, or an operand holds whole numbers.
    """
    for tensor, argument in ((input, "b"), (L, "u")):
        if tensor._array.ndim < 2:
            raise RuntimeError(
                f"{argument} should have at least 2 dimensions, but has {tensor._array.ndim} "
                "dimensions instead"
            )
    m, n = L._array.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"A must be batches of square matrices, but they are {m} by {n} matrices"
        )
    require_sizes("cholesky_solve", L, input)
    require_floating("cholesky_solve", L, input)
    lower = _factor_of(L, upper)
    return renamed(solve_(lower.mH, solve_(lower, input)), "CholeskySolveBackward0")


@composite(out=True)
def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """The inverse of the matrix that has the Cholesky factor ``L``; see :func:`cholesky_solve`.

    Args:
        L: (*, n, n), lower triangular with ``A = L @ L.mH``, or upper with ``A = L.mH @ L``.
        upper: which triangle of ``L`` is looked at.

    Returns:
        (*, n, n).

    Raises:
        RuntimeError: ``L`` is of other matrices.
        NotImplementedError: ``L`` holds whole numbers.
    """
    require_square("cholesky_inverse", L, floating=False)
    require_kinds("cholesky_inverse_out_cpu", "fc", L._array)
    root = inverse_(_factor_of(L, upper))
    return renamed(matmul(root.mH, root), "CholeskyInverseBackward0")


# -- QR ---------------------------------------------------------------------------------------


@operation(public=False, method=False, name="qr_factors", dtypes="inexact", outputs=("Q", "R"),
           holomorphic=False, node_name="LinalgQrBackward0",
           samples=(((3, 3), "reduced"), ((4, 3), "reduced"), ((2, 2, 3), "reduced"),
                    ((2, 3), "complete")))  # fmt: skip
def qr_(xp, A: Array, mode: str):
    """Orthonormal columns ``Q`` and an upper triangular matrix ``R`` with ``Q @ R = A``."""
    return xp.factors(A, "qr_complete" if mode == "complete" else "qr")


@qr_.vjp("A")
def _(xp, grad, out, mode):
    by_q, by_r = grad
    q, r = out
    m, n = q.shape[-2], r.shape[-1]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
            "use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    if m >= n:
        return _square_qr_gradient(xp, q, r, by_q, by_r)
    # A = [X | Y] and R = [U | V] with X = Q U and V = Q.mH Y
    every, front, rest = slice(None), slice(0, m), slice(m, n)
    square = block(xp, r, every, front)
    if by_r is None:
        by_x = _square_qr_gradient(xp, q, square, by_q, None)
        return xp.pad(by_x, (*((0, 0),) * (by_x.ndim - 1), (0, n - m)))
    by_u, by_v = block(xp, by_r, every, front), block(xp, by_r, every, rest)
    y = xp.matmul(q, block(xp, r, every, rest))
    by_q = total(by_q, xp.matmul(y, adjoint(xp, by_v)))
    by_x = _square_qr_gradient(xp, q, square, by_q, by_u)
    return xp.cat([by_x, xp.matmul(q, by_v)], q.ndim - 1)


def _square_qr_gradient(xp: Any, q: Any, r: Any, by_q: Any, by_r: Any) -> Any:
    """The gradient where ``R`` is square."""
    inner = None if by_r is None else xp.matmul(by_r, adjoint(xp, r))
    if by_q is not None:
        inner = total(inner, -xp.matmul(adjoint(xp, q), by_q))
    upper = upper_part(xp, inner)
    symmetric = halved_diagonal(xp, upper + adjoint(xp, upper))
    found = total(xp.matmul(q, symmetric), by_q)
    # found @ inverse of R adjoint
    return adjoint(xp, xp.solve_triangular(r, adjoint(xp, found), True, False))


@composite(out=True, public=False)
def linalg_qr(A: Any, mode: str = "reduced") -> Any:
    """The QR decomposition: Q and R with ``Q @ R = A``.

    Args:
        A: (*, m, n).
        mode: ``"reduced"``: Q is (*, m, k), R is (*, k, n) with k = min(m, n); ``"complete"``: Q is
            (*, m, m); ``"r"``: as reduced, Q being empty.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: Q and R.

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers, or another ``mode``.
    """
    require_factorable("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    q, r = qr_(A, mode)
    if mode == "r":
        q = A.detach().new_empty((0,))
    return return_type("linalg_qr", ("Q", "R"))((q, r))


@composite(out=True)
def qr(input: Any, some: bool = True) -> Any:
    """The QR decomposition; see ``torch.linalg.qr``.

    Args:
        input: (*, m, n).
        some: whether Q is (*, m, min(m, n)), rather than (*, m, m).
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: Q and R.

    Raises:
        RuntimeError: ``input`` has fewer than two dims or holds whole numbers.
    """
    found = linalg_qr(input, "reduced" if some else "complete")
    return return_type("qr", ("Q", "R"))(tuple(found))


# -- Householder vectors ----------------------------------------------------------------------


@operation(method=False, public=False, name="geqrf", dtypes="inexact", outputs=("a", "tau"),
           node_name="GeqrfBackward0", samples=(((4, 3),), ((2, 2, 3),)))  # fmt: skip
def geqrf_(xp, input: Array):
    """``R`` with the Householder vectors of ``Q`` below it, and their scales."""
    return xp.factors(input, "geqrf")


geqrf_.refuse_derivative()


@composite(out=True)
def geqrf(input: Any) -> Any:
    """A QR decomposition as LAPACK leaves it.

    Args:
        input: (*, m, n).
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: a (*, m, n), ``R`` on and above the diagonal, the Householder vectors below
        it; tau (*, min(m, n)), their scales.

    Raises:
        RuntimeError: ``input`` has fewer than two dims or holds whole numbers.
    """
    if input._array.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    require_floating("torch.geqrf", input)
    return geqrf_(input)


def _require_reflectors(name: str, input: Any, tau: Any) -> None:
    if input._array.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    *batch, m, n = input._array.shape
    if name != "torch.ormqr" and m < n:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if name != "torch.ormqr" and n < tau._array.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if input._array.ndim - tau._array.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal "
            f"to {tau._array.ndim} and input.ndim is equal to {input._array.ndim}"
        )
    if tuple(tau._array.shape[:-1]) != tuple(batch):
        what = "tau.shape[:-1] to be equal to input.shape[:-2]"
        raise RuntimeError(
            f"{name}: Expected batch dimensions of {what}, but got {list(tau._array.shape[:-1])}"
        )
    if tau._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {type_word(tau._array)} does not match input dtype "
            f"{type_word(input._array)}"
        )
    require_kinds("orgqr_cpu", "fc", input._array)


def _reflected(input: Any, tau: Any, other: Any, adjoint_: bool = False) -> Any:
    """``Q @ other``, Q the product of the reflections I - tau v v.mH, or Q.mH @ other.

    The product is I - V T V.mH with a triangular T, whose inverse has V.mH V above the diagonal and
    the inverse scales on it (the compact WY form).

    Source: Schreiber and Van Loan, A storage-efficient WY representation for products of
    Householder transformations (1989).
    """
    k = tau._array.shape[-1]
    vectors = input[..., :, :k].tril(-1)
    vectors = vectors + identity_like(vectors)
    gram = matmul(vectors.mH, vectors).triu(1)
    inner = matmul(vectors.mH, other)
    scale = tau.unsqueeze(-1)
    if adjoint_:
        # T.mH = D.mH (I + striu.mH D.mH)^-1, lower triangular
        solved = triangular(gram.mH * scale.conj().mT, inner, False, True)
        return other - matmul(vectors, solved * scale.conj())
    solved = triangular(gram * scale, inner * scale, True, True)
    return other - matmul(vectors, solved)


@composite(out=True, public=False)
def householder_product(A: Any, tau: Any) -> Any:
    """The first n columns of the product of Householder reflections.

    Args:
        A: (*, m, n), the vectors below its diagonal.
        tau: (*, k), their scales, k <= n.

    Returns:
        (*, m, n).

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
        NotImplementedError: whole numbers.
    """
    _require_reflectors("torch.linalg.householder_product", A, tau)
    found = _reflected(A, tau, identity_like(A))
    return renamed(found, "LinalgHouseholderProductBackward0")


@composite(out=True)
def orgqr(input: Any, input2: Any) -> Any:
    """The columns of Q from what ``geqrf`` gave; see ``torch.linalg.householder_product``.

    Args:
        input: (*, m, n), the Householder vectors below its diagonal.
        input2: (*, k), their scales, k <= n.

    Returns:
        (*, m, n).

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    return householder_product(input, input2)


@composite(out=True)
def ormqr(input: Any, input2: Any, input3: Any, left: bool = True, transpose: bool = False) -> Any:
    """``Q @ input3`` (or ``input3 @ Q``), Q being given by Householder vectors.

    Args:
        input: (*, m or n, k), the vectors below the diagonal.
        input2: (*, k), their scales.
        input3: (*, m, n).
        left: whether Q is multiplied from the left.
        transpose: multiply by ``Q.mH``.

    Returns:
        (*, m, n).

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    name = "torch.ormqr"
    if input._array.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if input3._array.ndim < 2:
        raise RuntimeError(f"{name}: other must have at least 2 dimensions.")
    side = -2 if left else -1
    rows = input3._array.shape[side]
    reflections = input2._array.shape[-1] if input2._array.ndim else 0
    if rows < reflections:
        raise RuntimeError(
            f"{name}: other.shape[{side}] must be greater than or equal to tau.shape[-1]"
        )
    if reflections != min(rows, input._array.shape[-1]):
        raise RuntimeError(
            f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])"
        )
    if input._array.shape[-2] != rows:
        raise RuntimeError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    if input._array.dtype != input3._array.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but input has dtype"
            f"{type_word(input._array)} and other has dtype {type_word(input3._array)}"
        )
    _require_reflectors(name, input, input2)
    if left:
        found = _reflected(input, input2, input3, transpose)
    else:
        found = _reflected(input, input2, input3.mH, not transpose).mH
    return renamed(found, "OrmqrBackward0")
