"""Results of compiled functions share memory where those of eager mode do."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau.nn import functional as F

from .agreement import check, data, net, shares

N = 20


def of_alias_results(compiled: Any, log: Any) -> None:
    w = torch.arange(6.0).reshape(2, 3)

    def a(x):
        y = x * 2
        return (y, y[0])

    def b(x):
        return (x.view(-1), x)

    def c(x):
        y = x * 2
        return {"y": y, "t": y.t(), "z": y.view(-1)}

    def d(x):
        return w[0]

    def e(x):
        return (w, w.t())

    def f(x):
        y = x + 1
        return (y, y.detach())

    def g(x):
        y = x + 1
        return (y, y.data, y.expand(2, 2, 3))

    def h(x):
        y = x + 1
        return (y[0], y[1])

    def k(x):
        y = x + 1
        return (y[0], y[0])

    def ll(x):
        return (x.reshape(3, 2), x.flatten())

    def m(x):
        return x.detach()

    def n(x):
        y = x * 2
        return y.split(1)

    def o(x):
        y = x * 2
        return (y.t(),)

    def p(x):
        y = x * 2
        return (y.chunk(2), y)

    def q(x):
        y = x * 2
        return (y.contiguous(), y)

    def r(x):
        y = x * 2
        y[0] = 5
        return (y, y.diagonal())

    def s(x):
        return (x.float(), x.to(torch.float32), x.contiguous())

    def t(x):
        return (w.detach(), w.data)

    def u(x):
        y = x * 2
        return (y[:, 1:], y)

    def v(x):
        y = (x * 2).t()
        return (y.contiguous(), y.t())

    def aa(x):
        y = x * 2
        return y.unbind(0)

    def ab(x):
        y = x.t()
        return y * 2

    def ac(x):
        y = x * 2
        return (y.real, y)

    def ad(x):
        y = x * 2
        return (y.view(torch.int32), y)

    for fn in (a, b, c, d, e, f, g, h, k, ll, m, n, o, p, q, r, s, t, u, v, aa, ab, ac):
        cf = compiled(fn)
        for i in range(5):
            x = torch.ones(2, 3) * i
            r_ = cf(x)
            r_ = (
                list(r_.values())
                if isinstance(r_, dict)
                else [r_]
                if isinstance(r_, torch.Tensor)
                else list(r_)
            )
            if r_ and isinstance(r_[0], tuple):
                r_ = [*r_[0], *r_[1:]]
            log(fn.__name__)
            log([[shares(p_, q_) for q_ in (*r_, x, w)] for p_ in r_])
            log([[p_ is q_ for q_ in (*r_, x, w)] for p_ in r_])
            try:
                r_[0].mul_(3)
            except RuntimeError as ex:
                log(type(ex).__name__)
            log(r_, x)


def of_alias_results_grad(compiled: Any, log: Any) -> None:
    w = torch.ones(2, 3, requires_grad=True)

    def a(x):
        y = x * w
        return (y, y[0])

    def b(x):
        return w.view(-1)

    def c(x):
        y = x * w
        return (y, y.detach())

    def d(x):
        y = x * w
        return (y.t(), y.view(-1))

    def e(x):
        return (w.t(), x)

    for fn in (a, b, c, d, e):
        cf = compiled(fn)
        for i in range(5):
            x = torch.ones(2, 3) * i
            r_ = cf(x)
            r_ = [r_] if isinstance(r_, torch.Tensor) else list(r_)
            log(fn.__name__)
            log([[shares(p_, q_) for q_ in (*r_, x, w)] for p_ in r_])
            log([p_.requires_grad for p_ in r_])
            log([type(p_.grad_fn).__name__ is not None and p_.is_leaf for p_ in r_])
            w.grad = None
            sum(p_.sum() for p_ in r_ if p_.requires_grad).backward()
            log(w.grad)
            r_ = cf(x)
            r_ = [r_] if isinstance(r_, torch.Tensor) else list(r_)
            with torch.no_grad():
                r_[0].mul_(2)
            log(r_, w, x)
            with torch.no_grad():
                w.fill_(1.0)


def of_returning_structures(compiled: Any, log: Any) -> None:
    P = collections.namedtuple("P", "a b")
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        o = m(x)
        loss = F.mse_loss(o, y)
        loss.backward()
        opt.step()
        return {
            "loss": loss,
            "pred": o.detach(),
            "nested": [P(loss.item(), o[0]), (o.view(-1), None, "s", 3)],
            "w": m[0].weight,
            "g": m[0].weight.grad,
        }

    for _i in range(N):
        log(step(x, y), m)


def of_returns_param_unused(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    v = [torch.ones(2)]
    c = compiled(lambda x: (w, v, x, x * 2))
    for _i in range(N):
        x = torch.ones(3)
        r = c(x)
        log(r, r[0] is w, r[2] is x, r[1][0] is v[0])


def of_same_result_twice(compiled: Any, log: Any) -> None:

    def f(x):
        y = x * 2
        return (y, y, {"y": y})

    c = compiled(f)
    for _i in range(N):
        r = c(torch.ones(2))
        log(r[0] is r[1], r[2]["y"] is r[0])


def of_inplace_reshape_copy(compiled: Any, log: Any) -> None:

    def f(x):
        y = x.t() * 2
        z = y.reshape(-1)
        z.mul_(3)
        return (y, z)

    def g(x):
        z = x.t().reshape(-1)
        z.mul_(3)
        return (x * 1, z)

    def h(x):
        z = x.t().contiguous()
        z.mul_(3)
        return (x * 1, z)

    def k(x):
        z = x.t().flatten()
        z[0] = 7
        return (x.sum(), z)

    for fn in (f, g, h, k):
        c = compiled(fn)
        for i in range(6):
            x = torch.arange(6.0).reshape(2, 3) + i
            log(c(x), x)
            x = (torch.arange(6.0).reshape(3, 2) + i).t()
            log(c(x), x)


def of_inplace_views(compiled: Any, log: Any) -> None:

    def f(x):
        y = x * 2
        v = y.view(-1)
        v[0] = 9
        y[1].mul_(3)
        z = y.t()
        z[0].fill_(1.0)
        w = y.reshape(3, 2)
        w.add_(1)
        return (y, z, v.sum())

    c = compiled(f)
    for i in range(N):
        log(c(torch.arange(6.0).reshape(2, 3) + i))


def of_view_params(compiled: Any, log: Any) -> None:
    flat = torch.arange(12.0) / 12
    w = flat[:6].view(2, 3).requires_grad_()
    b = flat[6:8]

    @compiled
    def step(x):
        w.grad = None
        loss = (x @ w.t() + b).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            b.mul_(0.9)
        return loss

    for i in range(N):
        if i == 10:
            flat[0] = 3.0
        log(step(torch.ones(4, 3)), w, b, flat, w.grad)


def of_memory_sharing_outside(compiled: Any, log: Any) -> None:
    a = torch.zeros(4)
    b = a.view(2, 2)
    d = a.detach()
    n = a.numpy()
    c = compiled(lambda x: (a + x).sum() + b.sum() + d.sum())

    def w(x):
        a.add_(x)
        return b.sum()

    u = compiled(w)
    for i in range(N):
        if i == 6:
            n[0] = 5
        log(c(torch.ones(4)), u(torch.ones(4)), a, b, d)


def of_inplace_on_inputs(compiled: Any, log: Any) -> None:

    def f(x, y):
        x.add_(y)
        y[0] = 5.0
        return (x * y).sum()

    c = compiled(f)
    for i in range(N):
        x, y = (torch.ones(3, 2), torch.ones(3, 2) * i)
        log(c(x, y), x, y)
    for i in range(8):
        x, y = (torch.ones(2, 3).t(), torch.ones(3, 2) * i)
        log(c(x, y), x, y)
    b = torch.zeros(6, 2)
    for _ in range(8):
        log(c(b[:3], b[3:]), b)


def of_vector_env(compiled: Any, log: Any) -> None:
    W = torch.randn(2, 3, requires_grad=True)

    def f(x):
        out = torch.zeros(4, 3)
        out[:2] = x
        out[2:] += W
        out[0, 0] = 7
        return (out, out[1])

    c = compiled(f)
    for i in range(N):
        r = c(torch.ones(2, 3) * i)
        log(r)
        r[0].sum().backward()
        log(W.grad)


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]
NOT_CAPTURED = {of_inplace_reshape_copy, of_inplace_views, of_inplace_on_inputs}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program, captured=program not in NOT_CAPTURED)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pixel_shuffle(x, 2),
        lambda x: x.reshape(1, 4, 2, 2, 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(1, 4, -1),
        lambda x: x.transpose(1, 3).contiguous(),
        lambda x: x[..., 1:].flatten(),
        lambda x: x.permute(0, 2, 3, 1).flatten(1).view(4, -1)[1:],
    ],
)
def test_what_has_to_copy_is_a_tensor_of_its_own(function: Callable[..., Any]) -> None:
    def program(compiled: Any, log: Any) -> None:
        step = compiled(lambda x: function(x))
        written = compiled(lambda x: function(x).mul_(2) + x.sum())
        for _ in range(5):
            x = torch.randn(1, 4, 4, 4)
            found = step(x)
            assert not shares(x, found)
            log(found, written(x), x)

    check(program)


def test_what_does_not_have_to_copy_is_a_view() -> None:
    def program(compiled: Any, log: Any) -> None:
        def step(x: torch.Tensor) -> torch.Tensor:
            return x.view(2, 3, 2, 2).transpose(1, 2).transpose(1, 2).reshape(2, 3, 4)

        function = compiled(step)
        for _ in range(5):
            x = torch.randn(2, 3, 4)
            found = function(x)
            assert shares(x, found)
            found.add_(1)
            log(found, x)

    check(program)


def test_arguments_in_another_order_may_be_views() -> None:
    def program(compiled: Any, log: Any) -> None:
        function = compiled(lambda x: x.t().reshape(-1))

        @compiled
        def write(x: torch.Tensor) -> torch.Tensor:
            flat = x.t().reshape(-1)
            flat.add_(1)
            return flat.sum()

        for i in range(15):
            x = torch.randn(3, 4)
            if i >= 5:
                x = torch.randn(4, 3).t() if i < 10 else torch.randn(4, 6)[:, :3].t()
            found = function(x)
            assert shares(x, found) == (5 <= i < 10)
            found.add_(1)
            log(found, x, write(x), x)

    check(program, captured=False)
