"""Copies of scattered rows of a large array: a shuffled batch.

The rows lie anywhere in memory, so most of the time of ``numpy.take`` goes into waiting for their
first lines. Machine code that asks for the rows to come while it copies one takes some nine tenths
of that time. It is made by llvmlite, where that is installed, once ``take`` has spent as much time
as making it would; a program that reads little never pays for it.
"""

from __future__ import annotations

import ctypes
import threading
import time
from typing import Any

import numpy as np

__all__ = ["copied_rows"]

_COST = 0.05  # seconds that importing llvmlite and making the code take
_ROW = 512  # bytes: shorter rows are mostly in the line that was waited for
_CACHED = 1 << 22  # bytes: a smaller array stays in the cache anyway
_INT64 = np.dtype(np.int64)

_lock = threading.Lock()
_spent = 0.0  # seconds of take's, so far
_copy: Any = None  # the machine code, once made
_engine: Any = None  # what keeps it in memory


def copied_rows(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """``array.take(indices, 0)`` of a contiguous array.

    Args:
        array: ``(N, ...)``, contiguous.
        indices: ``(B,)``, integers.

    Returns:
        A new array ``(B, ...)``.

    Raises:
        IndexError: an index is out of range.
    """
    shape = array.shape
    # the code reads the size of a row from its stride, which says nothing where there is one row
    row = array.nbytes // shape[0] if array.nbytes > _CACHED and shape[0] > 1 else 0
    if row < _ROW:
        return array.take(indices, 0)
    if _copy is None:
        return _timed_take(array, indices)
    if indices.ndim != 1 or indices.dtype != _INT64 or not indices.flags.c_contiguous:
        return array.take(indices, 0)
    out = np.empty((len(indices), *shape[1:]), array.dtype)
    # What the code does not take, an index below 0 or out of range, NumPy takes or refuses.
    return out if _copy(array, indices, out) == len(out) else array.take(indices, 0)


def _timed_take(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    global _spent, _copy, _engine
    start = time.perf_counter()
    rows = array.take(indices, 0)
    _spent += time.perf_counter() - start
    if _spent >= _COST:
        with _lock:
            if _copy is None:
                try:
                    _engine, _copy = _compiled()
                except (ImportError, OSError, RuntimeError):  # no llvmlite, or not for this machine
                    _spent = float("-inf")
    return rows


def _compiled() -> tuple[Any, Any]:
    import llvmlite.binding as llvm

    if not _arrays_are_where_expected():
        raise RuntimeError("NumPy's arrays are laid out in another way")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    module = llvm.parse_assembly(_CODE)
    module.verify()
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    signature = ctypes.PYFUNCTYPE(ctypes.c_ssize_t, *[ctypes.py_object] * 3)
    return engine, signature(engine.get_function_address("flambeau_rows_of"))


def _arrays_are_where_expected() -> bool:
    """Whether an array's data, sizes and strides are where the code below reads them."""
    probe = np.zeros((3, 5), np.float32)
    words = (ctypes.c_size_t * 6).from_address(id(probe))
    if words[2] != probe.ctypes.data or 0 in (words[4], words[5]):
        return False
    sizes, strides = ((ctypes.c_ssize_t * 2).from_address(words[i]) for i in (4, 5))
    return tuple(sizes) == probe.shape and tuple(strides) == probe.strides


# Copies row by row, and asks for the row after the next before it copies one. Returns how many it
# has copied: it stops at an index outside of 0 ... rows - 1. The second function takes arrays of
# NumPy's and reads where their data lie and how large they are: asking for that from Python takes
# longer than copying some rows.
_CODE = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)

define i64 @flambeau_rows(ptr %source, ptr %indices, ptr %out, i64 %n, i64 %bytes, i64 %rows) {
entry:
  %any = icmp sgt i64 %n, 0
  %last = sub i64 %n, 1
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %copy ]
  %here = getelementptr i64, ptr %indices, i64 %i
  %index = load i64, ptr %here, align 8
  %inside = icmp ult i64 %index, %rows
  br i1 %inside, label %look, label %end
look:
  %second = add i64 %i, 2
  %beyond = icmp sgt i64 %second, %last
  %ahead = select i1 %beyond, i64 %last, i64 %second
  %there = getelementptr i64, ptr %indices, i64 %ahead
  %coming = load i64, ptr %there, align 8
  %far = mul i64 %coming, %bytes
  %row = getelementptr i8, ptr %source, i64 %far
  br label %ask
ask:
  %k = phi i64 [ 0, %look ], [ %after, %ask ]
  %line = getelementptr i8, ptr %row, i64 %k
  call void @llvm.prefetch.p0(ptr %line, i32 0, i32 3, i32 1)
  %after = add i64 %k, 64
  %left = icmp slt i64 %after, %bytes
  br i1 %left, label %ask, label %copy
copy:
  %from = mul i64 %index, %bytes
  %s = getelementptr i8, ptr %source, i64 %from
  %to = mul i64 %i, %bytes
  %d = getelementptr i8, ptr %out, i64 %to
  call void @llvm.memcpy.p0.p0.i64(ptr %d, ptr %s, i64 %bytes, i1 false)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  %copied = phi i64 [ 0, %entry ], [ %i, %loop ], [ %n, %copy ]
  ret i64 %copied
}

define i64 @flambeau_rows_of(ptr %source, ptr %indices, ptr %out) {
  %source_data_at = getelementptr i64, ptr %source, i64 2
  %source_data = load ptr, ptr %source_data_at
  %indices_data_at = getelementptr i64, ptr %indices, i64 2
  %indices_data = load ptr, ptr %indices_data_at
  %out_data_at = getelementptr i64, ptr %out, i64 2
  %out_data = load ptr, ptr %out_data_at
  %source_sizes_at = getelementptr i64, ptr %source, i64 4
  %source_sizes = load ptr, ptr %source_sizes_at
  %rows = load i64, ptr %source_sizes
  %indices_sizes_at = getelementptr i64, ptr %indices, i64 4
  %indices_sizes = load ptr, ptr %indices_sizes_at
  %n = load i64, ptr %indices_sizes
  %source_strides_at = getelementptr i64, ptr %source, i64 5
  %source_strides = load ptr, ptr %source_strides_at
  %bytes = load i64, ptr %source_strides
  %copied = call i64 @flambeau_rows(ptr %source_data, ptr %indices_data, ptr %out_data, i64 %n,
            i64 %bytes, i64 %rows)
  ret i64 %copied
}
"""
