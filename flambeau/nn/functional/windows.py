"""Sliding windows as columns (``unfold``) and columns put together again (``fold``).

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (vision functions)
"""

from __future__ import annotations

from typing import Any

from flambeau.ops import unfolding as _unfolding
from flambeau.ops.dims import repeated
from flambeau.tensor import Tensor

__all__ = [
    "fold",
    "unfold",
]


def _window(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, ...]]:
    kernel = repeated(kernel_size, 2, "kernel_size")
    gaps = repeated(dilation, 2, "dilation")
    pads = repeated(padding, 2, "padding")
    steps = repeated(stride, 2, "stride")
    for word, values in (("kernel", kernel), ("dilation", gaps), ("stride", steps)):
        if min(values) <= 0:
            unit = "size should" if word == "kernel" else "should"
            raise RuntimeError(
                f"{word} {unit} be greater than zero, but got {word}_height: {values[0]} "
                f"{word}_width: {values[1]}"
            )
    if min(pads) < 0:
        raise RuntimeError(
            f"padding should be non-negative, but got pad_height: {pads[0]} pad_width: {pads[1]}"
        )
    return [kernel, gaps, pads, steps]


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The windows of an image, one in each column.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size, dilation, padding, stride: of the windows, a number or a pair.

    Returns:
        ``(N, C * kernel elements, windows)``.

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit into it.
    """
    window = _window(kernel_size, dilation, padding, stride)
    shape = tuple(input.shape)
    if input.dim() not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(shape)}"
        )
    counts = _unfolding.window_counts(shape[-2:], *window)
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {shape[-2:]}, kernel_size={window[0]}, "
            f"dilation={window[1]}, padding={window[2]}, stride={window[3]}, calculated shape of "
            f"the array of sliding blocks as {counts}, but its components must be at least one."
        )
    if input.dim() == 3:
        return _unfolding.im2col.function(input.unsqueeze(0), *window).squeeze(0)
    return _unfolding.im2col.function(input, *window)


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """An image put together from the columns that :func:`unfold` makes; what overlaps is added.

    Args:
        input: ``(N, C * kernel elements, windows)`` or without N.
        output_size: ``(H, W)`` of the image.
        kernel_size, dilation, padding, stride: of the windows, a number or a pair.

    Returns:
        ``(N, C, H, W)``.

    Raises:
        RuntimeError: an input of another number of dims, or of sizes that do not belong to the
            windows of an image of ``output_size``.
    """
    window = _window(kernel_size, dilation, padding, stride)
    kernel, gaps, pads, steps = window
    size = repeated(output_size, 2, "output_size")
    shape = tuple(input.shape)
    if input.dim() not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    if min(size) < 1:
        raise RuntimeError(
            f"Expected output spatial size to be positive, but got: output_size={size}."
        )
    elements = kernel[0] * kernel[1]
    if shape[-2] % elements:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={kernel}."
        )
    counts = _unfolding.window_counts(size, *window)
    described = (
        f"Given output_size={size}, kernel_size={kernel}, dilation={gaps}, padding={pads}, "
        f"stride={steps}, "
    )
    if min(counts) < 1:
        raise RuntimeError(
            f"{described}calculated shape of the array of sliding blocks as {counts}, which is "
            "too small (non-positive)"
        )
    if counts[0] * counts[1] != shape[-1]:
        raise RuntimeError(
            f"{described}expected size of input's dimension 2 to match the calculated number of "
            f"sliding blocks {counts[0]} * {counts[1]} = {counts[0] * counts[1]}, but got "
            f"input.size(2)={shape[-1]}."
        )
    if input.dim() == 2:
        return _unfolding.col2im.function(input.unsqueeze(0), size, *window).squeeze(0)
    return _unfolding.col2im.function(input, size, *window)
