"""Transforms of colours."""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau

from ... import nn
from ...tensor import wrap
from . import functional as F


class Grayscale(nn.Module):
    """Turns an image into shades of gray.

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
