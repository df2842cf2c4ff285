"""Activation functions.

Where nothing else is said, ``input`` has any shape ``(*)``, and the result its shape and dtype.
With ``inplace=True``, and in the functions whose names end in ``_``, the result is written into
``input``, which is what is returned; RuntimeError for a leaf that requires grad.  Several of them
have no kernel for integers, as in PyTorch: NotImplementedError.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (non-linear activation functions)
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import flambeau
from flambeau.nn.functional.node_names import node_called
from flambeau.ops import activation as _activation
from flambeau.ops.array_calls import draw_on_arrays
from flambeau.ops.operation import OPERATIONS
from flambeau.random import Generator
from flambeau.random.sampling import uniform
from flambeau.tensor import Tensor
from flambeau.tensor.views import write_in_place

__all__ = [
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
]


gelu = _activation.gelu.function
logsigmoid = _activation.logsigmoid.function
softplus = _activation.softplus.function
softshrink = _activation.softshrink.function
hardshrink = _activation.hardshrink.function
prelu = _activation.prelu.function

_relu = _activation.relu.function
_sigmoid = OPERATIONS["sigmoid"].function
_tanh = OPERATIONS["tanh"].function


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x) for each element x of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.
    """
    if inplace:
        return relu_(input)
    return _relu(input)


def relu_(input: Tensor) -> Tensor:
    """:func:`relu`, written into ``input`` (*), which is returned."""
    return write_in_place(input, _relu, (), {}, "relu_")


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6) for each element x of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def _maybe_inplace(function: Any, input: Tensor, inplace: bool, *arguments: Any) -> Tensor:
    if inplace:
        return write_in_place(input, function, arguments, {}, f"{function.__name__}_")
    return function(input, *arguments)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``negative_slope`` * x, for each element x of ``input``.

    ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013.
    """
    return _maybe_inplace(_activation.leaky_relu.function, input, inplace, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """:func:`leaky_relu` with ``negative_slope``, written into ``input`` (*), which is returned."""
    return leaky_relu(input, negative_slope, True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha`` * (exp(x) - 1), for each element x of ``input``.

    ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Clevert et al., Fast and Accurate Deep Network Learning by ELUs, 2015.
    """
    return _maybe_inplace(_activation.elu.function, input, inplace, alpha)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """:func:`elu` with ``alpha``, written into ``input`` (*), which is returned."""
    return elu(input, alpha, True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The scaled ELU of each element of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.
    """
    return _maybe_inplace(_activation.selu, input, inplace)


def selu_(input: Tensor) -> Tensor:
    """:func:`selu`, written into ``input`` (*), which is returned."""
    return selu(input, True)


@node_called("CeluBackward0")
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, ``alpha`` * (exp(x / alpha) - 1)) for each element x of ``input``.

    ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Barron, Continuously Differentiable Exponential Linear Units, 2017.
    """
    return _maybe_inplace(_activation.celu, input, inplace, alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """:func:`celu` with ``alpha``, written into ``input`` (*), which is returned."""
    return celu(input, alpha, True)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x) for each element x of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.
    """
    return _maybe_inplace(_activation.silu.function, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) for each element x of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function, 2019.
    """
    return _maybe_inplace(_activation.mish.function, input, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Each element of ``input`` clamped to [``min_val``, ``max_val``]; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Raises:
        ValueError: ``min_val`` is above ``max_val``.
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _maybe_inplace(_activation.hardtanh.function, input, inplace, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """:func:`hardtanh` with ``min_val`` and ``max_val``, written into ``input`` (*), which is
    returned.
    """
    return hardtanh(input, min_val, max_val, True)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1 / 2 clamped to [0, 1] for each element x of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.
    """
    return _maybe_inplace(_activation.hardsigmoid.function, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x) for each element x of ``input``; ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Source: Howard et al., Searching for MobileNetV3, 2019.
    """
    return _maybe_inplace(_activation.hardswish.function, input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > ``threshold``, else ``value``, for each element x of ``input``.

    ``inplace`` writes it there.

    Returns:
        ``(*)``, the shape and dtype of ``input``.
    """
    return _maybe_inplace(_activation.threshold.function, input, inplace, threshold, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """:func:`threshold` with ``value`` in place of the rest, written into ``input`` (*) and
    returned.
    """
    return _maybe_inplace(_activation.threshold.function, input, True, threshold, value)


@node_called("RreluWithNoiseBackward0")
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """A leaky ReLU whose slope is drawn per element in training.

    Args:
        input: ``(*)``.
        lower, upper: slopes of negative elements are from U(lower, upper); their mean otherwise.
        training: whether slopes are drawn.
        inplace: whether the result is written into ``input``.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Raises:
        RuntimeError: ``lower`` is above ``upper``.

    Source: Xu et al., Empirical Evaluation of Rectified Activations, 2015.
    """

    if lower > upper:
        raise RuntimeError(
            "Lower bound should be less than or equal to the upper bound, but got "
            f"{lower} and {upper}"
        )

    def rrelu(input: Tensor) -> Tensor:
        if not training:
            return _activation.leaky_relu.function(input, (lower + upper) / 2)
        kind = (tuple(input.shape), input._array.dtype)
        (slopes,) = draw_on_arrays(
            _slopes, "rrelu()", (input.detach(),), kind, lower=float(lower), upper=float(upper)
        )
        return input * slopes

    return _maybe_inplace(rrelu, input, inplace)


def _slopes(
    generator: Generator, input: np.ndarray, lower: float, upper: float
) -> np.ndarray:  # fmt: skip
    """Factors: drawn, for the elements that are not positive only, in double, as in PyTorch."""
    negative = input <= 0
    factors = np.ones(input.shape, input.dtype)
    count = int(negative.sum())
    factors[negative] = uniform(generator, (count,), np.dtype(np.float64), lower, upper)
    return factors


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """:func:`rrelu` with ``lower``, ``upper`` and ``training``, written into ``input`` and
    returned.
    """
    return rrelu(input, lower, upper, training, True)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)) for each element x of ``input``.

    Returns:
        ``(*)``, the shape of ``input`` and its dtype (float32 for integers).
    """
    return _sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent of each element of ``input``.

    Returns:
        ``(*)``, the shape of ``input`` and its dtype (float32 for integers).
    """
    return _tanh(input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + abs(x)) for each element x of ``input``.

    Returns:
        ``(*)``, the shape of ``input`` and its dtype (float32 for integers).
    """
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x) for each element x of ``input``.

    Returns:
        ``(*)``, the shape of ``input`` and its dtype (float32 for integers).
    """
    return input - input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half of ``input`` along ``dim`` times the sigmoid of the other half.

    Returns:
        The shape of ``input``, but half as long along ``dim``.

    Raises:
        RuntimeError: ``input`` is of odd length along ``dim``.

    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks, 2016.
    """
    return _activation.glu.function(input, dim)


def _softmax_dim(name: str, ndim: int, stacklevel: int) -> int:
    """The dim that old programs mean which give none."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(x) / sum(exp(x)) along ``dim``.

    Args:
        input: ``(*)``.
        dim: along which the results add up to 1; None is deprecated.
        dtype: what the input is cast to first.

    Returns:
        ``(*)``, of ``dtype``, or else the input's.

    Raises:
        IndexError: there is no such ``dim``.
        NotImplementedError: integers without ``dtype``.
    """
    if dim is None:
        dim = _softmax_dim("softmax", input.dim(), _stacklevel)
    return _activation.softmax(input, dim, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x) along ``dim``.

    The arguments, the result and the errors are those of :func:`softmax`: ``input``, ``dim``, and
    ``dtype``, which the input is cast to first.

    Returns:
        ``(*)``, of ``dtype``, or else the input's.
    """
    if dim is None:
        dim = _softmax_dim("softmin", input.dim(), _stacklevel)
    return _activation.softmax(-input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """The logarithm of the softmax along ``dim``.

    The arguments, the result and the errors are those of :func:`softmax`: ``input``, ``dim``, and
    ``dtype``, which the input is cast to first.

    Returns:
        ``(*)``, of ``dtype``, or else the input's.
    """
    if dim is None:
        dim = _softmax_dim("log_softmax", input.dim(), _stacklevel)
    return _activation.log_softmax(input, dim, dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample from the Gumbel-softmax distribution (Jang et al., 2016; Maddison et al., 2016).

    Args:
        logits: unnormalised log probabilities, ``(*, C)``.
        tau: the temperature.
        hard: whether the result is one-hot, with the gradient of the soft sample.
        eps: has no effect any more.
        dim: along which the softmax is taken.

    Returns:
        ``(*, C)``: along ``dim`` each adds up to 1.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -flambeau.empty_like(logits).exponential_().log()
    soft = ((logits + gumbels) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = flambeau.zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
