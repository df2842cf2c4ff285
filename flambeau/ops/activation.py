"""Activation functions of neural networks, element by element, and the softmax.

Source: https://pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
"""

from __future__ import annotations

import math
from collections.abc import Callable
from sys import getrefcount
from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces import numpy_small_rows as small_rows
from ..namespaces.numpy_blas import dot
from ..namespaces.numpy_constants import ones
from . import native
from .dims import wrap_dim
from .dtype_checks import type_word
from .operation import Array, composite, operation
from .small_programs import small

_SAMPLES = (((3, 4),), ((),))
_INTEGER = {4: np.int32, 8: np.int64}

# With `(array, dim, None, None, True)`: arguments by place are read a tenth of a microsecond faster
# than `keepdims=True`, which NumPy's types do not know of.
maximum_along: Callable[..., Array] = np.maximum.reduce
total_along: Callable[..., Array] = np.add.reduce

_FLOAT32 = np.dtype(np.float32)

_PIECE = 1 << 16

SOLE_GRADIENT = 4
"""References to a gradient in a vjp's kernel if there are no others: those of the engine, of the
node's ``backward``, of the kernel, and of the call of ``getrefcount``."""


def kept(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``x`` where ``mask``, else 0, ten times as fast as ``np.where`` on random masks.

    The bits are multiplied by 0 or 1 as integers, so that infinities and NaN count as any number.
    """
    integer = _INTEGER.get(x.itemsize)
    if integer is None or x.size < 512 or x.dtype.kind != "f":
        return np.where(mask, x, x.dtype.type(0))
    return np.multiply(np.ascontiguousarray(x).view(integer), mask).view(x.dtype)


# -- rectifiers -------------------------------------------------------------------------------


@operation(dtypes="number", inplace=True, out=False, samples=_SAMPLES)
def relu(xp, input: Array):
    """max(0, x) of each element x.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` is bool.
    """
    return xp.relu(input)


@relu.checked
def _(input):
    if input.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")


@relu.kernel
def _(input):
    if input.size < _LARGE or input.dtype.char not in "fd":
        return numpy.relu(input)
    seconds = input.size * _RELU_SECONDS
    return native.call("relu", relu.forward, (input,), seconds, lambda: numpy.relu(input))


_LARGE = 1 << 16
"""Elements from which on a rectifier's compiled program is worth its call."""

_RELU_SECONDS = 0.4e-9
"""What an element takes on NumPy."""


@relu.vjp("input")
def _(xp, grad, out):
    return xp.where(out > 0, grad, 0)


@relu.vjp_kernel("input")
def _(grad, out):
    if grad.size < _LARGE or grad.dtype.char not in "fd" or grad.dtype != out.dtype:
        return _rectified_gradient(grad, out)
    return native.call(
        "relu backward", relu.vjps[0].function, (grad, out), grad.size * _RELU_SECONDS,
        lambda: _rectified_gradient(grad, out, SOLE_GRADIENT + 3),
    )  # fmt: skip


small(relu, 0.5, 1.5)


def _rectified_gradient(grad: Any, out: Any, sole: int = SOLE_GRADIENT + 1) -> Any:
    """``grad`` where ``out`` is positive; in its own memory with at most ``sole`` references."""
    base = grad.base
    if (
        getrefcount(grad) <= sole
        and grad.dtype is _FLOAT32
        and (base is None or (getrefcount(base) <= 3 and type(base) is np.ndarray))
        and (base is None or (base.base is None and base.size == grad.size))
    ):
        # nobody else will see this gradient again: half the memory traffic, and no new array
        bits = grad.view(np.int32)
        if grad.size <= _PIECE:
            np.multiply(bits, out > 0, out=bits)
            return grad
        rows = max(1, _PIECE * len(bits) // grad.size)
        for start in range(0, len(bits), rows):  # no mask as large as the activations
            piece = bits[start : start + rows]
            np.multiply(piece, out[start : start + rows] > 0, out=piece)
        return grad
    return kept(grad, out > 0)


@operation(dtypes="inexact", inplace=True, public=False, out=False,
           samples=(((3, 4), 0.1), ((3, 4), 0.01)))  # fmt: skip
def leaky_relu(xp, input: Array, negative_slope: float = 0.01):
    """x where x > 0, else negative_slope * x."""
    return xp.where(input > 0, input, input * negative_slope)


@leaky_relu.kernel
def _(input, negative_slope=0.01):
    if not 0 <= negative_slope <= 1:
        return np.where(input > 0, input, input * negative_slope)
    return np.maximum(input, input * negative_slope)


@leaky_relu.vjp("input")
def _(xp, grad, input, negative_slope):
    return xp.where(input > 0, grad, grad * negative_slope)


@operation(dtypes="inexact", method=False, node_name="PreluKernelBackward0", out=False,
           same_dtype=True, samples=(((2, 3, 4), (3,)), ((3, 4), (1,)), ((4,), ())))  # fmt: skip
def prelu(xp, input: Array, weight: Array):
    """x where x > 0, else weight * x, for each element x.

    Args:
        input: (*), any shape.
        weight: one slope, () or (1,), or one for every channel (dim 1), (C,); of ``input``'s dtype.

    Returns:
        (*), of that dtype.

    Raises:
        RuntimeError: the dtypes differ, or there are as many slopes as neither 1 nor channels.
    """
    if input.ndim == 0 and weight.ndim and weight.shape[0] != 1:
        raise ValueError("a 0-d input")  # `checked` says it in words
    return xp.where(input > 0, input, input * _per_channel(xp, weight, input))


@prelu.checked_operands
def _(input, weight):
    if input._array.dtype != weight._array.dtype:
        raise RuntimeError(
            "prelu: Type promoting not supported. Got "
            f"{type_word(input._array)} and {type_word(weight._array)}"
        )


def _per_channel(xp: Any, weight: Any, input: Any) -> Any:
    if weight.ndim == 0 or weight.shape[0] == 1:
        return xp.reshape(weight, ())
    return xp.reshape(weight, (1, weight.shape[0], *(1,) * (input.ndim - 2)))


@prelu.vjp("input")
def _(xp, grad, input, weight):
    return xp.where(input > 0, grad, grad * _per_channel(xp, weight, input))


@prelu.vjp("weight")
def _(xp, grad, input, weight_shape):
    slopes = grad * xp.where(input > 0, 0, input)
    if not weight_shape or weight_shape[0] == 1:
        return xp.reshape(xp.sum(slopes, None, False), tuple(weight_shape))
    return xp.sum(slopes, tuple(d for d in range(input.ndim) if d != 1), False)


@prelu.checked
def _(input, weight):
    if input.ndim == 0 and weight.ndim and weight.shape[0] != 1:
        raise RuntimeError("Not allow zero-dim input tensor. (prelu)")
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    slopes = weight.shape[0] if weight.ndim else 1
    channels = input.shape[1] if input.ndim > 1 else 1
    if slopes not in (1, channels):
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{slopes} and channel size = {channels}."
        )


@operation(dtypes="inexact", inplace=True, public=False, out=False,
           samples=(((3, 4),), ((3, 4), 0.7, 1.5, 0.5)))  # fmt: skip
def elu(xp, input: Array, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0):
    """scale * x where x > 0, else scale * alpha * (exp(input_scale * x) - 1)."""
    negative = xp.expm1(xp.minimum(input, 0) * input_scale) * (alpha * scale)
    positive = input if scale == 1 else input * scale
    return xp.where(input > 0, positive, negative)


@elu.vjp("input")
def _(xp, grad, input, alpha, scale, input_scale):
    slope = xp.exp(xp.minimum(input, 0) * input_scale) * (alpha * scale * input_scale)
    return grad * xp.where(input > 0, scale, slope)


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@composite
def selu(input: Any) -> Any:
    """The scaled ELU of each element, which keeps mean 0 and variance 1.

    Args:
        input: (*), any shape, floating-point.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        NotImplementedError: ``input`` is not floating-point.

    Source: Klambauer et al., Self-Normalizing Neural Networks (2017).
    """
    return elu(input, _SELU_ALPHA, _SELU_SCALE)


@composite
def celu(input: Any, alpha: float = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) of each element x.

    Args:
        input: (*), any shape, floating-point.
        alpha: minus the limit for small x, not 0.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``alpha`` is 0.
        NotImplementedError: ``input`` is not floating-point.

    Source: Barron, Continuously Differentiable Exponential Linear Units (2017).
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return elu(input, alpha, 1.0, 1.0 / alpha)


@operation(dtypes="inexact", inplace=True, public=False, out=False,
           samples=(((3, 4), -0.5, 0.7),))  # fmt: skip
def hardtanh(xp, input: Array, min_val: float = -1.0, max_val: float = 1.0):
    """x clamped to [min_val, max_val]."""
    if xp.dtype(input).kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
    return xp.minimum(xp.maximum(input, min_val), max_val)


@hardtanh.vjp("input")
def _(xp, grad, input, min_val, max_val):
    return xp.where(xp.logical_and(input > min_val, input < max_val), grad, 0)


@hardtanh.vjp_kernel("input")
def _(grad, input, min_val, max_val):
    return kept(grad, (input > min_val) & (input < max_val))


@operation(dtypes="inexact", inplace=True, method=False, out=False,
           samples=(((3, 4), 0.3, -2.0),))  # fmt: skip
def threshold(xp, input: Array, threshold: float, value: float):
    """x where x > threshold, else value, for each element x.

    Args:
        input: (*), any shape.
        threshold, value: numbers.

    Returns:
        (*), of ``input``'s dtype.
    """
    return xp.where(input <= threshold, value, input)


@threshold.vjp("input")
def _(xp, grad, input, threshold):
    return xp.where(input <= threshold, 0, grad)


@operation(dtypes="inexact", samples=(((3, 4), 0.5),))
def hardshrink(xp, input: Array, lambd: float = 0.5):
    """x where abs(x) > lambd, else 0, for each element x.

    Args:
        input: (*), any shape, floating-point.
        lambd: a number.

    Returns:
        (*), of ``input``'s dtype.
    """
    return xp.where(xp.logical_and(input >= -lambd, input <= lambd), 0, input)


@hardshrink.vjp("input")
def _(xp, grad, input, lambd):
    return xp.where(xp.logical_and(input >= -lambd, input <= lambd), 0, grad)


@operation(dtypes="inexact", public=False, samples=(((3, 4), 0.5),))
def softshrink(xp, input: Array, lambd: float = 0.5):
    """x moved towards 0 by lambd, and 0 where abs(x) <= lambd, for each element x.

    Args:
        input: (*), any shape, floating-point.
        lambd: a number, not negative.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``lambd`` is negative.
    """
    if lambd < 0:
        raise ValueError("wrong lambd")  # `checked` says it in words
    inside = xp.where(input < -lambd, input + lambd, input * 0)
    return xp.where(input > lambd, input - lambd, inside)


@softshrink.checked
def _(input, lambd=0.5):
    if lambd < 0:
        raise RuntimeError(
            f"lambda must be in range [0, {np.finfo(np.float32).max:.6g}] for input dtype "
            f"{type_word(input)}, but found {lambd:g}. (softshrink)"
        )


@softshrink.vjp("input")
def _(xp, grad, input, lambd):
    return xp.where(xp.logical_and(input >= -lambd, input <= lambd), 0, grad)


# -- smooth ones ------------------------------------------------------------------------------


@operation(dtypes="inexact", public=False,
           samples=(((3, 4),), ((3, 4), "tanh")))  # fmt: skip
def gelu(xp, input: Array, approximate: str = "none"):
    """x * Phi(x) of each element x, with the normal distribution's Phi.

    Args:
        input: (*), any shape, floating-point.
        approximate: "none", or "tanh" for an approximation by it.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: another word for ``approximate``.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
    """
    if approximate not in ("none", "tanh"):
        raise ValueError("wrong approximation")  # `checked` says it in words
    if approximate == "tanh":
        return input * 0.5 * (1 + xp.tanh(_gelu_inner(input)))
    return input * 0.5 * (1 + xp.erf(input * math.sqrt(0.5)))


def _gelu_inner(x: Any) -> Any:
    return (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)


_MANY = 1 << 14
"""Elements from which on a compiled program is worth its call."""


@gelu.vjp("input")
def _(xp, grad, input, approximate):
    if approximate == "tanh":
        t = xp.tanh(_gelu_inner(input))
        inner = (input * input * (3 * 0.044715) + 1) * math.sqrt(2 / math.pi)
        return grad * ((1 + t) * 0.5 + input * 0.5 * (1 - t * t) * inner)
    density = xp.exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))
    return grad * ((1 + xp.erf(input * math.sqrt(0.5))) * 0.5 + input * density)


native.moves(gelu, _MANY, 10e-9, 10e-9)
small(gelu, 3, 8)


@gelu.checked
def _(input, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")


@operation(dtypes="inexact", inplace=True, public=False, out=False, samples=_SAMPLES)
def silu(xp, input: Array):
    """x * sigmoid(x)."""
    return input * xp.sigmoid(input)


@silu.vjp("input")
def _(xp, grad, input):
    s = xp.sigmoid(input)
    return grad * (s * (1 + input * (1 - s)))


native.moves(silu, _MANY, 0.8e-9, 1.5e-9)
small(silu, 2, 4)


@operation(dtypes="inexact", inplace=True, public=False, out=False, samples=_SAMPLES)
def mish(xp, input: Array):
    """x * tanh(softplus(x))."""
    return input * xp.tanh(_softplus(xp, input))


def _softplus(xp: Any, x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    return xp.relu(x) + xp.log1p(xp.exp(-xp.abs(x)))


@mish.vjp("input")
def _(xp, grad, input):
    t = xp.tanh(_softplus(xp, input))
    return grad * (t + input * xp.sigmoid(input) * (1 - t * t))


@operation(dtypes="inexact", public=False,
           samples=(((3, 4),), ((3, 4), 2.0, 1.0)))  # fmt: skip
def softplus(xp, input: Array, beta: float = 1.0, threshold: float = 20.0):
    """log(1 + exp(beta * x)) / beta of each element x, and x where beta * x > threshold.

    Args:
        input: (*), any shape, floating-point.
        beta, threshold: numbers.

    Returns:
        (*), of ``input``'s dtype.
    """
    scaled = input * beta
    return xp.where(scaled > threshold, input, _softplus(xp, scaled) / beta)


@softplus.vjp("input")
def _(xp, grad, input, beta, threshold):
    scaled = input * beta
    return xp.where(scaled > threshold, grad, grad * xp.sigmoid(scaled))


@operation(dtypes="inexact", public=False, node_name="LogSigmoidBackward0",
           samples=_SAMPLES)  # fmt: skip
def logsigmoid(xp, input: Array):
    """log(1 / (1 + exp(-x))) of each element x.

    Args:
        input: (*), any shape, floating-point.

    Returns:
        (*), of ``input``'s dtype.
    """
    return xp.minimum(input, 0) - xp.log1p(xp.exp(-xp.abs(input)))


@logsigmoid.vjp("input")
def _(xp, grad, input):
    return grad * xp.sigmoid(-input)


@operation(dtypes="inexact", inplace=True, public=False, out=False, samples=_SAMPLES,
           domain=(-4.0, 4.0))  # fmt: skip
def hardsigmoid(xp, input: Array):
    """x / 6 + 1 / 2, clamped to [0, 1]."""
    return xp.minimum(xp.maximum(input + 3, 0), 6) / 6


@hardsigmoid.vjp("input")
def _(xp, grad, input):
    return xp.where(xp.logical_and(input > -3, input < 3), grad * (1 / 6), 0)


@operation(dtypes="inexact", inplace=True, public=False, out=False, samples=_SAMPLES,
           domain=(-4.0, 4.0))  # fmt: skip
def hardswish(xp, input: Array):
    """x * hardsigmoid(x)."""
    return input * xp.minimum(xp.maximum(input + 3, 0), 6) / 6


@hardswish.vjp("input")
def _(xp, grad, input):
    middle = xp.where(input <= 3, grad * (input * (1 / 3) + 0.5), grad)
    return xp.where(input <= -3, 0, middle)


@operation(dtypes="inexact", public=False, out=False, samples=(((3, 4), 1), ((4, 2), 0)))
def glu(xp, input: Array, dim: int = -1):
    """One half of the input times the sigmoid of the other half."""
    value, gate = _halves(xp, input, dim)
    return value * xp.sigmoid(gate)


def _halves(xp: Any, x: Any, dim: int) -> tuple[Any, Any]:
    dim = wrap_dim(dim, x.ndim)
    half, odd = divmod(x.shape[dim], 2)
    if odd:
        raise ValueError("an odd size")  # `checked` says it in words
    before = (slice(None),) * dim
    return xp.slice(x, (*before, slice(0, half))), xp.slice(x, (*before, slice(half, 2 * half)))


@glu.vjp("input")
def _(xp, grad, input, dim):
    value, gate = _halves(xp, input, dim)
    s = xp.sigmoid(gate)
    return xp.cat([grad * s, grad * value * (s * (1 - s))], wrap_dim(dim, input.ndim))


@glu.checked
def _(input, dim=-1):
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    size = input.shape[wrap_dim(dim, input.ndim)]
    if size % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {wrap_dim(dim, input.ndim)} is size "
            f"{size}"
        )


for _operation, _forward, _backward in (
    (leaky_relu, 1, 2), (elu, 4, 4), (softplus, 6, 4), (logsigmoid, 3, 2), (hardsigmoid, 3, 3),
    (hardswish, 4, 5),
):  # fmt: skip
    small(_operation, _forward, _backward)
small(mish, 6, 9, most=1 << 12)
small(glu, 3, 5, most=1 << 12)


# -- softmax ----------------------------------------------------------------------------------


@operation(dtypes="inexact", public=False, method=False, node_name="SoftmaxBackward0",
           name="softmax_along", samples=(((3, 4), 1), ((3, 4), 0), ((), 0)))  # fmt: skip
def softmax_along(xp, input: Array, dim: int):
    """exp(x) / sum(exp(x)) along ``dim``."""
    if input.ndim == 0:
        return input * 0 + 1
    dims = (wrap_dim(dim, input.ndim),)
    e = xp.exp(input - xp.amax(input, dims, True))
    return e / xp.sum(e, dims, True)


@softmax_along.kernel
def _(input, dim):
    dim = wrap_dim(dim, input.ndim)
    if dim == 1 and small_rows.are_few(input):
        return small_rows.softmax(input)
    if not input.size or not input.ndim:
        return np.ones_like(input)
    input = numpy.row_major(input)
    result = np.subtract(input, maximum_along(input, dim, None, None, True))
    np.exp(result, result)
    result /= sum_along(result, dim)
    return result


def sum_along(x: np.ndarray, dim: int) -> np.ndarray:
    """The sum over one dim, which is kept; over a last dim of float32 by BLAS."""
    shape = x.shape
    n = shape[dim]
    if dim == len(shape) - 1 and n < 4096 and x.dtype.char == "f" and x.flags.c_contiguous:
        if len(shape) == 2:
            if x.size < 4096:
                return x.dot(ones(n, x.dtype)).reshape(-1, 1)
            return dot(x, ones(n, x.dtype)).reshape(-1, 1)
        total = dot(x.reshape(-1, n), ones(n, x.dtype))
        return total.reshape(*x.shape[:-1], 1)
    return total_along(x, dim, None, None, True)


@softmax_along.vjp("input")
def _(xp, grad, out, dim):
    if grad.ndim == 0:
        return grad * 0
    product = grad * out
    return product - out * xp.sum(product, (wrap_dim(dim, grad.ndim),), True)


@softmax_along.vjp_kernel("input")
def _(grad, out, dim):
    if grad.ndim == 0:
        return grad * 0
    product = grad * out
    product -= out * sum_along(product, wrap_dim(dim, grad.ndim))
    return product


native.moves(softmax_along, _MANY, 0.8e-9, 0.5e-9)
small(softmax_along, 2, 2)


@operation(dtypes="inexact", public=False, method=False, node_name="LogSoftmaxBackward0",
           name="log_softmax_along", samples=(((3, 4), 1), ((3, 4), 0), ((), 0)))  # fmt: skip
def log_softmax_along(xp, input: Array, dim: int):
    """log(exp(x) / sum(exp(x))) along ``dim``."""
    if input.ndim == 0:
        return input * 0
    dims = (wrap_dim(dim, input.ndim),)
    shifted = input - xp.amax(input, dims, True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), dims, True))


@log_softmax_along.kernel
def _(input, dim):
    dim = wrap_dim(dim, input.ndim)
    if dim == 1 and small_rows.are_few(input):
        return small_rows.log_softmax(input)
    if not input.size or not input.ndim:
        return np.zeros_like(input)
    input = numpy.row_major(input)
    result = np.subtract(input, maximum_along(input, dim, None, None, True))
    result -= np.log(sum_along(np.exp(result), dim))
    return result


@log_softmax_along.vjp("input")
def _(xp, grad, out, dim):
    if grad.ndim == 0:
        return grad * 0
    return grad - xp.exp(out) * xp.sum(grad, (wrap_dim(dim, grad.ndim),), True)


native.moves(log_softmax_along, _MANY, 1.4e-9, 1e-9)
small(log_softmax_along, 3, 2)


def _refuse_integers(name: str) -> Any:
    def check(input: Any, dim: int) -> None:
        wrap_dim(dim, input.ndim)
        if input.dtype.kind in "iub":
            raise NotImplementedError(
                f"\"{name}_lastdim_kernel_impl\" not implemented for '{type_word(input)}'"
            )

    return check


softmax_along.checked(_refuse_integers("softmax"))
log_softmax_along.checked(_refuse_integers("log_softmax"))


@composite
def softmax(input: Any, dim: int, dtype: Any = None, *, out: Any = None) -> Any:
    """exp(x) / sum(exp(x)) along ``dim``.

    Args:
        input: (*), floating-point, or cast to ``dtype``.
        dim: along which the results sum to 1.
        dtype: that the input is cast to first.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (*), of ``input``'s dtype or ``dtype``.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
        NotImplementedError: the dtype is not a floating-point one.
    """
    return softmax_along.function(input if dtype is None else input.to(dtype), dim, out=out)


@composite
def log_softmax(input: Any, dim: int, dtype: Any = None, *, out: Any = None) -> Any:
    """The logarithm of the softmax along ``dim``.

    Args:
        input: (*), floating-point, or cast to ``dtype``.
        dim: along which the exponentials of the results sum to 1.
        dtype: that the input is cast to first.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (*), of ``input``'s dtype or ``dtype``.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
        NotImplementedError: the dtype is not a floating-point one.
    """
    return log_softmax_along.function(input if dtype is None else input.to(dtype), dim, out=out)
