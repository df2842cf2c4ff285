"""RAdam: Adam that waits until it knows enough of the gradients' squares."""

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

__all__ = ["RAdam"]


def radam(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    step: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    decoupled_weight_decay: bool,
    maximize: bool,
    beta1_is_small: bool,
) -> dict[str, Any]:
    """The update; see :class:`RAdam` and :mod:`flambeau.optim.update_program`.

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
    bias_correction2 = 1 - beta2**step
    longest = 2 / (1 - beta2) - 1  # the length of the average after infinitely many steps
    length = longest - 2 * step * beta2**step / bias_correction2
    # The step is scaled by the second moment only once its variance is tractable.
    is_rectified = length > 5.0
    # (The bounds only keep what is not used then from being a division by zero or a root of a
    # negative number.)
    numerator = xp.maximum(length - 4, 0.0) * xp.maximum(length - 2, 0.0) * longest
    denominator = xp.maximum((longest - 4) * (longest - 2) * length, 1e-30)
    rectification = xp.sqrt(numerator / denominator)
    scale = xp.where(is_rectified, rectification * xp.sqrt(bias_correction2), 0.0)
    plain = xp.where(is_rectified, 0.0, 1.0)
    mean = exp_avg / (1 - beta1**step)
    param = param - lr * mean * (plain + scale / (xp.sqrt(exp_avg_sq) + eps))
    return {"param": param, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "step": step}


class RAdam(MomentOptimizer):
    """RAdam: Adam with a warm-up that follows from the second moment's variance.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        betas: how much the averages of the gradient and of its square keep at each step.
        eps: added to the denominator.
        weight_decay: the L2 penalty's factor (or that of the decay, see below).
        decoupled_weight_decay: shrink the parameters themselves, as AdamW does.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        capturable: the step may be recorded and replayed (always so here).
        differentiable: record the update for backward (parameters are then no leaves).

    Raises:
        ValueError: a negative option, or a beta outside of [0, 1).

    Source: ``torch.optim.RAdam``; Liu et al., On the Variance of the Adaptive Learning Rate and
    Beyond (2019).
    """

    rule = staticmethod(radam)
    flags = (*MomentOptimizer.flags, "decoupled_weight_decay")
    further_options = ("decoupled_weight_decay",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
