"""The transforms as functions (``torchvision.transforms.v2.functional``).

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau

from .... import dtypes
from ....tensor import Tensor
from .. import functional as F
from ..functional import *  # noqa: F403
from ..functional import convert_image_dtype
from ..pillow import is_pillow, pillow

horizontal_flip = F.hflip
vertical_flip = F.vflip


def to_image(inpt: Any) -> Tensor:
    """Turn ``inpt``, a Pillow image or an array ``(H, W, C)``, into a tensor of the same type.

    Returns:
        ``(C, H, W)``; a tensor is passed on.

    Raises:
        TypeError: it is neither, nor a tensor.
    """
    if isinstance(inpt, Tensor):
        return inpt
    if is_pillow(inpt):
        return F.pil_to_tensor(inpt)
    if isinstance(inpt, np.ndarray):
        array = inpt[:, :, None] if inpt.ndim < 3 else inpt
        return flambeau.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    raise TypeError(
        f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)}"
    )


def to_dtype(inpt: Tensor, dtype: dtypes.dtype = dtypes.float32, scale: bool = False) -> Tensor:
    """Turn an image into another dtype.

    Args:
        inpt: ``(..., H, W)``.
        dtype: the dtype.
        scale: turn the values into that dtype's range too.

    Returns:
        ``(..., H, W)``.

    Raises:
        RuntimeError: with ``scale``, the values would not fit.
    """
    if scale:
        return convert_image_dtype(inpt, dtype)
    return inpt.to(dtype)


def grayscale_to_rgb(inpt: Any) -> Any:
    """Turn ``inpt``, an image in shades of gray, into one of three channels; others stay.

    Returns:
        A Pillow image of mode RGB, or a tensor ``(..., 3, H, W)``.
    """
    if is_pillow(inpt):
        return inpt if inpt.mode == "RGB" else inpt.convert("RGB")
    if inpt.shape[-3] >= 3:
        return inpt
    return inpt.expand(*inpt.shape[:-3], 3, *inpt.shape[-2:])


def permute_channels(inpt: Any, permutation: list[int]) -> Any:
    """Put an image's channels in another order.

    Args:
        inpt: a Pillow image or a tensor ``(..., C, H, W)``.
        permutation: the channels' numbers in their new order.

    Returns:
        An image of the same kind.

    Raises:
        ValueError: it has not as many channels.
    """
    if is_pillow(inpt):
        changed = permute_channels(F.pil_to_tensor(inpt), permutation)
        return F.to_pil_image(changed, inpt.mode)
    if len(permutation) != inpt.shape[-3]:
        raise ValueError(
            f"Length of permutation does not match number of channels: {len(permutation)} != "
            f"{inpt.shape[-3]}"
        )
    return inpt[..., permutation, :, :]


def gaussian_noise(inpt: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """Add noise to a tensor image.

    Args:
        inpt: ``(..., C, H, W)``, bytes or floating-point numbers from 0 to 1.
        mean: the noise's mean, where white is 1 (of bytes too).
        sigma: its standard deviation, likewise.
        clip: keep the values between black and white.

    Returns:
        ``(..., C, H, W)``, of the same dtype.

    Raises:
        TypeError: it is no tensor.
        ValueError: it holds neither, or ``sigma`` is negative.
    """
    if not isinstance(inpt, Tensor):
        raise TypeError("Gaussian Noise is not implemented for PIL images: pass a tensor")
    image: Any = inpt
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if image.is_floating_point():
        noisy = image + (mean + flambeau.randn_like(image) * sigma)
        return noisy.clamp(0, 1) if clip else noisy
    if image.dtype is not dtypes.uint8:
        raise ValueError(
            f"Input tensor is expected to be in uint8 or float dtype, got {inpt.dtype}"
        )
    noise = mean * 255 + flambeau.randn_like(image, dtype=dtypes.float32) * sigma * 255
    noisy = image.to(dtypes.int16) + noise.to(dtypes.int16)
    return (noisy.clamp(0, 255) if clip else noisy).to(dtypes.uint8)


def jpeg(image: Any, quality: int) -> Any:
    """Compress an image of bytes as JPEG, and decompress it.

    Args:
        image: a Pillow image, or a tensor ``(..., C, H, W)`` with 1 or 3 channels.
        quality: from 1 to 100.

    Returns:
        An image of the same kind and size.
    """
    import io

    if is_pillow(image):
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=quality)
        return pillow().open(buffer).convert(image.mode)
    shape = tuple(int(side) for side in image.shape)
    one_by_one = image.reshape(-1, *shape[-3:])
    found = [F.pil_to_tensor(jpeg(F.to_pil_image(one), quality)) for one in one_by_one]
    return flambeau.stack(found).reshape(shape) if found else image.clone()


def get_size(inpt: Any) -> list[int]:
    """The height and width of ``inpt``, a Pillow image or a tensor ``(..., H, W)``.

    Returns:
        Two numbers.

    Raises:
        TypeError: it is neither.
    """
    return F.get_dimensions(inpt)[1:]


def get_num_channels(inpt: Any) -> int:
    """The channels of ``inpt``, a Pillow image or a tensor ``(..., H, W)``.

    Returns:
        A number.

    Raises:
        TypeError: it is neither.
    """
    return F.get_dimensions(inpt)[0]


elastic = elastic_transform = F.elastic_transform


# A kernel for tensors alone, under the names that torchvision gives them.
def __getattr__(name: str) -> Any:
    if name.endswith("_image") and name[: -len("_image")] in globals():
        return globals()[name[: -len("_image")]]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
