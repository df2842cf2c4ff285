"""Freed memory is kept for the next array.

The C library of most Linux systems (glibc) gives memory back to the system at every free of some
hundred kilobytes and fetches it again at the next allocation, page by page: in a training step,
which makes and drops the same arrays over and over, that takes as long as the arithmetic.
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_MEBIBYTE = 1 << 20


def keep_freed_memory(kept: int = 256 * _MEBIBYTE) -> bool:
    """Have the C library keep up to ``kept`` bytes that were freed; whether it can be told so.

    What the user says by the environment variables MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_
    and MALLOC_TOP_PAD_ holds.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return False
    return bool(
        mallopt(_MMAP_THRESHOLD, 32 * _MEBIBYTE)  # the most that it takes
        and mallopt(_TRIM_THRESHOLD, kept)
        and mallopt(_TOP_PAD, 16 * _MEBIBYTE)
    )


keep_freed_memory()
