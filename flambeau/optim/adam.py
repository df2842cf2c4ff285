"""Adam, with L2 penalty or with decoupled weight decay, and its AMSGrad variant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.hyperparameter import (
    as_scalar,
    check_betas,
    check_implementation,
    check_lr,
    check_non_negative,
)
from flambeau.optim.moments import MomentOptimizer, lerp
from flambeau.tensor import Tensor

__all__ = ["Adam"]


def adam(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    max_exp_avg_sq: Any = None,
    step: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    amsgrad: bool,
    maximize: bool,
    decoupled_weight_decay: bool,
    beta1_is_small: bool,
) -> dict[str, Any]:
    """The update; see :class:`Adam` and :mod:`flambeau.optim.update_program`.

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
    exp_avg = lerp(exp_avg, grad, 1 - beta1, beta1, towards_end=beta1_is_small)
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad * grad
    bias_correction1 = 1 - beta1**step
    bias_correction2 = 1 - beta2**step
    second_moment = exp_avg_sq
    if amsgrad:
        max_exp_avg_sq = xp.maximum(max_exp_avg_sq, exp_avg_sq)
        second_moment = max_exp_avg_sq
    denominator = xp.sqrt(second_moment) / xp.sqrt(bias_correction2) + eps
    return {
        "param": param - (lr / bias_correction1) * exp_avg / denominator,
        "exp_avg": exp_avg,
        "exp_avg_sq": exp_avg_sq,
        "max_exp_avg_sq": max_exp_avg_sq,
        "step": step,
    }


class Adam(MomentOptimizer):
    """Adam: steps scaled by running averages of the gradient and of its square.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        betas: how much the averages of the gradient and of its square keep at each step, two
            floats or two 1-element tensors.
        eps: added to the denominator.
        weight_decay: the L2 penalty's factor (or that of the decay, see below).
        amsgrad: divide by the largest average of squares so far (AMSGrad).
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        capturable: the step may be recorded and replayed (always so here).
        differentiable: record the update for backward (parameters are then no leaves).
        fused: accepted as in PyTorch, where it chooses an implementation; same result.
        decoupled_weight_decay: shrink the parameters themselves, as AdamW does.

    Raises:
        ValueError: a negative option, or a beta outside of [0, 1).
        RuntimeError: ``fused`` beside ``differentiable`` or ``foreach``.

    Source: ``torch.optim.Adam``; Kingma and Ba, Adam: A Method for Stochastic Optimization (2014).
    """

    rule = staticmethod(adam)
    flags = (*MomentOptimizer.flags, "amsgrad", "decoupled_weight_decay")
    unset = ("foreach", "fused")
    further_options = ("amsgrad", "decoupled_weight_decay")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_lr(lr, foreach=foreach, capturable=capturable)
        check_non_negative(eps, "epsilon value")
        check_betas(betas)
        check_non_negative(weight_decay, "weight_decay value")
        _check_beta_kinds(betas, foreach, capturable)
        betas = (as_scalar(betas[0]), as_scalar(betas[1]))
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_implementation(self, fused, foreach, differentiable)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        if group["amsgrad"]:
            return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return ("exp_avg", "exp_avg_sq")


def _check_beta_kinds(betas: Any, foreach: Any, capturable: bool) -> None:
    kinds = [isinstance(beta, Tensor) for beta in betas]
    if not (all(kinds) or all(isinstance(beta, float) for beta in betas)):
        raise ValueError("betas must be either both floats or both Tensors")
    for index, beta in enumerate(betas):
        if not isinstance(beta, Tensor):
            continue
        if not capturable and foreach:
            raise ValueError(
                f"betas[{index}] as a Tensor is not supported for capturable=False and foreach=True"
            )
        if beta.numel() != 1:
            raise ValueError(f"Tensor betas[{index}] must be 1-element")
