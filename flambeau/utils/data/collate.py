"""From a list of samples to a batch.

Source: https://docs.pytorch.org/docs/2.13/data.html
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from flambeau.tensor import Tensor, wrap

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

CollateMap = dict[Any, Callable[..., Any]]

default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)
np_str_obj_array_pattern = re.compile(r"[SaUO]")


def default_convert(data: Any) -> Any:
    """NumPy arrays and numbers in ``data`` as tensors; all else as it is.

    It is the ``collate_fn`` of a ``DataLoader`` that does not batch (``batch_size=None``).

    Args:
        data: a sample: an array, or mappings and sequences (nested) that hold some.

    Returns:
        The same structure.
    """
    if isinstance(data, Tensor):
        return data
    kind = type(data)
    if kind.__module__ == "numpy" and not isinstance(data, np.str_ | np.bytes_):
        if kind is np.ndarray and np_str_obj_array_pattern.search(data.dtype.str):
            return data
        return _as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*(default_convert(item) for item in data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Join samples by the functions for their types, going down into mappings and sequences.

    Args:
        batch: the samples.
        collate_fn_map: for each type, ``function(batch, *, collate_fn_map)``; an exact type comes
            before the first of which the samples are instances.

    Returns:
        The batch.

    Raises:
        RuntimeError: sequences of different lengths.
        TypeError: samples of a type that there is no function for.
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        function = collate_fn_map.get(kind)
        if function is not None:
            return function(batch, collate_fn_map=collate_fn_map)
        for known, function in collate_fn_map.items():
            if isinstance(first, known):
                return function(batch, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        columns = {
            key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map)
            for key in first
        }
        return _like_mapping(first, columns)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(
            *(
                collate(column, collate_fn_map=collate_fn_map)
                for column in zip(*batch, strict=False)
            )
        )
    if isinstance(first, Sequence):
        if len(set(map(len, batch))) != 1:
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [
            collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=True)
        ]
        return parts if isinstance(first, tuple) else _like_sequence(first, parts)
    raise TypeError(default_collate_err_msg_format.format(kind))


def _like_mapping(example: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """``items`` in a mapping of the example's type, or in a dict where that takes none."""
    try:
        if isinstance(example, MutableMapping):
            # The type may have more to it than its items: a copy keeps that.
            clone = copy.copy(example)
            clone.update(items)
            return clone
        return type(example)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _like_sequence(example: Sequence[Any], items: list[Any]) -> Any:
    """``items`` in a sequence of the example's type, or in a list where that takes none."""
    try:
        if isinstance(example, MutableSequence):
            clone = copy.copy(example)
            for index, item in enumerate(items):
                clone[index] = item
            return clone
        return type(example)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _as_tensor(data: Any) -> Tensor:
    from flambeau.tensor.creation import as_tensor

    return as_tensor(data)


_BATCH_OF_INTS = {int}
_SMALL = 65536  # bytes of a batch: below, joining bytes takes a fraction of NumPy's time


def _stacked(tensors: Sequence[Tensor]) -> np.ndarray | None:
    """Tensors without history, alike in shape and dtype, on top of each other; None if not.

    It is done for every batch of a dataset in Python, so what is to be known of its tensors is
    gathered in lists and counted there, without a step in Python for each of them.
    """
    count = len(tensors)
    if list(map(type, tensors)).count(Tensor) != count:
        return None
    if True in [tensor._requires_grad for tensor in tensors]:
        return None
    for base in {tensor._base for tensor in tensors}:
        if base is not None and (base._rebased or base._requires_grad):
            return None  # views of what has a history, which they may not know of yet
    arrays = [tensor._array for tensor in tensors]
    if list(map(type, arrays)).count(np.ndarray) != count:
        return None
    first = arrays[0]
    shape, dtype = first.shape, first.dtype
    if [array.dtype for array in arrays].count(dtype) != count:
        return None
    if [array.shape for array in arrays].count(shape) != count:
        return None
    if not shape:
        return np.array([array[()] for array in arrays], dtype)
    if first.nbytes * count <= _SMALL and first.nbytes:
        try:
            return np.ndarray((count, *shape), dtype, bytearray().join(arrays))
        except (BufferError, TypeError, ValueError):
            pass  # rows that are not contiguous, or of a dtype that has no buffers
    return np.concatenate(arrays).reshape(count, *shape)


def collate_tensor_fn(
    batch: Sequence[Tensor], *, collate_fn_map: CollateMap | None = None
) -> Tensor:
    """Tensors stacked along a new first dimension."""
    stacked = _stacked(batch)
    if stacked is not None:
        return wrap(stacked)
    from flambeau.ops.shape import stack

    return stack(batch, 0)


def collate_numpy_array_fn(
    batch: Sequence[np.ndarray], *, collate_fn_map: CollateMap | None = None
) -> Any:
    """Arrays as tensors, stacked along a new first dimension."""
    dtype = batch[0].dtype
    if np_str_obj_array_pattern.search(dtype.str):
        raise TypeError(default_collate_err_msg_format.format(dtype))
    return collate([_as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(
    batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None
) -> Tensor:
    """NumPy numbers as a tensor of their dtype."""
    return _as_tensor(batch)


def collate_float_fn(batch: Sequence[float], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Python floats as a float64 tensor."""
    return wrap(np.array(batch, np.float64))


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Python ints as an int64 tensor, bools as a bool tensor."""
    if set(map(type, batch)) == _BATCH_OF_INTS:
        return wrap(np.array(batch, np.int64))
    from flambeau.tensor.creation import tensor

    return tensor(batch)


def collate_str_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Strings and bytes as they are."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence[Any]) -> Any:
    """Join samples to a batch: what a ``DataLoader`` does by default.

    Args:
        batch: the samples, all alike. Tensors and NumPy arrays are stacked, floats and ints become
            float64 and int64 tensors, strings and bytes stay a list; of mappings, named tuples and
            sequences the items are joined each by themselves (a tuple becomes a list).

    Returns:
        The batch, in the form of a sample.

    Raises:
        RuntimeError: tensors of different shapes, or sequences of different lengths.
        TypeError: samples of any other type.

    Source: ``torch.utils.data.default_collate``.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collates_by_default(collate_fn: Any) -> bool:
    """Whether ``collate_fn`` is :func:`default_collate`, with tensors stacked as ever."""
    return collate_fn is default_collate and (
        default_collate_fn_map.get(Tensor) is collate_tensor_fn
    )
