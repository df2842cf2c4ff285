"""Images side by side, and into files (``torchvision.utils``)."""

from __future__ import annotations

import math
import os
from typing import Any, BinaryIO

import flambeau

from ..tensor import Tensor
from .transforms.pillow import image_of

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Put images side by side into one.

    Args:
        tensor: a batch ``(B, C, H, W)``, or a list of images of one size.
        nrow: images in a row.
        padding: pixels between them and around.
        normalize: shift and scale the values into the range from 0 to 1.
        value_range: the values that become 0 and 1; by default the least and the greatest.
        scale_each: do so for each image by itself.
        pad_value: the value between the images.

    Returns:
        The image ``(C, H', W')``; one channel becomes three.

    Raises:
        TypeError: ``tensor`` is neither, or ``value_range`` is no pair.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.utils.make_grid.html
    """
    with flambeau.no_grad():
        images = _batch(tensor)
        if normalize:
            if value_range is not None and not isinstance(value_range, tuple):
                raise TypeError(
                    "value_range has to be a tuple (min, max) if specified. min and max are numbers"
                )
            if scale_each:
                images = flambeau.stack([_scaled(image, value_range) for image in images])
            else:
                images = _scaled(images, value_range)
        if images.shape[0] == 1:
            return images.squeeze(0)  # type: ignore[attr-defined]
        count, channels = images.shape[:2]
        columns = min(nrow, count)
        rows = math.ceil(count / columns)
        height, width = images.shape[2] + padding, images.shape[3] + padding
        grid = images.new_full(  # type: ignore[attr-defined]
            (channels, height * rows + padding, width * columns + padding), pad_value
        )
        for index in range(count):
            top = index // columns * height + padding
            left = index % columns * width + padding
            grid[:, top : top + height - padding, left : left + width - padding] = images[index]
        return grid


def _batch(tensor: Any) -> Tensor:
    """The images as ``(B, C, H, W)`` with three channels where there was one."""
    if isinstance(tensor, list):
        for image in tensor:
            if not isinstance(image, Tensor):
                raise TypeError(
                    f"tensor or list of tensors expected, got a list containing {type(image)}"
                )
        tensor = flambeau.stack(tensor, dim=0)
    elif not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 4 and tensor.shape[1] == 1:
        tensor = flambeau.cat((tensor, tensor, tensor), 1)
    return tensor


def _scaled(images: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = value_range or (float(images.min()), float(images.max()))  # type: ignore[attr-defined]
    return (images.clamp(low, high) - low) / max(high - low, 1e-5)  # type: ignore[attr-defined]


def save_image(
    tensor: Tensor | list[Tensor],
    fp: str | os.PathLike[str] | BinaryIO,
    format: str | None = None,
    **kwargs: Any,
) -> None:
    """Save images, side by side, into an image file.

    Args:
        tensor: a batch ``(B, C, H, W)`` or an image ``(C, H, W)``, values from 0 to 1.
        fp: the file's name, or a file object.
        format: the file's format; by default what its name says.
        kwargs: as for :func:`make_grid`.

    Raises:
        ImportError: Pillow is not installed.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.utils.save_image.html
    """
    grid: Any = make_grid(tensor, **kwargs)
    values = (grid * 255 + 0.5).clamp(0, 255).to(flambeau.uint8)
    array = values.permute(1, 2, 0).numpy(force=True)
    image_of(array).save(fp, format=format)
