"""Optimizers whose state, parameters or options change between compiled steps."""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

from .agreement import check, data, net, training_step

N = 20


def of_optimizer_state_clear(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.Adam(m.parameters(), lr=0.05)

    step = compiled(training_step(m, opt))

    for i in range(16):
        if i == 6:
            opt.state.clear()
        if i == 10:
            opt.state = collections.defaultdict(dict)
        if i == 13:
            del opt.state[m[0].weight]
        log(step(x, y), m, opt)


def of_optimizer_load_state(compiled: Any, log: Any) -> None:

    m = net()
    x, y = data()
    opt = torch.optim.Adam(m.parameters(), lr=0.05)

    step = compiled(training_step(m, opt))

    for i in range(16):
        if i == 2:
            saved = copy.deepcopy(opt.state_dict())
            ms = copy.deepcopy(m.state_dict())
        if i == 6:
            opt.load_state_dict(saved)
            m.load_state_dict(ms)
        if i == 10:
            opt.load_state_dict(saved)
        log(step(x, y), m, opt)


def of_opt_weight_decay_zero(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1, weight_decay=0)

    step = compiled(training_step(m, opt))

    for i in range(20):
        if i == 5:
            opt.param_groups[0]["weight_decay"] = 0.5
        if i == 9:
            opt.param_groups[0]["weight_decay"] = 0.0
        if i == 12:
            opt.param_groups[0]["momentum"] = 0.9
        if i == 15:
            opt.add_param_group({"params": [nn.Parameter(torch.ones(2))]})
        log(step(x, y), m)


def of_opt_group_new_key_or_lr_tensor(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y) * opt.param_groups[0].get("scale", 1.0)
        loss.backward()
        opt.step()
        return loss

    for i in range(14):
        if i == 5:
            opt.param_groups[0]["scale"] = 3.0
        if i == 9:
            opt.param_groups[0]["lr"] = torch.tensor(0.01)
        log(step(x, y), m)


def of_opt_lr_read_in_step(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    opt = torch.optim.SGD([w], lr=0.1)

    @compiled
    def step(x):
        loss = (w * x).sum()
        w.grad = None
        loss.backward()
        with torch.no_grad():
            w.sub_(opt.param_groups[0]["lr"] * w.grad)
        return loss

    for i in range(14):
        if i == 5:
            opt.param_groups[0]["lr"] = 0.01
        log(step(torch.ones(3)), w)


def of_opt_params_replaced(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        return loss

    for i in range(14):
        if i == 5:
            opt.param_groups[0]["params"] = list(m[2].parameters())
        if i == 8:
            del opt.param_groups[0]["params"][0]
        if i == 11:
            opt = torch.optim.SGD(m.parameters(), lr=0.1)
        log(step(x, y), m)


def of_user_optimizer(compiled: Any, log: Any) -> None:

    class Opt(torch.optim.Optimizer):
        def __init__(self, p, lr=0.1):
            super().__init__(p, {"lr": lr, "beta": 0.9})

        @torch.no_grad()
        def step(self, closure=None):
            for g in self.param_groups:
                for p in g["params"]:
                    if p.grad is None:
                        continue
                    s = self.state[p]
                    if "m" not in s:
                        s["m"] = torch.zeros_like(p)
                    s["m"].mul_(g["beta"]).add_(p.grad)
                    p.add_(s["m"], alpha=-g["lr"])

    m = net()
    x, y = data()
    opt = Opt(m.parameters())

    step = compiled(training_step(m, opt))

    for i in range(N):
        if i == 6:
            opt.param_groups[0]["lr"] = 0.01
        if i == 11:
            opt.param_groups[0]["beta"] = 0.1
        if i == 15:
            opt.state.clear()
        log(step(x, y), m, opt)


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program)


OPTIONS: list[tuple[str, dict[str, Any], list[tuple[str, Any]]]] = [
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9},
        [("nesterov", True), ("weight_decay", 0.1), ("momentum", 0.5), ("maximize", True),
         ("foreach", True), ("dampening", 0.1), ("momentum", 0.0)],
    ),
    (
        "Adam",
        {"lr": 0.1},
        [("betas", (0.5, 0.9)), ("weight_decay", 0.1), ("amsgrad", True), ("eps", 1e-3)],
    ),
    ("RMSprop", {"lr": 0.1}, [("alpha", 0.5), ("centered", True), ("momentum", 0.1)]),
    ("SGD", {"lr": 0.1}, [("lr", torch.tensor(0.01)), ("lr", 0.3), ("lr", torch.tensor(0.05))]),
]  # fmt: skip


@pytest.mark.parametrize("name, options, changes", OPTIONS)
def test_options_that_change_in_mid_training_are_noticed(
    name: str, options: dict[str, Any], changes: list[tuple[str, Any]]
) -> None:
    def program(compiled: Any, log: Any) -> None:
        model, (x, y) = net(), data()
        optimizer = getattr(torch.optim, name)(model.parameters(), **options)

        @compiled
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        for i in range(5 + 4 * len(changes)):
            if i >= 5 and (i - 5) % 4 == 0:
                key, value = changes[(i - 5) // 4]
                optimizer.param_groups[0][key] = value
            log(step(x, y), model, optimizer)

    check(program)
