"""The zip container of PyTorch's files: named records of bytes, stored uncompressed and aligned.

A ``.pt`` file is a zip archive whose records all lie in one folder (``NAME/data.pkl``,
``NAME/data/0``, ``NAME/version``, ...). Every record starts at a multiple of 64 bytes, so that
the file can be mapped into memory and its tensors used where they lie. The padding is an extra
field ("FB", then Z's) in the record's local header.

`ArchiveWriter` writes the layout that PyTorch writes, byte for byte; `ArchiveReader` trusts
nothing that it reads: sizes are checked against the file before anything is allocated, records
may be neither compressed nor overlapping (the two ways a small file becomes a huge one), and
checksums are verified.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import numpy as np

ALIGNMENT = 64
FORMAT_VERSION = b"3\n"

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL_HEADER = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_END64_LOCATOR = struct.Struct("<4sIQI")

_LOCAL_MAGIC = b"PK\x03\x04"
_CENTRAL_MAGIC = b"PK\x01\x02"
_DESCRIPTOR_MAGIC = b"PK\x07\x08"
_END_MAGIC = b"PK\x05\x06"
_END64_MAGIC = b"PK\x06\x06"
_END64_LOCATOR_MAGIC = b"PK\x06\x07"

_HAS_DESCRIPTOR = 0x0008  # sizes and checksum follow the data
_UTF8_NAME = 0x0800
_ENCRYPTED = 0x0001

_MAX32 = 0xFFFFFFFF
_MAX16 = 0xFFFF
_CHUNK = 1 << 24


def is_zip(head: bytes) -> bool:
    """Whether a file that begins with these four bytes is a zip archive."""
    return head[:4] == _LOCAL_MAGIC


def _zip64_field(*values: int) -> bytes:
    """The extra field that holds the values which do not fit in 32 bits."""
    return struct.pack(f"<HH{len(values)}Q", 0x0001, 8 * len(values), *values) if values else b""


@dataclass(slots=True)
class _Written:
    name: bytes
    crc: int
    size: int
    header_offset: int
    flags: int


class ArchiveWriter:
    """Writes records one after the other into a binary file.

    Args:
        file: open for writing; only its ``write`` is used, so it need not be seekable.
        folder: the folder inside the archive, by custom the file's name without its suffix.
    """

    def __init__(self, file: BinaryIO, folder: str = "archive") -> None:
        self._file = file
        self._folder = folder
        self._position = 0
        self._records: list[_Written] = []

    def _write(self, data: Any) -> None:
        self._file.write(data)
        self._position += memoryview(data).nbytes

    def write_record(self, name: str, data: bytes | np.ndarray) -> None:
        """Append one record.

        Args:
            name: the record's path below the archive's folder.
            data: its bytes; an array must be C-contiguous and is written as it lies in memory.
        """
        if isinstance(data, np.ndarray):
            view = data.view(np.uint8).reshape(-1).data
        else:
            view = memoryview(data)
        size = view.nbytes
        full_name = f"{self._folder}/{name}".encode()
        start = self._position
        flags = _UTF8_NAME | (_HAS_DESCRIPTOR if size else 0)
        large = size >= _MAX32
        values = ([size, size] if large else []) + ([start] if start >= _MAX32 else [])
        extra = _zip64_field(*values)
        unpadded = start + _LOCAL_HEADER.size + len(full_name) + len(extra) + 4
        padding = -unpadded % ALIGNMENT
        extra += b"FB" + struct.pack("<H", padding) + b"Z" * padding
        stored = _MAX32 if large else 0
        header = _LOCAL_HEADER.pack(
            _LOCAL_MAGIC, 0, flags, 0, 0, 0, 0, stored, stored, len(full_name), len(extra)
        )
        self._write(header + full_name + extra)
        crc = 0
        for begin in range(0, size, _CHUNK):
            chunk = view[begin : begin + _CHUNK]
            crc = zlib.crc32(chunk, crc)
            self._write(chunk)
        if size:
            wide = large or start >= _MAX32
            self._write(
                struct.pack("<4sIQQ" if wide else "<4sIII", _DESCRIPTOR_MAGIC, crc, size, size)
            )
        self._records.append(_Written(full_name, crc, size, start, flags))

    def finish(self) -> None:
        """Write the closing records and the archive's table of contents."""
        digest = hashlib.blake2b(digest_size=16)
        for record in self._records:
            digest.update(record.name + struct.pack("<IQ", record.crc, record.size))
        self.write_record("version", FORMAT_VERSION)
        # Forty digits that say which contents these are: equal contents, equal files.
        first, second = struct.unpack("<QQ", digest.digest())
        self.write_record(".data/serialization_id", f"{first:020d}{second:020d}".encode())

        table_start = self._position
        for record in self._records:
            large = record.size >= _MAX32
            far = record.header_offset >= _MAX32
            extra = _zip64_field(
                *([record.size, record.size] if large else []),
                *([record.header_offset] if far else []),
            )
            size = _MAX32 if large else record.size
            header = _CENTRAL_HEADER.pack(
                _CENTRAL_MAGIC, 0, 0, record.flags, 0, 0, 0, record.crc, size, size,
                len(record.name), len(extra), 0, 0, 0, 0,
                _MAX32 if far else record.header_offset,
            )  # fmt: skip
            self._write(header + record.name + extra)
        table_size = self._position - table_start
        end64 = self._position
        count = len(self._records)
        self._write(
            _END64.pack(_END64_MAGIC, 44, 0x031E, 45, 0, 0, count, count, table_size, table_start)
        )
        self._write(_END64_LOCATOR.pack(_END64_LOCATOR_MAGIC, 0, end64, 1))
        count16 = min(count, _MAX16)
        self._write(
            _END.pack(
                _END_MAGIC, 0, 0, count16, count16,
                min(table_size, _MAX32), min(table_start, _MAX32), 0,
            )
        )  # fmt: skip


@dataclass(slots=True)
class Record:
    """Where a record's bytes lie, counted from the archive's beginning."""

    crc: int
    size: int
    offset: int


class ArchiveReader:
    """The records of an archive, checked before they are believed.

    Args:
        file: a seekable binary file; the archive begins at its present position and ends with it.
        name: what error messages call the file.

    Raises:
        RuntimeError: the file is truncated, corrupt, compressed, encrypted or self-overlapping.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self.start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self.start
        self.folder = ""
        self.records: dict[str, Record] = {}
        self._read_table()

    def _fail(self, what: str, detail: str) -> NoReturn:
        raise RuntimeError(
            f"PytorchStreamReader failed reading zip archive: {what}. {self.name}: {detail}. The "
            "file was probably not saved or copied completely, or was changed since: compare its "
            "size with the original's, or take an earlier checkpoint."
        )

    def _read_at(self, offset: int, count: int, what: str) -> bytes:
        if offset < 0 or count < 0 or offset + count > self.size:
            self._fail(
                "invalid header or archive is corrupted",
                f"{what} should take {count} bytes from byte {offset}, "
                f"and the file has {self.size}",
            )
        self._file.seek(self.start + offset)
        data = self._file.read(count)
        if len(data) != count:
            self._fail("file read failed", f"{what} ended after {len(data)} of {count} bytes")
        return data

    def _find_end(self) -> tuple[int, int, int, int]:
        """Number of records, size and start of the table of contents, and where it must end."""
        tail_start = max(0, self.size - _END.size - _MAX16)
        tail = self._read_at(tail_start, self.size - tail_start, "the end")
        found = tail.rfind(_END_MAGIC)
        if found < 0 or found + _END.size > len(tail):
            self._fail(
                "failed finding central directory",
                f"its {self.size} bytes do not end in a table of contents",
            )
        _, disk, table_disk, here, count, size, start, _ = _END.unpack_from(tail, found)
        limit = end = tail_start + found
        locator_at = end - _END64_LOCATOR.size
        if locator_at >= 0:
            locator = self._read_at(locator_at, _END64_LOCATOR.size, "the end's locator")
            if locator[:4] == _END64_LOCATOR_MAGIC:
                _, _, end64, _ = _END64_LOCATOR.unpack(locator)
                raw = self._read_at(end64, _END64.size, "the end record")
                if raw[:4] != _END64_MAGIC:
                    self._fail(
                        "invalid header or archive is corrupted", "its end record is not one"
                    )
                _, _, _, _, disk, table_disk, here, count, size, start = _END64.unpack(raw)
                limit = end64
        if disk or table_disk or here != count:
            self._fail("unsupported multidisk archive", "it is one part of several")
        if start + size > limit or count * _CENTRAL_HEADER.size > size:
            self._fail(
                "invalid header or archive is corrupted",
                f"a table of {count} records in {size} bytes from byte {start} does not fit in it",
            )
        return count, size, start, limit

    def _read_table(self) -> None:
        count, table_size, table_start, _ = self._find_end()
        table = self._read_at(table_start, table_size, "the table of contents")
        corrupt = "invalid header or archive is corrupted"
        position = 0
        spans: list[tuple[int, int, str]] = []
        names: dict[str, Record] = {}
        for index in range(count):
            if position + _CENTRAL_HEADER.size > table_size:
                self._fail(corrupt, f"the table of contents ends before record {index} of {count}")
            fields = _CENTRAL_HEADER.unpack_from(table, position)
            magic, flags, method = fields[0], fields[3], fields[4]
            crc, packed, size = fields[7:10]
            name_length, extra_length, comment_length = fields[10:13]
            header_offset = fields[16]
            if magic != _CENTRAL_MAGIC:
                self._fail(corrupt, f"record {index} in the table of contents is not one")
            position += _CENTRAL_HEADER.size
            raw_name = table[position : position + name_length]
            extra = table[position + name_length : position + name_length + extra_length]
            position += name_length + extra_length + comment_length
            if position > table_size:
                self._fail(corrupt, f"record {index} runs past the table of contents")
            try:
                name = raw_name.decode("utf-8" if flags & _UTF8_NAME else "cp437")
            except UnicodeDecodeError:
                self._fail(corrupt, f"the name of record {index} is no text: {raw_name[:40]!r}")
            size, packed, header_offset = self._wide_values(extra, size, packed, header_offset)
            if flags & _ENCRYPTED:
                self._fail("unsupported encryption", f"record {name!r} is encrypted")
            if method != 0 or packed != size:
                self._fail(
                    "unsupported method",
                    f"record {name!r} is compressed ({packed} bytes that claim to become {size}), "
                    "and torch.save stores records uncompressed",
                )
            if name in names:
                self._fail(corrupt, f"it has two records named {name!r}")
            data_offset = self._data_offset(name, raw_name, header_offset)
            if data_offset + size > table_start:
                self._fail(
                    corrupt,
                    f"record {name!r} claims {size} bytes from byte {data_offset}, "
                    f"and {max(0, table_start - data_offset)} are left",
                )
            names[name] = Record(crc, size, data_offset)
            spans.append((header_offset, data_offset + size, name))
        spans.sort()
        for (_, end, first), (begin, _, second) in zip(spans, spans[1:], strict=False):
            if begin < end:
                self._fail(corrupt, f"its records {first!r} and {second!r} overlap")
        if not names:
            self._fail(corrupt, "it has no records")
        self.folder = next(iter(names)).split("/", 1)[0]
        prefix = self.folder + "/"
        self.records = {
            name[len(prefix) :]: record for name, record in names.items() if name.startswith(prefix)
        }

    def _wide_values(
        self, extra: bytes, size: int, packed: int, header_offset: int
    ) -> tuple[int, int, int]:
        """Replace the values that did not fit in 32 bits by those of the zip64 field."""
        position = 0
        while position + 4 <= len(extra):
            tag, length = struct.unpack_from("<HH", extra, position)
            body = extra[position + 4 : position + 4 + length]
            position += 4 + length
            if tag != 0x0001:
                continue
            wide = list(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
            if size == _MAX32 and wide:
                size = wide.pop(0)
            if packed == _MAX32 and wide:
                packed = wide.pop(0)
            if header_offset == _MAX32 and wide:
                header_offset = wide.pop(0)
        return size, packed, header_offset

    def _data_offset(self, name: str, raw_name: bytes, header_offset: int) -> int:
        raw = self._read_at(header_offset, _LOCAL_HEADER.size, f"the header of record {name!r}")
        fields = _LOCAL_HEADER.unpack(raw)
        magic, name_length, extra_length = fields[0], fields[9], fields[10]
        start = header_offset + _LOCAL_HEADER.size
        if magic != _LOCAL_MAGIC or (
            self._read_at(start, name_length, f"the header of record {name!r}") != raw_name
        ):
            self._fail(
                "invalid header or archive is corrupted",
                f"no record {name!r} begins at byte {header_offset}",
            )
        return start + name_length + extra_length

    def __contains__(self, name: str) -> bool:
        return name in self.records

    def record(self, name: str) -> Record:
        """The place of a record.

        Raises:
            RuntimeError: there is no such record.
        """
        found = self.records.get(name)
        if found is None:
            raise RuntimeError(
                "PytorchStreamReader failed locating file "
                f"{name}: file not found. {self.name} holds the records "
                f"{', '.join(sorted(self.records)[:8])}{', ...' if len(self.records) > 8 else ''}"
            )
        return found

    def read(self, name: str) -> bytes:
        """A record's bytes, with their checksum verified."""
        record = self.record(name)
        data = self._read_at(record.offset, record.size, f"record {name!r}")
        self._check(name, record, zlib.crc32(data))
        return data

    def read_array(self, name: str) -> np.ndarray:
        """A record's bytes as a fresh ``uint8`` array, with their checksum verified."""
        record = self.record(name)
        array = np.empty(record.size, np.uint8)
        view = array.data
        self._file.seek(self.start + record.offset)
        readinto = getattr(self._file, "readinto", None)
        crc = position = 0
        while position < record.size:
            window = view[position : position + _CHUNK]
            if readinto is not None:
                count = readinto(window) or 0
            else:
                piece = self._file.read(len(window))
                count = len(piece)
                window[:count] = piece
            if count == 0:
                self._fail(
                    "file read failed",
                    f"record {name!r} ended after {position} of {record.size} bytes",
                )
            crc = zlib.crc32(window[:count], crc)
            position += count
        self._check(name, record, crc)
        return array

    def _check(self, name: str, record: Record, crc: int) -> None:
        if crc != record.crc:
            self._fail(
                "invalid header or archive is corrupted",
                f"the bytes of record {name!r} do not match their checksum "
                f"(CRC-32 {crc:08x}, expected {record.crc:08x})",
            )
