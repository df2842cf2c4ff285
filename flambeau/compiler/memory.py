"""Where each array of a program lies: inputs, outputs, and one arena shared by all temporaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A temporary of ``size`` bytes, needed from step ``first`` to step ``last`` inclusive."""

    size: int
    first: int
    last: int


def plan_arena(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """The offset of each temporary, and the arena's size.

    Temporaries whose lifetimes meet do not overlap.  The largest are placed first, each at the
    lowest offset that is free for as long as it lives.
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    total = 0
    for i in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, i)):
        life = lifetimes[i]
        size = -(-life.size // ALIGNMENT) * ALIGNMENT
        taken = sorted(
            (offsets[j], offsets[j] + -(-lifetimes[j].size // ALIGNMENT) * ALIGNMENT)
            for j in placed
            if lifetimes[j].first <= life.last and life.first <= lifetimes[j].last
        )
        offset = 0
        for begin, end in taken:
            if offset + size <= begin:
                break
            offset = max(offset, end)
        offsets[i] = offset
        placed.append(i)
        total = max(total, offset + size)
    return offsets, total


__all__ = ["ALIGNMENT", "Lifetime", "plan_arena"]
