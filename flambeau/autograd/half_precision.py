"""Backward passes through half precision: computed in float32, rounded to the inputs' dtypes.

As the forward of an operation on float16 or bfloat16 is computed in float32 and rounded once, so is
its gradient.  Only nodes that were recorded with such an operand are of these classes; all others
pay nothing for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import MODES
from ..namespaces import namespace_of
from ..tensor.tensor import wrap
from .node import Node
from .slots import SlotGradients

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
    array = getattr(value, "_array", value)
    if not _is_half(array):
        return value
    if array is value:
        return _cast(array, FLOAT32)
    if value._base is not None:
        value._refresh()
        array = value._array
    wide = wrap(_cast(array, FLOAT32))
    wide._versions = (value if value._base is None else value._base)._versions
    return wide


def _is_half(array: Any) -> bool:
    dtype = getattr(array, "dtype", None)
    return dtype is not None and getattr(dtype, "name", None) in HALF


def _single(array: Any) -> Any:
    return _cast(array, FLOAT32) if _is_half(array) else array


def _cast(array: Any, dtype: np.dtype) -> Any:
    if array.__class__ is np.ndarray:
        return array.astype(dtype)
    return namespace_of(array).astype(array, dtype)


class _Rounding(Node):
    edge_dtypes: tuple[Any, ...] = ()
    """For each edge the dtype of its gradient, None if unknown."""

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        narrow: dict[str, Any] = {}
        if grad.__class__ in (np.ndarray, SlotGradients) or MODES.capture is not None:
            if grad.__class__ is SlotGradients:
                grad = SlotGradients({i: _single(g) for i, g in grad.grads.items()})
            else:
                grad = _single(grad)
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
            value if value is None or dtype is None or value.dtype == dtype else _cast(value, dtype)
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
