"""Calls of NumPy from compiled programs.

A kernel that runs in NumPy (:mod:`.host`) hands over its number and the addresses of its operands
and results.  What is called there is known without the graph, so that the disk cache can keep it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .array_calls import CALL, call_function
from .graph import Value
from .symbolic import ELEMENTWISE, call_primitive

Kind = tuple[tuple[int, ...], np.dtype]
"""A shape and a dtype."""


class HostCall(NamedTuple):
    """A call of NumPy from a program.

    Attributes:
        primitive: what is called.
        operands: the kinds of its operands.
        results: for each array it writes the attributes of the primitive, and the kind.
    """

    primitive: str
    operands: tuple[Kind, ...]
    results: tuple[tuple[dict[str, Any], Kind], ...]

    @classmethod
    def of(cls, values: Sequence[Value]) -> HostCall:
        """The call that computes ``values``, siblings of the primitive ``"host"``."""
        first = values[0]
        return cls(
            first.attributes["call"],
            tuple((v.shape, v.dtype) for v in first.operands),
            tuple((v.attributes["arguments"], (v.shape, v.dtype)) for v in values),
        )

    def function(self) -> Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]:
        """What computes the results from the operands."""
        from ..namespaces import numpy as xp
        from .scan import call_scan

        values = [self._value(attributes, kind) for attributes, kind in self.results]
        first = values[0]
        if self.primitive == "scan":
            wanted = [v.attributes["output"] for v in values]

            def scanned(operands: Sequence[np.ndarray]) -> list[np.ndarray]:
                every = call_scan(xp, first, operands)
                return [every[i] for i in wanted]

            return scanned
        if self.primitive == CALL:
            attributes, parts = first.attributes, [v.attributes["part"] for v in values]

            def called(operands: Sequence[np.ndarray]) -> list[np.ndarray]:
                every = call_function(attributes, operands)
                return [every[i] for i in parts]

            return called
        if len(values) > 1:  # of a factorization
            kind, places = first.attributes["kind"], [v.attributes["part"] for v in values]

            def factored(operands: Sequence[np.ndarray]) -> list[np.ndarray]:
                parts = xp.factors(operands[0], kind)
                return [parts[i] for i in places]

            return factored
        if self.primitive in ELEMENTWISE:
            compute = getattr(xp, self.primitive)
            return lambda operands: (compute(*operands),)
        return lambda operands: (call_primitive(xp, first, operands),)

    def _value(self, attributes: dict[str, Any], kind: Kind) -> Value:
        value = Value.__new__(Value)
        value.primitive, value.operands, value.attributes = self.primitive, (), attributes
        value.shape, value.dtype = kind
        value.origin = None
        return value


class _Place:
    """An array at an address that is mostly the same as the last time."""

    __slots__ = ("shape", "dtype", "bytes", "address", "array")

    def __init__(self, kind: Kind) -> None:
        self.shape, self.dtype = kind
        self.bytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        self.address = -1
        self.array: np.ndarray = np.empty(0)

    def at(self, address: int) -> np.ndarray:
        if address != self.address:
            if self.bytes == 0:
                self.array = np.empty(self.shape, self.dtype)
            else:
                memory = (ctypes.c_char * self.bytes).from_address(address)
                self.array = np.ndarray(self.shape, self.dtype, memory)  # type: ignore[arg-type]
            self.address = address
        return self.array


class _Bound:
    """A call with the places of its arrays."""

    def __init__(self, call: HostCall) -> None:
        self.call = call
        self.compute = call.function()
        self.operands = [_Place(kind) for kind in call.operands]
        self.results = [_Place(kind) for _, kind in call.results]

    def __call__(self, addresses: Sequence[int]) -> None:
        count = len(self.operands)
        given = [p.array if p.address == a else p.at(a) for p, a in zip(self.operands, addresses)]
        found = self.compute(given)
        for place, address, array in zip(self.results, addresses[count:], found, strict=True):
            target = place.at(address)
            if array.shape != target.shape:
                raise RuntimeError(
                    f"{self.call.primitive} gave an array of shape {list(array.shape)} where a "
                    f"compiled program expects {list(target.shape)}"
                )
            target[...] = array


class HostCalls:
    """What a program's host kernels call: the number of the call, then addresses."""

    def __init__(self, calls: Sequence[HostCall]) -> None:
        self._bound = [_Bound(call) for call in calls]

    def __call__(self, number: int, *addresses: int) -> None:
        self._bound[number](addresses)


__all__ = ["HostCall", "HostCalls"]
