"""The memory under a tensor, as far as programs ask for it."""

from __future__ import annotations

from typing import Any

import numpy as np


class UntypedStorage:
    """The bytes that a tensor and its views share."""

    def __init__(self, owner: np.ndarray) -> None:
        self._owner = owner

    def nbytes(self) -> int:
        """How many bytes there are."""
        return int(self._owner.nbytes)

    def __len__(self) -> int:
        return self.nbytes()

    size = nbytes

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return int(self._owner.ctypes.data)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, UntypedStorage) and other.data_ptr() == self.data_ptr()

    def __hash__(self) -> int:
        return hash(self.data_ptr())
