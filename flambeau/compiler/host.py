"""Kernels that run in NumPy: primitives and dtypes for which no code is generated.

Such a value becomes one of the primitive ``"host"``, a kernel by itself, which is not joined with
others or divided.  Its function hands the addresses of its operands and of its results to Python,
where the NumPy namespace computes it on arrays at those addresses.  An exception there ends the
run, and is raised from the call of the program.  The kernels that write over the program's state
come after all that may raise, so that then the state is what it was.
"""

from __future__ import annotations

from typing import Any

from .array_calls import CALL, call_key
from .codegen.elementwise import EMIT, has_type
from .codegen.expressions import CHOICES, ELEMENTWISE, GENERATED, VIEWS
from .codegen.math_functions import FLOAT_ONLY
from .codegen.sequential import LONGEST_SORT
from .graph import Graph, Value
from .kernels import SEQUENTIAL
from .origin import inherit
from .reductions import REDUCTIONS

HOST = "host"

_CODE = REDUCTIONS | SEQUENTIAL | VIEWS | CHOICES | GENERATED
_SPECIAL = frozenset("astype where checked_index".split())
_LOGICAL = frozenset("logical_and logical_or logical_xor".split())


def why_no_code(value: Value, half: bool) -> str | None:
    """Why there is no code for ``value``; None if there is.

    Args:
        half: whether the CPU converts half precision.
    """
    name = value.primitive
    if name in ("input", "constant"):
        return None
    for dtype in (value.dtype, *(v.dtype for v in value.operands)):
        if not has_type(dtype) or (dtype.char == "e" and not half):
            return f"arrays of {dtype}"
    if name == "scan":
        inside = (why_no_code(v, half) for v in value.attributes["body"].graph.values())
        return next((why for why in inside if why is not None), None)
    if name in ELEMENTWISE:
        return _why_no_function(value)
    if name not in _CODE:
        return "the primitive"
    if name == "argsort" and value.ndim and (
        value.shape[value.attributes["dim"] % value.ndim] > LONGEST_SORT
    ):  # fmt: skip
        return "sorting that many elements"
    if name in ("amax", "amin", "argmax", "argmin", "matmul", "conv", "sum", "prod"):
        empty = value.operands[0].size == 0 and value.size > 0
        if empty and name.startswith(("a", "arg")):
            return "a reduction over no elements"
    if len({v.dtype for v in value.operands}) > 1 and name in _ONE_DTYPE:
        return "operands of several dtypes"
    return None


_ONE_DTYPE = frozenset("matmul conv conv_input conv_weight cat".split())


def _why_no_function(value: Value) -> str | None:
    """The same for an elementwise primitive."""
    name = value.primitive
    if name in _SPECIAL:
        return None
    if name not in EMIT:
        return "the primitive"
    if name in _LOGICAL:
        return None
    kinds = {v.dtype for v in value.operands}
    if len(kinds) > 1:
        return "operands of several dtypes"
    kind = value.operands[0].dtype.kind
    if kind not in "fV" and (name in FLOAT_ONLY or name == "div"):
        return f"operands of {value.operands[0].dtype}"
    if kind == "b" and name == "sub":
        return "operands of bool"
    if kind in "iu" and name == "pow":
        exponent = value.operands[1]
        while exponent.primitive in ("expand", "reshape", "permute"):
            exponent = exponent.operands[0]
        if exponent.primitive == "constant" and (exponent.attributes["array"] < 0).any():
            return "a negative power of integers"
        if exponent.primitive == "full" and exponent.attributes["value"] < 0:
            return "a negative power of integers"
    return None


def hosted(graph: Graph, half: bool) -> Graph:
    """``graph`` with every value that has no code as one of the primitive ``"host"``."""
    if all(why_no_code(v, half) is None for v in graph.values()):
        return graph
    table: dict[int, Value] = {}
    for value in graph.values():
        operands = tuple(table[id(v)] for v in value.operands)
        if why_no_code(value, half) is not None:
            attributes = {"call": value.primitive, "arguments": value.attributes}
            new = Value(HOST, operands, attributes, value.shape, value.dtype)
        else:
            new = value.on(operands)
        table[id(value)] = inherit(new, value)
    return graph.replaced(table)


def sibling_key(value: Value) -> Any:
    """What values that one call computes have in common; None for others."""
    operands = tuple(id(v) for v in value.operands)
    if value.primitive == "scan":
        return ("scan", operands, value.attributes["body"], value.attributes["reverse"])
    if value.primitive != HOST:
        return None
    arguments = value.attributes["arguments"]
    if value.attributes["call"] == "scan":
        return (HOST, operands, arguments["body"], arguments["reverse"])
    if value.attributes["call"] == CALL:
        return (HOST, operands, call_key(arguments))
    if value.attributes["call"] == "factor":
        return (HOST, operands, arguments["kind"])
    return None


__all__ = ["HOST", "hosted", "sibling_key", "why_no_code"]
