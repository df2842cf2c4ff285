"""Random images, to try a program without data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau

from ..transforms.functional import to_pil_image
from .vision import VisionDataset


class FakeData(VisionDataset):
    """Random images with random labels, the same at each visit.

    Args:
        size: how many.
        image_size: channels, height and width.
        num_classes: labels are from 0 to less than this.
        transform: applied to each image, a Pillow image.
        target_transform: applied to each label, a 0-d tensor.
        random_offset: added to the index to make the seed of each image.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.FakeData.html
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = image_size
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image and the label of an index; the program's own random stream stays untouched.

        Raises:
            IndexError: there is no such index.
        """
        if index >= self.size:
            raise IndexError(f"{type(self).__name__} index out of range")
        generator = flambeau.Generator().manual_seed(index + self.random_offset)
        values = flambeau.randn(*self.image_size, generator=generator)
        target: Any = flambeau.randint(0, self.num_classes, (1,), generator=generator)[0]
        image = to_pil_image(values)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target.item()

    def __len__(self) -> int:
        return self.size
