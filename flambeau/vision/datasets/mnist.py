"""MNIST and the datasets that are published in its format."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ...serialization.loading import load
from ...tensor import Tensor, wrap
from ..transforms.batch import batch_form
from .download import fetch
from .idx import read_idx
from .unpacking import unpack
from .vision import VisionDataset

SIDE = 28


def check_images(image_file: str, images: np.ndarray, label_file: str, labels: np.ndarray) -> None:
    """Refuse files that hold something else than images of MNIST's size and a label for each.

    Args:
        image_file, label_file: their names, for the message.
        images: ``(N, H, W)``.
        labels: ``(N,)``.

    Raises:
        RuntimeError: there are none, they are of another size, or not as many as labels.
    """
    if len(images) == 0:
        raise RuntimeError(f"{image_file} is corrupt: it holds no images")
    if images.shape[1:] != (SIDE, SIDE):
        raise RuntimeError(
            f"{image_file} is corrupt: its images have {images.shape[1]} rows of "
            f"{images.shape[2]} pixels, and {SIDE} of {SIDE} are expected"
        )
    if len(images) != len(labels):
        raise RuntimeError(
            f"{image_file} holds {len(images)} images and {label_file} {len(labels)} labels: "
            "they do not belong together"
        )


class MNIST(VisionDataset):
    """The MNIST database of handwritten digits (LeCun, Cortes, Burges).

    60,000 training and 10,000 test images, 28 by 28 pixels, one channel.

    Args:
        root: the folder in which ``MNIST/raw/train-images-idx3-ubyte`` and the other files lie,
            unpacked or as ``.gz``.
        train: the training images, or else the test images.
        transform: applied to each image, a Pillow image.
        target_transform: applied to each label, an int.
        download: fetch the files that are missing.

    Attributes:
        data: the images, ``(N, 28, 28)``, uint8.
        targets: the labels, ``(N,)``, int64.

    Raises:
        RuntimeError: files are missing (and ``download`` is False), cannot be downloaded, or are
            truncated or corrupt.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.MNIST.html
    """

    mirrors: ClassVar[list[str]] = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]

    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]

    training_file = "training.pt"
    test_file = "test.pt"
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self.data: Tensor
        self.targets: Tensor
        if self._check_legacy_exist():
            # Written by torchvision before 0.10.
            file = self.training_file if self.train else self.test_file
            self.data, self.targets = load(
                os.path.join(self.processed_folder, file), weights_only=True
            )
            return
        if download:
            self.download()
        if not self._check_exists():
            missing = [name for name in self._files() if self._found(name) is None]
            raise RuntimeError(
                "Dataset not found. You can use download=True to download it, or put "
                f"{', '.join(missing)} (unpacked or as .gz) into {self.raw_folder}"
            )
        self.data, self.targets = self._load_data()

    # -- the files ------------------------------------------------------------------------------

    def _files(self) -> list[str]:
        """The names of the unpacked files."""
        return [os.path.splitext(os.path.basename(name))[0] for name, _ in self.resources]

    def _names(self) -> tuple[str, str]:
        """The unpacked files of this part: its images and its labels."""
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _found(self, name: str) -> str | None:
        """Where a file lies, unpacked or packed; None where it is missing."""
        path = os.path.join(self.raw_folder, name)
        for candidate in (path, path + ".gz"):
            if os.path.isfile(candidate):
                return candidate
        return None

    def _check_exists(self) -> bool:
        return all(self._found(name) is not None for name in self._files())

    def _check_legacy_exist(self) -> bool:
        return all(
            os.path.isfile(os.path.join(self.processed_folder, file))
            for file in (self.training_file, self.test_file)
        )

    def _load_data(self) -> tuple[Tensor, Tensor]:
        image_file, label_file = (self._found(name) for name in self._names())
        assert image_file is not None and label_file is not None
        images = read_idx(image_file, ndim=3, dtype=np.uint8)
        labels = read_idx(label_file, ndim=1, dtype=np.uint8)
        check_images(image_file, images, label_file, labels)
        if labels.size and labels.max() >= len(self.classes):
            raise RuntimeError(
                f"{label_file} is corrupt: it has the label {labels.max()}, and there are "
                f"{len(self.classes)} classes"
            )
        return wrap(images), wrap(labels.astype(np.int64))

    def download(self) -> None:
        """Download and unpack the files that are missing.

        Raises:
            RuntimeError: no mirror has served a file.
        """
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for name, md5 in self.resources:
            packed = os.path.join(self.raw_folder, name)
            fetch([mirror + name for mirror in self.mirrors], packed, md5)
            unpack(packed, os.path.splitext(packed)[0])

    @property
    def raw_folder(self) -> str:
        """The folder of the files as published."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """The folder where torchvision before 0.10 kept converted files."""
        return os.path.join(self.root, type(self).__name__, "processed")

    # -- the samples ----------------------------------------------------------------------------

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image and the label at an index, transformed."""
        from ..transforms.pillow import image_of

        image: Any = image_of(self.data[index]._array, "L")
        target = self._target(index)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def _target(self, index: int) -> Any:
        return int(self.targets[index])

    def _all_targets(self) -> Any:
        """The labels of all samples, an array whose rows are the samples' labels."""
        return getattr(self.targets, "_array", None)

    def __len__(self) -> int:
        return len(self.data)

    def _get_batch(self, indices: Any) -> Any:
        """The samples at several indices at once, collated: the same values, to the bit.

        Args:
            indices: an array of integers.

        Returns:
            Images ``(B, 1, 28, 28)`` and labels ``(B,)``; NotImplemented where some step of the
            transform is not known to treat every image alike.
        """
        transform = batch_form(self.transform)
        images = getattr(self.data, "_array", None)
        labels = self._all_targets()
        if (
            transform is None
            or self.target_transform is not None
            or type(images) is not np.ndarray
            or type(labels) is not np.ndarray
            or images.dtype != np.uint8
            or images.ndim != 3
            or labels.ndim > 2
            or labels.dtype.kind not in "iu"
        ):
            return NotImplemented
        labels = labels.take(indices, axis=0).astype(np.int64, copy=False)
        return transform(images.take(indices, axis=0)), wrap(labels)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: number for number, name in enumerate(self.classes)}

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"

    # -- former names ---------------------------------------------------------------------------

    @property
    def train_labels(self) -> Tensor:
        """``targets``, by an old name."""
        warnings.warn("train_labels has been renamed targets", stacklevel=2)
        return self.targets

    @property
    def test_labels(self) -> Tensor:
        """``targets``, by an old name."""
        warnings.warn("test_labels has been renamed targets", stacklevel=2)
        return self.targets

    @property
    def train_data(self) -> Tensor:
        """``data``, by an old name."""
        warnings.warn("train_data has been renamed data", stacklevel=2)
        return self.data

    @property
    def test_data(self) -> Tensor:
        """``data``, by an old name."""
        warnings.warn("test_data has been renamed data", stacklevel=2)
        return self.data


class FashionMNIST(MNIST):
    """Zalando's images of clothes (Xiao, Rasul, Vollgraf), in MNIST's format.

    Args:
        root, train, transform, target_transform, download: as for :class:`MNIST`, in the folder
            ``FashionMNIST/raw``.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.FashionMNIST.html
    """

    mirrors: ClassVar[list[str]] = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    ]  # fmt: skip


class KMNIST(MNIST):
    """Kuzushiji-MNIST (Clanuwat and others): cursive Japanese characters, in MNIST's format.

    Args:
        root, train, transform, target_transform, download: as for :class:`MNIST`, in the folder
            ``KMNIST/raw``.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.KMNIST.html
    """

    mirrors: ClassVar[list[str]] = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes: ClassVar[list[str]] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
