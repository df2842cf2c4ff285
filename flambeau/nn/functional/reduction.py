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
    if size_average is not None or reduce is not None:
        return _loss.legacy_reduction(size_average, reduce)
    if reduction not in _loss.REDUCTIONS:
        return _loss.check_reduction(reduction)
    return reduction


def reduced(values: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return values.mean()
    return values.sum() if reduction == "sum" else values


def warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    if target.size() != input.size():
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def weighted(values: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The weighted sum, or the mean weighted by ``weight``, of values of single elements."""
    if weight.size() != values.size():
        raise ValueError("Weights and input must have the same size.")
    weighted = values * weight
    if reduction == "mean":
        return weighted.sum() / weight.sum()
    return reduced(weighted, reduction)
