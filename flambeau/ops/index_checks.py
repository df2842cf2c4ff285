"""Indices outside a dim are refused: at once, or, in a captured program, before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..modes import MODES


def require_in_range(
    index: Any,
    low: int,
    high: int,
    error: Callable[[int], Exception],
    ignored: int | None = None,
) -> None:
    """Raise ``error(i)`` if an index ``i`` is not in ``[low, high)`` and not ``ignored``."""
    index = getattr(index, "batch_memory", index)  # inside vmap: of all members
    if index.__class__ is np.ndarray:
        wrong = first_outside(index, low, high, ignored)
        if wrong is not None:
            raise error(wrong)
    elif MODES.capture is not None:
        MODES.capture.require_in_range(index, low, high, error, ignored)


def first_outside(index: np.ndarray, low: int, high: int, ignored: int | None) -> int | None:
    """The first element of ``index`` that is out of range; None if there is none."""
    if not index.size or (index.min() >= low and index.max() < high):
        return None
    outside = (index < low) | (index >= high)
    if ignored is not None:
        outside &= index != ignored
    return int(index[outside].flat[0]) if outside.any() else None
