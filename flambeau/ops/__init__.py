"""Every operation, once: result, gradient, shape and dtype in one place.

:mod:`.operation` tells what a definition is and makes fast functions of it.  The families:
:mod:`.pointwise`, :mod:`.comparison`, :mod:`.reduction`, :mod:`.statistics`, :mod:`.shape`,
:mod:`.diagonals`, :mod:`.indexing`, :mod:`.sorting`, :mod:`.selection`, :mod:`.matmul`,
:mod:`.conversion`, :mod:`.activation`, :mod:`.loss`, :mod:`.convolution`, :mod:`.pooling`,
:mod:`.mean_pooling`, :mod:`.adaptive_pooling`,
:mod:`.batch_normalization`, :mod:`.normalization`, :mod:`.embedding`, :mod:`.dropout`,
:mod:`.recurrent`, :mod:`.recurrent_stack`, :mod:`.attention`.
"""

from __future__ import annotations

import importlib
from typing import Any

FAMILIES = (
    "pointwise",
    "complex_numbers",
    "fourier",
    "comparison",
    "reduction",
    "number_parts",
    "logarithms",
    "special_functions",
    "hashing",
    "statistics",
    "shape",
    "diagonals",
    "indexing",
    "sorting",
    "selection",
    "matmul",
    "conversion",
    "view_writes",
    "pieces",
    "arrangement",
    "index_writes",
    "search",
    "order_statistics",
    "differences",
    "products",
    "matrix_solutions",
    "matrix_factors",
    "matrix_lu",
    "eigenvalues",
    "determinants",
    "pseudo_inverse",
    "matrix_norms",
    "matrix_powers",
    "segments",
    "low_rank",
    "lobpcg",
    "activation",
    "loss",
    "classification",
    "ctc",
    "convolution",
    "pooling",
    "mean_pooling",
    "adaptive_pooling",
    "unfolding",
    "resampling",
    "batch_normalization",
    "normalization",
    "embedding",
    "dropout",
    "distance",
    "einsum",
    "recurrent",
    "recurrent_stack",
    "attention",
)
"""The modules of definitions, in the order of their import."""

for _family in FAMILIES:
    try:
        importlib.import_module(f"{__name__}.{_family}")
    except ModuleNotFoundError as _error:
        if _error.name != f"{__name__}.{_family}":
            raise

from . import node_names  # noqa: E402, F401
from .methods import attach_methods  # noqa: E402
from .operation import COMPOSITES, OPERATIONS  # noqa: E402

PUBLIC: dict[str, Any] = {
    **{name: op.function for name, op in OPERATIONS.items() if op.public},
    **COMPOSITES,
}
"""The functions of the package by name (before aliases)."""

attach_methods(PUBLIC)

globals().update({name: function for name, function in PUBLIC.items() if name not in FAMILIES})
