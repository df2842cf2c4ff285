"""Images in folders, and images that are made up."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import transforms
from flambeau.vision.datasets import DatasetFolder, FakeData, ImageFolder
from flambeau.vision.io import read_image

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def root(tmp_path):
    for place in ("dog/b.png", "dog/a.PNG", "cat/deep/c.jpg", "cat/notes.txt"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no image")
        else:
            Image.new("L", (4, 3), len(place)).save(path)
    return tmp_path


def test_images_are_found_in_a_fixed_order_with_their_class(root):
    data = ImageFolder(root, transform=transforms.ToTensor())
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert [path.removeprefix(str(root)) for path, _ in data.imgs] == [
        "/cat/deep/c.jpg", "/dog/a.PNG", "/dog/b.png",
    ]  # fmt: skip
    assert data.targets == [0, 1, 1] and len(data) == 3
    image, label = data[2]
    assert image.shape == (3, 3, 4) and label == 1
    assert image.unique().tolist() == [np.float32(len("dog/b.png")) / np.float32(255)]


def test_a_loader_and_a_test_of_files_may_be_given(root):
    data = DatasetFolder(
        root, loader=lambda path: open(path).read(), is_valid_file=lambda p: p.endswith(".txt"),
        allow_empty=True,
    )  # fmt: skip
    assert [data[i] for i in range(len(data))] == [("no image", 0)]


def test_classes_without_files_and_roots_without_classes_are_refused(root, tmp_path):
    (root / "bird").mkdir()
    with pytest.raises(FileNotFoundError, match="classes bird. Supported extensions are: .jpg"):
        ImageFolder(root)
    assert ImageFolder(root, allow_empty=True).classes == ["bird", "cat", "dog"]
    with pytest.raises(FileNotFoundError, match="any class folder"):
        ImageFolder(root / "bird")
    with pytest.raises(ValueError, match="cannot be None or not None"):
        DatasetFolder(root, loader=open)


def test_a_broken_image_is_named(root):
    (root / "dog" / "b.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(OSError) as caught:
        ImageFolder(root)[2]
    assert any("b.png" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.ppm", b"P6\n16 x\n255\n"),  # Pillow raises a ValueError for it,
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\1IHDR\0\0\0\0\0"),  # for it something else,
        # and for an image of 50,000 by 50,000 pixels that it would be a bomb.
        ("a.bmp", b"BM" + struct.pack("<IHHIIiiHHIIIIII", 58, 0, 0, 54, 40, 50_000, 50_000, 1, 24,
                                      0, 4, 0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_whatever_is_wrong_with_an_image_it_is_named(root, name, content):
    for file in (root / "dog").iterdir():
        file.unlink()
    path = root / "dog" / name
    path.write_bytes(content)
    with pytest.raises(Exception) as caught:
        ImageFolder(root)[1]
    assert f"the image is {path}" in caught.value.__notes__
    with pytest.raises(RuntimeError, match=name):
        read_image(path)


def test_fake_images_are_torchvisions():
    data = FakeData(size=3, image_size=(3, 8, 8), num_classes=10)
    image, label = data[1]
    # Recorded from torchvision 0.28.
    assert (
        hashlib.md5(np.asarray(image).tobytes()).hexdigest() == "8d59c3cce6886e7080f7780ef5b4e557"
    )
    assert [data[i][1] for i in range(3)] == [6, 9, 2]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert data[1][1] == label
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(IndexError, match="out of range"):
        data[3]
