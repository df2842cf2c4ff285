"""Storages: the stretch of memory under a tensor, and where in it the tensor lies.

A file keeps storages and, for each tensor, a storage, an offset, a size and a stride (counted in
elements). Tensors that share memory share a storage in the file too, and share it again when they
are loaded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import dtypes

STORAGE_NAMES: dict[str, dtypes.dtype] = {
    "DoubleStorage": dtypes.float64,
    "FloatStorage": dtypes.float32,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool,
    "ComplexDoubleStorage": dtypes.complex128,
    "ComplexFloatStorage": dtypes.complex64,
}
"""The names that a file gives to storages of each dtype; newer dtypes go as untyped bytes."""


class StorageType:
    """What a pickle means by ``torch FloatStorage``: the dtype that a storage's bytes have.

    Args:
        name: the name in the pickle.
        module: the module in the pickle.

    Raises:
        KeyError: there is no such storage.
    """

    def __init__(self, name: str, module: str = "torch") -> None:
        self.name = name
        self.module = module
        self.dtype = dtypes.uint8 if name == "UntypedStorage" else STORAGE_NAMES[name]

    def __repr__(self) -> str:
        return f"StorageType(dtype={self.dtype})"


UNTYPED = StorageType("UntypedStorage", "torch.storage")
STORAGE_TYPES: dict[str, StorageType] = {name: StorageType(name) for name in STORAGE_NAMES}
_TYPE_OF_DTYPE: dict[dtypes.dtype, StorageType] = {
    kind.dtype: kind for kind in STORAGE_TYPES.values()
}


def storage_named(module: str, name: str) -> StorageType | None:
    """What a pickle means by a name, if it names a storage."""
    if module not in ("torch", "torch.storage", "torch.cuda"):
        return None
    return UNTYPED if name == "UntypedStorage" else STORAGE_TYPES.get(name)


class Storage:
    """A stretch of bytes on a device.

    Args:
        memory: the bytes, a one-dimensional ``uint8`` array.
        dtype: the dtype that the file gives to them.
        device: where the tensors over it shall live (``"cpu"``, ``"cuda:0"``, ...).
    """

    def __init__(
        self, memory: np.ndarray, dtype: dtypes.dtype = dtypes.uint8, device: str = "cpu"
    ) -> None:
        self.memory = memory
        self.dtype = dtype
        self.device = device

    def nbytes(self) -> int:
        """Size in bytes."""
        return self.memory.nbytes

    def size(self) -> int:
        """Size in elements."""
        return self.memory.nbytes // self.dtype.itemsize

    __len__ = size

    def to(self, device: Any) -> Storage:
        """The same bytes for tensors on another device."""
        return Storage(self.memory, self.dtype, str(device))

    def cpu(self) -> Storage:
        """The same bytes for tensors on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Storage:
        """The same bytes for tensors on a GPU."""
        if device is None:
            return self.to("cuda")
        return self.to(f"cuda:{device}" if isinstance(device, int) else device)

    def __repr__(self) -> str:
        return f"Storage({self.size()} x {self.dtype}, device={self.device!r})"


class Placement(NamedTuple):
    """Where an array lies: ``owner`` is what the memory belongs to (its identity names the
    storage), ``memory`` the storage's bytes; offset and stride are in elements."""

    owner: Any
    memory: np.ndarray
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def contiguous_stride(size: tuple[int, ...]) -> tuple[int, ...]:
    """The stride of a row-major tensor of this size, as PyTorch counts it."""
    stride = []
    step = 1
    for length in reversed(size):
        stride.append(step)
        step *= max(length, 1)
    return tuple(reversed(stride))


def _span(array: np.ndarray) -> tuple[int, int]:
    """The addresses of an array's first byte and of the one after its last."""
    low = high = array.__array_interface__["data"][0]
    if array.size == 0:
        return low, high
    for length, step in zip(array.shape, array.strides, strict=True):
        if step > 0:
            high += (length - 1) * step
        else:
            low += (length - 1) * step
    return low, high + array.itemsize


def _flat_bytes(owner: np.ndarray, low: int, high: int) -> np.ndarray:
    """All bytes between an owner's first and last, without a copy."""
    order = sorted(range(owner.ndim), key=lambda axis: -owner.strides[axis])
    straight = owner.transpose(order)
    if straight.flags.c_contiguous:
        return np.asarray(straight.reshape(-1)).view(np.uint8)
    start = np.asarray(owner[(slice(0, 1),) * owner.ndim]).reshape(-1).view(np.uint8)
    return np.lib.stride_tricks.as_strided(start, shape=(high - low,), strides=(1,))


def place(array: np.ndarray) -> Placement:
    """Find the storage of an array and the array's place in it.

    The storage is all the memory of the array that the memory belongs to. An array that no file
    can describe (negative steps, steps that are no whole elements, foreign byte order) is copied.
    """
    itemsize = array.itemsize
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    owner: np.ndarray = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    low, high = _span(owner)
    begin, _ = _span(array)
    size = array.shape
    describable = (
        all(step >= 0 and step % itemsize == 0 for step in array.strides)
        and all(step >= 0 for step in owner.strides)
        and (begin - low) % itemsize == 0
        and (high - low) % itemsize == 0
    )
    if not describable:
        array = owner = np.array(array, order="C")
        low, high = _span(owner)
        begin = low
    if array.flags.c_contiguous:
        stride = contiguous_stride(size)
    else:
        stride = tuple(step // itemsize for step in array.strides)
    if high == low:
        return Placement(owner, np.empty(0, np.uint8), 0, size, stride)
    memory = _flat_bytes(owner, low, high)
    return Placement(owner, memory, (begin - low) // itemsize, size, stride)


def storage_type(dtype: dtypes.dtype) -> StorageType:
    """How a file names the storage of tensors of this dtype."""
    return _TYPE_OF_DTYPE.get(dtype, UNTYPED)


def view(
    storage: Storage,
    dtype: dtypes.dtype,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
) -> np.ndarray:
    """The array that lies at an offset of a storage, sharing its memory.

    Raises:
        RuntimeError: the numbers are no sizes, or reach outside the storage.
    """
    numbers = (offset, *size, *stride)
    if (
        len(size) != len(stride)
        or len(size) > 64
        or any(type(number) is not int or number < 0 for number in numbers)
    ):
        raise RuntimeError(
            f"a tensor of size {tuple(size)!r}, stride {tuple(stride)!r} and storage offset "
            f"{offset!r} cannot be: all must be whole numbers from 0 on, one stride for each size"
        )
    itemsize = dtype.itemsize
    count = 1
    last = offset
    for length, step in zip(size, stride, strict=True):
        count *= length
        last += (length - 1) * step
    needed = (last + 1) * itemsize if count else offset * itemsize
    if needed > storage.nbytes():
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, "
            f"and itemsize {itemsize} requiring a storage size of {needed} are out of bounds for "
            f"storage of size {storage.nbytes()}"
        )
    numpy_dtype = dtype.numpy
    if count and stride == contiguous_stride(size):
        start = offset * itemsize
        flat = storage.memory[start : start + count * itemsize].view(numpy_dtype)
        return flat.reshape(size)
    return np.ndarray(
        size,
        numpy_dtype,
        buffer=storage.memory,
        offset=offset * itemsize,
        strides=[step * itemsize for step in stride],
    )
