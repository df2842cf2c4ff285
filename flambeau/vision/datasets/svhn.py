"""SVHN, house numbers from street views (Netzer and others, 2011)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .checks import is_whole, one_of
from .download import fetch
from .in_memory import ColourImages


class SVHN(ColourImages):
    """SVHN, cropped digits: 73,257 training, 26,032 test, 531,131 further images, 32 by 32.

    Args:
        root: the folder in which ``train_32x32.mat`` (or ``test``, ``extra``) lies.
        split: ``"train"``, ``"test"`` or ``"extra"``.
        transform: applied to each image, a Pillow image.
        target_transform: applied to each label, an int; the digit 0 is 0.
        download: fetch the file if it is missing.

    Attributes:
        data: the images, a NumPy array ``(N, 3, 32, 32)``, uint8.
        labels: a NumPy array ``(N,)``, int64.

    Raises:
        ImportError: SciPy, which reads the file, is not installed.
        ValueError: there is no such split.
        RuntimeError: the file is missing (and ``download`` is False), cannot be downloaded, or is
            not the one that was published.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.SVHN.html
    """

    mirrors: ClassVar[list[str]] = ["http://ufldl.stanford.edu/housenumbers/"]
    split_list: ClassVar[dict[str, tuple[str, str]]] = {
        "train": ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        "test": ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
        "extra": ("extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"),
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = one_of(split, "split", self.split_list)
        self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        path = os.path.join(self.root, self.filename)
        if not is_whole(path, self.file_md5):
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it: "
                f"{self.filename} should be in {self.root}, as published"
            )
        images, labels = _read(path)
        # Stored is 10 for the digit 0.
        self.labels = np.where(labels == 10, 0, labels)
        # The images lie in memory as their bytes are used; what is seen has the channels first.
        self.data = np.ascontiguousarray(images.transpose(3, 0, 1, 2)).transpose(0, 3, 1, 2)

    def download(self) -> None:
        """Download the file, unless it is there.

        Raises:
            RuntimeError: no mirror has served it.
        """
        urls = [mirror + self.filename for mirror in self.mirrors]
        fetch(urls, os.path.join(self.root, self.filename), self.file_md5)

    def _images(self) -> np.ndarray:
        return self.data.transpose(0, 2, 3, 1)

    def _labels(self) -> np.ndarray:
        return self.labels

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def _read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(32, 32, 3, N)`` and labels ``(N,)`` of a MATLAB file."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(
            "SVHN's files are read with SciPy, which is not installed: "
            "pip install 'flambeau[special]' (or pip install scipy)"
        ) from error
    try:
        content = loadmat(path)
        images, labels = content["X"], content["y"].astype(np.int64).reshape(-1)
    except Exception as error:  # a broken file raises anything
        raise RuntimeError(f"{path} is corrupt: {error}") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != len(labels):
        raise RuntimeError(
            f"{path} is corrupt: it has images of shape {images.shape} and {len(labels)} labels"
        )
    return images, labels
