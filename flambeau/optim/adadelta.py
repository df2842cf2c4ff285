"""Adadelta: steps in units of the parameters, from two running averages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import check_lr, check_non_negative, zeros
from flambeau.tensor import Tensor

__all__ = ["Adadelta"]


def adadelta(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    square_avg: Any,
    acc_delta: Any,
    step: Any,
    lr: Any,
    rho: Any,
    eps: Any,
    weight_decay: Any,
    maximize: bool,
) -> dict[str, Any]:
    """The update; see :class:`Adadelta` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    square_avg = rho * square_avg + (1 - rho) * grad * grad
    delta = xp.sqrt(acc_delta + eps) / xp.sqrt(square_avg + eps) * grad
    acc_delta = rho * acc_delta + (1 - rho) * delta * delta
    return {
        "param": param - lr * delta,
        "square_avg": square_avg,
        "acc_delta": acc_delta,
        "step": step + 1,
    }


class Adadelta(ElementwiseOptimizer):
    """Adadelta: each step has the size of recent steps over that of recent gradients.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: a factor on the steps, a number or a 1-element tensor.
        rho: how much both averages of squares keep at each step.
        eps: added under both roots.
        weight_decay: the L2 penalty's factor.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        capturable: the step may be recorded and replayed (always so here).
        maximize: ascend rather than descend.
        differentiable: record the update for backward (parameters are then no leaves).

    Raises:
        ValueError: a negative option, or ``rho`` outside of [0, 1].

    Source: ``torch.optim.Adadelta``; Zeiler, ADADELTA (2012).
    """

    rule = staticmethod(adadelta)
    scalar_names = ("lr", "rho", "eps", "weight_decay")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_non_negative(eps, "epsilon value")
        check_non_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"maximize": group["maximize"], **zeros(group, "weight_decay")}
