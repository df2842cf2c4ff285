"""Stochastic gradient descent written out, to be laid over `flambeau.optim.SGD`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flambeau as torch

__all__ = ["SGDByHand"]


class SGDByHand:
    """Gradient descent with momentum, in tensor operations only.

    With gradient g, velocity v (zero at first), momentum mu and learning rate lr, a step is
    v <- mu v + g, then w <- w - lr v. It offers of an optimizer what a training loop uses.

    Arguments:
        parameters: what to train.
        lr: the learning rate.
        momentum: how much of the velocity a step keeps.
        weight_decay: this much of each parameter is added to its gradient.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.state: dict[Any, dict[str, Any]] = {
            parameter: {"velocity": torch.zeros_like(parameter)} if momentum else {}
            for parameter in self.parameters
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Move each parameter against its gradient."""
        with torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad
                if self.weight_decay:
                    gradient = gradient + self.weight_decay * parameter
                if self.momentum:
                    velocity = self.state[parameter]["velocity"]
                    velocity.mul_(self.momentum).add_(gradient)
                    gradient = velocity
                parameter.sub_(self.lr * gradient)

    def state_dict(self) -> dict[str, Any]:
        """The velocities, in the order of the parameters."""
        return {
            "velocities": [entry["velocity"] for entry in self.state.values() if entry],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the velocities in `state_dict`, as `state_dict()` gave them.

        Raises:
            ValueError: they are not as many as here, or of other shapes.
        """
        mine = [entry["velocity"] for entry in self.state.values() if entry]
        theirs = state_dict["velocities"]
        if [velocity.shape for velocity in mine] != [velocity.shape for velocity in theirs]:
            raise ValueError("the velocities belong to other parameters")
        with torch.no_grad():
            for velocity, value in zip(mine, theirs):
                velocity.copy_(value)
