"""Primitives whose steps depend on each other: cumulative sums, scatters, sorting."""

from __future__ import annotations

from ..graph import Value
from ..unsupported import Unsupported
from .builder import Builder
from .expressions import Array, Expressions


def write_sequential(
    builder: Builder, value: Value, expressions: Expressions, stored: dict[int, Array]
) -> None:
    """The code of the kernel that computes ``value`` alone."""
    raise Unsupported(value.primitive, "the compiler has no code for it")
