"""How the losses of single elements become one number."""

from __future__ import annotations

import warnings
from typing import Any

from flambeau.ops import loss as _loss
from flambeau.tensor import Tensor

__all__ = [
    "reduced",
    "reduction_of",
    "warn_of_broadcast",
    "weighted",
]


def reduction_of(size_average: Any, reduce: Any, reduction: str) -> str:
    """The name of a reduction, by the deprecated two arguments if one of them is given.

    Args:
        size_average, reduce: bool or None.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        One of the three names.

    Raises:
        ValueError: ``reduction`` is none of the three.
    """
    if size_average is not None or reduce is not None:
        return _loss.legacy_reduction(size_average, reduce)
    if reduction not in _loss.REDUCTIONS:
        return _loss.check_reduction(reduction)
    return reduction


def reduced(values: Tensor, reduction: str) -> Tensor:
    """``values`` (*), their mean or their sum, as ``reduction`` says; returns ``(*)`` or a 0-d
    tensor.
    """
    if reduction == "mean":
        return values.mean()
    return values.sum() if reduction == "sum" else values


def warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    """Warn if ``input`` and ``target`` have two shapes."""
    if target.size() != input.size():
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def weighted(values: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The weighted sum, or the mean weighted by ``weight``, of values of single elements.

    Args:
        values, weight: ``(*)``, of one shape.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: two shapes.
    """
    if weight.size() != values.size():
        raise ValueError("Weights and input must have the same size.")
    weighted = values * weight
    if reduction == "mean":
        return weighted.sum() / weight.sum()
    return reduced(weighted, reduction)
