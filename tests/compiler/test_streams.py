"""Programs that go back to an earlier state of a generator draw the same numbers again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F
from flambeau.utils.checkpoint import checkpoint, checkpoint_sequential

from .agreement import check, data


def repeated(function: Callable[[], Any], captured: bool = True) -> None:
    def program(compiled: Any, log: Any) -> None:
        step = compiled(function)
        for _ in range(5):
            log(step(), torch.rand(2))

    check(program, captured)


def test_a_checkpoint_drops_the_same_elements_again() -> None:
    def program(compiled: Any, log: Any) -> None:
        first = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5))
        last = nn.Linear(8, 1)
        opt = torch.optim.SGD([*first.parameters(), *last.parameters()], 0.1)

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            opt.zero_grad()
            hidden = checkpoint(first, x, use_reentrant=False)
            loss = F.mse_loss(last(F.dropout(hidden, 0.2)), y)
            loss.backward()
            opt.step()
            return loss

        for _ in range(5):
            log(step(*data()), first, last)

    check(program)


def test_checkpoints_in_a_row() -> None:
    def program(compiled: Any, log: Any) -> None:
        layers = [nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 8), nn.Dropout(0.4)]
        model = nn.Sequential(*layers, nn.Tanh(), nn.Linear(8, 1))
        opt = torch.optim.SGD(model.parameters(), 0.1)

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            opt.zero_grad()
            loss = F.mse_loss(checkpoint_sequential(model, 3, x, use_reentrant=False), y)
            loss.backward()
            opt.step()
            return loss

        for _ in range(5):
            log(step(*data()), model)

    check(program)


def test_the_same_numbers_again() -> None:
    def step() -> Any:
        before = torch.get_rng_state()
        first = torch.randn(3), torch.rand(2)
        torch.set_rng_state(before)
        return first, torch.randn(3), torch.rand(2), torch.rand(1)

    repeated(step)


def test_a_fork_whose_numbers_come_again() -> None:
    def step() -> Any:
        with torch.random.fork_rng():
            first = torch.rand(3)
        return first, torch.rand(3)

    repeated(step)


def test_a_fork_that_nothing_follows_runs_eagerly() -> None:
    def step() -> Any:
        with torch.random.fork_rng():
            return torch.rand(3)

    repeated(step, captured=False)


def test_other_numbers_than_before_run_eagerly() -> None:
    def step() -> Any:
        with torch.random.fork_rng():
            first = torch.rand(3)
        return first, torch.randn(4)

    repeated(step, captured=False)


def test_a_state_from_elsewhere_runs_eagerly() -> None:
    saved = torch.get_rng_state()

    def step() -> Any:
        torch.set_rng_state(saved)
        return torch.rand(3)

    repeated(step, captured=False)


def test_the_state_of_a_generator_as_a_result_runs_eagerly() -> None:
    repeated(lambda: torch.get_rng_state(), captured=False)


def test_numbers_that_wait_for_elements_are_not_drawn_again() -> None:
    def step() -> Any:
        before = torch.get_rng_state()
        first = torch.poisson(torch.full((3,), 4.0))
        torch.set_rng_state(before)
        return first, torch.poisson(torch.full((3,), 4.0))

    repeated(step, captured=False)


def test_a_generator_of_ones_own_goes_back() -> None:
    def program(compiled: Any, log: Any) -> None:
        mine = torch.Generator().manual_seed(5)

        @compiled
        def step() -> Any:
            before = mine.get_state()
            first = torch.rand(3, generator=mine)
            mine.set_state(before)
            return first, torch.rand(3, generator=mine), torch.rand(2)

        for _ in range(5):
            log(step(), mine.get_state())

    check(program)
