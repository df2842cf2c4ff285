"""The base class of learning-rate schedules.

Source: https://docs.pytorch.org/docs/2.13/optim.html
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

from flambeau.modes import MODES, ConcreteValueNeeded
from flambeau.optim.hyperparameter import as_scalar
from flambeau.optim.optimizer import Optimizer
from flambeau.tensor import Tensor

__all__ = ["LRScheduler"]

_ORDER_PAGE = (
    "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)


def group_values(optimizer: Optimizer, key: str) -> list[Any]:
    """Option ``key`` of each parameter group; tensors as copies."""
    values = [group[key] for group in optimizer.param_groups]
    return [value.clone() if isinstance(value, Tensor) else value for value in values]


def set_group_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Set option ``key`` of a group; a tensor there is filled, and stays the same tensor."""
    if isinstance(group[key], Tensor):
        group[key].fill_(as_scalar(value))
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """``value`` for each parameter group: one for all of them, or a sequence of one for each."""
    count = len(optimizer.param_groups)
    if isinstance(value, list | tuple):
        if len(value) != count:
            raise ValueError(
                f"{name} must have the same length as optimizer.param_groups. "
                f"{name} has {len(value)} values, param_groups has {count}."
            )
        values: Sequence[Any] = value
    else:
        values = [value] * count
    return [item.clone() if isinstance(item, Tensor) else item for item in values]


def check_optimizer(optimizer: Any) -> None:
    """Refuse anything but an :class:`Optimizer`."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def warn_outside_step(scheduler: LRScheduler) -> None:
    """Warn a program that calls ``get_lr()`` itself: it computes the next rates."""
    if not scheduler._get_lr_called_within_step:
        warnings.warn(
            "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
            UserWarning,
            stacklevel=3,
        )


class LRScheduler:
    """Sets the learning rate of each parameter group, one value per call of ``step``.

    Subclasses define ``get_lr``. Constructing a schedule takes its first step: the optimizer's
    learning rates are those of epoch 0 (or of ``last_epoch + 1``) then.

    Args:
        optimizer: whose parameter groups to schedule.
        last_epoch: the last epoch of a schedule that is being resumed; -1 begins one. Resuming
            needs ``initial_lr`` in each group, as a loaded optimizer state has it.

    Raises:
        TypeError: ``optimizer`` is none.
        KeyError: resuming, and a group has no ``initial_lr``.

    Source: ``torch.optim.lr_scheduler.LRScheduler``.
    """

    _steps_after_programs: bool = True
    """In a step that is being captured, ``step`` is postponed to the end of each call."""

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False
    last_epoch: int
    _last_lr: list[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is None or cls.__module__.startswith("flambeau."):
            return

        @functools.wraps(step)
        def postponable(self: Any, *args: Any, **kwargs: Any) -> Any:
            if kwargs and MODES.capture is not None:
                raise ConcreteValueNeeded("a schedule's step with named arguments")
            return None if postponed(self, *args) else step(self, *args, **kwargs)

        cls.step = postponable  # type: ignore[method-assign]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                lr = group["lr"]
                group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when "
                    "resuming scheduler with last_epoch >= 0.\n"
                    "This typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n"
                    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs: list[Any] = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _note_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything in the schedule but its optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """The learning rates that the last step set, one for each parameter group.

        Raises:
            ConcreteValueNeeded: a step is being captured by the compiler.
        """
        if MODES.capture is not None:
            raise ConcreteValueNeeded("get_last_lr()")
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The learning rates of epoch ``last_epoch``; called by ``step``.

        Returns:
            One for each parameter group.

        Raises:
            NotImplementedError: a subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define get_lr(): a subclass of LRScheduler has to"
        )

    def step(self, epoch: int | None = None) -> None:
        """Set the next learning rates; call it after ``optimizer.step()``.

        Args:
            epoch: deprecated: the epoch to go to, rather than the next one.
        """
        if postponed(self, epoch):
            return
        if self._step_count == 1:
            if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
                warnings.warn(
                    "Seems like `optimizer.step()` has been overridden after learning rate "
                    "scheduler initialization. Please, make sure to call `optimizer.step()` "
                    f"before `lr_scheduler.step()`. {_ORDER_PAGE}",
                    UserWarning,
                    stacklevel=2,
                )
            elif not getattr(self.optimizer, "_opt_called", False):
                warnings.warn(
                    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
                    "In PyTorch 1.1.0 and later, you should call them in the opposite order: "
                    "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will "
                    "result in PyTorch skipping the first value of the learning rate schedule. "
                    + _ORDER_PAGE,
                    UserWarning,
                    stacklevel=2,
                )
        self._step_count += 1
        if epoch is not None:
            warn_epoch_argument()
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Go to ``epoch`` (in closed form where the schedule has one), or to the next."""
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", self.get_lr)
                rates = closed_form()
        finally:
            self._get_lr_called_within_step = False
        self._set_rates(rates)

    def _set_rates(self, rates: Sequence[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_group_value(group, "lr", lr)
        self._last_lr = group_values(self.optimizer, "lr")

    def _current(self) -> list[Any]:
        """The learning rates as they are."""
        return group_values(self.optimizer, "lr")

    def _scaled(self, factor: float) -> list[Any]:
        """The learning rates as they are, times ``factor``."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class _LRScheduler(LRScheduler):
    """The base class's name before PyTorch 2.0, which older programs subclass."""


def postponed(scheduler: Any, *arguments: Any) -> bool:
    """Whether a step is being captured: each of its calls ends with the schedule's step then."""
    if MODES.capture is None:
        return False
    if getattr(scheduler, "_is_initial", False):
        raise ConcreteValueNeeded("making a schedule")
    MODES.capture.later(scheduler.optimizer, scheduler.step, *arguments)
    return True


def warn_epoch_argument() -> None:
    """Warn of ``scheduler.step(epoch)``, to the caller of ``step``."""
    warnings.warn(
        "The epoch parameter in `scheduler.step()` was not necessary and is being "
        "deprecated where possible. Please use `scheduler.step()` to step the "
        "scheduler. During the deprecation, if epoch is different from None, the "
        "closed form is used instead of the new chainable form, where available. "
        "Please open an issue if you are unable to replicate your use case: "
        "https://github.com/pytorch/pytorch/issues/new/choose.",
        UserWarning,
        stacklevel=3,
    )


def _note_steps(optimizer: Optimizer) -> None:
    """Have ``optimizer.step`` note that it was called, for the warning about the order."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    function = optimizer.step.__func__  # type: ignore[attr-defined]
    reference = weakref.ref(optimizer)  # the optimizer must not keep itself alive

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        owner = reference()
        owner._opt_called = True  # type: ignore[union-attr]
        return function(owner, *args, **kwargs)

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = step  # type: ignore[method-assign]
