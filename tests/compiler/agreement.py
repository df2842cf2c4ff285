"""Programs that run twice, as they are and compiled, and must leave the same behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F


class Log:
    """What a program has shown: numbers, tensors, modules and optimizers as they were then."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def __call__(self, *values: Any) -> None:
        for value in values:
            self._add(value)

    def _add(self, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            kind = (str(value.dtype), bool(value.requires_grad))
            self.items += [kind, value.detach().numpy().copy()]
        elif isinstance(value, (list, tuple)):
            self.items.append(f"{type(value).__name__} of {len(value)}")
            self(*value)
        elif isinstance(value, dict):
            for key, item in value.items():
                self.items.append("a tensor" if isinstance(key, torch.Tensor) else str(key))
                self._add(item)
        elif isinstance(value, nn.Module):
            for name, parameter in value.named_parameters():
                self.items.append(name)
                self(parameter, "no grad" if parameter.grad is None else parameter.grad)
            self(dict(value.named_buffers()))
        elif isinstance(value, torch.optim.Optimizer):
            self._add(value.state_dict())
        else:
            self.items.append(value)


def _run(program: Callable[..., None], compiled: Callable[..., Any]) -> list[Any]:
    torch.manual_seed(0)
    log = Log()
    program(compiled, log)
    log(torch.get_rng_state())
    return log.items


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.shape == second.shape and np.allclose(
            np.asarray(first, complex), np.asarray(second, complex), 5e-4, 2e-6, equal_nan=True
        )
    if isinstance(first, float) and isinstance(second, float):
        return bool(np.isclose(first, second, 5e-4, 2e-6, equal_nan=True))
    return type(first) is type(second) and bool(first == second)


def check(program: Callable[..., None], captured: bool = True) -> None:
    """Run ``program(compiled, log)`` with and without compiling, and compare what it logs.

    Args:
        captured: whether all that it compiles is captured; else some of it runs eagerly, and a
            warning says so.
    """
    expected = _run(program, lambda function: function)
    made: list[Any] = []

    def compiled(function: Any) -> Any:
        made.append(torch.compile(function))
        return made[-1]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _run(program, compiled)
    said = [str(w.message) for w in caught if "runs eagerly" in str(w.message)]
    for i, (a, b) in enumerate(zip(expected, found)):
        assert _same(a, b), f"item {i} is {b!r} compiled, {a!r} in eager mode; {expected[:i][-6:]}"
    assert len(found) == len(expected)
    if captured:
        assert not said
        assert all(getattr(f, "_compiled", f).runners() for f in made)
    else:
        assert said


def net() -> nn.Module:
    """A small network."""
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))


def data(rows: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch for it, at random."""
    return torch.randn(rows, 3), torch.randn(rows, 1)


def training_step(m: nn.Module, opt: torch.optim.Optimizer) -> Callable[..., torch.Tensor]:
    """A plain step: the gradient of the mean square error, the optimizer's update, the loss."""

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


def squares_step(m: nn.Module, opt: torch.optim.Optimizer) -> Callable[..., torch.Tensor]:
    """The same without targets: the loss is the mean of the outputs' squares."""

    def step(x: torch.Tensor) -> torch.Tensor:
        opt.zero_grad()
        loss = m(x).square().mean()
        loss.backward()
        opt.step()
        return loss

    return step


def shares(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two tensors share memory."""
    return bool(np.shares_memory(first.detach().numpy(), second.detach().numpy()))
