"""A program as a built-in function of arrays, which looks at its arguments and makes its results.

An operation on a small array takes NumPy a microsecond for every step; as a program it takes a
tenth of that, less than to ask in Python for the shapes and to make the results.  So machine code
does both: it compares what it is given with a description, makes the arrays of the results by
NumPy's own function, lets the program fill them, and packs them up.  It is the same code for all
programs, and Python's lock is held from its beginning to its end.

Source of the layout of arrays and the place of NumPy's functions, which are fixed:
https://numpy.org/doc/stable/reference/c-api/types-and-structures.html and the array API's table.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from . import runtime
from .executable import Executable
from .fixed_code import fixed_code
from .unsupported import Unsupported

MOST_DIMS = 8
MOST_ARRAYS = 24

_INPUTS, _OUTPUTS, _ITEMS, _FRONT = 0, 1, 2, 3
_STEPS, _TABLE, _EMPTY, _NONE, _ARRAY_TYPE, _REFUSED, _REFUSES = 4, 5, 6, 7, 8, 9, 10
_ITEM = 16
_SPECS = _ITEM + 2 * MOST_ARRAYS
_SPEC = 3 + MOST_DIMS
"""Words of the description: how many arrays are given and made, of how many items the result is
(-1: it is the output itself) and how many of those stand in front of the tuple at its end;
addresses; the output that each item is; then the dtype (0: None), the number of dims, the flags
that are needed, and the dims of each array."""

_ARRAY = {"data": 16, "ndim": 24, "shape": 32, "dtype": 56, "flags": 64}
"""Bytes from an array object's beginning to its fields."""
_CONTIGUOUS_ALIGNED, _WRITABLE = 0x101, 0x400
_EMPTY_IN_TABLE = 184
"""The place of ``PyArray_Empty`` among NumPy's functions."""

_SOURCE = f"""
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)

define internal i1 @fits(ptr %description, ptr %spec, ptr %object) {{
entry:
  %wanted = load ptr, ptr %spec
  %optional = icmp eq ptr %wanted, null
  br i1 %optional, label %none, label %array
none:
  %none_at = getelementptr i64, ptr %description, i64 {_NONE}
  %none_object = load ptr, ptr %none_at
  %is_none = icmp eq ptr %object, %none_object
  ret i1 %is_none
array:
  %class_at = getelementptr i8, ptr %object, i64 8
  %class = load ptr, ptr %class_at
  %array_type_at = getelementptr i64, ptr %description, i64 {_ARRAY_TYPE}
  %array_type = load ptr, ptr %array_type_at
  %is_array = icmp eq ptr %class, %array_type
  br i1 %is_array, label %dtype, label %no
dtype:
  %dtype_at = getelementptr i8, ptr %object, i64 {_ARRAY["dtype"]}
  %given_dtype = load ptr, ptr %dtype_at
  %flags_at = getelementptr i8, ptr %object, i64 {_ARRAY["flags"]}
  %flags = load i32, ptr %flags_at
  %wanted_flags_at = getelementptr i64, ptr %spec, i64 2
  %wanted_flags64 = load i64, ptr %wanted_flags_at
  %wanted_flags = trunc i64 %wanted_flags64 to i32
  %flags_found = and i32 %flags, %wanted_flags
  %ndim_at = getelementptr i8, ptr %object, i64 {_ARRAY["ndim"]}
  %ndim32 = load i32, ptr %ndim_at
  %ndim = sext i32 %ndim32 to i64
  %ndim_wanted_at = getelementptr i64, ptr %spec, i64 1
  %ndim_wanted = load i64, ptr %ndim_wanted_at
  %same_dtype = icmp eq ptr %given_dtype, %wanted
  %in_rows = icmp eq i32 %flags_found, %wanted_flags
  %same_ndim = icmp eq i64 %ndim, %ndim_wanted
  %some = and i1 %same_dtype, %in_rows
  %all = and i1 %some, %same_ndim
  br i1 %all, label %shape, label %no
shape:
  %shape_at = getelementptr i8, ptr %object, i64 {_ARRAY["shape"]}
  %shape_given = load ptr, ptr %shape_at
  br label %dim
dim:
  %i = phi i64 [ 0, %shape ], [ %next, %compare ]
  %left = icmp slt i64 %i, %ndim
  br i1 %left, label %compare, label %yes
compare:
  %next = add i64 %i, 1
  %size_at = getelementptr i64, ptr %shape_given, i64 %i
  %size = load i64, ptr %size_at
  %place = add i64 %i, 3
  %size_wanted_at = getelementptr i64, ptr %spec, i64 %place
  %size_wanted = load i64, ptr %size_wanted_at
  %same = icmp eq i64 %size, %size_wanted
  br i1 %same, label %dim, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}

define internal ptr @new_array(ptr %description, ptr %spec) {{
entry:
  %dtype = load ptr, ptr %spec
  call void @Py_IncRef(ptr %dtype)
  %ndim_at = getelementptr i64, ptr %spec, i64 1
  %ndim64 = load i64, ptr %ndim_at
  %ndim = trunc i64 %ndim64 to i32
  %shape = getelementptr i64, ptr %spec, i64 3
  %empty_at = getelementptr i64, ptr %description, i64 {_EMPTY}
  %empty = load ptr, ptr %empty_at
  %array = call ptr %empty(i32 %ndim, ptr %shape, ptr %dtype, i32 0)
  ret ptr %array
}}

define internal void @let_go(ptr %arrays, i64 %from, i64 %to) {{
entry:
  br label %look
look:
  %i = phi i64 [ %from, %entry ], [ %next, %one ]
  %left = icmp slt i64 %i, %to
  br i1 %left, label %one, label %done
one:
  %next = add i64 %i, 1
  %at = getelementptr ptr, ptr %arrays, i64 %i
  %array = load ptr, ptr %at
  call void @Py_DecRef(ptr %array)
  br label %look
done:
  ret void
}}

define internal i1 @fill(ptr %description, ptr %tuple, i64 %first, i64 %count, ptr %made) {{
entry:
  %none_at = getelementptr i64, ptr %description, i64 {_NONE}
  %none = load ptr, ptr %none_at
  br label %look
look:
  %i = phi i64 [ 0, %entry ], [ %next, %put ]
  %left = icmp slt i64 %i, %count
  br i1 %left, label %one, label %done
one:
  %next = add i64 %i, 1
  %number = add i64 %first, %i
  %place = add i64 %number, {_ITEM}
  %output_at = getelementptr i64, ptr %description, i64 %place
  %output = load i64, ptr %output_at
  %absent = icmp slt i64 %output, 0
  br i1 %absent, label %put, label %take
take:
  %array_at = getelementptr ptr, ptr %made, i64 %output
  %array = load ptr, ptr %array_at
  br label %put
put:
  %item = phi ptr [ %none, %one ], [ %array, %take ]
  call void @Py_IncRef(ptr %item)
  %done_so = call i32 @PyTuple_SetItem(ptr %tuple, i64 %i, ptr %item)
  br label %look
done:
  ret i1 true
}}

define ptr @flambeau_array_function(ptr %self, ptr %given, i64 %count) {{
entry:
  %arrays = alloca [{2 * MOST_ARRAYS + 1} x ptr]
  %description_at = getelementptr i8, ptr %self, i64 {_ARRAY["data"]}
  %d = load ptr, ptr %description_at
  %inputs = load i64, ptr %d
  %specs = getelementptr i64, ptr %d, i64 {_SPECS}
  %none_at = getelementptr i64, ptr %d, i64 {_NONE}
  %none = load ptr, ptr %none_at
  %as_many = icmp eq i64 %inputs, %count
  br i1 %as_many, label %look, label %not_so
look:
  %i = phi i64 [ 0, %entry ], [ %next, %accept ]
  %n = phi i64 [ 0, %entry ], [ %n_next, %accept ]
  %left = icmp slt i64 %i, %count
  br i1 %left, label %one, label %outputs
one:
  %next = add i64 %i, 1
  %object_at = getelementptr ptr, ptr %given, i64 %i
  %object = load ptr, ptr %object_at
  %spec_at = mul i64 %i, {_SPEC}
  %spec = getelementptr i64, ptr %specs, i64 %spec_at
  %good = call i1 @fits(ptr %d, ptr %spec, ptr %object)
  br i1 %good, label %accept, label %not_so
accept:
  %input_at = getelementptr ptr, ptr %arrays, i64 %n
  store ptr %object, ptr %input_at
  %absent = icmp eq ptr %object, %none
  %more = add i64 %n, 1
  %n_next = select i1 %absent, i64 %n, i64 %more
  br label %look
outputs:
  %outputs_at = getelementptr i64, ptr %d, i64 {_OUTPUTS}
  %made_count = load i64, ptr %outputs_at
  %end = add i64 %n, %made_count
  %made = getelementptr ptr, ptr %arrays, i64 %n
  br label %make
make:
  %k = phi i64 [ 0, %outputs ], [ %k_next, %keep ]
  %lacking = icmp slt i64 %k, %made_count
  br i1 %lacking, label %new, label %run
new:
  %k_next = add i64 %k, 1
  %number = add i64 %inputs, %k
  %output_spec_at = mul i64 %number, {_SPEC}
  %output_spec = getelementptr i64, ptr %specs, i64 %output_spec_at
  %array = call ptr @new_array(ptr %d, ptr %output_spec)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %no_memory, label %keep
keep:
  %array_at = getelementptr ptr, ptr %made, i64 %k
  store ptr %array, ptr %array_at
  br label %make
no_memory:
  call void @let_go(ptr %made, i64 0, i64 %k)
  ret ptr null
run:
  %refused_at = getelementptr i64, ptr %d, i64 {_REFUSED}
  %flag_at = getelementptr ptr, ptr %arrays, i64 %end
  store ptr %refused_at, ptr %flag_at
  %refuses_at = getelementptr i64, ptr %d, i64 {_REFUSES}
  %refuses = load i64, ptr %refuses_at
  %passed = add i64 %end, %refuses
  %steps_at = getelementptr i64, ptr %d, i64 {_STEPS}
  %steps = load ptr, ptr %steps_at
  %table_at = getelementptr i64, ptr %d, i64 {_TABLE}
  %table = load ptr, ptr %table_at
  %done = call i64 %steps(ptr %table, i64 1, ptr %arrays, i64 %passed, i64 %end)
  %flag = load i8, ptr %refused_at
  %allowed = icmp eq i8 %flag, 0
  %finished = icmp eq i64 %done, 1
  %fine = and i1 %allowed, %finished
  br i1 %fine, label %pack, label %refused
refused:
  call void @let_go(ptr %made, i64 0, i64 %made_count)
  br label %not_so
pack:
  %items_at = getelementptr i64, ptr %d, i64 {_ITEMS}
  %items = load i64, ptr %items_at
  %alone = icmp slt i64 %items, 0
  br i1 %alone, label %single, label %several
single:
  %result = load ptr, ptr %made
  ret ptr %result
several:
  %front_at = getelementptr i64, ptr %d, i64 {_FRONT}
  %front = load i64, ptr %front_at
  %behind = sub i64 %items, %front
  %nested = icmp sgt i64 %behind, 0
  %nested64 = zext i1 %nested to i64
  %length = add i64 %front, %nested64
  %tuple = call ptr @PyTuple_New(i64 %length)
  %no_tuple = icmp eq ptr %tuple, null
  br i1 %no_tuple, label %lost, label %fill_front
fill_front:
  %filled = call i1 @fill(ptr %d, ptr %tuple, i64 0, i64 %front, ptr %made)
  br i1 %nested, label %tail, label %finish
tail:
  %inner = call ptr @PyTuple_New(i64 %behind)
  %no_inner = icmp eq ptr %inner, null
  br i1 %no_inner, label %lost_outer, label %fill_tail
fill_tail:
  %filled_too = call i1 @fill(ptr %d, ptr %inner, i64 %front, i64 %behind, ptr %made)
  %put = call i32 @PyTuple_SetItem(ptr %tuple, i64 %front, ptr %inner)
  br label %finish
finish:
  call void @let_go(ptr %made, i64 0, i64 %made_count)
  ret ptr %tuple
lost_outer:
  call void @Py_DecRef(ptr %tuple)
  br label %lost
lost:
  call void @let_go(ptr %made, i64 0, i64 %made_count)
  ret ptr null
not_so:
  call void @Py_IncRef(ptr %none)
  ret ptr %none
}}
"""


class _Description(np.ndarray):
    """What the machine code reads of one program, and all that this refers to by address."""

    needs: tuple[object, ...]


_lock = threading.Lock()


@cache
def _new_empty() -> int:
    """The address of ``PyArray_Empty``.

    Raises:
        Unsupported: arrays are laid out in another way than they have ever been.
    """
    probe = np.zeros((3, 5), np.float32)

    def read(kind: Any, field: str) -> int:
        return int(kind.from_address(id(probe) + _ARRAY[field]).value or 0)

    shape = (ctypes.c_int64 * 2).from_address(read(ctypes.c_void_p, "shape"))
    found = (
        read(ctypes.c_void_p, "data"), read(ctypes.c_int32, "ndim"), tuple(shape),
        read(ctypes.c_void_p, "dtype"), read(ctypes.c_int32, "flags") & _CONTIGUOUS_ALIGNED,
    )  # fmt: skip
    wanted = probe.ctypes.data, 2, (3, 5), id(probe.dtype), _CONTIGUOUS_ALIGNED
    if found != wanted or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise Unsupported("any graph", "this Python or NumPy lays out arrays in another way")
    capsule: Any = np._core._multiarray_umath._ARRAY_API  # type: ignore[attr-defined]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype = ctypes.c_void_p
    pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    functions = (ctypes.c_void_p * (_EMPTY_IN_TABLE + 1)).from_address(pointer(capsule, None))
    return int(functions[_EMPTY_IN_TABLE] or 0)


def array_function(
    executable: Executable,
    given: Sequence[bool],
    items: Sequence[int | None],
    front: int | None = None,
    alone: bool = False,
    refuses: bool = False,
) -> Callable[..., Any]:
    """``executable`` as a built-in function.

    Args:
        executable: calls nothing in Python.  What it updates is written in place; those arrays
            must not overlap with others.
        given: for each argument of the function whether it is an array, the next input of the
            graph, or None.
        items: the graph's outputs that the result consists of; None stands for itself.
        front: so many items are the result's own, the others a tuple at its end.
        alone: the result is the first output itself, not a tuple.
        refuses: the graph's last output is a 0-d bool: whether the arguments are not fit.

    Returns:
        A function that returns None if what it is given is not C-contiguous arrays of the graph's
        shapes and dtypes, and where the program refuses them or finds an index out of range.

    Raises:
        Unsupported: there can be none here.
    """
    outputs = executable.output_specs[:-1] if refuses else executable.output_specs
    arrays = iter(executable.input_specs)
    specs = [*(next(arrays) if one else None for one in given), *outputs]
    dims = max(len(s[0]) for s in specs if s is not None)
    if executable.calls_python or dims > MOST_DIMS or max(len(specs), len(items)) > MOST_ARRAYS:
        raise Unsupported("this graph", "it has too many arrays or dims, or runs in NumPy")
    bound = executable.bind([None] * len(executable.input_specs))
    steps, table = executable.addresses(bound)
    words = np.zeros(_SPECS + _SPEC * len(specs), np.int64)
    words[_INPUTS], words[_OUTPUTS] = len(given), len(outputs)
    words[_ITEMS] = -1 if alone else len(items)
    words[_FRONT] = len(items) if front is None else front
    words[_STEPS], words[_TABLE], words[_EMPTY] = steps, table, _new_empty()
    words[_NONE], words[_ARRAY_TYPE], words[_REFUSES] = id(None), id(np.ndarray), refuses
    words[_ITEM : _ITEM + len(items)] = [-1 if i is None else i for i in items]
    number = 0
    for i, spec in enumerate(specs):
        if spec is not None:
            shape, dtype = spec
            flags = _WRITABLE if number in executable.updated else 0
            words[_SPECS + _SPEC * i :][: 3 + len(shape)] = (
                id(dtype), len(shape), flags | _CONTIGUOUS_ALIGNED, *shape
            )  # fmt: skip
            number += 1
    description = words.view(_Description)
    with _lock:
        code = fixed_code(_SOURCE)
    description.needs = (bound, code, [s[1] for s in specs if s is not None])
    return runtime.builtin_function(code.address("flambeau_array_function"), description)


__all__ = ["MOST_ARRAYS", "MOST_DIMS", "array_function"]
