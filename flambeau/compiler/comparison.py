"""Whether a compiled program's results are those of its graph.

Two right programs differ by rounding, since they add in another order.  Most results move by as
little.  Some do not: Adam divides a gradient by its own size, so that one which is zero but for
rounding becomes a whole step, up or down.  How far rounding alone moves each result is found by
running the graph again on inputs that are changed in their last bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .graph import Graph, evaluate

Results = list[tuple[str, np.ndarray]]
"""Arrays with what they are, in words."""


def named_results(outputs: Sequence[np.ndarray], updates: dict[int, np.ndarray]) -> Results:
    """The results of a run: its outputs, then the updated inputs."""
    found = [(f"output {i}", np.asarray(a)) for i, a in enumerate(outputs)]
    return found + [(f"update of input {i}", np.asarray(a)) for i, a in updates.items()]


def difference(
    graph: Graph, inputs: Sequence[np.ndarray], compiled: Results, expected: Results
) -> str | None:
    """Where ``compiled`` leaves what the graph gives for ``inputs``; None if it agrees."""
    spreads: dict[str, float] | None = None
    for (name, actual), (_, wanted) in zip(compiled, expected, strict=True):
        relative = _precision(actual.dtype)
        if relative is None:
            if not np.array_equal(actual, wanted):
                return f"{name} differs"
            continue
        if actual.dtype.kind == "V":  # NumPy's functions do not know bfloat16
            actual, wanted = actual.astype(np.float32), wanted.astype(np.float32)
        size = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
        absolute = relative * (size + 1e-3)
        if np.allclose(actual, wanted, rtol=relative, atol=absolute, equal_nan=True):
            continue
        if spreads is None:
            spreads = _spreads(graph, inputs, expected)
        if not np.allclose(actual, wanted, rtol=relative, atol=absolute + 3 * spreads[name],
                           equal_nan=True):  # fmt: skip
            worst = np.nanmax(np.abs(actual - wanted))
            return f"{name} differs by up to {worst}"
    return None


def _precision(dtype: np.dtype) -> float | None:
    """The relative difference that is rounding for certain; None for numbers without any."""
    if dtype.kind == "V":
        return 2.0**-6
    if dtype.kind not in "fc":
        return None
    return 2e-3 if dtype.itemsize // (2 if dtype.kind == "c" else 1) <= 4 else 1e-9


def _spreads(graph: Graph, inputs: Sequence[np.ndarray], expected: Results) -> dict[str, float]:
    """How far each result moves when the inputs change in their last bits."""
    random = np.random.default_rng(0)
    spreads = dict.fromkeys((name for name, _ in expected), 0.0)
    for _ in range(3):
        outputs, updates = evaluate(graph, [_nudged(a, random) for a in inputs])
        for (name, moved), (_, wanted) in zip(
            named_results(outputs, updates), expected, strict=True
        ):
            if _precision(moved.dtype) is not None and moved.size:
                apart = np.abs(moved - wanted).astype(np.float64)
                apart = apart[np.isfinite(apart)]
                spreads[name] = max(spreads[name], float(apart.max(initial=0)))
    return spreads


def _nudged(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``array`` with each float changed by about a unit in the last place."""
    if array.dtype.char not in "fdFD" and array.dtype.kind != "V":
        return array
    unit = 2.0**-8 if array.dtype.kind == "V" else np.finfo(array.dtype).eps
    signs = random.integers(0, 2, array.shape) * 2 - 1
    return (array * (1 + signs * unit)).astype(array.dtype)


__all__ = ["difference", "named_results"]
