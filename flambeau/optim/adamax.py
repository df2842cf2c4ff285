"""Adamax: Adam with the largest gradient in place of the average square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.hyperparameter import (
    check_betas,
    check_lr,
    check_non_negative,
)
from flambeau.optim.moments import MomentOptimizer, lerp
from flambeau.tensor import Tensor

__all__ = ["Adamax"]


def adamax(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_inf: Any,
    step: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    maximize: bool,
    beta1_is_small: bool,
) -> dict[str, Any]:
    """The update; see :class:`Adamax` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    step = step + 1
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    exp_avg = lerp(exp_avg, grad, 1 - beta1, beta1, towards_end=beta1_is_small)
    exp_inf = xp.maximum(beta2 * exp_inf, xp.abs(grad) + eps)
    rate = lr / (1 - beta1**step)
    return {
        "param": param - rate * exp_avg / exp_inf,
        "exp_avg": exp_avg,
        "exp_inf": exp_inf,
        "step": step,
    }


class Adamax(MomentOptimizer):
    """Adamax: steps scaled by the average gradient over the (fading) largest one.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        betas: how much the average gradient, and the largest one, keep at each step.
        eps: added to the gradient's size.
        weight_decay: the L2 penalty's factor.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        differentiable: record the update for backward (parameters are then no leaves).
        capturable: the step may be recorded and replayed (always so here).

    Raises:
        ValueError: a negative option, or a beta outside of [0, 1).

    Source: ``torch.optim.Adamax``; Kingma and Ba, Adam: A Method for Stochastic Optimization
    (2014).
    """

    rule = staticmethod(adamax)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_non_negative(eps, "epsilon value")
        check_betas(betas)
        check_non_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")
