"""Kernels of one form are written once; the code is what it would be without that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau.compiler import layout, lowering
from flambeau.compiler import symbolic as xp
from flambeau.compiler.graph import Graph

from .graphs import graph_of
from .random_graphs import GraphMaker


def source(graph: Graph) -> str:
    return lowering.lower(graph, 32, threads=True).source


def source_without_forms(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patched:
        patched.setattr(lowering, "kernel_form", lambda *_: None)
        patched.setattr(layout, "_form", lambda _: object())
        return source(graph)


def layers(a: Any, *weights: Any) -> Any:
    for w in weights:
        a = a + xp.relu(xp.matmul(a, w))
    return [a, xp.sum(a, dim=(0,))]


def test_equal_layers_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    original = lowering.Lowering._new_kernel_text
    monkeypatch.setattr(
        lowering.Lowering,
        "_new_kernel_text",
        lambda self, kernel, *rest: written.append(kernel) or original(self, kernel, *rest),
    )
    arrays = [np.ones((64, 32), np.float32), *[np.ones((32, 32), np.float32)] * 6]
    graph = graph_of(layers, arrays)
    short = source(graph)
    assert len(written) <= 3 < 6
    assert short == source_without_forms(graph, monkeypatch)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_random_programs_are_the_same_code(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(15):
        graph = GraphMaker(np.random.default_rng(seed), np.dtype(dtype)).grow(30)
        assert source(graph) == source_without_forms(graph, monkeypatch)


@pytest.mark.parametrize(
    "program",
    [
        lambda a, b: [a * 2.0, b * 3.0],
        lambda a, b: [xp.sum(a, dim=(0,)), xp.sum(b, dim=(1,))],
        lambda a, b: [xp.permute(a, (1, 0)) + 1.0, b + 1.0],
        lambda a, b: [a + b, a + a],
        lambda a, b: [xp.slice(a, (slice(0, 4),)) + 1.0, xp.slice(b, (slice(2, 6),)) + 1.0],
        lambda a, b: [xp.pad(a, ((1, 0), (0, 0))), xp.pad(b, ((0, 1), (0, 0)))],
    ],
)
def test_what_differs_is_written_twice(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(program, [np.ones((8, 8), np.float32)] * 2)
    text = source(graph)
    assert text == source_without_forms(graph, monkeypatch)
    assert text.count("define hidden void @k") == 2
