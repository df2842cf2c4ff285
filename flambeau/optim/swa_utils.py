"""Averaged weights: stochastic weight averaging and exponential moving averages.

Source: https://docs.pytorch.org/docs/2.13/optim.html
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

import numpy as np

from flambeau.autograd.grad_mode import no_grad
from flambeau.dtypes import int64
from flambeau.modes import MODES
from flambeau.nn import Module
from flambeau.optim.lr_scheduler.scheduler import LRScheduler, per_group, warn_outside_step
from flambeau.optim.optimizer import Optimizer
from flambeau.tensor import Tensor
from flambeau.tensor.creation import tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

_Average = Callable[[Any, Any, Any], Any]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_avg_fn(decay: float = 0.999) -> _Average:
    """The function of an exponential moving average, for one parameter.

    Args:
        decay: the share of the average that is kept, in [0, 1].

    Returns:
        ``average(averaged, current, num_averaged)``, the new average.

    Raises:
        ValueError: ``decay`` is outside [0, 1].
    """
    _check_decay(decay)

    def average(averaged: Any, current: Any, num_averaged: Any) -> Any:
        with no_grad():
            return decay * averaged + (1 - decay) * current

    return average


def get_swa_avg_fn() -> _Average:
    """The function of the plain average of all models so far, for one parameter.

    Returns:
        ``average(averaged, current, num_averaged)``, the new average.
    """

    def average(averaged: Any, current: Any, num_averaged: Any) -> Any:
        with no_grad():
            return averaged + (current - averaged) / (num_averaged + 1)

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> _Average:
    """The function of an exponential moving average, for lists of parameters, in place.

    Args:
        decay: the share of the average that is kept, in [0, 1].

    Returns:
        ``average(averaged, current, num_averaged)``.

    Raises:
        ValueError: ``decay`` is outside [0, 1].
    """
    _check_decay(decay)

    def average(averaged: Any, current: Any, num_averaged: Any) -> None:
        with no_grad():
            for mean, value in zip(averaged, current, strict=True):
                if mean.is_floating_point() or mean.is_complex():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(mean * decay + value * (1 - decay))

    return average


def get_swa_multi_avg_fn() -> _Average:
    """The function of the plain average of all models so far, for lists, in place.

    Returns:
        ``average(averaged, current, num_averaged)``.
    """

    def average(averaged: Any, current: Any, num_averaged: Any) -> None:
        with no_grad():
            for mean, value in zip(averaged, current, strict=True):
                if mean.is_floating_point() or mean.is_complex():
                    if _is_known(num_averaged):
                        mean.lerp_(value, 1 / (float(num_averaged) + 1))
                    else:
                        mean.lerp_(value, (1 / (num_averaged.double() + 1)).to(mean.dtype))
                else:
                    mean.copy_(mean + (value - mean) / (num_averaged + 1))

    return average


def _is_known(count: Any) -> bool:
    """Whether the value of a count can be asked for: not while a step is being captured."""
    return not isinstance(count, Tensor) or (
        type(count._array) is np.ndarray and MODES.capture is None
    )


class AveragedModel(Module):
    """A copy of a model that holds the average of its parameters over time.

    Args:
        model: the model; it is copied.
        device: where the copy is kept.
        avg_fn: ``avg_fn(averaged, current, num_averaged)``, the new average of one parameter; by
            default all models so far count alike.
        multi_avg_fn: the same for lists of parameters, in place.
        use_buffers: average the buffers too, rather than copy them.

    Raises:
        AssertionError: both functions are given.

    Source: ``torch.optim.swa_utils.AveragedModel``; Izmailov et al., Averaging Weights Leads to
    Wider Optima and Better Generalization (2018).
    """

    n_averaged: Any

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: _Average | None = None,
        multi_avg_fn: _Average | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The averaged model's output."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take ``model`` as it is now into the average; the first one is copied."""

        def averaged_tensors(module: Module) -> Iterable[Any]:
            if self.use_buffers:
                return itertools.chain(module.parameters(), module.buffers())
            return module.parameters()

        means: list[Tensor] = []
        values: list[Tensor] = []
        for mean, value in zip(
            averaged_tensors(self.module), averaged_tensors(model), strict=False
        ):
            means.append(mean.detach())
            values.append(value.detach().to(mean.device))
        is_known = _is_known(self.n_averaged)
        if is_known and self.n_averaged == 0:
            for mean, value in zip(means, values, strict=True):
                mean.copy_(value)
        elif self.avg_fn is None:
            average = self.multi_avg_fn or get_swa_multi_avg_fn()
            average(means, values, self.n_averaged)
        else:
            for mean, value in zip(means, values, strict=True):
                mean.copy_(self.avg_fn(mean, value, self.n_averaged))
        if not is_known:
            is_first = self.n_averaged == 0
            with no_grad():
                for mean, value in zip(means, values, strict=True):
                    mean.copy_(value.where(is_first, mean))
        if not self.use_buffers:
            for mean, value in zip(self.module.buffers(), model.buffers(), strict=True):
                mean.detach().copy_(value.detach().to(mean.device))
        self.n_averaged += 1


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of batch normalization anew from data.

    Args:
        loader: batches: tensors, or tuples or lists that begin with one.
        model: whose statistics to compute.
        device: where batches are moved to first.

    Source: ``torch.optim.swa_utils.update_bn``.
    """
    from flambeau.nn.modules.batchnorm import _BatchNorm

    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    was_training = model.training
    momenta = [layer.momentum for layer in layers]
    model.train()
    with no_grad():
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the average over all batches
        for batch in loader:
            inputs = batch[0] if isinstance(batch, list | tuple) else batch
            model(inputs if device is None else inputs.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Moves the learning rate to a fixed one, and stays there.

    Args:
        optimizer: whose parameter groups to schedule.
        swa_lr: the last learning rate, one for all groups or one for each.
        anneal_epochs: epochs on the way.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: the last epoch of a schedule that is being resumed; -1 begins one.

    Raises:
        ValueError: an unknown strategy, or ``anneal_epochs`` no non-negative integer.

    Source: ``torch.optim.swa_utils.SWALR``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for lr, group in zip(
            per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True
        ):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How much of the way is behind at ``step``."""
        time = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        if self._anneal_strategy == "linear":
            return time
        return (1 - math.cos(math.pi * time)) / 2

    def get_lr(self) -> list[Any]:
        warn_outside_step(self)
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            # The rate that the way began at follows from where it was one step before.
            first = group["swa_lr"]
            if before != 1:
                first = (group["lr"] - before * group["swa_lr"]) / (1 - before)
            rates.append(group["swa_lr"] * now + first * (1 - now))
        return rates
