"""Event files are records of protocol buffers with TensorFlow's tags and checksums."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from flambeau.utils.tensorboard import SummaryWriter
from flambeau.utils.tensorboard.event_file import _checksum


def fields(data: bytes) -> dict[int, list[Any]]:
    """A message's fields: integers, the bytes of numbers, and bytes."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value: Any = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value = data[at : at + size]
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def events(folder: Path) -> Iterator[dict[int, list[Any]]]:
    (file,) = folder.glob("events.out.tfevents.*")
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = data[12 : 12 + length]
        assert data[8:12] == _checksum(data[:8])
        assert data[12 + length : 16 + length] == _checksum(event)
        yield fields(event)
        data = data[16 + length :]


def values(folder: Path) -> list[tuple[int, dict[int, list[Any]]]]:
    return [
        (event.get(2, [0])[0], fields(value))
        for event in events(folder)
        for summary in event.get(5, [])
        for value in fields(summary)[1]
    ]


def test_the_checksum_is_the_masked_crc_32c() -> None:
    crc = 0xE3069283  # of these nine characters, as every description of CRC-32C says
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert _checksum(b"123456789") == struct.pack("<I", masked)


def test_scalars_are_found_by_tag_and_step(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", torch.tensor(0.5), 3)
        writer.add_scalar("loss", 0.25, 400)
        with pytest.raises(ValueError, match="a scalar is expected"):
            writer.add_scalar("loss", torch.ones(2))
    assert next(events(tmp_path))[3] == [b"brain.Event:2"]
    found = [(step, v[1], struct.unpack("<f", v[2][0])[0]) for step, v in values(tmp_path)]
    assert found == [(3, [b"loss"], 0.5), (400, [b"loss"], 0.25)]


def test_several_scalars_go_to_folders_of_their_own(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("a/b", {"train": 1, "test": 2}, 0)
    assert [v[1] for _, v in values(tmp_path / "a_b_test")] == [[b"a/b"]]


def test_a_histogram_counts_its_values(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("h", torch.tensor([1.0, 2, 2, 4]), 0, bins=[0, 1.5, 3, 5])
        writer.add_histogram("t", torch.randn(50), 0)
        writer.add_histogram("m", torch.randn(50), 0, bins=20, max_bins=4)
    found = [fields(v[5][0]) for _, v in values(tmp_path)]
    numbers = [struct.unpack("<d", found[0][i][0])[0] for i in (1, 2, 3, 4, 5)]
    assert numbers == [1, 4, 4, 9, 25]
    assert struct.unpack("<3d", found[0][7][0]) == (1, 2, 1)
    assert struct.unpack("<3d", found[0][6][0]) == (1.5, 3, 5)
    for one in found[1:]:
        counts = struct.unpack(f"<{len(one[7][0]) // 8}d", one[7][0])
        assert sum(counts) == 50 and len(one[6][0]) == len(one[7][0])
    assert len(found[2][7][0]) == 4 * 8


@pytest.mark.parametrize(
    ("shape", "dataformats", "size"),
    [((3, 4, 6), "CHW", (4, 6, 3)), ((4, 6), "HW", (4, 6, 1)), ((3, 1, 4, 6), "NCHW", (4, 18, 1))],
)
def test_images_are_png_files(
    tmp_path: Path, shape: tuple[int, ...], dataformats: str, size: tuple[int, ...]
) -> None:
    with SummaryWriter(tmp_path) as writer:
        picture = torch.rand(shape)
        writer.add_image("i", picture, 0, dataformats=dataformats)
        with pytest.raises(AssertionError, match="input format are different"):
            writer.add_image("i", torch.rand(2, 3), 0)
    image = fields(values(tmp_path)[0][1][4][0])
    assert (image[1][0], image[2][0], image[3][0]) == size
    pil = pytest.importorskip("PIL.Image")
    import io

    import numpy as np

    read = np.asarray(pil.open(io.BytesIO(image[4][0]))).reshape(size)
    first = picture.reshape(-1, *shape[-2:]) if len(shape) < 4 else picture[0]
    assert (read[:, :6, 0] == (first[0].numpy() * 255).astype(np.uint8)).all()


def test_texts_models_and_settings_are_texts(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "*hello*", 1)
        writer.add_graph(torch.nn.Linear(2, 2), torch.ones(1, 2))
        writer.add_hparams({"lr": 0.1}, {"accuracy": 0.9}, run_name="one")
    tags = [v[1][0] for _, v in values(tmp_path)]
    assert tags == [b"note/text_summary", b"graph/text_summary"]
    assert [v[1][0] for _, v in values(tmp_path / "one")] == [b"hparams/text_summary", b"accuracy"]
