"""Gradients that are set, changed or forgotten by hand, in a compiled step and between calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau.nn import functional as F

from .agreement import check, data, net

N = 20


def of_grad_set_by_hand_outside(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    G = torch.full((3,), 2.0)
    opt = torch.optim.SGD([w], lr=0.1)

    @compiled
    def step(x):
        w.grad = G
        opt.step()
        return (w * x).sum()

    for i in range(10):
        if i == 6:
            G.add_(1)
        log(step(torch.ones(3)), w, w.grad, w.grad is G)
    w.grad.add_(1)
    log(G)


def of_grad_set_computed(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    opt = torch.optim.SGD([w], lr=0.1)

    @compiled
    def step(x):
        w.grad = (x * 2).clone()
        opt.step()
        return (w * x).sum()

    for i in range(10):
        log(step(torch.ones(3) * i), w, w.grad)


def of_grad_set_to_argument(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    opt = torch.optim.SGD([w], lr=0.1)

    @compiled
    def step(x):
        w.grad = x
        opt.step()
        return (w * x).sum()

    for i in range(10):
        x = torch.ones(3) * i
        log(step(x), w, w.grad, w.grad is x)


def of_grad_set_view_of_outside(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    flat = torch.arange(6.0)
    opt = torch.optim.SGD([w], lr=0.1)

    @compiled
    def step(x):
        w.grad = flat[:3]
        opt.step()
        return (w * x).sum()

    for i in range(10):
        log(step(torch.ones(3) * i), w, w.grad)
        flat.add_(1)
        log(w.grad)


def of_grad_edited_by_hand(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    v = torch.ones(3, requires_grad=True)
    opt = torch.optim.SGD([w, v], lr=0.1)

    @compiled
    def step(x):
        loss = (w * x * v).sum()
        loss.backward()
        w.grad.add_(0.5)
        v.grad.clamp_(-0.5, 0.5)
        opt.step()
        w.grad.zero_()
        v.grad = None
        return loss

    for i in range(10):
        log(step(torch.ones(3) * i), w, w.grad, v, v.grad)


def of_grad_edited_between(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    for i in range(24):
        if i == 6:
            w.grad = None
        if i == 9:
            w.grad.zero_()
        if i == 12:
            w.grad = torch.full((3,), 7.0)
        if i == 15:
            w.grad.mul_(2)
        if i == 18:
            old = w.grad
            w.grad = None
        log(step(torch.ones(3) * i), w.grad)
    log(old)


def of_grad_kept_outside(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    kept = []
    for i in range(8):
        log(step(torch.ones(3) * i))
        kept.append(w.grad)
    log(kept)


def of_grad_accumulate_shared(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    step(torch.ones(3))
    g = w.grad
    for i in range(8):
        log(step(torch.ones(3) * i), g, g is w.grad)


def of_grad_read_only(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        return w.grad * x if w.grad is not None else x

    for i in range(14):
        if i == 5:
            w.grad = torch.full((3,), 5.0)
        if i == 9:
            w.grad = torch.full((3,), 6.0)
        if i == 12:
            w.grad = None
        log(step(torch.ones(3)))


def of_grad_none_branch_unused(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        return x * 2 if w.grad is None else x * 3

    for i in range(14):
        if i == 5:
            w.grad = torch.full((3,), 5.0)
        if i == 10:
            w.grad = None
        log(step(torch.ones(3)))


def of_optimizer_only(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.Adam(m.parameters(), lr=0.1)
    update = compiled(lambda: opt.step())
    for i in range(12):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        if i == 7:
            m[0].weight.grad = None
        update()
        log(loss, m, opt)


def of_optimizer_only_grad_hand(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)

    @compiled
    def update():
        opt.step()
        opt.zero_grad(set_to_none=False)

    for i in range(12):
        loss = F.mse_loss(m(x), y)
        loss.backward()
        if i == 7:
            m[0].weight.grad = None
        if i == 8:
            m[0].weight.grad = torch.ones(5, 3)
        update()
        log(loss, m, opt)


def of_grad_accumulation(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def micro(x, y):
        loss = F.mse_loss(m(x), y) / 4
        loss.backward()
        return loss

    for i in range(N):
        x, y = data()
        log(micro(x, y))
        if i % 4 == 3:
            opt.step()
            opt.zero_grad()
        log(m)


def of_grad_accumulation_in(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.Adam(m.parameters(), lr=0.1)

    @compiled
    def step(xs, ys):
        opt.zero_grad(set_to_none=False)
        t = 0
        for x, y in zip(xs.chunk(4), ys.chunk(4)):
            loss = F.mse_loss(m(x), y) / 4
            loss.backward()
            t = t + loss.detach()
        opt.step()
        return t

    for _i in range(N):
        x, y = data()
        log(step(x, y), m, opt)


def of_accumulate_flag(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)

    @compiled
    def step(x, y, update):
        loss = F.mse_loss(m(x), y)
        loss.backward()
        if update:
            opt.step()
            opt.zero_grad()
        return loss

    for i in range(N):
        x, y = data()
        log(step(x, y, i % 3 == 2), m, opt)


def of_grads_swapped(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    avg = [torch.zeros_like(p) for p in m.parameters()]

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        for a, p in zip(avg, m.parameters()):
            a.mul_(0.5).add_(p.grad)
            p.grad = a
        opt.step()
        return loss

    for _i in range(N):
        log(step(*data()), m, avg, [p.grad is a for p, a in zip(m.parameters(), avg)])


def of_grad_noise_outside(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def back(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        return loss

    upd = compiled(opt.step)
    for _i in range(N):
        log(back(*data()))
        for p in m.parameters():
            p.grad = p.grad + 0.01 * torch.randn_like(p)
        upd()
        log(m)


def of_shared_grad_tensors(compiled: Any, log: Any) -> None:
    a, b = (torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True))
    opt = torch.optim.SGD([a, b], lr=0.1)
    upd = compiled(lambda: opt.step())
    acc = compiled(lambda x: ((a * x).sum() + (b * x * 2).sum()).backward())
    for i in range(N):
        a.grad = torch.ones(3) * i
        b.grad = a.grad if i % 5 > 2 else torch.ones(3)
        upd()
        log(a, b)
        acc(torch.ones(3))
        log(a.grad, b.grad, a.grad is b.grad)


def of_zero_grad_variants(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        for p in m.parameters():
            if p.grad is not None:
                p.grad.detach_()
                p.grad.zero_()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        return loss

    for i in range(N):
        if i == 9:
            m.zero_grad()
        log(step(*data()), m)


def of_arg_grad_in_step(compiled: Any, log: Any) -> None:

    @compiled
    def step(x):
        loss = (x * x).sum()
        loss.backward()
        return loss

    x = torch.ones(3, requires_grad=True)
    for i in range(N):
        if i == 6:
            x.grad = None
        if i == 10:
            x = torch.ones(3, requires_grad=True)
        if i == 14:
            x.grad.zero_()
        log(step(x), x.grad)


def of_a_leaf_of_the_functions_own(compiled: Any, log: Any) -> None:
    m = net()

    @compiled
    def penalty(x):
        leaf = x.detach().requires_grad_()
        (grad,) = torch.autograd.grad((m(leaf) ** 2).sum(), leaf)
        return grad, leaf * 2, m(x)

    for _ in range(N):
        m.zero_grad()
        grad, twice, out = penalty(data()[0])
        (twice.sum() + (out**2).sum()).backward()  # what twice hangs on is gone
        log(grad, twice, m)


def of_a_layer_that_takes_part_now_and_then(compiled: Any, log: Any) -> None:
    first, second = torch.nn.Linear(5, 5), torch.nn.Linear(5, 5)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.01)
    takes_part = [True]

    @compiled
    def step(x):
        optimizer.zero_grad()
        y = first(x)
        loss = (second(y) if takes_part[0] else y).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(N):
        takes_part[0] = (i // 4) % 2 == 0
        log(step(torch.ones(3, 5)), first, second)


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]
NOT_CAPTURED = {of_shared_grad_tensors}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program, captured=program not in NOT_CAPTURED)
