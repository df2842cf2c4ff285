"""The files that TensorBoard reads: records of events, encoded as protocol buffers.

Source: TensorFlow's `event.proto`, `summary.proto` and the TFRecord format.
"""

from __future__ import annotations

import functools
import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Iterable

__all__ = ["EventFile", "doubles", "integer", "message", "real", "single", "text"]

_numbers = itertools.count()


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field: int, value: int) -> bytes:
    """A field with an integer: its number ``field`` and ``value``, as bytes.

    Returns:
        The bytes.
    """
    return _varint(field << 3) + _varint(value)


def real(field: int, value: float) -> bytes:
    """A field with a double: its number ``field`` and ``value``, as bytes.

    Returns:
        The bytes.
    """
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """A field with a float: its number ``field`` and ``value``, as bytes.

    Returns:
        The bytes.
    """
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def message(field: int, content: bytes) -> bytes:
    """A field with bytes, or with the fields of a message,: its number ``field`` and ``content``,
    as bytes.

    Returns:
        The bytes.
    """
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def text(field: int, value: str) -> bytes:
    """A field with a string: its number ``field`` and ``value``, as bytes.

    Returns:
        The bytes.
    """
    return message(field, value.encode())


def doubles(field: int, values: Iterable[float]) -> bytes:
    """A field with several doubles: its number ``field`` and ``values``, as bytes.

    Returns:
        The bytes.
    """
    return message(field, b"".join(struct.pack("<d", value) for value in values))


@functools.cache
def _checksum_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C of a record's part."""
    table, crc = _checksum_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


class EventFile:
    """A new event file in a folder, which is made if need be.

    Args:
        folder: where.
        suffix: the end of the file's name.
    """

    def __init__(self, folder: str, suffix: str = "") -> None:
        os.makedirs(folder, exist_ok=True)
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}."
            f"{os.getpid()}.{next(_numbers)}{suffix}"
        )
        self._file = open(os.path.join(folder, name), "wb")  # noqa: SIM115
        self._lock = threading.Lock()
        self._write(real(1, time.time()) + text(3, "brain.Event:2"))

    def add(self, values: Iterable[bytes], step: int | None, wall_time: float | None) -> None:
        """Write the values of one step.

        Args:
            values: each the fields of a ``Summary.Value``.
            step: its number, if any.
            wall_time: the time in seconds; None for now.
        """
        event = real(1, time.time() if wall_time is None else wall_time)
        if step is not None:
            event += integer(2, int(step))
        self._write(event + message(5, b"".join(message(1, value) for value in values)))

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        with self._lock:
            self._file.write(length + _checksum(length) + event + _checksum(event))

    def flush(self) -> None:
        """Have what was written on disk."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
