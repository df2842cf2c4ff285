"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009)."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .checks import is_whole
from .download import fetch
from .in_memory import ColourImages
from .unpacking import unpack_tar


class CIFAR10(ColourImages):
    """CIFAR-10: 50,000 training and 10,000 test images of ten classes, 32 by 32, in colour.

    Args:
        root: the folder in which ``cifar-10-batches-py`` lies (the files of the Python version as
            published).
        train: the training images, or else the test images.
        transform: applied to each image, a Pillow image.
        target_transform: applied to each label, an int.
        download: fetch the files that are missing.

    Attributes:
        data: the images, a NumPy array ``(N, 32, 32, 3)``, uint8.
        targets: the labels, a list of ints.
        classes: their names.

    Raises:
        RuntimeError: files are missing (and ``download`` is False), cannot be downloaded, or are
            not those that were published.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.CIFAR10.html
    """

    base_folder = "cifar-10-batches-py"
    mirrors: ClassVar[list[str]] = ["https://www.cs.toronto.edu/~kriz/"]
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: ClassVar[list[tuple[str, str]]] = [
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    ]
    test_list: ClassVar[list[tuple[str, str]]] = [
        ("test_batch", "40351d587109b95175f43aff81a1287e"),
    ]
    meta: ClassVar[dict[str, str]] = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

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
        if download:
            self.download()
        wanted = [*(self.train_list if train else self.test_list), self._meta_file()]
        wrong = [name for name, md5 in wanted if not is_whole(self._path(name), md5)]
        if wrong:
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it: "
                f"{', '.join(wrong)} should be in {self._path('')}, as published"
            )
        parts = [self._read(name) for name, _ in wanted[:-1]]
        self.data: Any = np.concatenate([images for images, _ in parts])
        self.targets: list[int] = [label for _, labels in parts for label in labels]
        self.classes: list[str] = _unpickle(self._path(self.meta["filename"]))[self.meta["key"]]
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _meta_file(self) -> tuple[str, str]:
        return self.meta["filename"], self.meta["md5"]

    def _read(self, name: str) -> tuple[np.ndarray, list[int]]:
        """The images ``(N, 32, 32, 3)`` and labels of one file."""
        entry = _unpickle(self._path(name))
        rows = entry.get("data") if isinstance(entry, dict) else None
        labels = entry.get("labels", entry.get("fine_labels")) if isinstance(entry, dict) else None
        if (
            not isinstance(rows, np.ndarray)
            or rows.dtype != np.uint8
            or rows.ndim != 2
            or rows.shape[1] != 3 * 32 * 32
            or not isinstance(labels, list)
            or len(labels) != len(rows)
        ):
            raise RuntimeError(f"{self._path(name)} is corrupt: it holds no images with labels")
        images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(images), labels

    def download(self) -> None:
        """Download and unpack the archive, unless all its files are there.

        Raises:
            RuntimeError: no mirror has served it.
        """
        files = [*self.train_list, *self.test_list, self._meta_file()]
        if all(is_whole(self._path(name), md5) for name, md5 in files):
            return
        packed = os.path.join(self.root, self.filename)
        fetch([mirror + self.filename for mirror in self.mirrors], packed, self.tgz_md5)
        unpack_tar(packed, self.root, {f"{self.base_folder}/{name}": md5 for name, md5 in files})

    def _images(self) -> np.ndarray:
        return self.data

    def _labels(self) -> list[int]:
        return self.targets

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """CIFAR-100: as CIFAR-10, with a hundred classes.

    Args:
        root, train, transform, target_transform, download: as for :class:`CIFAR10`, in the folder
            ``cifar-100-python``.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.CIFAR100.html
    """

    base_folder = "cifar-100-python"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list: ClassVar[list[tuple[str, str]]] = [("train", "16019d7e3df5f24257cddd939b257f8d")]
    test_list: ClassVar[list[tuple[str, str]]] = [("test", "f0ef6b0ae62326f3e7ffdfab6717acfc")]
    meta: ClassVar[dict[str, str]] = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }


# What the published files name, and nothing else.
_PERMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Unpickler(pickle.Unpickler):
    """Makes arrays, and runs nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PERMITTED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no such file needs")
        if module == "numpy.core.multiarray":
            module = "numpy._core.multiarray"
        return super().find_class(module, name)


def _unpickle(path: str) -> Any:
    with open(path, "rb") as file:
        try:
            return _Unpickler(file, encoding="latin1").load()
        except Exception as error:  # a broken pickle raises anything
            raise RuntimeError(f"{path} is corrupt: {error}") from error
