"""Writes between a compiled forward pass and its backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

from .agreement import check, data, net

N = 20


def of_backward_inplace_weight(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    c = compiled(m)
    for _i in range(6):
        loss = F.mse_loss(c(x), y)
        with torch.no_grad():
            m[2].weight.mul_(0.5)
        try:
            loss.backward()
            log("ok")
        except RuntimeError as e:
            log("modified by an inplace" in str(e))


def of_backward_inplace_input(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    x = x.clone()
    c = compiled(m)
    for _i in range(6):
        loss = F.mse_loss(c(x), y)
        x.mul_(0.9)
        try:
            loss.backward()
            log("ok", m)
        except RuntimeError as e:
            log("modified by an inplace" in str(e))


def of_backward_inplace_output(compiled: Any, log: Any) -> None:
    c = compiled(lambda x: x.exp())
    d = compiled(lambda x: x.sin())
    for _i in range(6):
        x = torch.ones(3, requires_grad=True)
        o = c(x)
        with torch.no_grad():
            o.mul_(2)
        try:
            o.sum().backward()
            log("ok", x.grad)
        except RuntimeError as e:
            log("modified by an inplace" in str(e))
        o = d(x)
        with torch.no_grad():
            o.mul_(2)
        try:
            o.sum().backward()
            log("ok", x.grad)
        except RuntimeError as e:
            log("modified by an inplace" in str(e))


def of_backward_inplace_harmless(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    b = torch.ones(3, requires_grad=True)
    c = compiled(lambda x: x * w + b)
    for _i in range(6):
        o = c(torch.ones(3)).sum()
        with torch.no_grad():
            b.add_(1)
        o.backward()
        log(w.grad, b.grad)


def of_optimizer_between_two(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    c = compiled(m)
    for _i in range(6):
        a = F.mse_loss(c(x), y)
        b = F.mse_loss(c(x * 2), y)
        opt.zero_grad()
        a.backward()
        opt.step()
        try:
            b.backward()
            log("ok")
        except RuntimeError as e:
            log("modified by an inplace" in str(e))


def of_custom_function(compiled: Any, log: Any) -> None:

    class Clamp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            ctx.save_for_backward(x)
            ctx.k = k
            return x.clamp(min=0) * k

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return (g * (x > 0) * ctx.k * 2, None)

    w = torch.randn(3, requires_grad=True)

    @compiled
    def step(x):
        w.grad = None
        loss = Clamp.apply(w * x, 3.0).sum()
        loss.backward()
        return loss

    f = compiled(lambda x: Clamp.apply(w * x, 2.0))
    for i in range(N):
        log(step(torch.randn(3)), w.grad)
        x = torch.randn(3)
        o = f(x)
        if i > 10:
            x.mul_(2)
        try:
            o.sum().backward()
            log(w.grad)
        except RuntimeError as e:
            log("inplace" in str(e))


def of_retain_graph(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        o = m(x)
        a = o.mean()
        b = F.mse_loss(o, y)
        a.backward(retain_graph=True)
        b.backward()
        opt.step()
        return (a, b)

    c = compiled(m)
    for _i in range(N):
        log(step(*data()), m)
        o = c(data()[0]).sum()
        o.backward(retain_graph=True)
        o.backward()
        log(m)
        m.zero_grad()
        try:
            o.backward()
        except RuntimeError as e:
            log("second time" in str(e))


def of_multi_output_partial_backward(compiled: Any, log: Any) -> None:
    a = nn.Linear(3, 2)
    b = nn.Linear(3, 2)
    c = compiled(lambda x: (a(x), b(x), a(x).detach()))
    for i in range(N):
        p, q, r = c(torch.randn(4, 3))
        (p if i % 2 else q).sum().backward()
        log(p, q, r, a, b)
        if i % 5 == 0:
            a.zero_grad()
            b.zero_grad()


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program)
