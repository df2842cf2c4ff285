"""``ChannelShuffle``."""

from __future__ import annotations

from flambeau.nn import functional as F
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Module):
    """Divides the channels into groups and interleaves them (Zhang et al., 2017).

    Args:
        groups: number of groups.

    Shape:
        - Input: ``(N, C, *)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ChannelShuffle.html
    """

    groups: int

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
