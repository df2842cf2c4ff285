"""How eager mode lays out the memory of a captured value: whether `reshape` of it is a view.

Values have no memory while a program is captured, so every `reshape` is noted as a view.  In eager
mode it copies where elements do not lie in row-major order.  A program that writes to such a result
is captured only where it is certain that it is a view.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..namespaces import numpy as numpy_namespace
from .graph import Value
from .symbolic import ELEMENTWISE, call_primitive

MAY_COPY = frozenset(("reshape", "flatten", "ravel", "contiguous", "unflatten"))
"""View operations that copy where they have to."""

_OF_THEIR_OWN = frozenset(("matmul", "full", "arange", "constant", "conv", "pad", "call"))
"""Primitives whose results lie in row-major order whatever their operands do."""


def in_row_major_order(array: Any, recording: Any) -> bool:
    """Whether the elements of ``array`` certainly lie in row-major order in eager mode."""
    if isinstance(array, np.ndarray):
        return bool(array.flags.c_contiguous)
    known: dict[int, bool] = recording.known_orders
    memory: dict[int, np.ndarray] = recording.known_memory
    for value, there in zip(recording.inputs, recording.arrays, strict=True):
        if id(value) not in known:
            known[id(value)] = bool(there.flags.c_contiguous)
            memory[id(value)] = there
            recording.looked_at.append(value)
    stack = [array]
    while stack:
        value = stack[-1]
        waiting = [o for o in value.operands if id(o) not in known]
        if id(value) in known:
            stack.pop()
        elif waiting and value.primitive not in _OF_THEIR_OWN:
            stack.extend(waiting)
        else:
            unknown = id(value) in recording.of_unknown_order
            known[id(value)] = not unknown and _ordered(value, known, memory)
            recording.looked_at.append(value)  # its id stays its own
            stack.pop()
    return known[id(array)]


def copies(name: str, value: Value, shape: tuple[int, ...], recording: Any) -> bool | None:
    """Whether a view operation of ``value`` to ``shape`` copies in eager mode; None if unknown.

    Known is the memory of contiguous arguments, of results that lie in order, and of their views.
    """
    chain: list[Value] = []
    while value.primitive in ("permute", "slice", "reshape"):
        chain.append(value)
        value = value.operands[0]
    if not value.size or not any(v.primitive in ("permute", "slice") for v in chain):
        return None
    if value.primitive not in _OF_THEIR_OWN and id(value) not in recording.in_order:
        return None
    if id(value) in recording.of_unknown_order:
        return None
    array = np.empty(value.shape, np.uint8)  # of any dtype that takes little; nobody looks at it
    for view in reversed(chain):
        if view.primitive != "reshape":
            array = call_primitive(numpy_namespace, view, [array])
        elif (found := _reshaped(array, view.shape)) is not None:
            array = found
        else:
            array = np.empty(view.shape, np.uint8)
    if name == "contiguous":
        return not array.flags.c_contiguous
    return _reshaped(array, shape) is None


_RESHAPES_WITHOUT_COPY = np.lib.NumpyVersion(np.__version__) >= "2.1.0"


def _reshaped(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """A view of ``array`` with another shape; None if there is none."""
    if _RESHAPES_WITHOUT_COPY:
        try:
            return np.reshape(array, shape, copy=False)
        except ValueError:
            return None
    view = array.view()
    try:
        view.shape = shape  # copies to find out
    except (AttributeError, ValueError):
        return None
    return view


def _ordered(value: Value, known: dict[int, bool], memory: dict[int, np.ndarray]) -> bool:
    if value.primitive in ("permute", "slice") and id(value.operands[0]) in memory:
        view = call_primitive(numpy_namespace, value, [memory[id(value.operands[0])]])
        memory[id(value)] = view
        return bool(view.flags.c_contiguous)
    if value.primitive in _OF_THEIR_OWN or sum(n != 1 for n in value.shape) < 2:
        return True
    operands = value.operands
    if value.primitive == "permute":
        return known[id(operands[0])] and _keeps_order(value)
    if value.primitive == "slice":
        return False
    if value.primitive == "expand":
        return operands[0].shape == value.shape and known[id(operands[0])]
    if value.primitive not in ELEMENTWISE:
        return all(known[id(o)] for o in operands)
    whole = [o for o in operands if o.shape == value.shape]  # others are broadcast
    return bool(whole) and all(known[id(o)] for o in whole)


def _keeps_order(value: Value) -> bool:
    """Whether a permutation moves dims of one element only."""
    axes = next((a for a in value.attributes.values() if isinstance(a, (tuple, list))), ())
    shape = value.operands[0].shape
    moved = [axis for axis in axes if shape[axis] != 1]
    return moved == sorted(moved)


__all__ = ["MAY_COPY", "copies", "in_row_major_order"]
