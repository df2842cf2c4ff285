"""A node of the tape: one recorded operation and the edges to what its inputs came from.

A node is numbered when it is made; an operation's inputs exist before it, so numbers fall along
every path of a backward pass and the engine needs no other order.  In-place writes draw from the
same counter: a tensor was overwritten after a node saved it if its stamp is above the node's
number.

An *edge* is the node that made the input, or the input itself if it is a leaf that requires grad
(a Tensor's ``_sequence`` is 0), or None.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..modes import STRUCTURE

next_sequence = itertools.count(1).__next__


class VersionCounter:
    """How often, and when last, the memory that some tensors share was written in place."""

    __slots__ = ("count", "stamp")

    def __init__(self) -> None:
        self.count = 0
        self.stamp = 0


class VersionsSince:
    """A version counter as seen by who was there at its last write: only later ones count."""

    __slots__ = ("versions", "since")

    def __init__(self, versions: VersionCounter) -> None:
        self.versions = versions
        self.since = versions.stamp

    @property
    def stamp(self) -> int:
        stamp = self.versions.stamp
        return stamp if stamp > self.since else 0


class Node:
    """Base class of the backward nodes, one subclass per operation, made from its definition."""

    _sequence: int
    edges: tuple[Any, ...] = ()
    released = False
    out_versions: VersionCounter | VersionsSince | None = None
    """The version counter of the result that this node saved, once somebody shares it."""
    kept_versions: tuple[tuple[int, VersionCounter], ...] = ()
    """Of an operation with several results: the numbers of those it saved, and their versions."""
    hooks: OrderedDict[int, Callable[..., Any]] | None = None
    prehooks: OrderedDict[int, Callable[..., Any]] | None = None
    traceback: str | None = None
    """Where the operation was called, if anomaly detection was on."""
    saved_names: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    out: Any
    aux: Any
    shapes: Any
    keeper: Any = None
    """The handle of the prehook by which ``retain_grad`` keeps the gradient: it runs last."""
    shape_kept: str | None = None
    """What was saved whose shape tells the node's name, and is kept instead when it is let go."""
    renamed: str | None = None
    """Another name than the class's, for this node."""

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        """The gradients for :attr:`edges`, given that of the result, as arrays."""
        raise NotImplementedError

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        """The same as Tensors whose own gradients can be asked for."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go of what was saved for the backward pass."""
        if self.saved_names:
            kept = self.shape_kept
            shape = None if kept is None else getattr(getattr(self, kept), "shape", None)
            for name in self.saved_names:
                setattr(self, name, None)
            if kept is not None:
                setattr(self, kept, shape)
            self.released = True

    def name(self) -> str:
        """The name that PyTorch's node for this operation has."""
        if self.renamed is None:
            operation = getattr(type(self), "operation", None)
            naming = None if operation is None else operation.naming
            if naming is not None:
                return naming(self)
        name = self.renamed or type(self).__name__
        return f"torch::autograd::{name}" if name in _WRITTEN_BY_HAND else name

    def __repr__(self) -> str:
        return f"<{self.name().rpartition(':')[2]} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """For each input ``(node, index)``; a leaf's node is an :class:`AccumulateGrad`."""
        return tuple(
            (None, 0)
            if edge is None
            else (AccumulateGrad(edge), 0)
            if edge._sequence == 0
            else (edge, 0)
            for edge in self.edges
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """A dictionary for the user's own notes on this node."""
        return self.__dict__.setdefault("_metadata", {})

    def register_hook(self, fn: Callable[..., Any]) -> Any:
        """Call ``fn(grad_inputs, grad_outputs)`` after this node; it may return new grad_inputs."""
        from ..utils.hooks import RemovableHandle

        STRUCTURE.version += 1
        if self.hooks is None:
            self.hooks = OrderedDict()
        handle = RemovableHandle(self.hooks)
        self.hooks[handle.id] = fn
        return handle

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        """Call ``fn(grad_outputs)`` before this node; it may return new grad_outputs."""
        from ..utils.hooks import RemovableHandle

        STRUCTURE.version += 1
        if self.prehooks is None:
            self.prehooks = OrderedDict()
        handle = RemovableHandle(self.prehooks)
        self.prehooks[handle.id] = fn
        if self.keeper is not None and self.keeper.id in self.prehooks:
            self.prehooks.move_to_end(self.keeper.id)
        return handle


_WRITTEN_BY_HAND = frozenset(("CopyBackwards", "CopySlices"))
"""PyTorch's nodes that are not generated from a table have the name of their C++ class."""


class AccumulateGrad(Node):
    """The end of a path: adds to a leaf's ``grad``.  Only a view for ``next_functions``."""

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self._sequence = 0

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)
