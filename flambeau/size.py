"""``torch.Size``: a tensor's shape, a tuple that says so.

Source: https://pytorch.org/docs/stable/size.html
"""

from __future__ import annotations

from typing import Any


class Size(tuple):
    """The shape of a tensor.

    >>> import flambeau as torch
    >>> torch.zeros(2, 3).shape
    torch.Size([2, 3])

    Args:
        sizes: ints, one for each dim.

    Raises:
        TypeError: one is no int.
    """

    __slots__ = ()

    def __new__(cls, sizes: Any = ()) -> Size:
        made = tuple.__new__(cls, sizes)
        for place, n in enumerate(made):
            if n.__class__ is not int and not hasattr(n, "__index__"):
                raise TypeError(
                    "torch.Size() takes an iterable of 'int' "
                    f"(item {place} is '{type(n).__name__}')"
                )
        return made

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        count = 1
        for n in self:
            count *= n
        return count

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, key: Any) -> Any:
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> Size:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, count: Any) -> Size:
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__

    def __reduce__(self) -> Any:
        return Size, (tuple(self),)
