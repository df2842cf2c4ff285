"""ASGD: stochastic gradient descent that keeps the average of its parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import check_lr, check_non_negative, hyperparameter, zeros
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.tensor import Tensor

__all__ = ["ASGD"]


def asgd(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    ax: Any,
    step: Any,
    eta: Any,
    mu: Any,
    lr: Any,
    lambd: Any,
    alpha: Any,
    t0: Any,
    weight_decay: Any,
    maximize: bool,
) -> dict[str, Any]:
    """The update; see :class:`ASGD` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    step = step + 1
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    param = param * (1 - lambd * eta) - eta * grad
    # A weight of 1 makes the average the parameter itself, to the bit.
    ax = ax + (param - ax) * mu
    return {
        "param": param,
        "ax": ax,
        "step": step,
        "eta": lr / (1 + lambd * lr * step) ** alpha,
        "mu": 1 / xp.maximum(1.0, step - t0),
    }


class ASGD(ElementwiseOptimizer):
    """Averaged stochastic gradient descent: ``state[param]["ax"]`` is the average.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        lambd: how fast parameters decay, and with them the learning rate.
        alpha: the power of the learning rate's decay.
        t0: the step at which averaging begins.
        weight_decay: the L2 penalty's factor.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        differentiable: record the update for backward (parameters are then no leaves).
        capturable: the step may be recorded and replayed (always so here).

    Raises:
        ValueError: a negative learning rate or weight decay.

    Source: ``torch.optim.ASGD``; Polyak and Juditsky, Acceleration of Stochastic Approximation by
    Averaging (1992).
    """

    rule = staticmethod(asgd)
    scalar_states = ("step", "eta", "mu")
    scalar_names = ("lr", "lambd", "alpha", "t0", "weight_decay")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_non_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("ax",)

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"maximize": group["maximize"], **zeros(group, "weight_decay")}

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        lr = hyperparameter(group, "lr")
        return {
            "step": scalar_state(param, group),
            "eta": scalar_state(param, group, float(lr)),
            "mu": scalar_state(param, group, 1.0),
            "ax": filled_like(param),
        }
