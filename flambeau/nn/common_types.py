"""Types of arguments that give one number for all dimensions, or one for each."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["ntuple", "reversed_twice"]

Size: TypeAlias = int | tuple[int, ...]

# PyTorch's names, for the annotations of layers that programs define.
_size_any_t: TypeAlias = Size
_size_1_t: TypeAlias = int | tuple[int]
_size_2_t: TypeAlias = int | tuple[int, int]
_size_3_t: TypeAlias = int | tuple[int, int, int]
_size_4_t: TypeAlias = int | tuple[int, int, int, int]
_size_5_t: TypeAlias = int | tuple[int, int, int, int, int]
_size_6_t: TypeAlias = int | tuple[int, int, int, int, int, int]
_size_any_opt_t: TypeAlias = int | None | tuple[int | None, ...]
_size_2_opt_t: TypeAlias = int | None | tuple[int | None, int | None]
_size_3_opt_t: TypeAlias = int | None | tuple[int | None, int | None, int | None]
_ratio_any_t: TypeAlias = float | tuple[float, ...]
_ratio_2_t: TypeAlias = float | tuple[float, float]
_ratio_3_t: TypeAlias = float | tuple[float, float, float]


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
