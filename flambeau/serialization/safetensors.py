"""The safetensors format: a table in JSON, and the tensors' bytes.

Eight bytes say how long the table is; the table gives each tensor's dtype, shape and place; the
bytes follow. There is nothing in it that could run, and tensors are used where they lie in the
mapped file.

Source: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .atomic import replacing
from .rebuild import _tensor
from .storage import Storage, contiguous_stride, place, view

_DTYPES: dict[str, dtypes.dtype] = {
    "BOOL": dtypes.bool,
    "U8": dtypes.uint8,
    "I8": dtypes.int8,
    "U16": dtypes.uint16,
    "I16": dtypes.int16,
    "U32": dtypes.uint32,
    "I32": dtypes.int32,
    "U64": dtypes.uint64,
    "I64": dtypes.int64,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "F32": dtypes.float32,
    "F64": dtypes.float64,
    "C64": dtypes.complex64,
    "F8_E4M3": dtypes.float8_e4m3fn,
    "F8_E5M2": dtypes.float8_e5m2,
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_LARGEST_TABLE = 100_000_000


def load_file(filename: str | os.PathLike[str], device: str = "cpu") -> dict[str, Tensor]:
    """Load a safetensors file.

    The file is mapped: a tensor's bytes are read when they are used, and writing to a tensor does
    not change the file.

    Args:
        filename: the file.
        device: where the tensors shall be.

    Returns:
        The tensors by name.

    Raises:
        RuntimeError: the file is truncated, corrupt, or holds what it should not.
        OSError: it cannot be read.
    """
    name = os.fspath(filename)
    with open(name, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        table, start = _table(file.read(8), file, size, name)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    tensors: dict[str, Tensor] = {}
    spans: list[tuple[int, int, str]] = []
    for key, entry in table.items():
        if key == "__metadata__":
            continue
        dtype, shape, begin, end = _entry(key, entry, size - start, name)
        spans.append((begin, end, key))
        offset = start + begin
        if sys.byteorder == "little" and offset % dtype.itemsize == 0:
            memory = np.frombuffer(mapped, np.uint8, end - begin, offset)
        else:
            memory = np.frombuffer(mapped[offset : start + end], np.uint8).copy()
            if sys.byteorder != "little":
                memory = _swapped(memory, dtype)
        array = view(Storage(memory, dtype), dtype, 0, shape, contiguous_stride(shape))
        tensors[key] = _tensor(array, device)
    _check_spans(spans, size - start, name)
    return tensors


def metadata(filename: str | os.PathLike[str]) -> dict[str, str]:
    """The words that a safetensors file carries beside its tensors.

    Raises:
        RuntimeError: the file is truncated or corrupt.
    """
    name = os.fspath(filename)
    with open(name, "rb") as file:
        table, _ = _table(file.read(8), file, os.fstat(file.fileno()).st_size, name)
    return dict(table.get("__metadata__") or {})


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Save tensors by name in the safetensors format.

    The file is replaced as a whole, as :func:`flambeau.save` does.

    Args:
        tensors: the tensors; each is stored by itself, contiguous.
        filename: the file.
        metadata: words to carry along.

    Raises:
        RuntimeError: two tensors share memory, which the format cannot say.
        TypeError: a value is no tensor, or its dtype is none of the format's.
    """
    arrays: dict[str, np.ndarray] = {}
    owners: dict[int, tuple[str, Any]] = {}
    for key, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{key!r} is a {type(tensor).__name__}, and only tensors are saved")
        if tensor.dtype not in _CODES:
            raise TypeError(f"{key!r} is of dtype {tensor.dtype}, which safetensors does not have")
        array = tensor.detach().cpu()._array
        owner = place(array).owner
        other, _ = owners.setdefault(id(owner), (key, owner))
        if other != key and array.size:
            raise RuntimeError(
                f"{other!r} and {key!r} share memory, which a safetensors file cannot say: save "
                "one of them, or a clone(), or use torch.save"
            )
        arrays[key] = np.ascontiguousarray(array)
    # The largest items first, so that every tensor begins at a multiple of its item's size.
    order = sorted(arrays, key=lambda key: (-arrays[key].itemsize, key))
    table: dict[str, Any] = {}
    if metadata:
        table["__metadata__"] = {str(key): str(value) for key, value in metadata.items()}
    position = 0
    for key in order:
        array = arrays[key]
        table[key] = {
            "dtype": _CODES[tensors[key].dtype],
            "shape": list(tensors[key].shape),
            "data_offsets": [position, position + array.nbytes],
        }
        position += array.nbytes
    head = json.dumps(table, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with replacing(filename) as file:
        file.write(struct.pack("<Q", len(head)))
        file.write(head)
        for key in order:
            memory = arrays[key].reshape(-1).view(np.uint8)
            if sys.byteorder != "little":
                memory = _swapped(memory, tensors[key].dtype)
            file.write(memory.data)


def _swapped(memory: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    return memory.reshape(-1, width)[:, ::-1].reshape(-1).copy()


# -- checks ---------------------------------------------------------------------------------------


def _fail(name: str, what: str) -> NoReturn:
    raise RuntimeError(f"{name} is no safetensors file, or damaged: {what}")


def _table(head: bytes, file: Any, size: int, name: str) -> tuple[dict[str, Any], int]:
    if len(head) < 8:
        _fail(name, f"it has {len(head)} bytes")
    (length,) = struct.unpack("<Q", head)
    if length > min(size - 8, _LARGEST_TABLE):
        _fail(name, f"its table claims {length} bytes, and the file has {size}")
    raw = file.read(length)
    if len(raw) < length:
        _fail(name, "it ends within its table")
    try:
        table = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        _fail(name, f"its table is no JSON: {error}")
    if not isinstance(table, dict):
        _fail(name, "its table is no table")
    words = table.get("__metadata__")
    if words is not None and not (
        isinstance(words, dict) and all(isinstance(value, str) for value in words.values())
    ):
        _fail(name, "its metadata are no words")
    return table, 8 + length


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _entry(
    key: str, entry: Any, available: int, name: str
) -> tuple[dtypes.dtype, tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _fail(name, f"tensor {key!r:.100} is not described")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if code not in _CODES.values():
        _fail(name, f"tensor {key!r:.100} is of the unknown dtype {code!r:.50}")
    numbers = [*shape, *offsets] if isinstance(shape, list) and isinstance(offsets, list) else [-1]
    if any(type(number) is not int or number < 0 for number in numbers) or len(offsets) != 2:
        _fail(name, f"tensor {key!r:.100} has an impossible shape or place")
    dtype = _DTYPES[code]
    begin, end = offsets
    needed = math.prod(shape) * dtype.itemsize
    if len(shape) > 64 or end - begin != needed or end > available:
        _fail(
            name,
            f"tensor {key!r:.100} of shape {shape!r:.200} claims the bytes {begin} to {end} of "
            f"{available}, and takes {needed}",
        )
    return dtype, tuple(shape), begin, end


def _check_spans(spans: list[tuple[int, int, str]], available: int, name: str) -> None:
    position = 0
    for begin, end, key in sorted(spans):
        if begin != position:
            _fail(name, f"tensor {key!r:.100} begins at byte {begin}, and not at {position}")
        position = end
    if position != available:
        _fail(name, f"after its tensors it has {available - position} bytes more")
