"""Parts of matrices that the gradients of factorizations are made of, in any namespace.

The matrices are the last two dims; those before them are a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def constant(like: Any, array: np.ndarray) -> Any:
    """``array`` as an operand beside ``like``: a Tensor among recorded tensors."""
    if not hasattr(like, "_array"):
        return array
    from ..tensor import wrap

    return wrap(array)


def transposed(xp: Any, x: Any) -> Any:
    """The matrices transposed."""
    n = x.ndim
    return xp.permute(x, (*range(n - 2), n - 1, n - 2))


def conjugated(xp: Any, x: Any) -> Any:
    """The complex conjugate; real numbers themselves."""
    return xp.conj(x) if xp.dtype(x).kind == "c" else x


def adjoint(xp: Any, x: Any) -> Any:
    """The matrices transposed and conjugated."""
    return transposed(xp, conjugated(xp, x))


def real_part(xp: Any, x: Any) -> Any:
    """The real part; real numbers themselves."""
    return xp.real(x) if xp.dtype(x).kind == "c" else x


def as_kind(xp: Any, x: Any, dtype: np.dtype) -> Any:
    """A gradient for numbers of ``dtype``: the real part of complex ones where those are real."""
    return real_part(xp, x) if np.dtype(dtype).kind != "c" else x


def kept(xp: Any, x: Any, mask: np.ndarray) -> Any:
    """``x`` where the constant ``mask`` holds, else 0."""
    return xp.where(constant(x, mask), x, xp.full((), 0, xp.dtype(x)))


def lower_part(xp: Any, x: Any, diagonal: int = 0) -> Any:
    """The elements on and below a diagonal."""
    return kept(xp, x, np.tri(x.shape[-2], x.shape[-1], diagonal, dtype=bool))


def upper_part(xp: Any, x: Any, diagonal: int = 0) -> Any:
    """The elements on and above a diagonal."""
    return kept(xp, x, ~np.tri(x.shape[-2], x.shape[-1], diagonal - 1, dtype=bool))


def halved_diagonal(xp: Any, x: Any) -> Any:
    """``x`` with half of its diagonal."""
    scale = np.where(np.eye(x.shape[-1], dtype=bool), 0.5, 1.0).astype(xp.dtype(x))
    return x * constant(x, scale)


def rows(xp: Any, x: Any) -> Any:
    """Vectors ``(*, n)`` as factors of rows: ``(*, n, 1)``."""
    return xp.reshape(x, (*x.shape, 1))


def columns(xp: Any, x: Any) -> Any:
    """Vectors ``(*, n)`` as factors of columns: ``(*, 1, n)``."""
    return xp.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def diagonal_matrix(xp: Any, x: Any) -> Any:
    """Matrices that have the vectors ``x`` as their diagonals."""
    return columns(xp, x) * constant(x, np.eye(x.shape[-1], dtype=xp.dtype(x)))


def diagonal_of(xp: Any, x: Any) -> Any:
    """The diagonals of square matrices."""
    return xp.sum(kept(xp, x, np.eye(x.shape[-1], dtype=bool)), (x.ndim - 1,), False)


def block(xp: Any, x: Any, row: slice, column: slice) -> Any:
    """Some rows and columns."""
    return xp.slice(x, (*(slice(None),) * (x.ndim - 2), row, column))


def total(*terms: Any) -> Any:
    """The sum of the terms that are not None."""
    result = None
    for term in terms:
        if term is not None:
            result = term if result is None else result + term
    return result


def product(xp: Any, *factors: Any) -> Any:
    """The product of matrices, from the left."""
    result = factors[0]
    for factor in factors[1:]:
        result = xp.matmul(result, factor)
    return result


def identity_like(x: Any) -> Any:
    """A Tensor: the identity matrix in the size and dtype of the tensor ``x``."""
    from ..tensor import wrap

    m, n = x._array.shape[-2:]
    return wrap(np.eye(m, n, dtype=x._array.dtype))
