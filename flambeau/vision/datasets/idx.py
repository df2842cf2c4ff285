"""IDX, the file format of MNIST: a magic number, the dimensions, the numbers.

Two zero bytes, a byte for the type, a byte for the number of dimensions, each dimension as a
big-endian 32-bit integer, and the values, big-endian, the last dimension varying fastest. Files
ending in ``.gz`` are unpacked while they are read.

Nothing in a file is believed before it is checked: the size that its header claims is compared
with what the file can hold before memory is allocated for it.

Source: the MNIST page of LeCun, Cortes and Burges, "the IDX file format"
(http://yann.lecun.com/exdb/mnist/).
"""

from __future__ import annotations

import gzip
import os
import zlib
from typing import Any, BinaryIO

import numpy as np

TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

# Deflate cannot make more than this of one byte, whatever a file claims.
_LARGEST_RATIO = 1032


def read_idx(
    path: str | os.PathLike[str], ndim: int | None = None, dtype: np.dtype | type | None = None
) -> np.ndarray:
    """Read an IDX file.

    Args:
        path: of the file; one ending in ``.gz`` is unpacked.
        ndim: the number of dimensions that it must have, if that is known.
        dtype: the type that its values must have, if that is known.

    Returns:
        A fresh array in native byte order.

    Raises:
        RuntimeError: the file is truncated, corrupt, too long, or no IDX file of this kind; the
            message names it and says what is wrong.
        OSError: it cannot be read.
    """
    name = os.fspath(path)
    size = os.path.getsize(name)
    try:
        if name.endswith(".gz"):
            with gzip.open(name, "rb") as unpacked:
                return _read(unpacked, name, None, size * _LARGEST_RATIO, ndim, dtype)  # type: ignore[arg-type]
        with open(name, "rb") as file:
            return _read(file, name, size, size, ndim, dtype)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RuntimeError(
            f"{name} is truncated or corrupt: {error}. Delete it, and download it again."
        ) from error


def _read(
    file: BinaryIO,
    name: str,
    exact_size: int | None,
    largest_size: int,
    ndim: int | None,
    dtype: np.dtype | type | None,
) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or head[3] == 0:
        hint = ""
        if head[:2] == b"\x1f\x8b":
            hint = " (it is a gzip file: its name should end in .gz)"
        elif head[:1] in (b"<", b"{"):
            hint = " (it looks like a web page: the download was answered with something else)"
        raise RuntimeError(
            f"{name} is not an IDX file: it begins with {head!r}, and two zero bytes, a type and "
            f"a number of dimensions are expected{hint}"
        )
    stored = TYPES[head[2]]
    if ndim is not None and head[3] != ndim or dtype is not None and stored != np.dtype(dtype):
        expected = f"{ndim} dimensions" + (f" of {np.dtype(dtype)}" if dtype is not None else "")
        raise RuntimeError(
            f"{name} holds an array with {head[3]} dimensions of {stored}, and one with "
            f"{expected} is expected: magic number {int.from_bytes(head, 'big')}"
        )
    if head[3] > 32:
        raise RuntimeError(f"{name} claims an array with {head[3]} dimensions: it is corrupt")
    raw = file.read(4 * head[3])
    if len(raw) < 4 * head[3]:
        raise RuntimeError(f"{name} is truncated: it ends within its header of dimensions")
    shape = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(0, len(raw), 4))
    count = 1
    for length in shape:
        count *= length  # a Python integer: it cannot overflow
    header = 4 + len(raw)
    needed = header + count * stored.itemsize
    if needed > largest_size:
        raise RuntimeError(
            f"{name} is truncated or corrupt: its header claims an array of shape {shape}, which "
            f"takes {needed} bytes, and the file "
            + (f"has {exact_size}" if exact_size is not None else "cannot hold as much")
        )
    if exact_size is not None and needed < exact_size:
        raise RuntimeError(_too_long(name, exact_size - needed, shape))
    data = np.empty(count * stored.itemsize, np.uint8)
    view = data.data
    position = 0
    while position < len(view):
        got = file.readinto(view[position : position + (1 << 24)])  # type: ignore[attr-defined]
        if not got:
            raise RuntimeError(
                f"{name} is truncated: its header claims an array of shape {shape}, which takes "
                f"{needed} bytes, and it has {header + position}"
            )
        position += got
    # At the end of a gzip file its checksum is verified.
    if file.read(1):
        raise RuntimeError(_too_long(name, None, shape))
    array = data.view(stored).reshape(shape)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _too_long(name: str, extra: int | None, shape: tuple[int, ...]) -> str:
    return (
        f"{name} is corrupt: after the array of shape {shape} that its header announces, it has "
        f"{'more' if extra is None else extra} bytes"
    )
