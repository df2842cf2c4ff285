"""LU factorizations ``A = P @ L @ U`` and LDL factorizations, and what is solved with them.

Source: https://pytorch.org/docs/stable/generated/torch.linalg.lu_factor.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..namespaces.numpy_ldl import unpacked_ldl
from .array_calls import call_on_arrays
from .dtype_checks import require_kinds, type_word
from .matmul import matmul
from .matrix_checks import (
    raise_failures,
    require_floating,
    require_one_dtype,
    require_square,
    require_tensor,
)
from .matrix_parts import (
    adjoint,
    block,
    constant,
    identity_like,
    lower_part,
    rows,
    transposed,
    upper_part,
)
from .matrix_solutions import require_sizes, require_system, solve_, triangular
from .operation import Array, composite, operation, renamed
from .return_types import return_type

# -- LU ---------------------------------------------------------------------------------------


def _order_of_swaps(xp: Any, swaps: Any, count: int) -> Any:
    """The order of rows that swapping row j and row ``swaps[j]``, j rising, makes."""
    if swaps.__class__ is np.ndarray:
        return _order_at_once(swaps, count)
    index = np.dtype(np.int64)
    order = xp.expand(xp.arange(0, count, 1, index), (*swaps.shape[:-1], count))
    places = np.arange(count)
    last = swaps.ndim - 1
    for j in range(swaps.shape[-1]):
        key = (*(slice(None),) * last, slice(j, j + 1))
        swap = xp.slice(swaps, key)
        here, there = xp.slice(order, key), xp.gather(order, last, swap)
        order = xp.where(xp.eq(constant(order, places), swap), here, order)
        order = xp.where(constant(order, places == j), there, order)
    return order


def _order_at_once(swaps: np.ndarray, count: int) -> np.ndarray:
    k = swaps.shape[-1]
    shape = (*swaps.shape[:-1], count)
    if not k:
        return np.array(np.broadcast_to(np.arange(count), shape))
    orders = []
    for row in swaps.reshape(-1, k).tolist():
        order = list(range(count))
        for j, swap in enumerate(row):
            order[j], order[swap] = order[swap], order[j]
        orders.append(order)
    return np.array(orders, np.int64).reshape(shape)


@operation(public=False, method=False, name="order_of_swaps", out=False,
           samples=(("index(2,3)3", 4),))  # fmt: skip
def order_(xp, swaps: Array, count: int):
    """The order of rows after row j and row ``swaps[j]`` were swapped, one j after the other."""
    return _order_of_swaps(xp, swaps, count)


@operation(public=False, method=False, name="lu_factors", dtypes="inexact", holomorphic=False,
           outputs=("LU", "pivots", "info"), differentiable=(True, False, False),
           node_name="LinalgLuFactorExBackward0",
           samples=(((3, 3),), ((4, 3),), ((2, 2, 3),), ("complex(3,3)",)))  # fmt: skip
def lu_(xp, A: Array):
    """Both triangular factors in one matrix, the rows that were swapped, and the zero pivots."""
    return xp.factors(A, "lu")


def permuted_back(xp: Any, pivots: Any, x: Any) -> Any:
    """``P @ x``: the rows of ``x`` where they came from."""
    swaps = xp.astype(pivots, np.dtype(np.int64)) - 1
    order = _order_of_swaps(xp, swaps, x.shape[-2])
    places = constant(order, np.arange(x.shape[-2]))
    matrix = xp.astype(xp.eq(rows(xp, order), places), xp.dtype(x))
    return xp.matmul(transposed(xp, matrix), x)


def _unit_lower(xp: Any, square: Any) -> Any:
    identity = np.eye(square.shape[-1], dtype=xp.dtype(square))
    return lower_part(xp, square, -1) + constant(square, identity)


@lu_.vjp("A")
def _(xp, grad, out):
    packed, pivots, _ = out
    m, n = packed.shape[-2:]
    k = min(m, n)
    top, rest = slice(0, k), slice(k, max(m, n))
    square = block(xp, packed, top, top)
    lower, upper = _unit_lower(xp, square), upper_part(xp, square)
    by_square = block(xp, grad, top, top)
    below = xp.matmul(adjoint(xp, lower), lower_part(xp, by_square, -1))
    above = xp.matmul(upper_part(xp, by_square), adjoint(xp, upper))
    if n > k:
        part, by_part = block(xp, packed, top, rest), block(xp, grad, top, rest)
        below = below - xp.matmul(by_part, adjoint(xp, part))
    if m > k:
        part, by_part = block(xp, packed, rest, top), block(xp, grad, rest, top)
        above = above - xp.matmul(adjoint(xp, part), by_part)
    middle = lower_part(xp, below, -1) + upper_part(xp, above)
    left = xp.solve_triangular(adjoint(xp, lower), middle, True, True)
    found = adjoint(xp, xp.solve_triangular(upper, adjoint(xp, left), True, False))
    axis = packed.ndim - 1
    if n > k:
        beside = xp.solve_triangular(adjoint(xp, lower), by_part, True, True)
        found = xp.cat([found, beside], axis)
    if m > k:
        bottom = adjoint(xp, xp.solve_triangular(upper, adjoint(xp, by_part), True, False))
        found = xp.cat([found, bottom], axis - 1)
    return permuted_back(xp, pivots, found)


def _require_lu(name: str, A: Any, pivot: bool) -> None:
    require_tensor(name, A)
    if A._array.ndim < 2:
        raise RuntimeError(
            f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} instead"
        )
    require_kinds("lu_cpu", "fc", A._array)
    require_floating(name, A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


_ZERO_PIVOT = (
    "U[{info},{info}] is zero and using it on lu_solve would result in a division by zero. If you "
    "still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
    "linalg.lu_factor_ex(A, pivot)"
)


@composite(out=True, public=False)
def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """Both factors in one matrix, the swapped rows, and 0 or the place of a zero pivot.

    Args:
        A: (*, m, n).
        pivot: whether rows are swapped; it must be True on the CPU.
        check_errors: raise as :func:`lu_factor` does.
        out: a tuple of three tensors to write the results into.

    Returns:
        a named tuple: LU (*, m, n), pivots (*, min(m, n)) int32 from 1, info (*) int32.

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers; ``pivot`` is False; a
            pivot is zero, with ``check_errors``.
    """
    _require_lu("torch.lu_factor", A, pivot)
    found = lu_(A)
    if check_errors:
        raise_failures("torch.linalg.lu_factor_ex", found[2], _ZERO_PIVOT, RuntimeError)
    return return_type("linalg_lu_factor_ex", ("LU", "pivots", "info"))(tuple(found))


@composite(out=True, public=False)
def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    """Both triangular factors in one matrix, and the swapped rows (from 1).

    Args:
        A: (*, m, n).
        pivot: whether rows are swapped; it must be True on the CPU.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: LU (*, m, n), pivots (*, min(m, n)) int32.

    Raises:
        RuntimeError: a factor has a zero on its diagonal; ``A`` has fewer than two dims or holds
            whole numbers; ``pivot`` is False.
    """
    packed, pivots, info = lu_factor_ex(A, pivot=pivot)
    raise_failures("torch.linalg.lu_factor", info, _ZERO_PIVOT, RuntimeError)
    return return_type("linalg_lu_factor", ("LU", "pivots"))((packed, pivots))


def _halves(packed: Any) -> tuple[Any, Any]:
    """``L`` and ``U`` of the packed factors, as differentiable parts of them."""
    m, n = packed._array.shape[-2:]
    k = min(m, n)
    left = packed[..., :, :k].tril(-1)
    return left + identity_like(left), packed[..., :k, :].triu()


def _permutation_matrix(pivots: Any, count: int, dtype: Any) -> Any:
    """``P`` of ``A = P @ L @ U``."""
    order = order_(pivots.long() - 1, count)
    places = constant(order, np.arange(count))
    return (order.unsqueeze(-1) == places).to(dtype).mT


@composite(out=True, public=False)
def linalg_lu(A: Any, *, pivot: bool = True) -> Any:
    """The permutation and the triangular factors of ``A = P @ L @ U``.

    Args:
        A: (*, m, n).
        pivot: whether rows are swapped; it must be True on the CPU.
        out: a tuple of three tensors to write the results into.

    Returns:
        A named tuple: P (*, m, m), L (*, m, k), U (*, k, n) with k = min(m, n).

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers, or ``pivot`` is False.
    """
    _require_lu("linalg.lu", A, pivot)
    packed, pivots, _ = lu_(A)
    lower, upper = _halves(packed)
    permutation = _permutation_matrix(pivots, A._array.shape[-2], A.dtype)
    fields = return_type("linalg_lu", ("P", "L", "U"))
    return fields((permutation, renamed(lower, "LinalgLuBackward0"),
                   renamed(upper, "LinalgLuBackward0")))  # fmt: skip


@composite
def lu(A: Any, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """Both factors in one matrix, and the swapped rows; see ``torch.linalg.lu_factor``.

    Args:
        A: (*, m, n).
        pivot: whether rows are swapped; it must be True on the CPU.
        get_infos: give 0, or the place of a zero pivot, for each matrix too.
        out: a tuple of as many tensors to write the results into.

    Returns:
        A tuple: LU (*, m, n), pivots (*, min(m, n)) int32 from 1; with ``get_infos`` (*) int32.

    Raises:
        RuntimeError: ``A`` has fewer than two dims or holds whole numbers, or ``pivot`` is False.
    """
    _require_lu("torch.lu_factor", A, pivot)
    packed, pivots, info = lu_(A)
    result = (packed, pivots, info) if get_infos else (packed, pivots)
    if out is None:
        return result
    from ..tensor.views import write_out

    for source, target in zip(result, out, strict=True):
        write_out("lu", source, target)
    return tuple(out)


@composite(out=True, method=False)
def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """The permutation and both factors from what ``lu_factor`` gave.

    Args:
        LU_data: (*, m, n).
        LU_pivots: (*, min(m, n)) int32.
        unpack_data, unpack_pivots: whether L and U, and P, are wanted; they are else empty.
        out: a tuple of three tensors to write the results into.

    Returns:
        A named tuple: P (*, m, m), L (*, m, k), U (*, k, n) with k = min(m, n).

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    if unpack_pivots and LU_pivots.dtype is not dtypes.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\nNote: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )
    if LU_data._array.ndim < 2:
        raise RuntimeError("torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: "
                           f"{list(LU_data.shape)} instead")  # fmt: skip
    empty = LU_data.detach().new_empty((0,))
    lower, upper = _halves(LU_data) if unpack_data else (empty, empty)
    matrix = empty
    if unpack_pivots:
        matrix = _permutation_matrix(LU_pivots, LU_data._array.shape[-2], LU_data.dtype)
    fields = return_type("lu_unpack", ("P", "L", "U"))
    return fields((matrix, renamed(lower, "LuUnpackBackward0"),
                   renamed(upper, "LuUnpackBackward0")))  # fmt: skip


def _require_pivots(name: str, LU: Any, pivots: Any) -> None:
    if pivots.dtype is not dtypes.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    if pivots._array.shape[-1] != LU._array.shape[-1] or pivots._array.ndim < 1:
        raise RuntimeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix"
        )
    if tuple(LU._array.shape[:-2]) != tuple(pivots._array.shape[:-1]):
        raise RuntimeError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(pivots.shape)} instead"
        )


@composite(out=True, public=False)
def linalg_lu_solve(
    LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False
) -> Any:
    """The solution of ``A @ X = B``, given what ``lu_factor`` gave for ``A``.

    Args:
        LU: (*, n, n).
        pivots: (*, n) int32.
        B: (*, n, k), or (*, k, n) if not left.
        left: whether ``X`` is on the right of ``A``; else ``X @ A = B``.
        adjoint: put ``A.mH`` for ``A``.

    Returns:
        The shape of ``B``, its batch broadcast.

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    name = "linalg.lu_solve"
    require_square(name, LU, "LU")
    if pivots.dtype is not dtypes.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    require_one_dtype(name, LU, B, "LU")
    require_system(name, LU, B, left)
    _require_pivots(name, LU, pivots)
    lower, upper = _halves(LU)
    matrix = _permutation_matrix(pivots, LU._array.shape[-1], LU.dtype)
    if not left:
        found = _solved(lower, upper, matrix, B.mH, not adjoint).mH
    else:
        found = _solved(lower, upper, matrix, B, adjoint)
    return renamed(found, "LinalgLuSolveBackward0")


def _solved(lower: Any, upper: Any, permutation: Any, B: Any, adjoint: bool) -> Any:
    if adjoint:  # A.mH = U.mH @ L.mH @ P.mT
        found = triangular(upper.mH, B, False, False)
        return matmul(permutation, triangular(lower.mH, found, True, True))
    found = triangular(lower, matmul(permutation.mT, B), False, True)
    return triangular(upper, found, True, False)


@composite(out=True)
def lu_solve(input: Any, LU_data: Any, LU_pivots: Any) -> Any:
    """The solution of ``A @ X = input``; see ``torch.linalg.lu_solve``.

    Args:
        input: (*, n, k).
        LU_data: (*, n, n), both factors of ``A``.
        LU_pivots: (*, n) int32, its swapped rows.

    Returns:
        (*, n, k).

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    return linalg_lu_solve(LU_data, LU_pivots, input)


# -- LDL --------------------------------------------------------------------------------------


@operation(public=False, method=False, name="linalg_ldl_factor_ex", out=False,
           dtypes="inexact", outputs=("LD", "pivots", "info"), differentiable=(True, False, False),
           samples=(("symmetric(4,4)", False), ("symmetric(2,3,3)", True)))  # fmt: skip
def ldl_(xp, A: Array, hermitian: bool):
    """The packed factors of symmetric or Hermitian matrices, by Bunch and Kaufman's pivoting."""
    return xp.factors(A, "ldl_hermitian" if hermitian else "ldl")


ldl_.refuse_derivative()


@composite(out=True, public=False)
def ldl_factor_ex(A: Any, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """The factorization ``A = P @ L @ D @ L.mT @ P.mT`` as LAPACK packs it.

    Args:
        A: (*, n, n), symmetric, or Hermitian if ``hermitian``; the lower triangle is looked at.
        hermitian: whether complex matrices are Hermitian.
        check_errors: raise as :func:`ldl_factor` does.
        out: a tuple of three tensors to write the results into.

    Returns:
        A named tuple: LD (*, n, n), pivots (*, n) int32, info (*) int32: 0 or the place of a
        singular block.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a block is singular, with ``check_errors``.
    """
    require_square("torch.linalg.ldl_factor_ex", A)
    found = ldl_(A, hermitian)
    if check_errors:
        raise_failures("torch.linalg.ldl_factor_ex", found[2], _SINGULAR_BLOCK)
    return return_type("linalg_ldl_factor_ex", ("LD", "pivots", "info"))(tuple(found))


_SINGULAR_BLOCK = (
    "The factorization could not be completed because the block {info} of D is exactly zero: using "
    "it in ldl_solve would result in a division by zero."
)


@composite(out=True, public=False)
def ldl_factor(A: Any, *, hermitian: bool = False) -> Any:
    """The LDL factorization; see :func:`ldl_factor_ex`.

    Args:
        A: (*, n, n), symmetric, or Hermitian if ``hermitian``; the lower triangle is looked at.
        hermitian: whether complex matrices are Hermitian.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: LD (*, n, n), pivots (*, n) int32.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
        torch.linalg.LinAlgError: a block is singular.
    """
    packed, pivots, info = ldl_factor_ex(A, hermitian=hermitian)
    raise_failures("torch.linalg.ldl_factor", info, _SINGULAR_BLOCK)
    return return_type("linalg_ldl_factor", ("LD", "pivots"))((packed, pivots))


@composite(out=True, public=False)
def ldl_solve(LD: Any, pivots: Any, B: Any, *, hermitian: bool = False) -> Any:
    """The solution of ``A @ X = B``, given what :func:`ldl_factor` gave for ``A``.

    Args:
        LD: (*, n, n).
        pivots: (*, n), of integers.
        B: (*, n, k).
        hermitian: as :func:`ldl_factor` was called.

    Returns:
        (*, n, k).

    Raises:
        RuntimeError: the shapes or dtypes do not fit.
    """
    name = "torch.linalg.ldl_solve"
    require_square(name, LD, "LD")
    if B._array.ndim < 2:
        raise RuntimeError(f"{name}: Expected B to have at least 2 dimensions, but it has "
                           f"{B._array.ndim} dimensions instead")  # fmt: skip
    require_sizes(name, LD, B)
    if pivots._array.dtype.kind not in "iu":
        word = type_word(pivots._array)
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {word}")
    require_one_dtype(name, LD, B, "LD")
    kind = (tuple(LD._array.shape), LD._array.dtype)
    (whole,) = call_on_arrays(_multiplied, name, (LD, pivots), kind, hermitian=bool(hermitian))
    return solve_(whole, B)


def _multiplied(packed: np.ndarray, swaps: np.ndarray, hermitian: bool) -> np.ndarray:
    """The matrices whose factors these are."""
    n = packed.shape[-1]
    whole = np.zeros(packed.shape, packed.dtype)
    if packed.size:
        flat = zip(whole.reshape(-1, n, n), packed.reshape(-1, n, n), swaps.reshape(-1, n))
        for matrix, factors, row in flat:
            lower, blocks, order = unpacked_ldl(factors, row, hermitian)
            across = lower.conj().T if hermitian else lower.T
            matrix[np.ix_(order, order)] = lower @ blocks @ across
    return whole
