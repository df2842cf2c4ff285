"""Images read from files and written to them."""

from __future__ import annotations

from pathlib import Path

import pytest

import flambeau as torch
from flambeau.vision import io

pytest.importorskip("PIL")


def picture(channels: int) -> torch.Tensor:
    return torch.arange(channels * 20).mul(4).reshape(channels, 4, 5).byte()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_file_keeps_every_byte(tmp_path: Path, channels: int) -> None:
    path = str(tmp_path / "a.png")
    io.write_png(picture(channels), path)
    assert torch.equal(io.read_image(path), picture(channels))
    assert torch.equal(io.decode_image(io.read_file(path)), picture(channels))
    assert io.read_image(path, io.ImageReadMode.RGB).shape == (3, 4, 5)
    assert io.read_image(path, "GRAY").shape == (1, 4, 5)


def test_a_jpeg_file_is_near(tmp_path: Path) -> None:
    path = str(tmp_path / "a.jpg")
    io.write_jpeg(torch.full((3, 8, 8), 100, dtype=torch.uint8), path, quality=95)
    assert (io.read_image(path).int() - 100).abs().max() <= 2


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="Unsupported image file"):
        io.read_image(path)
    with pytest.raises(RuntimeError, match="uint8"):
        io.encode_png(torch.ones(3, 4, 4))
    with pytest.raises(RuntimeError, match="1 or 3 channels"):
        io.encode_jpeg(torch.ones(2, 4, 4, dtype=torch.uint8))
