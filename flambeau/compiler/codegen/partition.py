"""Dividing a kernel's outermost loop among threads.

A divided kernel takes two more parameters, ``first`` and ``last``: it does the *units* between
them, of ``units`` in all.  A unit is one iteration, or a vector or a tile of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from .builder import INDEX, Builder, Register
from .indexing import Variable

_ENOUGH = 8
"""Units from which a loop is divided well enough."""


def unit_count(extent: int, size: int) -> int:
    """Units of ``size`` elements in ``extent``, the last being smaller."""
    return -(-extent // size)


def best_loop(loops: Sequence[tuple[Variable, int]]) -> int:
    """Which of ``loops``, with the sizes of their units, to divide: the outermost good one."""
    counts = [unit_count(v.extent, size) for v, size in loops]
    for i, count in enumerate(counts):
        if count >= _ENOUGH:
            return i
    return max(range(len(counts)), key=lambda i: (_balance(counts[i]), counts[i], -i))


def _balance(units: int) -> float:
    """How evenly so many units can be shared among all processors."""
    threads = os.cpu_count() or 1
    return units / (threads * -(-units // threads))


def range_parameters(builder: Builder) -> tuple[Register, Register]:
    """The registers of ``first`` and ``last``."""
    return Register("%first", INDEX), Register("%last", INDEX)


def divided_loop(
    builder: Builder,
    variable: Variable,
    size: int,
    full_body: Callable[[Register], None],
    rest_body: Callable[[], None],
    overlapping: bool = False,
) -> None:
    """The units from ``first`` to ``last``: ``full_body`` at the start of each whole one.

    ``rest_body`` is the last unit, if it is smaller; with ``overlapping`` there is none, the last
    one being whole and beginning earlier.
    """
    b = builder
    first, last = range_parameters(b)
    full, rest = divmod(variable.extent, size)
    if overlapping and full:
        begin = b.index(variable.extent - size)
        start, end = b.index_multiply(first, size), b.index_multiply(last, size)
        stop = b.index(variable.extent)
        start = b.select(b.compare("icmp slt", start, begin), start, begin)
        end = b.select(b.compare("icmp slt", end, stop), end, stop)
        b.open_branch(b.compare("icmp slt", first, last))
        counter, _ = b.open_loop(start, end, size, overlapping=True)
        full_body(counter)
        b.close_loop()
        b.close_branch()
        return
    if full:
        limit = b.index(full)
        end = b.select(b.compare("icmp slt", last, limit), last, limit)
        b.open_branch(b.compare("icmp slt", first, end))
        start = b.index_multiply(first, size)
        counter, _ = b.open_loop(start, b.index_multiply(end, size), size)
        full_body(counter)
        b.close_loop()
        b.close_branch()
    if rest:
        b.open_branch(b.compare("icmp sgt", last, b.index(full)))
        rest_body()
        b.close_branch()


__all__ = ["best_loop", "divided_loop", "range_parameters", "unit_count"]
