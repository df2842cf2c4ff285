"""Scratch memory of NumPy's larger kernels, kept between their calls."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

Array = Any

KEPT_BYTES = 8 << 20
"""The largest buffer that is kept: what only a huge sample needs is not."""


class _Workspace(threading.local):
    """Each thread's scratch memory, by purpose: fresh pages cost more than what is put in them."""

    def __init__(self) -> None:
        self.buffers: dict[str, Array] = {}

    def array(self, purpose: str, shape: Sequence[int], dtype: np.dtype) -> Array:
        """An uninitialised array, valid until the next one of that purpose."""
        size = prod(shape) * dtype.itemsize
        buffer = self.buffers.get(purpose)
        if buffer is None or buffer.nbytes < size:
            buffer = np.empty(size, np.uint8)
            if size <= KEPT_BYTES:
                self.buffers[purpose] = buffer
        return buffer[:size].view(dtype).reshape(shape)


WORKSPACE = _Workspace()
