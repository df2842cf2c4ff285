"""The operation behind writing to a view: the base with the viewed part replaced."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import next_sequence
from ..modes import STRUCTURE
from ..tensor.views import replay, scatter_view
from .operation import Array, operation
from .shape import slice_part

_ROW = ((slice_part, ((slice(1, 2),),)),)


@operation(public=False, method=False, node_name="CopySlices",
           samples=(((3, 4), (1, 4), _ROW),))  # fmt: skip
def view_write(xp, input: Array, values: Array, chain: Any):
    """``input`` with the part that the view operations ``chain`` select replaced by ``values``."""
    return scatter_view(xp, input, values, chain)


@view_write.vjp("input")
def _(xp, grad, chain):
    if isinstance(grad, (np.ndarray, np.generic)):
        result = np.array(grad)
        replay(chain, result)[...] = 0
        return result
    zeros = xp.full(tuple(_view(xp, grad, chain).shape), 0, xp.dtype(grad))
    if hasattr(grad, "_array"):
        return view_write.function(grad, zeros, chain)
    return scatter_view(xp, grad, zeros, chain)


@view_write.vjp("values")
def _(xp, grad, chain):
    return _view(xp, grad, chain)


def _view(xp: Any, grad: Any, chain: Any) -> Any:
    if hasattr(grad, "_array"):
        for operation_, arguments in chain:
            grad = operation_.function(grad, *arguments)
        return grad
    return replay(chain, grad)


def record_view_write(base: Any, before: Any, result: Any, chain: Any) -> None:
    """Make ``base``'s history "``before`` with the part of ``chain`` replaced by ``result``"."""
    node = object.__new__(view_write.node_class)
    node._sequence = next_sequence()

    def edge(tensor: Any) -> Any:
        if not tensor._requires_grad:
            return None
        return tensor._node if tensor._node is not None else tensor

    node.edges = (edge(before), edge(result))
    node.chain = tuple(chain)  # type: ignore[attr-defined]
    base._node = node
    base._requires_grad = True
    STRUCTURE.note_tensor(base)
