"""Pooling layers: maximum and average over windows of fixed and of adapted size."""

from __future__ import annotations

from typing import Any

from flambeau.nn import functional as F
from flambeau.nn.common_types import Size, ntuple
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _MaxPoolNd(Module):
    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any
    return_indices: bool
    ceil_mode: bool

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The maximum over windows along one dimension.

    Args:
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        padding: elements of minus infinity added on both sides, at most half the window.
        dilation: distance between the elements of a window.
        return_indices: whether the places of the maxima are returned too.
        ceil_mode: whether a last, incomplete window counts.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: ``(N, C, L_out)`` or ``(C, L_out)`` with
          ``L_out = (L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1``, rounded
          down (up if ``ceil_mode``)

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxPool1d.html
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MaxPool2d(_MaxPoolNd):
    """The maximum over windows in two dimensions.

    Args:
        kernel_size, stride, padding, dilation, return_indices, ceil_mode: as for
            :class:`MaxPool1d`; sizes are one number or a pair (height, width).

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``, sizes as in :class:`MaxPool1d`

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxPool2d.html
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MaxPool3d(_MaxPoolNd):
    """The maximum over windows in three dimensions.

    Args:
        kernel_size, stride, padding, dilation, return_indices, ceil_mode: as for
            :class:`MaxPool1d`; sizes are one number or a triple (depth, height, width).

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: ``(N, C, D_out, H_out, W_out)`` or without N, sizes as in :class:`MaxPool1d`

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxPool3d.html
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class _AvgPoolNd(Module):
    kernel_size: Any
    stride: Any
    padding: Any

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean over windows along one dimension.

    Args:
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        padding: zeros added on both sides.
        ceil_mode: whether a last, incomplete window counts.
        count_include_pad: whether the added zeros count in the mean.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: ``(N, C, L_out)`` or ``(C, L_out)`` with
          ``L_out = (L + 2 * padding - kernel_size) / stride + 1``, rounded down (up if
          ``ceil_mode``)

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AvgPool1d.html
    """

    ceil_mode: bool
    count_include_pad: bool

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, 1)
        self.stride = ntuple(stride if stride is not None else kernel_size, 1)
        self.padding = ntuple(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


class _AvgPoolWithDivisor(_AvgPoolNd):
    ceil_mode: bool
    count_include_pad: bool
    divisor_override: int | None

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override


class AvgPool2d(_AvgPoolWithDivisor):
    """The mean over windows in two dimensions.

    Args:
        kernel_size, stride, padding, ceil_mode, count_include_pad: as for :class:`AvgPool1d`; sizes
            are one number or a pair (height, width).
        divisor_override: what the sum of a window is divided by, instead of its size; not 0.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``, sizes as in :class:`AvgPool1d`

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AvgPool2d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(_AvgPoolWithDivisor):
    """The mean over windows in three dimensions.

    Args:
        kernel_size, stride, padding, ceil_mode, count_include_pad: as for :class:`AvgPool1d`; sizes
            are one number or a triple (depth, height, width).
        divisor_override: what the sum of a window is divided by, instead of its size; not 0.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: ``(N, C, D_out, H_out, W_out)`` or without N, sizes as in :class:`AvgPool1d`

    Raises:
        RuntimeError: an input of another number of dims, or windows that do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AvgPool3d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class _AdaptiveAvgPoolNd(Module):
    output_size: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The mean over as many equal windows along one dimension as the output is to have elements.

    Args:
        output_size: size of the output.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: ``(N, C, output_size)`` or ``(C, output_size)``

    Raises:
        RuntimeError: an input of another number of dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveAvgPool1d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The mean over a grid of equal windows of two dimensions.

    Args:
        output_size: size of the output: a number, or a pair in which None keeps the input's size.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C, *output_size)`` or ``(C, *output_size)``

    Raises:
        ValueError, RuntimeError: an input of too few, or of too many dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The mean over a grid of equal windows of three dimensions.

    Args:
        output_size: size of the output: a number, or a triple in which None keeps the input's size.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: ``(N, C, *output_size)`` or ``(C, *output_size)``

    Raises:
        ValueError, RuntimeError: an input of too few, or of too many dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveAvgPool3d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMaxPoolNd(Module):
    output_size: Any
    return_indices: bool

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maximum over as many equal windows as the output is to have elements.

    Args:
        output_size: size of the output.
        return_indices: whether the places of the maxima are returned too.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: ``(N, C, output_size)`` or ``(C, output_size)``

    Raises:
        RuntimeError: an input of another number of dims, or an empty one.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveMaxPool1d.html
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maximum over a grid of equal windows of two dimensions.

    Args:
        output_size: size of the output: a number, or a pair in which None keeps the input's size.
        return_indices: whether the places of the maxima are returned too.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C, *output_size)`` or ``(C, *output_size)``

    Raises:
        ValueError, RuntimeError: an input of too few, or of too many dims, or an empty one.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveMaxPool2d.html
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maximum over a grid of equal windows of three dimensions.

    Args:
        output_size: size of the output: a number, or a triple in which None keeps the input's size.
        return_indices: whether the places of the maxima are returned too.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: ``(N, C, *output_size)`` or ``(C, *output_size)``

    Raises:
        ValueError, RuntimeError: an input of too few, or of too many dims, or an empty one.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveMaxPool3d.html
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
