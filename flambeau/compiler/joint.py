"""Forward and backward as two programs: for captured functions whose result is differentiated.

``torch.compile(model)`` in an ordinary loop returns a tensor that requires grad.  While the tape of
the capture is there, its backward pass is run symbolically, from symbolic gradients of the results.
What the backward pass takes from the forward pass is cut: values become further outputs of the
forward program and inputs of the backward program; views of values are taken again instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import engine
from ..autograd.node import Node, next_sequence
from ..autograd.slots import OutputSlot
from ..tensor import Tensor, wrap
from .graph import Graph, Value, evaluate, input_value

_REPEATED = ("full", "arange", "constant", "reshape", "permute", "expand", "astype")
"""Primitives that the backward program repeats rather than keep their results."""


class Joint:
    """The backward program of a captured function.

    Attributes:
        graph: from the results' gradients and what was kept to the gradients of ``leaves``.
        kept: for each further input of ``graph`` an output (int) or an input (``("input", i)``) of
            the forward program.
        leaves: the tensors, or positions of arguments, whose gradients it computes.
        results: the outputs of the forward program that have a gradient.
    """

    def __init__(
        self, graph: Graph, kept: list[Any], leaves: list[Any], results: list[int]
    ) -> None:
        self.graph = graph
        self.kept = kept
        self.leaves = leaves
        self.results = results
        self.executable: Callable[[Sequence[np.ndarray]], list[np.ndarray]] | None = None

    def deliver(self, runner: Any, outputs: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
        """The function's result, its tensors on the tape with the backward program."""
        from .run import build_result

        node = object.__new__(CompiledBackward)
        node._sequence = next_sequence()
        node.joint = self
        node.saved = [outputs[k] if k.__class__ is int else runner.inputs[k[1]] for k in self.kept]
        edges = []
        for leaf in self.leaves:
            tensor = tensors[leaf] if leaf.__class__ is int else leaf
            edges.append(tensor._node if tensor._node is not None else tensor)
        node.edges = tuple(edges)
        node.shapes = [(outputs[i].shape, outputs[i].dtype) for i in self.results]
        delivered: list[Any] = list(outputs)
        for slot, index in enumerate(self.results):
            tensor = wrap(outputs[index])
            tensor._requires_grad = True
            tensor._node = OutputSlot(node, slot)
            delivered[index] = tensor
        return build_result(runner.program.result, delivered, tensors)


class CompiledBackward(Node):
    """The tape's node for a call of a compiled function."""

    saved_names = ("saved",)
    joint: Joint
    saved: Any
    shapes: list[tuple[tuple[int, ...], np.dtype]]

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        if self.released:
            raise _spent_error()
        given = [grad.grads.get(i) for i in range(len(self.shapes))]
        arrays = [
            np.zeros(shape, dtype) if g is None else np.asarray(g, order="C")
            for g, (shape, dtype) in zip(given, self.shapes)
        ]
        inputs = [*arrays, *[np.asarray(a, order="C") for a in self.saved]]
        joint = self.joint
        if joint.executable is None:
            outputs, _ = evaluate(joint.graph, inputs)
            return tuple(np.array(o) for o in outputs)
        return tuple(joint.executable(inputs))

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


_SPENT = SpentBackward()


def spend(outputs: Sequence[Any], indices: Sequence[int]) -> list[Any]:
    """``outputs``, those at ``indices`` as tensors that have been differentiated already."""
    delivered = list(outputs)
    for index in indices:
        tensor = wrap(outputs[index])
        tensor._requires_grad = True
        tensor._node = _SPENT
        delivered[index] = tensor
    return delivered


def make_joint(program: Any, recording: Any) -> Joint | None:
    """Trace the backward pass of ``program``'s differentiable results; cut it off the forward."""
    roots, grads, results = [], [], []
    for index, tensor in program.differentiable:
        roots.append(tensor._node)
        grads.append(input_value(tensor._array.shape, tensor._array.dtype))
        results.append(index)
    try:
        found = engine.run(roots, list(grads), retain_graph=True, create_graph=False)
    except RuntimeError as error:
        if "a second time" not in str(error):
            raise
        program.spent = results  # the program has run their backward pass itself
        return None
    owners: list[Any] = []
    values: list[Value] = []
    for key, value in found.sums.items():
        leaf = found.leaves[key]
        owners.append(recording.argument_positions.get(id(leaf), leaf))
        values.append(value)
    if not values:
        return None
    graph, kept = _cut(program.graph, grads, values)
    return Joint(graph, kept, owners, results)


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
