"""Powers and exponentials of square matrices.

Source: https://pytorch.org/docs/stable/generated/torch.linalg.matrix_exp.html
"""

from __future__ import annotations

from typing import Any

from .conversion import filled
from .matmul import matmul
from .matrix_checks import require_floating, require_square
from .matrix_parts import adjoint, block, identity_like
from .matrix_solutions import inverse
from .operation import Array, composite, operation


@operation(public=False, method=False, name="matrix_exp", dtypes="inexact", holomorphic=False,
           node_name="LinalgMatrixExpBackward0",
           samples=(((3, 3),), ((2, 2, 2),), ("complex(2,2)",)))  # fmt: skip
def matrix_exp_(xp, A: Array):
    """The exponentials."""
    return xp.matrix_exp(A)


@matrix_exp_.vjp("A")
def _(xp, grad, A):
    """The corner of the exponential of [[A.mH, grad], [0, A.mH]].

    Source: Najfeld and Havel, Derivatives of the matrix exponential and their computation (1995).
    """
    n = A.shape[-1]
    across, last = adjoint(xp, A), A.ndim - 1
    zero = xp.full(tuple(A.shape), 0, xp.dtype(A))
    upper, lower = xp.cat([across, grad], last), xp.cat([zero, across], last)
    return block(xp, xp.matrix_exp(xp.cat([upper, lower], last - 1)), slice(0, n), slice(n, 2 * n))


@composite
def matrix_exp(input: Any) -> Any:
    """The exponentials of square matrices, by scaling and squaring.

    Args:
        input: (*, n, n), floating-point or complex.

    Returns:
        (*, n, n), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` is of other matrices or whole numbers.

    Source: Higham, The scaling and squaring method for the matrix exponential revisited (2005).
    """
    require_square("linalg.matrix_exp", input, floating=False)
    require_floating("linalg.matrix_exp", input, half=True)
    return matrix_exp_(input)


@composite(out=True)
def matrix_power(input: Any, n: int) -> Any:
    """Square matrices to the power of a whole number, by repeated squaring.

    Args:
        input: (*, k, k).
        n: the exponent; of a negative one the inverse is raised.

    Returns:
        (*, k, k), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` is of other matrices.
        torch.linalg.LinAlgError: ``n`` is negative and a matrix is singular.
    """
    require_square("linalg.matrix_power", input, floating=False)
    if n == 0:
        return filled(input, 0) + identity_like(input)
    base = inverse(input) if n < 0 else input
    n = abs(n)
    result = None
    while n:
        if n & 1:
            result = base if result is None else matmul(result, base)
        n >>= 1
        if n:
            base = matmul(base, base)
    assert result is not None
    return result.clone() if result is input else result
