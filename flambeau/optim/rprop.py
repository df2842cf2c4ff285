"""Rprop: a step size of its own for each element, by the gradient's sign alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import check_lr, hyperparameter
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.tensor import Tensor

__all__ = ["Rprop"]


def rprop(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    prev: Any,
    step_size: Any,
    step: Any,
    etaminus: Any,
    etaplus: Any,
    step_size_min: Any,
    step_size_max: Any,
    maximize: bool,
) -> dict[str, Any]:
    """The update; see :class:`Rprop` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    if maximize:
        grad = -grad
    agreement = grad * prev
    turned = agreement < 0
    grown = xp.where(agreement > 0, step_size * etaplus, step_size)
    step_size = xp.where(turned, step_size * etaminus, grown)
    step_size = xp.minimum(xp.maximum(step_size, step_size_min), step_size_max)
    # Where the sign has changed, a minimum was passed: no step there, and none is remembered.
    grad = xp.where(turned, grad * 0.0, grad)
    return {
        "param": param - xp.sign(grad) * step_size,
        "prev": grad,
        "step_size": step_size,
        "step": step + 1,
    }


class Rprop(ElementwiseOptimizer):
    """Resilient backpropagation: steps grow while the gradient's sign stays, and shrink else.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the first step size, a number or a 1-element tensor.
        etas: the factors by which step sizes shrink and grow.
        step_sizes: the least and the largest step size.
        capturable: the step may be recorded and replayed (always so here).
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.
        differentiable: record the update for backward (parameters are then no leaves).

    Raises:
        ValueError: a negative learning rate, or etas not on either side of 1.

    Source: ``torch.optim.Rprop``; Riedmiller and Braun, A Direct Adaptive Method for Faster
    Backpropagation Learning (1993).
    """

    rule = staticmethod(rprop)
    scalar_names = ("etaminus", "etaplus", "step_size_min", "step_size_max")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("prev", "step_size")

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"maximize": group["maximize"]}

    def scalars(self, group: dict[str, Any]) -> dict[str, Any]:
        etaminus, etaplus = hyperparameter(group, "etas")
        least, largest = hyperparameter(group, "step_sizes")
        return {
            "etaminus": etaminus,
            "etaplus": etaplus,
            "step_size_min": least,
            "step_size_max": largest,
        }

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        lr = float(hyperparameter(group, "lr"))
        value = complex(lr, lr) if param.is_complex() else lr
        return {
            "step": scalar_state(param, group),
            "prev": filled_like(param),
            "step_size": filled_like(param, value),
        }
