"""The zip container: PyTorch's layout, and nothing believed that is not checked."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile

import numpy as np
import pytest

from flambeau.serialization.archive import ALIGNMENT, ArchiveReader, ArchiveWriter


def written(records, folder="archive"):
    file = io.BytesIO()
    writer = ArchiveWriter(file, folder)
    for name, data in records.items():
        writer.write_record(name, data)
    writer.finish()
    return file.getvalue()


RECORDS = {
    "data.pkl": b"\x80\x02N.",
    "byteorder": b"little",
    "data/0": np.arange(100, dtype=np.float32),
    "data/1": np.empty(0, np.uint8),
    "data/2": np.arange(7, dtype=np.uint8),
}


def test_python_reads_the_archive_and_finds_every_checksum_right():
    with zipfile.ZipFile(io.BytesIO(written(RECORDS, "net"))) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[:2] == ["net/data.pkl", "net/byteorder"]
        assert archive.read("net/version") == b"3\n"
        assert re.fullmatch(rb"\d{40}", archive.read("net/.data/serialization_id"))
        assert archive.read("net/data/0") == RECORDS["data/0"].tobytes()


def test_every_record_begins_at_a_multiple_of_64_bytes():
    reader = ArchiveReader(io.BytesIO(written(RECORDS)), "x")
    assert all(record.offset % ALIGNMENT == 0 for record in reader.records.values())


def test_what_is_written_is_read():
    reader = ArchiveReader(io.BytesIO(written(RECORDS)), "x")
    assert reader.folder == "archive"
    assert reader.read("data.pkl") == RECORDS["data.pkl"]
    for name in ("data/0", "data/1", "data/2"):
        np.testing.assert_array_equal(reader.read_array(name), RECORDS[name].view(np.uint8))


def test_an_archive_may_begin_within_a_file():
    file = io.BytesIO(b"something else" + written(RECORDS))
    file.seek(14)
    assert ArchiveReader(file, "x").read("byteorder") == b"little"


def test_equal_contents_make_equal_files():
    assert written(RECORDS) == written(RECORDS)


def test_python_zip_files_without_compression_are_read():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"123")
    file.seek(0)
    assert ArchiveReader(file, "x").read("data.pkl") == b"123"


def test_a_missing_record_is_named_with_those_that_are_there():
    reader = ArchiveReader(io.BytesIO(written(RECORDS)), "some.pt")
    with pytest.raises(RuntimeError, match=r"data/9: file not found. some.pt holds .*byteorder"):
        reader.record("data/9")


def test_records_beyond_four_gigabytes_have_wide_sizes(monkeypatch):
    """With 32 bits taken for 10: the same branches as for four gigabytes."""
    import flambeau.serialization.archive as archive

    monkeypatch.setattr(archive, "_MAX32", 1000)
    records = {"data.pkl": b"x", "data/0": bytes(range(256)) * 10, "data/1": b"after"}
    data = written(records)
    reader = ArchiveReader(io.BytesIO(data), "x")
    assert {name: reader.read(name) for name in records} == records
    assert all(record.offset % ALIGNMENT == 0 for record in reader.records.values())


# -- files that are broken, or made to do harm ----------------------------------------------------


def refused(data, match):
    with pytest.raises(RuntimeError, match=match) as caught:
        reader = ArchiveReader(io.BytesIO(data), "some.pt")
        for name in reader.records:
            reader.read(name)
    assert "some.pt" in str(caught.value)


def test_truncated_archives_are_refused():
    data = written(RECORDS)
    for length in range(4, len(data)):
        refused(data[:length], "failed|invalid")


def test_no_flipped_bit_goes_unnoticed_in_the_data():
    data = written(RECORDS)
    reader = ArchiveReader(io.BytesIO(data), "x")
    for record in reader.records.values():
        for offset in range(record.offset, record.offset + record.size):
            broken = bytearray(data)
            broken[offset] ^= 0x10
            refused(bytes(broken), "do not match their checksum")


def test_flipped_bits_anywhere_are_refused_or_change_nothing():
    data = written(RECORDS)
    expected = {n: ArchiveReader(io.BytesIO(data), "x").read(n) for n in RECORDS}
    for offset in range(len(data)):
        for bit in (0, 7):
            broken = bytearray(data)
            broken[offset] ^= 1 << bit
            try:
                reader = ArchiveReader(io.BytesIO(bytes(broken)), "some.pt")
                found = {name: reader.read(name) for name in RECORDS}
            except RuntimeError as error:
                assert "some.pt" in str(error)
            else:
                assert found == expected


def test_compressed_records_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    refused(file.getvalue(), "is compressed .* claim to become 10000000")


def test_overlapping_records_are_refused():
    data = written({"data/0": bytes(1000), "data/1": bytes(1000)})
    reader = ArchiveReader(io.BytesIO(data), "x")
    table = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", table + 1)
    # The second entry is made to point to the first one's header, under the first one's name.
    broken = bytearray(data)
    broken[second + 42 : second + 46] = broken[table + 42 : table + 46]
    refused(bytes(broken), "no record 'archive/data/1' begins at byte 0")
    local = reader.record("data/1").offset
    header = data.rindex(b"PK\x03\x04", 0, local)
    swallowed = bytearray(data)
    # The first record is made to reach over the second one.
    size = header - reader.record("data/0").offset + 500
    swallowed[table + 20 : table + 28] = struct.pack("<II", size, size)
    refused(bytes(swallowed), "overlap")


def test_sizes_beyond_the_file_are_refused_without_allocating():
    data = written({"data/0": bytes(1000)})
    table = data.index(b"PK\x01\x02")
    broken = bytearray(data)
    broken[table + 20 : table + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    refused(bytes(broken), "claims 4294967280 bytes")


def test_two_records_of_one_name_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data.pkl", b"1")
        archive.writestr("archive/data.pkl", b"2")
    refused(file.getvalue(), "two records named")


def test_a_table_that_claims_more_records_than_fit_is_refused():
    data = bytearray(written(RECORDS))
    end = data.rindex(b"PK\x06\x06")
    data[end + 24 : end + 40] = struct.pack("<QQ", 1 << 40, 1 << 40)
    refused(bytes(data), "1099511627776 records")


def test_an_archive_without_records_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w"):
        pass
    refused(file.getvalue(), "no records")


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "some.pt"
    path.write_bytes(written({"data/0": bytes(1_000_000)}))
    with open(path, "rb") as file:
        reader = ArchiveReader(file, "some.pt")
        os.truncate(path, 100)
        with pytest.raises(RuntimeError, match="some.pt"):
            reader.read_array("data/0")
