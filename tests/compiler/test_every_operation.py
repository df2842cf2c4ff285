"""Every operation of the framework is compiled, forward and backward, in each of its dtypes.

The calls are the samples of the operations' definitions.  Those of several operations are one
program, which is captured with the means of ``torch.compile``, lowered, and where that is quick
enough compiled and compared with what eager mode gives.  No operation may be refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import ml_dtypes

import flambeau as torch
from flambeau.compiler import runtime
from flambeau.compiler.capture import capture
from flambeau.compiler.comparison import Results, difference, named_results
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, evaluate
from flambeau.compiler.lowering import lower
from flambeau.ops.operation import OPERATIONS, Operation
from flambeau.tensor import Tensor, wrap
from tests.ops.samples import Case, cases

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "bfloat16": BFLOAT16,
    "complex64": np.dtype(np.complex64),
    "int64": np.dtype(np.int64),
}

PER_PROGRAM = 12


def in_dtype(array: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """An array of a sample in ``dtype``; None if that makes no sense."""
    if dtype.kind == "c":
        if array.dtype.kind == "f":
            return (array + 0.25j * array[::-1] if array.ndim else array + 0.25j).astype(dtype)
        return array.astype(dtype) if array.dtype.kind == "c" else array
    if array.dtype.kind == "c":
        return array.astype(np.complex64) if dtype == np.float32 else None
    if array.dtype.kind != "f":
        return array
    if dtype.kind == "i":
        return np.round(array * 2).astype(dtype)
    return array.astype(dtype)


class Call:
    """A sample in a dtype: its forward pass, and its backward pass where it has one."""

    def __init__(self, case: Case, dtype: np.dtype) -> None:
        self.case = case
        found = [in_dtype(a, dtype) for a in case.arrays]
        self.possible = all(a is not None for a in found)
        self.tensors = [wrap(np.array(a)) for a in found if a is not None]
        self.differentiable = [
            i for i in case.differentiable
            if self.possible and self.tensors[i].dtype.is_floating_point
            or self.possible and self.tensors[i].dtype.is_complex
        ]  # fmt: skip

    def run(self) -> list[Tensor]:
        """Results and gradients."""
        given = [t.clone() for t in self.tensors]
        for i in self.differentiable:
            given[i] = self.tensors[i].detach().requires_grad_()
        positional, keywords = self.case.filled(given)
        result = self.case.operation(*positional, **keywords)
        results = list(result) if isinstance(result, tuple) else [result]
        wanted = [r for r in results if r.requires_grad]
        gradients: Sequence[Any] = ()
        if wanted:
            gradients = torch.autograd.grad(
                wanted, [given[i] for i in self.differentiable],
                [torch.ones_like(r) * 0.5 for r in wanted], allow_unused=True,
            )  # fmt: skip
        return [*(r.detach() for r in results), *(g for g in gradients if g is not None)]


def calls_of(operation: Operation, dtype: np.dtype) -> list[Call]:
    """The samples that eager mode accepts in ``dtype``."""
    found = []
    for case in cases(operation):
        call = Call(case, dtype)
        if not call.possible:
            continue
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                results = call.run()
        except Exception:  # eager mode refuses the dtype
            continue
        if dtype.kind == "i" and operation.promote != "float":
            # definitions that only get floats, through functions that refuse integers
            if any(r.is_floating_point() for r in results):
                continue
        found.append(call)
    return found


def captured(calls: Sequence[Call]) -> tuple[Graph, list[np.ndarray]]:
    """All ``calls`` as one graph, and its inputs."""

    def program() -> list[Tensor]:
        return [t for call in calls for t in call.run()]

    made, recording = capture(program, (), {}, [], views=True)
    return made.graph, [np.array(a, order="C") for a in recording.arrays]


def groups(dtype: np.dtype) -> list[list[Call]]:
    """The calls in ``dtype``, those of several operations together."""
    found: list[list[Call]] = []
    count = 0
    for operation in OPERATIONS.values():
        if (operation.name, dtype.name) in NO_SENSE:
            continue
        calls = calls_of(operation, dtype)
        if not calls:
            continue
        if count % PER_PROGRAM == 0:
            found.append([])
        count += 1
        found[-1].extend(calls)
    return found


NO_SENSE = {
    ("complex", "int64"), ("ctc_likelihood", "int64"),
    ("max_pool_indices", "complex64"), ("max_pool", "complex64"),
    ("max_pool_with_indices", "complex64"),
}  # fmt: skip
"""Dtypes that have no such operation, though this definition does not look at them in eager mode:
the functions that call it do."""

COMPARED = {"float32": 1, "bfloat16": 3, "complex64": 1, "int64": 2, "float64": 6}
"""Of how many programs of a dtype one is compiled and compared with eager mode."""


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_operation_is_compiled_forward_and_backward(name: str) -> None:
    total = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for number, calls in enumerate(groups(DTYPES[name])):
            total += len(calls)
            graph, arrays = captured(calls)
            if number % COMPARED[name]:
                lower(graph, runtime.vector_bytes())
                continue
            _compare(graph, arrays, calls)
    assert total > 400


def _compare(graph: Graph, arrays: list[np.ndarray], calls: Sequence[Call]) -> None:
    eager = [t.numpy() if t.dtype != torch.bfloat16 else t._array
             for call in calls for t in call.run()]  # fmt: skip
    expected, _ = evaluate(graph, arrays)
    executable = compile_graph(graph)

    def run(given: Sequence[np.ndarray]) -> Results:
        return named_results(executable(given), {})

    def reference(given: Sequence[np.ndarray]) -> Results:
        return named_results(evaluate(graph, given)[0], {})

    outputs = executable(arrays)
    wrong = difference(
        named_results(outputs, {}), named_results(expected, {}), arrays, run, reference
    )
    assert wrong is None, f"{wrong} in a program of {[str(c.case) for c in calls]}"
    assert len(eager) == len(expected)
    seen = named_results(eager, {})
    expected = named_results(expected, {})
    assert difference(seen, expected, arrays, lambda _: seen, reference) is None
