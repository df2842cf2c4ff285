"""The transforms as functions (``torchvision.transforms.v2.functional``)."""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau

from .... import dtypes
from ....tensor import Tensor
from .. import functional as F
from ..functional import *  # noqa: F403
from ..functional import convert_image_dtype
from ..pillow import is_pillow

horizontal_flip = F.hflip
vertical_flip = F.vflip


def to_image(inpt: Any) -> Tensor:
    """Turn a Pillow image or an array ``(H, W, C)`` into a tensor ``(C, H, W)`` of the same type.

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
    """Turn an image into another dtype; with ``scale`` its values into that dtype's range."""
    if scale:
        return convert_image_dtype(inpt, dtype)
    return inpt.to(dtype)
