"""The transforms as functions (``torchvision.transforms.functional``).

Source: https://docs.pytorch.org/vision/0.28/transforms.html (functional transforms)
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

import flambeau

from ... import dtypes
from ...tensor import Tensor, wrap
from .pillow import array_of, channels_of, image_of, is_pillow, pillow
from .resampling import nearest_index, weights


class InterpolationMode(Enum):
    """How values between pixels are found.

    ``NEAREST``, ``NEAREST_EXACT``, ``BILINEAR`` and ``BICUBIC``, for Pillow images also ``BOX``,
    ``HAMMING`` and ``LANCZOS``.
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PILLOW_MODES = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}
PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def interpolation_mode(interpolation: InterpolationMode | int) -> InterpolationMode:
    """The mode that ``interpolation``, a mode or Pillow's number for it, means.

    Returns:
        The mode.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int):
        for mode, number in _PILLOW_MODES.items():
            if number == interpolation:
                return mode
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer "
        f"constant, got {interpolation!r}"
    )


def _check_tensor_image(image: Any) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(image)}")
    if image.ndim < 2:
        raise TypeError(f"Tensor is not a torch image: its shape is {list(image.shape)}")


def get_dimensions(img: Any) -> list[int]:
    """The channels, height and width of ``img``, a Pillow image or a tensor ``(..., H, W)``.

    Returns:
        Three numbers.

    Raises:
        TypeError: it is neither.
    """
    if is_pillow(img):
        return [channels_of(img), img.height, img.width]
    _check_tensor_image(img)
    channels = 1 if img.ndim == 2 else img.shape[-3]
    return [channels, img.shape[-2], img.shape[-1]]


def get_image_size(img: Any) -> list[int]:
    """The width and height of ``img``, a Pillow image or a tensor ``(..., H, W)``.

    Returns:
        Two numbers.

    Raises:
        TypeError: it is neither.
    """
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Any) -> int:
    """The channels of ``img``, a Pillow image or a tensor ``(..., H, W)``.

    Returns:
        A number; 1 for a matrix.

    Raises:
        TypeError: it is neither.
    """
    return get_dimensions(img)[0]


# -- between images, arrays and tensors -----------------------------------------------------------


def unit_range(values: np.ndarray) -> np.ndarray:
    """Bytes, ``values`` (*), as floating-point numbers from 0 to 1; returns a fresh array (*).

    Its dtype is the default one.
    """
    result = values.astype(dtypes.get_default_dtype().numpy, order="C")
    np.divide(result, result.dtype.type(255), out=result)
    return result


def to_tensor(pic: Any) -> Tensor:
    """Turn a Pillow image or an array ``(H, W, C)`` into a tensor ``(C, H, W)``.

    Args:
        pic: the image; values of 8 bits are scaled to the range from 0 to 1.

    Returns:
        ``(C, H, W)``, of the default dtype for values of 8 bits.

    Raises:
        TypeError: it is neither.
        ValueError: the array has not two or three dimensions.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    elif is_pillow(pic):
        array = array_of(pic)
        if array.dtype == np.bool_:
            array = array.astype(np.uint8) * np.uint8(255)
        elif array.dtype == np.uint16:
            array = array.view(np.int16)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    array = array.transpose(2, 0, 1)
    if array.dtype == np.uint8:
        return wrap(unit_range(array))
    return flambeau.from_numpy(np.ascontiguousarray(array))


def pil_to_tensor(pic: Any) -> Tensor:
    """Turn a Pillow image, ``pic``, into a tensor of the same type.

    Returns:
        ``(C, H, W)``.

    Raises:
        TypeError: it is no Pillow image.
    """
    if not is_pillow(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return wrap(array_of(pic).transpose(2, 0, 1))


_MODES_BY_CHANNELS: dict[int, tuple[str, ...]] = {
    2: ("LA",),
    3: ("RGB", "YCbCr", "HSV"),
    4: ("RGBA", "CMYK", "RGBX"),
}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """Turn a tensor ``(C, H, W)`` or an array ``(H, W, C)`` into a Pillow image.

    Args:
        pic: the values; floating-point ones from 0 to 1.
        mode: Pillow's mode; by default what the number of channels and the type suggest.

    Returns:
        The image.

    Raises:
        TypeError: ``pic`` is neither, or of a type that Pillow has no mode for.
        ValueError: its shape or the mode does not fit.
    """
    if isinstance(pic, Tensor):
        array = pic.detach().numpy(force=True)
        if array.ndim == 3:
            array = array.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    channels = array.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if array.dtype.kind in "fV" and mode != "F":
        array = (array * array.dtype.type(255)).astype(np.uint8)
    if channels == 1:
        array = array[:, :, 0]
        expected = {"u1": "L", "i2": "I;16", "i4": "I", "f4": "F"}.get(array.dtype.str[1:])
        if mode is not None and mode != expected:
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {array.dtype}. "
                f"Should be {expected}"
            )
        if expected is None:
            raise TypeError(f"Input type {array.dtype} is not supported")
        if expected == "I;16":
            return image_of(array.view(np.uint16), "I;16")
        return image_of(np.ascontiguousarray(array), expected)
    permitted = _MODES_BY_CHANNELS[channels]
    if mode is not None and mode not in permitted:
        raise ValueError(f"Only modes {list(permitted)} are supported for {channels}D inputs")
    if array.dtype != np.uint8:
        raise TypeError(f"Input type {array.dtype} is not supported")
    return image_of(np.ascontiguousarray(array), mode or permitted[0])


def _largest(dtype: dtypes.dtype) -> int:
    if dtype.is_floating_point:
        return 1
    return 1 if dtype is dtypes.bool else int(np.iinfo(dtype.numpy).max)


def convert_image_dtype(image: Tensor, dtype: dtypes.dtype = dtypes.float32) -> Tensor:
    """Turn a tensor image into another dtype, its values into that dtype's range.

    Args:
        image: ``(..., H, W)``.
        dtype: the new dtype.

    Returns:
        ``(..., H, W)``; ``image`` itself if it has that dtype.

    Raises:
        TypeError: it is no tensor.
        RuntimeError: the values would not fit.
    """
    if not isinstance(image, Tensor):
        raise TypeError(f"Input img should be Tensor Image, got {type(image)}")
    if image.dtype is dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        wide = (dtypes.int32, dtypes.int64) if image.dtype is dtypes.float32 else (dtypes.int64,)
        if image.dtype in (dtypes.float32, dtypes.float64) and dtype in wide:
            raise RuntimeError(
                f"The cast from {image.dtype} to {dtype} cannot be performed safely."
            )
        # A little less than the number of values, so that 1.0 becomes the largest of them.
        return (image * (_largest(dtype) + 1.0 - 1e-3)).to(dtype)
    largest = _largest(image.dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / largest
    wanted = _largest(dtype)
    if largest > wanted:
        factor = (largest + 1) // (wanted + 1)
        return flambeau.div(image, factor, rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((wanted + 1) // (largest + 1))


def _per_channel(values: Any, dtype: np.dtype) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().numpy(force=True)
    array = np.asarray(values, dtype)
    return array.reshape(-1, 1, 1) if array.ndim == 1 else array


def _check_std(std: np.ndarray, dtype: Any) -> None:
    if np.count_nonzero(std) != std.size:
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )


def normalize_array(images: np.ndarray, mean: Any, std: Any, out: np.ndarray | None) -> np.ndarray:
    """``(images - mean) / std`` by channel, for arrays.

    Args:
        images: ``(..., C, H, W)``, floating point.
        mean, std: one number for each channel, or one for all.
        out: where the result goes; None: a new array.

    Returns:
        ``(..., C, H, W)``.

    Raises:
        ValueError: a std is 0.
    """
    std = _per_channel(std, images.dtype)
    _check_std(std, images.dtype)
    result = np.subtract(images, _per_channel(mean, images.dtype), out=out)
    return np.divide(result, std, out=result)


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """Subtract a mean from each channel of a tensor image, divide by a standard deviation.

    Args:
        tensor: the image ``(..., C, H, W)``, of floating-point numbers.
        mean: one number for each channel.
        std: one number for each channel.
        inplace: write into ``tensor``.

    Returns:
        ``(..., C, H, W)``; ``tensor`` itself with ``inplace``.

    Raises:
        TypeError: ``tensor`` is no tensor of floating-point numbers.
        ValueError: it has fewer than three dimensions, or a std is 0.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tensor.size()}"
        )
    array = tensor._array
    if type(array) is np.ndarray and not inplace and not tensor.requires_grad:
        return wrap(normalize_array(array, mean, std, None))
    dtype = tensor.dtype
    divisor = _per_channel(std, dtype.numpy)
    _check_std(divisor, dtype)
    subtracted = wrap(_per_channel(mean, dtype.numpy)).to(tensor.device)
    divided = wrap(divisor).to(tensor.device)
    if inplace:
        return tensor.sub_(subtracted).div_(divided)  # type: ignore[attr-defined]
    return (tensor - subtracted) / divided  # type: ignore[operator]


# -- geometry -------------------------------------------------------------------------------------


def _resized(size: Sequence[int] | None, max_size: int | None, h: int, w: int) -> tuple[int, int]:
    """The height and width of a resized image."""
    if size is not None and len(size) == 2:
        return size[0], size[1]
    short, long = min(h, w), max(h, w)
    if size is None:
        if max_size is None:
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size}")
        new_short, new_long = int(max_size * short / long), max_size
    else:
        new_short, new_long = size[0], int(size[0] * long / short)
        if max_size is not None:
            if max_size <= size[0]:
                raise ValueError(
                    f"max_size = {max_size} must be strictly greater than the requested size for "
                    f"the smaller edge size = {size[0]}"
                )
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if w <= h else (new_short, new_long)


def resize(
    img: Any,
    size: int | Sequence[int] | None,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Scale an image.

    Args:
        img: a Pillow image or a tensor ``(..., H, W)``.
        size: ``(height, width)``, or the length of the shorter side.
        interpolation: how values between pixels are found; tensors have nearest, nearest-exact,
            bilinear and bicubic.
        max_size: the greatest length of the longer side.
        antialias: smooth a tensor that shrinks (Pillow images always are).

    Returns:
        An image of the same kind.

    Raises:
        ValueError: the sizes contradict one another, or tensors have no such interpolation.
    """
    mode = interpolation_mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(
                "Size must be an int or a 1 or 2 element tuple/list, not a "
                f"{len(size)} element tuple/list"
            )
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode."
            )
    wanted = [size] if isinstance(size, int) else size
    _, height, width = get_dimensions(img)
    new_height, new_width = _resized(wanted, max_size, height, width)
    if (new_height, new_width) == (height, width):
        return img
    if not isinstance(img, Tensor):
        if antialias is False:
            warnings.warn(
                "Anti-alias option is always applied for PIL Image input. Argument antialias is "
                "ignored.",
                stacklevel=2,
            )
        return img.resize((new_width, new_height), _PILLOW_MODES[mode])
    if mode in (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT):
        exact = mode is InterpolationMode.NEAREST_EXACT
        rows = wrap(nearest_index(height, new_height, exact))
        columns = wrap(nearest_index(width, new_width, exact))
        return img.index_select(-2, rows).index_select(-1, columns)  # type: ignore[attr-defined]
    if mode not in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        raise ValueError(
            f"tensors are resized by nearest, nearest-exact, bilinear or bicubic interpolation, "
            f"not by {mode.value}: turn the tensor into a Pillow image first (ToPILImage)"
        )
    cubic = mode is InterpolationMode.BICUBIC
    work = img if img.dtype in (dtypes.float32, dtypes.float64) else img.to(dtypes.float32)
    kind = work.dtype.numpy
    by_rows = wrap(weights(height, new_height, cubic, bool(antialias)).astype(kind))
    by_columns = wrap(weights(width, new_width, cubic, bool(antialias)).T.astype(kind).copy())
    device = img.device
    result = by_rows.to(device) @ (work @ by_columns.to(device))  # type: ignore[operator]
    if work.dtype is img.dtype:
        return result
    if not img.is_floating_point():
        low, high = np.iinfo(img.dtype.numpy).min, np.iinfo(img.dtype.numpy).max
        result = result.round().clamp(low, high)
    return result.to(img.dtype)


def _sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 1:
        return (padding[0],) * 4
    if len(padding) == 2:
        return padding[0], padding[1], padding[0], padding[1]
    return padding[0], padding[1], padding[2], padding[3]


def pad(
    img: Any, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant"
) -> Any:
    """Add a border to an image (or, where a side is negative, take one away).

    Args:
        img: a Pillow image or a tensor ``(..., H, W)``.
        padding: the border's width: one number, left/right and top/bottom, or left, top, right,
            bottom.
        fill: the value in it, with ``padding_mode="constant"``.
        padding_mode: ``"constant"``, ``"edge"`` (the last pixel), ``"reflect"`` or
            ``"symmetric"`` (mirrored, without and with the last pixel).

    Returns:
        An image of the same kind and mode or dtype.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: ``padding`` has not 1, 2 or 4 numbers, or there is no such mode.
    """
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(padding, int) and len(padding) not in (1, 2, 4):
        raise ValueError(
            "Padding must be an int or a 1, 2, or 4 element tuple, not a "
            f"{len(padding)} element tuple"
        )
    if padding_mode not in PADDING_MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    left, top, right, bottom = _sides(padding)
    if is_pillow(img):
        return _pad_pillow(img, (left, top, right, bottom), fill, padding_mode)
    if fill is not None and not isinstance(fill, (int, float)):
        raise TypeError("Got inappropriate fill arg")
    _, height, width = get_dimensions(img)
    img = img[
        ...,
        max(-top, 0) : height - max(-bottom, 0),
        max(-left, 0) : width - max(-right, 0),
    ]
    height, width = img.shape[-2:]
    left, top, right, bottom = (max(side, 0) for side in (left, top, right, bottom))
    if padding_mode == "constant":
        shape = (*img.shape[:-2], height + top + bottom, width + left + right)
        result = img.new_full(shape, fill or 0)
        result[..., top : top + height, left : left + width] = img
        return result
    rows = np.pad(np.arange(height), (top, bottom), padding_mode)  # type: ignore[call-overload]
    columns = np.pad(np.arange(width), (left, right), padding_mode)  # type: ignore[call-overload]
    return img.index_select(-2, wrap(rows)).index_select(-1, wrap(columns))


def _pad_pillow(img: Any, sides: tuple[int, int, int, int], fill: Any, mode: str) -> Any:
    if mode == "constant":
        from PIL import ImageOps

        if isinstance(fill, (int, float)):
            channels = channels_of(img)
            fill = float(fill) if img.mode == "F" else int(fill)
            fill = (fill,) * channels if channels > 1 else fill
        elif isinstance(fill, (list, tuple)):
            if len(fill) not in (1, channels_of(img)):
                raise ValueError(
                    "The number of elements in 'fill' does not match the number of channels of "
                    f"the image ({len(fill)} != {channels_of(img)})"
                )
            fill = tuple(fill) if channels_of(img) > 1 else fill[0]
            if channels_of(img) > 1 and len(fill) == 1:
                fill = fill * channels_of(img)
        padded = ImageOps.expand(img, border=sides, fill=fill)
        if img.mode == "P":
            padded.putpalette(img.getpalette())
        return padded
    left, top, right, bottom = sides
    if min(sides) < 0:
        width, height = img.width - max(-right, 0), img.height - max(-bottom, 0)
        img = img.crop((max(-left, 0), max(-top, 0), width, height))
    array = np.asarray(img)
    border = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    padded = np.pad(array, border + [(0, 0)] * (array.ndim - 2), mode)  # type: ignore[call-overload]
    result = image_of(padded, None if img.mode == "P" else img.mode)
    if img.mode == "P":
        result.putpalette(img.getpalette())
    return result


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Cut a piece out of an image; what lies outside the image is 0.

    Args:
        img: a Pillow image or a tensor ``(..., H, W)``.
        top, left: the piece's upper left corner.
        height, width: its size.

    Returns:
        An image of the same kind, ``(height, width)`` large.
    """
    if is_pillow(img):
        return img.crop((left, top, left + width, top + height))
    _, own_height, own_width = get_dimensions(img)
    right, bottom = left + width, top + height
    if left < 0 or top < 0 or right > own_width or bottom > own_height:
        sides = [
            max(-left + min(0, right), 0),
            max(-top + min(0, bottom), 0),
            max(right - max(own_width, left), 0),
            max(bottom - max(own_height, top), 0),
        ]
        return pad(img[..., max(top, 0) : bottom, max(left, 0) : right], sides, fill=0)
    return img[..., top:bottom, left:right]


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """Cut the middle out of an image; a smaller image is padded with zeros.

    Args:
        img: a Pillow image or a tensor ``(..., H, W)``.
        output_size: ``(height, width)``, or the side of a square.

    Returns:
        An image of the same kind, of ``output_size``.
    """
    if isinstance(output_size, int):
        output_size = (output_size, output_size)
    elif len(output_size) == 1:
        output_size = (output_size[0], output_size[0])
    height, width = output_size
    _, own_height, own_width = get_dimensions(img)
    more_width, more_height = max(width - own_width, 0), max(height - own_height, 0)
    if more_width or more_height:
        sides = [
            more_width // 2,
            more_height // 2,
            (more_width + 1) // 2,
            (more_height + 1) // 2,
        ]
        img = pad(img, sides, fill=0)
        _, own_height, own_width = get_dimensions(img)
        if (height, width) == (own_height, own_width):
            return img
    top = round((own_height - height) / 2.0)
    left = round((own_width - width) / 2.0)
    return crop(img, top, left, height, width)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Cut a piece out of an image (as :func:`crop`) and scale it (as :func:`resize`).

    Args:
        img, top, left, height, width: as for :func:`crop`.
        size, interpolation, antialias: as for :func:`resize`.

    Returns:
        An image of the same kind, of ``size``.
    """
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img: Any) -> Any:
    """Mirror ``img``, a Pillow image or a tensor ``(..., H, W)``, left to right.

    Returns:
        An image of the same kind.

    Raises:
        TypeError: it is neither.
    """
    if is_pillow(img):
        return img.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)
    _check_tensor_image(img)
    return img.flip(-1)


def vflip(img: Any) -> Any:
    """Mirror ``img``, a Pillow image or a tensor ``(..., H, W)``, top to bottom.

    Returns:
        An image of the same kind.

    Raises:
        TypeError: it is neither.
    """
    if is_pillow(img):
        return img.transpose(pillow().Transpose.FLIP_TOP_BOTTOM)
    _check_tensor_image(img)
    return img.flip(-2)


# -- colours --------------------------------------------------------------------------------------


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Turn an image into shades of gray.

    Args:
        img: a Pillow image or a tensor ``(..., 3 or 1, H, W)``.
        num_output_channels: 1, or 3 that are alike.

    Returns:
        An image of the same kind, with that many channels.

    Raises:
        ValueError: another number of output channels.
        TypeError: the tensor has other than 1 or 3 channels.
    """
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if is_pillow(img):
        gray = img.convert("L")
        return gray if num_output_channels == 1 else pillow().merge("RGB", (gray, gray, gray))
    if not isinstance(img, Tensor) or img.ndim < 3:
        raise TypeError(
            "Input image tensor should have at least 3 dimensions, but found "
            f"{getattr(img, 'ndim', type(img))}"
        )
    channels = img.shape[-3]
    if channels not in (1, 3):
        raise TypeError(
            f"Input image tensor permitted channel values are [1, 3], but found {channels}"
        )
    if channels == 3:
        red, green, blue = img.unbind(dim=-3)  # type: ignore[attr-defined]
        gray = (0.2989 * red + 0.587 * green + 0.114 * blue).to(img.dtype).unsqueeze(dim=-3)
    else:
        gray = img.clone()  # type: ignore[attr-defined]
    if num_output_channels == 3:
        return gray.expand(*img.shape[:-3], 3, *img.shape[-2:])
    return gray


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Turn a Pillow image into shades of gray.

    Args:
        img: the image.
        num_output_channels: 1, or 3 that are alike.

    Returns:
        The image, of mode L or RGB.

    Raises:
        TypeError: it is no Pillow image.
        ValueError: another number of output channels.
    """
    if not is_pillow(img):
        raise TypeError(f"Input should be PIL Image, got {type(img)}")
    return rgb_to_grayscale(img, num_output_channels)


# The rest of the functions, which build on those above.
from .color_functions import *  # noqa: E402, F403
from .elastic import elastic_transform  # noqa: E402, F401
from .warping import *  # noqa: E402, F403
