"""Values added (or reduced otherwise) to the elements of a NumPy array that indices name.

``ufunc.at`` has a quick loop for one array of indices into an array of one dim; rows, and indices
for several dims, take it three to eight times as long.  So their places in memory are counted out.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = Any

_FEW = 256
"""Up to so many values it is not worth while."""

_PIECE = 1 << 16
"""Values whose places are counted out at a time: they stay in the cache."""


def reduce_at(reduction: np.ufunc, target: Array, key: tuple[Any, ...], values: Array) -> None:
    """``reduction.at(target, key, values)``.

    Args:
        reduction: ``np.add``, ``np.multiply``, ``np.maximum`` or ``np.minimum``.
        target: it is written to.
        key: what stands in brackets: arrays of integers, or anything else that NumPy takes there.
        values: what the indexed part takes by broadcasting.

    Raises:
        IndexError: an index is out of range.
    """
    if values.size > _FEW and values.dtype is target.dtype and target.dtype.char in "fdlq":
        places = _places(target, key)
        if places is not None:
            _reduce_rows(reduction, target, places, target.shape[len(key) :], values)
            return
    reduction.at(target, key, values)


def _places(target: Array, key: tuple[Any, ...]) -> Array | None:
    """Which parts of ``target``, counted over the dims that ``key`` indexes; None: ask NumPy."""
    if not target.flags.c_contiguous or not all(
        index.__class__ is np.ndarray and index.dtype.kind == "i" and index.size for index in key
    ):
        return None
    places = key[0].astype(np.intp, copy=False)
    for index, n in zip(key[1:], target.shape[1:]):
        # in the first dim a wrong index, or one from the end, is one in the flat array too
        if np.minimum.reduce(index, None) < 0 or np.maximum.reduce(index, None) >= n:
            return None
        places = places * n + index
    return places


def _reduce_rows(
    reduction: np.ufunc, target: Array, places: Array, rest: tuple[int, ...], values: Array
) -> None:
    width = prod(rest)
    rows = np.broadcast_to(values, (*places.shape, *rest)).reshape(-1, width)
    starts = places.reshape(-1)
    flat = target.reshape(-1)
    if width == 1:
        reduction.at(flat, starts, rows[:, 0])
        return
    columns = np.arange(width)
    starts = starts * width
    step = max(1, _PIECE // width)
    for first in range(0, len(starts), step):
        part = slice(first, first + step)
        reduction.at(flat, (starts[part, None] + columns).reshape(-1), rows[part].reshape(-1))
