"""How the numbers in a graph depend on the sizes of the arguments.

A captured graph has plain numbers for sizes. To let a size vary, the program is captured with
three values of it; where a number in the graph differs between the captures, its dependence is
solved for: linear in one size, or proportional to the product of several.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..compiler.graph import Graph, Value
from .errors import OnnxExporterError


@dataclass(frozen=True)
class Size:
    """The number ``factor * product of the symbols + offset``."""

    symbols: tuple[str, ...]
    factor: Fraction
    offset: Fraction


@dataclass(frozen=True)
class Progression:
    """The numbers ``start, start + step, ...``, so many that the size ``count`` says."""

    start: Any
    step: Any
    count: Size


@dataclass(eq=False)
class Variation:
    """The same program captured with other sizes.

    Attributes:
        symbol: the open size that differs.
        base, other: its two values.
        counterparts: by a value's id the same value of the other capture.
    """

    symbol: str
    base: int
    other: int
    counterparts: dict[int, Value]


def variation(symbol: str, base: int, other: int, first: Graph, second: Graph) -> Variation:
    """Pair the values of two captures.

    Args:
        symbol: the open size that differs between the captures.
        base, other: its two values.
        first, second: the two programs.

    Returns:
        What they have in common, as a :class:`Variation`.

    Raises:
        OnnxExporterError: the program does something else at another size.
    """
    ours, theirs = list(first.values()), list(second.values())
    places = {id(value): index for index, value in enumerate(ours)}
    their_places = {id(value): index for index, value in enumerate(theirs)}
    alike = len(ours) == len(theirs) and all(
        a.primitive == b.primitive
        and [places[id(o)] for o in a.operands] == [their_places[id(o)] for o in b.operands]
        for a, b in zip(ours, theirs)
    )
    if not alike:
        raise OnnxExporterError(
            f"the program computes something else where {symbol!r} is {other} than where it is "
            f"{base} (a loop over it, say), so this size cannot be left open: take it out of "
            "dynamic_axes"
        )
    pairs = {id(a): b for a, b in zip(ours, theirs)}
    pairs.update({id(a): b for a, b in zip(first.inputs, second.inputs)})
    for a, b in zip(ours, theirs):
        if a.primitive == "scan" and id(a.attributes["body"].outputs[0]) not in pairs:
            bodies = [value.attributes["body"].graph for value in (a, b)]
            pairs.update(variation(symbol, base, other, *bodies).counterparts)
    return Variation(symbol, base, other, pairs)


class Sizes:
    """The numbers of one graph, as functions of the sizes left open.

    Args:
        variations: the captures with other sizes, two for each.
    """

    def __init__(self, variations: list[Variation]) -> None:
        self.variations = variations

    def of(self, value: Value, number: Callable[[Value], Any]) -> Any:
        """What ``number`` reads off ``value``: an int or float, or a :class:`Size`.

        Raises:
            OnnxExporterError: it depends on the open sizes in another way.
        """
        here = number(value)
        seen: dict[str, list[tuple[Variation, Any]]] = {}
        for one in self.variations:
            there = number(one.counterparts[id(value)])
            seen.setdefault(one.symbol, []).append((one, there))
        changing = [s for s, found in seen.items() if any(there != here for _, there in found)]
        if not changing:
            return here
        if len(changing) == 1:
            (one, first), (two, second) = seen[changing[0]]
            slope = (_exact(first) - _exact(here)) / (one.other - one.base)
            offset = _exact(here) - slope * one.base
            if _exact(second) == slope * two.other + offset:
                return Size((changing[0],), slope, offset)
        else:
            product = 1
            for symbol in changing:
                product *= seen[symbol][0][0].base
            proportional = all(
                _exact(there) * one.base == _exact(here) * one.other
                for symbol in changing
                for one, there in seen[symbol]
            )
            if proportional:
                return Size(tuple(changing), _exact(here) / product, Fraction(0))
        raise OnnxExporterError(
            f"a number in {value.primitive} ({here}) depends on {' and '.join(changing)} in a way "
            "that cannot be written down: take it out of dynamic_axes"
        )

    def constant(self, value: Value) -> Any:
        """A constant's array, or what it is where it varies.

        Args:
            value: the constant.

        Returns:
            An array, a :class:`Size` for one number, or a :class:`Progression` for as many numbers
            as an open size says (``arange(length)``).

        Raises:
            OnnxExporterError: an array varies in another way.
        """
        array = value.attributes["array"]
        others = [one.counterparts[id(value)].attributes["array"] for one in self.variations]
        if all(np.array_equal(array, o, equal_nan=array.dtype.kind == "f") for o in others):
            return array
        if array.size != 1:
            found = [_progression(a) for a in (array, *others)]
            if found[0] is not None and all(one == found[0] for one in found):
                return Progression(*found[0], self.of(value, _element_count))
            raise OnnxExporterError(
                f"a constant of shape {array.shape} depends on a size in dynamic_axes"
            )
        return self.of(value, lambda v: v.attributes["array"].item())

    def varies(self, value: Value) -> bool:
        """Whether the shape of ``value`` depends on an open size."""
        return any(one.counterparts[id(value)].shape != value.shape for one in self.variations)


def _element_count(value: Value) -> int:
    return int(value.attributes["array"].size)


def _progression(array: np.ndarray) -> tuple[Any, Any] | None:
    """Start and step of whole numbers that are evenly spaced."""
    if array.dtype.kind != "i" or array.size < 2:
        return None
    numbers = array.reshape(-1)
    steps = np.diff(numbers)
    return (numbers[0].item(), steps[0].item()) if (steps == steps[0]).all() else None


def _exact(number: Any) -> Fraction:
    return Fraction(number).limit_denominator(1 << 20)
