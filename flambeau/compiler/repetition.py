"""Computations that a program does many times, alike but for what they are given.

An optimizer has one rule for all parameters.  Its operations are captured for the first of them;
for the others the graph that came of it is copied, with their arrays in the places of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ..tensor import Tensor, wrap
from .graph import Value, in_order
from .options import OptionNumber
from .replay import Replay
from .symbolic import ELEMENTWISE

_COPIED = ELEMENTWISE | {"astype"}
"""Primitives that are the same for every shape."""


@dataclass
class _Pattern:
    """What a computation came to.

    Attributes:
        fixed: values that depend on no argument.
        steps: for each other value, in order, where its operands are (among ``fixed``, the
            arguments, and the values before it), and the value that it came to at first.
        results: by name where the result is.
    """

    fixed: list[Value]
    steps: list[tuple[Callable[[list[Value]], tuple[Value, ...]], Value]]
    results: dict[str, int]

    def applied(self, arguments: Mapping[str, Tensor], replay: Replay) -> dict[str, Tensor]:
        """The results for other arguments of the same kinds."""
        tensors = list(arguments.values())
        arrays = [t._array for t in tensors]
        shape = _common_shape(arrays)
        assert shape is not None
        known = [*self.fixed, *arrays]
        given = len(known)
        for operands_of, value in self.steps:
            new = Value.__new__(Value)
            new.primitive, new.attributes = value.primitive, value.attributes
            new.operands, new.dtype, new.origin = operands_of(known), value.dtype, value.origin
            new.shape = shape if value.shape else ()
            known.append(new)
        replay.made.extend(known[given:])
        first = len(self.fixed)
        return {
            name: tensors[p - first] if p < given else wrap(known[p])
            for name, p in self.results.items()
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
    made: list[Value] = []
    fixed: dict[int, Value] = {}
    varying = set(map(id, arrays))
    for value in in_order([r._array for r in results.values()], arrays):
        if varying.isdisjoint(map(id, value.operands)):
            if value.shape:
                return None
            continue
        if value.primitive not in _COPIED or value.shape not in ((), shape):
            return None
        fixed.update((id(o), o) for o in value.operands if id(o) not in varying)
        varying.add(id(value))
        made.append(value)
    known = [*fixed.values(), *arrays, *made]
    places = {id(value): i for i, value in enumerate(known)}
    steps = [(_getter([places[id(o)] for o in value.operands]), value) for value in made]
    ids = {name: places.get(id(r._array), -1) for name, r in results.items()}
    tensors = {id(t) for t in arguments.values()}
    for name, place in ids.items():
        if place < len(fixed):
            return None
        if (place < len(fixed) + len(arrays)) != (id(results[name]) in tensors):
            return None
    return _Pattern(list(fixed.values()), steps, ids)


def _getter(places: list[int]) -> Callable[[list[Value]], tuple[Value, ...]]:
    """What takes the items at these places out of a list."""
    if len(places) == 1:
        (place,) = places
        return lambda known: (known[place],)
    return itemgetter(*places)


class Repetitions:
    """The computations of a capture that may come again."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
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
        tensors = list(arguments.values())
        arrays = [t._array for t in tensors]
        if len(set(map(id, arrays))) < len(arrays) or _common_shape(arrays) is None:
            return compute()
        kinds = tuple((name, bool(a.shape), a.dtype) for name, a in zip(arguments, arrays))
        key = (key, kinds)
        # the first time, a rule notes how it asks options that vary
        if key in self._patterns or not any(isinstance(t, OptionNumber) for t in tensors):
            made = self._replay.stretch_again(key, arrays)
            if made is not None:
                return {n: tensors[r] if isinstance(r, int) else wrap(r) for n, r in made.items()}
        begin = len(self._replay.made)
        pattern = self._patterns.get(key)
        results = compute() if pattern is None else pattern.applied(arguments, self._replay)
        if key not in self._patterns:
            self._patterns[key] = _pattern(arguments, results)
        if all(isinstance(r, Tensor) and r._array.__class__ is Value for r in results.values()):
            places = {id(t): i for i, t in enumerate(tensors)}
            named = {name: places.get(id(r), r._array) for name, r in results.items()}
            self._replay.note_stretch(begin, key, arrays, named)
        return results


__all__ = ["Repetitions"]
