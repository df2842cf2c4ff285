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

_AFFIXES = (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", ""))
"""What builds of OpenBLAS put around their functions' names; with "64" their integers are long."""

_interop = 1


@cache
def _blas_libraries() -> list[ctypes.CDLL]:
    """The OpenBLAS that NumPy brings along."""
    from pathlib import Path  # it takes a while to import

    folders = (Path(np.__file__).parent.parent / "numpy.libs", Path(np.__file__).parent / ".dylibs")
    return [ctypes.CDLL(str(path)) for folder in folders for path in folder.glob("*openblas*")]


@cache
def blas_function(name: str) -> tuple[Any, Any] | None:
    """A function of NumPy's OpenBLAS and its type of integers; None if NumPy has another BLAS."""
    for library in _blas_libraries():
        for before, behind in _AFFIXES:
            function = getattr(library, before + name + behind, None)
            if function is not None:
                return function, ctypes.c_int64 if behind else ctypes.c_int32
    return None


@cache
def blas_threads() -> Any:
    """The functions ``(get, set)`` of NumPy's OpenBLAS; None where NumPy has another BLAS."""
    get, set_ = map(blas_function, ("openblas_get_num_threads", "openblas_set_num_threads"))
    return None if get is None or set_ is None else (get[0], set_[0])


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
        RuntimeError: ``num`` is no positive int.
    """
    if not isinstance(num, int) or isinstance(num, bool):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(num).__name__}")
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
    """Set the number that :func:`get_num_interop_threads` gives to ``num``.

    It is accepted for PyTorch's sake: operations run in the thread that calls them.

    Raises:
        RuntimeError: ``num`` is not positive.
    """
    global _interop
    if num < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _interop = num
