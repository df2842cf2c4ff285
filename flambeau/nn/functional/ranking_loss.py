"""Losses of how near or far, how high or low things are to each other.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (loss functions)
"""

from __future__ import annotations

from collections.abc import Callable

import flambeau
from flambeau.nn.functional.distance import pairwise_distance
from flambeau.nn.functional.reduction import reduced, reduction_of
from flambeau.ops import loss as _loss
from flambeau.tensor import Tensor

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``input`` where the target is 1, ``max(0, margin - input)`` where it is -1.

    Args:
        input: ``(*)``, distances.
        target: ``(*)``, 1 and -1.
        margin: from which distance on what is unlike costs nothing.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    zeros = flambeau.zeros_like(input)
    hinge = flambeau.where(target.eq(1), zeros, (margin - input).clamp_min(0))
    values = hinge + flambeau.where(target.eq(-1), zeros, input)
    return reduced(values, reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1.

    Args:
        input1, input2: ``(N, D)`` or ``(D)``.
        target: ``(N)`` or ``()``.
        margin: the margin.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or ``(N)`` (or ``()``) without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three.
        RuntimeError: numbers of dims that do not fit each other.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.dim() == 1 and input1.dim() != 2 or target.dim() == 0 and input1.dim() != 1:
        wanted = f"{target.dim() + 1}D"
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {wanted} input tensors, but found inputs with "
            f"sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    dim = target.dim()
    epsilon = 1e-12
    product = (input1 * input2).sum(dim)
    lengths = ((input1 * input1).sum(dim) + epsilon) * ((input2 * input2).sum(dim) + epsilon)
    cosine = product / lengths.sqrt()
    zeros = flambeau.zeros_like(cosine)
    alike = flambeau.where(target.eq(1), 1 - cosine, zeros)
    unlike = flambeau.where(target.eq(-1), (cosine - margin).clamp_min(0), zeros)
    return reduced(alike + unlike, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin) with targets 1 and -1.

    Args:
        input1, input2, target: (*), of one number of dims.
        margin: by how much the right one is to be ahead.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or (*) without reduction.

    Raises:
        RuntimeError: the three do not have the same number of dims.
        ValueError: ``reduction`` is none of the three.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm distance.

    Args:
        anchor, positive, negative: ``(N, D)`` or ``(D)``.
        margin: the margin, more than 0.
        p: the exponent of the norm.
        eps: added to differences.
        swap: whether the nearer of anchor and positive is compared with the negative.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or ``(N)`` (or ``()``) without reduction.

    Raises:
        ValueError: ``margin`` is not above 0, or ``reduction`` is none of the three.
        RuntimeError: the three do not have the same number of dims.

    Source: Balntas et al., Learning Local Feature Descriptors with Triplets, 2016.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap,
        reduction=reduction,
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """:func:`triplet_margin_loss` with a distance of the user's choice.

    Args:
        anchor, positive, negative: ``(N, *)``, whatever the distance takes.
        distance_function: gives the distances of two tensors; None: :func:`pairwise_distance`.
        margin: how much farther the negative is to be, above 0.
        swap: whether the nearer of anchor and positive is compared with the negative.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or what the distance gives without reduction.

    Raises:
        ValueError: ``margin`` is not above 0, or ``reduction`` is none of the three.
        RuntimeError: the three do not have the same number of dims.
    """
    distance = pairwise_distance if distance_function is None else distance_function
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and "
            f"negative {negative.dim()}D inputs"
        )
    near = distance(anchor, positive)
    far = distance(anchor, negative)
    if swap:
        far = flambeau.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), _loss.check_reduction(reduction))
