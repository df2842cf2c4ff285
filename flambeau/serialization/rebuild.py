"""The functions that PyTorch's pickles call to rebuild tensors, under the names they have there."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor, wrap
from .storage import Storage, view


def _tensor(array: np.ndarray, device: str) -> Tensor:
    tensor = wrap(array)
    return tensor if device == "cpu" else tensor.to(device)


def _check_storage(storage: Any) -> None:
    if not isinstance(storage, Storage):
        raise RuntimeError(f"a tensor needs a storage, and the file gives {type(storage)}")


def _finish(tensor: Tensor, requires_grad: bool, metadata: Any, storage: Storage) -> Tensor:
    if metadata:
        if not isinstance(metadata, dict) or not set(metadata) <= {"conj", "neg"}:
            raise RuntimeError(f"unknown properties of a tensor: {metadata!r}")
        # PyTorch keeps conjugation and negation as marks on a view; here they are carried out.
        if tensor.numel() > storage.size():
            raise RuntimeError("a conjugate view larger than its storage is not materialised")
        if metadata.get("conj"):
            tensor = wrap(np.conj(tensor._array))
        if metadata.get("neg"):
            tensor = wrap(np.negative(tensor._array))
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _rebuild_tensor(
    storage: Storage, storage_offset: int, size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    _check_storage(storage)
    array = view(storage, storage.dtype, storage_offset, tuple(size), tuple(stride))
    return _tensor(array, storage.device)


def _rebuild_tensor_v2(
    storage: Storage,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    metadata: Any = None,
) -> Tensor:
    tensor = _rebuild_tensor(storage, storage_offset, size, stride)
    return _finish(tensor, requires_grad, metadata, storage)


def _rebuild_tensor_v3(
    storage: Storage,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    dtype: dtypes.dtype,
    metadata: Any = None,
) -> Tensor:
    _check_storage(storage)
    if not isinstance(dtype, dtypes.dtype):
        raise RuntimeError(f"a tensor needs a dtype, and the file gives {type(dtype)}")
    array = view(storage, dtype, storage_offset, tuple(size), tuple(stride))
    return _finish(_tensor(array, storage.device), requires_grad, metadata, storage)


def _parameter_class() -> type[Tensor]:
    # nn lies above this layer: found when a file asks for it.
    return importlib.import_module("flambeau.nn.parameter").Parameter


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise RuntimeError(f"a parameter needs a tensor, and the file gives {type(data)}")
    return _parameter_class()(data, requires_grad)  # type: ignore[call-arg]


def _rebuild_parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: Any, state: Any
) -> Tensor:
    return _set_state(_rebuild_parameter(data, requires_grad, backward_hooks), state)


def _rebuild_device_tensor_from_cpu_tensor(
    data: Tensor, dtype: dtypes.dtype, device: str, requires_grad: bool
) -> Tensor:
    if not (isinstance(data, Tensor) and isinstance(dtype, dtypes.dtype)):
        raise RuntimeError("a device tensor needs a tensor and a dtype")
    tensor = data.to(device=device, dtype=dtype)
    tensor.requires_grad = bool(requires_grad)
    return tensor


def _rebuild_from_type_v2(func: Any, new_type: type, args: tuple, state: Any) -> Tensor:
    tensor = func(*args)
    if type(tensor) is not new_type:
        tensor = tensor.as_subclass(new_type)
    return _set_state(tensor, state)


_LAYOUTS = ("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")


def _get_layout(name: str) -> Any:
    short = str(name).removeprefix("torch.")
    layout = getattr(importlib.import_module("flambeau"), short, None)
    if short not in _LAYOUTS or layout is None:
        raise RuntimeError(f"flambeau has no layout {name!r}")
    return layout


def is_tensors_own(name: str) -> bool:
    """Whether an attribute of a tensor is the library's, not the program's."""
    return hasattr(Tensor, name) or name in Tensor.__annotations__


def _set_state(tensor: Tensor, state: Any) -> Tensor:
    """Give a tensor the attributes that the program had set on it."""
    parts = state if isinstance(state, tuple) else (state,)
    for part in parts:
        for name, value in (part or {}).items():
            if not isinstance(name, str) or is_tensors_own(name):
                raise RuntimeError(f"the file would overwrite the tensor's own {name!r}")
            setattr(tensor, name, value)
    return tensor


REBUILDERS = (
    _rebuild_tensor,
    _rebuild_tensor_v2,
    _rebuild_tensor_v3,
    _rebuild_parameter,
    _rebuild_parameter_with_state,
    _rebuild_device_tensor_from_cpu_tensor,
    _rebuild_from_type_v2,
    _get_layout,
)
"""What a file may call to rebuild a tensor."""
