"""Where each array of a program lies: inputs, outputs, and one arena shared by all temporaries.

Large results (the gradients of a training step) are written late.  Until then their memory serves
temporaries as well as the arena does.
"""

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


@dataclass(frozen=True)
class Room:
    """``size`` bytes that are free before step ``until``: a result that is not yet written."""

    size: int
    until: int


def padded(size: int) -> int:
    """Whole lines of the cache for ``size`` bytes."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _lowest(life: Lifetime, there: Sequence[tuple[int, Lifetime]]) -> int:
    """The lowest offset at which nothing of what is ``there`` lies while ``life`` lasts."""
    size = padded(life.size)
    taken = sorted(
        (offset, offset + padded(other.size))
        for offset, other in there
        if other.first <= life.last and life.first <= other.last
    )
    lowest = 0
    for begin, end in taken:
        if lowest + size <= begin:
            break
        lowest = max(lowest, end)
    return lowest


def _largest_first(lifetimes: Sequence[Lifetime]) -> list[int]:
    return sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, i))


def plan_arena(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """The offset of each temporary, and the arena's size.

    Temporaries whose lifetimes meet do not overlap.  The largest are placed first, each at the
    lowest offset that is free for as long as it lives.
    """
    offsets = [0] * len(lifetimes)
    placed: list[tuple[int, Lifetime]] = []
    total = 0
    for i in _largest_first(lifetimes):
        life = lifetimes[i]
        offsets[i] = _lowest(life, placed)
        placed.append((offsets[i], life))
        total = max(total, offsets[i] + padded(life.size))
    return offsets, total


def plan_rooms(lifetimes: Sequence[Lifetime], rooms: Sequence[Room]) -> dict[int, tuple[int, int]]:
    """Which temporaries lie in ``rooms``: the room and the offset in it, by the temporary's number.

    The largest are placed first, each in the room that is free for the shortest time of those that
    do.
    """
    found: dict[int, tuple[int, int]] = {}
    placed: list[list[tuple[int, Lifetime]]] = [[] for _ in rooms]
    by_time = sorted(range(len(rooms)), key=lambda r: rooms[r].until)
    for i in _largest_first(lifetimes):
        life = lifetimes[i]
        for r in by_time:
            if life.last >= rooms[r].until or life.size > rooms[r].size:
                continue
            offset = _lowest(life, placed[r])
            if offset + life.size <= rooms[r].size:
                found[i] = r, offset
                placed[r].append((offset, life))
                break
    return found


__all__ = ["ALIGNMENT", "Lifetime", "Room", "padded", "plan_arena", "plan_rooms"]
