"""The vector kernels of exp, log and the like: within 2 units in the last place, everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler.executable import compile_graph

from .graphs import graph_of

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
}


def compiled(name: str, x: np.ndarray) -> np.ndarray:
    return compile_graph(graph_of(lambda v: getattr(xp, name)(v), [x]))([x])[0]


def arguments(name: str, dtype: type) -> np.ndarray:
    """Arguments of every magnitude, dense where the function has its steps."""
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    low, high = math.log2(float(info.smallest_subnormal)), math.log2(float(info.max))
    magnitudes = np.exp2(rng.uniform(low, high, 60_000)).astype(dtype)
    parts = [magnitudes, -magnitudes]
    for width in (1e-3, 0.7, 3, 30, 120, 800):
        parts.append((rng.uniform(-width, width, 60_000)).astype(dtype))
    # next to the zeros of sine and cosine
    parts.append((np.arange(1, 60_000) * np.longdouble(math.pi) / 2).astype(dtype))
    parts.append((1 + rng.uniform(-0.5, 1, 60_000)).astype(dtype))
    parts.append(np.exp2(np.arange(math.ceil(low), math.floor(high))).astype(dtype))
    return np.concatenate(parts)


def distance_in_ulps(actual: np.ndarray, exact: np.ndarray, dtype: type) -> np.ndarray:
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        exact_rounded = exact.astype(dtype)
        unit = np.spacing(np.abs(exact_rounded)).astype(exact.dtype)
        unit = np.where(np.isfinite(unit), unit, np.spacing(info.max))
        unit = np.maximum(unit, info.smallest_subnormal)
        distance = np.abs(actual.astype(exact.dtype) - exact) / unit
    same = (actual == exact_rounded) | (np.isnan(actual) & np.isnan(exact_rounded))
    return np.where(same, 0, distance)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_error_is_at_most_two_ulps(name: str, dtype: type) -> None:
    wide = np.float64 if dtype is np.float32 else np.longdouble
    if np.finfo(wide).nmant < np.finfo(dtype).nmant + 8:
        pytest.skip("no wider floating-point format to compare with")
    x = arguments(name, dtype)
    with np.errstate(all="ignore"):
        exact = np.asarray(FUNCTIONS[name](x.astype(wide)))
    errors = distance_in_ulps(compiled(name, x), exact, dtype)
    worst = int(np.nanargmax(np.where(np.isnan(errors), np.inf, errors)))
    assert errors[worst] <= 2, (x[worst], errors[worst])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_rounded_step_by_step(dtype: type) -> None:
    """Where exp is exact, the sigmoid is to the bit what 1 / (1 + exp(-x)) is in its dtype."""
    x = arguments("sigmoid", dtype)
    with np.errstate(all="ignore"):
        power = np.exp(-x.astype(np.longdouble)).astype(dtype)
        stepwise = 1 / (1 + power)
    errors = distance_in_ulps(compiled("sigmoid", x), stepwise.astype(np.longdouble), dtype)
    assert errors.max() <= 3
    saturated = x > -np.log(np.finfo(dtype).eps / 2) + 0.01
    assert (compiled("sigmoid", x)[saturated] == 1).all()


def test_erf_is_within_two_ulps() -> None:
    special = pytest.importorskip("scipy.special")
    x = arguments("erf", np.float32)
    errors = distance_in_ulps(compiled("erf", x), special.erf(x.astype(np.float64)), np.float32)
    worst = int(np.argmax(errors))
    assert errors[worst] <= 2, (x[worst], errors[worst])


SPECIAL = {
    "exp": [(np.inf, np.inf), (-np.inf, 0.0), (0.0, 1.0), (-0.0, 1.0)],
    "exp2": [(np.inf, np.inf), (-np.inf, 0.0), (0.0, 1.0), (3.0, 8.0), (-2.0, 0.25)],
    "expm1": [(np.inf, np.inf), (-np.inf, -1.0), (0.0, 0.0), (-0.0, -0.0)],
    "log": [(np.inf, np.inf), (0.0, -np.inf), (-0.0, -np.inf), (-1.0, np.nan), (1.0, 0.0)],
    "log2": [(np.inf, np.inf), (0.0, -np.inf), (-1.0, np.nan), (8.0, 3.0), (0.5, -1.0)],
    "log10": [(np.inf, np.inf), (0.0, -np.inf), (-1.0, np.nan), (1.0, 0.0), (1000.0, 3.0)],
    "log1p": [(np.inf, np.inf), (-1.0, -np.inf), (-2.0, np.nan), (0.0, 0.0), (-0.0, -0.0)],
    "tanh": [(np.inf, 1.0), (-np.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (100.0, 1.0)],
    "sigmoid": [(np.inf, 1.0), (-np.inf, 0.0), (0.0, 0.5), (-0.0, 0.5)],
    "sin": [(np.inf, np.nan), (-np.inf, np.nan), (0.0, 0.0), (-0.0, -0.0)],
    "cos": [(np.inf, np.nan), (-np.inf, np.nan), (0.0, 1.0), (-0.0, 1.0)],
    "tan": [(np.inf, np.nan), (-np.inf, np.nan), (0.0, 0.0), (-0.0, -0.0)],
    "erf": [(np.inf, 1.0), (-np.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (10.0, 1.0)],
}


@pytest.mark.parametrize("name", sorted(SPECIAL))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values(name: str, dtype: type) -> None:
    x, wanted = (np.array(v, dtype) for v in zip(*SPECIAL[name], (np.nan, np.nan), strict=True))
    actual = compiled(name, x)
    np.testing.assert_array_equal(actual, wanted)
    zeros = wanted == 0
    np.testing.assert_array_equal(np.signbit(actual[zeros]), np.signbit(wanted[zeros]))


def test_results_may_be_denormal() -> None:
    x = np.array([-87.5, -90, -100, -103.2], np.float32)
    exact = np.exp(x.astype(np.float64)).astype(np.float32)
    assert (exact > 0).all() and (exact < np.finfo(np.float32).tiny).all()
    np.testing.assert_allclose(compiled("exp", x), exact, rtol=0, atol=3e-45)


def test_powers_are_within_two_ulps_and_right_at_the_special_values() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.exp2(rng.uniform(-140, 127, 40_000)), rng.uniform(0, 3, 40_000)])
    y = np.concatenate([rng.uniform(-3, 3, 40_000), rng.uniform(-90, 90, 40_000)])
    special = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, 1e30, -1e30, np.inf, -np.inf,
                        np.nan, 2.5, -2.5, 16777215.0, 1e-40])  # fmt: skip
    x = np.concatenate([x, np.repeat(special, special.size)]).astype(np.float32)
    y = np.concatenate([y, np.tile(special, special.size)]).astype(np.float32)
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64))
    actual = compile_graph(graph_of(xp.pow, [x, y]))([x, y])[0]
    errors = distance_in_ulps(actual, exact, np.float32)
    worst = int(np.nanargmax(np.where(np.isnan(errors), np.inf, errors)))
    assert errors[worst] <= 2, (x[worst], y[worst], actual[worst], exact[worst])
    zeros = exact == 0
    np.testing.assert_array_equal(np.signbit(actual[zeros]), np.signbit(exact[zeros]))
