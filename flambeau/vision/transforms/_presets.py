"""What pretrained networks want done to an image before they see it.

Source: https://docs.pytorch.org/vision/0.28/models.html#initializing-pre-trained-models
"""

from __future__ import annotations

from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from . import functional as F
from .functional import InterpolationMode

__all__ = ["ImageClassification"]


class ImageClassification(nn.Module):
    """Scales an image, cuts its middle out, and normalises its channels.

    Args:
        crop_size: the side of the square that is cut out, in pixels.
        resize_size: what the image's shorter side is scaled to before that.
        mean, std: of each channel, of values from 0 to 1; those of ImageNet by default.
        interpolation: how values between pixels are found.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Shape:
        A Pillow image, or a tensor ``(C, H, W)`` or ``(N, C, H, W)`` of bytes or of numbers from 0
        to 1, to a float32 tensor ``(C, crop_size, crop_size)`` or ``(N, C, crop_size, crop_size)``.

    Source: https://docs.pytorch.org/vision/0.28/models.html#initializing-pre-trained-models
    """

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = (0.485, 0.456, 0.406),
        std: tuple[float, ...] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img: Any) -> Tensor:
        scaled = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        cropped = F.center_crop(scaled, self.crop_size)
        pixels = cropped if isinstance(cropped, Tensor) else F.pil_to_tensor(cropped)
        return F.normalize(F.convert_image_dtype(pixels, flambeau.float32), self.mean, self.std)

    def __repr__(self) -> str:
        shown = ("crop_size", "resize_size", "mean", "std", "interpolation")
        lines = [f"    {name}={getattr(self, name)}" for name in shown]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])

    def describe(self) -> str:
        """What is done, in a sentence."""
        return (
            f"A Pillow image or a tensor of shape (C, H, W) or (N, C, H, W) is scaled to "
            f"resize_size={self.resize_size} with interpolation={self.interpolation}, its middle "
            f"of crop_size={self.crop_size} is cut out, and its values, brought to [0.0, 1.0], are "
            f"normalised by mean={self.mean} and std={self.std}."
        )
