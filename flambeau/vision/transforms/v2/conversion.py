"""Conversions of images that only the second version has.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import dtypes, nn
from ....tensor import wrap
from ..batch import channels_first
from . import functional as F
from .containers import is_image, on_image


class ToImage(nn.Module):
    """Turns a Pillow image or an array ``(H, W, C)`` into a tensor of the same type.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.ToImage.html

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.

    Raises:
        TypeError: when called with something else than an image.
    """

    def forward(self, *inputs: Any) -> Any:
        return on_image(F.to_image, inputs)

    def _first_batch(self, images: np.ndarray) -> np.ndarray:
        return channels_first(images)


class ToDtype(nn.Module):
    """Turns a tensor image into another dtype.

    ``inputs`` are an image, a tensor, and whatever belongs to it, which is passed on; what is
    returned is as many.

    Args:
        dtype: the dtype.
        scale: turn the values into that dtype's range too: bytes into numbers from 0 to 1.

    Raises:
        ValueError: ``dtype`` is none.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.ToDtype.html
    """

    def __init__(self, dtype: dtypes.dtype, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, dtypes.dtype):
            raise ValueError(f"dtype must be a dtype, got {type(dtype)}")
        self.dtype = dtype
        self.scale = scale

    def forward(self, *inputs: Any) -> Any:
        return on_image(self._changed, inputs)

    def _changed(self, image: Any) -> Any:
        return F.to_dtype(image, self.dtype, self.scale) if is_image(image) else image

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return F.to_dtype(wrap(images), self.dtype, self.scale)._array

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class ToPureTensor(nn.Module):
    """Passes tensors on, which here are all of one kind.

    ``inputs`` are returned as they are.
    """

    def forward(self, *inputs: Any) -> Any:
        return inputs if len(inputs) > 1 else inputs[0]
