"""Products whose factor is copied to panels first: of every size, on every CPU, in place too."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler.codegen import tile_plan, tiles
from flambeau.compiler.graph import Graph, Value, input_value

from .graphs import check
from .test_random_agreement import check_compiled, examples
from .test_targets import target

__all__ = ["target"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there nothing is packed")


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Packing costs nothing, and loads of what is not packed a lot; which factors were packed."""
    found: list[int] = []
    plan_tiles = tile_plan.plan_tiles

    def plan(*arguments: Any) -> Any:
        plan = plan_tiles(*arguments)
        if plan is not None and plan.packed is not None:
            found.append(plan.packed)
        return plan

    monkeypatch.setattr(tiles, "plan_tiles", plan)
    monkeypatch.setattr(tile_plan, "_COST_OF_TURNING", 0.0)
    monkeypatch.setattr(tile_plan, "_COST_OF_COPYING", 0.0)
    monkeypatch.setattr(tile_plan, "_COST_OF_WRITING", 0.0)
    monkeypatch.setattr(tile_plan, "_FAR", 8)
    monkeypatch.setattr(tile_plan, "_MANY_FAR", 8)
    monkeypatch.setattr(tile_plan, "_COST_OF_FAR", 100.0)
    return found


def _arrays(*shapes: tuple[int, ...], dtype: Any = np.float32) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def _layer(x: Value, w: Value, b: Value) -> Value:
    return xp.relu(xp.matmul(x, xp.permute(w, (1, 0))) + b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m, n, k", [(37, 50, 20), (200, 16, 16), (64, 129, 300), (40, 97, 131)])
def test_a_factor_is_turned(
    target: str, packed: list[int], m: int, n: int, k: int, dtype: Any
) -> None:
    check(_layer, *_arrays((m, k), (n, k), (n,), dtype=dtype))
    assert packed == [1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m, n, k", [(37, 50, 20), (200, 17, 16), (64, 129, 300), (40, 97, 131)])
def test_rows_that_are_far_apart_are_brought_together(
    target: str, packed: list[int], m: int, n: int, k: int, dtype: Any
) -> None:
    check(lambda x, w: xp.matmul(x, w) * 2.0, *_arrays((m, k), (k, n), dtype=dtype))
    assert packed == [1]


@pytest.mark.parametrize("k", [384, 400, 511, 640])
def test_panels_of_slices(target: str, packed: list[int], k: int) -> None:
    """Sums of many terms that are stored are made in slices, each with panels of its own."""

    def program(x: Value, w: Value) -> Value:
        return xp.matmul(x, xp.permute(w, (1, 0)))

    check(program, *_arrays((70, k), (150, k)))
    assert packed == [1]


@examples(60)
@given(
    st.sampled_from([(), (3,), (2, 5)]),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(8, 150),
    st.booleans(),
    st.booleans(),
)
def _agree(batch: tuple[int, ...], m: int, n: int, k: int, shared: bool, turned: bool) -> None:
    x = input_value((*batch, m, k), np.dtype(np.float32))
    plain = (n, k) if turned else (k, n)
    w = input_value(plain if shared else (*batch, *plain), np.dtype(np.float32))
    dims = tuple(range(w.ndim - 2))
    factor = xp.permute(w, (*dims, w.ndim - 1, w.ndim - 2)) if turned else w
    product = xp.matmul(x, factor)
    graph = Graph([x, w], [product, xp.exp(product * 0.1) + 1.0])
    check_compiled(graph, _arrays(x.shape, w.shape), "float32")


def test_batches_and_edges(packed: list[int]) -> None:
    _agree()
    assert {0, 1} & set(packed)


def test_an_update_in_place_of_what_is_read_by_panels(packed: list[int]) -> None:
    """The gradient of the input reads the weight, the gradient of the weight replaces it."""
    x, w, g = (input_value(s, np.dtype(np.float32)) for s in ((90, 70), (50, 70), (90, 50)))
    gradient = xp.matmul(xp.permute(g, (1, 0)), x)
    graph = Graph([x, w, g], [xp.matmul(g, w), gradient], {1: w - gradient * 0.1})
    check_compiled(graph, _arrays((90, 70), (50, 70), (90, 50)), "float32")
    assert len(packed) >= 2


def test_an_array_that_is_both_factors_is_not_packed(packed: list[int]) -> None:
    check(lambda x: xp.matmul(x, xp.permute(x, (1, 0))), *_arrays((60, 40)))
    assert packed == []


def test_terms_that_no_panel_holds(packed: list[int]) -> None:
    check(_layer, *_arrays((4, 3000), (40, 3000), (40,)))
    assert packed == []
