"""Transforms of colours.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau

from ... import nn
from ...tensor import wrap
from . import functional as F
from .random_geometry import chance, uniform


class Grayscale(nn.Module):
    """Turns an image into shades of gray.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        num_output_channels: 1, or 3 that are alike.

    Raises:
        ValueError: (when called) another number of channels.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.Grayscale.html
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return self.forward(wrap(images))._array

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(nn.Module):
    """Turns an image into shades of gray with some probability; the channels stay as many.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        p: the probability.
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        channels, _, _ = F.get_dimensions(img)
        if bool(flambeau.rand(1) < self.p):
            return F.rgb_to_grayscale(img, num_output_channels=channels)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ColorJitter(nn.Module):
    """Changes brightness, contrast, saturation and hue at random, in random order.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        brightness, contrast, saturation: factors are drawn from ``1 - value`` (but not less than
            0) to ``1 + value``, or from the range given.
        hue: turns are drawn from ``-hue`` to ``hue`` (at most 0.5), or from the range given.

    Raises:
        ValueError, TypeError: a range is none.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.ColorJitter.html
    """

    def __init__(
        self,
        brightness: Any = 0,
        contrast: Any = 0,
        saturation: Any = 0,
        hue: Any = 0,
    ) -> None:
        super().__init__()
        self.brightness = _factors(brightness, "brightness")
        self.contrast = _factors(contrast, "contrast")
        self.saturation = _factors(saturation, "saturation")
        self.hue = _factors(hue, "hue", 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """Draw the order of the changes, and the four factors (None where nothing changes).

        Args:
            brightness, contrast, saturation, hue: the least and the greatest of each, or None.

        Returns:
            A permutation of 0 to 3, ``(4,)``, and four numbers or None.
        """
        order = flambeau.randperm(4)
        drawn = [
            None if limits is None else uniform(limits[0], limits[1])
            for limits in (brightness, contrast, saturation, hue)
        ]
        return (order, *drawn)

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        change = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for index in order.tolist():
            if factors[index] is not None:
                img = change[index](img, factors[index])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


def _factors(
    value: Any, name: str, middle: float = 1.0, bounds: tuple[float, float] = (0.0, float("inf"))
) -> tuple[float, float] | None:
    """The range to draw a factor from; None where it is only the one that changes nothing."""
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = middle - float(value), middle + float(value)
        if name != "hue":
            low = max(low, 0.0)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(
            f"{name} should be a single number or a list/tuple with length 2, got {value!r}"
        )
    if not bounds[0] <= low <= high <= bounds[1]:
        raise ValueError(f"{name} values should be between {bounds}, but got {[low, high]}.")
    return None if low == high == middle else (low, high)


class GaussianBlur(nn.Module):
    """Blurs an image with a Gaussian of random width.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        kernel_size: width and height of the filter, odd; or one number for both.
        sigma: the least and greatest standard deviation, or the only one.

    Raises:
        ValueError, TypeError: an argument is none of these.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.GaussianBlur.html
    """

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        sizes = (kernel_size,) * 2 if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(sizes) != 2 or any(size <= 0 or size % 2 == 0 for size in sizes):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, (int, float)):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not isinstance(sigma, (tuple, list)) or len(sigma) != 2:
            raise TypeError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.kernel_size = sizes
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draw a standard deviation from ``sigma_min`` to ``sigma_max``.

        Returns:
            The number.
        """
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class _Sometimes(nn.Module):
    """Base class of the transforms that change an image with some probability."""

    _shown: tuple[str, ...] = ()

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def _changed(self, img: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _changed")

    def forward(self, img: Any) -> Any:
        return self._changed(img) if chance(self.p) else img

    def __repr__(self) -> str:
        parts = [f"{name}={getattr(self, name)}" for name in (*self._shown, "p")]
        return f"{type(self).__name__}({','.join(parts)})"


class RandomInvert(_Sometimes):
    """Makes the negative of an image with some probability.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        p: the probability.
    """

    def _changed(self, img: Any) -> Any:
        return F.invert(img)


class RandomPosterize(_Sometimes):
    """Keeps only the highest bits of an image's values with some probability.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        bits: how many.
        p: the probability.
    """

    _shown = ("bits",)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def _changed(self, img: Any) -> Any:
        return F.posterize(img, self.bits)


class RandomSolarize(_Sometimes):
    """Inverts an image's bright values with some probability.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        threshold: those from here on.
        p: the probability.
    """

    _shown = ("threshold",)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def _changed(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_Sometimes):
    """Blurs or sharpens an image with some probability.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        sharpness_factor: less than 1 blurs, more sharpens.
        p: the probability.
    """

    _shown = ("sharpness_factor",)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _changed(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(_Sometimes):
    """Spreads an image's values over the whole range with some probability.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        p: the probability.
    """

    def _changed(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(_Sometimes):
    """Spreads an image's values so that all occur equally often, with some probability.

    ``img`` is a Pillow image or a tensor ``(..., 1 or 3, H, W)``; what is returned is of the same
    kind.

    Args:
        p: the probability.
    """

    def _changed(self, img: Any) -> Any:
        return F.equalize(img)
