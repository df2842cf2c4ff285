"""Inverses of matrices and solutions of systems of linear equations.

The matrices are the last two dims; those before them are a batch, which broadcasts.  Gradients are
in PyTorch's convention for complex numbers as they stand.

Source: https://pytorch.org/docs/stable/linalg.html#inverses
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..modes import MODES
from ..namespaces import numpy_linalg
from .dims import as_ints
from .matrix_checks import (
    concrete,
    raise_failures,
    require_floating,
    require_matrices,
    require_one_dtype,
    require_square,
)
from .matrix_parts import adjoint, lower_part, upper_part
from .operation import Array, composite, operation, renamed, sum_to
from .return_types import return_type

_SINGULAR = "The solver failed because the input matrix is singular."
_NOT_INVERTIBLE = (
    "The diagonal element {info} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)


# -- inverses ---------------------------------------------------------------------------------


@operation(public=False, method=False, name="inverse", dtypes="inexact", holomorphic=False,
           node_name="LinalgInvExBackward0",
           samples=(("positive(3,3)",), ("positive(2,3,3)",), ("complex(3,3)",)))  # fmt: skip
def inverse_(xp, input: Array):
    """The inverse matrices."""
    return xp.inverse(input)


@inverse_.vjp("input")
def _(xp, grad, out):
    across = adjoint(xp, out)
    return -xp.matmul(across, xp.matmul(grad, across))


def singular_places(A: Any, result: Any, batch: tuple[int, ...]) -> Any:
    """For each matrix 0, or the place (from 1) of the zero that stopped its elimination.

    Args:
        A: the matrices.
        result: what was computed from them: where it is finite there is nothing to look for.
        batch: the dims of ``A`` before the last two.
    """
    from ..tensor import wrap

    found, matrices = concrete(result), concrete(A)
    places: Any
    if MODES.capture is not None and found is None:
        found, matrices = (getattr(t._array, "batch_memory", t._array) for t in (result, A))
        places = MODES.capture.singular_places(matrices, found)
    elif found is None or matrices is None or np.isfinite(found).all():
        return A.detach().new_zeros(batch, dtype=dtypes.int32)
    else:
        places = numpy_linalg.factor(matrices, "lu", 2)
    if matrices is A._array:
        return wrap(places)
    from ..namespaces.batched_array import BatchedArray

    return wrap(BatchedArray(places, A._array.levels))


@composite(out=True, public=False)
def inv_ex(A: Any, *, check_errors: bool = False) -> Any:
    """The inverses and, for each matrix, 0 or the place of the pivot that is zero.

    Args:
        A: (*, n, n).
        check_errors: raise as :func:`inverse` does.
        out: a pair of tensors to write the results into.

    Returns:
        a named tuple: inverse (*, n, n), info (*) int32.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a matrix is singular, with ``check_errors``.
    """
    require_square("linalg.inv", A)
    found = inverse_(A)
    info = singular_places(A, found, tuple(A._array.shape[:-2]))
    if check_errors:
        raise_failures("linalg.inv_ex", info, _NOT_INVERTIBLE)
    return return_type("linalg_inv_ex", ("inverse", "info"))((found, info))


@composite(out=True)
def inverse(input: Any) -> Any:
    """The inverses of square matrices.

    Args:
        input: (*, n, n), floating-point or complex.

    Returns:
        (*, n, n), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a matrix is singular.
    """
    require_square("linalg.inv", input)
    found = inverse_(input)
    info = singular_places(input, found, tuple(input._array.shape[:-2]))
    raise_failures("linalg.inv", info, _NOT_INVERTIBLE)
    return found


@composite(out=True, public=False)
def linalg_inv(A: Any) -> Any:
    """The inverses of square matrices.

    Args:
        A: (*, n, n), floating-point or complex.

    Returns:
        (*, n, n), of the dtype of ``A``.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a matrix is singular.
    """
    return inverse(A)


# -- solutions --------------------------------------------------------------------------------


@operation(public=False, method=False, name="solve", dtypes="inexact", same_dtype=True,
           holomorphic=False, node_name="LinalgSolveExBackward0",
           samples=(("positive(3,3)", (3, 2)), ("positive(2,3,3)", (3, 2)),
                    ("positive(3,3)", (2, 3, 1)), ("complex(3,3)", "complex(3,2)")))  # fmt: skip
def solve_(xp, A: Array, B: Array):
    """The solutions ``X`` of ``A @ X = B``."""
    return xp.solve(A, B)


@solve_.vjp("A", "B")
def _(xp, grad, A, B_shape, out):
    right = xp.solve(adjoint(xp, A), grad)
    left = -xp.matmul(right, adjoint(xp, out))
    return sum_to(xp, left, tuple(A.shape)), sum_to(xp, right, tuple(B_shape))


@operation(public=False, method=False, name="solve_triangular", dtypes="inexact", same_dtype=True,
           holomorphic=False, node_name="LinalgSolveTriangularBackward0",
           samples=(("lower(3,3)", (3, 2), False, False), ("lower(3,3)", (2, 3, 2), False, True),
                    ("lower(2,3,3)", (3, 2), False, False),
                    ("symmetric(3,3)", (3, 1), True, True)))  # fmt: skip
def triangular(xp, A: Array, B: Array, upper: bool, unitriangular: bool):
    """The solutions ``X`` of ``A @ X = B``, of ``A`` only one triangle being looked at."""
    return xp.solve_triangular(A, B, upper, unitriangular)


@triangular.vjp("A", "B")
def _(xp, grad, A, B_shape, out, upper, unitriangular):
    right = xp.solve_triangular(adjoint(xp, A), grad, not upper, unitriangular)
    left = -xp.matmul(right, adjoint(xp, out))
    skipped = 1 if unitriangular else 0
    left = upper_part(xp, left, skipped) if upper else lower_part(xp, left, -skipped)
    return sum_to(xp, left, tuple(A.shape)), sum_to(xp, right, tuple(B_shape))


def is_vector(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether the right-hand sides of shape ``b`` are vectors for matrices of shape ``a``."""
    return len(b) == 1 or (len(a) - 1 == len(b) and tuple(b) == tuple(a[:-1]))


def require_system(name: str, A: Any, B: Any, left: bool) -> None:
    """Raise unless ``A`` (square) and ``B`` (matrices) can be the sides of equations."""
    require_square(name, A)
    require_matrices(name, B, argument="B")
    a, b = A._array.shape, B._array.shape
    if a[-2] != b[-2 if left else -1]:
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {equation} "
            f"({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]})"
        )


def require_sizes(name: str, A: Any, B: Any) -> None:
    """Raise unless the square matrices ``A`` and the matrices ``B`` have equally many rows."""
    a, b = A._array.shape, B._array.shape
    if a[-2] != b[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {a[-2]} by {a[-1]} but each b "
            f"matrix is {b[-2]} by {b[-1]}"
        )


@composite(out=True, public=False)
def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    """The solution as of :func:`solve` and, for each matrix, 0 or the place of a zero pivot.

    Args:
        A: (*, n, n).
        B: (*, n) or (*, n, k) if left, else (*, k, n).
        left: whether ``X`` is on the right of ``A``; else ``X @ A = B``.
        check_errors: raise as :func:`solve` does.
        out: a pair of tensors to write the results into.

    Returns:
        a named tuple: result, of the shape of ``B`` (its batch broadcast), info (*) int32.

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
        torch.linalg.LinAlgError: a matrix is singular, with ``check_errors``.
    """
    found, info = _solved(A, B, left)
    if check_errors:
        raise_failures("torch.linalg.solve_ex", info, _SINGULAR)
    return return_type("linalg_solve_ex", ("result", "info"))((found, info))


def _solved(A: Any, B: Any, left: bool) -> tuple[Any, Any]:
    name = "linalg.solve"
    require_square(name, A)
    require_one_dtype(name, A, B)
    a, b = A._array.shape, B._array.shape
    vector = is_vector(a, b)
    sides = B.unsqueeze(-1) if vector else B
    require_system(name, A, sides, left)
    found = solve_(A, sides) if left else solve_(A.mT, sides.mT).mT
    found = found.squeeze(-1) if vector else found
    return found, singular_places(A, found, tuple(a[:-2]))


@composite(out=True, public=False)
def solve(A: Any, B: Any, *, left: bool = True) -> Any:
    """The solution ``X`` of ``A @ X = B`` (of ``X @ A = B`` if not ``left``).

    Args:
        A: (*, n, n).
        B: (*, n) or (*, n, k) if left, else (*, k, n).
        left: whether ``X`` is on the right of ``A``.

    Returns:
        The shape of ``B``, its batch broadcast.

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
        torch.linalg.LinAlgError: a matrix is singular.
    """
    found, info = _solved(A, B, left)
    raise_failures("torch.linalg.solve", info, _SINGULAR)
    return found


@composite(out=True, public=False)
def solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """The solution ``X`` of ``A @ X = B`` (of ``X @ A = B`` if not ``left``), ``A`` triangular.

    Args:
        A: (*, n, n).
        B: (*, n, k), or (*, k, n) if not left.
        upper: which triangle of ``A`` is looked at.
        left: whether ``X`` is on the right of ``A``.
        unitriangular: whether its diagonal counts as ones.

    Returns:
        The shape of ``B``, its batch broadcast; infinite or NaN where the diagonal has a zero.

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    name = "linalg.solve_triangular"
    require_system(name, A, B, left)
    require_one_dtype(name, A, B)
    if left:
        return triangular(A, B, upper, unitriangular)
    return triangular(A.mT, B.mT, not upper, unitriangular).mT


@composite(out=True)
def triangular_solve(
    input: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """The solution of ``A @ X = input`` and a copy of ``A``; see ``linalg.solve_triangular``.

    Args:
        input: (*, n, k).
        A: (*, n, n).
        upper: which triangle of ``A`` is looked at.
        transpose: put ``A.mT`` for ``A``.
        unitriangular: whether its diagonal counts as ones.
        out: a pair of tensors to write the results into.

    Returns:
        a named tuple: solution (*, n, k), cloned_coefficient.

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    name = "triangular_solve"
    for tensor, argument in ((input, "b"), (A, "A")):
        if tensor._array.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {argument} to have at least 2 dimensions, but "
                f"it has {tensor._array.ndim} dimensions instead"
            )
    m, n = A._array.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"A must be batches of square matrices, but they are {m} by {n} matrices"
        )
    require_floating(name, A)
    require_sizes(name, A, input)
    side = A.mT if transpose else A
    found = triangular(side, input, upper != transpose, unitriangular)
    fields = return_type("triangular_solve", ("solution", "cloned_coefficient"))
    return fields((renamed(found, "TriangularSolveBackward0"), A.clone()))


# -- tensors as matrices ------------------------------------------------------------------------


@composite(out=True, public=False)
def tensorinv(A: Any, ind: int = 2) -> Any:
    """The inverse of the map that ``tensordot(A, ., ind)`` is.

    Args:
        A: the product of its first ``ind`` sizes is that of the others.
        ind: how many dims count as rows, 1 or more.

    Returns:
        The other sizes, then the first ``ind``.

    Raises:
        RuntimeError: the products differ, or ``ind`` is not positive.
        torch.linalg.LinAlgError: there is none.
    """
    shape = tuple(A._array.shape)
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    found, info = inv_ex(A.reshape((rows, columns)))
    raise_failures("inv", info, _NOT_INVERTIBLE)
    return found.reshape((*shape[ind:], *shape[:ind]))


@composite(out=True, public=False)
def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """The tensor ``X`` with ``tensordot(A, X, X.ndim) = B``.

    Args:
        A: the first sizes are those of ``B``; their product is that of the others.
        B: as many elements as that.
        dims: dims of ``A`` that are moved to its end first.

    Returns:
        The other sizes of ``A``.

    Raises:
        RuntimeError: the products differ.
        torch.linalg.LinAlgError: there is no such tensor.
    """
    from .dims import wrap_dim

    n = A._array.ndim
    if dims is not None:
        moved = [wrap_dim(d, n) for d in as_ints(dims, "dims")]
        A = A.permute((*(d for d in range(n) if d not in moved), *moved))
    shape = tuple(A._array.shape)
    rest = shape[B._array.ndim :]
    rows, columns = math.prod(shape[: B._array.ndim]), math.prod(rest)
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {columns} != {rows}"
        )
    found = solve(A.reshape((columns, rows)), B.reshape((-1,)))
    return found.reshape(rest)
