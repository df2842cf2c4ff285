"""The first version's transforms, taking an image with further values."""

from __future__ import annotations

from typing import Any

import flambeau

from ... import transforms as v1
from .containers import on_image


class _WithMore:
    """Changes the image as the class that follows does, and passes the other inputs on."""

    def __call__(self, *inputs: Any) -> Any:
        return on_image(super().__call__, inputs)  # type: ignore[misc]


class _Signed:
    """Draws signs as the second version does."""

    def _negative(self) -> bool:
        return bool(flambeau.rand(()) <= 0.5)


class AugMix(_WithMore, _Signed, v1.AugMix):
    """As :class:`flambeau.vision.transforms.AugMix`."""


class AutoAugment(_WithMore, _Signed, v1.AutoAugment):
    """As :class:`flambeau.vision.transforms.AutoAugment`, but draws each change by itself."""

    def _chosen(self, space: Any) -> Any:
        number = int(flambeau.randint(len(self.policies), ()).item())
        for name, probability, place in self.policies[number]:
            if not bool(flambeau.rand(()) <= probability):
                continue
            strengths, signed = space[name]
            strength = 0.0 if place is None else float(strengths[place])
            yield name, -strength if signed and self._negative() else strength


class CenterCrop(_WithMore, v1.CenterCrop):
    """As :class:`flambeau.vision.transforms.CenterCrop`."""

    _batch = v1.CenterCrop._batch


class ColorJitter(_WithMore, v1.ColorJitter):
    """As :class:`flambeau.vision.transforms.ColorJitter`."""


class ConvertImageDtype(_WithMore, v1.ConvertImageDtype):
    """As :class:`flambeau.vision.transforms.ConvertImageDtype`."""

    _batch = v1.ConvertImageDtype._batch


class ElasticTransform(_WithMore, v1.ElasticTransform):
    """As :class:`flambeau.vision.transforms.ElasticTransform`."""


class FiveCrop(_WithMore, v1.FiveCrop):
    """As :class:`flambeau.vision.transforms.FiveCrop`."""


class GaussianBlur(_WithMore, v1.GaussianBlur):
    """As :class:`flambeau.vision.transforms.GaussianBlur`."""


class Grayscale(_WithMore, v1.Grayscale):
    """As :class:`flambeau.vision.transforms.Grayscale`."""

    _batch = v1.Grayscale._batch


class LinearTransformation(_WithMore, v1.LinearTransformation):
    """As :class:`flambeau.vision.transforms.LinearTransformation`."""


class Normalize(_WithMore, v1.Normalize):
    """As :class:`flambeau.vision.transforms.Normalize`."""

    _batch = v1.Normalize._batch


class Pad(_WithMore, v1.Pad):
    """As :class:`flambeau.vision.transforms.Pad`."""

    _batch = v1.Pad._batch


class PILToTensor(_WithMore, v1.PILToTensor):
    """As :class:`flambeau.vision.transforms.PILToTensor`."""

    _first_batch = v1.PILToTensor._first_batch


class RandAugment(_WithMore, _Signed, v1.RandAugment):
    """As :class:`flambeau.vision.transforms.RandAugment`."""


class RandomAdjustSharpness(_WithMore, v1.RandomAdjustSharpness):
    """As :class:`flambeau.vision.transforms.RandomAdjustSharpness`."""


class RandomAffine(_WithMore, v1.RandomAffine):
    """As :class:`flambeau.vision.transforms.RandomAffine`."""


class RandomAutocontrast(_WithMore, v1.RandomAutocontrast):
    """As :class:`flambeau.vision.transforms.RandomAutocontrast`."""


class RandomCrop(_WithMore, v1.RandomCrop):
    """As :class:`flambeau.vision.transforms.RandomCrop`."""


class RandomEqualize(_WithMore, v1.RandomEqualize):
    """As :class:`flambeau.vision.transforms.RandomEqualize`."""


class RandomErasing(_WithMore, v1.RandomErasing):
    """As :class:`flambeau.vision.transforms.RandomErasing`."""


class RandomGrayscale(_WithMore, v1.RandomGrayscale):
    """As :class:`flambeau.vision.transforms.RandomGrayscale`."""


class RandomHorizontalFlip(_WithMore, v1.RandomHorizontalFlip):
    """As :class:`flambeau.vision.transforms.RandomHorizontalFlip`."""


class RandomInvert(_WithMore, v1.RandomInvert):
    """As :class:`flambeau.vision.transforms.RandomInvert`."""


class RandomPerspective(_WithMore, v1.RandomPerspective):
    """As :class:`flambeau.vision.transforms.RandomPerspective`."""


class RandomPosterize(_WithMore, v1.RandomPosterize):
    """As :class:`flambeau.vision.transforms.RandomPosterize`."""


class RandomResizedCrop(_WithMore, v1.RandomResizedCrop):
    """As :class:`flambeau.vision.transforms.RandomResizedCrop`."""


class RandomRotation(_WithMore, v1.RandomRotation):
    """As :class:`flambeau.vision.transforms.RandomRotation`."""


class RandomSolarize(_WithMore, v1.RandomSolarize):
    """As :class:`flambeau.vision.transforms.RandomSolarize`."""


class RandomVerticalFlip(_WithMore, v1.RandomVerticalFlip):
    """As :class:`flambeau.vision.transforms.RandomVerticalFlip`."""


class Resize(_WithMore, v1.Resize):
    """As :class:`flambeau.vision.transforms.Resize`."""

    _batch = v1.Resize._batch


class TenCrop(_WithMore, v1.TenCrop):
    """As :class:`flambeau.vision.transforms.TenCrop`."""


class ToPILImage(_WithMore, v1.ToPILImage):
    """As :class:`flambeau.vision.transforms.ToPILImage`."""


class ToTensor(_WithMore, v1.ToTensor):
    """As :class:`flambeau.vision.transforms.ToTensor`."""

    _first_batch = v1.ToTensor._first_batch


class TrivialAugmentWide(_WithMore, _Signed, v1.TrivialAugmentWide):
    """As :class:`flambeau.vision.transforms.TrivialAugmentWide`."""
