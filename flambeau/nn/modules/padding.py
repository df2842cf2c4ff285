"""Padding layers: constant, zero, reflection, replication and circular, in one to three dims."""

from __future__ import annotations

from typing import Any

from flambeau.nn import functional as F
from flambeau.nn.common_types import Size, ntuple
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _ConstantPadNd(Module):
    value: float
    padding: tuple[int, ...]
    _dimensions: int

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__()
        self.value = value
        self.padding = ntuple(padding, 2 * self._dimensions)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _PadNd(Module):
    padding: tuple[int, ...]
    _dimensions: int
    _mode: str

    def __init__(self, padding: Size) -> None:
        super().__init__()
        self.padding = ntuple(padding, 2 * self._dimensions)

    def _check_input_dim(self, input: Any) -> None:
        """Nothing: ``F.pad`` checks."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def _check_input_dim(self, input: Any) -> None:
        n = self._dimensions
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")


class ConstantPad1d(_ConstantPadNd):
    """Adds elements of one value at the borders.

    Args:
        padding: one number for all sides, or ``(left, right)``.
        value: the value that is added.

    Shape:
        - Input: ``(N, C, W)`` or ``(C, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ConstantPad1d.html
    """

    _dimensions = 1


class ConstantPad2d(_ConstantPadNd):
    """Adds elements of one value at the borders.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom)``.
        value: the value that is added.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ConstantPad2d.html
    """

    _dimensions = 2


class ConstantPad3d(_ConstantPadNd):
    """Adds elements of one value at the borders.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom, front, back)``.
        value: the value that is added.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ConstantPad3d.html
    """

    _dimensions = 3


class ZeroPad1d(_ZeroPadNd):
    """Adds zeros at the borders.

    Args:
        padding: one number for all sides, or ``(left, right)``.

    Shape:
        - Input: ``(N, C, W)`` or ``(C, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ZeroPad1d.html
    """

    _dimensions = 1


class ZeroPad2d(_ZeroPadNd):
    """Adds zeros at the borders.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom)``.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ZeroPad2d.html
    """

    _dimensions = 2


class ZeroPad3d(_ZeroPadNd):
    """Adds zeros at the borders.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom, front, back)``.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ZeroPad3d.html
    """

    _dimensions = 3


class ReflectionPad1d(_PadNd):
    """Adds the input's mirror image at the borders (without the border itself).

    Args:
        padding: one number for all sides, or ``(left, right)``.

    Shape:
        - Input: ``(N, C, W)`` or ``(C, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReflectionPad1d.html
    """

    _dimensions = 1
    _mode = "reflect"


class ReflectionPad2d(_PadNd):
    """Adds the input's mirror image at the borders (without the border itself).

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom)``.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReflectionPad2d.html
    """

    _dimensions = 2
    _mode = "reflect"


class ReflectionPad3d(_PadNd):
    """Adds the input's mirror image at the borders (without the border itself).

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom, front, back)``.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReflectionPad3d.html
    """

    _dimensions = 3
    _mode = "reflect"


class ReplicationPad1d(_PadNd):
    """Adds copies of the border elements.

    Args:
        padding: one number for all sides, or ``(left, right)``.

    Shape:
        - Input: ``(N, C, W)`` or ``(C, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReplicationPad1d.html
    """

    _dimensions = 1
    _mode = "replicate"


class ReplicationPad2d(_PadNd):
    """Adds copies of the border elements.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom)``.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReplicationPad2d.html
    """

    _dimensions = 2
    _mode = "replicate"


class ReplicationPad3d(_PadNd):
    """Adds copies of the border elements.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom, front, back)``.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReplicationPad3d.html
    """

    _dimensions = 3
    _mode = "replicate"


class CircularPad1d(_CircularPadNd):
    """Adds what lies at the opposite border.

    Args:
        padding: one number for all sides, or ``(left, right)``.

    Shape:
        - Input: ``(N, C, W)`` or ``(C, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CircularPad1d.html
    """

    _dimensions = 1


class CircularPad2d(_CircularPadNd):
    """Adds what lies at the opposite border.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom)``.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CircularPad2d.html
    """

    _dimensions = 2


class CircularPad3d(_CircularPadNd):
    """Adds what lies at the opposite border.

    Args:
        padding: one number for all sides, or ``(left, right, top, bottom, front, back)``.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same, with the padded sizes

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CircularPad3d.html
    """

    _dimensions = 3
