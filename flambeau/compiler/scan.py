"""The primitive ``scan`` in graphs: its body as a graph of its own.

What a scan means is said with its rule in :mod:`flambeau.namespaces.primitives`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from .graph import Graph, Value, constant, input_value, interpret


class Body:
    """One step of a scan.

    The inputs of :attr:`graph` are the carries, one element of each of the sequences, and the
    constants; its first outputs are the next carries.  Bodies are equal if they compute the same:
    :attr:`text` says what.
    """

    __slots__ = ("graph", "text", "_hash")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.text = _described(graph)
        self._hash = hash(self.text)

    @property
    def outputs(self) -> list[Value]:
        return self.graph.outputs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and other.text == self.text

    def __hash__(self) -> int:
        return self._hash

    def __lt__(self, other: Body) -> bool:
        return self.text < other.text

    def __repr__(self) -> str:
        return self.text


def _described(graph: Graph) -> str:
    """The program in words, the same for equal programs."""
    names = {id(v): f"i{k}" for k, v in enumerate(graph.inputs)}
    lines = [f"i{k}: {v.dtype}{list(v.shape)}" for k, v in enumerate(graph.inputs)]
    for value in graph.values():
        if id(value) in names:
            continue
        names[id(value)] = name = f"v{len(names)}"
        if value.primitive == "constant":
            array = value.attributes["array"]
            made = f"constant {sha256(array.tobytes()).hexdigest()}"
        else:
            operands = ", ".join(names[id(v)] for v in value.operands)
            made = f"{value.primitive}({operands}) {sorted(value.attributes.items())}"
        lines.append(f"{name}: {value.dtype}{list(value.shape)} = {made}")
    lines.append("-> " + ", ".join(names[id(v)] for v in graph.outputs))
    return "\n".join(lines)


def _lifted(array: Any) -> Value:
    return array if isinstance(array, Value) else constant(np.asarray(array))


def scan(
    step: Callable[..., Sequence[Any]],
    carries: Sequence[Any],
    xs: Sequence[Any],
    consts: Sequence[Any],
    reverse: bool = False,
) -> list[Value]:
    """The primitive on symbolic arrays: ``step`` is run once, and becomes the body."""
    from . import symbolic

    carries, xs, consts = ([_lifted(a) for a in arrays] for arrays in (carries, xs, consts))
    inputs = [
        *(input_value(c.shape, c.dtype) for c in carries),
        *(input_value(x.shape[1:], x.dtype) for x in xs),
        *(input_value(c.shape, c.dtype) for c in consts),
    ]
    first, behind = len(carries), len(carries) + len(xs)
    outputs = step(symbolic, inputs[:first], inputs[first:behind], inputs[behind:])
    for before, after in zip(carries, outputs):
        if (before.shape, before.dtype) != (after.shape, after.dtype):
            raise ValueError(f"scan: a carry {before!r} becomes {after!r}")
    return scan_values(Body(Graph(inputs, list(outputs))), carries, xs, consts, reverse)


def scan_values(
    body: Body,
    carries: Sequence[Value],
    xs: Sequence[Value],
    consts: Sequence[Value],
    reverse: bool,
) -> list[Value]:
    """One value for each output of ``body``."""
    from ..namespaces.primitives import RULES

    operands = (*carries, *xs, *consts)
    results = []
    for k in range(len(body.outputs)):
        shape, dtype = RULES["scan"](body, carries, xs, consts, k, reverse)
        attributes = {
            "body": body, "carries": len(carries), "sequences": len(xs), "output": k,
            "reverse": reverse,
        }  # fmt: skip
        results.append(Value("scan", operands, attributes, shape, dtype))
    return results


def call_scan(xp: Any, value: Value, operands: Sequence[Any]) -> list[Any]:
    """All results of the scan that ``value`` is one of, in the namespace ``xp``."""
    body, first = value.attributes["body"], value.attributes["carries"]
    behind = first + value.attributes["sequences"]

    def step(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
        graph = body.graph
        results = interpret(xp, graph, [*carries, *elements, *consts], lambda array: array)
        return [results[id(v)] for v in graph.outputs]

    return xp.scan(
        step, operands[:first], operands[first:behind], operands[behind:],
        value.attributes["reverse"],
    )  # fmt: skip


__all__ = ["Body", "call_scan", "scan", "scan_values"]
