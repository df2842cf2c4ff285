"""Elastic distortion: every pixel is moved a little, neighbours alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau

from ... import nn
from ...tensor import Tensor
from . import functional as F
from .functional import InterpolationMode
from .random_geometry import _colour


class ElasticTransform(nn.Module):
    """Moves every pixel by a random way, smoothed so that neighbours move alike.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        alpha: how far pixels move, across and down, or one number for both.
        sigma: how smooth it is: the standard deviation of a Gaussian in pixels, likewise.
        interpolation: how values between pixels are found; tensors have nearest and bilinear.
        fill: the colour where there is no image.

    Raises:
        TypeError: ``alpha``, ``sigma`` or ``fill`` is neither a number nor a sequence of numbers.
        ValueError: there are not one or two numbers of ``alpha`` or ``sigma``.

    Source: Simard and others, "Best practices for convolutional neural networks" (2003);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.ElasticTransform.html
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: float | Sequence[float] = 0,
    ) -> None:
        super().__init__()
        self.alpha = _two(alpha, "alpha")
        self.sigma = _two(sigma, "sigma")
        self.interpolation = F.interpolation_mode(interpolation)
        if not isinstance(fill, (int, float, list, tuple)):
            raise TypeError(f"fill should be int or float or a list or tuple of them. Got {fill!r}")
        self.fill = fill

    @staticmethod
    def get_params(alpha: list[float], sigma: list[float], size: list[int]) -> Any:
        """Draw the ways, in halves of the image's width and height.

        Args:
            alpha, sigma: two numbers each, as for the class.
            size: the image's height and width.

        Returns:
            ``(1, H, W, 2)``.
        """
        ways = []
        for strength, smoothness, side in zip(alpha, sigma, reversed(size), strict=True):
            way = flambeau.rand([1, 1, *size]) * 2 - 1
            if smoothness > 0.0:
                width = int(8 * smoothness + 1)
                width += 1 - width % 2  # a filter has a middle
                way = F.gaussian_blur(way, [width, width], sigma)
            ways.append(way * strength / side)
        return flambeau.cat(ways, 1).permute([0, 2, 3, 1])

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        ways = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(img, ways, self.interpolation, _colour(self.fill, img))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


def _two(value: Any, name: str) -> list[float]:
    if not isinstance(value, (int, float, Sequence)) or isinstance(value, str):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if isinstance(value, (int, float)):
        return [float(value)] * 2
    if len(value) not in (1, 2):
        raise ValueError(f"{name} is a sequence its length should be 1 or 2. Got {len(value)}")
    if not all(isinstance(item, (int, float)) for item in value):
        raise TypeError(f"{name} should be a sequence of floats. Got {value}")
    values = [float(item) for item in value]
    return values * 2 if len(values) == 1 else values


def elastic_transform(
    img: Any,
    displacement: Tensor,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Move every pixel of an image.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        displacement: from where each pixel comes, seen from it: ``(1, H, W, 2)``, across and down,
            in halves of the image's width and height.
        interpolation: nearest or bilinear.
        fill: the colour outside the image; a number, or one for each channel.

    Returns:
        An image of the same kind and size.

    Raises:
        TypeError: ``displacement`` is no tensor.
        ValueError: its shape is not the image's, or tensors have no such interpolation.

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.functional.elastic_transform.html
    """
    from .warping import _at_places, _computed_in

    mode = F.interpolation_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    image = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
    height, width = (int(side) for side in image.shape[-2:])
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(
            f"Argument displacement shape should be {(1, height, width, 2)}, but given "
            f"{tuple(displacement.shape)}"
        )
    kind = _computed_in(image, mode)
    across, down = (
        flambeau.linspace((1 - side) / side, (side - 1) / side, side, dtype=kind).numpy()
        for side in (width, height)
    )
    base = np.stack(np.broadcast_arrays(across, down[:, None]), axis=-1)
    places = base + displacement.detach().to("cpu", kind).numpy()[0]
    result = _at_places(image, places.reshape(-1, 2), mode, (height, width), fill)
    return result if isinstance(img, Tensor) else F.to_pil_image(result, img.mode)
