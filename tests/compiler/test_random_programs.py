"""Random programs, compiled: what fusion, layouts, tiles and memory reuse do together."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler import lowering, team
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, Value, evaluate, input_value

from .graphs import assert_close

EXAMPLES = int(os.environ.get("FLAMBEAU_RANDOM_PROGRAMS", "40"))


class Maker:
    """Grows a graph from random operations on values that keep moderate magnitudes."""

    def __init__(self, rng: np.random.Generator, dtype: np.dtype) -> None:
        self.rng = rng
        self.dtype = dtype
        self.inputs: list[Value] = []
        self.values: list[Value] = []
        extents = [1, 2, 3, 5, 10, 16, 17, 33, 64, 100]
        self.rows = int(rng.choice([2, 5, 16, 33, 50, 300]))
        self.columns = [int(n) for n in rng.choice(extents, 3)]
        for n in self.columns:
            self.add_input((self.rows, n))
            self.add_input((n,))
        self.labels = self.add_input((self.rows,), np.dtype(np.int64))

    def add_input(self, shape: tuple[int, ...], dtype: np.dtype | None = None) -> Value:
        value = input_value(shape, dtype or self.dtype)
        self.inputs.append(value)
        if dtype is None:
            self.values.append(value)
        return value

    def pick(self, ndim: int | None = None) -> Value:
        found = [v for v in self.values if ndim is None or v.ndim == ndim]
        # later ones more often, so that chains grow
        weights = np.arange(1, len(found) + 1) ** 2.0
        return found[int(self.rng.choice(len(found), p=weights / weights.sum()))]

    def grow(self) -> None:
        rng = self.rng
        kind = int(rng.integers(15))
        x = self.pick()
        if kind <= 1:
            name = str(rng.choice("tanh sigmoid relu neg abs sin".split()))
            new = getattr(xp, name)(x)
        elif kind <= 3:
            y = self.pick()
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                return
            if np.prod(np.broadcast_shapes(x.shape, y.shape)) > 100_000:
                return
            new = getattr(xp, str(rng.choice("add sub mul maximum".split())))(x, y) * 0.5
        elif kind == 4 and x.ndim:
            dim = (int(rng.integers(x.ndim)),)
            scale = 1 / max(1, x.shape[dim[0]])
            new = xp.sum(x, dim=dim, keepdim=bool(rng.random() < 0.6)) * scale
        elif kind == 5 and x.ndim:
            dim = (int(rng.integers(x.ndim)),)
            new = xp.amax(x, dim=dim, keepdim=bool(rng.random() < 0.6))
        elif kind == 6 and x.ndim == 2:
            dim = (int(rng.integers(2)),)
            shifted = xp.exp(x - xp.amax(x, dim=dim, keepdim=True))
            new = shifted / xp.sum(shifted, dim=dim, keepdim=True)
        elif kind == 7 and x.ndim == 2:
            new = xp.permute(x, (1, 0))
        elif kind == 8:
            y = self.pick()
            new = xp.where(x > 0, x, 0.1 * x) if x.shape != y.shape else xp.where(y > 0, x, y)
        elif kind in (9, 10) and x.ndim == 2:
            others = [v for v in self.values if v.ndim == 2]
            y = others[int(rng.integers(len(others)))]
            if y.shape[1] == x.shape[1]:
                y = xp.permute(y, (1, 0))
            if y.shape[0] != x.shape[1]:
                weight = self.add_input((x.shape[1], int(rng.choice(self.columns))))
                y = weight
            new = xp.matmul(x, y) * (1 / x.shape[1])
        elif kind == 11 and x.ndim == 2 and x.shape[0] == self.rows:
            labels = xp.remainder(self.labels, x.shape[1])
            new = xp.gather(x, dim=1, index=xp.reshape(labels, (self.rows, 1)))
        elif kind == 12 and x.ndim == 2 and x.shape[0] == self.rows:
            labels = xp.reshape(xp.remainder(self.labels, x.shape[1]), (self.rows, 1))
            ones = xp.full((self.rows, 1), 0.5, self.dtype)
            new = xp.scatter_add(x, dim=1, index=labels, src=ones)
        elif kind == 13 and x.ndim and x.size > 1:
            new = xp.reshape(x, (x.size,)) if rng.random() < 0.5 else xp.reshape(x, (1, *x.shape))
        elif kind == 14 and x.ndim and x.shape[-1] > 2:
            key = (*(slice(None) for _ in x.shape[:-1]), slice(1, x.shape[-1] - 1))
            cut = xp.slice(x, key)
            new = xp.pad(cut, (*((0, 0) for _ in x.shape[:-1]), (2, 0)))
        else:
            return
        if new.ndim <= 4 and new.size <= 60_000:
            self.values.append(new)

    def graph(self) -> Graph:
        rng = self.rng
        made = [v for v in self.values if v.primitive != "input"] or self.values
        chosen = rng.choice(len(made), min(len(made), int(rng.integers(1, 5))), replace=False)
        outputs = [made[int(i)] for i in chosen]
        updates: dict[int, Value] = {}
        for i, value in enumerate(self.inputs):
            same = [v for v in made if v.shape == value.shape and v.dtype == value.dtype]
            if same and rng.random() < 0.5:
                new = same[int(rng.integers(len(same)))]
                updates[i] = value - 0.1 * new if rng.random() < 0.7 else new
        return Graph(self.inputs, outputs, updates)


def run(seed: int, steps: int, dtype: str) -> None:
    """Make a program, compile it, and compare it with the reference."""
    rng = np.random.default_rng(seed)
    maker = Maker(rng, np.dtype(dtype))
    for _ in range(steps):
        maker.grow()
    graph = maker.graph()
    arrays = [
        rng.integers(0, 1000, v.shape)
        if v.dtype.kind == "i"
        else np.asarray(rng.standard_normal(v.shape), v.dtype)
        for v in graph.inputs
    ]
    expected, updates = evaluate(graph, [a.copy() for a in arrays])
    state = [a.copy() for a in arrays]
    outputs = compile_graph(graph)(state)
    tolerance = 2e-4 if dtype == "float32" else 1e-10
    for actual, wanted in zip(outputs, expected, strict=True):
        assert_close(actual, np.asarray(wanted), tolerance)
    for i, before in enumerate(arrays):
        assert_close(state[i], np.asarray(updates.get(i, before)), tolerance)


random_examples = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FLAMBEAU_RANDOM_PROGRAMS" not in os.environ,
    suppress_health_check=list(HealthCheck),
    database=None,
)


@random_examples
@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from(["float32", "float64"]))
def test_random_programs(seed: int, steps: int, dtype: str) -> None:
    run(seed, steps, dtype)


@pytest.mark.skipif(not team.supported(), reason="no team on this system")
@random_examples
@given(st.integers(0, 2**32), st.integers(5, 30))
def test_random_programs_in_parts(seed: int, steps: int) -> None:
    """Every kernel that can be is divided, and run by two threads."""
    before = team.team().limit
    thresholds = lowering.DIVIDED_FROM, lowering.THREADED_FROM
    lowering.DIVIDED_FROM = lowering.THREADED_FROM = 0.0
    team.set_count(2)
    try:
        run(seed, steps, "float32")
    finally:
        lowering.DIVIDED_FROM, lowering.THREADED_FROM = thresholds
        team.set_count(before or 1)
