"""Running an example call, with its derivatives, on the arrays of one namespace or another.

The call goes through the public function with Tensors, whatever arrays those hold, so that what is
tested is what runs: the direct path on NumPy, the general path elsewhere, and the tape on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau as torch
import flambeau.compiler.symbolic  # noqa: F401  (lets symbolic arrays be operands)
from flambeau.compiler.graph import Graph, Value, evaluate, input_value
from flambeau.tensor import Tensor, wrap

from .samples import Case


def in_precision(array: np.ndarray, dtype: Any) -> np.ndarray:
    """``array``, if it is of float64 or complex128, with parts of ``dtype``."""
    if array.dtype == np.complex128:
        return array.astype(np.dtype(f"c{np.dtype(dtype).itemsize * 2}"))
    return array.astype(dtype) if array.dtype == np.float64 else array


def weights_like(array: Any, random: np.random.Generator) -> np.ndarray:
    """Random weights in the shape and dtype of ``array``."""
    weights = random.uniform(0.5, 1.5, array.shape)
    if array.dtype.kind == "c":
        weights = weights + 1j * random.uniform(0.5, 1.5, array.shape)
    return weights.astype(array.dtype)


def contraction(array: Any, weights: Any) -> float:
    """The inner product as of real numbers, complex ones being pairs of them."""
    return float((array * weights.conj()).sum().real)


class Derivatives:
    """An example call with the weights that its results and gradients are contracted with."""

    def __init__(self, case: Case, dtype: Any = np.float64) -> None:
        self.case = case
        self.inputs = [in_precision(a, dtype) for a in case.arrays]
        random = np.random.default_rng(case.number)
        outs = self.results(self.inputs)
        self.cotangents = [weights_like(o, random) for o in self.weighted(outs)]
        self.weights = [weights_like(self.inputs[i], random) for i in case.differentiable]

    def weighted(self, outs: Sequence[Any]) -> list[Any]:
        """Those of the results that have gradients."""
        if not self.case.differentiable:
            return []
        flags = self.case.operation.differentiable
        if len(flags) < len(outs):
            flags = flags * len(outs)
        return [o for o, wanted in zip(outs, flags) if wanted and o.dtype.kind in "fc"]

    def results(self, inputs: Sequence[Any]) -> list[Any]:
        """The arrays that the call gives."""
        return [t._array for t in self._call([wrap(a) for a in inputs])]

    def _call(self, tensors: list[Tensor]) -> list[Tensor]:
        positional, keywords = self.case.filled(tensors)
        result = self.case.operation(*positional, **keywords)
        return list(result) if isinstance(result, tuple) else [result]

    def arrays(self) -> list[np.ndarray]:
        """Everything :meth:`first` and :meth:`second` take: inputs, then cotangents."""
        return [*self.inputs, *self.cotangents]

    def first(self, arrays: Sequence[Any], recorded: bool = False) -> list[Any]:
        """The gradients of the results contracted with the cotangents, one per input."""
        tensors, outs, cotangents = self._recorded_call(arrays)
        if not outs:
            return []
        found = torch.autograd.grad(
            outs, [tensors[i] for i in self.case.differentiable], cotangents,
            create_graph=recorded, allow_unused=True,
        )  # fmt: skip
        return [None if g is None else g._array for g in found]

    def second(self, arrays: Sequence[Any]) -> list[Any]:
        """The gradients of the first gradients contracted with the weights."""
        tensors, outs, cotangents = self._recorded_call(arrays)
        if not outs:
            return []
        variables = [tensors[i] for i in self.case.differentiable]
        for cotangent in cotangents:
            cotangent._requires_grad = True
        found = torch.autograd.grad(
            outs, variables, cotangents, create_graph=True, allow_unused=True
        )
        total = None
        for gradient, weight in zip(found, self.weights):
            if gradient is not None and gradient.requires_grad:
                part = (gradient * wrap(weight.conj())).sum().real
                total = part if total is None else total + part
        if total is None:
            return [None] * (len(variables) + len(cotangents))
        found = torch.autograd.grad(total, [*variables, *cotangents], allow_unused=True)
        return [None if g is None else g._array for g in found]

    def _recorded_call(
        self, arrays: Sequence[Any]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        count = len(self.inputs)
        tensors = [wrap(a) for a in arrays[:count]]
        cotangents = [wrap(a) for a in arrays[count:]]
        for i in self.case.differentiable:
            tensors[i]._requires_grad = True
        outs = [t for t in self._call(tensors) if t.requires_grad]
        return tensors, outs, cotangents


def on_graph(function: Any, arrays: Sequence[np.ndarray]) -> list[tuple[Any, Any, Any]]:
    """``function`` traced on symbolic arrays: per result its inferred shape, dtype, and its value.

    None stands for a result that is None.
    """
    inputs = [input_value(a.shape, a.dtype) for a in arrays]
    traced = function(inputs)
    outputs: list[Value] = []
    for value in traced:
        if value is not None:
            outputs.append(value)
    assert all(isinstance(v, Value) for v in outputs), [type(v).__name__ for v in outputs]
    values, _ = evaluate(Graph(inputs, outputs), arrays)
    by_identity = {id(v): a for v, a in zip(outputs, values)}
    return [
        (None, None, None) if v is None else (v.shape, v.dtype, by_identity[id(v)]) for v in traced
    ]
