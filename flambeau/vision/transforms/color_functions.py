"""Functions that change an image's colours (part of ``torchvision.transforms.functional``).

A Pillow image is treated by Pillow itself, so that its values are those of torchvision; a tensor
``(..., 1 or 3, H, W)`` has bytes, or floating-point numbers from 0 to 1.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau

from ... import dtypes
from ...tensor import Tensor, wrap
from . import functional as F
from .pillow import is_pillow, pillow

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "autocontrast",
    "equalize",
    "gaussian_blur",
    "invert",
    "posterize",
    "solarize",
]


def _image(img: Any, channels: tuple[int, ...] = (1, 3)) -> Any:
    """A tensor image with a permitted number of channels.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(img, Tensor) or img.ndim < 2:
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    found = F.get_dimensions(img)[0]
    if found not in channels:
        raise TypeError(
            f"Input image tensor permitted channel values are {list(channels)}, but found {found}"
        )
    return img


def _bound(img: Any) -> int:
    """The value of white."""
    return 1 if img.is_floating_point() else int(np.iinfo(img.dtype.numpy).max)


def _not_negative(factor: float, name: str) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def _blend(first: Any, second: Any, share: float) -> Any:
    mixed = float(share) * first + (1.0 - float(share)) * second
    return mixed.clamp(0, _bound(first)).to(first.dtype)


def _enhanced(img: Any, kind: str, factor: float) -> Any:
    from PIL import ImageEnhance

    return getattr(ImageEnhance, kind)(img).enhance(factor)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Make an image darker or brighter.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        brightness_factor: less than 1 darkens, more brightens; 0 is black.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: the factor is negative.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    _not_negative(brightness_factor, "brightness_factor")
    if is_pillow(img):
        return _enhanced(img, "Brightness", brightness_factor)
    image = _image(img)
    return _blend(image, flambeau.zeros_like(image), brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Bring an image's values nearer to their mean, or farther away.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        contrast_factor: less than 1 brings them nearer; 0 is all gray.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: the factor is negative.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    _not_negative(contrast_factor, "contrast_factor")
    if is_pillow(img):
        return _enhanced(img, "Contrast", contrast_factor)
    image = _image(img)
    kind = image.dtype if image.is_floating_point() else dtypes.float32
    gray = F.rgb_to_grayscale(image) if F.get_dimensions(image)[0] == 3 else image
    dims = (-3, -2, -1) if gray.ndim > 2 else (-2, -1)
    return _blend(image, gray.to(kind).mean(dim=dims, keepdim=True), contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Make an image's colours paler or stronger.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        saturation_factor: less than 1 makes them paler; 0 is without colours.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: the factor is negative.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    _not_negative(saturation_factor, "saturation_factor")
    if is_pillow(img):
        return _enhanced(img, "Color", saturation_factor)
    image = _image(img)
    if F.get_dimensions(image)[0] == 1:
        return image
    return _blend(image, F.rgb_to_grayscale(image), saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn an image's colours round the colour wheel.

    Args:
        img: the image.
        hue_factor: from -0.5 to 0.5, which are half a turn.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: the factor is out of range.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if is_pillow(img):
        if img.mode in ("L", "1", "I", "F"):
            return img
        hue, saturation, value = img.convert("HSV").split()
        turned = np.asarray(hue) + np.uint8(int(hue_factor * 255) % 256)
        hue = pillow().fromarray(turned.astype(np.uint8))
        return pillow().merge("HSV", (hue, saturation, value)).convert(img.mode)
    image = _image(img)
    if F.get_dimensions(image)[0] == 1:
        return image
    values = F.convert_image_dtype(image, dtypes.float32) if image.dtype is dtypes.uint8 else image
    hue, saturation, value = _hsv(values)
    return F.convert_image_dtype(_rgb((hue + hue_factor) % 1.0, saturation, value), image.dtype)


def _hsv(image: Any) -> tuple[Any, Any, Any]:
    """Hue (0 to 1), saturation and value of a colour image."""
    red, green, blue = image.unbind(-3)
    high, low = image.amax(-3), image.amin(-3)
    gray = high == low
    spread = flambeau.where(gray, 1.0, high - low)
    saturation = flambeau.where(gray, 0.0, (high - low) / flambeau.where(gray, 1.0, high))
    by_green_blue = (green - blue) / spread
    by_blue_red = 2.0 + (blue - red) / spread
    by_red_green = 4.0 + (red - green) / spread
    sixths = flambeau.where(
        high == red, by_green_blue, flambeau.where(high == green, by_blue_red, by_red_green)
    )
    hue = flambeau.where(gray, 0.0, sixths / 6.0 + 1.0) % 1.0
    return hue, saturation, high


def _rgb(hue: Any, saturation: Any, value: Any) -> Any:
    """The colour image with this hue, saturation and value (the hexcone model)."""
    sixth = flambeau.floor(hue * 6.0)
    part = hue * 6.0 - sixth
    low = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    falling = (value * (1.0 - saturation * part)).clamp(0.0, 1.0)
    rising = (value * (1.0 - saturation * (1.0 - part))).clamp(0.0, 1.0)
    sector = sixth.to(dtypes.int64) % 6
    by_sector = (
        (value, falling, low, low, rising, value),
        (rising, value, value, falling, low, low),
        (low, low, rising, value, value, falling),
    )
    channels = []
    for choices in by_sector:
        channel = choices[0]
        for number in range(1, 6):
            channel = flambeau.where(sector == number, choices[number], channel)
        channels.append(channel)
    return flambeau.stack(channels, dim=-3)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """Raise an image's values, from 0 to 1, to a power: ``gain * value ** gamma``.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        gamma: the power.
        gain: the factor.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: ``gamma`` is negative.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    if is_pillow(img):
        mode = img.mode
        table = [int((255 + 1 - 1e-3) * gain * pow(v / 255.0, gamma)) for v in range(256)] * 3
        return img.convert("RGB").point(table).convert(mode)
    image = _image(img)
    values = image if image.is_floating_point() else F.convert_image_dtype(image, dtypes.float32)
    return F.convert_image_dtype((gain * values**gamma).clamp(0, 1), image.dtype)


def invert(img: Any) -> Any:
    """The negative of an image.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.

    Returns:
        An image of the same kind, size and type.

    Raises:
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    if is_pillow(img):
        from PIL import ImageOps

        return ImageOps.invert(img)
    image = _image(img)
    return _bound(image) - image


def posterize(img: Any, bits: int) -> Any:
    """Keep only the highest bits of each value.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        bits: how many, from 0 to 8.

    Returns:
        An image of the same kind, size and type.

    Raises:
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels of bytes.
    """
    if is_pillow(img):
        from PIL import ImageOps

        return ImageOps.posterize(img, bits)
    image = _image(img)
    if image.dtype is not dtypes.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {image.dtype}")
    return image & (256 - 2 ** (8 - bits))


def solarize(img: Any, threshold: float) -> Any:
    """Invert all values from a threshold on.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        threshold: the least value that is inverted.

    Returns:
        An image of the same kind, size and type.

    Raises:
        TypeError: the threshold is brighter than white.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    if is_pillow(img):
        from PIL import ImageOps

        return ImageOps.solarize(img, threshold)
    image = _image(img)
    if threshold > _bound(image):
        raise TypeError("Threshold should be less than bound of img.")
    return flambeau.where(image >= threshold, invert(image), image)


def _filtered(image: Any, kernel: np.ndarray) -> Any:
    """A tensor image filtered channel by channel, without padding, in floating point."""
    kind = image.dtype if image.is_floating_point() else dtypes.float32
    height, width = image.shape[-2:]
    weight = wrap(kernel.astype(kind.numpy)).to(image.device)[None, None]
    planes = image.to(kind).reshape(-1, 1, height, width)
    result = flambeau.nn.functional.conv2d(planes, weight)
    return result.reshape(*image.shape[:-2], *result.shape[-2:])


def _as_before(values: Any, image: Any) -> Any:
    if image.is_floating_point():
        return values.to(image.dtype)
    return values.round().clamp(0, _bound(image)).to(image.dtype)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Blur or sharpen an image.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.
        sharpness_factor: less than 1 blurs, more sharpens.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: the factor is negative.
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    _not_negative(sharpness_factor, "sharpness_factor")
    if is_pillow(img):
        return _enhanced(img, "Sharpness", sharpness_factor)
    image = _image(img)
    if min(image.shape[-2:]) <= 2:
        return image
    kernel = np.ones((3, 3))
    kernel[1, 1] = 5.0
    blurred = image.clone()
    blurred[..., 1:-1, 1:-1] = _as_before(_filtered(image, kernel / kernel.sum()), image)
    return _blend(image, blurred, sharpness_factor)


def autocontrast(img: Any) -> Any:
    """Spread each channel's values over the whole range.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.

    Returns:
        An image of the same kind, size and type.

    Raises:
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels.
    """
    if is_pillow(img):
        from PIL import ImageOps

        return ImageOps.autocontrast(img)
    image = _image(img)
    kind = image.dtype if image.is_floating_point() else dtypes.float32
    bound = _bound(image)
    low = image.amin((-2, -1), keepdim=True).to(kind)
    high = image.amax((-2, -1), keepdim=True).to(kind)
    flat = high == low
    # The reciprocal first, as torchvision's `bound / tensor` does: it is rounded on its own.
    scale = flambeau.where(flat, 1.0, flambeau.where(flat, 1.0, high - low).reciprocal() * bound)
    low = flambeau.where(flat, 0.0, low)
    return ((image - low) * scale).clamp(0, bound).to(image.dtype)


def equalize(img: Any) -> Any:
    """Spread each channel's values so that all occur equally often.

    Args:
        img: a Pillow image or a tensor ``(..., 1 or 3, H, W)``.

    Returns:
        An image of the same kind, size and type.

    Raises:
        TypeError: ``img`` is neither a Pillow image nor a tensor with 1 or 3 channels of bytes.
    """
    if is_pillow(img):
        from PIL import ImageOps

        return ImageOps.equalize(img)
    image = _image(img)
    if image.dtype is not dtypes.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {image.dtype}")
    array = image.detach().cpu()._array
    planes = array.reshape(-1, array.shape[-2] * array.shape[-1])
    result = np.empty_like(planes)
    for plane, target in zip(planes, result, strict=True):
        counts = np.bincount(plane, minlength=256)
        step = counts[counts > 0][:-1].sum() // 255
        if step == 0:
            target[:] = plane
            continue
        below = np.concatenate([[0], np.cumsum(counts)[:-1]])
        table = np.clip((below + step // 2) // step, 0, 255).astype(np.uint8)
        target[:] = table[plane]
    return wrap(result.reshape(array.shape)).to(image.device)


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blur an image with a Gaussian.

    Args:
        img: the image.
        kernel_size: width and height of the filter, odd; or one number for both.
        sigma: the standard deviation across and down, or one number for both; by default
            ``0.15 * size + 0.35``.

    Returns:
        An image of the same kind, size and type.

    Raises:
        ValueError: a size is not odd and positive, or a deviation not positive.
        TypeError: ``img`` is neither a Pillow image nor a tensor.
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in sizes]
    sigmas = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else [float(s) for s in sigma]
    sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    if len(sigmas) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
    if any(s <= 0.0 for s in sigmas):
        raise ValueError(f"sigma should have positive values. Got {sigmas}")
    image = F.pil_to_tensor(img) if is_pillow(img) else img
    if not isinstance(image, Tensor):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    across, down = (_gaussian(size, s) for size, s in zip(sizes, sigmas, strict=True))
    border = [sizes[0] // 2, sizes[1] // 2]
    padded = F.pad(image, border, padding_mode="reflect")
    result = _as_before(_filtered(padded, np.outer(down, across)), image)
    return F.to_pil_image(result, img.mode) if is_pillow(img) else result


def _gaussian(size: int, sigma: float) -> np.ndarray:
    places = np.arange(size) - (size - 1) / 2
    values = np.exp(-0.5 * (places / sigma) ** 2)
    return values / values.sum()
