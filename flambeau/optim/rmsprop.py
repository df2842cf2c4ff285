"""RMSprop: steps scaled by a running average of squared gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import check_lr, check_non_negative, hyperparameter, zeros
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.optim.moments import lerp
from flambeau.tensor import Tensor

__all__ = ["RMSprop"]


def rmsprop(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    square_avg: Any,
    momentum_buffer: Any = None,
    grad_avg: Any = None,
    step: Any,
    lr: Any,
    momentum: Any,
    alpha: Any,
    eps: Any,
    weight_decay: Any,
    centered: bool,
    maximize: bool,
    alpha_is_small: bool,
) -> dict[str, Any]:
    """The update; see :class:`RMSprop` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    square_avg = alpha * square_avg + (1 - alpha) * grad * grad
    variance = square_avg
    if centered:
        grad_avg = lerp(grad_avg, grad, 1 - alpha, alpha, towards_end=alpha_is_small)
        variance = square_avg - grad_avg * grad_avg
    denominator = xp.sqrt(variance) + eps
    if momentum:
        momentum_buffer = momentum * momentum_buffer + grad / denominator
        param = param - lr * momentum_buffer
    else:
        param = param - lr * grad / denominator
    return {
        "param": param,
        "square_avg": square_avg,
        "momentum_buffer": momentum_buffer,
        "grad_avg": grad_avg,
        "step": step + 1,
    }


class RMSprop(ElementwiseOptimizer):
    """RMSprop: each element's step is divided by the root of its average squared gradient.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        alpha: how much the average of squares keeps at each step.
        eps: added to the denominator.
        weight_decay: the L2 penalty's factor.
        momentum: the share of the last update direction that is kept.
        centered: divide by the estimated standard deviation instead.
        capturable: the step may be recorded and replayed (always so here).
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        differentiable: record the update for backward (parameters are then no leaves).

    Raises:
        ValueError: a negative option.

    Source: ``torch.optim.RMSprop``; Hinton's lectures; Graves, Generating Sequences With Recurrent
    Neural Networks (2013), for the centered version.
    """

    rule = staticmethod(rmsprop)
    scalar_names = ("lr", "momentum", "alpha", "eps", "weight_decay")
    flags = (*ElementwiseOptimizer.flags, "centered")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_non_negative(eps, "epsilon value")
        check_non_negative(momentum, "momentum value")
        check_non_negative(weight_decay, "weight_decay value")
        check_non_negative(alpha, "alpha value")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("momentum", 0)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return tuple(names)

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "centered": group["centered"],
            "maximize": group["maximize"],
            "alpha_is_small": bool(hyperparameter(group, "alpha") <= 0.5),
            **zeros(group, "momentum", "weight_decay"),
        }

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        return {
            "step": scalar_state(param, group),
            **{name: filled_like(param) for name in self.array_states(group)},
        }
