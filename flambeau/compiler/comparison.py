"""Whether a compiled program's results are those of its graph.

Two right programs differ by rounding, since they add in another order.  Most results move by as
little.  Some do not: Adam divides a gradient by its own size, so that one which is zero but for
rounding becomes a whole step, up or down; a ReLU whose input is zero but for rounding passes a
gradient on or not.  How far rounding alone moves each result is found by running the graph again on
inputs that are changed in their last bits.  A program is wrong if it leaves that range there, too:
what rounding decides is decided in another way each time, a mistake is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Results = list[tuple[str, np.ndarray]]
"""Arrays with what they are, in words."""
Run = Callable[[Sequence[np.ndarray]], Results]
_ROUNDS = 3


def named_results(outputs: Sequence[np.ndarray], updates: dict[int, np.ndarray]) -> Results:
    """The results of a run: its outputs, then the updated inputs."""
    found = [(f"output {i}", np.asarray(a)) for i, a in enumerate(outputs)]
    return found + [(f"update of input {i}", np.asarray(a)) for i, a in updates.items()]


def difference(
    compiled: Results, expected: Results, inputs: Sequence[np.ndarray], run: Run, reference: Run
) -> str | None:
    """Where a compiled program leaves what its graph gives; None if it agrees.

    Args:
        compiled, expected: the results of both for ``inputs``.
        run, reference: the results of both for other inputs.
    """
    apart = {}
    for (name, actual), (_, wanted) in zip(compiled, expected, strict=True):
        distance = _distance(actual, wanted)
        if distance > _rounding(wanted):
            apart[name] = distance
    if not apart:
        return None
    then = dict(expected)
    spread = dict.fromkeys(apart, 0.0)
    least = apart.copy()
    random = np.random.default_rng(0)
    for _ in range(_ROUNDS):
        nudged = [_nudged(a, random) for a in inputs]
        now = dict(run(nudged))
        for name, moved in reference(nudged):
            if name in apart:
                spread[name] = max(spread[name], _spread(moved, then[name]))
                least[name] = min(least[name], _distance(now[name], moved))
    for name in apart:
        if least[name] > _rounding(then[name]) + 3 * spread[name]:
            if _precision(then[name].dtype) is None:
                return f"{name} differs"
            if apart[name] == np.inf:
                return f"{name} is infinite or NaN in other places"
            return f"{name} differs by up to {_spread(dict(compiled)[name], then[name]):.6g}"
    return None


def _precision(dtype: np.dtype) -> float | None:
    """The relative difference that is rounding for certain; None for numbers without any."""
    if dtype.kind == "V":
        return 2.0**-6
    if dtype.kind not in "fc":
        return None
    return 2e-3 if dtype.itemsize // (2 if dtype.kind == "c" else 1) <= 4 else 1e-9


def _wide(array: np.ndarray) -> np.ndarray:
    """``array`` in numbers that NumPy's functions know."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _rounding(wanted: np.ndarray) -> float:
    """How far elements may certainly be from ``wanted``, besides in relation to themselves."""
    relative = _precision(wanted.dtype)
    if relative is None:
        return 0.0
    wanted = _wide(wanted)
    return relative * (float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)) + 1e-3)


def _distance(actual: np.ndarray, wanted: np.ndarray) -> float:
    """How far the elements are apart at most, beyond rounding in relation to themselves."""
    relative = _precision(wanted.dtype)
    if relative is None:
        return 0.0 if np.array_equal(actual, wanted) else np.inf
    actual, wanted = np.atleast_1d(_wide(actual)), np.atleast_1d(_wide(wanted))
    with np.errstate(all="ignore"):
        apart = np.abs(actual - wanted)
        apart -= relative * np.abs(wanted)
    apart[(actual == wanted) | ((actual != actual) & (wanted != wanted))] = 0
    apart[np.isnan(apart)] = np.inf
    return float(apart.max(initial=0))


def _spread(moved: np.ndarray, wanted: np.ndarray) -> float:
    """How far the elements have moved at most."""
    if _precision(wanted.dtype) is None:
        return 0.0
    with np.errstate(all="ignore"):
        apart = np.abs(_wide(moved) - _wide(wanted))
    return float(apart[np.isfinite(apart)].max(initial=0))


def _nudged(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``array`` with each float changed by about a unit in the last place."""
    if array.dtype.char not in "fdFD" and array.dtype.kind != "V":
        return array
    unit = 2.0**-8 if array.dtype.kind == "V" else np.finfo(array.dtype).eps
    signs = random.integers(0, 2, array.shape) * 2 - 1
    return (array * (1 + signs * unit)).astype(array.dtype)


__all__ = ["difference", "named_results"]
