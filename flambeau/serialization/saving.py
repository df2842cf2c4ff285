"""``flambeau.save``."""

from __future__ import annotations

import io
import os
import pickle
import sys
from typing import Any, BinaryIO

import numpy as np

from .archive import ALIGNMENT, ArchiveWriter
from .atomic import replacing
from .legacy import save_legacy
from .pickling import Storages, pickler_class

DEFAULT_PROTOCOL = 2


def save(
    obj: object,
    f: str | os.PathLike[str] | BinaryIO,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Save an object to a file in PyTorch's format.

    PyTorch loads the file, and :func:`flambeau.load` loads PyTorch's. Tensors that share memory
    still share it when they are loaded. A file named by a path is replaced as a whole: a process
    that is killed while it saves leaves the file that was there before.

    Args:
        obj: a tensor, a state dict, a checkpoint, a module, or anything that can be pickled.
        f: a path, or a file object open for writing in binary mode (``write`` and ``flush``).
        pickle_module: whose ``Pickler`` writes everything that is not a tensor.
        pickle_protocol: the protocol of the pickle.

    Raises:
        RuntimeError: the folder does not exist, or tensors of two dtypes share memory.
        pickle.PicklingError: something in ``obj`` cannot be pickled (a lambda, a local class).

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.save.html
    """
    if isinstance(f, (str, os.PathLike)):
        with replacing(f) as file:
            _write(
                obj, file, _folder(os.fspath(f)), pickle_module, pickle_protocol,
                _use_new_zipfile_serialization,
            )  # fmt: skip
        return
    if not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute, "
            f"got {type(f).__name__}"
        )
    if isinstance(f, io.TextIOBase):
        raise TypeError(
            "torch.save writes bytes, and the file is open for text: open(path, 'wb') opens it "
            "for bytes"
        )
    _write(obj, f, "archive", pickle_module, pickle_protocol, _use_new_zipfile_serialization)
    flush = getattr(f, "flush", None)
    if flush is not None:
        flush()


def _folder(path: str) -> str:
    """The archive's folder: the file's name without its last suffix, as PyTorch names it."""
    base = os.path.basename(path)
    stem = base.rsplit(".", 1)[0] if "." in base else base
    return stem if stem and stem.isascii() else "archive"


def _write(
    obj: object, file: BinaryIO, folder: str, pickle_module: Any, protocol: int, as_zip: bool
) -> None:
    if not as_zip:
        save_legacy(obj, file, pickle_module, protocol)
        return
    storages = Storages()
    buffer = io.BytesIO()
    pickler_class(pickle_module)(buffer, protocol, storages).dump(obj)
    writer = ArchiveWriter(file, folder)
    writer.write_record("data.pkl", buffer.getvalue())
    writer.write_record(".format_version", b"1")
    writer.write_record(".storage_alignment", str(ALIGNMENT).encode())
    writer.write_record("byteorder", sys.byteorder.encode())
    for key, memory in storages.memory.items():
        writer.write_record(f"data/{key}", np.ascontiguousarray(memory))
    writer.finish()
