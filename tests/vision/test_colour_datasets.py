"""CIFAR, SVHN, EMNIST, QMNIST: read as published, downloaded whole, and never half."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.data import DataLoader
from flambeau.vision import datasets, transforms

pytest.importorskip("PIL.Image")


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def idx(array: np.ndarray, code: int) -> bytes:
    head = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def published(tmp_path):
    """A folder, and the address of a server that serves it."""
    folder = tmp_path / "published"
    folder.mkdir()

    def handler(*args):
        return Quiet(*args, directory=str(folder))

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


RNG = np.random.default_rng(0)
ROWS = {name: RNG.integers(0, 256, (6, 3072), np.uint8) for name in ("data_batch_1", "test_batch")}
LABELS = [3, 1, 4, 1, 5, 9]
CLASSES = [f"class {i}" for i in range(10)]


def cifar_files() -> dict[str, bytes]:
    files = {
        name: pickle.dumps({"data": rows, "labels": LABELS}, protocol=2)
        for name, rows in ROWS.items()
    }
    return files | {"batches.meta": pickle.dumps({"label_names": CLASSES}, protocol=2)}


def cifar_archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {"../../evil": b"evil", **files}.items():
            path = name if name.startswith("..") else f"cifar-10-batches-py/{name}"
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def small_cifar(address: str, files: dict[str, bytes], archive: bytes):
    class CIFAR10(datasets.CIFAR10):
        mirrors = [address]
        tgz_md5 = md5(archive)
        train_list = [("data_batch_1", md5(files["data_batch_1"]))]
        test_list = [("test_batch", md5(files["test_batch"]))]
        meta = datasets.CIFAR10.meta | {"md5": md5(files["batches.meta"])}

    return CIFAR10


@pytest.fixture
def cifar(published):
    folder, address = published
    files = cifar_files()
    archive = cifar_archive(files)
    (folder / "cifar-10-python.tar.gz").write_bytes(archive)
    return small_cifar(address, files, archive)


def test_cifar_is_downloaded_unpacked_and_read(cifar, tmp_path, capsys):
    root = tmp_path / "data"
    with pytest.raises(RuntimeError, match=r"You can use download=True .*data_batch_1"):
        cifar(root)
    data = cifar(root, download=True)
    assert len(data) == 6 and data.data.shape == (6, 32, 32, 3)
    image, label = data[2]
    assert label == 4 and image.size == (32, 32) and image.mode == "RGB"
    expected = ROWS["data_batch_1"][2].reshape(3, 32, 32).transpose(1, 2, 0)
    np.testing.assert_array_equal(np.asarray(image), expected)
    assert data.classes == CLASSES and data.class_to_idx["class 3"] == 3
    assert not (tmp_path / "evil").exists() and not (tmp_path.parent / "evil").exists()
    assert "Split: Test" in repr(cifar(root, train=False))
    assert sorted(os.listdir(root)) == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_a_changed_or_half_written_file_is_not_taken(cifar, tmp_path):
    root = tmp_path / "data"
    cifar(root, download=True)
    path = root / "cifar-10-batches-py" / "data_batch_1"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        cifar(root)
    cifar(root, download=True)  # unpacked again from the archive
    assert len(cifar(root)) == 6


def test_an_archive_without_a_file_is_refused(published, tmp_path):
    folder, address = published
    files = cifar_files()
    archive = cifar_archive({name: files[name] for name in ("data_batch_1", "batches.meta")})
    (folder / "cifar-10-python.tar.gz").write_bytes(archive)
    with pytest.raises(RuntimeError, match="it has no cifar-10-batches-py/test_batch"):
        small_cifar(address, files, archive)(tmp_path / "data", download=True)


class Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_file_that_would_run_something_is_refused(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, address = published
    files = cifar_files() | {"data_batch_1": pickle.dumps({"data": Runs()}, protocol=2)}
    archive = cifar_archive(files)
    (folder / "cifar-10-python.tar.gz").write_bytes(archive)
    with pytest.raises(RuntimeError, match=r"corrupt: it wants posix.mkdir|nt.mkdir"):
        small_cifar(address, files, archive)(tmp_path / "data", download=True)
    assert not os.path.exists("ran")


@pytest.mark.parametrize(
    "steps",
    [
        [transforms.ToTensor()],
        [transforms.ToTensor(), transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))],
        [transforms.ToTensor(), transforms.Resize(20), transforms.CenterCrop(16)],
        [transforms.ToTensor(), transforms.Pad(2), transforms.Grayscale()],
        [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float32)],
    ],
    ids=str,
)
def test_batches_are_the_samples_to_the_bit(cifar, tmp_path, steps):
    data = cifar(tmp_path, transform=transforms.Compose(steps), download=True)
    indices = np.array([4, 0, 2])
    images, labels = data._get_batch(indices)
    one_by_one = torch.stack([data[int(i)][0] for i in indices])
    assert images.shape == one_by_one.shape and images.is_contiguous()
    assert images.numpy().tobytes() == one_by_one.numpy().tobytes()
    assert labels.tolist() == [5, 3, 4]
    batches = list(DataLoader(data, batch_size=4))
    assert [len(labels) for _, labels in batches] == [4, 2]


def test_random_transforms_are_left_to_the_samples(cifar, tmp_path):
    steps = [transforms.ToTensor(), transforms.RandomHorizontalFlip()]
    data = cifar(tmp_path, transform=transforms.Compose(steps), download=True)
    assert data._get_batch(np.array([0])) is NotImplemented


DOWNLOADER = """
import sys
sys.path.insert(0, {folder!r})
from test_colour_datasets import cifar_archive, cifar_files, small_cifar
files = cifar_files()
data = small_cifar({address!r}, files, open({archive!r}, "rb").read())({root!r}, download=True)
assert len(data) == 6
"""


def test_two_processes_may_download_at_once(published, tmp_path):
    folder, address = published
    archive = folder / "cifar-10-python.tar.gz"
    archive.write_bytes(cifar_archive(cifar_files()))
    root = tmp_path / "data"
    program = DOWNLOADER.format(
        folder=os.path.dirname(__file__), address=address, archive=str(archive), root=str(root)
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(3)
    ]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert sorted(os.listdir(root)) == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]
    assert sorted(os.listdir(root / "cifar-10-batches-py")) == [
        "batches.meta", "data_batch_1", "test_batch",
    ]  # fmt: skip


def test_cifar100_takes_the_fine_labels(tmp_path):
    rows = ROWS["test_batch"]
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    content = {"data": rows, "fine_labels": [99] * 6, "coarse_labels": [1] * 6}
    files = {
        "test": pickle.dumps(content, protocol=2),
        "meta": pickle.dumps({"fine_label_names": ["a"]}, protocol=2),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)

    class CIFAR100(datasets.CIFAR100):
        test_list = [("test", md5(files["test"]))]
        meta = datasets.CIFAR100.meta | {"md5": md5(files["meta"])}

    assert CIFAR100(tmp_path, train=False).targets == [99] * 6


def test_svhn_is_read_with_zero_as_zero(published, tmp_path):
    savemat = pytest.importorskip("scipy.io").savemat
    folder, address = published
    images = RNG.integers(0, 256, (32, 32, 3, 4), np.uint8)
    savemat(folder / "train_32x32.mat", {"X": images, "y": np.array([[10], [1], [9], [10]])})
    digest = md5((folder / "train_32x32.mat").read_bytes())

    class SVHN(datasets.SVHN):
        mirrors = [address]
        split_list = datasets.SVHN.split_list | {"train": ("train_32x32.mat", digest)}

    root = tmp_path / "data"
    data = SVHN(root, transform=transforms.ToTensor(), download=True)
    assert data.labels.tolist() == [0, 1, 9, 0] and data.data.shape == (4, 3, 32, 32)
    np.testing.assert_array_equal(data.data[1], images[:, :, :, 1].transpose(2, 0, 1))
    batch, labels = data._get_batch(np.array([2, 0]))
    assert batch.numpy().tobytes() == torch.stack([data[2][0], data[0][0]]).numpy().tobytes()
    assert labels.tolist() == [9, 0]
    with pytest.raises(ValueError, match="Unknown value 'all' for argument split"):
        SVHN(root, "all")
    (root / "train_32x32.mat").write_bytes(b"MATLAB")
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        SVHN(root)


def test_emnist_takes_its_split_out_of_the_archive(published, tmp_path):
    folder, address = published
    images = RNG.integers(0, 256, (5, 28, 28), np.uint8)
    labels = np.array([1, 26, 3, 4, 5], np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for part in ("train", "test"):
            prefix = f"gzip/emnist-letters-{part}"
            bundle.writestr(f"{prefix}-images-idx3-ubyte.gz", gzip.compress(idx(images, 8)))
            bundle.writestr(f"{prefix}-labels-idx1-ubyte.gz", gzip.compress(idx(labels, 8)))
    (folder / "gzip.zip").write_bytes(buffer.getvalue())

    class EMNIST(datasets.EMNIST):
        mirrors = [address]
        archive = ("gzip.zip", md5(buffer.getvalue()))

    data = EMNIST(tmp_path, "letters", download=True)
    assert len(data) == 5 and data[1][1] == 26 and data.classes[26] == "z"
    assert len(EMNIST(tmp_path, "letters", train=False, download=True)) == 5
    with pytest.raises(RuntimeError, match=r"it has no gzip/emnist-digits-train-images"):
        EMNIST(tmp_path, "digits", download=True)
    with pytest.raises(ValueError, match="Unknown value 'greek' for argument split"):
        EMNIST(tmp_path, "greek")
    assert len(datasets.EMNIST.classes_split_dict["byclass"]) == 62
    assert len(datasets.EMNIST.classes_split_dict["balanced"]) == 47


def test_qmnist_gives_digits_or_all_that_is_known(published, tmp_path):
    folder, address = published
    images = RNG.integers(0, 256, (3, 28, 28), np.uint8)
    labels = np.arange(24, dtype=np.int32).reshape(3, 8)
    labels[:, 0] = 0, 8, 6
    packed = {
        "qmnist-train-images-idx3-ubyte.gz": gzip.compress(idx(images, 8)),
        "qmnist-train-labels-idx2-int.gz": gzip.compress(idx(labels, 12)),
        "xnist-images-idx3-ubyte.xz": lzma.compress(idx(images, 8)),
        "xnist-labels-idx2-int.xz": lzma.compress(idx(labels, 12)),
    }
    for name, content in packed.items():
        (folder / name).write_bytes(content)

    class QMNIST(datasets.QMNIST):
        mirrors = [address]
        resources = {
            what: [(name, md5(packed.get(name, b""))) for name, _ in files]
            for what, files in datasets.QMNIST.resources.items()
        }

    data = QMNIST(tmp_path, transform=transforms.ToTensor(), download=True)
    assert [data[i][1] for i in range(3)] == [0, 8, 6]
    assert data._get_batch(np.array([2, 1]))[1].tolist() == [6, 8]
    everything = QMNIST(tmp_path, what="nist", compat=False, download=True)
    assert everything[1][1].tolist() == list(range(8, 16))
    assert "Split: nist" in repr(everything)
    with pytest.raises(ValueError, match="argument what"):
        QMNIST(tmp_path, what="all")
