"""Transforms between Pillow images, arrays and tensors, and of the values' range.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import dtypes, nn
from ...tensor import Tensor, wrap
from . import functional as F
from .batch import channels_first


class ToTensor:
    """Turns a Pillow image or an array ``(H, W, C)`` into a tensor ``(C, H, W)``.

    Values of 8 bits become floating-point numbers from 0 to 1; other types stay as they are.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.ToTensor.html

    Raises:
        TypeError: when called with something else.
        ValueError: when called with an array of other than two or three dimensions.
    """

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _first_batch(self, images: np.ndarray) -> np.ndarray:
        return F.unit_range(channels_first(images))


class PILToTensor:
    """Turns a Pillow image into a tensor ``(C, H, W)`` of the same type.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.PILToTensor.html

    Raises:
        TypeError: when called with something else.
    """

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _first_batch(self, images: np.ndarray) -> np.ndarray:
        return channels_first(images)


class ToPILImage:
    """Turns a tensor ``(C, H, W)`` or an array ``(H, W, C)`` into a Pillow image.

    Args:
        mode: Pillow's mode; by default what the number of channels and the type suggest.

    Raises:
        TypeError, ValueError: when called, as :func:`~.functional.to_pil_image`.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.ToPILImage.html
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(nn.Module):
    """Turns a tensor image into another dtype, its values into that dtype's range.

    Args:
        dtype: the dtype.

    Raises:
        RuntimeError: (when called) the values would not fit.
    """

    def __init__(self, dtype: dtypes.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return F.convert_image_dtype(wrap(images), self.dtype)._array


class Normalize(nn.Module):
    """Subtracts a mean from each channel of a tensor image and divides by a standard deviation.

    Args:
        mean: one number for each channel.
        std: one number for each channel.
        inplace: write into the tensor that is given.

    Raises:
        TypeError: (when called) the image is no tensor of floating-point numbers.
        ValueError: (when called) it has fewer than three dimensions, or a std is 0.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.Normalize.html
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"

    def _batch(self, images: np.ndarray) -> np.ndarray:
        return F.normalize_array(images, self.mean, self.std, images)
