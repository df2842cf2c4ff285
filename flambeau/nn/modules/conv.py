"""Convolution layers: ``Conv1d``, ``Conv2d``, ``Conv3d``, transposed and lazy ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.nn import init
from flambeau.nn.common_types import Size, ntuple, reversed_twice
from flambeau.nn.modules.lazy import LazyModuleMixin
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter, UninitializedParameter
from flambeau.tensor import Tensor

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

_PADDING_STRINGS = ("valid", "same")
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolution layers share: the checks, the parameters and their initialisation."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int
    padding_mode: str
    _reversed_padding_repeated_twice: Any
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in _PADDING_STRINGS:
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {set(_PADDING_STRINGS)}"
                )
            if padding == "same" and any(step != 1 for step in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, but got "
                f"padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            self._reversed_padding_repeated_twice = _string_padding(padding, kernel_size, dilation)
        else:
            self._reversed_padding_repeated_twice = reversed_twice(padding)
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        shape = (first, second // groups, *kernel_size)
        self.weight = Parameter(flambeau.empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(flambeau.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # a = sqrt(5) makes the bound of Kaiming's uniform initialisation 1 / sqrt(fan_in)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        none = (0,) * len(self.kernel_size)
        one = (1,) * len(self.kernel_size)
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != none:
            text += f", padding={self.padding}"
        if self.dilation != one:
            text += f", dilation={self.dilation}"
        if self.output_padding != none:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not hasattr(self, "padding_mode"):
            self.padding_mode = "zeros"


def _string_padding(
    padding: str, kernel_size: tuple[int, ...], dilation: tuple[int, ...]
) -> list[int]:
    """``F.pad``'s widths for "same" (the larger half behind) and "valid" padding."""
    widths = [0, 0] * len(kernel_size)
    if padding == "same":
        for place, (size, step) in enumerate(zip(reversed(kernel_size), reversed(dilation))):
            total = step * (size - 1)
            widths[2 * place] = total // 2
            widths[2 * place + 1] = total - total // 2
    return widths


class _Conv(_ConvNd):
    """An ordinary convolution over ``_dimensions`` spatial dimensions."""

    _dimensions: int
    _convolve: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        n = self._dimensions
        super().__init__(
            in_channels,
            out_channels,
            ntuple(kernel_size, n),
            ntuple(stride, n),
            padding if isinstance(padding, str) else ntuple(padding, n),
            ntuple(dilation, n),
            False,
            (0,) * n,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        own = self._parameters
        try:  # `self.weight` takes four times as long; it may have been parametrized away
            return self._conv_forward(input, own["weight"], own["bias"])
        except KeyError:
            return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Any, bias: Any) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self._dimensions
        return type(self)._convolve(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Conv):
    """Convolution (cross-correlation) along one dimension.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output (filters).
        kernel_size: elements that a filter covers.
        stride: step of the filter.
        padding: elements added on both sides, or ``"valid"`` (none) or ``"same"``.
        dilation: distance between the elements that a filter reads.
        groups: groups of channels that do not see each other.
        bias: whether an offset per filter is learned.
        padding_mode: what is added: ``"zeros"``, ``"reflect"``, ``"replicate"``, ``"circular"``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, C_in, L)`` or ``(C_in, L)``
        - Output: ``(N, C_out, L_out)`` or ``(C_out, L_out)`` with
          ``L_out = (L + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1``

    Attributes:
        weight: ``(out_channels, in_channels / groups, kernel_size)``, from U(-k, k) with
            k = sqrt(groups / (in_channels * kernel_size)).
        bias: ``(out_channels,)``, from the same distribution.

    Raises:
        ValueError: ``groups`` that do not divide the channels, another ``padding`` string,
            ``"same"`` with a stride, or another ``padding_mode``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Conv1d.html
    """

    _dimensions = 1
    _convolve = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolution (cross-correlation) over two dimensions.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype: as for :class:`Conv1d`; sizes are one number or a pair
            (height, width).

    Shape:
        - Input: ``(N, C_in, H, W)`` or ``(C_in, H, W)``
        - Output: ``(N, C_out, H_out, W_out)`` or ``(C_out, H_out, W_out)``, sizes as in
          :class:`Conv1d`

    Attributes:
        weight: ``(out_channels, in_channels / groups, *kernel_size)``, from U(-k, k) with
            k = sqrt(groups / (in_channels * product of kernel_size)).
        bias: ``(out_channels,)``, from the same distribution.

    Raises:
        ValueError: ``groups`` that do not divide the channels, another ``padding`` string,
            ``"same"`` with a stride, or another ``padding_mode``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Conv2d.html
    """

    _dimensions = 2
    _convolve = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Convolution (cross-correlation) over three dimensions.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype: as for :class:`Conv1d`; sizes are one number or a triple
            (depth, height, width).

    Shape:
        - Input: ``(N, C_in, D, H, W)`` or ``(C_in, D, H, W)``
        - Output: ``(N, C_out, D_out, H_out, W_out)`` or without N, sizes as in :class:`Conv1d`

    Attributes:
        weight: ``(out_channels, in_channels / groups, *kernel_size)``, from U(-k, k) with
            k = sqrt(groups / (in_channels * product of kernel_size)).
        bias: ``(out_channels,)``, from the same distribution.

    Raises:
        ValueError: ``groups`` that do not divide the channels, another ``padding`` string,
            ``"same"`` with a stride, or another ``padding_mode``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Conv3d.html
    """

    _dimensions = 3
    _convolve = staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    """A transposed convolution over ``_dimensions`` spatial dimensions."""

    _dimensions: int
    _convolve: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        n = self._dimensions
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels,
            out_channels,
            ntuple(kernel_size, n),
            ntuple(stride, n),
            ntuple(padding, n),
            ntuple(dilation, n),
            True,
            ntuple(output_padding, n),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        output_padding = self._output_padding(input, output_size)
        return type(self)._convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            output_padding,
            self.groups,
            self.dilation,
        )

    def _output_padding(self, input: Tensor, output_size: list[int] | None) -> tuple[int, ...]:
        """How much to add on one side so that the output has ``output_size``."""
        if output_size is None:
            return self.output_padding
        n = self._dimensions
        sizes = list(output_size)
        batched = input.dim() == n + 2
        leading = 2 if batched else 1
        if len(sizes) == n + leading:
            sizes = sizes[leading:]
        if len(sizes) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or "
                f"{n + leading} elements (got {len(sizes)})"
            )
        least = [
            (input.size(d + leading) - 1) * self.stride[d]
            - 2 * int(self.padding[d])
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(n)
        ]
        most = [least[d] + self.stride[d] - 1 for d in range(n)]
        if any(not low <= size <= high for low, size, high in zip(least, sizes, most)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} "
                f"to {most} (for an input of {input.size()[leading:]})"
            )
        return tuple(size - low for size, low in zip(sizes, least))


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution along one dimension: the gradient of :class:`Conv1d`.

    The call takes ``output_size``, too: which of the sizes that lead to this input the result gets.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: elements that a filter covers.
        stride: distance between the places that two input elements are spread to.
        padding: elements taken away on both sides of the output.
        output_padding: elements added on one side of the output.
        groups: groups of channels that do not see each other.
        bias: whether an offset per output channel is learned.
        dilation: distance between the elements that a filter writes.
        padding_mode: ``"zeros"``, the only one.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, C_in, L)`` or ``(C_in, L)``
        - Output: ``(N, C_out, L_out)`` or ``(C_out, L_out)`` with ``L_out = (L - 1) * stride -
          2 * padding + dilation * (kernel_size - 1) + output_padding + 1``

    Attributes:
        weight: ``(in_channels, out_channels / groups, kernel_size)``.
        bias: ``(out_channels,)``.

    Raises:
        ValueError: ``groups`` that do not divide the channels, another ``padding_mode``, or in the
            call an ``output_size`` that does not lead to this input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ConvTranspose1d.html
    """

    _dimensions = 1
    _convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution over two dimensions: the gradient of :class:`Conv2d`.

    The call takes ``output_size``, too: which of the sizes that lead to this input the result gets.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias,
            dilation, padding_mode, device, dtype: as for :class:`ConvTranspose1d`; sizes are one
            number or a pair (height, width).

    Shape:
        - Input: ``(N, C_in, H, W)`` or ``(C_in, H, W)``
        - Output: ``(N, C_out, H_out, W_out)`` or ``(C_out, H_out, W_out)``, sizes as in
          :class:`ConvTranspose1d`

    Attributes:
        weight: ``(in_channels, out_channels / groups, *kernel_size)``.
        bias: ``(out_channels,)``.

    Raises:
        ValueError: ``groups`` that do not divide the channels, another ``padding_mode``, or in the
            call an ``output_size`` that does not lead to this input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ConvTranspose2d.html
    """

    _dimensions = 2
    _convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution over three dimensions: the gradient of :class:`Conv3d`.

    The call takes ``output_size``, too: which of the sizes that lead to this input the result gets.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias,
            dilation, padding_mode, device, dtype: as for :class:`ConvTranspose1d`; sizes are one
            number or a triple (depth, height, width).

    Shape:
        - Input: ``(N, C_in, D, H, W)`` or ``(C_in, D, H, W)``
        - Output: ``(N, C_out, D_out, H_out, W_out)`` or without N, sizes as in
          :class:`ConvTranspose1d`

    Attributes:
        weight: ``(in_channels, out_channels / groups, *kernel_size)``.
        bias: ``(out_channels,)``.

    Raises:
        ValueError: ``groups`` that do not divide the channels, another ``padding_mode``, or in the
            call an ``output_size`` that does not lead to this input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ConvTranspose3d.html
    """

    _dimensions = 3
    _convolve = staticmethod(F.conv_transpose3d)


class _LazyConvMixin(LazyModuleMixin):
    """Takes ``in_channels`` from the first input."""

    def reset_parameters(self: Any) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self: Any, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Give weight and bias the shapes that ``input`` asks for, and draw them."""
        if not self.has_uninitialized_params():
            return
        n = self._dimensions
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[-n - 1]
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        first, second = (
            (self.in_channels, self.out_channels)
            if self.transposed
            else (self.out_channels, self.in_channels)
        )
        self.weight.materialize((first, second // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


def _make_lazy(module: Any, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
    module.weight = UninitializedParameter(device=device, dtype=dtype)
    module.out_channels = out_channels
    if bias:
        module.bias = UninitializedParameter(device=device, dtype=dtype)


class _LazyConv(_LazyConvMixin):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype
        )
        _make_lazy(self, out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvMixin):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
            padding_mode, device, dtype,
        )  # fmt: skip
        _make_lazy(self, out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):  # type: ignore[misc]
    """A :class:`Conv1d` that takes ``in_channels`` from its first input, then becomes one.

    Args:
        out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype: as for :class:`Conv1d`.

    Shape:
        - Input: ``(N, C_in, L)`` or ``(C_in, L)``
        - Output: ``(N, C_out, L_out)`` or ``(C_out, L_out)``

    Raises:
        RuntimeError: a first input of another number of dims.
        ValueError: as for :class:`Conv1d`.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyConv1d.html
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):  # type: ignore[misc]
    """A :class:`Conv2d` that takes ``in_channels`` from its first input, then becomes one.

    Args:
        out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype: as for :class:`Conv2d`.

    Shape:
        - Input: ``(N, C_in, H, W)`` or ``(C_in, H, W)``
        - Output: ``(N, C_out, H_out, W_out)`` or ``(C_out, H_out, W_out)``

    Raises:
        RuntimeError: a first input of another number of dims.
        ValueError: as for :class:`Conv2d`.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyConv2d.html
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):  # type: ignore[misc]
    """A :class:`Conv3d` that takes ``in_channels`` from its first input, then becomes one.

    Args:
        out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype: as for :class:`Conv3d`.

    Shape:
        - Input: ``(N, C_in, D, H, W)`` or ``(C_in, D, H, W)``
        - Output: ``(N, C_out, D_out, H_out, W_out)`` or without N

    Raises:
        RuntimeError: a first input of another number of dims.
        ValueError: as for :class:`Conv3d`.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyConv3d.html
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):  # type: ignore[misc]
    """A :class:`ConvTranspose1d` that takes ``in_channels`` from its first input, then becomes one.

    Args:
        out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
            padding_mode, device, dtype: as for :class:`ConvTranspose1d`.

    Shape:
        - Input: ``(N, C_in, L)`` or ``(C_in, L)``
        - Output: ``(N, C_out, L_out)`` or ``(C_out, L_out)``

    Raises:
        RuntimeError: a first input of another number of dims.
        ValueError: as for :class:`ConvTranspose1d`.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyConvTranspose1d.html
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):  # type: ignore[misc]
    """A :class:`ConvTranspose2d` that takes ``in_channels`` from its first input, then becomes one.

    Args:
        out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
            padding_mode, device, dtype: as for :class:`ConvTranspose2d`.

    Shape:
        - Input: ``(N, C_in, H, W)`` or ``(C_in, H, W)``
        - Output: ``(N, C_out, H_out, W_out)`` or ``(C_out, H_out, W_out)``

    Raises:
        RuntimeError: a first input of another number of dims.
        ValueError: as for :class:`ConvTranspose2d`.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyConvTranspose2d.html
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):  # type: ignore[misc]
    """A :class:`ConvTranspose3d` that takes ``in_channels`` from its first input, then becomes one.

    Args:
        out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
            padding_mode, device, dtype: as for :class:`ConvTranspose3d`.

    Shape:
        - Input: ``(N, C_in, D, H, W)`` or ``(C_in, D, H, W)``
        - Output: ``(N, C_out, D_out, H_out, W_out)`` or without N

    Raises:
        RuntimeError: a first input of another number of dims.
        ValueError: as for :class:`ConvTranspose3d`.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyConvTranspose3d.html
    """

    cls_to_become = ConvTranspose3d
