"""Compiling small programs and comparing them with the NumPy reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import flambeau.compiler.symbolic  # noqa: F401  (gives Value its operators)
from flambeau.compiler.executable import Executable, compile_graph
from flambeau.compiler.graph import Graph, Value, evaluate, input_value


def graph_of(
    function: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    updates: dict[int, Callable[..., Value]] | None = None,
) -> Graph:
    """The graph of ``function`` (of one Value per array), with updates of inputs."""
    inputs = [input_value(a.shape, a.dtype) for a in arrays]
    outputs = function(*inputs)
    if not isinstance(outputs, list | tuple):
        outputs = [outputs]
    return Graph(inputs, list(outputs), {i: f(*inputs) for i, f in (updates or {}).items()})


def check(
    function: Callable[..., Any],
    *arrays: np.ndarray,
    updates: dict[int, Callable[..., Value]] | None = None,
    tolerance: float | None = None,
) -> Executable:
    """Compile ``function`` and compare outputs and updates with the reference."""
    graph = graph_of(function, arrays, updates)
    with np.errstate(all="ignore"):
        expected, expected_updates = evaluate(graph, [a.copy() for a in arrays])
    executable = compile_graph(graph)
    state = [np.array(a, order="C") for a in arrays]
    outputs = executable(state)
    assert len(outputs) == len(expected)
    for actual, wanted in zip(outputs, expected, strict=True):
        assert_close(actual, np.asarray(wanted), tolerance)
    for i, wanted in expected_updates.items():
        assert_close(state[i], np.asarray(wanted), tolerance)
    for i, (before, after) in enumerate(zip(arrays, state, strict=True)):
        if i not in expected_updates:
            np.testing.assert_array_equal(before, after)
    return executable


def assert_close(actual: np.ndarray, wanted: np.ndarray, tolerance: float | None) -> None:
    assert actual.dtype == wanted.dtype
    assert actual.shape == wanted.shape
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(actual, wanted)
        return
    if tolerance is None:
        tolerance = {2: 4e-3, 4: 2e-5, 8: 1e-12}[wanted.dtype.itemsize]
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = float(finite.max()) if finite.size else 0.0
    np.testing.assert_allclose(
        actual.astype(np.float64),
        wanted.astype(np.float64),
        rtol=tolerance,
        atol=tolerance * min(scale, 1e30) * 0.1 + 1e-300,
    )
