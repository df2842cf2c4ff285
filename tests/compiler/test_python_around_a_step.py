"""Python values, objects and streams around a compiled step."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import logging
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

from .agreement import check, net

SCALE = 1.0
N = 20


def of_slots_state(compiled: Any, log: Any) -> None:

    @dataclasses.dataclass(slots=True)
    class S:
        w: object
        scale: float = 1.0
        table: dict = dataclasses.field(default_factory=dict)

    s = S(torch.ones(3, requires_grad=True))
    s.table["k"] = 2.0
    f = compiled(lambda x: (s.w * x * s.scale * s.table["k"]).sum())
    for i in range(N):
        if i == 6:
            s.scale = 3.0
        if i == 10:
            s.table["k"] = 5.0
        if i == 14:
            s.w = torch.zeros(3)
        log(f(torch.ones(3)))


def of_slots_counter(compiled: Any, log: Any) -> None:

    class S:
        __slots__ = ("n",)

    s = S()
    s.n = 0

    def f(x):
        s.n += 1
        return x * s.n

    c = compiled(f)
    for _i in range(N):
        log(c(torch.ones(2)), s.n)


def of_deque_window(compiled: Any, log: Any) -> None:
    q = collections.deque([1.0, 2.0], maxlen=3)
    f = compiled(lambda x: x * sum(q))
    for i in range(N):
        if i in (6, 12):
            q.append(float(i))
        log(f(torch.ones(2)))


def of_deque_in_step(compiled: Any, log: Any) -> None:
    q = collections.deque(maxlen=5)

    def f(x):
        q.append(1)
        return x * len(q)

    c = compiled(f)
    for _i in range(N):
        log(c(torch.ones(2)), len(q))


def of_class_attribute(compiled: Any, log: Any) -> None:

    class Config:
        scale = 1.0
        act = torch.tanh

    class T:
        rate = 0.5

        def f(self, x):
            return Config.act(x * self.rate * Config.scale)

    t = T()
    c = compiled(t.f)
    for i in range(N):
        if i == 5:
            Config.scale = 2.0
        if i == 9:
            T.rate = 3.0
        if i == 13:
            t.rate = 4.0
        if i == 16:
            Config.act = torch.relu
        log(c(torch.ones(2)))


def of_class_counter(compiled: Any, log: Any) -> None:

    class T:
        count = 0

        def f(self, x):
            T.count += 1
            return x * T.count

    t = T()
    c = compiled(t.f)
    for _i in range(N):
        log(c(torch.ones(2)), T.count)


def of_user_module_config(compiled: Any, log: Any) -> None:
    cfg = types.ModuleType("cfgmod")
    cfg.scale = 1.0
    cfg.flags = {"a": 1.0}
    f = compiled(lambda x: x * cfg.scale * cfg.flags["a"])
    for i in range(N):
        if i == 5:
            cfg.scale = 2.0
        if i == 10:
            cfg.flags["a"] = 3.0
        log(f(torch.ones(2)))


def of_getattr_dynamic(compiled: Any, log: Any) -> None:

    class Options:
        pass

    o = Options()
    o.alpha = 1.0

    def f(x):
        return x * getattr(o, "al" + "pha") + getattr(o, "be" + "ta", 0.0)

    c = compiled(f)
    for i in range(N):
        if i == 5:
            o.alpha = 2.0
        if i == 10:
            o.beta = 5.0
        log(c(torch.ones(2)))


def of_dunder_methods(compiled: Any, log: Any) -> None:

    class Table:
        def __init__(self):
            self.rows = {"a": 1.0}
            self.hits = 0

        def __getitem__(self, k):
            return self.rows[k]

    t = Table()
    c = compiled(lambda x: x * t["a"])
    for i in range(N):
        if i == 5:
            t.rows["a"] = 2.0
        log(c(torch.ones(2)))

    class Counted:
        def __init__(self):
            self.hits = 0

        def __getitem__(self, k):
            self.hits += 1
            return 2.0

        def __call__(self, x):
            self.hits += 1
            return x

    t2 = Counted()
    c2 = compiled(lambda x: t2(x) * t2["a"])
    for _ in range(N):
        log(c2(torch.ones(2)), t2.hits)


def of_long_dict(compiled: Any, log: Any) -> None:
    d = {i: float(i) for i in range(200)}
    loss = [float(i) for i in range(200)]
    c = compiled(lambda x: x * d[150] + loss[120])
    for i in range(N):
        if i == 5:
            d[150] = 1.0
        if i == 10:
            loss[120] = 3.0
        log(c(torch.ones(2)))


def of_numpy_constant(compiled: Any, log: Any) -> None:
    a = np.arange(100.0, dtype=np.float32)
    c = compiled(lambda x: x + torch.from_numpy(a))
    for i in range(N):
        if i == 6:
            a[50] = 7
        log(c(torch.ones(100)))


def of_numpy_rng(compiled: Any, log: Any) -> None:
    rng = np.random.default_rng(0)
    c = compiled(lambda x: x * float(rng.random()))
    for _i in range(N):
        log(c(torch.ones(2)))
    r2 = random.Random(3)
    c = compiled(lambda x: x + (1 if r2.random() < 0.5 else 0))
    for _i in range(N):
        log(c(torch.ones(2)))


def of_iterators(compiled: Any, log: Any) -> None:
    xs = [torch.full((2,), float(i)) for i in range(60)]
    it = iter(xs)
    cyc = itertools.cycle([1.0, 2.0])
    cnt = itertools.count()
    c = compiled(lambda y: next(it) * y)
    d = compiled(lambda y: y * next(cyc))
    e = compiled(lambda y: y * next(cnt))
    for _i in range(N):
        log(c(torch.ones(2)), d(torch.ones(2)), e(torch.ones(2)))

    def gen():
        k = 0
        while True:
            k += 1
            yield k

    g = gen()
    h = compiled(lambda y: y * next(g))
    for _i in range(N):
        log(h(torch.ones(2)))


def of_prints(compiled: Any, log: Any) -> None:
    import contextlib
    import io

    buf = io.StringIO()

    def f(x):
        print("hello")
        return x * 2

    c = compiled(f)
    with contextlib.redirect_stdout(buf):
        for _i in range(N):
            c(torch.ones(2))
    log(buf.getvalue().count("hello"))
    rec = []

    class H(logging.Handler):
        def emit(self, r):
            rec.append(1)

    lg = logging.getLogger("mine")
    lg.handlers = [H()]
    lg.setLevel(10)
    lg.propagate = False

    def g(x):
        lg.info("x")
        return x * 2

    c = compiled(g)
    for _i in range(N):
        c(torch.ones(2))
    log(len(rec))


def of_result_plain(compiled: Any, log: Any) -> None:
    import time

    t = {"n": 0}

    def f(x):
        return (x * 2, len(t))

    c = compiled(f)
    for i in range(N):
        if i == 7:
            t["m"] = 1
        log(c(torch.ones(2)))

    def g(x):
        return (x * 2, time.perf_counter_ns())

    c = compiled(g)
    vals = [c(torch.ones(2))[1] for _ in range(10)]
    log(len(set(vals)))


def of_decorated_counter(compiled: Any, log: Any) -> None:
    calls = [0]

    def counted(fn):

        @functools.wraps(fn)
        def inner(*a):
            calls[0] += 1
            return fn(*a)

        return inner

    @counted
    def g(x):
        return x * 2

    c = compiled(lambda x: g(x))
    d = compiled(g)
    for _i in range(N):
        log(c(torch.ones(2)), d(torch.ones(2)), calls[0])


def of_lru_cached(compiled: Any, log: Any) -> None:
    o = {"k": 2.0}

    @functools.lru_cache
    def k(i):
        return o["k"] * i

    c = compiled(lambda x: x * k(2))
    for i in range(N):
        if i == 8:
            k.cache_clear()
            o["k"] = 7.0
        log(c(torch.ones(2)))


def of_module_attr_changes(compiled: Any, log: Any) -> None:

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(3, 3)
            self.k = 1.0
            self.act = torch.tanh
            self.opts = {"s": 1.0}
            self._priv = [1.0]
            self.extra = None
            self.pad = (1, 2)

        def forward(self, x):
            o = self.act(self.l(x)) * self.k * self.opts["s"] * self._priv[0] * self.pad[0]
            return o if self.extra is None else o + self.extra

    m = M()
    c = compiled(m)
    d = compiled(lambda x: m(x))
    for i in range(34):
        if i == 5:
            m.k = 2.0
        if i == 9:
            m.act = torch.relu
        if i == 13:
            m.opts["s"] = 3.0
        if i == 17:
            m._priv[0] = 3.0
        if i == 21:
            m.extra = torch.ones(3)
        if i == 25:
            m.pad = (5, 2)
        if i == 29:
            m.forward = lambda x: x * 0
        log(c(torch.ones(2, 3)), d(torch.ones(2, 3)))


def of_own_generator(compiled: Any, log: Any) -> None:
    g = torch.Generator().manual_seed(3)
    c = compiled(lambda x: x + torch.rand(3, generator=g))

    def bad(x):
        z = torch.rand(3, generator=g)
        if z.sum() > 1.5:
            return x + z
        return x - z

    d = compiled(bad)
    for i in range(N):
        if i == 8:
            g.manual_seed(5)
        log(c(torch.ones(3)), d(torch.ones(3)), g.get_state())


def of_loss_object_weight(compiled: Any, log: Any) -> None:
    lf = nn.CrossEntropyLoss(weight=torch.ones(3))
    m = nn.Linear(3, 3)
    c = compiled(lambda x, t: lf(m(x), t))
    for i in range(N):
        if i == 6:
            lf.weight = torch.tensor([1.0, 2.0, 3.0])
        if i == 10:
            lf.weight.mul_(2)
            lf.label_smoothing = 0.1
        if i == 14:
            lf.reduction = "sum"
        log(c(torch.randn(4, 3), torch.tensor([0, 1, 2, 0])))


def of_failing_capture_rng(compiled: Any, log: Any) -> None:

    def f(x):
        z = torch.randn(3)
        if z[0] > 0:
            return x + z
        return x - torch.rand(3)

    c = compiled(f)
    for _i in range(N):
        log(c(torch.ones(3)))


def of_nested_objects_deep(compiled: Any, log: Any) -> None:

    class C:
        pass

    a = C()
    a.b = C()
    a.b.c = C()
    a.b.c.d = C()
    a.b.c.d.e = C()
    a.b.c.d.e.f = C()
    a.b.c.d.e.f.v = 1.0
    a.b.c.d.e.f.w = torch.ones(2)
    c = compiled(lambda x: x * a.b.c.d.e.f.v * a.b.c.d.e.f.w)
    for i in range(N):
        if i == 6:
            a.b.c.d.e.f.v = 2.0
        if i == 12:
            a.b.c.d.e.f.w = torch.zeros(2)
        log(c(torch.ones(2)))


def of_deep_functions(compiled: Any, log: Any) -> None:
    s = {"k": 1.0}

    def f0(x):
        return x * s["k"]

    def f1(x):
        return f0(x)

    def f2(x):
        return f1(x)

    def f3(x):
        return f2(x)

    def f4(x):
        return f3(x)

    def f5(x):
        return f4(x)

    def f6(x):
        return f5(x)

    c = compiled(lambda x: f6(x))
    for i in range(N):
        if i == 6:
            s["k"] = 2.0
        log(c(torch.ones(2)))


def of_nested_lists_deep(compiled: Any, log: Any) -> None:
    d = {"a": [[{"b": [(1.0, [2.0])]}]]}
    c = compiled(lambda x: x * d["a"][0][0]["b"][0][1][0])
    for i in range(N):
        if i == 6:
            d["a"][0][0]["b"][0][1][0] = 5.0
        log(c(torch.ones(2)))


def of_tensors_as_python_flags(compiled: Any, log: Any) -> None:
    m = net()
    m[0].weight.my_flag = 1.0
    c = compiled(lambda x: x * m[0].weight.my_flag)
    for i in range(N):
        if i == 6:
            m[0].weight.my_flag = 2.0
        log(c(torch.ones(2)))


def of_env_var(compiled: Any, log: Any) -> None:
    import os

    os.environ["MYSCALE"] = "1.0"
    c = compiled(lambda x: x * float(os.environ["MYSCALE"]))
    for i in range(N):
        if i == 6:
            os.environ["MYSCALE"] = "2.0"
        log(c(torch.ones(2)))


def of_static_method_and_property(compiled: Any, log: Any) -> None:

    class T:
        def __init__(s):
            s._lr = 0.5
            s.w = torch.ones(3)

        @property
        def lr(s):
            return s._lr

        @staticmethod
        def act(x):
            return x * 2

        @classmethod
        def make(cls):
            return cls.k

        k = 2.0

        def run(s, x):
            return s.act(x) * s.lr * s.make()

    t = T()
    c = compiled(t.run)
    for i in range(N):
        if i == 5:
            t._lr = 1.5
        if i == 9:
            T.k = 5.0
        if i == 13:
            T.act = staticmethod(lambda x: x * 3)
        log(c(torch.ones(2)))


def of_default_generator_state_read(compiled: Any, log: Any) -> None:
    c = compiled(lambda x: (x + torch.rand(2), torch.initial_seed()))
    for i in range(N):
        if i == 7:
            torch.manual_seed(5)
        log(c(torch.ones(2)))


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]
NOT_CAPTURED = {
    of_slots_counter,
    of_deque_in_step,
    of_class_counter,
    of_dunder_methods,
    of_numpy_rng,
    of_iterators,
    of_prints,
    of_result_plain,
    of_decorated_counter,
    of_own_generator,
    of_failing_capture_rng,
    of_default_generator_state_read,
}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program, captured=program not in NOT_CAPTURED)
