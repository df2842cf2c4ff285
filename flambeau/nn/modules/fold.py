"""``Fold`` and ``Unfold``."""

from __future__ import annotations

from typing import Any

from flambeau.nn import functional as F
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = ["Fold", "Unfold"]


class Fold(Module):
    """Puts an image together from columns of windows; what overlaps is added.

    Args:
        output_size: ``(H, W)`` of the image.
        kernel_size, dilation, padding, stride: of the windows, a number or a pair.

    Shape:
        - Input: ``(N, C * kernel elements, windows)`` or without N
        - Output: ``(N, C, H, W)`` or ``(C, H, W)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Fold.html
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Unfold(Module):
    """The windows of an image, one in each column.

    Args:
        kernel_size, dilation, padding, stride: of the windows, a number or a pair.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C * kernel elements, windows)`` or without N

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Unfold.html
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )
