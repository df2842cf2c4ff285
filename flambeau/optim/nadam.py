"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.hyperparameter import (
    check_betas,
    check_lr,
    check_non_negative,
    hyperparameter,
)
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.optim.moments import MomentOptimizer, lerp
from flambeau.tensor import Tensor

__all__ = ["NAdam"]


def nadam(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    step: Any,
    mu_product: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    momentum_decay: Any,
    decoupled_weight_decay: bool,
    maximize: bool,
    beta1_is_small: bool,
) -> dict[str, Any]:
    """The update; see :class:`NAdam` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    step = step + 1
    if maximize:
        grad = -grad
    if weight_decay:
        if decoupled_weight_decay:
            param = param * (1 - lr * weight_decay)
        else:
            grad = grad + weight_decay * param
    mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
    mu_product = mu_product * mu
    exp_avg = lerp(exp_avg, grad, 1 - beta1, beta1, towards_end=beta1_is_small)
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad * grad
    denominator = xp.sqrt(exp_avg_sq / (1 - beta2**step)) + eps
    param = param - (lr * (1 - mu) / (1 - mu_product)) * grad / denominator
    param = param - (lr * mu_next / (1 - mu_product * mu_next)) * exp_avg / denominator
    return {
        "param": param,
        "exp_avg": exp_avg,
        "exp_avg_sq": exp_avg_sq,
        "step": step,
        "mu_product": mu_product,
    }


class NAdam(MomentOptimizer):
    """NAdam: Adam that looks ahead along its momentum.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        betas: how much the averages of the gradient and of its square keep at each step.
        eps: added to the denominator.
        weight_decay: the L2 penalty's factor (or that of the decay, see below).
        momentum_decay: how fast the momentum grows to the first beta.
        decoupled_weight_decay: shrink the parameters themselves, as AdamW does.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        capturable: the step may be recorded and replayed (always so here).
        differentiable: record the update for backward (parameters are then no leaves).

    Raises:
        ValueError: a negative option, or a beta outside of [0, 1).

    Source: ``torch.optim.NAdam``; Dozat, Incorporating Nesterov Momentum into Adam (2016).
    """

    rule = staticmethod(nadam)
    scalar_states = ("step", "mu_product")
    scalar_names = (*MomentOptimizer.scalar_names, "momentum_decay")
    flags = (*MomentOptimizer.flags, "decoupled_weight_decay")
    further_options = ("decoupled_weight_decay",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_non_negative(eps, "epsilon value")
        check_betas(betas)
        check_non_negative(weight_decay, "weight_decay value")
        check_non_negative(momentum_decay, "momentum_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def scalars(self, group: dict[str, Any]) -> dict[str, Any]:
        return {
            **super().scalars(group),
            "momentum_decay": hyperparameter(group, "momentum_decay"),
        }

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        return {
            "step": scalar_state(param, group),
            "mu_product": scalar_state(param, group, 1.0),
            "exp_avg": filled_like(param),
            "exp_avg_sq": filled_like(param),
        }
