"""Hooks that are added, or taken away, after a step was compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

from .agreement import check, data, net, training_step

N = 20


def of_hook_on_closure_tensor(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    for i in range(14):
        if i == 5:
            h = w.register_hook(lambda g: g * 2)
        if i == 9:
            h.remove()
        log(step(torch.ones(3) * i), w.grad)


def of_post_hook_on_closure_tensor(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    def post(p):
        with torch.no_grad():
            p.sub_(0.1 * p.grad)
        p.grad = None

    for i in range(14):
        if i == 5:
            h = w.register_post_accumulate_grad_hook(post)
        if i == 9:
            h.remove()
        log(step(torch.ones(3) * i), w, w.grad)


def of_hook_from_start_counts(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    seen = []
    w.register_hook(lambda g: seen.append(1))

    @compiled
    def step(x):
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    for i in range(8):
        log(step(torch.ones(3) * i), len(seen))


def of_hook_on_argument(compiled: Any, log: Any) -> None:

    @compiled
    def step(w):
        w.grad = None
        loss = (w * w).sum()
        loss.backward()
        return loss

    w = torch.ones(3, requires_grad=True)
    for i in range(14):
        if i == 5:
            h = w.register_hook(lambda g: g * 2)
        if i == 9:
            h.remove()
        log(step(w), w.grad)


def of_hook_on_module_param(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    step = compiled(training_step(m, opt))

    for i in range(20):
        if i == 5:
            h = m[0].weight.register_hook(lambda g: g * 0)
        if i == 9:
            h.remove()
        if i == 12:
            h = m[2].weight.register_post_accumulate_grad_hook(lambda p: p.grad.zero_())
        if i == 16:
            h.remove()
        log(step(x, y), m, opt)


def of_module_hooks_later(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    step = compiled(training_step(m, opt))

    for i in range(26):
        if i == 5:
            h = m[0].register_forward_hook(lambda m, a, o: o * 2)
        if i == 9:
            h.remove()
        if i == 12:
            h = m[2].register_full_backward_hook(
                lambda m, gi, go: tuple(g * 0.5 if g is not None else None for g in gi)
            )
        if i == 16:
            h.remove()
        if i == 18:
            h = m[1].register_forward_pre_hook(lambda m, a: (a[0] * 0.1,))
        if i == 22:
            h.remove()
        log(step(x, y), m, opt)


def of_model_in_loop_hooks(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    c = compiled(m)
    for i in range(30):
        if i == 5:
            h = m[0].weight.register_hook(lambda g: g * 0)
        if i == 9:
            h.remove()
        if i == 10:
            h = m[0].weight.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(3))
        if i == 14:
            h.remove()
        if i == 15:
            h = m.register_full_backward_hook(lambda m, gi, go: None)
        if i == 18:
            h.remove()
        if i == 19:
            h = m[2].register_full_backward_hook(lambda m, gi, go: tuple(g * 0.5 for g in gi))
        if i == 23:
            h.remove()
        opt.zero_grad()
        loss = F.mse_loss(c(x), y)
        loss.backward()
        opt.step()
        log(loss, m, opt)


def of_global_module_hook(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    c = compiled(m)
    for i in range(12):
        if i == 5:
            h = nn.modules.module.register_module_forward_hook(lambda m, a, o: o * 2)
        if i == 9:
            h.remove()
        log(c(x))


def of_register_leaf_hook_in_step(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        w.grad = None
        hd = w.register_hook(lambda g: g * 2)
        loss = (w * x).sum()
        loss.backward()
        hd.remove()
        return loss

    for i in range(N):
        log(step(torch.ones(3) * i), w.grad)


def of_in_backward_optimizer(compiled: Any, log: Any) -> None:
    m = net()
    opts = {p: torch.optim.SGD([p], lr=0.1) for p in m.parameters()}

    def hook(p):
        opts[p].step()
        opts[p].zero_grad()

    for p in m.parameters():
        p.register_post_accumulate_grad_hook(hook)

    @compiled
    def step(x, y):
        loss = F.mse_loss(m(x), y)
        loss.backward()
        return loss

    for _i in range(N):
        log(step(*data()), m)


def of_inter_hooks(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        w.grad = None
        h = w * x
        h.register_hook(lambda g: g.clamp(max=1.0))
        loss = h.pow(2).sum()
        loss.backward()
        return loss

    for i in range(N):
        log(step(torch.ones(3) * i), w.grad)


def of_retain_grad_inter(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        w.grad = None
        h = w * x
        h.retain_grad()
        loss = h.pow(2).sum()
        loss.backward()
        return (h.grad, loss)

    for i in range(N):
        log(step(torch.ones(3) * i), w.grad)


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]
NOT_CAPTURED = {of_hook_from_start_counts}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program, captured=program not in NOT_CAPTURED)


def test_hooks_of_a_tensor_with_a_history() -> None:
    def program(compiled: Any, log: Any) -> None:
        leaf = torch.ones(3, requires_grad=True)
        known = leaf * 2

        @compiled
        def of_argument(h: torch.Tensor) -> torch.Tensor:
            return torch.autograd.grad((h * h).sum(), h)[0]

        @compiled
        def of_known(x: torch.Tensor) -> torch.Tensor:
            return torch.autograd.grad((x * known).sum(), known)[0]

        for i in range(10):
            h = leaf * 3
            if i >= 5:
                h.register_hook(lambda g: g * 10)
            if i == 7:
                known.register_hook(lambda g: g * 5)
            log(of_argument(h), of_known(torch.randn(3)))

    check(program, captured=False)
