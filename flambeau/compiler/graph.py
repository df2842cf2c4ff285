"""The compiler's graph: values of primitives, with shapes and dtypes, and no data.

A :class:`Value` is at once a node of the graph and the *symbolic array* that the user's program
runs on during capture: it has ``shape``, ``ndim``, ``dtype`` and Python's operators, and the
symbolic namespace (:mod:`flambeau.compiler.symbolic`) makes new ones.  Values are immutable and
refer only to their operands, so a graph is what its outputs reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..modes import MODES
from ..namespaces.primitives import RULES
from .origin import Origin, find_origin


class Value:
    """One result in the graph: ``primitive(*operands, **attributes)``.

    Attributes:
        primitive: a name of :data:`flambeau.namespaces.primitives.RULES`, or ``"input"`` (bound
            at each call), or ``"constant"`` (attribute ``array``: a NumPy array).
        operands: the arrays it is computed from, in order.
        attributes: everything else the primitive takes, hashable.
        shape, dtype: of the result.
        origin: the line of the user's program that it comes from, where that is known.
    """

    __slots__ = ("primitive", "operands", "attributes", "shape", "dtype", "origin", "__weakref__")
    __array_ufunc__ = None  # a NumPy array on the left must let our operators answer

    def __init__(
        self,
        primitive: str,
        operands: tuple[Value, ...],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self.primitive = primitive
        self.operands = operands
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        capture = MODES.capture
        self.origin: Origin | None = None
        if capture is not None:
            capture.replay.made.append(self)
            if operands:
                self.origin = capture.origin or find_origin()

    def on(self, operands: tuple[Value, ...]) -> Value:
        """The same primitive of ``operands``: a new value unless they are its own."""
        if all(a is b for a, b in zip(operands, self.operands, strict=True)):
            return self
        return Value(self.primitive, operands, self.attributes, self.shape, self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    def __repr__(self) -> str:
        return f"<{self.primitive} {self.dtype}{list(self.shape)}>"


@dataclass
class Graph:
    """A program: ``outputs`` as functions of ``inputs``.

    ``updates`` maps the position of an input to the value that replaces its content when the
    program has run (parameters, buffers, optimizer state): the runtime writes it into the input's
    own array.  An update may be the same value as an output.
    """

    inputs: list[Value]
    outputs: list[Value]
    updates: dict[int, Value] = field(default_factory=dict)
    digest: bytes | None = field(default=None, compare=False, repr=False)
    """What tells this graph from others, once somebody has asked."""

    def roots(self) -> list[Value]:
        """Everything the program must compute: its outputs, then its updates."""
        return [*self.outputs, *self.updates.values()]

    def replaced(self, table: Mapping[int, Value]) -> Graph:
        """The graph whose roots are what ``table`` has for this one's, by their ids."""
        return Graph(
            self.inputs,
            [table[id(v)] for v in self.outputs],
            {i: table[id(v)] for i, v in self.updates.items()},
        )

    def values(self) -> Iterator[Value]:
        """Every value the roots reach, operands before their users."""
        return in_order(self.roots())


def in_order(roots: Sequence[Value], known: Iterable[Value] = ()) -> Iterator[Value]:
    """Every value that ``roots`` reach but not through ``known``, operands first; no recursion."""
    seen = {id(value) for value in known}
    stack: list[Value | None] = list(reversed(roots))
    pop, push = stack.pop, stack.append
    while stack:
        value = pop()
        if value is None:  # all operands of what lies below have been there
            yield pop()  # type: ignore[misc]
            continue
        key = id(value)
        if key in seen:
            continue
        seen.add(key)
        operands = value.operands
        if operands:
            push(value)
            push(None)
            for operand in reversed(operands):
                if id(operand) not in seen:
                    push(operand)
        else:
            yield value


def input_value(shape: Sequence[int], dtype: np.dtype) -> Value:
    """A value that is bound to an array at each call."""
    if MODES.capture is not None:
        again = MODES.capture.replay.input_again(tuple(shape), dtype)
        if again is not None:
            return again
    return Value("input", (), {}, tuple(shape), np.dtype(dtype))


def constant(array: np.ndarray) -> Value:
    """A value known at capture."""
    if MODES.capture is not None:
        again = MODES.capture.replay.constant_again(array)
        if again is not None:
            return again
        array = array.copy()  # the program may have its memory from elsewhere
    return Value("constant", (), {"array": array}, array.shape, array.dtype)


def evaluate(graph: Graph, arrays: Sequence[np.ndarray]) -> tuple[list[Any], dict[int, Any]]:
    """Run ``graph`` on NumPy, primitive by primitive: the reference for every compiled program.

    Returns the outputs, and the arrays that the updated inputs should receive.
    """
    from ..namespaces import numpy as xp

    results = interpret(xp, graph, arrays, np.asarray)
    outputs = [results[id(v)] for v in graph.outputs]
    return outputs, {i: results[id(v)] for i, v in graph.updates.items()}


def interpret(
    xp: Any, graph: Graph, arrays: Sequence[Any], finished: Callable[[Any], Any]
) -> dict[int, Any]:
    """The arrays of the namespace ``xp`` that the roots of ``graph`` are, by their ids.

    ``finished`` is applied to the result of each primitive.  Others are let go after their last
    use, so that their memory is used again: memory that is new costs more than most primitives.
    """
    from .array_calls import CALL, call_function, call_key
    from .scan import call_scan
    from .symbolic import call_primitive

    results: dict[int, Any] = {id(v): a for v, a in zip(graph.inputs, arrays, strict=True)}
    scans: dict[Any, list[Any]] = {}
    values = list(graph.values())
    users = Counter(id(operand) for value in values for operand in value.operands)
    users.update(id(value) for value in graph.roots())

    def let_go(value: Value) -> None:
        for operand in value.operands:
            users[id(operand)] -= 1
            if not users[id(operand)]:
                del results[id(operand)]

    for value in values:
        if id(value) in results:
            continue
        if value.primitive == "constant":
            results[id(value)] = value.attributes["array"]
            continue
        operands = [results[id(v)] for v in value.operands]
        if value.primitive == "scan":
            key = (value.attributes["body"], tuple(map(id, value.operands)),
                   value.attributes["reverse"])  # fmt: skip
            if key not in scans:
                scans[key] = call_scan(xp, value, operands)
            results[id(value)] = finished(scans[key][value.attributes["output"]])
        elif value.primitive == CALL:
            call = (call_key(value.attributes), tuple(map(id, value.operands)))
            if call not in scans:
                scans[call] = list(call_function(value.attributes, operands))
            results[id(value)] = finished(scans[call][value.attributes["part"]])
        else:
            results[id(value)] = finished(call_primitive(xp, value, operands))
        del operands
        let_go(value)
    return results


__all__ = [
    "RULES",
    "Graph",
    "Value",
    "constant",
    "evaluate",
    "in_order",
    "input_value",
    "interpret",
]
