"""safetensors files: both ways with the library, and nothing believed that is not checked."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

import flambeau as torch
from flambeau.serialization.safetensors import load_file, metadata, save_file

DTYPES = (
    "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 bfloat16 float32 float64 "
    "complex64 float8_e4m3fn float8_e5m2"
).split()


def tensors():
    return {
        name: torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, name)) for name in DTYPES
    } | {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "name": torch.arange(4.0)[::2]}


def same(one, other):
    return (one.dtype, one.shape) == (other.dtype, other.shape) and (
        np.ascontiguousarray(one._array).tobytes() == np.ascontiguousarray(other._array).tobytes()
    )


def test_every_bit_survives(tmp_path):
    pytest.importorskip("ml_dtypes")
    path = tmp_path / "a.safetensors"
    save_file(tensors(), path, metadata={"format": "pt"})
    for loaded in (load_file(path), torch.load(path), torch.load(str(path), map_location="cpu")):
        assert set(loaded) == set(tensors())
        assert all(same(loaded[name], tensor) for name, tensor in tensors().items())
    assert metadata(path) == {"format": "pt"}


def test_the_file_is_mapped_and_not_written(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    before = path.read_bytes()
    loaded = load_file(path)
    loaded["a"].fill_(1.0)
    assert path.read_bytes() == before
    save_file(loaded, path)
    assert load_file(path)["a"].tolist() == [1.0, 1.0, 1.0]


def test_the_library_reads_ours_and_we_read_its(tmp_path):
    pytest.importorskip("ml_dtypes")
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "a.safetensors"
    plain = {n: t for n, t in tensors().items() if "8_e" not in n and n != "bfloat16"}
    save_file(plain, path)
    for name, array in library.load_file(path).items():
        assert array.tobytes() == np.ascontiguousarray(plain[name]._array).tobytes()
        assert array.dtype == plain[name]._array.dtype
    library.save_file({"x": np.arange(6.0).reshape(2, 3), "y": np.ones(1, np.int8)}, path)
    loaded = load_file(path)
    assert loaded["x"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert loaded["y"].dtype is torch.int8


def test_shared_memory_is_refused(tmp_path):
    base = torch.zeros(4)
    with pytest.raises(RuntimeError, match="'a' and 'b' share memory"):
        save_file({"a": base, "b": base[:2]}, tmp_path / "a.safetensors")
    with pytest.raises(TypeError, match="'a' is a list"):
        save_file({"a": [1]}, tmp_path / "a.safetensors")


def packed(table, data=b"", length=None):
    head = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def entry(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "0 bytes"),
        (b"1234567", "7 bytes"),
        (packed(b"{}", length=1 << 60), "its table claims"),
        (packed(b"[1]"), "no table"),
        (packed(b"{"), "no JSON"),
        (packed(b"[" * 200_000), "no JSON"),
        (packed(b'{"a":1,"a":2}'), "occurs twice"),
        (packed({"a": 1}), "not described"),
        (packed({"a": entry(dtype="F7")}, bytes(8)), "unknown dtype"),
        (packed({"a": entry(offsets=(0, 4))}, bytes(4)), "takes 8"),
        (packed({"a": entry()}, bytes(7)), "claims the bytes 0 to 8 of 7"),
        (packed({"a": entry((1 << 40,), (0, 1 << 42))}, bytes(8)), "claims the bytes"),
        (packed({"a": entry((-2,), (0, 8))}, bytes(8)), "impossible shape"),
        (packed({"a": entry((2.0,), (0, 8))}, bytes(8)), "impossible shape"),
        (packed({"a": entry(offsets=(0, 8, 9))}, bytes(8)), "impossible shape"),
        (packed({"a": entry(), "b": entry()}, bytes(8)), "begins at byte 0"),
        (packed({"a": entry(offsets=(4, 12))}, bytes(12)), "begins at byte 4"),
        (packed({"a": entry()}, bytes(9)), "1 bytes more"),
        (packed({"__metadata__": {"a": 1}}), "metadata"),
        (packed({"__metadata__": [1]}), "metadata"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path, data, match):
    path = tmp_path / "some.safetensors"
    path.write_bytes(data)
    with pytest.raises(RuntimeError, match=match) as caught:
        torch.load(path)
    assert "some.safetensors" in str(caught.value)


def test_truncated_files_are_refused_at_every_length(tmp_path):
    path = tmp_path / "some.safetensors"
    save_file({"a": torch.zeros(3), "b": torch.ones(2, dtype=torch.int8)}, path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(RuntimeError, match="some.safetensors"):
            load_file(path)
