"""Which arrays share memory with one that is written, without comparing each with each."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.lib.array_utils import byte_bounds


def overlaps(arrays: Mapping[int, np.ndarray], written: Collection[int]) -> list[tuple[int, int]]:
    """The pairs of arrays whose memory meets, where one of the two is written.

    Args:
        arrays: by number.
        written: the numbers of those that are written.

    Only the memory from an array's first byte to its last is looked at, as by
    ``numpy.may_share_memory``.  A pair is the number of a written array, then the other's.
    """
    if not written:
        return []
    spans = sorted((*byte_bounds(array), i) for i, array in arrays.items() if array.size)
    found: list[tuple[int, int]] = []
    reaching: list[tuple[int, int]] = []
    """(end, number) of arrays that may reach into what comes next."""
    for low, high, i in spans:
        reaching = [(end, j) for end, j in reaching if end > low]
        for _, j in reaching:
            if i in written or j in written:
                found.append((i, j) if i in written else (j, i))
        reaching.append((high, i))
    return found


__all__ = ["overlaps"]
