"""Random sizes of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from .... import nn
from ..functional import InterpolationMode
from . import functional as F
from .containers import on_image


class _Resized(nn.Module):
    """What the transforms to a random size share."""

    def __init__(self, interpolation: InterpolationMode | int, antialias: bool | None) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, *inputs: Any) -> Any:
        return on_image(self._resized, inputs)

    def _resized(self, image: Any) -> Any:
        _, height, width = F.get_dimensions(image)
        size = self._size(height, width)
        return F.resize(image, size, self.interpolation, antialias=self.antialias)

    def _size(self, height: int, width: int) -> list[int]:
        raise AssertionError("a subclass draws the size")


class RandomResize(_Resized):
    """Scales an image so that its shorter side has a random length.

    ``inputs`` are an image, a Pillow image or a tensor ``(..., H, W)``, and whatever belongs to it,
    which is passed on; what is returned is as many.

    Args:
        min_size: the least length.
        max_size: the length that it stays below.
        interpolation: how values between pixels are found.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.RandomResize.html
    """

    def __init__(
        self,
        min_size: int,
        max_size: int,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(interpolation, antialias)
        self.min_size = min_size
        self.max_size = max_size

    def _size(self, height: int, width: int) -> list[int]:
        return [int(flambeau.randint(self.min_size, self.max_size, ()).item())]

    def extra_repr(self) -> str:
        return f"min_size={self.min_size}, max_size={self.max_size}"


class RandomShortestSize(_Resized):
    """Scales an image so that its shorter side has one of some lengths.

    ``inputs`` are an image, a Pillow image or a tensor ``(..., H, W)``, and whatever belongs to it,
    which is passed on; what is returned is as many.

    Args:
        min_size: the lengths, or one.
        max_size: what the longer side may not exceed.
        interpolation: how values between pixels are found.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.RandomShortestSize.html
    """

    def __init__(
        self,
        min_size: Sequence[int] | int,
        max_size: int | None = None,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(interpolation, antialias)
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size

    def _size(self, height: int, width: int) -> list[int]:
        shorter = self.min_size[int(flambeau.randint(len(self.min_size), ()).item())]
        factor = shorter / min(height, width)
        if self.max_size is not None:
            factor = min(factor, self.max_size / max(height, width))
        return [int(height * factor), int(width * factor)]

    def extra_repr(self) -> str:
        return f"min_size={self.min_size}, max_size={self.max_size}"


class ScaleJitter(_Resized):
    """Scales an image by a random factor about the one that makes it fit.

    ``inputs`` are an image, a Pillow image or a tensor ``(..., H, W)``, and whatever belongs to it,
    which is passed on; what is returned is as many.

    Args:
        target_size: ``(height, width)`` that a factor of 1 makes it fit into.
        scale_range: the least and greatest factor.
        interpolation: how values between pixels are found.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Source: Ghiasi and others, "Simple Copy-Paste" (2021);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.ScaleJitter.html
    """

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(interpolation, antialias)
        self.target_size = target_size
        self.scale_range = scale_range

    def _size(self, height: int, width: int) -> list[int]:
        low, high = self.scale_range
        scale = low + flambeau.rand(1) * (high - low)
        factor = min(self.target_size[0] / height, self.target_size[1] / width) * scale
        return [int(height * factor), int(width * factor)]

    def extra_repr(self) -> str:
        return f"target_size={self.target_size}, scale_range={self.scale_range}"


class RandomZoomOut(nn.Module):
    """Puts an image at a random place of a larger one, by chance.

    ``inputs`` are an image, a Pillow image or a tensor ``(..., H, W)``, and whatever belongs to it,
    which is passed on; what is returned is as many.

    Args:
        fill: the colour around it; a number, or one for each channel.
        side_range: how many times longer its sides are, at least and at most.
        p: the probability.

    Raises:
        ValueError: ``side_range`` does not begin at 1 or above, or ends below its beginning.

    Source: Liu and others, "SSD: Single Shot MultiBox Detector" (2016);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.RandomZoomOut.html
    """

    def __init__(
        self,
        fill: float | Sequence[float] | None = 0,
        side_range: Sequence[float] = (1.0, 4.0),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        if len(side_range) != 2 or not 1.0 <= side_range[0] <= side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")
        self.fill = fill
        self.side_range = side_range
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        if bool(flambeau.rand(1) >= self.p):
            return inputs if len(inputs) > 1 else inputs[0]
        change: Callable[[Any], Any] = self._zoomed
        return on_image(change, inputs)

    def _zoomed(self, image: Any) -> Any:
        _, height, width = F.get_dimensions(image)
        low, high = self.side_range
        factor = low + flambeau.rand(1) * (high - low)
        canvas_width, canvas_height = int(width * factor), int(height * factor)
        place = flambeau.rand(2)
        left = int((canvas_width - width) * place[0])
        top = int((canvas_height - height) * place[1])
        sides = [left, top, canvas_width - left - width, canvas_height - top - height]
        return F.pad(image, sides, fill=0 if self.fill is None else self.fill)

    def extra_repr(self) -> str:
        return f"fill={self.fill}, side_range={self.side_range}, p={self.p}"
