"""Linear algebra (``torch.linalg``).

Source: https://pytorch.org/docs/stable/linalg.html
"""

from __future__ import annotations

from typing import Any

from .namespaces.numpy_linalg import LinAlgError
from .ops.determinants import linalg_det as det
from .ops.determinants import linalg_slogdet as slogdet
from .ops.diagonals import diagonal as _diagonal
from .ops.eigenvalues import eig, eigh, eigvals, eigvalsh, svdvals
from .ops.eigenvalues import linalg_svd as svd
from .ops.matmul import matmul as _matmul
from .ops.matrix_factors import cholesky_ex, householder_product
from .ops.matrix_factors import linalg_cholesky as cholesky
from .ops.matrix_factors import linalg_qr as qr
from .ops.matrix_lu import ldl_factor, ldl_factor_ex, ldl_solve, lu_factor, lu_factor_ex
from .ops.matrix_lu import linalg_lu as lu
from .ops.matrix_lu import linalg_lu_solve as lu_solve
from .ops.matrix_norms import cond, matrix_norm, vander, vecdot, vector_norm
from .ops.matrix_norms import linalg_norm as norm
from .ops.matrix_powers import matrix_exp, matrix_power
from .ops.matrix_solutions import (
    inv_ex,
    solve,
    solve_ex,
    solve_triangular,
    tensorinv,
    tensorsolve,
)
from .ops.matrix_solutions import linalg_inv as inv
from .ops.products import linalg_cross as cross
from .ops.products import multi_dot
from .ops.pseudo_inverse import lstsq, matrix_rank, pinv

matmul = _matmul.function


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """A view of the diagonals of matrices (*, m, n); see ``torch.diagonal``.

    Args:
        A: the matrices, in ``dim1`` and ``dim2``.
        offset: how many places right of the main diagonal (left if negative).
        dim1, dim2: the dims of rows and columns.

    Returns:
        the diagonals as the last dim, the others before it.
    """
    return _diagonal(A, offset, dim1, dim2)


__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex",
    "ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve",
    "vander", "vecdot", "vector_norm",
]  # fmt: skip
