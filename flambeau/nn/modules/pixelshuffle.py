"""``PixelShuffle`` and ``PixelUnshuffle``."""

from __future__ import annotations

from flambeau.nn import functional as F
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """Makes blocks of pixels from channels (Shi et al., 2016).

    Args:
        upscale_factor: side r of the blocks.

    Shape:
        - Input: ``(*, C * r * r, H, W)``
        - Output: ``(*, C, H * r, W * r)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.PixelShuffle.html
    """

    upscale_factor: int

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Makes channels from blocks of pixels: the inverse of :class:`PixelShuffle`.

    Args:
        downscale_factor: side r of the blocks.

    Shape:
        - Input: ``(*, C, H * r, W * r)``
        - Output: ``(*, C * r * r, H, W)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.PixelUnshuffle.html
    """

    downscale_factor: int

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
