"""Every operation under ``vmap``, with its gradients, against a Python loop over the batch.

The calls come from the definitions' own samples, so an operation is tested by existing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau import func
from flambeau.namespaces import batched
from flambeau.namespaces.primitives import RULES
from flambeau.tensor import Tensor, wrap
from tests.ops.samples import Case, all_cases

MEMBERS = 3
CASES = [pytest.param(case, id=str(case)) for case in all_cases() if case.arrays]
CLOSE = {"rtol": 1e-10, "atol": 1e-11}


def members_of(array: np.ndarray, number: int) -> np.ndarray:
    """``MEMBERS`` arrays like ``array``, stacked: values keep their kind and range."""
    if array.dtype.kind in "fc":
        scales = [1.0, 0.97, 1.02]
        return np.stack([(array * s).astype(array.dtype) for s in scales])
    if array.ndim == 0:
        return np.stack([array] * MEMBERS)
    return np.stack([np.roll(array, k * (number + 1), -1) for k in range(MEMBERS)])


def choices(case: Case) -> list[tuple[bool, ...]]:
    """Which arrays are mapped over: all, then each alone, then all but each."""
    n = len(case.arrays)
    found = [(True,) * n]
    if n > 1:
        found += [tuple(i == k for i in range(n)) for k in range(n)]
        found += [tuple(i != k for i in range(n)) for k in range(n)]
    return list(dict.fromkeys(found))


def call(case: Case, tensors: Any) -> tuple[Tensor, ...]:
    positional, keywords = case.filled(list(tensors))
    result = case.operation(*positional, **keywords)
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def stacked_inputs(case: Case, mapped: tuple[bool, ...]) -> list[Tensor]:
    return [
        wrap(members_of(a, i)) if m else wrap(a.copy())
        for i, (a, m) in enumerate(zip(case.arrays, mapped))
    ]


def one_member(inputs: list[Tensor], mapped: tuple[bool, ...], k: int) -> list[Tensor]:
    return [wrap(t._array[k]) if m else t for t, m in zip(inputs, mapped)]


def compare(found: Any, expected: list[Any]) -> None:
    """The mapped results with those of the loop, given for each member."""
    for position, tensor in enumerate(found):
        wanted = np.stack([np.asarray(row[position]._array) for row in expected])
        assert tensor._array.__class__ is np.ndarray
        assert tuple(tensor.shape) == wanted.shape
        assert tensor._array.dtype == wanted.dtype
        np.testing.assert_allclose(tensor._array, wanted, **CLOSE)


@pytest.mark.parametrize("name", RULES)
def test_every_primitive_has_a_batching_rule(name: str) -> None:
    assert name in vars(batched), (
        f"the primitive {name} has no batching rule in flambeau/namespaces/batched.py, so vmap "
        "runs it for one member after the other"
    )


@pytest.mark.parametrize("case", CASES)
def test_vmap_gives_what_a_loop_gives(case: Case) -> None:
    for mapped in choices(case):
        inputs = stacked_inputs(case, mapped)
        in_dims = tuple(0 if m else None for m in mapped)
        found = func.vmap(lambda *t: call(case, t), in_dims=in_dims)(*inputs)
        compare(found, [call(case, one_member(inputs, mapped, k)) for k in range(MEMBERS)])


@pytest.mark.parametrize("case", CASES)
def test_nested_vmap_gives_what_two_loops_give(case: Case) -> None:
    n = len(case.arrays)
    inner = tuple(0 if i % 2 == 0 or n == 1 else None for i in range(n))
    outer = tuple(0 if i % 2 or n == 1 else None for i in range(n))
    inputs, at = [], []
    for i, array in enumerate(case.arrays):
        rows = members_of(array, i)
        if n == 1:
            rows = np.stack([rows, rows[::-1]])
        inputs.append(wrap(rows))
        at.append((outer[i] == 0, inner[i] == 0))
    mapped = func.vmap(lambda *t: call(case, t), in_dims=inner)
    if any(d == 0 for d in outer):
        mapped = func.vmap(mapped, in_dims=outer)
    found = mapped(*inputs)
    rows = 2 if n == 1 else MEMBERS
    for j in range(rows if any(d == 0 for d in outer) else 1):
        expected = []
        for k in range(MEMBERS):
            one = []
            for tensor, (out, into) in zip(inputs, at):
                array = tensor._array
                array = array[j] if out else array
                array = array[k] if into else array
                one.append(wrap(array))
            expected.append(call(case, one))
        part = [t[j] if any(d == 0 for d in outer) else t for t in found]
        compare([wrap(np.asarray(t._array)) for t in part], expected)


def contraction(case: Case) -> Any:
    """The call's differentiable results, weighted and summed, as a function of its arrays."""

    def total(*tensors: Tensor) -> Tensor:
        parts = []
        for out in call(case, tensors):
            if out.requires_grad:
                out = torch.view_as_real(out) if out.is_complex() else out
                weights = np.linspace(0.5, 1.5, max(1, out.numel())).reshape(tuple(out.shape))
                parts.append((out * wrap(weights.astype(out._array.dtype))).sum())
        return sum(parts[1:], parts[0]) if parts else torch.zeros((), dtype=torch.float64)

    return total


def differentiable(case: Case) -> tuple[int, ...]:
    return tuple(case.differentiable)


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].differentiable])
def test_vmap_of_grad_gives_each_members_gradient(case: Case) -> None:
    gradient = func.grad(contraction(case), argnums=differentiable(case))
    for mapped in choices(case):
        inputs = stacked_inputs(case, mapped)
        in_dims = tuple(0 if m else None for m in mapped)
        found = func.vmap(gradient, in_dims=in_dims)(*inputs)
        compare(found, [gradient(*one_member(inputs, mapped, k)) for k in range(MEMBERS)])


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].differentiable])
def test_grad_of_vmap_sums_over_the_members(case: Case) -> None:
    numbers = differentiable(case)
    total = contraction(case)
    gradient = func.grad(total, argnums=numbers)
    for mapped in choices(case):
        inputs = stacked_inputs(case, mapped)
        in_dims = tuple(0 if m else None for m in mapped)

        def loss(*tensors: Tensor, in_dims: Any = in_dims) -> Tensor:
            return func.vmap(total, in_dims=in_dims)(*tensors).sum()

        found = func.grad(loss, argnums=numbers)(*inputs)
        rows = [gradient(*one_member(inputs, mapped, k)) for k in range(MEMBERS)]
        for position, number in enumerate(numbers):
            column = [np.asarray(row[position]._array) for row in rows]
            wanted = np.stack(column) if mapped[number] else np.sum(column, 0)
            assert found[position]._array.__class__ is np.ndarray
            np.testing.assert_allclose(found[position]._array, wanted, **CLOSE)


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].differentiable])
def test_vmap_over_cotangents_gives_the_rows_of_the_jacobian(case: Case) -> None:
    numbers = differentiable(case)
    fixed = [wrap(a) for a in case.arrays]

    def of_inputs(*chosen: Tensor) -> Tensor:
        tensors = list(fixed)
        for number, tensor in zip(numbers, chosen):
            tensors[number] = tensor
        outs = [o for o in call(case, tensors) if o.requires_grad]
        return outs[0] if outs else torch.zeros(2, dtype=torch.float64)

    out, pullback = func.vjp(of_inputs, *[fixed[i] for i in numbers])
    rows = np.stack([np.cos(np.arange(out.numel()) + k) for k in range(MEMBERS)])
    rows = wrap(rows.reshape(MEMBERS, *out.shape).astype(out._array.dtype))
    found = func.vmap(pullback)(rows)
    expected = [pullback(wrap(rows._array[k])) for k in range(MEMBERS)]
    compare(found, expected)
