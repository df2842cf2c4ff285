"""The memory under a tensor, as far as programs ask for it.

Source: https://pytorch.org/docs/stable/storage.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..device import device
from ..dtypes import dtype as Dtype


class _Storage:
    """One after the other, what lies in the memory that a tensor and its views share."""

    _owner: np.ndarray
    _items: np.ndarray
    """The memory, as elements."""

    def nbytes(self) -> int:
        """How many bytes there are."""
        return int(self._owner.nbytes)

    def __len__(self) -> int:
        return len(self._items)

    def size(self) -> int:
        """How many elements there are."""
        return len(self._items)

    def element_size(self) -> int:
        """How many bytes an element has."""
        return int(self._items.itemsize)

    @property
    def device(self) -> device:
        """Where it is: on the CPU."""
        return device("cpu")

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return int(self._owner.ctypes.data)

    def tolist(self) -> list[Any]:
        """The elements, as Python's numbers."""
        return self._items.tolist()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __getitem__(self, index: int) -> Any:
        return self._items[index].item()

    def __setitem__(self, index: int | slice, value: Any) -> None:
        self._items[index] = value

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _Storage) and other.data_ptr() == self.data_ptr()

    def __hash__(self) -> int:
        return hash(self.data_ptr())

    def _listed(self, what: str) -> str:
        return "\n".join([*(f" {item}" for item in self), f"[{what} of size {len(self)}]"])


def _in_order(owner: np.ndarray) -> np.ndarray:
    """The elements of an array that owns its memory, in the order in which they lie there."""
    return owner.ravel(order="K") if owner.flags.forc else owner.reshape(-1)


class UntypedStorage(_Storage):
    """The bytes that a tensor and its views share.

    Args:
        owner: the array whose memory it is.
    """

    def __init__(self, owner: np.ndarray) -> None:
        self._owner = owner
        self._items = _in_order(owner).view(np.uint8)

    def __repr__(self) -> str:
        return self._listed("torch.storage.UntypedStorage(device=cpu)")


class TypedStorage(_Storage):
    """The elements that a tensor and its views share.

    Args:
        owner: the array whose memory it is.
        dtype: of the elements.
    """

    def __init__(self, owner: np.ndarray, dtype: Dtype) -> None:
        self._owner, self.dtype = owner, dtype
        self._items = _in_order(owner).view(dtype.numpy)

    def __getitem__(self, index: int) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return super().__getitem__(index)

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._owner)

    def __repr__(self) -> str:
        return self._listed(f"torch.storage.TypedStorage(dtype={self.dtype}, device=cpu)")


_warned = False


def warn_of_typed_storage() -> None:
    """Warn, the first time, as PyTorch does."""
    global _warned
    if _warned:
        return
    _warned = True
    import warnings

    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be "
        "the only storage class. This should only matter to you if you are using storages "
        "directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead of "
        "tensor.storage()",
        UserWarning,
        stacklevel=3,
    )


__all__ = ["TypedStorage", "UntypedStorage"]
