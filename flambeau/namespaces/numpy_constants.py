"""Small constant vectors that kernels use again and again, made once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

_ONES: dict[Any, np.ndarray] = {}
_NUMBERS: dict[int, np.ndarray] = {}
_KEPT = 128
_LARGEST = 1 << 16


def ones(n: int, dtype: np.dtype) -> np.ndarray:
    """A vector of ones, not to be written to: by it BLAS adds up the rows of a matrix."""
    found = _ONES.get((n, dtype))
    if found is None:
        found = np.ones(n, dtype)
        found.flags.writeable = False
        _keep(_ONES, (n, dtype), found)
    return found


def numbers(n: int) -> np.ndarray:
    """0, 1, ..., n - 1 as int64, not to be written to."""
    found = _NUMBERS.get(n)
    if found is None:
        found = np.arange(n)
        found.flags.writeable = False
        _keep(_NUMBERS, n, found)
    return found


@lru_cache(512)
def number(value: float, dtype: np.dtype) -> np.ndarray:
    """A number as an array, not to be written to: quicker beside small arrays than the number."""
    found = np.array(value, dtype)
    found.flags.writeable = False
    return found


def _keep(cache: dict[Any, np.ndarray], key: Any, array: np.ndarray) -> None:
    if array.size <= _LARGEST:
        if len(cache) >= _KEPT:
            cache.clear()
        cache[key] = array


def places(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """The place of each element along each dim: read-only arrays that broadcast to ``shape``."""
    return _places(shape) if sum(shape) < 4096 else _places.__wrapped__(shape)


@lru_cache(256)
def _places(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    grid = tuple(np.ogrid[tuple(slice(n) for n in shape)])
    for array in grid:
        array.flags.writeable = False
    return grid
