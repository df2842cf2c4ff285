"""Running averages, as the rules of several optimizers keep them."""

from __future__ import annotations

from typing import Any

__all__ = ["lerp"]


def lerp(start: Any, end: Any, weight: Any, rest: Any, *, towards_end: bool) -> Any:
    """``start + weight * (end - start)``, exact at both ends.

    Args:
        start: the average so far.
        end: the new value.
        weight: the share of ``end``.
        rest: ``1 - weight``.
        towards_end: whether ``weight`` is a half or more: computed from ``end`` then, so that a
            weight of 1 gives ``end`` to the bit (as PyTorch's ``lerp`` does).
    """
    if towards_end:
        return end - (end - start) * rest
    return start + weight * (end - start)
