"""What a capture has in common with an earlier one of the same program.

A program is captured twice, and mostly does the same again.  As long as it makes the values that
it made before, in the same order, the second graph is made of the first one's values: nothing is
worked out anew, and that the graphs are the same is seen at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from .graph import Value


def _same(now: Any, then: Any) -> bool:
    """Whether attributes are certainly the same."""
    if now is then:
        return True
    cls = now.__class__
    if cls is not then.__class__:
        return False
    if cls is tuple or cls is list:
        return len(now) == len(then) and all(map(_same, now, then))
    if cls is slice:
        return _same((now.start, now.stop, now.step), (then.start, then.stop, then.step))
    if cls is float:
        return repr(now) == repr(then)  # zeros have signs
    return (cls in (int, str, bool) or isinstance(now, np.dtype)) and bool(now == then)


class _Stretch(NamedTuple):
    """Values that were made together.

    Attributes:
        key, operands: all that they depend on.
        end: how many values there were then.
        results: by name a value, or the place of an operand.
    """

    key: Any
    operands: Sequence[Value]
    end: int
    results: Mapping[str, Value | int]


class Replay:
    """The values that a capture has made so far, in order.

    Args:
        earlier: those of another capture.
    """

    def __init__(self, earlier: Replay | None = None) -> None:
        self.made: list[Value] = []
        self._stretches: dict[int, _Stretch] = {}
        """By how many values there were before."""
        self._reached: tuple[list[Value], set[int]] = ([], set())
        """What :meth:`reached_by` was asked, and the answer."""
        self._earlier = [] if earlier is None else earlier.made
        self._earlier_stretches = {} if earlier is None else earlier._stretches
        self._earlier_reached = self._reached if earlier is None else earlier._reached

    def again(
        self, primitive: str, operands: tuple[Value, ...], attributes: Mapping[str, Any]
    ) -> Value | None:
        """The value that the earlier capture made at this place, if it is the one wanted now."""
        value = self._candidate(primitive)
        if value is None or len(value.operands) != len(operands):
            return None
        if not all(map(is_, value.operands, operands)):
            return None
        if attributes:
            then = value.attributes
            if attributes.keys() != then.keys():
                return None
            if not all(_same(attributes[name], then[name]) for name in then):
                return None
        self.made.append(value)
        return value

    def input_again(self, shape: tuple[int, ...], dtype: np.dtype) -> Value | None:
        """The same for one that is bound to an array."""
        value = self._candidate("input")
        if value is None or value.shape != shape or value.dtype != dtype:
            return None
        self.made.append(value)
        return value

    def constant_again(self, array: np.ndarray) -> Value | None:
        """The same for a constant."""
        value = self._candidate("constant")
        if value is None or value.shape != array.shape or value.dtype != array.dtype:
            return None
        if value.attributes["array"].tobytes() != array.tobytes():
            return None
        self.made.append(value)
        return value

    def _candidate(self, primitive: str) -> Value | None:
        place = len(self.made)
        if place < len(self._earlier):
            value = self._earlier[place]
            if value.primitive == primitive:
                return value
        return None

    def stretch_again(
        self, key: Any, operands: Sequence[Value]
    ) -> Mapping[str, Value | int] | None:
        """The results of the values that the earlier capture made together at this place."""
        begin = len(self.made)
        then = self._earlier_stretches.get(begin)
        if then is None or then.key != key or len(then.operands) != len(operands):
            return None
        if not all(map(is_, then.operands, operands)):
            return None
        self.made.extend(self._earlier[begin : then.end])
        self._stretches[begin] = then
        return then.results

    def note_stretch(
        self, begin: int, key: Any, operands: Sequence[Value], results: Mapping[str, Value | int]
    ) -> None:
        """What has been made since there were ``begin`` values depends on this alone."""
        self._stretches[begin] = _Stretch(key, operands, len(self.made), results)

    def reached_by(self, roots: list[Value]) -> set[int]:
        """The ids of the values that ``roots`` reach."""
        then, found = self._earlier_reached
        if len(roots) != len(then) or not all(map(is_, roots, then)):
            found = set(map(id, roots))
            for value in reversed(self.made):  # operands were made before their users
                if id(value) in found:
                    found.update(map(id, value.operands))
        self._reached = roots, found
        return found


__all__ = ["Replay"]
