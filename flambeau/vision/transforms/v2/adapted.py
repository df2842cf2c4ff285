"""The first version's transforms, taking an image with further values.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

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
    """As :class:`flambeau.vision.transforms.AugMix`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        severity, mixture_width, chain_depth, alpha, all_ops, interpolation, fill: as there.
    """


class AutoAugment(_WithMore, _Signed, v1.AutoAugment):
    """As :class:`flambeau.vision.transforms.AutoAugment`, but draws each change by itself.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        policy, interpolation, fill: as there.
    """

    def _chosen(self, space: Any) -> Any:
        number = int(flambeau.randint(len(self.policies), ()).item())
        for name, probability, place in self.policies[number]:
            if not bool(flambeau.rand(()) <= probability):
                continue
            strengths, signed = space[name]
            strength = 0.0 if place is None else float(strengths[place])
            yield name, -strength if signed and self._negative() else strength


class CenterCrop(_WithMore, v1.CenterCrop):
    """As :class:`flambeau.vision.transforms.CenterCrop`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        size: as there.
    """

    _batch = v1.CenterCrop._batch


class ColorJitter(_WithMore, v1.ColorJitter):
    """As :class:`flambeau.vision.transforms.ColorJitter`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        brightness, contrast, saturation, hue: as there.
    """


class ConvertImageDtype(_WithMore, v1.ConvertImageDtype):
    """As :class:`flambeau.vision.transforms.ConvertImageDtype`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        dtype: as there.
    """

    _batch = v1.ConvertImageDtype._batch


class ElasticTransform(_WithMore, v1.ElasticTransform):
    """As :class:`flambeau.vision.transforms.ElasticTransform`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        alpha, sigma, interpolation, fill: as there.
    """


class FiveCrop(_WithMore, v1.FiveCrop):
    """As :class:`flambeau.vision.transforms.FiveCrop`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        size: as there.
    """


class GaussianBlur(_WithMore, v1.GaussianBlur):
    """As :class:`flambeau.vision.transforms.GaussianBlur`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        kernel_size, sigma: as there.
    """


class Grayscale(_WithMore, v1.Grayscale):
    """As :class:`flambeau.vision.transforms.Grayscale`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        num_output_channels: as there.
    """

    _batch = v1.Grayscale._batch


class LinearTransformation(_WithMore, v1.LinearTransformation):
    """As :class:`flambeau.vision.transforms.LinearTransformation`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        transformation_matrix, mean_vector: as there.
    """


class Normalize(_WithMore, v1.Normalize):
    """As :class:`flambeau.vision.transforms.Normalize`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        mean, std, inplace: as there.
    """

    _batch = v1.Normalize._batch


class Pad(_WithMore, v1.Pad):
    """As :class:`flambeau.vision.transforms.Pad`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        padding, fill, padding_mode: as there.
    """

    _batch = v1.Pad._batch


class PILToTensor(_WithMore, v1.PILToTensor):
    """As :class:`flambeau.vision.transforms.PILToTensor`.

    What belongs to the image may be given behind it, and is passed on.
    """

    _first_batch = v1.PILToTensor._first_batch


class RandAugment(_WithMore, _Signed, v1.RandAugment):
    """As :class:`flambeau.vision.transforms.RandAugment`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        num_ops, magnitude, num_magnitude_bins, interpolation, fill: as there.
    """


class RandomAdjustSharpness(_WithMore, v1.RandomAdjustSharpness):
    """As :class:`flambeau.vision.transforms.RandomAdjustSharpness`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        sharpness_factor, p: as there.
    """


class RandomAffine(_WithMore, v1.RandomAffine):
    """As :class:`flambeau.vision.transforms.RandomAffine`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        degrees, translate, scale, shear, interpolation, fill, center: as there.
    """


class RandomAutocontrast(_WithMore, v1.RandomAutocontrast):
    """As :class:`flambeau.vision.transforms.RandomAutocontrast`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p: as there.
    """


class RandomCrop(_WithMore, v1.RandomCrop):
    """As :class:`flambeau.vision.transforms.RandomCrop`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        size, padding, pad_if_needed, fill, padding_mode: as there.
    """


class RandomEqualize(_WithMore, v1.RandomEqualize):
    """As :class:`flambeau.vision.transforms.RandomEqualize`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p: as there.
    """


class RandomErasing(_WithMore, v1.RandomErasing):
    """As :class:`flambeau.vision.transforms.RandomErasing`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p, scale, ratio, value, inplace: as there.
    """


class RandomGrayscale(_WithMore, v1.RandomGrayscale):
    """As :class:`flambeau.vision.transforms.RandomGrayscale`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p: as there.
    """


class RandomHorizontalFlip(_WithMore, v1.RandomHorizontalFlip):
    """As :class:`flambeau.vision.transforms.RandomHorizontalFlip`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p: as there.
    """


class RandomInvert(_WithMore, v1.RandomInvert):
    """As :class:`flambeau.vision.transforms.RandomInvert`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p: as there.
    """


class RandomPerspective(_WithMore, v1.RandomPerspective):
    """As :class:`flambeau.vision.transforms.RandomPerspective`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        distortion_scale, p, interpolation, fill: as there.
    """


class RandomPosterize(_WithMore, v1.RandomPosterize):
    """As :class:`flambeau.vision.transforms.RandomPosterize`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        bits, p: as there.
    """


class RandomResizedCrop(_WithMore, v1.RandomResizedCrop):
    """As :class:`flambeau.vision.transforms.RandomResizedCrop`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        size, scale, ratio, interpolation, antialias: as there.
    """


class RandomRotation(_WithMore, v1.RandomRotation):
    """As :class:`flambeau.vision.transforms.RandomRotation`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        degrees, interpolation, expand, center, fill: as there.
    """


class RandomSolarize(_WithMore, v1.RandomSolarize):
    """As :class:`flambeau.vision.transforms.RandomSolarize`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        threshold, p: as there.
    """


class RandomVerticalFlip(_WithMore, v1.RandomVerticalFlip):
    """As :class:`flambeau.vision.transforms.RandomVerticalFlip`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        p: as there.
    """


class Resize(_WithMore, v1.Resize):
    """As :class:`flambeau.vision.transforms.Resize`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        size, interpolation, max_size, antialias: as there.
    """

    _batch = v1.Resize._batch


class TenCrop(_WithMore, v1.TenCrop):
    """As :class:`flambeau.vision.transforms.TenCrop`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        size, vertical_flip: as there.
    """


class ToPILImage(_WithMore, v1.ToPILImage):
    """As :class:`flambeau.vision.transforms.ToPILImage`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        mode: as there.
    """


class ToTensor(_WithMore, v1.ToTensor):
    """As :class:`flambeau.vision.transforms.ToTensor`.

    What belongs to the image may be given behind it, and is passed on.
    """

    _first_batch = v1.ToTensor._first_batch


class TrivialAugmentWide(_WithMore, _Signed, v1.TrivialAugmentWide):
    """As :class:`flambeau.vision.transforms.TrivialAugmentWide`.

    What belongs to the image may be given behind it, and is passed on.

    Args:
        num_magnitude_bins, interpolation, fill: as there.
    """
