"""Transposing arrays on NumPy: between the batch as the first dim and as the last.

NumPy copies a transposed array element by element.  OpenBLAS has a function for it that works on
blocks, three times as fast for float32; what it does is the same, but for the sign of life that a
signalling NaN loses.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from ..threads import blas_function
from .numpy_workspace import WORKSPACE

Array = Any

_LEAST = 1024
"""Elements from which on OpenBLAS's function is worth its call."""

_TURNED = 128
"""Positions that NumPy turns at a time: they stay in the cache."""

_CACHE_BYTES = 1 << 18

_ROW_MAJOR, _TRANSPOSED = 101, 112


@cache
def _blas_turn() -> Any:
    found = blas_function("cblas_somatcopy")
    if found is None:
        return None
    function, integer = found
    function.restype = None
    function.argtypes = [
        ctypes.c_int, ctypes.c_int, integer, integer, ctypes.c_float,
        ctypes.c_void_p, integer, ctypes.c_void_p, integer,
    ]  # fmt: skip
    return function


def _lies_in_rows(matrix: Array) -> bool:
    row, element = matrix.strides
    return element == 4 and row >= 4 * matrix.shape[1] and row % 4 == 0


def quick(array: Array) -> bool:
    """Whether an array of this dtype and size is turned by OpenBLAS."""
    return array.dtype.char == "f" and array.size >= _LEAST and _blas_turn() is not None


def turn(source: Array, out: Array) -> None:
    """Copy the transpose of a matrix (r, c) into another one (c, r)."""
    rows, columns = source.shape
    if quick(source) and out.dtype.char == "f" and _lies_in_rows(source) and _lies_in_rows(out):
        _blas_turn()(
            _ROW_MAJOR, _TRANSPOSED, rows, columns, 1.0,
            source.__array_interface__["data"][0], source.strides[0] // 4,
            out.__array_interface__["data"][0], out.strides[0] // 4,
        )  # fmt: skip
    elif columns <= rows:
        for start in range(0, rows, _TURNED):
            out[:, start : start + _TURNED] = source[start : start + _TURNED].T
    elif source.strides[0] % 1024 == 0:
        # rows so far apart compete for the same lines of the cache: few at a time
        for start in range(0, rows, 16):
            out[:, start : start + 16] = source[start : start + 16].T
    else:
        for start in range(0, columns, _TURNED):
            out[start : start + _TURNED] = source[:, start : start + _TURNED].T


def batch_last(x: Array, out: Array) -> None:
    """(N, C, *spatial) into ``out`` (C, *spatial, N)."""
    if x.shape[0] == 1:
        out[..., 0] = x[0]
    elif x.flags.c_contiguous and out.flags.c_contiguous:
        turn(x.reshape(x.shape[0], -1), out.reshape(-1, x.shape[0]))
    elif x.flags.c_contiguous and quick(x):
        turned = WORKSPACE.array("turned", out.shape, x.dtype)
        turn(x.reshape(x.shape[0], -1), turned.reshape(-1, x.shape[0]))
        out[...] = turned
    elif x.nbytes <= _CACHE_BYTES * x.shape[1]:
        last = (*range(1, x.ndim - 1), 0)
        for channel in range(x.shape[1]):
            out[channel] = x[:, channel].transpose(last)
    else:
        out[...] = x.transpose(1, *range(2, x.ndim), 0)


def batch_first(x: Array, out: Array) -> None:
    """(C, *spatial, N) into ``out`` (N, C, *spatial)."""
    if out.shape[0] == 1:
        out[0] = x[..., 0]
    elif out.flags.c_contiguous and x.flags.c_contiguous:
        turn(x.reshape(-1, x.shape[-1]), out.reshape(out.shape[0], -1))
    elif out.flags.c_contiguous and quick(x):
        whole = WORKSPACE.array("turned", x.shape, x.dtype)
        whole[...] = x
        turn(whole.reshape(-1, x.shape[-1]), out.reshape(out.shape[0], -1))
    elif x.nbytes <= _CACHE_BYTES * x.shape[0]:
        first = (x.ndim - 2, *range(x.ndim - 2))
        for channel in range(x.shape[0]):
            out[:, channel] = x[channel].transpose(first)
    else:
        out[...] = x.transpose(x.ndim - 1, *range(x.ndim - 1))
