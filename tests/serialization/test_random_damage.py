"""Files that chance has damaged are refused in words, or load as they were."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile

import pytest

import flambeau as torch
from flambeau.serialization import safetensors

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

REFUSALS = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError)
MOST = 8_000_000


def small_checkpoint() -> bytes:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    return file.getvalue()


CHECKPOINT = small_checkpoint()


@st.composite
def damaged(draw, whole: bytes) -> bytes:
    """Some bits flipped, a piece cut out, or bytes put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "copy"]))
        if kind == "flip":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=16))
        else:
            data[place : place + 16] = data[: len(data[place : place + 16])]
        if not data:
            break
    return bytes(data)


def memory_of(load) -> int:
    tracemalloc.start()
    try:
        load()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(damaged(CHECKPOINT))
def test_a_damaged_checkpoint_is_refused_or_harmless(data):
    def load():
        try:
            torch.load(io.BytesIO(data))
        except REFUSALS as error:
            assert str(error)

    assert memory_of(load) < MOST


@pytest.fixture(scope="module")
def tensors_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    safetensors.save_file({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3).bool()}, path)
    return path


def test_safetensors_truncated_anywhere_are_refused(tensors_file):
    whole = tensors_file.read_bytes()
    path = tensors_file.with_name("cut.safetensors")
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises((RuntimeError, ValueError), match=r"cut\.safetensors|empty"):
            safetensors.load_file(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_safetensors_are_refused_or_harmless(tensors_file, data):
    path = tensors_file.with_name("damaged.safetensors")
    path.write_bytes(data.draw(damaged(tensors_file.read_bytes())))

    def load():
        try:
            safetensors.load_file(path)
        except REFUSALS as error:
            assert str(error)

    assert memory_of(load) < MOST


def bomb(megabytes: int) -> bytes:
    """A small zip whose one tensor becomes so many megabytes."""
    file = io.BytesIO()
    torch.save(torch.zeros(1), file)
    with zipfile.ZipFile(file) as plain:
        records = {name: plain.read(name) for name in plain.namelist()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in records.items():
            if name.endswith("data/0"):
                content = bytes(megabytes << 20)
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize("weights_only", [True, False])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(weights_only):
    data = bomb(64)
    assert len(data) < 200_000

    def load():
        with pytest.raises(RuntimeError, match=r"is compressed .*stores records uncompressed"):
            torch.load(io.BytesIO(data), weights_only=weights_only)

    assert memory_of(load) < MOST


def test_a_safetensors_table_of_absurd_length_allocates_nothing(tmp_path):
    path = tmp_path / "absurd.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")

    def load():
        with pytest.raises(RuntimeError, match=r"absurd.*claims 1152921504606846976 bytes"):
            safetensors.load_file(path)

    assert memory_of(load) < MOST
