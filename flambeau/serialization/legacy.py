"""PyTorch's format from before version 1.6: pickles one after the other, then the storages.

A magic number, a protocol version, a description of the machine, the object, the list of the
storages' keys (each a pickle), and for each storage its count of elements and its bytes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from .pickling import Storages, pickler_class
from .storage import Storage, StorageType
from .unpickling import RestrictedUnpickler, UnpicklingError, unrestricted_unpickler

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


def save_legacy(obj: object, file: BinaryIO, pickle_module: Any, protocol: int) -> None:
    """Write an object as PyTorch before 1.6 did."""
    storages = Storages()
    system = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    for header in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        pickle_module.dump(header, file, protocol=protocol)
    base = pickler_class(pickle_module)

    class LegacyPickler(base):  # type: ignore[misc, valid-type]
        def persistent_id(self, obj: Any) -> Any:
            reference = super().persistent_id(obj)
            return None if reference is None else (*reference, None)  # None: not a view

    LegacyPickler(file, protocol, storages).dump(obj)
    keys = sorted(storages.memory)
    pickle_module.dump(keys, file, protocol=protocol)
    for key in keys:
        memory = np.ascontiguousarray(storages.memory[key])
        itemsize = storages.itemsize[key]
        file.write((memory.nbytes // itemsize).to_bytes(8, "little"))
        file.write(_little_endian(memory, itemsize).data)


def _little_endian(memory: np.ndarray, itemsize: int) -> np.ndarray:
    if sys.byteorder == "little" or itemsize == 1:
        return memory
    return memory.reshape(-1, itemsize)[:, ::-1].reshape(-1).copy()


class _Storages:
    """Storages named by the pickle, allocated against what is left of the file, filled later."""

    def __init__(self, available: int) -> None:
        self.available = available
        self.by_key: dict[str, Storage] = {}
        self.locations: dict[str, str] = {}
        self.views: dict[str, Storage] = {}

    def load(self, reference: tuple) -> Any:
        kind = _text(reference[0])
        if kind == "module":
            return reference[1]
        if kind != "storage" or len(reference) not in (5, 6):
            raise RuntimeError(f"Unknown saved id type: {kind!r}")
        _, storage_type, key, location, count = reference[:5]
        key = _text(key)
        if type(storage_type) is not StorageType or type(count) is not int or count < 0:
            raise UnpicklingError(f"no storage is described by {reference[:5]!r:.200}")
        storage = self.by_key.get(key)
        if storage is None:
            size = count * storage_type.dtype.itemsize
            self.available -= size
            if self.available < 0:
                raise RuntimeError(
                    f"storage {key} claims {count} elements of {storage_type.dtype}, "
                    "which is more than the file holds"
                )
            storage = Storage(np.empty(size, np.uint8), storage_type.dtype)
            self.by_key[key] = storage
            self.locations[key] = _text(location)
        part = reference[5] if len(reference) == 6 else None
        if part is None:
            return storage
        view_key, offset, length = part
        if type(offset) is not int or type(length) is not int or min(offset, length) < 0:
            raise UnpicklingError(f"no part of a storage is described by {part!r:.200}")
        itemsize = storage.dtype.itemsize
        memory = storage.memory[offset * itemsize : (offset + length) * itemsize]
        return self.views.setdefault(
            _text(view_key), Storage(memory, storage.dtype, storage.device)
        )

    def place(self, locate: Callable[[Storage, str], Storage]) -> bool:
        """Give the storages, filled now, their devices; True where one has moved."""
        placed = {key: locate(storage, self.locations[key]) for key, storage in self.by_key.items()}
        moved = any(placed[key] is not storage for key, storage in self.by_key.items())
        self.by_key = placed
        self.views.clear()
        return moved


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    if type(value) is not str:
        raise UnpicklingError(f"a name is needed, got {type(value)}")
    return value


def load_legacy(
    file: BinaryIO,
    name: str,
    locate: Callable[[Storage, str], Storage],
    pickle_module: Any,
    arguments: dict[str, Any],
) -> Any:
    """Read an object that PyTorch before 1.6 wrote, or raise saying that this is no such file.

    Args:
        file: at the object's beginning.
        name: what error messages call the file.
        locate: gives a storage its device from the file's tag.
        pickle_module: whose unpickler reads; None for the restricted one.
        arguments: for that unpickler.
    """
    start = file.tell()
    data = file.read()
    if not data:
        raise EOFError(f"Ran out of input: {name} is empty. It was never written, or not copied.")
    reader = _Pickles(data, pickle_module, arguments)
    storages = _Storages(len(data))
    magic = None
    if data[0] == 0x80:
        magic = reader.next(storages)
    if magic != MAGIC_NUMBER:
        shown = bytes(data[:16])
        what = (
            f"Invalid magic number; corrupt file? {name} is not a file that torch.save has "
            f"written: it begins with {shown!r}"
        )
        if data[257:262] == b"ustar":
            what += ", which is a tar archive (PyTorch before 0.1.10), no longer read"
        elif shown[:8] == b"version ":
            what += ", as git-lfs's placeholders for files do: fetch the file (git lfs pull)"
        elif shown[:2] == b"\x1f\x8b":
            what += ", which is gzip: unpack it first"
        elif shown[:8] == b"\x89HDF\r\n\x1a\n":
            what += ", which is HDF5 (Keras or h5py)"
        elif shown[:6] == b"\x93NUMPY":
            what += ", which is NumPy's: use numpy.load"
        if pickle_module is None:
            raise UnpicklingError(what)
        raise RuntimeError(what)
    version = reader.next(storages)
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version} ({name})")
    reader.next(storages)  # the machine that wrote it; the storages are little-endian from all
    object_start = reader.position
    result = reader.next(storages)
    keys = reader.next(storages)
    if type(keys) is not list or {_text(key) for key in keys} != set(storages.by_key):
        raise RuntimeError(f"{name}: its list of storages is not that of the object it holds")
    position = reader.position
    for key in keys:
        storage = storages.by_key[_text(key)]
        size = storage.memory.nbytes
        count = int.from_bytes(data[position : position + 8], "little")
        itemsize = storage.dtype.itemsize
        position += 8
        if count * itemsize != size or position + size > len(data):
            raise RuntimeError(
                f"{name}: storage {_text(key)} should have {size // itemsize} elements, and the "
                f"file has {min(count, (len(data) - position) // itemsize)}: it was not saved or "
                "copied completely"
            )
        piece = np.frombuffer(data, np.uint8, size, position)
        storage.memory[:] = _little_endian(piece, itemsize)
        position += size
    file.seek(start + position)
    if storages.place(locate):
        reader.seek(object_start)
        result = reader.next(storages)
    return result


class _Pickles:
    """Pickles that follow one another in the same bytes."""

    def __init__(self, data: bytes, pickle_module: Any, arguments: dict[str, Any]) -> None:
        self.data = data
        self.position = 0
        self.arguments = arguments
        self.unpickler: Any = None
        if pickle_module is not None:
            self.unpickler = unrestricted_unpickler(pickle_module)
            self.stream = io.BytesIO(data)

    def seek(self, position: int) -> None:
        self.position = position
        if self.unpickler is not None:
            self.stream.seek(position)

    def next(self, storages: _Storages) -> Any:
        if self.unpickler is not None:
            reader = self.unpickler(self.stream, **self.arguments)
            reader.persistent_load = storages.load
            result = reader.load()
            self.position = self.stream.tell()
            return result
        restricted = RestrictedUnpickler(
            self.data, storages.load, self.position, self.arguments.get("encoding", "utf-8")
        )
        result = restricted.load()
        self.position = restricted.position
        return result
