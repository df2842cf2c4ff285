"""Losses of numbers against numbers.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (loss functions)
"""

from __future__ import annotations

import math
from typing import Any

import flambeau
from flambeau.nn.functional.reduction import reduced, reduction_of, warn_of_broadcast, weighted
from flambeau.ops import loss as _loss
from flambeau.ops.value_checks import refuse
from flambeau.tensor import Tensor

__all__ = [
    "gaussian_nll_loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target) ** 2, the squared error.

    Args:
        input, target: ``(*)``, to be broadcast, with a warning.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        weight: ``(*)``, a factor per element; the mean is weighted then.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three, or ``weight`` has another shape.
    """
    if input._array.shape != target._array.shape:
        warn_of_broadcast(input, target)
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    if weight is not None:
        return weighted(_loss.mse_loss.function(input, target, "none"), weight, reduction)
    return _loss.mse_loss.function(input, target, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """abs(input - target), the absolute error.

    Args:
        input, target: ``(*)``, to be broadcast, with a warning.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        weight: ``(*)``, a factor per element; the mean is weighted then.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three, or ``weight`` has another shape.
    """
    if input._array.shape != target._array.shape:
        warn_of_broadcast(input, target)
    reduction = reduction_of(size_average, reduce, reduction)
    if weight is not None:
        return weighted(_loss.l1_loss.function(input, target, "none"), weight, reduction)
    return _loss.l1_loss.function(input, target, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d * d / (2 * beta) where d = abs(input - target) < beta, else d - beta / 2.

    Args:
        input, target: (*), to be broadcast.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        beta: from which difference on the loss is linear.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or (*) without reduction.

    Raises:
        RuntimeError: ``beta`` is negative.
        ValueError: ``reduction`` is none of the three.
    """
    if input._array.shape != target._array.shape:
        warn_of_broadcast(input, target)
    reduction = reduction_of(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0.0:
        return _loss.l1_loss.function(input, target, reduction)
    return _loss.smooth_l1_loss.function(input, target, reduction, beta)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d * d / 2 where d = abs(input - target) <= delta, else delta * (d - delta / 2).

    Args:
        input, target: (*), to be broadcast.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        delta: from which difference on the loss is linear.
        weight: (*), a factor per element.

    Returns:
        A 0-d tensor, or (*) without reduction.

    Raises:
        RuntimeError: ``delta`` is not positive.
        ValueError: ``reduction`` is none of the three, or ``weight`` has another shape.

    Source: Huber, Robust Estimation of a Location Parameter, 1964.
    """
    if input._array.shape != target._array.shape:
        warn_of_broadcast(input, target)
    _loss.check_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is not None:
        values = _loss.huber_loss.function(input, target, "none", delta)
        return weighted(values, weight, reduction)
    return _loss.huber_loss.function(input, target, reduction, delta)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of Poisson distributed targets.

    Args:
        input: ``(*)``, the rate, or its logarithm.
        target: ``(*)``, counts.
        log_input: whether ``input`` is the logarithm.
        full: whether Stirling's term for log(target!) is added where targets are above 1.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        eps: added to rates before their logarithm is taken.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if log_input:
        values = input.exp() - target * input
    else:
        values = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        values = values + stirling.masked_fill(target <= 1, 0)
    return reduced(values, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of normally distributed targets with means ``input``.

    Args:
        input, target: ``(*)``.
        var: the variance: a number, or of the input's shape, or with a last dim of 1 or without it.
        full: whether the constant term is added.
        eps: the least variance.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: a negative variance, one of another shape, or ``reduction`` none of the three.

    Source: Nix and Weigend, Estimating the Mean and Variance of the Target Distribution, 1994.
    """
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * flambeau.ones_like(input)
    else:
        refuse(var < 0, ValueError, "var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (
            input.dim() == var.dim()
            and sum(1 for a, b in zip(input.size(), var.size()) if a != b) == 1
            and 1 in var.size()
        ):
            raise ValueError("var is of incorrect size")
    if reduction not in _loss.REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    # the clamp changes the value of the variance, not its gradient
    clamped = var + (var.detach().clamp(min=eps) - var.detach())
    values = 0.5 * (clamped.log() + (input - target) ** 2 / clamped)
    if full:
        values = values + 0.5 * math.log(2 * math.pi)
    return reduced(values, reduction)
