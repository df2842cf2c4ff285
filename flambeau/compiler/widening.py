"""Arithmetic on bfloat16: done in float32, and rounded, as it is on arrays of NumPy.

Code for bfloat16 moves elements and converts them.  All else becomes a conversion of the operands
to float32, the primitive, and a conversion of the result, which rounds to nearest, ties to even.
"""

from __future__ import annotations

import numpy as np

from .codegen.elementwise import is_bfloat16
from .codegen.expressions import VIEWS
from .graph import Graph, Value
from .origin import inherit

_MOVING = VIEWS | frozenset(
    "input constant full arange astype pad cat slice_scatter gather index where scatter host scan "
    "singular_places require".split()
)
"""Primitives that move elements, or that see to dtypes by themselves."""
_SINGLE = np.dtype(np.float32)


def _computes(value: Value) -> bool:
    """Whether ``value`` is the result of arithmetic with bfloat16."""
    name = value.primitive
    if name in _MOVING or name == "index_put" and not value.attributes["accumulate"]:
        return False
    return is_bfloat16(value.dtype) or any(is_bfloat16(v.dtype) for v in value.operands)


def widened(graph: Graph) -> Graph:
    """``graph`` with all arithmetic on bfloat16 in float32."""
    if not any(_computes(v) for v in graph.values()):
        return graph
    table: dict[int, Value] = {}
    wide: dict[int, Value] = {}

    def widen(operand: Value) -> Value:
        if not is_bfloat16(operand.dtype):
            return operand
        if id(operand) not in wide:
            wide[id(operand)] = _converted(operand, _SINGLE)
        return wide[id(operand)]

    for value in graph.values():
        operands = tuple(table[id(v)] for v in value.operands)
        if _computes(value):
            dtype = _SINGLE if is_bfloat16(value.dtype) else value.dtype
            given = tuple(widen(v) for v in operands)
            new = Value(value.primitive, given, value.attributes, value.shape, dtype)
            if dtype != value.dtype:
                new = _converted(inherit(new, value), value.dtype)
        else:
            new = value.on(operands)
        table[id(value)] = inherit(new, value)
    return graph.replaced(table)


def _converted(value: Value, dtype: np.dtype) -> Value:
    new = Value("astype", (value,), {"dtype": dtype}, value.shape, dtype)
    new.origin = value.origin
    return new


__all__ = ["widened"]
