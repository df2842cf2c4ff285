"""Pillow, which is imported when an image first comes along."""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np


@functools.cache
def pillow() -> Any:
    """The module ``PIL.Image``.

    Returns:
        The module.

    Raises:
        ImportError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "images need Pillow: pip install 'flambeau[vision]' (or pip install pillow)"
        ) from None
    return Image


def is_pillow(image: Any) -> bool:
    """Whether this is a Pillow image; asks without importing Pillow.

    Returns:
        A bool.
    """
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def image_of(array: np.ndarray, mode: str | None = None) -> Any:
    """A Pillow image of an array.

    Args:
        array: ``(H, W)`` or ``(H, W, C)``.
        mode: Pillow's mode; None for what shape and type suggest.

    Returns:
        The image.

    Raises:
        ImportError: Pillow is not installed.
    """
    image = pillow().fromarray(array)
    if mode is not None and image.mode != mode:
        # The bytes are the same; what they mean is said by the mode.
        image = pillow().frombytes(mode, image.size, np.ascontiguousarray(array).tobytes())
    return image


def channels_of(image: Any) -> int:
    """The number of channels of ``image``, a Pillow image.

    Returns:
        The number.
    """
    return len(image.getbands())


def array_of(image: Any) -> np.ndarray:
    """The values of ``image``, a Pillow image, as a fresh array, of the type that its mode has.

    Returns:
        ``(H, W, C)``.
    """
    array = np.array(image, copy=True)
    return array.reshape(image.size[1], image.size[0], channels_of(image))
