"""Colour images that lie in memory, one sample at a time and in batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tensor import wrap
from ..transforms.batch import batch_form
from ..transforms.pillow import image_of
from .vision import VisionDataset


class ColourImages(VisionDataset):
    """Base class of datasets with all their images ``(N, H, W, 3)``, uint8, in one array.

    Subclasses give ``_images()`` and ``_labels()``.

    Args:
        root, transforms, transform, target_transform: as for :class:`VisionDataset`.
    """

    def _images(self) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define _images")

    def _labels(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _labels")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image, a Pillow image, and the label at an index, transformed."""
        image: Any = image_of(np.ascontiguousarray(self._images()[index]))
        target: Any = int(self._labels()[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self._images())

    def _get_batch(self, indices: Any) -> Any:
        """The samples at several indices at once, collated: the same values, to the bit.

        Args:
            indices: an array of integers.

        Returns:
            Images ``(B, 3, H, W)`` and labels ``(B,)``; NotImplemented where some step of the
            transform is not known to treat every image alike.
        """
        transform = batch_form(self.transform)
        images = self._images()
        labels = np.asarray(self._labels())
        if (
            transform is None
            or self.target_transform is not None
            or type(images) is not np.ndarray
            or images.dtype != np.uint8
            or images.ndim != 4
            or labels.ndim != 1
            or labels.dtype.kind not in "iu"
        ):
            return NotImplemented
        return transform(images[indices]), wrap(labels.take(indices).astype(np.int64))
