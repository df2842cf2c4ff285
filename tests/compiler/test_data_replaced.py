"""``tensor.data = value`` in a step: other memory, as in eager mode."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau.nn import functional as F

from .agreement import check, data, net, shares

CALLS = 6


def learn(model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    return loss


def test_parameters_that_become_others() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            loss = learn(model, x, y)
            for p in model.parameters():
                p.data = p.data - 0.1 * p.grad
            return loss

        for i in range(CALLS):
            before = model[0].weight.data
            kept = before.clone()
            log(step(*data()), model)
            assert torch.equal(before, kept)
            assert not shares(before, model[0].weight)
            if i == 3:
                model[0].weight.data = torch.ones(5, 3)

    check(program)


def test_a_target_that_follows() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()
        target = copy.deepcopy(model)
        opt = torch.optim.SGD(model.parameters(), 0.1)

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            loss = learn(model, x, target(x).detach() + 1)
            opt.step()
            for t, p in zip(target.parameters(), model.parameters()):
                t.data = t.data * 0.9 + p.data * 0.1
            return loss

        for _ in range(CALLS):
            log(step(data()[0]), model, target)

    check(program)


def test_a_step_there_and_back() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()
        opt = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        old = {n: p.detach().clone() for n, p in model.named_parameters()}

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            loss = learn(model, x, y)
            with torch.no_grad():
                for n, p in model.named_parameters():
                    old[n] = p.data.clone()
                    p.add_(p.grad, alpha=0.05)
            learn(model, x, y)
            for n, p in model.named_parameters():
                p.data = old[n]
            opt.step()
            return loss

        for _ in range(CALLS):
            weight = model[0].weight.data
            log(step(*data()), model, old, weight)  # what it was has been written before it went
            assert shares(old["0.weight"], model[0].weight)

    check(program)


def test_augmented_assignment_writes_in_place() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            loss = learn(model, x, y)
            for p in model.parameters():
                p.data -= 0.1 * p.grad.data
            return loss

        for _ in range(CALLS):
            before = model[0].weight.data
            log(step(*data()), model)
            assert shares(before, model[0].weight)

    check(program)


def test_the_forward_pass_of_a_module_alone() -> None:
    def program(compiled: Any, log: Any) -> None:
        model, scale = net(), torch.ones(3)

        @compiled
        def forward(x: torch.Tensor) -> torch.Tensor:
            scale.data = 0.5 * scale.data + x.detach().abs().mean(0)
            return model(x / scale)

        for _ in range(CALLS):
            model.zero_grad()
            x, y = data()
            loss = F.mse_loss(forward(x), y)
            loss.backward()
            log(loss, model, scale)

    check(program)


def eagerly(function: Callable[..., Any], tensor: torch.Tensor) -> None:
    def program(compiled: Any, log: Any) -> None:
        mine = tensor.clone()
        step = compiled(lambda x: function(mine, x))
        for _ in range(CALLS):
            log(step(torch.randn(3)), mine)

    check(program, captured=False)


def test_a_tensor_with_views_runs_eagerly() -> None:
    def replace(mine: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        before = mine.detach()
        mine.data = x * 2
        mine.add_(1)
        return before + x

    eagerly(replace, torch.ones(3))


def test_an_argument_as_data_runs_eagerly() -> None:
    def replace(mine: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        mine.data = x
        return mine + 1

    eagerly(replace, torch.ones(3))


def test_data_of_another_shape_run_eagerly() -> None:
    def replace(mine: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        mine.data = x.sum().reshape(1)
        return mine + 1

    eagerly(replace, torch.ones(3))


def test_data_that_are_replaced_twice_run_eagerly() -> None:
    def replace(mine: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        mine.data = x + 1
        mine.data = x + 2
        return mine + 1

    eagerly(replace, torch.ones(3))


def test_the_new_memory_is_one_with_its_other_name() -> None:
    def program(compiled: Any, log: Any) -> None:
        mine = torch.ones(3)

        @compiled
        def step(x: torch.Tensor) -> list[torch.Tensor]:
            new = x * 2
            mine.data = new
            mine.add_(1)
            new.mul_(3)
            return [new, mine.sum()]

        for _ in range(CALLS):
            new, total = step(torch.randn(3))
            assert shares(new, mine)
            log(new, total, mine)

    check(program)
