"""``flambeau.load``.

Source: https://pytorch.org/docs/stable/generated/torch.load.html
"""

from __future__ import annotations

import contextlib
import io
import mmap as memory_map
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from .. import dtypes
from ..device import device as Device
from ..device import resolve as resolve_device
from .archive import ArchiveReader, is_zip
from .legacy import load_legacy
from .storage import Storage, StorageType
from .unpickling import (
    RestrictedUnpickler,
    UnpicklingError,
    globals_named,
    unrestricted_unpickler,
)

MapLocation = Callable[[Storage, str], Any] | Device | str | dict[str, str] | None

_UNSAFE = (
    "Re-running `torch.load` with `weights_only` set to `False` will likely succeed, but it can "
    "result in arbitrary code execution. Do it only if you got the file from a trusted source."
)


def load(
    f: str | os.PathLike[str] | BinaryIO,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Load an object that :func:`flambeau.save` or PyTorch's ``torch.save`` has written.

    With ``weights_only=True`` a file can only build tensors, numbers, strings and containers,
    and what the program has allowed with
    :func:`flambeau.serialization.add_safe_globals`. With ``weights_only=False`` it can run
    anything: do that only with files that you trust.

    Args:
        f: a path, or a seekable file object open for reading in binary mode.
        map_location: where storages go: a device, a dict from the file's location tags to others,
            or a function of (storage, tag) that returns a storage or None.
        pickle_module: whose ``Unpickler`` reads, with ``weights_only=False``.
        weights_only: True if not given (False where a ``pickle_module`` is).
        mmap: map the file instead of reading it; tensors are read when they are used.
        pickle_load_args: for the unpickler, with ``weights_only=False``; ``encoding``.

    Returns:
        The object.

    Raises:
        pickle.UnpicklingError: the file names something that is not allowed, or is no pickle.
        RuntimeError: the file is truncated or corrupt, or names a device that is not here.
        OSError: it cannot be read.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.load.html
    """
    weights_only = _weights_only(weights_only, pickle_module)
    if weights_only:
        if pickle_module is not None:
            raise RuntimeError(
                "Can not safely load weights when explicit pickle_module is specified: leave out "
                "pickle_module, or pass weights_only=False if you trust the file"
            )
        if set(pickle_load_args) - {"encoding"}:
            warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    pickle_load_args.setdefault("encoding", "utf-8")
    reading = None if weights_only else (pickle_module or pickle)
    locate = _locator(map_location)
    path = os.fspath(f) if isinstance(f, (str, os.PathLike)) else None
    if mmap and path is None:
        raise ValueError("f must be a file path in order to use the mmap argument")
    if path is not None and path.endswith(".safetensors"):
        return _load_safetensors(path, map_location)
    with _opened(f) as file, _explained(_name(f), weights_only) as name:
        start = file.tell()
        head = file.read(4)
        file.seek(start)
        if is_zip(head):
            archive = ArchiveReader(file, name)
            if "constants.pkl" in archive:
                raise RuntimeError(
                    f"{name} is a TorchScript archive (torch.jit.save), which holds a compiled "
                    "program: save the model's state_dict with torch.save and load that"
                )
            return _load_archive(archive, path if mmap else None, locate, reading, pickle_load_args)
        if mmap:
            raise RuntimeError(
                "mmap can only be used with files saved with "
                f"`torch.save({path}, _use_new_zipfile_serialization=True), "
                "please torch.save your checkpoint with this option in order to use mmap."
            )
        return load_legacy(file, name, locate, reading, pickle_load_args)


def _weights_only(wanted: bool | None, pickle_module: Any) -> bool:
    """The argument, or its default, or what PyTorch's environment variables force."""
    true = ("1", "y", "yes", "true")
    force = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0").lower() in true
    force_not = os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() in true
    if force and force_not:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` "
            "should be set, but both were set."
        )
    if force:
        return True
    if wanted is not None:
        return wanted
    if force_not:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the "
            "`weights_only` argument was not explicitly passed to `torch.load`, forcing "
            "weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        return False
    return pickle_module is None


def _name(f: Any) -> str:
    """What error messages call a file."""
    if isinstance(f, (str, os.PathLike)):
        return os.fspath(f)
    name = getattr(f, "name", None)
    return name if isinstance(name, str) else f"the given {type(f).__name__}"


@contextlib.contextmanager
def _opened(f: Any) -> Iterator[BinaryIO]:
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            yield file
        return
    if isinstance(f, io.TextIOBase):
        raise TypeError(
            "torch.load reads bytes, and the file is open for text: open(path, 'rb') opens it for "
            "bytes"
        )
    try:
        f.seek(f.tell())
    except (OSError, AttributeError) as error:
        kind = AttributeError if isinstance(error, AttributeError) else io.UnsupportedOperation
        raise kind(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the "
            "data into a buffer like io.BytesIO and try to load from it instead."
        ) from None
    yield f


@contextlib.contextmanager
def _explained(name: str, weights_only: bool) -> Iterator[str]:
    """Put the file's name and the way out into what went wrong while reading it."""
    try:
        yield name
    except UnpicklingError as error:
        message = str(error)
        if not weights_only:
            raise UnpicklingError(f"{name}: {message}") from error
        raise UnpicklingError(_weights_only_message(name, message)) from None
    except RuntimeError as error:
        if name in str(error) or type(error) is not RuntimeError:
            raise
        raise RuntimeError(f"{name}: {error}") from error
    except EOFError as error:
        if name in str(error):
            raise
        raise EOFError(f"{name}: {error}; it was not saved or copied completely") from error
    except (AttributeError, ImportError) as error:
        error.add_note(f"while loading {name}")
        raise


def _weights_only_message(name: str, message: str) -> str:
    if "was not an allowed global by default" in message:
        return (
            f"Weights only load failed. {name} can still be loaded, to do so you have two "
            "options, do those steps only if you trust the source of the checkpoint.\n"
            f"\t(1) {_UNSAFE}\n"
            "\t(2) Alternatively, to load with `weights_only=True` please check the recommended "
            "steps in the following error message.\n"
            f"\tWeightsUnpickler error: {message}"
        )
    if "is blocked" in message:
        return (
            f"Weights only load failed. {name} asks for what no model needs, and was perhaps "
            f"made to do harm.\n\n{message}"
        )
    return f"Weights only load failed. {name} is damaged, or no checkpoint.\n\n{message}"


# -- devices --------------------------------------------------------------------------------------


def _locator(map_location: MapLocation) -> Callable[[Storage, str], Storage]:
    """What gives a storage its device from the file's tag."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        mapping = map_location
        return lambda storage, tag: default_restore_location(storage, str(mapping.get(tag, tag)))
    if isinstance(map_location, (str, Device)):
        target = str(map_location)
        return lambda storage, tag: default_restore_location(storage, target)
    if not callable(map_location):
        raise TypeError(
            "map_location must be a device, a string, a dict or a function, got "
            f"{type(map_location).__name__}"
        )
    function = map_location

    def locate(storage: Storage, tag: str) -> Storage:
        found = function(storage, tag)
        if found is None:
            return default_restore_location(storage, tag)
        if not isinstance(found, Storage):
            raise TypeError(
                "a map_location function returns the storage, storage.to(device), or None, and "
                f"this one returned {type(found).__name__}"
            )
        return (
            found
            if found.device == storage.device
            else default_restore_location(found, found.device)
        )

    return locate


def default_restore_location(storage: Storage, location: str) -> Storage:
    """``storage`` on the device that a file's tag names: what :func:`load` does by itself.

    Args:
        storage: as read.
        location: ``"cpu"``, or another device.

    Returns:
        The storage there.

    Raises:
        RuntimeError: there is no such device.
    """
    if location == "cpu":
        return storage
    kind = location.partition(":")[0]
    try:
        device = resolve_device(location)
    except (RuntimeError, AssertionError) as error:
        raise RuntimeError(
            f"Attempting to deserialize object on a {kind.upper()} device but "
            f"torch.{kind}.is_available() is False. If you are running on a CPU-only machine, "
            "please use torch.load with map_location=torch.device('cpu') to map your storages to "
            f"the CPU. (The file's tag is {location!r}: {error})"
        ) from None
    return storage.to(device)


# -- archives -------------------------------------------------------------------------------------


class _ArchiveStorages:
    """Reads each storage of an archive when the pickle first asks for it."""

    def __init__(
        self,
        archive: ArchiveReader,
        path: str | None,
        locate: Callable[[Storage, str], Storage],
    ) -> None:
        self.archive = archive
        self.locate = locate
        self.map = _mapped(path) if path is not None else None
        self.swap = _byte_order(archive) != sys.byteorder
        self.by_key: dict[str, Storage] = {}

    def load(self, reference: tuple) -> Storage:
        if len(reference) != 5:
            raise UnpicklingError(f"no storage is described by {reference!r:.200}")
        kind, storage_type, key, location, count = (
            part.decode("ascii") if isinstance(part, bytes) else part for part in reference
        )
        if (
            kind != "storage"
            or type(storage_type) is not StorageType
            or type(key) is not str
            or type(location) is not str
            or type(count) is not int
        ):
            raise UnpicklingError(f"no storage is described by {reference!r:.200}")
        storage = self.by_key.get(key)
        if storage is None:
            storage = self.locate(self._read(key, storage_type.dtype, count), location)
            self.by_key[key] = storage
        if storage.dtype is storage_type.dtype:
            return storage
        return Storage(storage.memory, storage_type.dtype, storage.device)

    def _read(self, key: str, dtype: dtypes.dtype, count: int) -> Storage:
        name = f"data/{key}"
        record = self.archive.record(name)
        if count < 0 or count * dtype.itemsize != record.size:
            raise RuntimeError(
                f"storage {key} claims {count} elements of {dtype} ({dtype.itemsize} bytes each), "
                f"and its record {name!r} holds {record.size} bytes"
            )
        start = self.archive.start + record.offset
        if self.map is not None and not self.swap and start % dtype.itemsize == 0:
            memory = np.frombuffer(self.map, np.uint8, record.size, start)
        else:
            memory = self.archive.read_array(name)
            if self.swap:
                memory = _swapped(memory, dtype)
        return Storage(memory, dtype)


def _byte_order(archive: ArchiveReader) -> str:
    if "byteorder" not in archive:
        return "little"
    found = archive.read("byteorder")
    if found not in (b"little", b"big"):
        raise ValueError(f"Unknown endianness type: {found!r} ({archive.name})")
    return found.decode()


def _swapped(memory: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    return memory.reshape(-1, width)[:, ::-1].reshape(-1).copy()


def _mapped(path: str) -> memory_map.mmap:
    """The file in memory; writes to it stay in this process."""
    with open(path, "rb") as file:
        return memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_COPY)


def _load_archive(
    archive: ArchiveReader,
    mapped_path: str | None,
    locate: Callable[[Storage, str], Storage],
    pickle_module: Any,
    arguments: dict[str, Any],
) -> Any:
    storages = _ArchiveStorages(archive, mapped_path, locate)
    data = archive.read("data.pkl")
    if pickle_module is None:
        return RestrictedUnpickler(
            data, storages.load, encoding=arguments.get("encoding", "utf-8")
        ).load()
    unpickler = unrestricted_unpickler(pickle_module)(io.BytesIO(data), **arguments)
    unpickler.persistent_load = storages.load
    return unpickler.load()


def _load_safetensors(path: str, map_location: MapLocation) -> Any:
    from .safetensors import load_file

    if map_location is not None and not isinstance(map_location, (str, Device)):
        raise RuntimeError(
            f"Loading safetensors file with {type(map_location).__name__} map_location is not "
            "supported. Use a device string or torch.device instead."
        )
    return load_file(path, device=str(map_location or "cpu"))


def get_unsafe_globals_in_checkpoint(f: str | os.PathLike[str] | BinaryIO) -> list[str]:
    """The names in a file that ``load(..., weights_only=True)`` would refuse, without loading it.

    Args:
        f: as for :func:`flambeau.load`.

    Returns:
        The names, as ``module.name``, sorted.

    Raises:
        ValueError: the file is not in the zip format.
    """
    from .safe_globals import default_global, program_globals

    with _opened(f) as file, _explained(_name(f), True) as name:
        start = file.tell()
        head = file.read(4)
        file.seek(start)
        if not is_zip(head):
            raise ValueError(
                f"Expected input to be a checkpoint returned by torch.save, and {name} is none"
            )
        named = set(globals_named(ArchiveReader(file, name).read("data.pkl")))
    allowed = program_globals()
    return sorted(n for n in named if n not in allowed and default_global(n) is None)
