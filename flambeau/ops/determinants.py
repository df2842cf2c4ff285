"""Determinants of matrices, and their logarithms.

Source: https://pytorch.org/docs/stable/generated/torch.linalg.slogdet.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..namespaces.numpy_linalg import factors
from .matrix_checks import require_square
from .matrix_parts import adjoint, conjugated
from .operation import Array, composite, operation
from .return_types import return_type
from .selection import where

_SQUARES = (("positive(3,3)",), ("positive(2,3,3)",), ((2, 2),))


@operation(public=False, method=False, name="sign_and_log_of_determinant", dtypes="inexact",
           holomorphic=False, outputs=("sign", "logabsdet"), node_name="LinalgSlogdetBackward0",
           samples=_SQUARES)  # fmt: skip
def slogdet_(xp, A: Array):
    """The sign (of complex numbers the phase) of each determinant, the logarithm of its size."""
    return xp.factors(A, "slogdet")


@slogdet_.vjp("A")
def _(xp, grad, A, out):
    by_sign, by_size = grad
    across = adjoint(xp, xp.inverse(A))
    kind = xp.dtype(A)
    scale = None
    if by_size is not None:
        scale = xp.astype(by_size, kind) if kind.kind == "c" else by_size
    if by_sign is not None and kind.kind == "c":
        # only what turns the phase counts
        turn = conjugated(xp, out[0]) * by_sign
        turn = xp.complex(xp.imag(turn) * 0, xp.imag(turn))
        scale = turn if scale is None else scale + turn
    if scale is None:  # the sign of a real determinant does not change
        return xp.full(tuple(A.shape), 0, kind)
    return xp.reshape(scale, (*scale.shape, 1, 1)) * across


@operation(public=False, method=False, name="determinant", dtypes="inexact", holomorphic=False,
           node_name="LinalgDetBackward0", samples=(*_SQUARES, ("complex(3,3)",)))  # fmt: skip
def det_(xp, A: Array):
    """The determinants."""
    sign, size = xp.factors(A, "slogdet")
    if xp.dtype(A).kind == "c":
        size = xp.astype(size, xp.dtype(A))
    return sign * xp.exp(size)


@det_.kernel
def _(A):
    return np.asarray(np.linalg.det(A))


@det_.vjp("A")
def _(xp, grad, A, out):
    scale = grad * conjugated(xp, out)
    return xp.reshape(scale, (*out.shape, 1, 1)) * adjoint(xp, xp.inverse(A))


@det_.vjp_kernel("A")
def _(grad, A, out):
    """By the cofactors, which singular matrices have too."""
    if not A.size:
        return np.zeros_like(A)
    left, values, right = factors(A, "svd")
    n = A.shape[-1]
    others = np.array(np.broadcast_to(values[..., None, :], (*values.shape[:-1], n, n)))
    others[..., np.arange(n), np.arange(n)] = 1
    cofactors = (left * others.prod(-1)[..., None, :]) @ right
    sign = np.linalg.det(left) * np.linalg.det(right)
    return (grad * sign.conj())[..., None, None] * cofactors


@composite(out=True)
def det(input: Any) -> Any:
    """The determinants of square matrices.

    Args:
        input: (*, n, n), floating-point or complex.

    Returns:
        (*), of ``input``'s dtype; 1 for n = 0.

    Raises:
        RuntimeError: ``input`` is of other matrices or whole numbers.
    """
    require_square("linalg.det", input)
    return det_(input)


@composite
def logdet(input: Any) -> Any:
    """The logarithms of the determinants of square matrices; NaN where a real one is negative.

    Args:
        input: (*, n, n), floating-point or complex.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` is of other matrices or whole numbers.
    """
    require_square("logdet", input)
    sign, size = slogdet_(input)
    if input.is_complex():
        return size + sign.log()
    return where(sign.detach() == -1, float("nan"), size)


@composite(out=True)
def slogdet(input: Any) -> Any:
    """The sign of each determinant and the logarithm of its size.

    Args:
        input: (*, n, n), floating-point or complex.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: sign (*), of complex matrices the phase, a number of size 1; logabsdet (*),
        real.

    Raises:
        RuntimeError: ``input`` is of other matrices or whole numbers.
    """
    return _signed("slogdet", input)


def _signed(name: str, matrices: Any) -> Any:
    require_square("linalg.slogdet", matrices)
    return return_type(name, ("sign", "logabsdet"))(tuple(slogdet_(matrices)))


# -- by the names of ``torch.linalg`` -----------------------------------------------------------


@composite(out=True, public=False)
def linalg_det(A: Any) -> Any:
    """The determinants of square matrices.

    Args:
        A: (*, n, n), floating-point or complex.

    Returns:
        (*), of the dtype of ``A``; 1 for n = 0.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
    """
    return det(A)


@composite(out=True, public=False)
def linalg_slogdet(A: Any) -> Any:
    """The sign of each determinant and the logarithm of its size.

    Args:
        A: (*, n, n), floating-point or complex.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: sign (*), of complex matrices the phase, a number of size 1; logabsdet (*),
        real.

    Raises:
        RuntimeError: ``A`` is of other matrices or whole numbers.
    """
    return _signed("linalg_slogdet", A)
