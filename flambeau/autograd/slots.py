"""Nodes with several differentiable results: a slot node per result gathers their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import namespaces
from ..namespaces import numpy as numpy_namespace
from .node import Node, next_sequence


class SlotGradients:
    """The gradients that have arrived for some of a node's results."""

    __slots__ = ("grads",)

    def __init__(self, grads: dict[int, Any]) -> None:
        self.grads = grads

    def __add__(self, other: SlotGradients) -> SlotGradients:
        merged = dict(self.grads)
        for index, grad in other.grads.items():
            merged[index] = merged[index] + grad if index in merged else grad
        return SlotGradients(merged)

    def unpack(self, node: Any) -> tuple[Any, list[Any]]:
        """The namespace, and for every result its gradient or None."""
        grads = [self.grads.get(i) for i in range(len(type(node).operation.differentiable))]
        arrays = [g for g in grads if g is not None]
        if any(not isinstance(a, np.ndarray) and hasattr(a, "_array") for a in arrays):
            return None, grads
        return namespaces.namespace_of(*arrays), grads


class OutputSlot(Node):
    """The edge to one of several results of ``parent``."""

    def __init__(self, parent: Node, index: int) -> None:
        self._sequence = next_sequence()
        self.edges = (parent,)
        self.index = index

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        return (SlotGradients({self.index: grad}),)

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return (SlotGradients({self.index: grad}),)

    def name(self) -> str:
        return self.renamed or self.edges[0].name()


namespaces._NAMESPACES[SlotGradients] = numpy_namespace
