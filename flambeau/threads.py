"""How many threads operations use: those of the BLAS that NumPy brings, and of compiled programs.

Source: https://pytorch.org/docs/stable/generated/torch.set_num_threads.html
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

import numpy as np

_NAMES = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_",
          "scipy_openblas_{}_num_threads", "openblas_{}_num_threads")  # fmt: skip

_interop = 1


@cache
def blas_threads() -> Any:
    """The functions ``(get, set)`` of NumPy's OpenBLAS; None where NumPy has another BLAS."""
    from pathlib import Path  # it takes a while to import

    folders = (Path(np.__file__).parent.parent / "numpy.libs", Path(np.__file__).parent / ".dylibs")
    for folder in folders:
        for library in folder.glob("*openblas*"):
            loaded = ctypes.CDLL(str(library))
            for name in _NAMES:
                try:
                    return getattr(loaded, name.format("get")), getattr(loaded, name.format("set"))
                except AttributeError:
                    continue
    return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_num_threads() -> int:
    """How many threads an operation may use."""
    blas = blas_threads()
    return int(blas[0]()) if blas is not None else _cores()


def set_num_threads(num: int) -> None:
    """Let an operation use at most ``num`` threads.

    Raises:
        RuntimeError: ``num`` is not positive.
    """
    if not isinstance(num, int) or isinstance(num, bool):
        raise TypeError(f"set_num_threads expects an int, but got {type(num).__name__}")
    if num < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    blas = blas_threads()
    if blas is not None:
        blas[1](num)
    compiled = sys.modules.get("flambeau.compiler.team")
    if compiled is not None:
        compiled.set_count(num)


def get_num_interop_threads() -> int:
    """How many operations may run side by side: one, each in the caller's thread."""
    return _interop


def set_num_interop_threads(num: int) -> None:
    """Accepted for PyTorch's sake: operations run in the thread that calls them."""
    global _interop
    if num < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _interop = num
