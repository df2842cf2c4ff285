"""Devices: where a tensor's array lives.

Source: https://pytorch.org/docs/stable/tensor_attributes.html#torch-device
"""

from __future__ import annotations

from typing import Any

import numpy as np

_TYPES = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, "
    "mps, meta, hpu, mtia, privateuseone"
)
_KNOWN = frozenset(_TYPES.split(", ")) | {"tpu"}


class device:
    """A device's type and index.

    Args:
        type: ``"cpu"``, ``"cuda:1"``, another device, a type with ``index`` apart, or an int for a
            CUDA device.
        index: the ordinal of the device among those of its type.

    Raises:
        RuntimeError: there is no such type of device, or two indices are given.
        TypeError: ``type`` is of another kind.
    """

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            name, found = type.type, type.index
        elif isinstance(type, bool):
            raise TypeError("device(): argument 'type' must be str or int, not bool")
        elif isinstance(type, int):
            name, found = "cuda", type
        elif isinstance(type, str):
            name, colon, number = type.partition(":")
            if colon and not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            found = int(number) if colon else None
        else:
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        if name not in _KNOWN:
            raise RuntimeError(
                f"Expected one of {_TYPES} device type at start of device string: {name}"
            )
        if index is not None:
            if found is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed "
                    f"explicitly: {type}"
                )
            found = int(index)
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", found)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type='{self.type}')"
        return f"device(type='{self.type}', index={self.index})"

    def __reduce__(self) -> Any:
        return device, (self.type,) if self.index is None else (self.type, self.index)

    def __enter__(self) -> device:
        _DEFAULT.append(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _DEFAULT.pop()


CPU = device("cpu")
_DEFAULT: list[device] = [CPU]


def get_default_device() -> device:
    """The device on which tensors are made where none is said."""
    return _DEFAULT[-1]


def set_default_device(device_: Any) -> None:
    """Make tensors on ``device_`` where none is said (None: on the CPU).

    Raises:
        RuntimeError: no such device is available.
        AssertionError: a CUDA device, where there is none.
    """
    _DEFAULT[-1] = resolve(device_) if device_ is not None else CPU


def device_of(array: Any) -> device:
    """The device that ``array`` lives on."""
    if array.__class__ is np.ndarray:
        return CPU
    from .namespaces import namespace_of

    of = getattr(namespace_of(array), "device_of", None)
    return CPU if of is None else of(array)


def resolve(wanted: Any) -> device:
    """The device meant by a user's ``device=`` argument, which must be one that is here.

    Raises:
        RuntimeError: this machine or installation has no such device.
        AssertionError: the same for a CUDA device, as PyTorch has it.
    """
    if wanted is None:
        return _DEFAULT[-1]
    found = wanted if isinstance(wanted, device) else device(wanted)
    if found.type == "cpu":
        return found
    if found.type == "cuda":
        raise AssertionError(
            "Torch not compiled with CUDA enabled: flambeau has no CUDA device here; use "
            "device='cpu'"
        )
    raise RuntimeError(f"device '{found}' is not available: flambeau runs on 'cpu' here")
