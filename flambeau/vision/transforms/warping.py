"""Functions that turn, shear and erase (part of ``torchvision.transforms.functional``).

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau

from ... import dtypes
from ...tensor import Tensor, wrap
from . import functional as F
from .functional import InterpolationMode
from .pillow import channels_of, is_pillow, pillow

__all__ = ["affine", "erase", "five_crop", "perspective", "rotate", "ten_crop"]

Matrix = tuple[float, float, float, float, float, float]


def _inverse_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
) -> Matrix:
    """From places in the result to places in the image, as two rows.

    The image is sheared, turned and scaled about ``center``, then moved by ``translate``.
    """
    turn, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear))
    a = math.cos(turn - shear_y) / math.cos(shear_y)
    b = -math.cos(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) - math.sin(turn)
    c = math.sin(turn - shear_y) / math.cos(shear_y)
    d = -math.sin(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) + math.cos(turn)
    # Turning and shearing keep areas, so the inverse needs no determinant.
    row_x, row_y = (d / scale, -b / scale), (-c / scale, a / scale)
    x, y = -center[0] - translate[0], -center[1] - translate[1]
    # In torchvision's order, to its last digit.
    return (
        *row_x, row_x[0] * x + row_x[1] * y + center[0],
        *row_y, row_y[0] * x + row_y[1] * y + center[1],
    )  # fmt: skip


def _computed_in(img: Any, mode: InterpolationMode) -> Any:
    """The dtype that places in a tensor image, and its interpolation, are computed in."""
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(
            f"This interpolation mode is unsupported with Tensor input: {mode.value}. There are "
            "nearest and bilinear"
        )
    return img.dtype if img.dtype in (dtypes.float32, dtypes.float64) else dtypes.float32


def _sampled(
    img: Any, matrix: Matrix, mode: InterpolationMode, size: tuple[int, int], fill: Any
) -> Any:
    """A tensor image at the places that ``matrix`` says, both measured from the middles."""
    kind = _computed_in(img, mode)
    height, width = img.shape[-2:]
    number = kind.numpy.type
    across = np.arange(size[1], dtype=kind.numpy) - number((size[1] - 1) / 2)
    down = (np.arange(size[0], dtype=kind.numpy) - number((size[0] - 1) / 2))[:, None]
    # In numbers from -1 to 1, as torchvision does: so that places in the middle between two pixels
    # are rounded to the same one.
    half = np.array([0.5 * width, 0.5 * height], kind.numpy)
    places = _moved(across, down, np.array(matrix, kind.numpy).reshape(2, 3).T / half)
    return _at_places(img, places, mode, size, fill)


def _moved(across: np.ndarray, down: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """``(x, y, 1) @ rows`` for all places, each product and sum rounded on its own.

    A matrix product may keep more digits in between, and on another machine others: then places
    in the middle between two pixels fall to the one or the other.
    """
    places = [across * row[0] + down * row[1] + row[2] for row in rows.T]
    return np.stack(places, axis=-1).reshape(-1, rows.shape[1])


def _fused(factor: Any, other: Any, addend: Any, kind: dtypes.dtype) -> Any:
    """``factor * other + addend`` of Tensors, in single precision rounded once.

    So do the processors' fused instructions, and with them PyTorch's sampling of a grid.
    """
    if kind is not dtypes.float32:
        return factor.to(kind) * other + addend
    return (factor.double() * other.double() + addend).to(kind)


def _at_places(
    img: Any, places: np.ndarray, mode: InterpolationMode, size: tuple[int, int], fill: Any
) -> Any:
    """A tensor image at ``places`` ``(height * width, 2)``, numbers from -1 to 1."""
    height, width = img.shape[-2:]
    kind = img.dtype if img.dtype in (dtypes.float32, dtypes.float64) else dtypes.float32
    number = kind.numpy.type
    x, y = (
        _fused(wrap(places[:, axis] + number(1)), half, number(-0.5), kind).reshape(size).numpy()
        for axis, half in ((0, flambeau.tensor(width / 2)), (1, flambeau.tensor(height / 2)))
    )
    flat = img.reshape(*img.shape[:-2], height * width)
    filling = _filling(img, fill, kind)

    def taken(rows: np.ndarray, columns: np.ndarray) -> tuple[Any, np.ndarray]:
        """The pixels there, and where there are any."""
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        places = np.clip(rows, 0, height - 1) * width + np.clip(columns, 0, width - 1)
        index = wrap(places.astype(np.int64).reshape(-1)).to(img.device)
        pixels = flat.index_select(-1, index)
        return pixels.reshape(*img.shape[:-2], *size), inside

    if mode is InterpolationMode.NEAREST:
        pixels, inside = taken(np.rint(y).astype(np.int64), np.rint(x).astype(np.int64))
        known = wrap(inside).to(img.device)
        return flambeau.where(known, pixels, filling.to(img.dtype))
    top, left = np.floor(y), np.floor(x)
    right, below = x - left, y - top
    result: Any = 0.0
    covered: Any = 0.0
    for row, high in ((0, 1 - below), (1, below)):
        for column, wide in ((0, 1 - right), (1, right)):
            pixels, inside = taken((top + row).astype(np.int64), (left + column).astype(np.int64))
            weight = wrap(np.where(inside, high * wide, number(0))).to(img.device)
            result = _fused(pixels, weight, result, kind)
            covered = _fused(wrap(inside).to(img.device), weight, covered, kind)
    # As a mask that was sampled along with the image: what is covered by half counts by half.
    result = result * covered + (1.0 - covered) * filling if fill is not None else result
    if img.is_floating_point():
        return result.to(img.dtype)
    return result.round().to(img.dtype)


def _filling(img: Any, fill: Any, kind: dtypes.dtype) -> Any:
    """The colour outside the image, to be broadcast against it."""
    values = [0.0] if fill is None else fill if isinstance(fill, (list, tuple)) else [fill]
    if len(values) not in (1, F.get_dimensions(img)[0]):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of "
            f"the image ({len(values)} != {F.get_dimensions(img)[0]})"
        )
    colour = np.array(values, kind.numpy)
    return wrap(colour.reshape(-1, 1, 1) if img.ndim > 2 else colour.reshape(-1, 1)).to(img.device)


def _pillow_fill(img: Any, fill: Any) -> Any:
    if fill is None:
        fill = 0
    channels = channels_of(img)
    if isinstance(fill, (int, float)):
        number = float(fill) if img.mode == "F" else int(fill)
        return (number,) * channels if channels > 1 else number
    values = tuple(fill)
    if len(values) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' does not match the number of channels of the image "
            f"({len(values)} != {channels})"
        )
    values = values if img.mode == "F" else tuple(int(value) for value in values)
    return values[0] if channels == 1 else values if len(values) > 1 else values * channels


def _from_middle(img: Any, center: Sequence[float] | None) -> list[float]:
    """A place in pixels as a place measured from the image's middle."""
    if center is None:
        return [0.0, 0.0]
    _, height, width = F.get_dimensions(img)
    return [center[0] - width * 0.5, center[1] - height * 0.5]


def rotate(
    img: Any,
    angle: float,
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """Turn an image.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        angle: in degrees, counter-clockwise.
        interpolation: how values between pixels are found; tensors have nearest and bilinear.
        expand: make the result large enough for the whole turned image.
        center: what to turn about, from the left and the top; the middle by default.
        fill: the colour where there is no image.

    Returns:
        An image of the same kind.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: tensors have no such interpolation, or the colour has not as many channels.
    """
    mode = F.interpolation_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if is_pillow(img):
        number = F._PILLOW_MODES[mode]
        colour = _pillow_fill(img, fill)
        return img.rotate(angle, number, expand, center, fillcolor=colour)
    F._check_tensor_image(img)
    matrix = _inverse_matrix(_from_middle(img, center), -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    size = tuple(img.shape[-2:])
    if expand:
        size = _expanded(matrix, size)
    return _sampled(img, matrix, mode, size, fill)


def _expanded(matrix: Matrix, size: tuple[int, int]) -> tuple[int, int]:
    """The height and width that hold all of a turned image."""
    height, width = size
    # In single precision, as torchvision does: in double, 36 / 1e-4 * 1e-4 is more than 36.
    half = np.array([width / 2, height / 2], np.float32)
    rows = np.array(matrix, np.float32).reshape(2, 3).T
    sides = np.array([-1, 1], np.float32)
    places = _moved(sides[:, None] * half[0], sides * half[1], rows) + half
    # What is left of a pixel after rounding errors is no pixel.
    small = np.float32(1e-4)
    high = np.ceil(np.trunc(places.max(axis=0) / small) * small)
    low = np.floor(np.trunc(places.min(axis=0) / small) * small)
    return int(high[1] - low[1]), int(high[0] - low[0])


def affine(
    img: Any,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Turn, move, scale and shear an image.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        angle: in degrees, clockwise.
        translate: pixels to the right and down.
        scale: how many times larger.
        shear: degrees along the x axis, or along both.
        interpolation: how values between pixels are found; tensors have nearest and bilinear.
        fill: the colour where there is no image.
        center: what to turn about, from the left and the top; the middle by default.

    Returns:
        An image of the same kind.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: ``translate`` has not two numbers, ``scale`` is not positive, or as for
            :func:`rotate`.
    """
    mode = F.interpolation_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (int, float, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shears = [shear, 0.0] if isinstance(shear, (int, float)) else list(shear)
    shears = shears * 2 if len(shears) == 1 else shears
    if len(shears) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shears}")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if is_pillow(img):
        middle = [img.width * 0.5, img.height * 0.5] if center is None else center
        matrix = _inverse_matrix(middle, angle, translate, scale, shears)
        return img.transform(
            img.size,
            pillow().Transform.AFFINE,
            matrix,
            F._PILLOW_MODES[mode],
            fillcolor=_pillow_fill(img, fill),
        )
    F._check_tensor_image(img)
    matrix = _inverse_matrix(_from_middle(img, center), angle, translate, scale, shears)
    return _sampled(img, matrix, mode, tuple(img.shape[-2:]), fill)


def perspective(
    img: Any,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Look at an image from aside: the change that moves four points to four others.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        startpoints: four ``[x, y]`` in the image.
        endpoints: where they are in the result.
        interpolation: nearest or bilinear (for Pillow images bicubic too).
        fill: the colour outside the image; a number, or one for each channel.

    Returns:
        An image of the same kind.

    Raises:
        ValueError: an interpolation that there is not, or a colour of another image.

    Source:
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.functional.perspective.html
    """
    mode = F.interpolation_mode(interpolation)
    rows, target = [], []
    for (x, y), (u, v) in zip(endpoints, startpoints, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        target += [u, v]
    solution = np.linalg.lstsq(np.array(rows, np.float64), np.array(target, np.float64))[0]
    coefficients = solution.astype(np.float32)
    if is_pillow(img):
        return img.transform(
            img.size,
            pillow().Transform.PERSPECTIVE,
            coefficients.tolist(),
            F._PILLOW_MODES[mode],
            fillcolor=_pillow_fill(img, fill),
        )
    kind = _computed_in(img, mode)
    height, width = img.shape[-2:]
    c = coefficients.astype(kind.numpy)
    across = np.arange(width, dtype=kind.numpy) + kind.numpy.type(0.5)
    down = (np.arange(height, dtype=kind.numpy) + kind.numpy.type(0.5))[:, None]
    half = np.array([0.5 * width, 0.5 * height], kind.numpy)
    above = _moved(across, down, c[:6].reshape(2, 3).T / half)
    below = _moved(across, down, np.array([[c[6]], [c[7]], [1]], kind.numpy))
    return _at_places(img, above / below - 1, mode, (height, width), fill)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """Put values into a rectangle of a tensor image.

    Args:
        img: the image ``(..., C, H, W)``.
        i, j: the rectangle's upper left corner.
        h, w: its size.
        v: the values, a tensor that broadcasts to it.
        inplace: write into ``img``.

    Returns:
        ``(..., C, H, W)``; ``img`` itself with ``inplace``.

    Raises:
        TypeError: ``img`` is no tensor.
    """
    if not isinstance(img, Tensor):
        raise TypeError(f"Tensor expected, got {type(img)}")
    result: Any = img if inplace else img.clone()  # type: ignore[attr-defined]
    result[..., i : i + h, j : j + w] = v
    return result


def five_crop(img: Any, size: int | Sequence[int]) -> tuple[Any, ...]:
    """The four corners and the middle of an image.

    Args:
        img: a Pillow image or a tensor ``(..., H, W)``.
        size: ``(height, width)`` of the pieces, or the side of squares.

    Returns:
        Five images: upper left, upper right, lower left, lower right, middle.

    Raises:
        ValueError: they are larger than the image.
    """
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2):
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    wanted_height, wanted_width = sizes[0], sizes[-1]
    _, height, width = F.get_dimensions(img)
    if wanted_width > width or wanted_height > height:
        raise ValueError(f"Requested crop size {sizes} is bigger than input size {(height, width)}")
    bottom, right = height - wanted_height, width - wanted_width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    pieces = [F.crop(img, top, left, wanted_height, wanted_width) for top, left in corners]
    return (*pieces, F.center_crop(img, [wanted_height, wanted_width]))


def ten_crop(img: Any, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[Any, ...]:
    """The four corners and the middle of an image, and of its mirror image.

    Args:
        img, size: as for :func:`five_crop`.
        vertical_flip: mirror top to bottom rather than left to right.

    Returns:
        Ten images: five as there, and five of the mirror image.

    Raises:
        ValueError: they are larger than the image.
    """
    mirrored = F.vflip(img) if vertical_flip else F.hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)
