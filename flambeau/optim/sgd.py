"""Stochastic gradient descent, with momentum and Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import check_implementation, check_lr, zeros
from flambeau.optim.initial_state import filled_like
from flambeau.tensor import Tensor

__all__ = ["SGD"]


def sgd(
    xp: Any,
    *,
    param: Any,
    grad: Any,
    momentum_buffer: Any = None,
    lr: Any,
    momentum: Any,
    dampening: Any,
    weight_decay: Any,
    nesterov: bool,
    maximize: bool,
    is_first: bool,
) -> dict[str, Any]:
    """The update; see :class:`SGD` and :mod:`flambeau.optim.update_program`.

    Returns:
        The new parameter and the new states, by name.
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    if momentum:
        if is_first:
            momentum_buffer = grad
        else:
            momentum_buffer = momentum * momentum_buffer + (1 - dampening) * grad
        grad = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    return {"param": param - lr * grad, "momentum_buffer": momentum_buffer}


class SGD(ElementwiseOptimizer):
    """Stochastic gradient descent (optionally with momentum).

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        momentum: the share of the last update direction that is kept.
        dampening: the share of the gradient that does not enter the momentum.
        weight_decay: the L2 penalty's factor.
        nesterov: look ahead along the momentum (needs momentum and no dampening).
        maximize: ascend rather than descend.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        differentiable: record the update for backward (parameters are then no leaves).
        fused: accepted as in PyTorch, where it chooses an implementation; same result.

    Raises:
        ValueError: a negative option, or Nesterov's momentum without momentum.
        RuntimeError: ``fused`` beside ``differentiable`` or ``foreach``.

    Source: ``torch.optim.SGD``; Sutskever et al., On the importance of initialization and
    momentum in deep learning (2013).
    """

    rule = staticmethod(sgd)
    scalar_states = ()
    scalar_names = ("lr", "momentum", "dampening", "weight_decay")
    has_first_step = True
    flags = ("nesterov", "maximize", "differentiable", "fused")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_implementation(self, fused, foreach, differentiable)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] != 0 else ()

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "nesterov": group["nesterov"],
            "maximize": group["maximize"],
            **zeros(group, "momentum", "dampening", "weight_decay"),
        }

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        # The first step fills it: with the gradient itself, whatever the dampening.
        return {"momentum_buffer": filled_like(param)}
