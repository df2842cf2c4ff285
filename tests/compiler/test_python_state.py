"""Compiled functions do what the Python code around the tensors says at each call."""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

pytestmark = pytest.mark.filterwarnings("ignore:flambeau.compile")


class Holder:
    """An object with attributes, as a trainer is."""

    def __init__(self) -> None:
        self.count = 0
        self.scale = 1.0
        self.items: list[int] = []
        self.table = {"n": 0}

    def counted(self, x: Any) -> Any:
        self.count += 1
        self.items.append(1)
        self.table["n"] += 1
        return x * 2

    def scaled(self, x: Any) -> Any:
        return x * self.scale


def of_attribute(compiled: Callable[..., Any]) -> list[Any]:
    holder = Holder()
    f = compiled(holder.scaled)
    out = []
    for i in range(8):
        holder.scale = float(i // 5)
        out.append(f(torch.ones(2)))
    return out


def of_counters(compiled: Callable[..., Any]) -> list[Any]:
    holder = Holder()
    f = compiled(holder.counted)
    out = [f(torch.ones(2)) for _ in range(6)]
    return [*out, holder.count, len(holder.items), holder.table["n"]]


def of_dictionary(compiled: Callable[..., Any]) -> list[Any]:
    options = {"scale": 1.0}
    f = compiled(lambda x: x * options["scale"])
    out = []
    for i in range(8):
        options["scale"] = float(i // 5)
        out.append(f(torch.ones(2)))
    return out


def of_rebound_names(compiled: Callable[..., Any]) -> list[Any]:
    weight, act = torch.ones(2), torch.relu
    f = compiled(lambda x: act(x * weight))
    out = []
    for i in range(10):
        if i == 4:
            weight = torch.full((2,), 3.0)
        if i == 7:
            act = torch.tanh
        out.append(f(torch.full((2,), -0.5)))
    return out


def of_module_structure(compiled: Callable[..., Any]) -> list[Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    f, g = compiled(model), compiled(lambda x: model(x))
    out = []
    for i in range(12):
        if i == 4:
            model[1] = nn.Tanh()
        if i == 6:
            model[0].weight = nn.Parameter(torch.ones(2, 2))
        if i == 8:
            hook = model[0].register_forward_hook(lambda m, args, result: result * 2)
        if i == 10:
            hook.remove()
        out += [f(torch.ones(3, 2)), g(torch.ones(3, 2))]
    return out


def of_optimizers(compiled: Callable[..., Any]) -> list[Any]:
    torch.manual_seed(0)
    a, b = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.Adam(a.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = b(a(x)).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    def scheduled(x: Any) -> Any:
        loss = step(x)
        scheduler.step()
        return loss

    f, g = compiled(step), compiled(scheduled)
    out = []
    for i in range(12):
        if i == 2:
            saved = optimizer.state_dict()
        if i == 5:
            optimizer.load_state_dict(saved)
        if i == 7:
            optimizer.add_param_group({"params": b.parameters(), "lr": 0.01})
        out += [f(torch.ones(3, 2)), a.weight.detach().clone(), b.weight.detach().clone()]
    for _ in range(5):
        out += [g(torch.ones(3, 2)), optimizer.param_groups[0]["lr"]]
    return out


def of_repeated_arguments(compiled: Callable[..., Any]) -> list[Any]:
    f = compiled(lambda a, b: a * 2 + b)
    x, y = torch.ones(3), torch.full((3,), 5.0)
    return [*[f(x, x) for _ in range(5)], f(x, y), f(y, x), *[f(x, y) for _ in range(4)], f(y, y)]


def of_an_argument_known_by_name(compiled: Callable[..., Any]) -> list[Any]:
    weight = torch.ones(3)
    f = compiled(lambda a: a + weight * 10)
    return [*[f(weight) for _ in range(5)], f(torch.full((3,), 5.0))]


def of_arguments_with_a_history(compiled: Callable[..., Any]) -> list[Any]:
    f = compiled(lambda z: (z * z).sum())
    out = []
    for _ in range(6):
        x = torch.ones(3, requires_grad=True)
        f(x * 3).backward()
        out.append(x.grad)
    return out


def of_overlapping_memory(compiled: Callable[..., Any]) -> list[Any]:
    def function(a: Any, b: Any) -> Any:
        a.add_(b)
        return (a * b).sum()

    f = compiled(function)
    out = [f(torch.arange(4.0), torch.ones(4)) for _ in range(5)]
    base = torch.arange(5.0)
    return [*out, *[f(base[:4], base[:4]) for _ in range(3)], base]


def of_views_of_what_was_there(compiled: Callable[..., Any]) -> list[Any]:
    f = compiled(lambda x: x.view(-1))
    out = []
    for _ in range(5):
        x = torch.ones(2, 3)
        f(x).zero_()
        out.append(x)
    return out


def of_exceptions(compiled: Callable[..., Any]) -> list[Any]:
    weight = torch.ones(2)

    def function(x: Any, bad: bool) -> Any:
        weight.add_(x)
        if bad:
            raise ValueError("bad")
        return weight.sum()

    f = compiled(function)
    out = []
    for i in range(10):
        try:
            out.append(f(torch.ones(2), i % 2 == 1))
        except ValueError as error:
            out.append(str(error))
        out.append(weight.clone())
    return out


def of_foreign_random_numbers(compiled: Callable[..., Any]) -> list[Any]:
    random.seed(3)
    f = compiled(lambda x: x * 2 if random.random() < 0.5 else x * 3)
    return [f(torch.ones(2)) for _ in range(10)]


def of_seeding(compiled: Callable[..., Any]) -> list[Any]:
    def function(x: Any) -> Any:
        torch.manual_seed(3)
        return x + torch.rand(2)

    f = compiled(function)
    return [f(torch.ones(2)) for _ in range(5)]


def of_replaced_data(compiled: Callable[..., Any]) -> list[Any]:
    weight = torch.ones(2)

    def function(x: Any) -> Any:
        weight.data = weight.data * 2 + x
        return weight.sum()

    f = compiled(function)
    return [f(torch.ones(2)) for _ in range(5)]


def of_signed_zeros_and_types(compiled: Callable[..., Any]) -> list[Any]:
    f = compiled(lambda x, k: x / k)
    g = compiled(lambda x: x * factor)
    factor: Any = 1
    out = [f(torch.ones(2), k) for k in (0.0, -0.0) for _ in range(4)]
    for factor in (1, 1.0, True):  # noqa: B007
        out += [g(torch.ones(2, dtype=torch.int64)) for _ in range(4)]
    return out


def of_autocast_and_default_dtype(compiled: Callable[..., Any]) -> list[Any]:
    weight = torch.ones(2, 2)
    f = compiled(lambda x: x @ weight)
    g = compiled(lambda x: x * torch.ones(2))
    out = []
    for i in range(8):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=i >= 4):
            out.append(str(f(torch.ones(2, 2)).dtype))
    try:
        for i in range(8):
            torch.set_default_dtype(torch.float64 if i >= 4 else torch.float32)
            out.append(str(g(torch.ones(2, dtype=torch.int64)).dtype))
    finally:
        torch.set_default_dtype(torch.float32)
    return out


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]


def numbers(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().copy()
    return value


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_function_follows(program: Callable[..., list[Any]]) -> None:
    torch.manual_seed(1)
    expected = [numbers(v) for v in program(lambda f: f)]
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [numbers(v) for v in program(torch.compile)]
    assert len(found) == len(expected)
    for i, (a, b) in enumerate(zip(found, expected)):
        if isinstance(b, np.ndarray):
            assert a.dtype == b.dtype, i
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=str(i))
        else:
            assert a == b, i


def test_compiled_modules_can_be_copied_and_pickled() -> None:
    model = nn.Linear(2, 2)
    compiled = torch.compile(model)
    x = torch.ones(3, 2)
    for _ in range(4):
        wanted = compiled(x).detach().clone()
    copies = [copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))]
    with torch.no_grad():
        model.weight.zero_()
    for copied in copies:
        for _ in range(4):
            np.testing.assert_allclose(copied(x).detach(), wanted, rtol=1e-5)


class Trainer:
    """Counts in attributes that have the names of methods of others."""

    def __init__(self) -> None:
        self.model = torch.nn.Linear(4, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.step = self.backward = 0
        self.scale = 1.0
        self.train_step = torch.compile(self.one)

    def one(self, x: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = self.scale * self.model(x).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss


def test_a_counter_with_the_name_of_a_method_makes_no_new_programs() -> None:
    trainer = Trainer()
    for _ in range(30):
        trainer.train_step(torch.ones(3, 4))
        trainer.step += 1
        trainer.backward += 1
    (variants,) = trainer.train_step._variants.values()
    assert [v.runner is not None for v in variants] == [True]
    loss = trainer.train_step(torch.ones(3, 4)).item()
    trainer.scale = 0.0  # a number that is read
    assert loss != 0.0
    assert trainer.train_step(torch.ones(3, 4)).item() == 0.0
