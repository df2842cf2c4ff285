"""Transforms that turn, shear, cut and erase at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from . import functional as F
from .functional import InterpolationMode
from .geometry import _pair


def uniform(low: float, high: float) -> float:
    """A number from ``low`` to ``high``, drawn from the default stream, as torchvision draws it.

    Returns:
        The number.
    """
    return float(flambeau.empty(1).uniform_(low, high).item())


def chance(p: float) -> bool:
    """True with probability ``p``.

    Returns:
        A bool.
    """
    return bool(flambeau.rand(1).item() < p)


def range_of(value: Any, name: str, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """A range of angles: from ``-value`` to ``value``, or as given.

    Args:
        value: a number, or a sequence of numbers.
        name: what errors call it.
        lengths: how long it may be.

    Returns:
        The range, a list.

    Raises:
        ValueError: a single number is negative, or there are not as many as there should be.
        TypeError: it is neither.
    """
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-float(value), float(value)]
    sequence(value, name, lengths)
    return [float(item) for item in value]


def sequence(value: Any, name: str, lengths: tuple[int, ...]) -> None:
    """Check that an argument is a sequence of one of some lengths.

    Args:
        value: the argument.
        name: what errors call it.
        lengths: how long it may be.

    Raises:
        TypeError: it is no sequence.
        ValueError: it is of another length.
    """
    said = " or ".join(str(length) for length in lengths)
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length {said}.")
    if len(value) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {said}.")


def _colour(fill: Any, img: Any) -> Any:
    """The fill for an image: for a tensor a number for each channel."""
    if not isinstance(img, Tensor):
        return fill
    channels = F.get_dimensions(img)[0]
    if isinstance(fill, (int, float)):
        return [float(fill)] * channels
    return [float(value) for value in fill]


class RandomResizedCrop(nn.Module):
    """Cuts a piece of random area and shape out of an image, and scales it to one size.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; what is returned is of the same kind.

    Args:
        size: ``(height, width)`` of the result, or the side of a square.
        scale: the least and greatest share of the image's area.
        ratio: the least and greatest ratio of width to height.
        interpolation: how values between pixels are found.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Raises:
        TypeError: ``scale`` or ``ratio`` is no sequence.
        ValueError: ``size`` has not one or two numbers.

    Source:
        https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomResizedCrop.html
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = _pair(size, "Please provide only two dimensions (h, w) for size.")
        if not isinstance(scale, Sequence):
            raise TypeError("Scale should be a sequence")
        if not isinstance(ratio, Sequence):
            raise TypeError("Ratio should be a sequence")
        self.interpolation = F.interpolation_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """Draw a piece of ``img`` by ``scale`` and ``ratio``; after ten that do not fit, the
        middle.

        Returns:
            Its top, left, height and width.
        """
        _, height, width = F.get_dimensions(img)
        logarithms = flambeau.log(flambeau.tensor(ratio)).tolist()
        for _ in range(10):
            area = height * width * uniform(scale[0], scale[1])
            shape = math.exp(uniform(logarithms[0], logarithms[1]))
            w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < w <= width and 0 < h <= height:
                top = flambeau.randint(0, height - h + 1, size=(1,)).item()
                left = flambeau.randint(0, width - w + 1, size=(1,)).item()
                return top, left, h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(width / min(ratio))
        elif width / height > max(ratio):
            w = round(height * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        piece = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *piece, self.size, self.interpolation, self.antialias)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, "
            f"scale={tuple(round(s, 4) for s in self.scale)}, "
            f"ratio={tuple(round(r, 4) for r in self.ratio)}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class RandomRotation(nn.Module):
    """Turns an image by a random angle.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        degrees: the least and greatest angle, or the greatest both ways.
        interpolation, expand, center, fill: as for :func:`~.functional.rotate`.

    Raises:
        ValueError, TypeError: ``degrees`` is no such range, or ``fill`` no colour.

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomRotation.html
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = range_of(degrees, "degrees")
        if center is not None:
            sequence(center, "center", (2,))
        self.interpolation = F.interpolation_mode(interpolation)
        self.expand = expand
        self.center = center
        if fill is not None and not isinstance(fill, (int, float, Sequence)):
            raise TypeError("Fill should be either a sequence or a number.")
        self.fill = 0 if fill is None else fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draw an angle from ``degrees``, the least and the greatest.

        Returns:
            The angle in degrees.
        """
        return uniform(float(degrees[0]), float(degrees[1]))

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        fill = _colour(self.fill, img)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        more = "" if self.center is None else f", center={self.center}"
        more += "" if self.fill is None else f", fill={self.fill}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"interpolation={self.interpolation.value}, expand={self.expand}{more})"
        )


class RandomAffine(nn.Module):
    """Turns, moves, scales and shears an image at random.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        degrees: the least and greatest angle, or the greatest both ways; 0 for none.
        translate: the greatest shares of width and height to move by.
        scale: the least and greatest scale.
        shear: the least and greatest angle along the x axis (and along the y axis), or the
            greatest both ways.
        interpolation, fill, center: as for :func:`~.functional.affine`.

    Raises:
        ValueError, TypeError: a range is none.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomAffine.html
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = range_of(degrees, "degrees")
        if translate is not None:
            sequence(translate, "translate", (2,))
            if not all(0.0 <= share <= 1.0 for share in translate):
                raise ValueError("translation values should be between 0 and 1")
        if scale is not None:
            sequence(scale, "scale", (2,))
            if min(scale) <= 0:
                raise ValueError("scale values should be positive")
        if center is not None:
            sequence(center, "center", (2,))
        if fill is not None and not isinstance(fill, (int, float, Sequence)):
            raise TypeError("Fill should be either a sequence or a number.")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else range_of(shear, "shear", (2, 4))
        self.interpolation = F.interpolation_mode(interpolation)
        self.fill = 0 if fill is None else fill
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draw a turn, a move, a scale and a shear.

        Args:
            degrees: the least and the greatest angle.
            translate: the greatest shares of width and height to move by; None for no move.
            scale_ranges: the least and the greatest scale; None for 1.
            shears: two or four angles; None for no shear.
            img_size: the image's width and height.

        Returns:
            The angle in degrees, two numbers of pixels, the scale, and two angles.
        """
        angle = uniform(degrees[0], degrees[1])
        moved = (0, 0)
        if translate is not None:
            most_x, most_y = translate[0] * img_size[0], translate[1] * img_size[1]
            moved = (round(uniform(-most_x, most_x)), round(uniform(-most_y, most_y)))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = uniform(shears[2], shears[3])
        return angle, moved, scale, (shear_x, shear_y)

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height]
        )
        fill = _colour(self.fill, img)
        return F.affine(img, *drawn, self.interpolation, fill, self.center)

    def __repr__(self) -> str:
        parts = [f"degrees={self.degrees}"]
        parts += [
            f"{name}={value}"
            for name in ("translate", "scale", "shear")
            if (value := getattr(self, name)) is not None
        ]
        if self.interpolation is not InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RandomPerspective(nn.Module):
    """Looks at an image from a random side, with some probability.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        distortion_scale: how far the corners may move, from 0 to 1 (half of the side).
        p: the probability.
        interpolation, fill: as for :func:`~.functional.perspective`.

    Raises:
        TypeError: ``fill`` is no colour.

    Source:
        https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomPerspective.html
    """

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.p = p
        self.interpolation = F.interpolation_mode(interpolation)
        self.distortion_scale = distortion_scale
        if fill is not None and not isinstance(fill, (int, float, Sequence)):
            raise TypeError("Fill should be either a sequence or a number.")
        self.fill = 0 if fill is None else fill

    def forward(self, img: Any) -> Any:
        fill = _colour(self.fill, img)
        if not chance(self.p):
            return img
        _, height, width = F.get_dimensions(img)
        points = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, *points, self.interpolation, fill)

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Draw where the four corners go.

        Args:
            width, height: the image's.
            distortion_scale: how far they may move, from 0 to 1 (half of the side).

        Returns:
            The corners ``[x, y]``, and their new places.
        """
        far_x, far_y = (int(distortion_scale * (side // 2)) for side in (width, height))

        def drawn(low: int, high: int) -> int:
            return int(flambeau.randint(low, high, size=(1,)).item())

        left, right = (0, far_x + 1), (width - far_x - 1, width)
        top, bottom = (0, far_y + 1), (height - far_y - 1, height)
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        places = [[drawn(*x), drawn(*y)] for x, y in corners]
        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return start, places

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomErasing(nn.Module):
    """Erases a random rectangle of a tensor image with some probability.

    ``img`` is a tensor ``(..., C, H, W)``, as is what is returned.

    Args:
        p: the probability.
        scale: the least and greatest share of the image's area.
        ratio: the least and greatest ratio of height to width.
        value: what is put there: a number, one for each channel, or ``"random"``.
        inplace: write into the tensor that is given.

    Raises:
        TypeError, ValueError: an argument is none of these.

    Source: Zhong and others, "Random erasing data augmentation" (2020);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomErasing.html
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (int, float, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if not isinstance(scale, Sequence):
            raise TypeError("Scale should be a sequence")
        if not isinstance(ratio, Sequence):
            raise TypeError("Ratio should be a sequence")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if not 0 <= p <= 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float], value: list[float] | None = None
    ) -> tuple[int, int, int, int, Any]:
        """Draw a rectangle of ``img``, ``(..., C, H, W)``, by ``scale`` and ``ratio``, and what is
        put there.

        ``value`` is a number for each channel, or one for all; None: normal values.

        Returns:
            Top, left, height, width, and the values; after ten that do not fit, the whole image.
        """
        channels, height, width = img.shape[-3:]
        logarithms = flambeau.log(flambeau.tensor(ratio)).tolist()
        for _ in range(10):
            area = height * width * uniform(scale[0], scale[1])
            shape = math.exp(uniform(logarithms[0], logarithms[1]))
            h, w = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if not (h < height and w < width):
                continue
            v: Any
            if value is None:
                v = flambeau.empty([channels, h, w], dtype=flambeau.float32).normal_()
            else:
                v = flambeau.tensor(value)[:, None, None]
            top = flambeau.randint(0, height - h + 1, size=(1,)).item()
            left = flambeau.randint(0, width - w + 1, size=(1,)).item()
            return top, left, h, w, v
        return 0, 0, height, width, img

    def forward(self, img: Any) -> Any:
        if not chance(self.p):
            return img
        value = None if self.value == "random" else self.value
        if isinstance(value, (int, float)):
            value = [float(value)]
        elif value is not None:
            value = [float(v) for v in value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)"
            )
        top, left, h, w, v = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, top, left, h, w, v, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace})"
        )


class FiveCrop(nn.Module):
    """The four corners and the middle of an image, as a tuple.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; the pieces are of the same kind.

    Args:
        size: ``(height, width)``, or the side of squares.

    Raises:
        ValueError: ``size`` has not one or two numbers, or (when called) is larger than the image.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.FiveCrop.html
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = _pair(size, "Please provide only two dimensions (h, w) for size.")

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.five_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(nn.Module):
    """The four corners and the middle of an image and of its mirror image, as a tuple.

    ``img`` is a Pillow image or a tensor ``(..., H, W)``; the pieces are of the same kind.

    Args:
        size: ``(height, width)``, or the side of squares.
        vertical_flip: mirror top to bottom rather than left to right.

    Raises:
        ValueError: ``size`` has not one or two numbers, or (when called) is larger than the image.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.TenCrop.html
    """

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = _pair(size, "Please provide only two dimensions (h, w) for size.")
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"
