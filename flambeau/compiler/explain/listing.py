"""A graph as lines that one can read: ``v7: float32[32, 16] = tanh(v6)``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..graph import Graph, Value
from ..host import HOST
from ..passes import scalar_of


class Names:
    """Short names for the values of a graph.

    Args:
        graph: whose values are numbered in the order in which they can be computed.
        inputs: the names of its inputs.
    """

    def __init__(self, graph: Graph, inputs: Iterable[str]) -> None:
        self._names: dict[int, str] = {}
        self._kept: list[Value] = []
        for value, name in zip(graph.inputs, inputs):
            self._names[id(value)] = name
        count = 0
        for value in graph.values():
            if id(value) not in self._names and value.primitive != "constant":
                self._names[id(value)] = f"v{count}"
                count += 1
            self._kept.append(value)  # its id must not be given to another

    def of(self, value: Value) -> str:
        """The name of ``value``; of a constant its number, or its kind."""
        name = self._names.get(id(value))
        if name is not None:
            return name
        number = scalar_of(value)
        if number is not None:
            return _number(number)
        if value.primitive == "constant":
            return f"constant {kind(value)}"
        return f"({expression(value, self)})"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def kind(value: Any) -> str:
    """The dtype and shape: ``float32[32, 16]``."""
    return f"{value.dtype}{list(value.shape)}"


def expression(value: Value, names: Names) -> str:
    """What computes ``value``."""
    parts = [names.of(v) for v in value.operands]
    attributes = value.attributes["arguments"] if value.primitive == HOST else value.attributes
    for key, attribute in attributes.items():
        if key in ("shape", "dtype", "indexed", "body"):
            continue
        if attribute is None or attribute is False:
            continue
        parts.append(f"{key}={_attribute(attribute)}")
    return f"{called(value)}({', '.join(parts)})"


def called(value: Value) -> str:
    """The primitive that computes ``value``; ``numpy.fft`` is one that runs in NumPy."""
    if value.primitive == HOST:
        return f"numpy.{value.attributes['call']}"
    return value.primitive


def _attribute(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return kind(value)
    if isinstance(value, slice):
        shown = ["" if v is None else str(v) for v in (value.start, value.stop)]
        return ":".join(shown) + ("" if value.step in (None, 1) else f":{value.step}")
    if isinstance(value, tuple):
        return f"({', '.join(_attribute(v) for v in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, float):
        return _number(value)
    return str(value)


def line(value: Value, names: Names, origin: bool = True) -> str:
    """One value: its name, kind, what computes it, and where it comes from."""
    text = f"{names.of(value)}: {kind(value)} = {expression(value, names)}"
    if origin and value.origin is not None:
        text = f"{text:<72}  # {value.origin}"
    return text


def graph_lines(graph: Graph, names: Names) -> list[str]:
    """All values of ``graph`` but inputs and constants, in an order in which they can be made."""
    lines: list[str] = []
    shown: set[Any] = set()
    for value in graph.values():
        if value.primitive in ("input", "constant"):
            continue
        lines.append(line(value, names))
        if value.primitive == "scan" and value.attributes["body"] not in shown:
            shown.add(value.attributes["body"])
            lines += body_lines(value)
    return lines


def body_lines(scan: Value) -> list[str]:
    """One step of ``scan``, indented: from carries, elements of sequences and constants."""
    graph = scan.attributes["body"].graph
    carries, behind = scan.attributes["carries"], scan.attributes["sequences"]
    behind += carries
    inputs = [
        f"carry{i}" if i < carries else f"x{i - carries}" if i < behind else f"const{i - behind}"
        for i in range(len(graph.inputs))
    ]
    names = Names(graph, inputs)
    lines = [f"  | {text}" for text in graph_lines(graph, names)]
    return [*lines, f"  | -> {', '.join(names.of(v) for v in graph.outputs)}"]


__all__ = ["Names", "body_lines", "called", "expression", "graph_lines", "kind", "line"]
