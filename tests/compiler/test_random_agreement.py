"""Random programs give the same on NumPy, compiled and on XLA: special values, integers, batches.

``FLAMBEAU_RANDOM_PROGRAMS=500`` tries that many, and others each time.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import flambeau as torch
import flambeau.compiler.symbolic as xp
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, evaluate, input_value, interpret

from .graphs import assert_close
from .random_graphs import BATCHES, GraphMaker, float_arrays, integer_arrays

CHOSEN = os.environ.get("FLAMBEAU_RANDOM_PROGRAMS")


def examples(count: int) -> settings:
    return settings(
        max_examples=int(CHOSEN or count),
        deadline=None,
        derandomize=CHOSEN is None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


def reference(graph: Graph, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], dict[int, Any]]:
    with np.errstate(all="ignore"):
        outputs, updates = evaluate(graph, [a.copy() for a in arrays])
    return [np.asarray(o) for o in outputs], {i: np.asarray(u) for i, u in updates.items()}


def tolerance_of(dtype: str) -> float:
    return {"float32": 3e-4, "float64": 1e-10}.get(dtype, 0.0)


def check_compiled(graph: Graph, arrays: list[np.ndarray], dtype: str) -> None:
    expected, updates = reference(graph, arrays)
    state = [a.copy() for a in arrays]
    executable = compile_graph(graph)
    # memory in which nothing is right by chance
    unwritten = [np.full(s, np.nan if d.kind == "f" else 77, d) for s, d in executable.output_specs]
    executable.empty_outputs = lambda: unwritten  # type: ignore[method-assign]
    outputs = executable(state)
    for actual, wanted in zip(outputs, expected, strict=True):
        assert_close(actual, wanted, tolerance_of(dtype))
    for i, before in enumerate(arrays):
        assert_close(state[i], updates.get(i, before), tolerance_of(dtype))


FLOATS = st.sampled_from(["float32", "float64"])
INTEGERS = st.sampled_from(["int64", "int32", "int16", "int8", "uint8"])
SEEDS = st.integers(0, 2**32)


@examples(30)
@given(SEEDS, st.integers(1, 25), FLOATS)
def test_floats_with_special_values(seed: int, steps: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    graph = GraphMaker(rng, np.dtype(dtype)).grow(steps)
    check_compiled(graph, float_arrays(rng, graph.inputs, special=True), dtype)


@examples(30)
@given(SEEDS, st.integers(1, 25), INTEGERS)
def test_integers(seed: int, steps: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    graph = GraphMaker(rng, np.dtype(dtype)).grow(steps)
    check_compiled(graph, integer_arrays(rng, graph.inputs), dtype)


@examples(12)
@given(SEEDS, st.integers(4, 20), st.sampled_from([0, 1]), FLOATS)
def test_an_empty_batch_and_a_batch_of_one(seed: int, steps: int, batch: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    graph = GraphMaker(rng, np.dtype(dtype), (batch,)).grow(steps)
    check_compiled(graph, float_arrays(rng, graph.inputs, special=False), dtype)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_dim_of_one_that_is_padded_and_flipped(rows: int) -> None:
    """What is in a register for the only index of a dim is found at any index within it."""
    a = input_value((rows, 1), np.dtype(np.float32))
    b = a * 2 + xp.tanh(a)
    padded = xp.pad(b, ((1, 0), (2, 1)))
    total = xp.cat([padded, xp.flip(xp.pad(xp.exp(b), ((0, 1), (1, 2))), (0, 1))], dim=0)
    moved = xp.cat([xp.slice(b, (slice(None), slice(1, None))), b], dim=1)
    graph = Graph([a], [total, moved * b, b])
    check_compiled(graph, [np.arange(1, rows + 1, dtype=np.float32)[:, None]], "float32")


def test_inputs_of_one_kind_stay_apart() -> None:
    """What simplifies to an input is that input, not another of its shape."""
    a, b = (input_value((1, 3), np.dtype(np.float32)) for _ in range(2))
    turned = [xp.permute(xp.permute(x, (1, 0)), (1, 0)) for x in (a, b)]
    same = [xp.reshape(x, (1, 3)) * 3 for x in (a, b)]
    graph = Graph([a, b], [turned[0] + 1, turned[1] + 1, *same])
    check_compiled(graph, [np.full((1, 3), n, np.float32) for n in (1, 5)], "float32")


def test_an_empty_array_that_is_reshaped_and_padded() -> None:
    a = input_value((0, 6), np.dtype(np.float32))
    padded = xp.pad(xp.reshape(a, (0, 2, 3)), ((1, 1), (0, 1), (2, 0)))
    graph = Graph([a], [padded + 1, xp.sum(xp.reshape(padded, (-1 + 31,)), dim=(0,))])
    check_compiled(graph, [np.zeros((0, 6), np.float32)], "float32")


def test_a_longer_loop_is_not_run_in_a_shorter_one() -> None:
    a = input_value((5,), np.dtype(np.float32))
    bent = xp.atan(xp.minimum(xp.maximum(a, -9.0), 9.0))
    share = xp.sum(bent, dim=(0,)) * 0.2 / (xp.abs(bent) + 1.0)
    padded = xp.pad(xp.exp(xp.minimum(share, 2.0)), ((0, 1),))
    graph = Graph([a], [xp.minimum(xp.maximum(share * a, -9.0), 9.0), padded])
    check_compiled(graph, [np.linspace(-1, 2, 5, dtype=np.float32)], "float32")


# -- XLA ----------------------------------------------------------------------------------------


def sixty_four_bits() -> Any:
    """A context in which JAX computes in the dtypes it is given."""
    jax = pytest.importorskip("jax")
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()


def check_xla(graph: Graph, arrays: list[np.ndarray], dtype: str) -> None:
    jax = pytest.importorskip("jax")
    from flambeau.namespaces import jax as namespace

    roots = graph.roots()

    def run(*given: Any) -> list[Any]:
        found = interpret(namespace, graph, given, lambda x: x)
        return [found[id(v)] for v in roots]

    with sixty_four_bits():
        results = [np.asarray(r) for r in jax.jit(run)(*arrays)]
    expected, updates = reference(graph, arrays)
    for actual, wanted in zip(results, [*expected, *updates.values()], strict=True):
        assert_close(actual, wanted, tolerance_of(dtype))


@examples(8)
@given(SEEDS, st.integers(1, 15), FLOATS)
def test_xla_agrees_on_floats(seed: int, steps: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    # XLA takes subnormal numbers for zeros, and a product with a truth value for a choice
    graph = GraphMaker(rng, np.dtype(dtype), predicates=False).grow(steps)
    check_xla(graph, float_arrays(rng, graph.inputs, special=True, subnormal=False), dtype)


@examples(8)
@given(SEEDS, st.integers(1, 15), st.sampled_from(["int64", "int32", "int16"]))
def test_xla_agrees_on_integers(seed: int, steps: int, dtype: str) -> None:
    """In 8 bits XLA's maximum of a sum does not wrap around."""
    rng = np.random.default_rng(seed)
    graph = GraphMaker(rng, np.dtype(dtype)).grow(steps)
    check_xla(graph, integer_arrays(rng, graph.inputs), dtype)


# -- tensors ------------------------------------------------------------------------------------


def view_of(
    rng: np.random.Generator, shape: tuple[int, int], dtype: Any, kind: int
) -> torch.Tensor:
    """A tensor of ``shape`` that is not contiguous, in the way ``kind`` of six."""
    n, m = shape

    def made(*sizes: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(sizes)).to(dtype)

    if kind == 0:
        return made(m, n).t()
    if kind == 1:
        return made(2 * n, m)[::2]
    if kind == 2:
        return made(n, 2 * m + 1)[:, 1::2]
    if kind == 3:
        return made(n, 1).expand(n, m)
    if kind == 4:
        return made(n, 3, m)[:, 1]
    return made(n, m)


def random_function(seed: int) -> Any:
    """A function of two tensors ``(n, m)`` and one ``(m,)``, with gradients taken inside."""

    def function(a: Any, b: Any, c: Any) -> Any:
        rng = np.random.default_rng(seed)
        leaf = a.detach().requires_grad_()
        values = [leaf, b, leaf * c]
        for _ in range(int(rng.integers(2, 9))):
            x, y = (values[int(rng.integers(len(values)))] for _ in range(2))
            kind = int(rng.integers(9))
            values.append(
                (x + y) / 2 if kind == 0
                else (x * y).clamp(-5, 5) if kind == 1
                else x.tanh() if kind == 2
                else (x - x.mean(1, keepdim=True)) / (1 + y.abs()) if kind == 3
                else torch.softmax(x, 1) * y if kind == 4
                else (x @ y.t()) @ y / max(1, x.shape[0] * x.shape[1]) if kind == 5
                else torch.where(b > 0, x, y) if kind == 6
                else torch.nn.functional.gelu(x) + c if kind == 7
                else torch.cat([x[:, 1:], x[:, :1]], 1)
            )  # fmt: skip
        loss = (values[-1] ** 2).sum() + leaf.sin().sum()
        (grad,) = torch.autograd.grad(loss, leaf)
        return loss, values[-1], grad

    return function


@examples(30)
@example(13, 3, 1, "float32")  # a result on the tape whose only leaf is the function's own
@given(SEEDS, st.sampled_from(BATCHES), st.sampled_from([1, 3, 8, 17, 32]), FLOATS)
def test_compiled_functions_of_tensors_that_are_not_contiguous(
    seed: int, rows: int, columns: int, dtype: str
) -> None:
    rng = np.random.default_rng(seed)
    function = random_function(seed)
    compiled = torch.compile(function, fullgraph=True)
    kind = getattr(torch, dtype)
    for layouts in np.repeat(rng.integers(6, size=(2, 2)), 4, axis=0):
        a, b = (view_of(rng, (rows, columns), kind, int(layout)) for layout in layouts)
        c = torch.from_numpy(rng.standard_normal(2 * columns)).to(kind)[::2]
        before = [t.clone() for t in (a, b, c)]
        rounding = {"float32": 1e-5, "float64": 1e-13}[dtype]  # of what cancels out
        for actual, wanted in zip(compiled(a, b, c), function(a, b, c), strict=True):
            assert actual.dtype == wanted.dtype
            np.testing.assert_allclose(
                actual.detach(), wanted.detach(), rtol=tolerance_of(dtype), atol=rounding
            )
        assert all(torch.equal(t, u) for t, u in zip((a, b, c), before))
    for variants in compiled._variants.values():
        assert [v.runner is not None for v in variants] == [True]
