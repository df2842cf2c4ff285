"""Linear layers: ``Linear``, ``Bilinear``, ``LazyLinear``, and ``Identity``."""

from __future__ import annotations

import math
from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.nn import init
from flambeau.nn.modules.lazy import LazyModuleMixin
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter, UninitializedParameter
from flambeau.tensor import Tensor

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]


class Identity(Module):
    """Returns its input; takes and ignores any arguments at construction.

    Args:
        args, kwargs: anything.

    Shape:
        - Input: ``(*)``
        - Output: ``(*)``, the input itself

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Identity.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """The affine map ``y = x A^T + b``.

    Args:
        in_features: size of each input sample.
        out_features: size of each output sample.
        bias: whether ``b`` is learned (if not, it is absent).
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(*, in_features)``
        - Output: ``(*, out_features)``

    Attributes:
        weight: ``(out_features, in_features)``, from U(-k, k) with k = 1 / sqrt(in_features).
        bias: ``(out_features,)``, from the same distribution.

    Raises:
        RuntimeError: an input whose last dim is not ``in_features``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Linear.html
    """

    in_features: int
    out_features: int
    weight: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        shape = (out_features, in_features)
        self.weight = Parameter(flambeau.empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(flambeau.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # a = sqrt(5) makes the bound of Kaiming's uniform initialisation 1 / sqrt(fan_in)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        own = self._parameters
        try:  # `self.weight` takes four times as long; it may have been parametrized away
            return F.linear(input, own["weight"], own["bias"])
        except KeyError:
            return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """The ``Linear`` inside attention; it has a class of its own because PyTorch's pickles do."""


class Bilinear(Module):
    """The bilinear map ``y = x1^T A x2 + b``.

    Args:
        in1_features: size of each first input sample, at least 1.
        in2_features: size of each second input sample.
        out_features: size of each output sample.
        bias: whether ``b`` is learned.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input1: ``(*, in1_features)``, input2: ``(*, in2_features)``, all but the last dim equal
        - Output: ``(*, out_features)``

    Attributes:
        weight: ``(out_features, in1_features, in2_features)``, from U(-k, k) with
            k = 1 / sqrt(in1_features).
        bias: ``(out_features,)``, from the same distribution.

    Raises:
        ValueError: ``in1_features`` is below 1.
        RuntimeError: inputs whose dims do not fit.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Bilinear.html
    """

    in1_features: int
    in2_features: int
    out_features: int
    weight: Tensor

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.weight = Parameter(flambeau.empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(flambeau.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.weight.size(1))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class LazyLinear(LazyModuleMixin, Linear):
    """A :class:`Linear` that takes ``in_features`` from its first input, then becomes one.

    Args:
        out_features: size of each output sample.
        bias: whether ``b`` is learned.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(*, in_features)``
        - Output: ``(*, out_features)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyLinear.html
    """

    cls_to_become = Linear
    weight: UninitializedParameter
    bias: UninitializedParameter | None  # type: ignore[assignment]

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:  # type: ignore[override]
        """Give weight and bias the shapes that ``input`` asks for, and draw them."""
        if self.has_uninitialized_params():
            with flambeau.no_grad():
                self.in_features = input.shape[-1]
                self.weight.materialize((self.out_features, self.in_features))
                if self.bias is not None:
                    self.bias.materialize((self.out_features,))
                self.reset_parameters()
        if self.in_features == 0:
            self.in_features = self.weight.shape[-1]
