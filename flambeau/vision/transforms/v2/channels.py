"""Changes of colours and values that only the second version has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flambeau

from .... import nn
from ..random_geometry import uniform
from . import functional as F
from .containers import on_image


class RGB(nn.Module):
    """Turns images in shades of gray into images of three channels.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.RGB.html

    ``inputs`` are an image, a Pillow image or a tensor ``(..., C, H, W)``, and whatever belongs to
    it, which is passed on; what is returned is as many.
    """

    def forward(self, *inputs: Any) -> Any:
        return on_image(F.grayscale_to_rgb, inputs)


class GaussianNoise(nn.Module):
    """Adds noise to a tensor image.

    ``inputs`` are an image, a tensor ``(..., C, H, W)``, and whatever belongs to it, which is
    passed on; what is returned is as many.

    Args:
        mean: the noise's mean, where white is 1 (of bytes too).
        sigma: its standard deviation, likewise.
        clip: keep the values between black and white.

    Raises:
        ValueError: when called with a negative ``sigma``, or values that are neither bytes nor
            floating-point numbers.

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.GaussianNoise.html
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def forward(self, *inputs: Any) -> Any:
        return on_image(
            lambda image: F.gaussian_noise(image, self.mean, self.sigma, self.clip), inputs
        )

    def extra_repr(self) -> str:
        return f"mean={self.mean}, sigma={self.sigma}, clip={self.clip}"


class JPEG(nn.Module):
    """Compresses an image of bytes as JPEG, and decompresses it.

    ``inputs`` are an image, a Pillow image or a tensor ``(..., C, H, W)``, and whatever belongs to
    it, which is passed on; what is returned is as many.

    Args:
        quality: from 1 to 100, or the least and the greatest of a random one.

    Raises:
        ValueError: it is not that.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.JPEG.html
    """

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        both = [quality, quality] if isinstance(quality, int) else list(quality)
        if (
            len(both) != 2
            or not all(isinstance(one, int) for one in both)
            or not 1 <= both[0] <= both[1] <= 100
        ):
            raise ValueError(f"quality must be an integer from 1 to 100 or two, got {quality!r}")
        self.quality = both

    def forward(self, *inputs: Any) -> Any:
        low, high = self.quality
        quality = int(flambeau.randint(low, high + 1, ()).item())
        return on_image(lambda image: F.jpeg(image, quality), inputs)

    def extra_repr(self) -> str:
        return f"quality={self.quality}"


class RandomChannelPermutation(nn.Module):
    """Puts an image's channels in random order.

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.RandomChannelPermutation.html

    ``inputs`` are an image, a Pillow image or a tensor ``(..., C, H, W)``, and whatever belongs to
    it, which is passed on; what is returned is as many.
    """

    def forward(self, *inputs: Any) -> Any:
        return on_image(lambda image: F.permute_channels(image, _order(image)), inputs)


def _order(image: Any) -> list[int]:
    return flambeau.randperm(F.get_dimensions(image)[0]).tolist()


class RandomPhotometricDistort(nn.Module):
    """Changes brightness, contrast, saturation, hue and the order of channels, each by chance.

    ``inputs`` are an image, a Pillow image or a tensor ``(..., C, H, W)``, and whatever belongs to
    it, which is passed on; what is returned is as many.

    Args:
        brightness: the least and greatest factor.
        contrast: likewise.
        saturation: likewise.
        hue: the least and greatest shift, within -0.5 and 0.5.
        p: the probability of each change.

    Source: Liu and others, "SSD: Single Shot MultiBox Detector" (2016);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.RandomPhotometricDistort.html
    """

    def __init__(
        self,
        brightness: tuple[float, float] = (0.875, 1.125),
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue: tuple[float, float] = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        return on_image(self._distorted, inputs)

    def _distorted(self, image: Any) -> Any:
        brightness, contrast, saturation, hue = (
            uniform(low, high) if self._happens() else None
            for low, high in (self.brightness, self.contrast, self.saturation, self.hue)
        )
        before = bool(flambeau.rand(()) < 0.5)
        order = _order(image) if self._happens() else None
        if brightness is not None:
            image = F.adjust_brightness(image, brightness)
        if contrast is not None and before:
            image = F.adjust_contrast(image, contrast)
        if saturation is not None:
            image = F.adjust_saturation(image, saturation)
        if hue is not None:
            image = F.adjust_hue(image, hue)
        if contrast is not None and not before:
            image = F.adjust_contrast(image, contrast)
        return image if order is None else F.permute_channels(image, order)

    def _happens(self) -> bool:
        return bool(flambeau.rand(1).item() < self.p)

    def extra_repr(self) -> str:
        return (
            f"brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue}, p={self.p}"
        )
