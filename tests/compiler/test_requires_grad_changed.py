"""requires_grad set on what a compiled step uses, between calls and inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

from .agreement import check, data, net, training_step

N = 20


def of_requires_grad_toggle_closure(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    v = torch.ones(3)

    @compiled
    def step(x):
        w.grad = None
        loss = (w * x * v).sum()
        if loss.requires_grad:
            loss.backward()
        return loss

    for i in range(20):
        if i == 5:
            v.requires_grad_()
        if i == 9:
            w.requires_grad_(False)
        if i == 13:
            v.requires_grad_(False)
        if i == 16:
            w.requires_grad_(True)
        log(step(torch.ones(3) * i), w.grad, v.grad)


def of_requires_grad_toggle_global(compiled: Any, log: Any) -> None:
    global GW
    GW = torch.ones(3)

    @compiled
    def step(x):
        return (GW * x).sum()

    for i in range(10):
        if i == 5:
            GW.requires_grad_()
        log(step(torch.ones(3) * i))
        if i >= 5:
            step(torch.ones(3)).backward()
            log(GW.grad)


def of_requires_grad_attr(compiled: Any, log: Any) -> None:

    class T:
        pass

    t = T()
    t.w = torch.ones(3)
    t.v = torch.ones(3)

    def loss(x):
        return (t.w * x + t.v).sum()

    c = compiled(loss)
    for i in range(14):
        if i == 5:
            t.w.requires_grad_()
        if i == 9:
            t.w.requires_grad_(False)
        log(c(torch.ones(3) * i))


def of_requires_grad_unused_branch(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        return x * 2 if w.requires_grad else x * 3

    for i in range(10):
        if i == 5:
            w.requires_grad_(False)
        log(step(torch.ones(3)))


def of_requires_grad_module(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    step = compiled(training_step(m, opt))

    c = compiled(m)
    for i in range(20):
        if i == 5:
            m[0].requires_grad_(False)
        if i == 10:
            m.requires_grad_(True)
        if i == 14:
            m[2].bias.requires_grad = False
        log(step(x, y), m)
        loss = c(x)
        log(loss)


def of_requires_grad_view_base(compiled: Any, log: Any) -> None:
    W = torch.ones(2, 3)
    w = W[0]
    c = compiled(lambda x: (w * x).sum())
    for i in range(10):
        if i == 5:
            W.requires_grad_()
        log(c(torch.ones(3)))


def of_trainable_count(compiled: Any, log: Any) -> None:
    m = net()
    c = compiled(lambda x: x * len([p for p in m.parameters() if p.requires_grad]))
    for i in range(10):
        if i == 5:
            m[0].requires_grad_(False)
        log(c(torch.ones(3)))


def of_freezing(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)

    step = compiled(training_step(m, opt))

    for i in range(N):
        if i == 6:
            m[0].requires_grad_(False)
        if i == 10:
            m[0].weight.requires_grad_(True)
        if i == 14:
            m[0].requires_grad_(True)
        log(step(x, y), m, opt)


def of_freezing_keep_grads(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=False)
        return loss

    for i in range(N):
        if i == 6:
            m[0].requires_grad_(False)
        if i == 12:
            m[0].requires_grad_(True)
        log(step(x, y), m)


def of_gan(compiled: Any, log: Any) -> None:
    G, D = (nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1)))
    og = torch.optim.Adam(G.parameters(), lr=0.01)
    od = torch.optim.Adam(D.parameters(), lr=0.01)
    bce = nn.BCEWithLogitsLoss()

    @compiled
    def step(real):
        z = torch.randn(4, 2)
        for p in D.parameters():
            p.requires_grad_(True)
        od.zero_grad()
        ld = bce(D(real), torch.ones(4, 1)) + bce(D(G(z).detach()), torch.zeros(4, 1))
        ld.backward()
        od.step()
        for p in D.parameters():
            p.requires_grad_(False)
        og.zero_grad()
        lg = bce(D(G(torch.randn(4, 2))), torch.ones(4, 1))
        lg.backward()
        og.step()
        return {"d": ld, "g": lg}

    for _i in range(N):
        log(step(torch.randn(4, 3)), G, D, og, od, [p.requires_grad for p in D.parameters()])


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program)
