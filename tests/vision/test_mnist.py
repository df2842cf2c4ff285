"""MNIST: torchvision's class on the files as published."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import datasets, transforms

from .test_idx import idx

# The files as published, where they are (`FLAMBEAU_MNIST` says where).
REAL = Path(
    os.environ.get("FLAMBEAU_MNIST", Path(__file__).parents[3] / "shared" / "data" / "mnist")
)
NAMES = [name for name, _ in datasets.MNIST.resources]

rng = np.random.default_rng(0)
IMAGES = {part: rng.integers(0, 256, (n, 28, 28), np.uint8) for part, n in
          (("train", 50), ("t10k", 20))}  # fmt: skip
LABELS = {part: rng.integers(0, 10, len(IMAGES[part])).astype(np.uint8) for part in IMAGES}


def fill(raw, packed=False):
    """Write the four files."""
    raw.mkdir(parents=True, exist_ok=True)
    for part in IMAGES:
        for kind, array in (("images-idx3", IMAGES[part]), ("labels-idx1", LABELS[part])):
            data = idx(array)
            name = f"{part}-{kind}-ubyte"
            if packed:
                (raw / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
            else:
                (raw / name).write_bytes(data)


@pytest.fixture
def root(tmp_path):
    fill(tmp_path / "MNIST" / "raw")
    return tmp_path


NORMALIZED = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])


@pytest.mark.parametrize("packed", [False, True])
def test_both_parts_are_read(tmp_path, packed):
    fill(tmp_path / "MNIST" / "raw", packed)
    for train, part in ((True, "train"), (False, "t10k")):
        dataset = datasets.MNIST(tmp_path, train=train)
        assert len(dataset) == len(IMAGES[part])
        assert dataset.data.dtype is torch.uint8
        assert dataset.targets.dtype is torch.int64
        np.testing.assert_array_equal(dataset.data.numpy(), IMAGES[part])
        np.testing.assert_array_equal(dataset.targets.numpy(), LABELS[part])


def test_a_sample_is_an_image_and_an_int(root):
    pytest.importorskip("PIL")
    dataset = datasets.MNIST(str(root))
    image, label = dataset[3]
    assert (image.mode, image.size) == ("L", (28, 28))
    np.testing.assert_array_equal(np.asarray(image), IMAGES["train"][3])
    assert type(label) is int
    assert label == LABELS["train"][3]
    assert dataset[-1][1] == LABELS["train"][-1]
    with pytest.raises(IndexError):
        dataset[50]


def test_transforms_may_be_set_afterwards(root):
    pytest.importorskip("PIL")
    dataset = datasets.MNIST(root, target_transform=lambda label: -label)
    dataset.transform = transforms.ToTensor()
    image, label = dataset[0]
    assert image.shape == (1, 28, 28)
    assert label == -int(LABELS["train"][0])
    dataset.target_transform = None
    assert dataset[0][1] == LABELS["train"][0]


def test_the_values_are_those_of_float32_arithmetic(root):
    pytest.importorskip("PIL")
    image, _ = datasets.MNIST(root, transform=NORMALIZED)[5]
    one = np.float32
    expected = (IMAGES["train"][5].astype(one) / one(255) - one(0.1307)) / one(0.3081)
    assert image.dtype is torch.float32
    assert image.numpy()[0].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "transform",
    [
        transforms.ToTensor(),
        NORMALIZED,
        transforms.Compose([transforms.ToTensor()]),
        transforms.Compose([transforms.PILToTensor()]),
        transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize([0.5], [0.5], inplace=True)] * 1
            + [transforms.Normalize([0.1], [0.2])]
        ),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_has_the_bits_of_its_samples(root, transform, dtype):
    pytest.importorskip("PIL")
    torch.set_default_dtype(getattr(torch, dtype))
    dataset = datasets.MNIST(root, transform=transform)
    indices = np.array([4, 0, -1, 4, 7])
    images, labels = dataset._get_batch(indices)
    singles = [dataset[int(index)] for index in indices]
    expected = torch.stack([image for image, _ in singles])
    assert images.dtype is expected.dtype
    assert images.shape == expected.shape
    assert images.numpy().tobytes() == expected.numpy().tobytes()
    assert labels.tolist() == [label for _, label in singles]
    assert labels.dtype is torch.int64
    np.testing.assert_array_equal(dataset.data.numpy(), IMAGES["train"])


class Doubled(transforms.ToTensor):
    def __call__(self, pic):
        return 2 * super().__call__(pic)


class Named(datasets.MNIST):
    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image, 100 + label


def test_batches_are_not_made_where_samples_may_differ(root):
    for transform in (
        None,
        transforms.Compose([]),
        transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda x: x)]),
        transforms.Compose([transforms.RandomCrop(20), transforms.ToTensor()]),
        transforms.Compose([transforms.Normalize((0.5,), (0.5,)), transforms.ToTensor()]),
        Doubled(),
        lambda image: image,
    ):
        dataset = datasets.MNIST(root, transform=transform)
        assert dataset._get_batch(np.array([0])) is NotImplemented
    dataset = datasets.MNIST(root, transform=NORMALIZED, target_transform=lambda label: label)
    assert dataset._get_batch(np.array([0])) is NotImplemented
    hooked = transforms.Normalize((0.5,), (0.5,))
    hooked.register_forward_hook(lambda module, inputs, output: output * 2)
    dataset = datasets.MNIST(root, transform=transforms.Compose([transforms.ToTensor(), hooked]))
    assert dataset._get_batch(np.array([0])) is NotImplemented


def test_a_loader_gives_what_the_samples_give(root):
    pytest.importorskip("PIL")
    for kind in (datasets.MNIST, Named):
        raw = Path(root) / kind.__name__ / "raw"
        if not raw.exists():
            shutil.copytree(Path(root) / "MNIST" / "raw", raw)
        dataset = kind(root, transform=NORMALIZED)
        torch.manual_seed(3)
        loader = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)
        batches = list(loader)
        torch.manual_seed(3)
        plain = torch.utils.data.DataLoader(
            dataset, batch_size=16, shuffle=True,
            collate_fn=lambda samples: torch.utils.data.default_collate(samples),
        )  # fmt: skip
        for (images, labels), (expected_images, expected_labels) in zip(
            batches, plain, strict=True
        ):
            assert torch.equal(images, expected_images)
            assert torch.equal(labels, expected_labels)
        assert sum(len(labels) for _, labels in batches) == 50


def test_changed_data_and_subsets_are_honoured(root):
    pytest.importorskip("PIL")
    dataset = datasets.MNIST(root, transform=transforms.ToTensor())
    keep = dataset.targets < 5
    dataset.data, dataset.targets = dataset.data[keep], dataset.targets[keep]
    assert len(dataset) == int((LABELS["train"] < 5).sum())
    subset = torch.utils.data.Subset(dataset, [2, 0])
    images, labels = next(iter(torch.utils.data.DataLoader(subset, batch_size=2)))
    assert labels.tolist() == [dataset[2][1], dataset[0][1]]
    assert torch.equal(images[0], dataset[2][0])


def test_the_printed_form_is_torchvisions(root):
    assert repr(datasets.MNIST(root)) == (
        f"Dataset MNIST\n    Number of datapoints: 50\n    Root location: {root}\n    Split: Train"
    )
    assert repr(datasets.MNIST(root, train=False, transform=NORMALIZED)) == (
        "Dataset MNIST\n"
        "    Number of datapoints: 20\n"
        f"    Root location: {root}\n"
        "    Split: Test\n"
        "    StandardTransform\n"
        "Transform: Compose(\n"
        "               ToTensor()\n"
        "               Normalize(mean=(0.1307,), std=(0.3081,))\n"
        "           )"
    )


def test_names_and_folders(root, monkeypatch):
    dataset = datasets.MNIST(root)
    assert dataset.classes[3] == "3 - three"
    assert dataset.class_to_idx["9 - nine"] == 9
    assert dataset.raw_folder == os.path.join(root, "MNIST", "raw")
    assert dataset.processed_folder == os.path.join(root, "MNIST", "processed")
    for former in ("train_data", "test_data", "train_labels", "test_labels"):
        with pytest.warns(UserWarning, match="has been renamed"):
            assert len(getattr(dataset, former)) == 50
    shutil.move(os.path.join(root, "MNIST"), os.path.join(root, "KMNIST"))
    assert datasets.KMNIST(root).classes[1] == "ki"
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setenv("USERPROFILE", str(root))
    assert len(datasets.KMNIST("~")) == 50


def test_files_of_old_versions_of_torchvision_are_read(tmp_path):
    folder = tmp_path / "MNIST" / "processed"
    folder.mkdir(parents=True)
    for name, part in (("training.pt", "train"), ("test.pt", "t10k")):
        pair = (torch.from_numpy(IMAGES[part]), torch.from_numpy(LABELS[part].astype(np.int64)))
        torch.save(pair, folder / name)
    assert len(datasets.MNIST(tmp_path, train=False)) == 20


# -- what is missing or broken --------------------------------------------------------------------


def test_missing_files_are_named(tmp_path):
    with pytest.raises(RuntimeError, match="Dataset not found. You can use download") as caught:
        datasets.MNIST(tmp_path)
    assert "t10k-labels-idx1-ubyte" in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "shape, words",
    [
        ((50, 27, 28), "have 27 rows of 28 pixels"),
        ((50, 28, 0), "have 28 rows of 0 pixels"),
        ((0, 28, 28), "holds no images"),
    ],
)
@pytest.mark.parametrize("kind", [datasets.MNIST, datasets.EMNIST, datasets.QMNIST])
def test_images_of_another_size_or_none_are_refused(tmp_path, kind, shape, words):
    images, labels = np.zeros(shape, np.uint8), np.zeros(shape[0], np.uint8)
    names = {
        "MNIST": ["train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                  "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
        "EMNIST": ["emnist-mnist-train-images-idx3-ubyte", "emnist-mnist-train-labels-idx1-ubyte"],
        "QMNIST": ["qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int"],
    }[kind.__name__]  # fmt: skip
    raw = tmp_path / kind.__name__ / "raw"
    raw.mkdir(parents=True)
    for name in names:
        (raw / name).write_bytes(idx(images if "images" in name else labels))
    if kind is datasets.QMNIST:
        wide = np.zeros((shape[0], 8), ">i4")
        head = bytes([0, 0, 12, 2]) + np.array(wide.shape, ">u4").tobytes()
        (raw / names[1]).write_bytes(head + wide.tobytes())
    options = {"split": "mnist"} if kind is datasets.EMNIST else {}
    with pytest.raises(RuntimeError, match=f"images-idx3-ubyte is corrupt: .*{words}"):
        kind(tmp_path, **options)


@pytest.mark.parametrize("shape, words", [((2, 3), "have 3 numbers"), ((2, 8), "digits from 0 to")])
def test_strange_labels_of_qmnist_are_refused(tmp_path, shape, words):
    raw = tmp_path / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "qmnist-train-images-idx3-ubyte").write_bytes(idx(np.zeros((2, 28, 28), np.uint8)))
    labels = (100 * np.arange(np.prod(shape), dtype=">i4")).reshape(shape)
    head = bytes([0, 0, 12, 2]) + np.array(shape, ">u4").tobytes()
    (raw / "qmnist-train-labels-idx2-int").write_bytes(head + labels.tobytes())
    with pytest.raises(RuntimeError, match=f"labels-idx2-int is corrupt: .*{words}"):
        datasets.QMNIST(tmp_path)


def test_files_that_do_not_belong_together_are_refused(root):
    raw = Path(root) / "MNIST" / "raw"
    labels = raw / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(LABELS["train"][:-1]))
    with pytest.raises(RuntimeError, match="50 images and .* 49 labels"):
        datasets.MNIST(root)
    labels.write_bytes(idx(np.full(50, 10, np.uint8)))
    with pytest.raises(RuntimeError, match="train-labels-idx1-ubyte is corrupt: it has the label"):
        datasets.MNIST(root)
    labels.write_bytes(idx(IMAGES["train"]))
    with pytest.raises(RuntimeError, match="train-labels-idx1-ubyte holds an array with 3 dim"):
        datasets.MNIST(root)


# -- download -------------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path):
    """A server with the four files, and their checksums."""
    folder = tmp_path / "server"
    fill(folder, packed=True)
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", folder
        http.shutdown()
        thread.join()


def checksums(folder):
    return [(name, hashlib.md5((folder / name).read_bytes()).hexdigest()) for name in NAMES]


def test_download_fetches_unpacks_and_checks(mirror, tmp_path, monkeypatch):
    url, folder = mirror
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/", url])
    monkeypatch.setattr(datasets.MNIST, "resources", checksums(folder))
    dataset = datasets.MNIST(tmp_path / "here", download=True)
    np.testing.assert_array_equal(dataset.data.numpy(), IMAGES["train"])
    expected = {*NAMES, *(name.removesuffix(".gz") for name in NAMES)}
    assert set(os.listdir(dataset.raw_folder)) == expected
    monkeypatch.setattr(datasets.MNIST, "mirrors", [])
    assert len(datasets.MNIST(tmp_path / "here", train=False, download=True)) == 20


def test_wrong_bytes_are_not_taken(mirror, tmp_path, monkeypatch):
    url, folder = mirror
    monkeypatch.setattr(datasets.MNIST, "mirrors", [url])
    monkeypatch.setattr(datasets.MNIST, "resources", checksums(folder))
    (folder / NAMES[0]).write_bytes(gzip.compress(idx(IMAGES["t10k"])))
    with pytest.raises(RuntimeError, match=f"Error downloading {NAMES[0]}.*\n.*Tried {url}"):
        datasets.MNIST(tmp_path / "here", download=True)
    assert os.listdir(tmp_path / "here" / "MNIST" / "raw") == []


# -- the real one ---------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="MNIST itself is not here")
def test_the_real_files(tmp_path):
    pytest.importorskip("PIL")
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in NAMES:
        (raw / name).symlink_to(REAL / name)
    train = datasets.MNIST(tmp_path, transform=NORMALIZED)
    test = datasets.MNIST(tmp_path, train=False, transform=NORMALIZED)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.bincount(test.targets).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    images, labels = train._get_batch(np.arange(60_000))
    assert images.shape == (60_000, 1, 28, 28)
    # The mean and standard deviation that everyone divides by.
    assert abs(float(images.mean())) < 1e-3
    assert abs(float(images.std()) - 1) < 1e-3
    assert labels.shape == (60_000,)
    image, label = train[0]
    assert torch.equal(image, images[0])
    assert label == 5
