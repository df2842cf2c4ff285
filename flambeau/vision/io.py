"""Images from files and to files, as tensors of bytes (``torchvision.io``).

Source: https://docs.pytorch.org/vision/stable/io.html
"""

from __future__ import annotations

import io
import os
from enum import Enum
from typing import Any

import numpy as np

from flambeau.tensor import Tensor
from flambeau.tensor.creation import from_numpy

__all__ = [
    "ImageReadMode",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(Enum):
    """The channels to read: those of the file, or these.

    ``UNCHANGED``, ``GRAY``, ``GRAY_ALPHA``, ``RGB`` or ``RGB_ALPHA``.
    """

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_file(path: str | os.PathLike[str]) -> Tensor:
    """The bytes of the file ``path``.

    Returns:
        ``(n,)``, uint8.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return from_numpy(np.fromfile(path, np.uint8))


def write_file(filename: str | os.PathLike[str], data: Tensor) -> None:
    """Write bytes to a file.

    Args:
        filename: the file.
        data: ``(n,)``, uint8.
    """
    data.numpy().tofile(filename)


def decode_image(
    input: Tensor | str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """An image of a file, or of its bytes.

    Args:
        input: a path, or the bytes ``(n,)``.
        mode: the channels, an ``ImageReadMode`` or its name.
        apply_exif_orientation: turn the image as the file says.

    Returns:
        bytes, ``(channels, H, W)``.

    Raises:
        RuntimeError: it is not an image, or a damaged one.
        FileNotFoundError: there is no such file.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    source: Any = io.BytesIO(input.numpy().tobytes()) if isinstance(input, Tensor) else input
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        image: Any = Image.open(source)
        image.load()
    except FileNotFoundError:
        raise
    except UnidentifiedImageError as error:
        raise RuntimeError(
            f"Unsupported image file. Only jpeg, png, webp and gif are currently supported: {error}"
        ) from error
    except Exception as error:  # Pillow has many for damaged files: SyntaxError, ValueError, ...
        where = "the bytes of the image" if isinstance(input, Tensor) else os.fspath(input)
        raise RuntimeError(f"{where}: truncated or corrupt: {error}") from error
    if apply_exif_orientation:
        image = ImageOps.exif_transpose(image)
    if mode is not ImageReadMode.UNCHANGED:
        image = image.convert(_MODES[mode.value])
    elif image.mode not in _MODES.values():
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    array = np.array(image)
    array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return from_numpy(np.ascontiguousarray(array))


def read_image(
    path: str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The image of a file; as :func:`decode_image`.

    Args:
        path: the file.
        mode, apply_exif_orientation: as there.

    Returns:
        bytes, ``(channels, H, W)``.

    Raises:
        RuntimeError: it is not an image, or a damaged one.
        FileNotFoundError: there is no such file.
    """
    return decode_image(path, mode, apply_exif_orientation)


decode_png = decode_jpeg = decode_image


def _encoded(input: Tensor, kind: str, **options: Any) -> bytes:
    from PIL import Image

    array = input.numpy()
    if array.dtype != np.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, got {input.dtype}")
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise RuntimeError(
            "Input data should be 3-dimensional with 1 or 3 channels, got the shape "
            f"{list(array.shape)}"
        )
    buffer = io.BytesIO()
    picture = array[0] if array.shape[0] == 1 else array.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file of an image.

    Args:
        input: ``(1 or 3, H, W)``, uint8.
        compression_level: from 0 (fast) to 9 (small).

    Returns:
        ``(n,)``, uint8.

    Raises:
        RuntimeError: another dtype or shape.
    """
    data = _encoded(input, "PNG", compress_level=compression_level)
    return from_numpy(np.frombuffer(data, np.uint8).copy())


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """The bytes of a JPEG file of an image.

    Args:
        input: ``(1 or 3, H, W)``, uint8.
        quality: from 1 to 100.

    Returns:
        ``(n,)``, uint8.

    Raises:
        RuntimeError: another dtype or shape.
    """
    return from_numpy(np.frombuffer(_encoded(input, "JPEG", quality=quality), np.uint8).copy())


def write_png(input: Tensor, filename: str, compression_level: int = 6) -> None:
    """Write an image to a PNG file.

    Args:
        input: ``(1 or 3, H, W)``, uint8.
        filename: the file.
        compression_level: from 0 (fast) to 9 (small).

    Raises:
        RuntimeError: another dtype or shape.
    """
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str, quality: int = 75) -> None:
    """Write an image to a JPEG file.

    Args:
        input: ``(1 or 3, H, W)``, uint8.
        filename: the file.
        quality: from 1 to 100.

    Raises:
        RuntimeError: another dtype or shape.
    """
    write_file(filename, encode_jpeg(input, quality))
