"""Types of arguments that give one number for all dimensions, or one for each."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["ntuple", "reversed_twice"]

Size: TypeAlias = int | tuple[int, ...]


def ntuple(value: Any, n: int) -> tuple[Any, ...]:
    """``value`` as a tuple: itself if it is iterable, else ``n`` times that number.

    Returns:
        ``n`` numbers, or as many as there are in ``value``.
    """
    if hasattr(value, "__iter__"):
        return tuple(value)
    return (value,) * n


def reversed_twice(values: tuple[int, ...]) -> tuple[int, ...]:
    """``(a, b)`` to ``(b, b, a, a)``: ``values`` per dim in the order that ``F.pad`` wants;
    returned.
    """
    return tuple(value for value in reversed(values) for _ in range(2))
