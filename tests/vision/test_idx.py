"""The IDX format: what is whole is read, what is not is refused with its name."""

from __future__ import annotations

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from flambeau.vision.datasets.idx import TYPES, read_idx


def idx(array, code=None, shape=None):
    """The bytes of an IDX file."""
    codes = {dtype.newbyteorder(">").str: number for number, dtype in TYPES.items()}
    big = np.asarray(array).astype(np.asarray(array).dtype.newbyteorder(">"))
    shape = big.shape if shape is None else shape
    head = bytes((0, 0, codes[big.dtype.str] if code is None else code, len(shape)))
    return head + struct.pack(f">{len(shape)}I", *shape) + big.tobytes()


def write(tmp_path, data, packed):
    path = tmp_path / ("some-images" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4), (0, 28, 28)])
def test_every_type_and_shape_is_read(tmp_path, packed, dtype, shape):
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    found = read_idx(write(tmp_path, idx(array), packed))
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable


def refused(path, match, **options):
    tracemalloc.start()
    try:
        with pytest.raises(RuntimeError, match=match) as caught:
            read_idx(path, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert peak < 2_000_000


IMAGES = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)


@pytest.mark.parametrize("packed", [False, True])
def test_truncated_files_are_refused_at_every_length(tmp_path, packed):
    data = idx(IMAGES)
    for length in range(len(data)):
        refused(write(tmp_path, data[:length], packed), "truncated|not an IDX file")


def test_truncated_gzip_files_are_refused_at_every_length(tmp_path):
    data = gzip.compress(idx(IMAGES))
    path = tmp_path / "some-images.gz"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        refused(path, "truncated|not an IDX file")


@pytest.mark.parametrize("packed", [False, True])
def test_trailing_bytes_are_refused(tmp_path, packed):
    refused(write(tmp_path, idx(IMAGES) + b"x", packed), "corrupt: after the array of shape")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("head", "match"),
    [
        (b"", "not an IDX file"),
        (b"<htm", "web page"),
        (b"\x00\x01\x08\x03", "not an IDX file"),
        (b"\x00\x00\x07\x03", "not an IDX file"),
        (b"\x00\x00\x08\x00", "not an IDX file"),
        (b"\x00\x00\x08\xff", "255 dimensions"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "truncated or corrupt: its header claims"),
        (b"\x00\x00\x0e\x20" + b"\xff" * 128, "truncated or corrupt: its header claims"),
        (b"\x00\x00\x08\x03\x00\x00\xea\x60\x00\x00\x00\x1c\x00\x00\x00\x1c", "claims an array"),
    ],
)
def test_headers_that_claim_too_much_are_refused_before_allocating(tmp_path, packed, head, match):
    refused(write(tmp_path, head, packed), match)


def test_a_gzip_file_without_its_suffix_is_recognised(tmp_path):
    path = tmp_path / "some-images"
    path.write_bytes(gzip.compress(idx(IMAGES)))
    refused(path, "its name should end in .gz")


def test_an_unpacked_file_with_the_suffix_is_refused(tmp_path):
    path = tmp_path / "some-images.gz"
    path.write_bytes(idx(IMAGES))
    refused(path, "truncated or corrupt: Not a gzipped file")


def test_flipped_bits_of_gzip_files_are_refused_or_harmless(tmp_path):
    data = gzip.compress(idx(IMAGES), mtime=0)
    path = tmp_path / "some-images.gz"
    for offset in range(len(data)):
        broken = bytearray(data)
        broken[offset] ^= 4
        path.write_bytes(broken)
        try:
            found = read_idx(path)
        except RuntimeError as error:
            assert str(path) in str(error)
        else:
            np.testing.assert_array_equal(found, IMAGES)


def test_another_kind_of_array_than_expected_is_refused(tmp_path):
    path = write(tmp_path, idx(IMAGES), False)
    refused(path, "one with 1 dimensions is expected: magic number 2051", ndim=1)
    refused(path, "one with 3 dimensions of float32 is expected", ndim=3, dtype=np.float32)
    assert read_idx(path, ndim=3, dtype=np.uint8).shape == (5, 4, 3)


def test_a_file_that_unpacks_to_far_more_than_its_header_says_is_refused(tmp_path):
    refused(write(tmp_path, idx(IMAGES) + bytes(10_000_000), True), "has more bytes")
