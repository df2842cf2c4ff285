"""``tensor[key]`` and ``tensor[key] = value``: every form of index that PyTorch takes.

A key of ints, slices, None and ``...`` selects a view.  Index tensors, lists, ranges and masks
select copies; the view part of a mixed key is applied first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import MODES
from .tensor import TENSORS, Tensor, wrap

_FULL = slice(None)
_new = object.__new__
_select: Any = None  # the operation ``select_part``, looked up at the first use
_views: Any = None  # the modules of operations, looked up at the first use
_indexing: Any = None
_INT64 = np.dtype(np.int64)


def _too_many(shape: Any, count: int) -> IndexError:
    if not shape and count == 1:
        return IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to a "
            "number"
        )
    return IndexError(
        f"too many indices for tensor of dimension {len(shape)} (got {count} for shape "
        f"{list(shape)})"
    )


def _checked_int(item: int, size: int, dim: int) -> int:
    if not -size <= item < size:
        raise IndexError(f"index {item} is out of bounds for dimension {dim} with size {size}")
    return item + size if item < 0 else item


def _as_index(item: Any) -> Any:
    """An index array (integer or bool) of what is neither int, slice, None nor ``...``."""
    if isinstance(item, Tensor):
        array = item._array if MODES.capture is None else MODES.capture.array_of(item)
    elif isinstance(item, np.ndarray):
        array = item
    elif isinstance(item, (list, tuple, range)):
        if any(isinstance(i, Tensor) for i in item):
            array = np.array([int(i) for i in item])
        else:
            array = np.array(item)
        if array.size == 0:
            array = array.astype(np.int64)
    elif isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    else:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {type(item).__name__})"
        )
    if array.dtype.kind not in "iub":
        if array.dtype.kind == "f" and not isinstance(item, Tensor):
            return array.astype(np.int64)  # PyTorch cuts the fractions off
        if array.dtype.kind not in "fc":
            raise TypeError(f"{type(item).__name__} of {array.dtype} is no valid index")
        raise IndexError(
            f"tensors used as indices must be long, int, byte or bool tensors (got {array.dtype})"
        )
    if array.dtype == np.uint8:
        array = array.astype(bool)
    return array


def resolve(shape: tuple[int, ...], key: Any) -> tuple[tuple[Any, ...], list[Any] | None]:
    """``key`` in two steps: a basic key, then indices for the dims it leaves (or None).

    In the second step's list are arrays, tensors, and None for a whole dim.
    """
    if isinstance(key, tuple):
        items = key
    elif key.__class__ is list and _stands_for_tuple(key):
        items = tuple(key)
    else:
        items = (key,)
    used = 0
    for item in items:
        if item is Ellipsis or item is None or item is True or item is False:
            pass
        elif isinstance(item, (Tensor, np.ndarray)) and item.dtype in (np.bool_, _torch_bool()):
            used += item.ndim if isinstance(item, np.ndarray) else item._array.ndim
        else:
            used += 1
    if used > len(shape):
        raise _too_many(shape, used)
    basic: list[Any] = []
    advanced: list[Any] = []
    has_advanced = False
    dim = 0
    filled = False
    for item in items:
        cls = item.__class__
        if cls is int:
            basic.append(_checked_int(item, shape[dim], dim))
            dim += 1
        elif cls is slice:
            basic.append(_checked_slice(item, shape[dim]))
            advanced.append(None)
            dim += 1
        elif item is None:
            basic.append(None)
            advanced.append(None)
        elif item is Ellipsis:
            if filled:
                basic.append(_FULL)
                advanced.append(None)
                dim += 1
                continue
            filled = True
            count = len(shape) - used
            basic += [_FULL] * count
            advanced += [None] * count
            dim += count
        elif cls is bool:
            basic.append(None)
            advanced.append(np.zeros(1 if item else 0, np.int64))
            has_advanced = True
        elif isinstance(item, (int, np.integer)):
            basic.append(_checked_int(int(item), shape[dim], dim))
            dim += 1
        else:
            index = _as_index(item)
            if index.ndim == 0 and index.dtype != bool and index.__class__ is np.ndarray:
                basic.append(_checked_int(int(index), shape[dim], dim))
                dim += 1
                continue
            has_advanced = True
            if index.dtype == bool:
                if index.ndim == 0:
                    basic.append(None)
                    advanced.append(np.zeros(1 if bool(index) else 0, np.int64))
                    continue
                for i, n in enumerate(index.shape):
                    if n != shape[dim + i]:
                        raise IndexError(
                            f"The shape of the mask {list(index.shape)} at index {i} does not "
                            f"match the shape of the indexed tensor {list(shape)} at index "
                            f"{dim + i}"
                        )
                if index.__class__ is not np.ndarray:
                    from ..modes import ConcreteValueNeeded

                    if hasattr(index, "batch_memory"):
                        raise RuntimeError(
                            "vmap: We do not support batching operators that can support dynamic "
                            "shape. Attempting to batch over indexing with a boolean mask: the "
                            "members would select different numbers of elements. Use torch.where."
                        )
                    raise ConcreteValueNeeded("indexing with a mask")
                advanced += list(np.nonzero(index))
                basic += [_FULL] * index.ndim
                dim += index.ndim
            else:
                # a tensor stays one: the tape must notice later writes to it
                same = isinstance(item, Tensor) and item._array is index
                advanced.append(item if same else index)
                basic.append(_FULL)
                dim += 1
    return tuple(basic), advanced if has_advanced else None


def _stands_for_tuple(key: list[Any]) -> bool:
    """Whether PyTorch reads the list as one key per dim: it holds more than plain numbers."""
    return len(key) < 32 and any(
        i is None or i is Ellipsis or isinstance(i, (slice, Tensor, list, tuple, np.ndarray))
        for i in key
    )


def _torch_bool() -> Any:
    from .. import dtypes

    return dtypes.bool


def _checked_slice(item: slice, size: int) -> slice:
    start, stop, step = item.start, item.stop, item.step
    if step is not None:
        step = int(step)
        if step == 0:
            raise ValueError("slice step cannot be zero")
        if step < 0:
            raise ValueError("step must be greater than zero")
    if start is None and stop is None and step is None:
        return _FULL
    start = None if start is None else _index(start)
    stop = None if stop is None else _index(stop)
    begin, end, by = slice(start, stop, step).indices(size)
    return slice(begin, max(begin, end), by)


def _index(value: Any) -> int:
    try:
        return value.__index__()
    except AttributeError:
        raise TypeError(
            "slice indices must be integers or None or have an __index__ method"
        ) from None


def _part_operation(basic: tuple[Any, ...], shape: Any) -> Any:
    """The view operation for a basic key: PyTorch names the node after the last step."""
    views = _views or _look_up()
    for item in reversed(basic):
        if item is None:
            return views.unsqueeze_part
        if item.__class__ is int:
            return views.select_part
        if item != _FULL:
            return views.slice_part
    return views.alias_part


def _look_up() -> Any:
    """The module of view operations, which imports this package."""
    global _views, _indexing
    from ..ops import indexing, shape

    _indexing = indexing
    _views = shape
    return shape


def _simple_part(self: Tensor, key: tuple[Any, ...], shape: tuple[int, ...]) -> Tensor | None:
    """``self[key]`` for a key of ints and slices only, else None."""
    views = _views or _look_up()
    if len(key) > len(shape):
        return None
    operation = views.alias_part
    basic: list[Any] = []
    dim = 0
    for item in key:
        if item.__class__ is slice:
            item = _checked_slice(item, shape[dim])
            if item is not _FULL:
                operation = views.slice_part
        elif item.__class__ is int:
            size = shape[dim]
            if not 0 <= item < size:
                item = _checked_int(item, size, dim)
            operation = views.select_part
        else:
            return None
        basic.append(item)
        dim += 1
    return operation.function(self, tuple(basic))  # type: ignore[no-any-return]


def getitem(self: Tensor, key: Any) -> Tensor:
    """The part that ``key`` selects: a view for a basic key, else a copy."""
    shape = self._array.shape
    kind = key.__class__
    if shape:
        if kind is int:
            return _row(self, key, shape[0])
        if kind is slice or kind is tuple:
            part = _simple_part(self, key if kind is tuple else (key,), shape)
            if part is not None:
                return part
        elif kind is Tensor and MODES.capture is None:
            array = key._array
            if array.__class__ is np.ndarray and array.dtype is _INT64 and array.ndim:
                if _indexing is None:
                    _look_up()
                # the tape keeps the tensor, whose later writes it must notice
                place = key if self._requires_grad else array
                return _indexing.index.function(self, (place,))  # type: ignore[no-any-return]
    basic, advanced = resolve(shape, key)
    if advanced is None:
        return _part_operation(basic, shape).function(self, basic)
    source = self
    if any(item != _FULL for item in basic):
        source = _part_operation(basic, shape).function(self, basic)
    if _indexing is None:
        _look_up()
    while advanced and advanced[-1] is None:
        advanced.pop()
    return _indexing.index.function(source, tuple(advanced))


def _row(self: Tensor, key: int, size: int) -> Tensor:
    """``self[key]``: what a dataset does for every sample, so without any detour."""
    global _select
    if not 0 <= key < size:
        key = _checked_int(key, size, 0)
    if _select is None:
        from ..ops.shape import select_part

        _select = select_part
    root = self._base
    if root is not None:
        self._refresh()
    array = self._array
    if self._requires_grad or array.__class__ is not np.ndarray or self.__class__ not in TENSORS:
        return _select.function(self, (key,))  # type: ignore[no-any-return]
    part: Tensor = _new(Tensor)
    part._array = array[key, ...]
    if self._inference:
        part._inference = True
    part._base = root = self if root is None else root
    if root._rebased:
        part._seen = root._rebased
    part._view = (_select, self, ((key,),))
    return part


def setitem(self: Tensor, key: Any, value: Any) -> None:
    """Write ``value`` (a tensor or a number, broadcast) to the part that ``key`` selects."""
    from .views import check_writable

    number = None
    if not isinstance(value, Tensor):
        if not isinstance(value, (bool, int, float, complex, np.generic)):
            from .views import type_name

            found = "numpy.ndarray" if isinstance(value, np.ndarray) else type(value).__name__
            raise TypeError(f"can't assign a {found} to a {type_name(self)}")
        require_real(value, self._array.dtype)
        number = value
        value = wrap(np.asarray(value))
    if value._array.dtype != self._array.dtype:
        value = value.to(self.dtype)  # type: ignore[attr-defined]
    if _masks_symbolically(key) and value._array.size == 1:
        # a mask whose elements are not known: the other elements are written as they are
        mask = key.reshape((*key.shape, *(1,) * (self.ndim - key.ndim)))
        self.copy_(self.masked_fill(mask, value.reshape(())))  # type: ignore[attr-defined]
        return
    basic, advanced = resolve(self._array.shape, key)
    target = self
    if advanced is None:
        check_writable(self, "__setitem__", overlap=True)
        target = _part_operation(basic, self._array.shape).function(self, basic)
        if number is not None:
            target.fill_(number)  # type: ignore[attr-defined]
        else:
            target.copy_(_fit(value, target))  # type: ignore[attr-defined]
        return
    if any(item != _FULL for item in basic):
        check_writable(self, "__setitem__", overlap=True)
        target = _part_operation(basic, self._array.shape).function(self, basic)
    while advanced and advanced[-1] is None:
        advanced.pop()
    target.index_put_(tuple(advanced), value)  # type: ignore[attr-defined]


def require_real(value: Any, dtype: np.dtype) -> None:
    """Raise RuntimeError if a number with an imaginary part is to be written as a real one."""
    if isinstance(value, complex) and value.imag and dtype.kind != "c":
        from .. import dtypes

        word = {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)
        raise RuntimeError(
            f"value cannot be converted to type {word} without overflow: {value} is complex, the "
            f"tensor is {dtypes.from_numpy_dtype(dtype)}"
        )


def _masks_symbolically(key: Any) -> bool:
    """Whether ``key`` is a mask without known elements: symbolic, or one for each of a batch."""
    return (
        isinstance(key, Tensor)
        and key._array.__class__ is not np.ndarray
        and key._array.dtype == np.bool_
        and key._array.ndim > 0
    )


def _fit(value: Tensor, target: Tensor) -> Tensor:
    """``value`` without the leading dims of size 1 that ``target`` does not have."""
    extra = value._array.ndim - target._array.ndim
    if extra > 0 and all(n == 1 for n in value._array.shape[:extra]):
        value = value.reshape(value._array.shape[extra:])  # type: ignore[attr-defined]
    for have, wanted in zip(reversed(value._array.shape), reversed(target._array.shape)):
        if have != wanted and have != 1:
            value.expand(target._array.shape)  # type: ignore[attr-defined]  # raises
    return value
