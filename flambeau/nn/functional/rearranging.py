"""Pixels and channels put into other places.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (vision functions)
"""

from __future__ import annotations

from flambeau.nn.functional.node_names import node_called
from flambeau.tensor import Tensor

__all__ = [
    "channel_shuffle",
    "native_channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
]


@node_called("PixelShuffleBackward0")
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Blocks of pixels made from channels.

    Args:
        input: ``(*, C r r, H, W)``.
        upscale_factor: r.

    Returns:
        ``(*, C, H r, W r)``.

    Raises:
        RuntimeError: fewer than three dims, r below 1, or channels that r * r does not divide.

    Source: Shi et al., Real-Time Single Image and Video Super-Resolution, 2016.
    """
    r = upscale_factor
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(batch)
    blocks = input.reshape((*batch, c // (r * r), r, r, h, w))
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return blocks.permute(order).reshape((*batch, c // (r * r), h * r, w * r))


@node_called("PixelUnshuffleBackward0")
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Channels made from blocks of pixels, :func:`pixel_shuffle` undone.

    Args:
        input: ``(*, C, H r, W r)``.
        downscale_factor: r.

    Returns:
        ``(*, C r r, H, W)``.

    Raises:
        RuntimeError: fewer than three dims, r below 1, or a height or width that r does not divide.
    """
    r = downscale_factor
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    for what, size in (("height", h), ("width", w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but "
                f"input.size({-2 if what == 'height' else -1})={size} is not divisible by {r}"
            )
    n = len(batch)
    blocks = input.reshape((*batch, c, h // r, r, w // r, r))
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return blocks.permute(order).reshape((*batch, c * r * r, h // r, w // r))


@node_called("ChannelShuffleBackward0")
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels divided into groups and interleaved.

    Args:
        input: ``(N, C, *)``.
        groups: how many; a divisor of C.

    Returns:
        ``(N, C, *)``.

    Raises:
        RuntimeError: fewer than three dims, or groups that do not divide C.

    Source: Zhang et al., ShuffleNet, 2017.
    """
    if input.dim() <= 2:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    n, c, *spatial = input.shape
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    split = input.reshape((n, groups, c // groups, *spatial))
    return split.transpose(1, 2).reshape(tuple(input.shape))


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """:func:`channel_shuffle` of ``input`` in ``groups``, by another of PyTorch's names.

    Returns:
        ``(N, C, *)``.
    """
    return channel_shuffle(input, groups)
