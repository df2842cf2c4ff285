"""The symbolic array namespace: every primitive adds a :class:`Value` to the graph.

Functions here have the signatures of the primitives' rules.  NumPy arrays and Python scalars
among the operands become constants.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..modes import MODES
from ..namespaces import register
from ..namespaces.primitives import (
    BINARY,
    BINARY_PREDICATES,
    CONTRACTIONS,
    FACTORIZATIONS,
    RULES,
    SPECIAL,
    SPECIAL_BINARY,
    UNARY,
    UNARY_PREDICATES,
)
from .array_calls import CALL, call_function
from .graph import Value, constant
from .requirements import COMPUTED
from .scan import call_scan, scan

ARRAY_PARAMETERS = frozenset("x y condition values index src weight grad".split())
"""Parameters of the rules that are arrays; ``arrays`` and ``indices`` are sequences of them."""

ELEMENTWISE = frozenset(
    [*UNARY, *BINARY, *SPECIAL, *SPECIAL_BINARY, *UNARY_PREDICATES, *BINARY_PREDICATES, "where"]
)


def _lift(x: Any, dtype: np.dtype | None = None) -> Value:
    if isinstance(x, Value):
        return x
    return constant(np.asarray(x, dtype=None if hasattr(x, "dtype") else dtype))


def _promoted(operands: Sequence[Value]) -> Sequence[Value]:
    """``operands`` with half precision beside wider numbers as those, as NumPy does."""
    dtypes = {v.dtype for v in operands if v.dtype.kind in "fV"}
    if len(dtypes) < 2 or not any(d.itemsize == 2 for d in dtypes):
        return operands
    widest = max((d for d in dtypes), key=lambda d: d.itemsize)
    if widest.itemsize == 2:
        return operands
    astype = globals()["astype"]
    return tuple(
        astype(v, widest) if v.dtype.kind in "fV" and v.dtype.itemsize == 2 else v for v in operands
    )


def _trace(name: str) -> Callable[..., Value]:
    """The namespace's function for the primitive ``name``."""
    rule = RULES[name]
    signature = inspect.signature(rule)
    parameters = tuple(signature.parameters)
    defaults = {
        p.name: p.default for p in signature.parameters.values() if p.default is not p.empty
    }

    if name in ELEMENTWISE:
        arity = len(parameters)

        def elementwise(*operands: Any) -> Value:
            if len(operands) != arity:
                raise TypeError(f"{name} takes {arity} arrays, got {len(operands)}")
            typed = operands if name != "where" else operands[1:]
            dtype = next((x.dtype for x in typed if hasattr(x, "dtype")), None)
            lifted = tuple(_lift(x, dtype) for x in operands)
            if arity > 1 and lifted[-1].dtype is not lifted[-2].dtype:
                lifted = (*lifted[:-2], *_promoted(lifted[-2:]))
            if MODES.capture is not None:
                again = MODES.capture.replay.again(name, lifted, {})
                if again is not None:
                    return again
            shape, result_dtype = rule(*lifted)
            return Value(name, lifted, {}, shape, result_dtype)

        elementwise.__name__ = name
        return elementwise

    def primitive(*args: Any, **kwargs: Any) -> Value:
        given = defaults | dict(zip(parameters, args)) | kwargs
        if len(given) != len(parameters) or len(args) + len(kwargs) > len(parameters):
            signature.bind(*args, **kwargs)  # raises what Python would
        operands: list[Value] = []
        attributes: dict[str, Any] = {}
        for parameter in parameters:
            argument = given[parameter]
            if parameter in ARRAY_PARAMETERS:
                given[parameter] = lifted = _lift(argument)
                operands.append(lifted)
            elif parameter == "arrays":
                given[parameter] = many = [_lift(a) for a in argument]
                operands.extend(many)
            elif parameter == "indices":
                lifted_indices = [None if a is None else _lift(a) for a in argument]
                given[parameter] = lifted_indices
                operands.extend(a for a in lifted_indices if a is not None)
                attributes["indexed"] = tuple(a is not None for a in lifted_indices)
            else:
                attributes[parameter] = argument
        if name in CONTRACTIONS and operands[0].dtype is not operands[1].dtype:
            operands = list(_promoted(operands))
            for parameter, operand in zip(parameters, operands):  # the arrays come first
                given[parameter] = operand
        if MODES.capture is not None:
            again = MODES.capture.replay.again(name, tuple(operands), attributes)
            if again is not None:
                return again
        shape, dtype = rule(**given)
        return Value(name, tuple(operands), attributes, tuple(int(n) for n in shape), dtype)

    primitive.__name__ = name
    return primitive


def call_primitive(xp: Any, value: Value, operands: Sequence[Any]) -> Any:
    """Apply ``value``'s primitive in the namespace ``xp`` to ``operands``."""
    name = value.primitive
    if name in ELEMENTWISE:
        return getattr(xp, name)(*operands)
    if name == "scan":
        return call_scan(xp, value, operands)[value.attributes["output"]]
    attributes = value.attributes
    if name == CALL:
        return call_function(attributes, operands)[attributes["part"]]
    if name in COMPUTED:
        return COMPUTED[name](operands, attributes)
    remaining = iter(operands)
    arguments: dict[str, Any] = {}
    for parameter in _parameters(name):
        if parameter in ARRAY_PARAMETERS:
            arguments[parameter] = next(remaining)
        elif parameter == "arrays":
            arguments[parameter] = list(remaining)
        elif parameter == "indices":
            arguments[parameter] = tuple(
                next(remaining) if used else None for used in attributes["indexed"]
            )
        else:
            arguments[parameter] = attributes[parameter]
    return getattr(xp, name)(**arguments)


@cache
def _parameters(name: str) -> tuple[str, ...]:
    return tuple(inspect.signature(RULES[name]).parameters)


def dtype(x: Value) -> np.dtype:
    """The dtype of ``x``'s elements."""
    return x.dtype


def copy(x: Value) -> Value:
    """``x`` itself: a value never changes."""
    return x


globals().update({name: _trace(name) for name in RULES if name != "scan"})


def factors(x: Value, kind: str) -> tuple[Value, ...]:
    """All parts of a factorization; see the primitive ``factor``."""
    part = globals()["factor"]
    return tuple(part(x, kind, i) for i in range(len(FACTORIZATIONS[kind](1, 1, x.dtype))))


def _operator(name: str, reflected: bool = False) -> Callable[[Value, Any], Value]:
    function = globals()[name]
    if reflected:
        return lambda self, other: function(other, self)
    return lambda self, other: function(self, other)


for _symbol, _name in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
    "matmul": "matmul",
}.items():  # fmt: skip
    setattr(Value, f"__{_symbol}__", _operator(_name))
    setattr(Value, f"__r{_symbol}__", _operator(_name, reflected=True))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Value, f"__{_name}__", _operator(_name))
setattr(Value, "__neg__", lambda self: globals()["neg"](self))  # noqa: B010
setattr(Value, "__invert__", lambda self: globals()["bitwise_not"](self))  # noqa: B010

register(Value, sys.modules[__name__])

__all__ = ["call_primitive", "copy", "dtype", "factors", "scan"]
