"""Adagrad: steps scaled by all squared gradients so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import (
    check_implementation,
    check_lr,
    check_non_negative,
    zeros,
)
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.tensor import Tensor

__all__ = ["Adagrad"]


def adagrad(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    sum: Any,
    step: Any,
    lr: Any,
    lr_decay: Any,
    eps: Any,
    weight_decay: Any,
    maximize: bool,
) -> dict[str, Any]:
    """The update; see :class:`Adagrad` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    step = step + 1
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    rate = lr / (1 + (step - 1) * lr_decay)
    sum = sum + grad * grad
    return {"param": param - rate * grad / (xp.sqrt(sum) + eps), "sum": sum, "step": step}


class Adagrad(ElementwiseOptimizer):
    """Adagrad: each element's step shrinks with the sum of its squared gradients.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        lr_decay: the learning rate is divided by ``1 + lr_decay * steps taken``.
        weight_decay: the L2 penalty's factor.
        initial_accumulator_value: what the sums of squares begin with.
        eps: added to the denominator.
        foreach, fused: accepted as in PyTorch, where they choose an implementation; same result.
        maximize: ascend rather than descend.
        differentiable: record the update for backward (parameters are then no leaves).

    Raises:
        ValueError: a negative option.
        RuntimeError: ``fused`` beside ``differentiable`` or ``foreach``.

    Source: ``torch.optim.Adagrad``; Duchi et al., Adaptive Subgradient Methods (2011).
    """

    rule = staticmethod(adagrad)
    scalar_names = ("lr", "lr_decay", "eps", "weight_decay")
    flags = ("maximize", "differentiable")
    unset = ("foreach", "fused")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_non_negative(lr_decay, "lr_decay value")
        check_non_negative(weight_decay, "weight_decay value")
        check_non_negative(initial_accumulator_value, "initial_accumulator_value value")
        check_non_negative(eps, "epsilon value")
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_implementation(self, fused, foreach, differentiable)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param].update(self.initial_state(group, param))

    def share_memory(self) -> None:
        """Move the state to shared memory, for processes that train together."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"maximize": group["maximize"], **zeros(group, "weight_decay")}

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        value = group["initial_accumulator_value"]
        return {
            "step": scalar_state(param, group),
            "sum": filled_like(param, complex(value, value) if param.is_complex() else value),
        }
