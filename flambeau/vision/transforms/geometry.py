"""Transforms that move, cut and scale images.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau

from ... import nn
from ...tensor import wrap
from . import functional as F
from .functional import InterpolationMode


def _pair(size: Any, message: str) -> Sequence[int]:
    if isinstance(size, int):
        return (size, size)
    if isinstance(size, Sequence) and len(size) == 1:
        return (size[0], size[0])
    if not isinstance(size, Sequence) or len(size) != 2:
        raise ValueError(message)
    return size


class Resize(nn.Module):
    """Scales an image.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        size: ``(height, width)``, or the length of the shorter side.
        interpolation: how values between pixels are found.
        max_size: the greatest length of the longer side.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Raises:
        TypeError: ``size`` is neither a number nor a sequence.
        ValueError: it has not one or two numbers.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.Resize.html
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = F.interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return self.forward(wrap(images))._array

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class CenterCrop(nn.Module):
    """Cuts the middle out of an image; a smaller image is padded with zeros.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        size: ``(height, width)``, or the side of a square.

    Raises:
        ValueError: ``size`` has not one or two numbers.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.CenterCrop.html
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = _pair(size, "Please provide only two dimensions (h, w) for size.")

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return self.forward(wrap(images))._array

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class Pad(nn.Module):
    """Adds a border to an image.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        padding: its width: one number, left/right and top/bottom, or left, top, right, bottom.
        fill: the value in it, with ``padding_mode="constant"``.
        padding_mode: ``"constant"``, ``"edge"``, ``"reflect"`` or ``"symmetric"``.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: ``padding`` has not 1, 2 or 4 numbers, or there is no such mode.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.Pad.html
    """

    def __init__(
        self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant"
    ) -> None:
        super().__init__()
        if not isinstance(padding, (int, tuple, list)):
            raise TypeError("Got inappropriate padding arg")
        if not isinstance(fill, (int, float, str, tuple, list)):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode not in F.PADDING_MODES:
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(
                "Padding must be an int or a 1, 2, or 4 element tuple, not a "
                f"{len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return self.forward(wrap(images))._array

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, "
            f"padding_mode={self.padding_mode})"
        )


class RandomCrop(nn.Module):
    """Cuts a piece out of an image at a random place.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        size: ``(height, width)`` of the piece, or the side of a square.
        padding: a border to add first, as for :class:`Pad`.
        pad_if_needed: add a border where the image is smaller than the piece.
        fill: the value of the border.
        padding_mode: how the border is filled, as for :class:`Pad`.

    Raises:
        ValueError: (when called) the piece is larger than the image.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomCrop.html
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = tuple(_pair(size, "Please provide only two dimensions (h, w) for size."))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Sequence[int]) -> tuple[int, int, int, int]:
        """Draw a place for a piece of ``output_size``, ``(height, width)``, of the image ``img``.

        Returns:
            Its top, left, height and width.

        Raises:
            ValueError: it is larger than the image.
        """
        _, height, width = F.get_dimensions(img)
        wanted_height, wanted_width = output_size
        if height < wanted_height or width < wanted_width:
            raise ValueError(
                f"Required crop size {(wanted_height, wanted_width)} is larger than input image "
                f"size {(height, width)}"
            )
        if (height, width) == (wanted_height, wanted_width):
            return 0, 0, height, width
        top = flambeau.randint(0, height - wanted_height + 1, size=(1,)).item()
        left = flambeau.randint(0, width - wanted_width + 1, size=(1,)).item()
        return top, left, wanted_height, wanted_width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(nn.Module):
    """Mirrors an image left to right with some probability.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        p: the probability.

    Source:
        https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomHorizontalFlip.html
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.hflip(img) if bool(flambeau.rand(1) < self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(nn.Module):
    """Mirrors an image top to bottom with some probability.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        p: the probability.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.vflip(img) if bool(flambeau.rand(1) < self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
