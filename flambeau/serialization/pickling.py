"""Writing pickles in which tensors are references to storages and classes have PyTorch's names."""

from __future__ import annotations

import copyreg
import pickle
import sys
import warnings
from collections import OrderedDict
from types import FunctionType
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from . import rebuild
from .names import pytorch_name
from .storage import STORAGE_NAMES, Placement, Storage, StorageType, place, storage_type


class _Reference:
    """A storage in the object being saved; it becomes a persistent id."""

    __slots__ = ("key", "kind", "count", "location")

    def __init__(self, key: str, kind: StorageType, count: int, location: str) -> None:
        self.key = key
        self.kind = kind
        self.count = count
        self.location = location


class Storages:
    """The storages met while an object is pickled, each once, in the order of their keys."""

    def __init__(self) -> None:
        self.memory: dict[str, np.ndarray] = {}
        self.itemsize: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, dtypes.dtype] = {}
        self._kept: list[Any] = []  # an owner's id is its own only while it lives

    def reference(self, owner: Any, memory: np.ndarray, dtype: dtypes.dtype, location: str) -> Any:
        """The reference to a storage, which is remembered for writing."""
        identity = id(owner)
        if self._dtypes.setdefault(identity, dtype) is not dtype and memory.nbytes:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                f"types: one is {self._dtypes[identity]}, another {dtype}. Save a clone() of one."
            )
        key = self._keys.get(identity)
        if key is None:
            key = self._keys[identity] = str(len(self._keys))
            self.memory[key] = memory
            self._kept.append(owner)
        kind = storage_type(dtype)
        self.itemsize[key] = kind.dtype.itemsize
        return _Reference(key, kind, memory.nbytes // kind.dtype.itemsize, location)


def _location(device: Any) -> str:
    """How a file tags a storage: ``cpu``, ``cuda:0``."""
    text = str(device)
    return "cuda:0" if text == "cuda" else text


def _reduce_plain(tensor: Tensor, storages: Storages, requires_grad: bool) -> tuple:
    """The call that rebuilds a tensor from its storage."""
    location = _location(tensor.device)
    array = tensor._array
    if not isinstance(array, np.ndarray):
        # Memory of an accelerator: PyTorch's XLA tensors go the same way.
        host = tensor.detach().cpu()
        if tensor.device.type == "cuda":
            array = host._array
        else:
            return rebuild._rebuild_device_tensor_from_cpu_tensor, (
                host,
                tensor.dtype,
                str(tensor.device),
                requires_grad,
            )
    placed: Placement = place(array)
    dtype = tensor.dtype
    reference = storages.reference(placed.owner, placed.memory, dtype, location)
    arguments: tuple[Any, ...] = (
        reference,
        placed.offset,
        placed.size,
        placed.stride,
        requires_grad,
        OrderedDict(),
    )
    if dtype in _LEGACY_DTYPES:
        return rebuild._rebuild_tensor_v2, arguments
    return rebuild._rebuild_tensor_v3, (*arguments, dtype)


_LEGACY_DTYPES = frozenset(STORAGE_NAMES.values())


def _reduce_tensor(tensor: Tensor, storages: Storages) -> tuple:
    requires_grad = tensor.requires_grad  # asked first: it brings a view up to date
    if tensor._hooks:
        warnings.warn(
            f"backward hook {list(tensor._hooks.values())!r} on tensor will not be serialized.  "
            "If this is expected, remove the hook before saving (handle.remove())",
            stacklevel=2,
        )
    state = _state(tensor)
    # nn lies above this layer; what it has not imported yet, nothing is an instance of.
    parameters = sys.modules.get("flambeau.nn.parameter")
    if parameters is not None and parameters.is_lazy(tensor):
        return type(tensor), (requires_grad,)
    if parameters is not None and type(tensor) is parameters.Parameter:
        arguments: tuple[Any, ...] = (_AsTensor(tensor), requires_grad, OrderedDict())
        if state:
            return rebuild._rebuild_parameter_with_state, (*arguments, state)
        return rebuild._rebuild_parameter, arguments
    function, arguments = _reduce_plain(tensor, storages, requires_grad)
    if type(tensor) is Tensor and not state:
        return function, arguments
    return rebuild._rebuild_from_type_v2, (function, type(tensor), arguments, state)


class _AsTensor:
    """A parameter's data: pickled as the plain tensor that the parameter is made from."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _state(tensor: Tensor) -> Any:
    """The attributes that the program has set on a tensor; None where it has set none."""
    own = {
        name: value for name, value in tensor.__dict__.items() if not rebuild.is_tensors_own(name)
    }
    slots = {
        name: getattr(tensor, name)
        for name in copyreg._slotnames(type(tensor))  # type: ignore[attr-defined]
        if not rebuild.is_tensors_own(name) and hasattr(tensor, name)
    }
    return (own, slots) if slots else own or None


def _reduce_generator(generator: Any) -> tuple:
    return (
        type(generator),
        (generator.device,),
        (generator.initial_seed(), None, generator.get_state()),
    )


_PLAIN = frozenset(
    (int, float, complex, bool, str, bytes, tuple, list, dict, set, type(None), OrderedDict)
)


def pickler_class(pickle_module: Any) -> type:
    """A pickler of this module that writes PyTorch's names and storages' references.

    The pickler in C verifies a name by importing it, and PyTorch's names cannot be imported here,
    so the one in Python is used.
    """
    base = pickle._Pickler if pickle_module is pickle else pickle_module.Pickler  # type: ignore[attr-defined]

    class Pickler(base):  # type: ignore[misc, valid-type]
        def __init__(self, file: Any, protocol: int, storages: Storages) -> None:
            super().__init__(file, protocol=protocol)
            self._storages = storages

        def persistent_id(self, obj: Any) -> Any:
            if type(obj) is _Reference:
                return "storage", obj.kind, obj.key, obj.location, obj.count
            if type(obj) is Storage:
                reference = self._storages.reference(obj, obj.memory, dtypes.uint8, obj.device)
                return self.persistent_id(reference)
            return None

        def reducer_override(self, obj: Any) -> Any:
            kind = type(obj)
            if kind in _PLAIN:
                return NotImplemented
            if isinstance(obj, Tensor):
                return _reduce_tensor(obj, self._storages)
            if kind is _AsTensor:
                return _reduce_plain(obj.tensor, self._storages, requires_grad=False)
            if kind is StorageType:
                return obj.name
            if kind is dtypes.dtype:
                return obj.name
            if kind.__module__.startswith("flambeau."):
                if kind.__name__ == "Size":
                    return kind, (tuple(obj),)
                if kind.__name__ == "device":
                    index = () if obj.index is None else (obj.index,)
                    return kind, (obj.type, *index)
                if kind.__name__ == "Generator":
                    return _reduce_generator(obj)
            previous = getattr(super(), "reducer_override", None)
            return NotImplemented if previous is None else previous(obj)

        def save_global(self, obj: Any, name: str | None = None) -> None:
            if type(obj) is StorageType:
                pair: tuple[str, str] | None = (obj.module, obj.name)
            elif type(obj) is dtypes.dtype:
                pair = "torch", obj.name
            else:
                pair = pytorch_name(obj, name)
            if pair is None:
                super().save_global(obj, name)
                return
            module, qualified = pair
            if self.proto >= 4:
                self.save(module)
                self.save(qualified)
                self.write(pickle.STACK_GLOBAL)
            else:
                self.write(pickle.GLOBAL + f"{module}\n{qualified}\n".encode())
            self.memoize(obj)

    if hasattr(base, "dispatch"):
        Pickler.dispatch = {**base.dispatch, FunctionType: Pickler.save_global}
    return Pickler
