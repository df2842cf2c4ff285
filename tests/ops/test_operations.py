"""Every operation on its three readers: NumPy, the compiler's symbolic arrays, jax.numpy.

The calls come from the definitions' own samples, so an operation is tested by existing.  NumPy is
the reference for the other two; its derivatives are compared with finite differences.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

import flambeau as torch  # noqa: F401  (defines the operations)
from flambeau.ops.operation import OPERATIONS, Operation

from .readers import Derivatives, contraction, on_graph
from .samples import Case, all_cases, cases

CASES = [pytest.param(case, id=str(case)) for case in all_cases()]
FINITE = {"rtol": 2e-6, "atol": 2e-7}
EXACT = {"rtol": 1e-12, "atol": 1e-13}
NO_DERIVATIVE = {
    # padding_idx and scale_grad_by_freq are there to give something else than the derivative
    "embedding": (1, 2),
    # functions of Hermitian matrices have the gradient for Hermitian changes
    "mirrored_triangle": (0, 1),
    "one_triangle": (0, 1),
}
"""Samples of operations whose gradients are by design not the derivative."""


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda o: o.name)
def test_has_samples(operation: Operation) -> None:
    assert operation.samples, (
        f"{operation.name} has no samples: give its definition samples=..., so that its result "
        "and its gradients are tested (the notation: flambeau/ops/operation.py)"
    )


@pytest.mark.parametrize("case", CASES)
def test_symbolic_result_has_the_eager_shape_dtype_and_value(case: Case) -> None:
    for dtype in (np.float64, np.float32):
        call = Derivatives(case, dtype)
        eager = call.results(call.inputs)
        traced = on_graph(call.results, call.inputs)
        for expected, (shape, found_dtype, value) in zip(eager, traced, strict=True):
            assert shape == expected.shape
            assert found_dtype == expected.dtype
            assert value.dtype == expected.dtype
            tolerance = EXACT if dtype is np.float64 else {"rtol": 1e-5, "atol": 1e-6}
            np.testing.assert_allclose(value, expected, **tolerance)


@pytest.mark.parametrize("case", CASES)
def test_gradients_keep_the_inputs_shape_and_dtype(case: Case) -> None:
    for dtype in (np.float64, np.float32):
        call = Derivatives(case, dtype)
        for recorded in (False, True):
            found = call.first(call.arrays(), recorded)
            for i, gradient in zip(case.differentiable, found):
                if gradient is not None:
                    assert gradient.shape == call.inputs[i].shape
                    assert gradient.dtype == call.inputs[i].dtype


def _slope(function: Any, arrays: list[np.ndarray], i: int, direction: np.ndarray) -> float:
    """The derivative of the scalar ``function`` along ``direction`` of array ``i``."""
    step = 1e-5

    def at(distance: float) -> float:
        moved = list(arrays)
        moved[i] = arrays[i] + distance * direction
        return function(moved)

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


def _compare_with_differences(
    function: Any, arrays: list[np.ndarray], numbers: list[int], gradients: list[Any]
) -> None:
    random = np.random.default_rng(7)
    for i, gradient in zip(numbers, gradients, strict=True):
        direction = random.uniform(-1, 1, arrays[i].shape)
        if arrays[i].dtype.kind == "c":
            direction = direction + 1j * random.uniform(-1, 1, arrays[i].shape)
        expected = _slope(function, arrays, i, direction)
        found = 0.0 if gradient is None else contraction(gradient, direction)
        np.testing.assert_allclose(found, expected, **FINITE, err_msg=f"argument {i}")


@pytest.mark.parametrize("case", CASES)
def test_first_derivative_is_that_of_finite_differences(case: Case) -> None:
    call = Derivatives(case)
    arrays = call.arrays()

    def contracted(inputs: list[np.ndarray]) -> float:
        outs = call.weighted(call.results(inputs))
        return sum(contraction(o, c) for o, c in zip(outs, call.cotangents))

    found = call.first(arrays)
    if not found or case.number in NO_DERIVATIVE.get(case.operation.name, ()):
        return
    _compare_with_differences(contracted, call.inputs, case.differentiable, found)
    for plain, recorded in zip(found, call.first(arrays, recorded=True), strict=True):
        if plain is not None or recorded is not None:
            np.testing.assert_allclose(plain, recorded, **EXACT)


@pytest.mark.parametrize("case", CASES)
def test_second_derivative_is_that_of_finite_differences(case: Case) -> None:
    call = Derivatives(case)
    arrays = call.arrays()

    def contracted(moved: list[np.ndarray]) -> float:
        return sum(
            contraction(g, w) for g, w in zip(call.first(moved), call.weights) if g is not None
        )

    found = call.second(arrays)
    if not found:
        return
    numbers = [*case.differentiable, *range(len(call.inputs), len(arrays))]
    _compare_with_differences(contracted, arrays, numbers, found)


@pytest.mark.parametrize("case", CASES)
def test_symbolic_derivatives_are_the_eager_ones(case: Case) -> None:
    call = Derivatives(case)
    arrays = call.arrays()
    for function in (call.first, call.second):
        eager = function(arrays)
        traced = on_graph(function, arrays)
        for expected, (shape, dtype, value) in zip(eager, traced, strict=True):
            if expected is None:
                assert value is None or not value.any()
                continue
            assert (shape, dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)


def _x64() -> contextlib.AbstractContextManager[Any]:
    jax = pytest.importorskip("jax")
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda o: o.name)
def test_jitted_on_jax_with_both_derivatives(operation: Operation) -> None:
    jax = pytest.importorskip("jax")
    calls = [Derivatives(case) for case in cases(operation)]

    def everything(arrays: list[list[Any]]) -> list[Any]:
        return [
            (call.results(given[: len(call.inputs)]), call.first(given), call.second(given))
            for call, given in zip(calls, arrays)
        ]

    given = [call.arrays() for call in calls]
    with _x64():
        found = jax.jit(everything)(given)
        found = jax.tree.map(np.asarray, found, is_leaf=lambda x: x is None)
    expected = everything(given)
    flat = zip(_leaves(found), _leaves(expected), strict=True)
    for value, wanted in flat:
        if wanted is None or wanted.dtype == object:
            assert value is None or value.dtype == object or not value.any()
            continue
        assert value.dtype == wanted.dtype
        assert value.shape == wanted.shape
        np.testing.assert_allclose(value, wanted, rtol=1e-8, atol=1e-9)


def _leaves(nested: Any) -> list[Any]:
    if isinstance(nested, (list, tuple)):
        return [leaf for item in nested for leaf in _leaves(item)]
    return [nested]
