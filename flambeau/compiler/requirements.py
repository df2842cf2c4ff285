"""What a program requires of values it computes: that factorizations and solutions exist.

Eager functions of matrices look at the elements, and raise for a singular one.  In a graph that is
a primitive of its own, which runs in NumPy and raises the same error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .graph import Value

_INT32 = np.dtype(np.int32)


def singular_places(matrices: Value, result: Value) -> Value:
    """For each matrix 0, or the place (from 1) of a zero pivot, if ``result`` is not finite."""
    return Value("singular_places", (matrices, result), {}, matrices.shape[:-2], _INT32)


def required(infos: Value, name: str, words: str, error: type[Exception]) -> Value:
    """``infos``, which must be 0: else ``error`` is raised in the words of ``raise_failures``."""
    attributes = {"name": name, "words": words, "error": error.__name__}
    return Value("require", (infos,), attributes, infos.shape, infos.dtype)


def _singular_places(operands: Sequence[np.ndarray], attributes: dict[str, Any]) -> np.ndarray:
    from ..namespaces import numpy_linalg

    matrices, result = operands
    if np.isfinite(result).all():
        return np.zeros(matrices.shape[:-2], np.int32)
    return np.asarray(numpy_linalg.factor(matrices, "lu", 2))


def _require(operands: Sequence[np.ndarray], attributes: dict[str, Any]) -> np.ndarray:
    from ..ops.matrix_checks import LinAlgError, raise_for

    (infos,) = operands
    classes = {"LinAlgError": LinAlgError, "ValueError": ValueError}
    error = classes.get(attributes["error"], RuntimeError)
    raise_for(attributes["name"], np.asarray(infos), attributes["words"], error)
    return infos


COMPUTED: dict[str, Callable[[Sequence[np.ndarray], dict[str, Any]], np.ndarray]] = {
    "singular_places": _singular_places,
    "require": _require,
}
"""The primitives of this module -> what computes them from operands and attributes."""


__all__ = ["COMPUTED", "required", "singular_places"]
