"""Backward passes through half precision: computed in float32, rounded to the inputs' dtypes.

As the forward of an operation on float16 or bfloat16 is computed in float32 and rounded once, so is
its gradient.  Only nodes that were recorded with such an operand are of these classes; all others
pay nothing for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor.tensor import wrap
from .node import Node

HALF = frozenset(("float16", "bfloat16"))
FLOAT32 = np.dtype(np.float32)

_CLASSES: dict[type[Node], type[Node]] = {}


def rounding(node_class: type[Node]) -> type[Node]:
    """The class of nodes like ``node_class`` whose gradients get :attr:`edge_dtypes`."""
    known = _CLASSES.get(node_class)
    if known is None:
        known = type(node_class.__name__, (_Rounding, node_class), {})
        known.__qualname__ = node_class.__qualname__
        _CLASSES[node_class] = known
    return known


def _widened(value: Any) -> Any:
    """What a node saved, in float32 where it is in half precision."""
    if value.__class__ is np.ndarray:
        return value.astype(FLOAT32) if value.dtype.name in HALF else value
    array = getattr(value, "_array", None)
    if array.__class__ is not np.ndarray or array.dtype.name not in HALF:
        return value
    if value._base is not None:
        value._refresh()
        array = value._array
    wide = wrap(array.astype(FLOAT32))
    wide._versions = (value if value._base is None else value._base)._versions
    return wide


class _Rounding(Node):
    edge_dtypes: tuple[Any, ...] = ()
    """For each edge the dtype of its gradient, None if unknown."""

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        narrow: dict[str, Any] = {}
        if grad.__class__ is np.ndarray:
            if grad.dtype.name in HALF:
                grad = grad.astype(FLOAT32)
            if not self.released:
                narrow = {name: getattr(self, name) for name in self.saved_names}
        try:
            for name, value in narrow.items():
                setattr(self, name, _widened(value))
            found = super().backward(xp, grad)
        finally:
            for name, value in narrow.items():
                setattr(self, name, value)
        return tuple(
            value
            if value is None or dtype is None or value.dtype == dtype
            else (value.astype(dtype) if value.__class__ is np.ndarray else xp.astype(value, dtype))
            for value, dtype in zip(found, self.edge_dtypes, strict=True)
        )

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        from ..ops.operation import OPERATIONS

        astype = OPERATIONS["astype"].function
        return tuple(
            value
            if value is None or dtype is None or value._array.dtype == dtype
            else astype(value, dtype)
            for value, dtype in zip(super().backward_recorded(grad), self.edge_dtypes, strict=True)
        )
