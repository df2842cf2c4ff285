"""Transforms drawn from a list, with a strength: RandAugment and TrivialAugment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau

from ... import nn
from ...tensor import Tensor
from . import functional as F
from .functional import InterpolationMode

Space = dict[str, tuple[Any, bool]]
"""Name of a change -> its strengths (an array, or 0.0), and whether the sign is drawn too."""


def _apply(img: Any, name: str, strength: float, interpolation: Any, fill: Any) -> Any:
    functions: Any = F
    if name in ("ShearX", "ShearY"):
        degrees = math.degrees(math.atan(strength))
        shear = [degrees, 0.0] if name == "ShearX" else [0.0, degrees]
        return functions.affine(img, 0.0, [0, 0], 1.0, shear, interpolation, fill, [0, 0])
    if name in ("TranslateX", "TranslateY"):
        moved = [int(strength), 0] if name == "TranslateX" else [0, int(strength)]
        return functions.affine(img, 0.0, moved, 1.0, [0.0, 0.0], interpolation, fill)
    if name == "Rotate":
        return functions.rotate(img, strength, interpolation, fill=fill)
    enhanced = {
        "Brightness": "adjust_brightness",
        "Color": "adjust_saturation",
        "Contrast": "adjust_contrast",
        "Sharpness": "adjust_sharpness",
    }
    if name in enhanced:
        return getattr(functions, enhanced[name])(img, 1.0 + strength)
    if name == "Posterize":
        return functions.posterize(img, int(strength))
    if name == "Solarize":
        return functions.solarize(img, strength)
    if name == "AutoContrast":
        return functions.autocontrast(img)
    if name == "Equalize":
        return functions.equalize(img)
    return img


def _line(start: float, end: float, bins: int) -> list[float]:
    return flambeau.linspace(start, end, bins).tolist()


def _bits(bins: int, dropped: int) -> list[int]:
    """From 8 bits down to 8 - ``dropped``."""
    return (8 - np.rint(np.arange(bins) / ((bins - 1) / dropped)).astype(int)).tolist()


class _Drawn(nn.Module):
    """What RandAugment and TrivialAugment share."""

    def __init__(self, interpolation: Any, fill: Any) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.fill = fill

    def _fill_of(self, img: Any) -> Any:
        if not isinstance(img, Tensor) or self.fill is None:
            return self.fill
        if isinstance(self.fill, (int, float)):
            return [float(self.fill)] * F.get_dimensions(img)[0]
        return [float(value) for value in self.fill]

    def _negative(self) -> bool:
        """Draw a sign."""
        return bool(flambeau.randint(2, (1,)).item())

    def _white(self, img: Any) -> float:
        """The value of white, at which solarization begins."""
        return 1.0 if isinstance(img, Tensor) and img.is_floating_point() else 255.0


class RandAugment(_Drawn):
    """Applies some changes drawn from a list, all with one strength.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        num_ops: how many.
        magnitude: the strength, from 0 to less than ``num_magnitude_bins``.
        num_magnitude_bins: the number of strengths.
        interpolation: how values between pixels are found.
        fill: the colour where there is no image.

    Tensor images are of bytes, as for :func:`~.functional.posterize`.

    Source: Cubuk and others, "RandAugment" (2020);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandAugment.html
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def _space(self, img: Any) -> Space:
        bins = self.num_magnitude_bins
        _, height, width = F.get_dimensions(img)
        return {
            "Identity": (0.0, False),
            "ShearX": (_line(0.0, 0.3, bins), True),
            "ShearY": (_line(0.0, 0.3, bins), True),
            "TranslateX": (_line(0.0, 150.0 / 331.0 * width, bins), True),
            "TranslateY": (_line(0.0, 150.0 / 331.0 * height, bins), True),
            "Rotate": (_line(0.0, 30.0, bins), True),
            "Brightness": (_line(0.0, 0.9, bins), True),
            "Color": (_line(0.0, 0.9, bins), True),
            "Contrast": (_line(0.0, 0.9, bins), True),
            "Sharpness": (_line(0.0, 0.9, bins), True),
            "Posterize": (_bits(bins, 4), False),
            "Solarize": (_line(self._white(img), 0.0, bins), False),
            "AutoContrast": (0.0, False),
            "Equalize": (0.0, False),
        }

    def forward(self, img: Any) -> Any:
        fill = self._fill_of(img)
        for _ in range(self.num_ops):
            space = self._space(img)
            name = list(space)[int(flambeau.randint(len(space), (1,)).item())]
            strengths, signed = space[name]
            strength = float(strengths[self.magnitude]) if isinstance(strengths, list) else 0.0
            if signed and self._negative():
                strength = -strength
            img = _apply(img, name, strength, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, "
            f"fill={self.fill})"
        )


class TrivialAugmentWide(_Drawn):
    """Applies one change drawn from a list, with a strength drawn too.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        num_magnitude_bins: the number of strengths.
        interpolation: how values between pixels are found.
        fill: the colour where there is no image.

    Tensor images are of bytes, as for :func:`~.functional.posterize`.

    Source: Müller and Hutter, "TrivialAugment" (2021);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.TrivialAugmentWide.html
    """

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def _space(self, img: Any) -> Space:
        bins = self.num_magnitude_bins
        return {
            "Identity": (0.0, False),
            "ShearX": (_line(0.0, 0.99, bins), True),
            "ShearY": (_line(0.0, 0.99, bins), True),
            "TranslateX": (_line(0.0, 32.0, bins), True),
            "TranslateY": (_line(0.0, 32.0, bins), True),
            "Rotate": (_line(0.0, 135.0, bins), True),
            "Brightness": (_line(0.0, 0.99, bins), True),
            "Color": (_line(0.0, 0.99, bins), True),
            "Contrast": (_line(0.0, 0.99, bins), True),
            "Sharpness": (_line(0.0, 0.99, bins), True),
            "Posterize": (_bits(bins, 6), False),
            "Solarize": (_line(self._white(img), 0.0, bins), False),
            "AutoContrast": (0.0, False),
            "Equalize": (0.0, False),
        }

    def forward(self, img: Any) -> Any:
        space = self._space(img)
        name = list(space)[int(flambeau.randint(len(space), (1,)).item())]
        strengths, signed = space[name]
        strength = 0.0
        if isinstance(strengths, list):
            strength = float(strengths[int(flambeau.randint(len(strengths), (1,)).item())])
        if signed and self._negative():
            strength = -strength
        return _apply(img, name, strength, self.interpolation, self._fill_of(img))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
