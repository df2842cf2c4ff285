"""EMNIST and QMNIST: more digits and letters in MNIST's format."""

from __future__ import annotations

import os
import string
from typing import Any, ClassVar

import numpy as np

from ...tensor import Tensor, wrap
from .checks import one_of
from .download import fetch
from .idx import read_idx
from .mnist import MNIST, check_images
from .unpacking import unpack, unpack_gzip_in_zip

_ALIKE = set("cijklmopsuvwxyz")  # letters whose capitals look the same
_UNLIKE = sorted(set(string.digits + string.ascii_letters) - _ALIKE)


class EMNIST(MNIST):
    """EMNIST, handwritten letters and digits (Cohen, Afshar, Tapson and van Schaik, 2017).

    Args:
        root: the folder in which ``EMNIST/raw/emnist-SPLIT-train-images-idx3-ubyte`` and the
            other files lie, unpacked or as ``.gz``.
        split: ``"byclass"``, ``"bymerge"``, ``"balanced"``, ``"letters"``, ``"digits"`` or
            ``"mnist"``.
        kwargs: ``train``, ``transform``, ``target_transform``, ``download`` as for :class:`MNIST`.

    The images are stored lying on their sides, as published.

    Raises:
        ValueError: there is no such split.
        RuntimeError: as for :class:`MNIST`.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.EMNIST.html
    """

    mirrors: ClassVar[list[str]] = ["https://biometrics.nist.gov/cs_links/EMNIST/"]
    archive: ClassVar[tuple[str, str]] = ("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e")
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": sorted(string.digits + string.ascii_letters),
        "bymerge": _UNLIKE,
        "balanced": _UNLIKE,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: str | os.PathLike[str], split: str, **kwargs: Any) -> None:
        self.split = one_of(split, "split", self.splits)
        self.training_file = f"training_{split}.pt"
        self.test_file = f"test_{split}.pt"
        self.classes = self.classes_split_dict[split]  # type: ignore[misc]
        super().__init__(root, **kwargs)

    def _names(self) -> tuple[str, str]:
        part = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _files(self) -> list[str]:
        return list(self._names())

    def download(self) -> None:
        """Download the archive of all splits, and unpack this one's files.

        Raises:
            RuntimeError: no mirror has served the archive.
        """
        if self._check_exists():
            return
        name, md5 = self.archive
        packed = os.path.join(self.raw_folder, name)
        fetch([mirror + name for mirror in self.mirrors], packed, md5)
        wanted = {f"gzip/{file}.gz": os.path.join(self.raw_folder, file) for file in self._names()}
        unpack_gzip_in_zip(packed, wanted)


_QMNIST = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"


class QMNIST(MNIST):
    """QMNIST, MNIST's digits with where they come from, and 50,000 more for testing.

    Args:
        root: the folder in which ``QMNIST/raw/qmnist-train-images-idx3-ubyte`` and the other
            files lie.
        what: ``"train"``, ``"test"`` (60,000), ``"test10k"`` (MNIST's), ``"test50k"`` (the
            others) or ``"nist"`` (all).
        compat: labels are the digits; otherwise tensors of eight integers (digit, writer, ...).
        train: where ``what`` is not given, ``"train"`` or ``"test"``.
        kwargs: ``transform``, ``target_transform``, ``download`` as for :class:`MNIST`.

    Raises:
        ValueError: there is no such part.
        RuntimeError: as for :class:`MNIST`.

    Source: Yadav and Bottou, "Cold case: the lost MNIST digits" (2019);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.QMNIST.html
    """

    mirrors: ClassVar[list[str]] = [_QMNIST]
    subsets: ClassVar[dict[str, str]] = {
        "train": "train",
        "test": "test",
        "test10k": "test",
        "test50k": "test",
        "nist": "nist",
    }
    resources: ClassVar[dict[str, list[tuple[str, str]]]] = {  # type: ignore[assignment]
        "train": [
            ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            ("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        what: str | None = None,
        compat: bool = True,
        train: bool = True,
        **kwargs: Any,
    ) -> None:
        if what is None:
            what = "train" if train else "test"
        self.what = one_of(what, "what", self.subsets)
        self.compat = compat
        self.training_file = self.test_file = f"{what}.pt"
        super().__init__(root, train, **kwargs)

    def _names(self) -> tuple[str, str]:
        (images, _), (labels, _) = self.resources[self.subsets[self.what]]
        return os.path.splitext(images)[0], os.path.splitext(labels)[0]

    def _files(self) -> list[str]:
        return list(self._names())

    def _load_data(self) -> tuple[Tensor, Tensor]:
        image_file, label_file = (self._found(name) for name in self._names())
        assert image_file is not None and label_file is not None
        images = read_idx(image_file, ndim=3, dtype=np.uint8)
        labels = read_idx(label_file, ndim=2).astype(np.int64)
        check_images(image_file, images, label_file, labels)
        if labels.shape[1] != 8:
            raise RuntimeError(
                f"{label_file} is corrupt: its labels have {labels.shape[1]} numbers, and 8 are "
                "expected"
            )
        if labels[:, 0].min() < 0 or labels[:, 0].max() >= len(self.classes):
            raise RuntimeError(
                f"{label_file} is corrupt: it has digits from {labels[:, 0].min()} to "
                f"{labels[:, 0].max()}"
            )
        part = {"test10k": slice(10000), "test50k": slice(10000, None)}.get(self.what, slice(None))
        return wrap(images[part].copy()), wrap(labels[part].copy())

    def download(self) -> None:
        """Download and unpack the files of the part that was asked for.

        Raises:
            RuntimeError: no mirror has served a file.
        """
        if self._check_exists():
            return
        for name, md5 in self.resources[self.subsets[self.what]]:
            packed = os.path.join(self.raw_folder, name)
            fetch([mirror + name for mirror in self.mirrors], packed, md5)
            unpack(packed, os.path.splitext(packed)[0])

    def _target(self, index: int) -> Any:
        row = self.targets[index]
        return int(row[0]) if self.compat else row

    def _all_targets(self) -> Any:
        labels = self.targets._array
        return labels[:, 0] if self.compat else labels

    def extra_repr(self) -> str:
        return f"Split: {self.what}"
