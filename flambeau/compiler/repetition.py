"""Computations that a program does many times, alike but for what they are given.

An optimizer has one rule for all parameters.  Its operations are captured for the first of them;
for the others the graph that came of it is copied, with their arrays in the places of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..tensor import Tensor, wrap
from .graph import Value, in_order
from .symbolic import ELEMENTWISE

_COPIED = ELEMENTWISE | {"astype"}
"""Primitives that are the same for every shape."""


@dataclass
class _Pattern:
    """What a computation came to.

    Attributes:
        values: in order, with the places of their operands: among the arguments and then these
            values, or a value that depends on no argument.
        results: by name the argument or value, by its place.
    """

    values: list[tuple[Value, list[int | Value]]]
    results: dict[str, int]

    def applied(self, arguments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The results for other arguments of the same kinds."""
        tensors = list(arguments.values())
        made: list[Value] = [t._array for t in tensors]
        shape = _common_shape(made)
        assert shape is not None
        for value, places in self.values:
            operands = tuple(made[p] if isinstance(p, int) else p for p in places)
            new = Value.__new__(Value)
            new.primitive, new.attributes = value.primitive, value.attributes
            new.operands, new.dtype, new.origin = operands, value.dtype, value.origin
            new.shape = shape if value.shape else ()
            made.append(new)
        count = len(tensors)
        return {
            name: tensors[p] if p < count else wrap(made[p]) for name, p in self.results.items()
        }


def _common_shape(arrays: list[Value]) -> tuple[int, ...] | None:
    """The shape of all that are not numbers; None if they have several, or there are none."""
    shapes = {a.shape for a in arrays if a.shape}
    return shapes.pop() if len(shapes) == 1 else None


def _pattern(arguments: Mapping[str, Tensor], results: Mapping[str, Any]) -> _Pattern | None:
    """The pattern of ``results``; None where other arguments would give another."""
    arrays = [t._array for t in arguments.values()]
    shape = _common_shape(arrays)
    if not all(isinstance(r, Tensor) and r._array.__class__ is Value for r in results.values()):
        return None
    places = {id(a): i for i, a in enumerate(arrays)}
    values: list[tuple[Value, list[int | Value]]] = []
    for value in in_order([r._array for r in results.values()], arrays):
        operands = [places.get(id(o), o) for o in value.operands]
        if all(isinstance(o, Value) for o in operands):
            if value.shape:
                return None
            continue
        if value.primitive not in _COPIED or value.shape not in ((), shape):
            return None
        places[id(value)] = len(arrays) + len(values)
        values.append((value, operands))
    ids = {name: places.get(id(r._array)) for name, r in results.items()}
    tensors = {id(t) for t in arguments.values()}
    for name, place in ids.items():
        if place is None or (place < len(arrays)) != (id(results[name]) in tensors):
            return None
    return _Pattern(values, ids)  # type: ignore[arg-type]


class Repetitions:
    """The computations of a capture that may come again."""

    def __init__(self) -> None:
        self._patterns: dict[Any, _Pattern | None] = {}

    def results(
        self,
        key: Any,
        arguments: Mapping[str, Tensor],
        compute: Callable[[], Mapping[str, Any]],
    ) -> Mapping[str, Any]:
        """What ``compute()`` returns, or the same made in another way.

        Arguments:
            key: what ``compute`` depends on besides ``arguments``.
            arguments: the tensors that it computes with, which have symbolic arrays.
            compute: elementwise operations without side effects, but for a tape that is off.
        """
        arrays = [t._array for t in arguments.values()]
        distinct = len(set(map(id, arrays))) == len(arrays)
        if not distinct or _common_shape(arrays) is None:
            return compute()
        kinds = tuple((name, bool(a.shape), a.dtype) for name, a in zip(arguments, arrays))
        key = (key, kinds)
        if key not in self._patterns:
            results = compute()
            self._patterns[key] = _pattern(arguments, results)
            return results
        pattern = self._patterns[key]
        return compute() if pattern is None else pattern.applied(arguments)


__all__ = ["Repetitions"]
