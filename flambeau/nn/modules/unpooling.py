"""Layers of unpooling, power-mean pooling, and pooling by windows of random size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flambeau.nn import functional as F
from flambeau.nn.common_types import ntuple
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = [
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxUnpoolNd(Module):
    _dims: int
    _unpool: Callable[..., Tensor]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = ntuple(kernel_size, self._dims)
        self.stride = ntuple(stride if stride is not None else kernel_size, self._dims)
        self.padding = ntuple(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self._unpool(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts maxima back to the places that :class:`MaxPool1d` took them from, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``, and the indices of the pooling
        - Output: ``(N, C, L_out)``, or the ``output_size`` given to the call

    Raises:
        RuntimeError: indices that do not fit the input or the result.
        ValueError: an ``output_size`` that does not lead to this input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxUnpool1d.html
    """

    _dims = 1
    _unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """Puts maxima back to the places that :class:`MaxPool2d` took them from, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling; one number or a pair (height, width).

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``, and the indices of the pooling
        - Output: ``(N, C, H_out, W_out)``, or the ``output_size`` given to the call; without N
          likewise

    Raises:
        RuntimeError: indices that do not fit the input or the result.
        ValueError: an ``output_size`` that does not lead to this input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxUnpool2d.html
    """

    _dims = 2
    _unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """Puts maxima back to the places that :class:`MaxPool3d` took them from, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling; one number or a triple (depth, height,
            width).

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, and the indices of the pooling
        - Output: ``(N, C, D_out, H_out, W_out)``, or the ``output_size`` given to the call; without
          N likewise

    Raises:
        RuntimeError: indices that do not fit the input or the result.
        ValueError: an ``output_size`` that does not lead to this input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MaxUnpool3d.html
    """

    _dims = 3
    _unpool = staticmethod(F.max_unpool3d)


class _LPPoolNd(Module):
    norm_type: float
    ceil_mode: bool

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The norm over windows along one dimension.

    Args:
        norm_type: p of the p-norm.
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        ceil_mode: whether a last, incomplete window counts.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: ``(N, C, L_out)`` or ``(C, L_out)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LPPool1d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool2d(_LPPoolNd):
    """The norm over windows in two dimensions.

    Args:
        norm_type, kernel_size, stride, ceil_mode: as for :class:`LPPool1d`; sizes are one number or
            a pair (height, width).

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LPPool2d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool3d(_LPPoolNd):
    """The norm over windows in three dimensions.

    Args:
        norm_type, kernel_size, stride, ceil_mode: as for :class:`LPPool1d`; sizes are one number or
            a triple (depth, height, width).

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: ``(N, C, D_out, H_out, W_out)`` or without N

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LPPool3d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class _FractionalMaxPoolNd(Module):
    _dims: int
    return_indices: bool

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        dims = self._dims
        name = type(self).__name__
        if (
            isinstance(kernel_size, int)
            and kernel_size <= 0
            or (isinstance(kernel_size, (tuple, list)) and not all(k > 0 for k in kernel_size))
        ):
            raise ValueError(f"kernel_size must greater than zero, but got {kernel_size}")
        self.kernel_size = ntuple(kernel_size, dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = ntuple(output_size, dims) if output_size is not None else None
        self.output_ratio = ntuple(output_ratio, dims) if output_ratio is not None else None
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{name} requires specifying either an output size, or a pooling ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"only one of output_size and output_ratio may be specified ({name})")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The maximum over windows whose steps are drawn at random (Graham, 2014).

    Args:
        kernel_size: size of the windows, a number or a pair.
        output_size: size of the result; or
        output_ratio: the size of the result as a share of the input's, between 0 and 1.
        return_indices: whether the places of the maxima are returned too.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: ``(N, C, H_out, W_out)`` or ``(C, H_out, W_out)``

    Raises:
        ValueError: windows that are not positive, neither or both of ``output_size`` and
            ``output_ratio``, or a ratio outside (0, 1).
        RuntimeError: in the call, sizes that do not fit the input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.FractionalMaxPool2d.html
    """

    _dims = 2

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool2d(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The maximum over windows whose steps are drawn at random, in three dimensions.

    Args:
        kernel_size, output_size, output_ratio, return_indices: as for :class:`FractionalMaxPool2d`;
            sizes are a number or a triple (depth, height, width).

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: ``(N, C, D_out, H_out, W_out)`` or without N

    Raises:
        ValueError: windows that are not positive, neither or both of ``output_size`` and
            ``output_ratio``, or a ratio outside (0, 1).
        RuntimeError: in the call, sizes that do not fit the input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.FractionalMaxPool3d.html
    """

    _dims = 3

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool3d(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )
