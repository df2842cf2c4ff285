"""Schedules by a function of the user's."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from flambeau.optim.lr_scheduler.scheduler import LRScheduler, warn_outside_step
from flambeau.optim.optimizer import Optimizer

__all__ = ["LambdaLR", "MultiplicativeLR"]

Factor = Callable[[int], float]


class _FactorLR(LRScheduler):
    """What both have in common: one function for each parameter group, and their saving."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1
    ) -> None:
        self.optimizer = optimizer
        count = len(optimizer.param_groups)
        self.lr_lambdas: list[Any]
        if isinstance(lr_lambda, list | tuple):
            if len(lr_lambda) != count:
                raise ValueError(f"Expected {count} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * count
        self._check()
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and plain functions, which cannot be saved.

        Of a factor that is an object with ``__call__``, the attributes are kept.
        """
        left_out = ("optimizer", "lr_lambdas")
        state = {key: value for key, value in self.__dict__.items() if key not in left_out}
        state["lr_lambdas"] = [
            None if isinstance(factor, types.FunctionType) else factor.__dict__.copy()
            for factor in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; plain functions stay as they are."""
        state = dict(state_dict)
        saved = state.pop("lr_lambdas")
        self.__dict__.update(state)
        for factor, attributes in zip(self.lr_lambdas, saved, strict=False):
            if attributes is not None:
                factor.__dict__.update(attributes)


class LambdaLR(_FactorLR):
    """Sets the learning rate to the first one times a function of the epoch.

    Args:
        optimizer: whose parameter groups to schedule.
        lr_lambda: the factor as a function of the epoch, or one function for each group.
        last_epoch: the last epoch of a schedule that is being resumed; -1 begins one.

    Raises:
        ValueError: not as many functions as parameter groups.

    Source: ``torch.optim.lr_scheduler.LambdaLR``.
    """

    def get_lr(self) -> list[Any]:
        warn_outside_step(self)
        return [
            base_lr * factor(self.last_epoch)
            for factor, base_lr in zip(self.lr_lambdas, self.base_lrs, strict=True)
        ]


class MultiplicativeLR(_FactorLR):
    """Multiplies the learning rate by a function of the epoch, every epoch.

    Args:
        optimizer: whose parameter groups to schedule.
        lr_lambda: the factor as a function of the epoch, or one function for each group.
        last_epoch: the last epoch of a schedule that is being resumed; -1 begins one.

    Raises:
        TypeError: a factor that cannot be called.
        ValueError: not as many functions as parameter groups.

    Source: ``torch.optim.lr_scheduler.MultiplicativeLR``.
    """

    def _check(self) -> None:
        for factor in self.lr_lambdas:
            if not callable(factor):
                raise TypeError(f"lr_lambda should be a function, but got {type(factor).__name__}")

    def get_lr(self) -> list[Any]:
        warn_outside_step(self)
        if self._is_initial:
            return self._current()
        return [
            group["lr"] * factor(self.last_epoch)
            for factor, group in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        ]
