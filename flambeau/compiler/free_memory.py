"""Memory that the C library holds back, returned to the system.

Checking a program on NumPy, and compiling one, leaves behind freed memory that the allocator keeps
for later requests.  A compiled step makes none.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from .graph import Graph

_LEAST = 1 << 22
"""What a program's values must take, in bytes, to be worth the call."""

_trim: Any = None


def return_free_memory(graph: Graph) -> None:
    """Return memory that is free after the values of ``graph`` were computed and dropped.

    Does something only where the C library is glibc.
    """
    global _trim
    if sum(v.size * v.dtype.itemsize for v in graph.values()) < _LEAST:
        return
    if _trim is None:
        known = sys.platform.startswith("linux")
        _trim = getattr(ctypes.CDLL(None), "malloc_trim", False) if known else False
    if _trim:
        _trim(0)


__all__ = ["return_free_memory"]
