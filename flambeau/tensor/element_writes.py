"""Methods that write a tensor's elements: its diagonal, or each by a Python function.

Source: https://pytorch.org/docs/stable/tensors.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .inquiries import is_nonzero, is_same_size
from .tensor import Tensor

__all__ = ["apply_", "fill_diagonal_", "map_", "new", "resize_as_"]


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write a number to the main diagonal, and return the tensor.

    Args:
        fill_value: the number.
        wrap: of a tall matrix, begin anew after each ``width`` rows.

    Raises:
        RuntimeError: it has fewer than two dimensions, or more and of different lengths.
    """
    if self.dim() < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.dim() > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    size = min(self.shape)
    if self.dim() > 2:
        at: Any = (np.arange(size),) * self.dim()
    elif wrap and self.shape[0] > self.shape[1]:
        flat = np.arange(0, self.shape[0] * self.shape[1], self.shape[1] + 1)
        at = (flat // self.shape[1], flat % self.shape[1])
    else:
        at = (np.arange(size),) * 2
    self[tuple(Tensor(places).long() for places in at)] = fill_value
    return self


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a function makes of it: slow, one call per element.

    Args:
        callable: takes a Python number and returns one.

    Returns:
        this tensor.

    Raises:
        RuntimeError: it requires grad.
    """
    return _write(self, [callable(value) for value in self.detach().flatten().tolist()])


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by what a function makes of it and that of another tensor.

    Args:
        tensor: of a shape that expands to this one's.
        callable: takes two Python numbers and returns one.

    Returns:
        this tensor.

    Raises:
        RuntimeError: it requires grad, or ``tensor`` cannot be expanded to it.
    """
    other = tensor.detach().expand(self.shape).flatten().tolist()
    mine = self.detach().flatten().tolist()
    return _write(self, [callable(a, b) for a, b in zip(mine, other, strict=True)])


def _write(self: Tensor, values: list[Any]) -> Tensor:
    if self.requires_grad:
        raise RuntimeError("Can't call apply_() or map_() on a Tensor that requires grad")
    array = np.array(values, self._array.dtype).reshape(self._array.shape)
    return self.copy_(Tensor.new_tensor(self, array))  # type: ignore[attr-defined, no-any-return]


def new(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """A tensor of the same dtype: of a shape ``new(2, 3)``, or of data ``new([1, 2])``."""
    from .legacy_types import legacy_constructor

    return legacy_constructor(Tensor, self.dtype, *args, **kwargs)


def resize_as_(self: Tensor, the_template: Tensor, memory_format: Any = None) -> Tensor:
    """Take the shape of the tensor ``the_template``, as ``resize_`` does, and return this one.

    Args:
        the_template: of any dtype.
        memory_format: changes nothing here.
    """
    return self.resize_(the_template.shape)  # type: ignore[attr-defined, no-any-return]


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether this and ``tensor`` are the same part of one memory, by shape, strides and offset."""
    a, b = self._array, tensor._array
    return (
        a.shape == b.shape and a.strides == b.strides and a.ctypes.data == b.ctypes.data
        and a.dtype == b.dtype
    )  # fmt: skip


def attach() -> None:
    """Give Tensor these methods."""
    for method in (apply_, fill_diagonal_, is_set_to, map_, new, resize_as_):
        setattr(Tensor, method.__name__, method)
    Tensor.is_nonzero = is_nonzero  # type: ignore[attr-defined]
    Tensor.is_same_size = is_same_size  # type: ignore[attr-defined]
