"""Norms and condition numbers of vectors and matrices, products of vectors.

Source: https://pytorch.org/docs/stable/linalg.html#matrix-properties
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from .dims import as_int, wrap_dim, wrap_dims
from .eigenvalues import svdvals
from .matrix_checks import require_floating, require_matrices, require_square, require_tensor
from .matrix_solutions import inv_ex
from .operation import composite
from .shape import cat
from .statistics import norm_of

INFINITY = float("inf")


def _in_dtype(name: str, x: Any, dtype: Any) -> Any:
    """``x`` in the dtype that was asked for."""
    if dtype is None:
        return x
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(f"{name}: dtype should be floating point or complex. Got {dtype}")
    if x.is_complex() != dtype.is_complex:
        kind = "complex" if x.is_complex() else "real"
        raise RuntimeError(f"{name}: dtype should be {kind} for {kind} inputs, but got {dtype}")
    if dtypes.promote_types(x.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{name}: the dtype of the input ({_word(x.dtype)}) should be convertible without "
            f"narrowing to the specified dtype ({_word(dtype)})"
        )
    return x.to(dtype)


def _word(dtype: Any) -> str:
    from ..tensor.views import _type_word

    return _type_word(dtype)


def _identity_missing(x: Any, dim: Any) -> bool:
    """Whether a dim that is reduced over is empty."""
    dims = wrap_dims(dim, x._array.ndim)
    sizes = x._array.shape
    return any(not sizes[d] for d in (range(len(sizes)) if dims is None else dims))


@composite(out=True, public=False)
def vector_norm(
    x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The ``ord``-norms of vectors: of all elements in a row, or over ``dim``.

    Args:
        x: (*), floating-point or complex.
        ord: any number or infinity; 0 counts the elements that are not 0.
        dim: an int or several; None: all.
        keepdim: whether these dims stay, with size 1.
        dtype: of the computation and the result.

    Returns:
        The shape without ``dim``, real.

    Raises:
        TypeError: ``x`` is no tensor.
        RuntimeError: ``x`` holds whole numbers, ``ord`` is complex, ``dtype`` is lower than the
            dtype of ``x``, or there is no largest or smallest of no elements.
        IndexError: ``x`` has no such dim.
    """
    require_tensor("linalg.vector_norm", x, "x")
    require_floating("linalg.vector_norm", x, half=True)
    ord = _number(ord, "linalg.vector_norm")
    x = _in_dtype("linalg.vector_norm", x, dtype)
    if (ord < 0 or ord == INFINITY) and _identity_missing(x, dim):
        if dim is None or not np.ndim(dim) or len(tuple(dim)):
            _refuse_empty(x, ord, dim)
    return norm_of(x, ord, dim, keepdim)


def _number(ord: Any, name: str) -> float:
    if isinstance(ord, complex):
        raise RuntimeError(f"{name}: Expected a non-complex scalar as the order of norm.")
    return float(ord)


def _refuse_empty(x: Any, ord: float, dim: Any) -> None:
    text = f"{ord:g}"
    if dim is None:
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {text} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    dims = wrap_dims(dim, x._array.ndim)
    at = next(d for d in dims or range(x._array.ndim) if not x._array.shape[d])
    raise RuntimeError(
        f"linalg.vector_norm cannot compute the {text} norm on the dimension {at} because this "
        "dimension is empty and the operation does not have an identity"
    )


@composite(out=True, public=False)
def matrix_norm(
    A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The norms of matrices in the two dims ``dim``.

    Args:
        A: (*), two dims or more, floating-point or complex.
        ord: ``"fro"``, ``"nuc"``, infinity, -infinity, 1, -1, 2 or -2.
        dim: the dims of rows and columns.
        keepdim: whether these dims stay, with size 1.
        dtype: of the computation and the result.

    Returns:
        The shape without ``dim``, real.

    Raises:
        TypeError: ``dim`` is no sequence.
        RuntimeError: another ``ord``, ``dim`` is not of two different ones, ``A`` has fewer dims or
            holds whole numbers.
        IndexError: ``A`` has no such dim.
    """
    name = "linalg.matrix_norm"
    require_matrices(name, A)
    n = A._array.ndim
    if not isinstance(dim, (tuple, list)):
        raise TypeError(f"matrix_norm(): argument 'dim' must be tuple of ints, not "
                        f"{type(dim).__name__}")  # fmt: skip
    if len(dim) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {_listed(dim)}")
    if isinstance(ord, str) and ord not in ("fro", "nuc"):
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    if not isinstance(ord, str):
        size = abs(_number(ord, name))
        if size not in (1.0, 2.0, INFINITY):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
    require_floating(name, A, half=True)
    rows, columns = wrap_dim(dim[0], n), wrap_dim(dim[1], n)
    if rows == columns:
        raise RuntimeError(f"{name}: dims must be different. Got {_listed(dim)}")
    A = _in_dtype(name, A, dtype)
    if ord == "fro":
        return norm_of(A, 2.0, (rows, columns), keepdim)
    if ord == "nuc":
        return _of_values(A, rows, columns, keepdim, lambda s: s.sum(-1))
    pick = _largest if ord > 0 else (lambda x, dim, keepdim: x.amin(dim, keepdim))
    if size == 2:
        return _of_values(A, rows, columns, keepdim, lambda s: pick(s, -1, False))
    summed, over = (rows, columns) if size == 1 else (columns, rows)
    found = pick(norm_of(A, 1.0, summed, True), over, True)
    return found if keepdim else found.squeeze((rows, columns))


def _largest(x: Any, dim: int, keepdim: bool) -> Any:
    """The largest of numbers that are not negative; 0 of none."""
    return x.amax(dim, keepdim) if x._array.shape[dim] else x.sum(dim, keepdim)


def _listed(dim: Any) -> str:
    return "[" + ", ".join(str(d) for d in dim) + "]"


def _of_values(A: Any, rows: int, columns: int, keepdim: bool, reduce: Callable[[Any], Any]) -> Any:
    """A norm made of the singular values."""
    require_floating("linalg.svd", A)
    n = A._array.ndim
    order = (*(d for d in range(n) if d not in (rows, columns)), rows, columns)
    found = reduce(svdvals(A.permute(order)))
    if keepdim:
        sizes = tuple(1 if d in (rows, columns) else s for d, s in enumerate(A._array.shape))
        found = found.reshape(sizes)
    return found


@composite(out=True, public=False)
def linalg_norm(
    A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The norm of vectors (one dim) or matrices (two dims).

    Args:
        A: (*), floating-point or complex.
        ord: the order: of vectors see :func:`vector_norm`, of matrices :func:`matrix_norm`; None:
            the 2-norm of all elements.
        dim: one or two dims; None: all of them.
        keepdim: whether these dims stay, with size 1.
        dtype: of the computation and the result.

    Returns:
        The shape without ``dim``, real.

    Raises:
        TypeError: ``A`` is no tensor.
        RuntimeError: more than two dims with an ``ord``, and what those two raise.
    """
    require_tensor("linalg.norm", A)
    if dim is not None:
        dim = (dim,) if not isinstance(dim, (tuple, list)) else tuple(dim)
    ndim = A._array.ndim
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is not None and len(dim) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {_listed(dim)}"
        )
    if dim is None and ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{ndim}D."
        )
    if isinstance(ord, str):
        return matrix_norm(A, ord, dim or (0, 1), keepdim, dtype=dtype)
    if dim is None:
        dim = tuple(range(ndim))
    if len(dim) == 1:
        return vector_norm(A, ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, dim, keepdim, dtype=dtype)


@composite(method=False, out=True)
def nuclear_norm(input: Any, dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    """The sums of the singular values; see ``torch.linalg.matrix_norm``.

    Args:
        input: (*), two dims or more.
        dim: the dims of rows and columns.
        keepdim: whether these dims stay, with size 1.

    Returns:
        The shape without ``dim``, real.

    Raises:
        RuntimeError: ``dim`` is not of two different ones, or ``input`` has fewer.
    """
    if isinstance(dim, bool):
        dim, keepdim = (-2, -1), dim
    return matrix_norm(input, "nuc", dim, keepdim)


@composite(method=False, out=True)
def frobenius_norm(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The 2-norm of the elements over one or two dims, of all elements if there are none.

    Args:
        input: (*), floating-point or complex.
        dim: an int, up to two of them, or ().
        keepdim: whether these dims stay, with size 1.

    Returns:
        The shape without ``dim``, real.

    Raises:
        RuntimeError: more than two dims, or whole numbers.
    """
    dim = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dim) > 2:
        raise RuntimeError(f"Expected at most 2 dimensions, but got {len(dim)} dimensions instead.")
    return vector_norm(input, 2, dim or None, keepdim)


@composite(method=False)
def norm_except_dim(v: Any, pow: float = 2, dim: int = 0) -> Any:
    """The ``pow``-norms over all dims but ``dim``, which stays; over all of them if it is -1.

    Args:
        v: (*), floating-point.
        pow: the order of the norm.
        dim: which dim stays.

    Returns:
        Size 1 in all dims but ``dim``; without dims if it is -1.
    """
    n = v._array.ndim
    if dim == -1:
        return vector_norm(v, pow)
    if dim not in (0, n - 1):
        return norm_except_dim(v.transpose(0, dim), pow, 0).transpose(0, dim)
    return vector_norm(v, pow, tuple(d for d in range(n) if d != dim) or None, True)


@composite(out=True, public=False)
def cond(A: Any, p: Any = None) -> Any:
    """The condition numbers of matrices in the norm ``p`` (2 if None), infinite if singular.

    Args:
        A: (*, m, n) for p of None, 2 and -2, else (*, n, n).
        p: see :func:`matrix_norm`.

    Returns:
        (*), real; 0 for empty matrices.

    Raises:
        TypeError: ``A`` is no tensor.
        RuntimeError: another ``p``, or ``A`` is of other matrices or whole numbers.
    """
    require_tensor("linalg.cond", A)
    if A._array.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is None or p in (2, -2):
        require_floating("linalg.svd", A)
        if not min(A._array.shape[-2:]):
            return A.real.new_zeros(A._array.shape[:-2])
        values = svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    require_square(f"linalg.cond(ord={p if isinstance(p, str) else f'{p:g}'})", A)
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not isinstance(p, str) and abs(p) not in (1, INFINITY):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {float(p):g}")
    if not A._array.size:
        return A.real.new_zeros(A._array.shape[:-2])
    inverted, info = inv_ex(A)
    inverted = inverted.masked_fill((info != 0).unsqueeze(-1).unsqueeze(-1), INFINITY)
    if p == "nuc":  # the singular values of what is not finite do not exist
        of_inverse = (1 / svdvals(A)).sum(-1)
        return matrix_norm(A, p) * of_inverse.masked_fill(info != 0, INFINITY)
    return matrix_norm(A, p) * matrix_norm(inverted, p)


# -- vectors ----------------------------------------------------------------------------------


@composite(method=False, public=False)
def vander(x: Any, N: int | None = None) -> Any:
    """The powers 0 to N - 1 of each element of vectors.

    Args:
        x: (*, n).
        N: how many powers; n by default.

    Returns:
        (*, n, N).

    Raises:
        RuntimeError: ``N`` is 1 or less.
    """
    if not x._array.ndim:
        x = x.reshape((1,))
    count = x._array.shape[-1] if N is None else as_int(N, "N")
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    base = x.unsqueeze(-1)
    if x._array.dtype.kind in "iu":
        base = base.long()
    rest = base.expand((*x._array.shape, count - 1)).cumprod(-1)
    return cat([base.new_ones(base.shape), rest], -1)


@composite(out=True, public=False)
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The products of vectors along ``dim``, the first conjugated, the other dims broadcast.

    Args:
        x, y: vectors of one length along ``dim``, floating-point or complex.
        dim: the vectors' dim.

    Returns:
        the operands' broadcast shape without ``dim``.

    Raises:
        RuntimeError: whole numbers, or shapes that do not broadcast.
    """
    require_floating("linalg.vecdot", x, y, half=True)
    return ((x.conj() if x.is_complex() else x) * y).sum(dim)
