"""Activation functions as layers. All take any shape and keep it, unless they say otherwise."""

from __future__ import annotations

import warnings
from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.nn import init
from flambeau.nn.modules.attention import MultiheadAttention
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.tensor import Tensor

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "MultiheadAttention",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class _MaybeInplace(Module):
    """An activation whose only argument is whether the input itself is changed."""

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Threshold(Module):
    """``x`` where ``x > threshold``, else ``value``.

    Args:
        threshold: the bound.
        value: what stands below it.
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Threshold.html
    """

    threshold: float
    value: float
    inplace: bool

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"threshold={self.threshold}, value={self.value}{inplace}"


class ReLU(_MaybeInplace):
    """The rectified linear unit ``max(0, x)``.

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReLU.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class RReLU(Module):
    """A leaky ReLU whose slope is drawn, per element, in training (Xu et al., 2015).

    Args:
        lower: the smallest slope.
        upper: the largest slope; in evaluation the slope is the mean of the two.
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Raises:
        RuntimeError: ``lower`` is above ``upper``, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.RReLU.html
    """

    lower: float
    upper: float
    inplace: bool

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"lower={self.lower}, upper={self.upper}{inplace}"


class Hardtanh(Module):
    """``x`` clamped to ``[min_val, max_val]``.

    Args:
        min_val: the lower bound.
        max_val: the upper bound.
        inplace: whether the input itself is changed.
        min_value, max_value: deprecated names of the bounds.

    Shape:
        - Input and output: ``(*)``

    Raises:
        AssertionError: ``max_val`` is not above ``min_val``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Hardtanh.html
    """

    min_val: float
    max_val: float
    inplace: bool

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for old, new, value in (
            ("min_value", "min_val", min_value),
            ("max_value", "max_val", max_value),
        ):
            if value is not None:
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and renamed to `{new}`",
                    FutureWarning,
                    stacklevel=2,
                )
        min_val = min_val if min_value is None else min_value
        max_val = max_val if max_value is None else max_value
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError(
                f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})"
            )

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"min_val={self.min_val}, max_val={self.max_val}{inplace}"


class ReLU6(Hardtanh):
    """``min(max(0, x), 6)``.

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ReLU6.html
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """The logistic function ``1 / (1 + exp(-x))``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Sigmoid.html

    Shape:
        - Input and output: ``(*)``
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Hardsigmoid(Module):
    """The piecewise linear sigmoid ``min(max(0, x / 6 + 1 / 2), 1)``.

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Hardsigmoid.html
    """

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)


class Tanh(Module):
    """The hyperbolic tangent.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Tanh.html

    Shape:
        - Input and output: ``(*)``
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class SiLU(_MaybeInplace):
    """``x * sigmoid(x)`` (also called swish).

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SiLU.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(_MaybeInplace):
    """``x * tanh(softplus(x))`` (Misra, 2019).

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Mish.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Hardswish(Module):
    """``x * hardsigmoid(x)`` (Howard et al., 2019).

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Hardswish.html
    """

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)


class ELU(Module):
    """``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2015).

    Args:
        alpha: the negative saturation value.
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.ELU.html
    """

    alpha: float
    inplace: bool

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"alpha={self.alpha}{inplace}"


class CELU(Module):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`` (Barron, 2017).

    Args:
        alpha: the negative saturation value.
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CELU.html
    """

    alpha: float
    inplace: bool

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"alpha={self.alpha}{inplace}"


class SELU(_MaybeInplace):
    """The scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Args:
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SELU.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class GLU(Module):
    """The gated linear unit: one half of the input times the sigmoid of the other.

    Args:
        dim: the dimension that is halved.

    Shape:
        - Input: ``(*, N, *)`` with N even
        - Output: ``(*, N / 2, *)``

    Raises:
        RuntimeError: N is odd.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GLU.html
    """

    dim: int

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class GELU(Module):
    """``x * Phi(x)`` with the normal distribution's Phi (Hendrycks and Gimpel, 2016).

    Args:
        approximate: ``"none"``, or ``"tanh"`` for an approximation by the hyperbolic tangent.

    Shape:
        - Input and output: ``(*)``

    Raises:
        RuntimeError: another ``approximate``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GELU.html
    """

    approximate: str

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Hardshrink(Module):
    """``x`` where ``|x| > lambd``, else 0.

    Args:
        lambd: the bound.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Hardshrink.html
    """

    lambd: float

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class LeakyReLU(Module):
    """``x`` where ``x >= 0``, else ``negative_slope * x``.

    Args:
        negative_slope: the slope below 0.
        inplace: whether the input itself is changed.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LeakyReLU.html
    """

    negative_slope: float
    inplace: bool

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        inplace = ", inplace=True" if self.inplace else ""
        return f"negative_slope={self.negative_slope}{inplace}"


class LogSigmoid(Module):
    """The logarithm of the logistic function.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LogSigmoid.html

    Shape:
        - Input and output: ``(*)``
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softplus(Module):
    """``log(1 + exp(beta * x)) / beta``, and ``x`` where ``beta * x > threshold``.

    Args:
        beta: how sharp the bend is.
        threshold: above it the function is linear.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softplus.html
    """

    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softshrink(Module):
    """``x`` moved towards 0 by ``lambd``, and 0 where ``|x| <= lambd``.

    Args:
        lambd: the bound, at least 0.

    Shape:
        - Input and output: ``(*)``

    Raises:
        RuntimeError: ``lambd`` is negative, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softshrink.html
    """

    lambd: float

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class PReLU(Module):
    """``x`` where ``x >= 0``, else ``weight * x`` with a learned slope (He et al., 2015).

    Args:
        num_parameters: 1, or the number of channels (dimension 1 of the input).
        init: the first value of the slopes.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input and output: ``(*)``, with ``num_parameters`` channels in dim 1 unless that is 1

    Attributes:
        weight: the slopes, ``(num_parameters,)``.

    Raises:
        RuntimeError: another number of slopes than of channels.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.PReLU.html
    """

    num_parameters: int

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        self.num_parameters = num_parameters  # first in __dict__, as in PyTorch's pickles
        super().__init__()
        self.init = init
        self.weight = Parameter(flambeau.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to ``init``."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Softsign(Module):
    """``x / (1 + |x|)``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softsign.html

    Shape:
        - Input and output: ``(*)``
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """``x - tanh(x)``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Tanhshrink.html

    Shape:
        - Input and output: ``(*)``
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class _AlongDimension(Module):
    dim: int | None

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not hasattr(self, "dim"):
            self.dim = None

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(_AlongDimension):
    """``softmax(-x)`` along a dimension.

    Args:
        dim: the dimension along which the results sum to 1.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softmin.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim, _stacklevel=5)


class Softmax(_AlongDimension):
    """``exp(x) / sum(exp(x))`` along a dimension.

    Args:
        dim: the dimension along which the results sum to 1.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softmax.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Softmax over the channels at each place of an image.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same

    Raises:
        ValueError: an input of another number of dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Softmax2d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3, _stacklevel=5)


class LogSoftmax(_AlongDimension):
    """The logarithm of the softmax along a dimension.

    Args:
        dim: the dimension along which the exponentials of the results sum to 1.

    Shape:
        - Input and output: ``(*)``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LogSoftmax.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim, _stacklevel=5)
