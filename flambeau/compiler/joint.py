"""Forward and backward as two programs: for captured functions whose result is differentiated.

``torch.compile(model)`` in an ordinary loop returns a tensor that requires grad.  While the tape of
the capture is there, its backward pass is run symbolically, from symbolic gradients of the results.
What the backward pass takes from the forward pass is cut: values become further outputs of the
forward program and inputs of the backward program; views of values are taken again instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import engine
from ..autograd.node import Node, next_sequence
from ..autograd.slots import OutputSlot
from ..tensor import Tensor, wrap
from .graph import Graph, Value, evaluate, input_value
from .rebinding import Moving, Slot

_REPEATED = ("full", "arange", "constant", "reshape", "permute", "expand", "astype")
"""Primitives that the backward program repeats rather than keep their results."""


@dataclass(frozen=True)
class InnerLeaf:
    """A leaf that the program makes and lets go: its gradient is made for nobody, as in eager."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def tensor(self) -> Tensor:
        """A leaf like it."""
        leaf = wrap(np.broadcast_to(np.zeros((), self.dtype), self.shape))
        leaf._requires_grad = True
        return leaf


class Joint:
    """The backward program of a captured function.

    Attributes:
        graph: from the results' gradients and what was kept to the gradients of ``leaves``.
        kept: for each further input of ``graph`` an output (int) or an input (``("input", i)``) of
            the forward program.
        leaves: whose gradients it computes: tensors, positions of arguments, :class:`InnerLeaf`.
        results: the outputs of the forward program that have a gradient.
        names: what eager mode calls their nodes on the tape.
        watched: what must not be written before the backward pass.
        copied: the places in ``kept`` of what may be written.
        slots: for each leaf the results that it is reached from: it has no gradient without one.
    """

    def __init__(
        self,
        graph: Graph,
        kept: list[Any],
        leaves: list[Any],
        results: list[int],
        names: list[str],
        watched: list[Any],
        copied: list[int],
        slots: list[list[int]],
    ) -> None:
        self.graph = graph
        self.kept = kept
        self.leaves = leaves
        self.results = results
        self.names = names
        self.watched = watched
        self.copied = copied
        self.slots = slots
        self.executable: Callable[[Sequence[np.ndarray]], list[np.ndarray]] | None = None

    def deliver(self, runner: Any, delivered: list[Any], tensors: Sequence[Tensor]) -> Any:
        """Put tensors on the tape in the places of the results' arrays; the backward pass's node.

        Args:
            runner: the program, with the inputs of this call.
            delivered: its outputs.
            tensors: the arguments of the call.
        """
        node = object.__new__(CompiledBackward)
        node._sequence = next_sequence()
        node.joint = self
        saved = [delivered[k] if k.__class__ is int else runner.inputs[k[1]] for k in self.kept]
        for place in self.copied:
            saved[place] = np.array(saved[place])
        node.saved = saved
        edges = []
        for leaf in self.leaves:
            if leaf.__class__ is InnerLeaf:
                tensor = leaf.tensor()
            else:
                tensor = tensors[leaf] if leaf.__class__ is int else leaf
            edges.append(tensor._node if tensor._node is not None else tensor)
        node.edges = tuple(edges)
        node.shapes = [(delivered[i].shape, delivered[i].dtype) for i in self.results]
        for slot, index in enumerate(self.results):
            tensor = wrap(delivered[index])
            tensor._requires_grad = True
            tensor._node = OutputSlot(node, slot)
            tensor._node.renamed = self.names[slot]
            delivered[index] = tensor
        return node


class CompiledBackward(Node):
    """The tape's node for a call of a compiled function."""

    saved_names = ("saved",)
    joint: Joint
    saved: Any
    shapes: list[tuple[tuple[int, ...], np.dtype]]
    watched: list[tuple[Any, int]]
    """Tensors that an eager backward pass needs, and how often each had been written."""

    def watch(self, delivered: Sequence[Any], tensors: Sequence[Tensor]) -> None:
        """Note the versions of what must not be written before the backward pass."""
        watched = []
        for owner in self.joint.watched:
            if owner.__class__ is tuple:
                tensor = delivered[owner[1]]
            else:
                tensor = tensors[owner] if owner.__class__ is int else owner
            if isinstance(tensor, Tensor):
                root = tensor if tensor._base is None else tensor._base
                watched.append((root, 0 if root._versions is None else root._versions.count))
        self.watched = watched

    def _check_versions(self) -> None:
        for tensor, count in self.watched:
            versions = tensor._versions
            if versions is not None and versions.count != count:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: a tensor of shape {list(tensor.shape)} was written after "
                    "a compiled function had kept it for its gradient."
                )

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        if self.released:
            raise _spent_error()
        self._check_versions()
        given = [grad.grads.get(i) for i in range(len(self.shapes))]
        arrays = [
            np.zeros(shape, dtype) if g is None else np.asarray(g, order="C")
            for g, (shape, dtype) in zip(given, self.shapes)
        ]
        inputs = [*arrays, *[np.asarray(a, order="C") for a in self.saved]]
        joint = self.joint
        if joint.executable is None:
            outputs = [np.array(o) for o in evaluate(joint.graph, inputs)[0]]
        else:
            outputs = joint.executable(inputs)
        return tuple(
            output if any(given[slot] is not None for slot in slots) else None
            for output, slots in zip(outputs, joint.slots)
        )

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        raise RuntimeError(
            "torch.compile does not support double backward: the gradient of a compiled function "
            "has no gradient of its own. Compile the whole step, or run this function eagerly."
        )


def _spent_error() -> RuntimeError:
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Specify retain_graph=True if you need to backward "
        "through the graph a second time. (The node is a compiled function's.)"
    )


class SpentBackward(Node):
    """The node of a result whose backward pass was part of the compiled program."""

    _sequence = 1

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        raise _spent_error()

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        raise _spent_error()


def _spent_node(name: str) -> SpentBackward:
    node = SpentBackward()
    node.renamed = name
    return node


def make_joint(program: Any, recording: Any, described: dict[int, Any]) -> Joint | None:
    """Trace the backward pass of ``program``'s differentiable results; cut it off the forward.

    Args:
        described: the outputs that are delivered, by the ids of the tensors that they were.
    """
    roots, grads, results = [], [], []
    nodes: dict[int, Any] = {}
    for index, tensor in program.differentiable:
        reached = _reachable(tensor._node)
        if any(node.released for node in reached.values()):
            program.spent[index] = _spent_node(tensor._node.name())  # by the program itself
            continue
        nodes.update(reached)
        roots.append(tensor._node)
        grads.append(input_value(tensor._array.shape, tensor._array.dtype))
        results.append(index)
    if not roots:
        return None
    names = [root.name() for root in roots]
    watched = _watched(nodes.values(), recording, described)
    found = engine.run(roots, list(grads), retain_graph=True, create_graph=False)
    owners: list[Any] = []
    values: list[Value] = []
    for key, value in found.sums.items():
        leaf = found.leaves[key]
        position = recording.argument_positions.get(id(leaf))
        if position is not None or id(leaf) in recording.states or id(leaf) in described:
            owners.append(leaf if position is None else position)
        else:
            owners.append(InnerLeaf(leaf._array.shape, leaf._array.dtype))
        values.append(value)
    if not values:
        return None
    graph, kept = _cut(program.graph, grads, values)
    delivered = {d.index for d in described.values() if hasattr(d, "index")}
    copied = [
        place for place, k in enumerate(kept) if _must_be_copied(k, watched, delivered, recording)
    ]
    leaves = [_leaves(root) for root in roots]
    slots = [[i for i, ids in enumerate(leaves) if key in ids] for key in found.sums]
    return Joint(graph, kept, owners, results, names, watched, copied, slots)


def _reachable(root: Any) -> dict[int, Any]:
    """The nodes of the tape from ``root`` on, by their ids."""
    found: dict[int, Any] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in found and node._sequence:
            found[id(node)] = node
            stack.extend(e for e in node.edges if e is not None)
    return found


def _leaves(root: Any) -> set[int]:
    """The ids of the leaves of the tape that are reached from ``root``."""
    return {
        id(edge)
        for node in _reachable(root).values()
        for edge in node.edges
        if edge is not None and edge._sequence == 0
    }


def _watched(nodes: Any, recording: Any, described: dict[int, Any]) -> list[Any]:
    """What must not be written before the backward pass of ``nodes``, as in eager mode.

    Returns:
        states, positions of arguments, and ``("output", index)`` for results.
    """
    watched: dict[Any, Any] = {}
    outputs = {
        id(tensor._array): ("output", described[key].index)
        for key, tensor in recording.delivered.items()
        if hasattr(described[key], "index")
    }

    def note(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for item in value:
                note(item)
        elif isinstance(value, Tensor):
            root = value if value._base is None else value._base
            if id(root) in recording.states:
                source = recording.source_of(root)
                watched[source if source.__class__ is int else id(source)] = source
            elif hasattr(described.get(id(root)), "index"):
                index = described[id(root)].index
                watched["output", index] = ("output", index)
        elif id(value) in outputs:
            watched[outputs[id(value)]] = outputs[id(value)]

    for node in nodes:
        for name in {*node.saved_names, *_KEPT}:
            note(getattr(node, name, None))
    return [source for source in watched.values() if source.__class__ in (int, tuple)
            or isinstance(source, Tensor)]  # fmt: skip


_KEPT = ("out", "_saved")


def _must_be_copied(kept: Any, watched: list[Any], delivered: set[int], recording: Any) -> bool:
    """Whether what the backward pass needs may be written before that, as eager mode allows."""
    if kept.__class__ is int:
        outputs = {w[1] for w in watched if w.__class__ is tuple}
        return kept in delivered and kept not in outputs
    source = recording.sources[kept[1]]
    if source.__class__ is int:
        return not any(w.__class__ is int and w == source for w in watched)
    if isinstance(source, Tensor):
        return not any(source is w for w in watched)
    return hasattr(source, "owner") or isinstance(source, (Slot, Moving))


def _cut(forward: Graph, grads: list[Value], roots: list[Value]) -> tuple[Graph, list[Any]]:
    """The graph of ``roots`` with values of the forward pass as inputs; adds those as outputs."""
    order = list(Graph([], roots).values())
    depends = {id(g) for g in grads}
    for value in order:
        if any(id(o) in depends for o in value.operands):
            depends.add(id(value))
    input_index = {id(v): i for i, v in enumerate(forward.inputs)}
    output_index = {id(v): i for i, v in enumerate(forward.outputs)}
    copies: dict[int, Value] = {id(g): g for g in grads}
    inputs: list[Value] = list(grads)
    kept: list[Any] = []

    def keep(value: Value) -> Value:
        written = input_index.get(id(value)) in forward.updates
        if id(value) in input_index and not written:
            kept.append(("input", input_index[id(value)]))
        else:
            if id(value) not in output_index:
                output_index[id(value)] = len(forward.outputs)
                forward.outputs.append(value)
            kept.append(output_index[id(value)])
        taken = input_value(value.shape, value.dtype)
        inputs.append(taken)
        return taken

    def copied(value: Value) -> Value:
        """``value`` in the backward graph; the stack is as deep as a chain of views."""
        made = copies.get(id(value))
        if made is None:
            if id(value) in depends or value.primitive in _REPEATED:
                operands = tuple(copied(o) for o in value.operands)
                made = Value(value.primitive, operands, value.attributes, value.shape, value.dtype)
                made.origin = value.origin
            else:
                made = keep(value)
            copies[id(value)] = made
        return made

    for value in order:
        if id(value) in depends:
            copied(value)
    return Graph(inputs, [copied(v) for v in roots]), kept
