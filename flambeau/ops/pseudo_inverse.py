"""Pseudo-inverses, ranks and least-squares solutions: matrices that have no inverse.

Source: https://pytorch.org/docs/stable/generated/torch.linalg.pinv.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from .eigenvalues import eigvalsh, svdvals
from .matmul import matmul
from .matrix_checks import (
    require_floating,
    require_matrices,
    require_square,
    require_tensor,
)
from .matrix_parts import adjoint, columns, product, rows
from .matrix_solutions import is_vector
from .operation import Array, composite, operation, renamed
from .return_types import return_type

# -- pseudo-inverse ---------------------------------------------------------------------------


@operation(public=False, method=False, name="pseudo_inverse", dtypes="inexact", holomorphic=False,
           node_name="LinalgPinvBackward0",
           samples=(((4, 3), 0.0, 1e-12), ((2, 2, 3), 0.0, 1e-12),
                    ("complex(3, 2)", 0.0, 1e-12)))  # fmt: skip
def pinv_(xp, A: Array, atol: Any, rtol: Any, hermitian: bool = False):
    """The Moore-Penrose inverses, singular values up to ``max(atol, rtol * largest)`` being 0."""
    if hermitian:
        values, vectors = xp.factors(A, "eigh")
        inverses = xp.sign(values) * _kept_inverses(xp, xp.abs(values), atol, rtol)
        return xp.matmul(_scaled(xp, vectors, columns(xp, inverses)), adjoint(xp, vectors))
    left, values, right = xp.factors(A, "svd")
    inverses = rows(xp, _kept_inverses(xp, values, atol, rtol))
    return xp.matmul(adjoint(xp, right), _scaled(xp, adjoint(xp, left), inverses))


def _scaled(xp: Any, vectors: Any, scale: Any) -> Any:
    kind = xp.dtype(vectors)
    return vectors * (xp.astype(scale, kind) if kind.kind == "c" else scale)


def _kept_inverses(xp: Any, values: Any, atol: Any, rtol: Any) -> Any:
    largest = xp.amax(values, (values.ndim - 1,), True)
    floor = xp.maximum(largest * rtol, xp.full((), 0, xp.dtype(values)) + atol)
    kept = xp.gt(values, floor)
    one, zero = xp.full((), 1, xp.dtype(values)), xp.full((), 0, xp.dtype(values))
    return xp.where(kept, 1 / xp.where(kept, values, one), zero)


@pinv_.vjp("A")
def _(xp, grad, A, out):
    across, back = adjoint(xp, out), adjoint(xp, grad)
    first = product(xp, back, out, across)
    second = product(xp, across, out, back)
    return (
        -product(xp, across, grad, across)
        + first - product(xp, A, out, first)
        + second - product(xp, second, out, A)
    )  # fmt: skip


@composite(out=True, public=False)
def pinv(
    A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Any:
    """The Moore-Penrose inverses of matrices.

    Args:
        A: (*, m, n).
        rtol (or rcond), atol: singular values not above ``max(atol, rtol * the largest)`` count as
            zero; rtol is by default the larger size times the dtype's epsilon, 0 if atol is given.
        hermitian: whether the matrices are Hermitian (the lower triangle is then looked at).

    Returns:
        (*, n, m).

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers.
    """
    require_tensor("linalg.pinv", A)
    if A._array.ndim < 2 or A._array.dtype.kind not in "fc" or A._array.dtype.itemsize <= 2:
        raise RuntimeError(
            f"linalg.pinv({_word(A)}{{{list(A.shape)}}}): expected a tensor with 2 or more "
            "dimensions of float, double, cfloat or cdouble types"
        )
    if hermitian:
        require_square("linalg.eigh", A)
    *_, m, n = A._array.shape
    rtol = rcond if rtol is None else rtol
    if not A._array.size:
        return A.mH.clone()
    default = 0.0 if _is_positive(atol) else max(m, n) * _epsilon(A)
    low, relative = _tolerance(atol, 0.0), _tolerance(rtol, default)
    return pinv_(A, low, relative, hermitian)


def _epsilon(A: Any) -> float:
    return float(np.finfo(A._array.dtype).eps)


def _tolerance(given: Any, default: float) -> Any:
    """A number, or an array with a last dim of size 1."""
    if given is None:
        return default
    if hasattr(given, "_array"):
        array = given._concrete("linalg.pinv()")
        return array[..., None] if array.ndim else float(array)
    return float(given)


@composite
def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """The Moore-Penrose inverse; see ``torch.linalg.pinv``.

    Args:
        input: (*, m, n).
        rcond: singular values up to this share of the largest count as zero.

    Returns:
        (*, n, m).

    Raises:
        RuntimeError: ``input`` has fewer than two dims or holds whole numbers.
    """
    return pinv(input, rcond)


# -- rank -------------------------------------------------------------------------------------


@composite(out=True, public=False)
def matrix_rank(
    A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Any:
    """How many singular values are above ``max(atol, rtol * the largest)``.

    Args:
        A: (*, m, n).
        tol: atol, with an rtol of 0.
        hermitian: whether the matrices are Hermitian (the lower triangle is then looked at).
        atol, rtol: as those of :func:`pinv`.

    Returns:
        (*) int64.

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers.
    """
    require_matrices("torch.linalg.matrix_rank", A, argument="input")
    require_floating("linalg.matrix_rank", A)
    if hermitian:
        require_square("linalg.eigh", A)
    A = A.detach()
    if tol is not None:
        atol, rtol = tol, 0.0
    *batch, m, n = A._array.shape
    if not min(m, n):
        shape = tuple(batch)
        for given in (atol, rtol):
            if hasattr(given, "_array"):
                shape = np.broadcast_shapes(shape, given._array.shape)
        return A.new_zeros(shape, dtype=dtypes.int64)
    values = eigvalsh(A).abs() if hermitian else svdvals(A)
    if rtol is None:
        rtol = 0.0 if _is_positive(atol) else max(m, n) * _epsilon(A)
    floor = values.amax(-1) * rtol
    if hasattr(atol, "_array"):
        floor = floor.maximum(atol.to(floor.dtype))
    elif atol is not None:
        floor = floor.clamp(min=atol)
    return (values > floor.unsqueeze(-1)).sum(-1)


def _is_positive(tolerance: Any) -> bool:
    if tolerance is None:
        return False
    return bool((tolerance > 0).any()) if hasattr(tolerance, "_array") else tolerance > 0


# -- least squares ----------------------------------------------------------------------------


def _require_sides(A: Any, B: Any) -> None:
    name = "torch.linalg.lstsq"
    require_tensor(name, A)
    require_tensor(name, B, "B")
    a, b = A._array.shape, B._array.shape
    if len(a) < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if not b:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    difference = len(a) - len(b)
    if difference not in (0, 1) and len(b) != 1:
        if not 0 <= difference <= 1:
            raise RuntimeError(
                f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - "
                "other.dim()) <= 1"
            )
    if A._array.dtype != B._array.dtype:
        raise RuntimeError(f"{name}: Expected input and other to have the same dtype, but got "
                           f"input's dtype {_word(A)} and other's dtype {_word(B)}")  # fmt: skip
    rows_ = b[-1] if is_vector(a, b) else b[-2]
    if rows_ != a[-2]:
        at = "-1" if is_vector(a, b) else "-2"
        raise RuntimeError(f"{name}: input.size(-2) should match other.size({at})")


def _word(tensor: Any) -> str:
    from .dtype_checks import type_word

    return type_word(tensor._array)


@composite(public=False)
def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """The least-squares solutions of ``A @ X = B``, by the pseudo-inverse.

    Args:
        A: (*, m, n).
        B: (*, m, k) or (*, m).
        rcond: singular values up to this share of the largest count as zero; by default the larger
            size times the dtype's epsilon.
        driver: "gels" (full rank is supposed), "gelsy" (the default), "gelsd" or "gelss".

    Returns:
        a named tuple: solution (*, n, k); residuals (*, k), the sums of squares, where there are
        more equations than unknowns and all ranks are full, else empty; rank and singular_values,
        each where PyTorch's driver gives it, else empty.

    Raises:
        RuntimeError: the shapes or dtypes do not fit, or another ``driver``.
    """
    _require_sides(A, B)
    require_floating("torch.linalg.lstsq", A)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    driver = driver or "gelsy"
    *batch, m, n = A._array.shape
    vector = is_vector(tuple(A._array.shape), tuple(B._array.shape))
    sides = B.unsqueeze(-1) if vector else B
    rtol = max(m, n) * _epsilon(A) if rcond is None else rcond
    solution = matmul(pinv(A, rtol=rtol), sides)
    rank = A.detach().new_empty((0,), dtype=dtypes.int64)
    values = A.detach().new_empty((0,), dtype=A.real.dtype if A.is_complex() else A.dtype)
    residuals = (solution.real if A.is_complex() else solution).reshape((-1,))[:0]
    if driver != "gels":
        rank = matrix_rank(A, rtol=rtol)
    if driver in ("gelsd", "gelss"):
        values = svdvals(A.detach())
    # whether there are residuals depends on the ranks, where the driver tells them
    if m > n and driver != "gelsy" and (driver == "gels" or bool((rank == n).all())):
        residuals = (matmul(A, solution) - sides).abs().square().sum(-2)
    if vector:
        solution = solution.squeeze(-1)
    fields = ("solution", "residuals", "rank", "singular_values")
    solution = renamed(solution, "LinalgLstsqBackward0")
    return return_type("linalg_lstsq", fields)((solution, residuals, rank, values))
