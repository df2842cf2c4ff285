"""Normalizations: to mean 0 and variance 1 over some dims, then a scale and an offset.

The gradients are in closed form: with x^ the normalized input and g the gradient for it, the
gradient for the input is (g - mean(g) - x^ mean(g x^)) / deviation.

Source: https://pytorch.org/docs/stable/nn.functional.html#normalization-functions
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.grad_mode import no_grad
from ..modes import MODES
from ..namespaces import numpy
from ..namespaces import numpy_small_rows as small_rows
from ..namespaces.numpy_blas import dot
from ..namespaces.numpy_constants import number, ones
from . import native
from .dtype_checks import type_word
from .operation import Array, composite, operation


def _moments(xp: Any, x: Any, dims: tuple[int, ...], eps: float) -> tuple[Any, Any, Any, Any]:
    """Mean, biased variance, 1 / deviation, and the normalized input."""
    count = prod(x.shape[d] for d in dims)
    mean = xp.sum(x, dims, True) / count
    centred = x - mean
    variance = xp.sum(centred * centred, dims, True) / count
    inverse = xp.rsqrt(variance + eps)
    return mean, variance, inverse, centred * inverse


def _input_gradient(
    xp: Any, grad: Any, normalized: Any, inverse: Any, dims: tuple[int, ...]
) -> Any:
    count = prod(normalized.shape[d] for d in dims)
    mean = xp.sum(grad, dims, True) / count
    along = xp.sum(grad * normalized, dims, True) / count
    return (grad - mean - normalized * along) * inverse


# -- batch normalization ------------------------------------------------------------------------


def _channels(xp: Any, values: Any, ndim: int) -> Any:
    """``values`` of channels, to be broadcast to a batch."""
    return xp.reshape(values, (1, prod(values.shape), *(1,) * (ndim - 2)))


def _other_dims(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True,
           name="batch_norm_training", node_name="NativeBatchNormBackward0",
           outputs=("output", "mean", "variance"), differentiable=(True, False, False),
           samples=(((5, 3), (3,), (3,), 1e-5), ((2, 3, 4, 2), None, None, 1e-3)))  # fmt: skip
def batch_norm_training(xp, input: Array, weight: Array | None, bias: Array | None, eps: float):
    """Batch normalization with the batch's mean and biased variance, which are returned too."""
    mean, variance, inverse, normalized = _moments(xp, input, _other_dims(input.ndim), eps)
    result = normalized
    if weight is not None:
        result = result * _channels(xp, weight, input.ndim)
    if bias is not None:
        result = result + _channels(xp, bias, input.ndim)
    flat = (input.shape[1],)
    return result, xp.reshape(mean, flat), xp.reshape(variance, flat), (mean, inverse)


@batch_norm_training.vjp("input", "weight", "bias")
def _(xp, grad, input, weight, bias_shape, aux, needs):
    mean, inverse = aux
    dims = _other_dims(input.ndim)
    normalized = (input - mean) * inverse
    grad_weight = xp.sum(grad * normalized, dims, False) if needs[1] else None
    grad_bias = xp.sum(grad, dims, False) if needs[2] else None
    if not needs[0]:
        return None, grad_weight, grad_bias
    scaled = grad if weight is None else grad * _channels(xp, weight, input.ndim)
    return _input_gradient(xp, scaled, normalized, inverse, dims), grad_weight, grad_bias


def channel_sums(x: np.ndarray) -> np.ndarray:
    """The sums over all dims but the second, of float32 by BLAS."""
    if x.dtype != np.float32:
        return np.add.reduce(x, _other_dims(x.ndim))
    if x.ndim == 2:
        return dot(ones(x.shape[0], x.dtype), x)
    n = prod(x.shape[2:])
    rows = dot(x.reshape(-1, n), ones(n, x.dtype))
    return np.add.reduce(rows.reshape(x.shape[:2]), 0)


_FEW = 1024
"""Up to so many elements, what counts is how few steps there are."""


def _few_rows(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Batch normalization of a small matrix."""
    if small_rows.are_few(input) and input.shape[0] <= 2 * small_rows.NARROW:
        result, mean, variance, inverse = small_rows.batch_norm(input, weight, bias, eps)
        return result, mean[0], variance[0], (mean[0], inverse[0])
    dtype = input.dtype
    n, channels = input.shape
    count, along = number(n, dtype), ones(n, dtype)
    mean = along.dot(input)
    mean /= count
    result = input - mean
    variance = along.dot(result * result)
    variance /= count
    inverse = variance + number(eps, dtype)
    np.sqrt(inverse, inverse)
    np.reciprocal(inverse, inverse)
    result *= inverse if weight is None else inverse * weight
    if bias is not None:
        result += bias
    return result, mean, variance, (mean, inverse)


def _few_images(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Batch normalization of a small batch of images: each channel's elements in a row."""
    dtype, shape = input.dtype, input.shape
    order = (1, 0, *range(2, len(shape)))
    moved = input.transpose(order)
    result = np.array(moved, None, copy=True, order="C")
    rows = result.reshape(shape[1], -1)
    n = rows.shape[1]
    count, along = number(n, dtype), ones(n, dtype)
    mean = rows.dot(along)
    mean /= count
    rows -= mean[:, None]
    variance = (rows * rows).dot(along)
    variance /= count
    inverse = variance + number(eps, dtype)
    np.sqrt(inverse, inverse)
    np.reciprocal(inverse, inverse)
    rows *= (inverse if weight is None else inverse * weight)[:, None]
    if bias is not None:
        rows += bias[:, None]
    broad = (shape[1], *(1,) * (len(shape) - 2))
    kept = mean.reshape(broad), inverse.reshape(broad)
    return np.ascontiguousarray(result.transpose(order)), mean, variance, kept


@batch_norm_training.kernel
def _(input, weight, bias, eps):
    if 0 < input.size < _FEW:
        few = _few_rows if input.ndim == 2 else _few_images
        return few(input, weight, bias, eps)
    count = input.size // max(1, input.shape[1])
    shape = (input.shape[1], *(1,) * (input.ndim - 2))
    mean = (channel_sums(input) / input.dtype.type(count)).reshape(shape)
    result = input - mean
    variance = channel_sums(result * result) / input.dtype.type(count)
    inverse = (1 / np.sqrt(variance + input.dtype.type(eps))).reshape(shape)
    result *= inverse if weight is None else inverse * weight.reshape(shape)
    if bias is not None:
        result += bias.reshape(shape)
    return result, mean.reshape(-1), variance, (mean, inverse)


@batch_norm_training.vjp_kernel("input", "weight", "bias")
def _(grad, input, weight, bias_shape, aux, needs):
    mean, inverse = aux
    count = input.dtype.type(input.size // max(1, input.shape[1]))
    normalized = input - mean
    normalized *= inverse
    grad_bias = channel_sums(grad)
    grad_weight = channel_sums(grad * normalized)
    grad_input = None
    if needs[0]:
        shape = (input.shape[1], *(1,) * (input.ndim - 2))
        # scale * (g - mean(g) - x^ mean(g x^)), in the memory of x^
        normalized *= (grad_weight / -count).reshape(shape)
        normalized += grad
        normalized -= (grad_bias / count).reshape(shape)
        normalized *= inverse if weight is None else inverse * weight.reshape(shape)
        grad_input = normalized
    return grad_input, grad_weight if needs[1] else None, grad_bias if needs[2] else None


_MANY = 1 << 14
"""Elements from which on a compiled program is worth its call."""

native.moves(batch_norm_training, _MANY, 0.6e-9, 1.5e-9)


@operation(dtypes="inexact", public=False, method=False, out=False, name="batch_norm_inference",
           node_name="NativeBatchNormBackward0",
           samples=(((5, 3), (3,), (3,), (3,), (3,), 1e-5),
                    ((2, 3, 4, 2), (3,), (3,), None, None, 1e-3)), domain=(0.3, 2.0))  # fmt: skip
def batch_norm_inference(
    xp,
    input: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
):
    """Batch normalization with a known mean and variance."""
    inverse = xp.rsqrt(variance + eps)
    scale = inverse if weight is None else inverse * weight
    offset = -mean * scale
    if bias is not None:
        offset = offset + bias
    return input * _channels(xp, scale, input.ndim) + _channels(xp, offset, input.ndim)


@batch_norm_inference.kernel
def _(input, mean, variance, weight, bias, eps):
    if not 0 < input.size < _FEW:
        return batch_norm_inference.forward(numpy, input, mean, variance, weight, bias, eps)
    scale = variance + number(eps, variance.dtype)
    np.sqrt(scale, scale)
    np.reciprocal(scale, scale)
    if weight is not None:
        scale = scale * weight
    offset = mean * scale
    offset = np.negative(offset) if bias is None else bias - offset
    if input.ndim > 2:
        shape = (-1, *(1,) * (input.ndim - 2))
        scale, offset = scale.reshape(shape), offset.reshape(shape)
    return input * scale + offset


@batch_norm_inference.vjp("input")
def _(xp, grad, variance, weight, eps):
    inverse = xp.rsqrt(variance + eps)
    scale = inverse if weight is None else inverse * weight
    return grad * _channels(xp, scale, grad.ndim)


@batch_norm_inference.vjp("weight")
def _(xp, grad, input, mean, variance, eps):
    centred = input - _channels(xp, mean, input.ndim)
    return xp.sum(grad * centred, _other_dims(grad.ndim), False) * xp.rsqrt(variance + eps)


@batch_norm_inference.vjp("bias")
def _(xp, grad):
    return xp.sum(grad, _other_dims(grad.ndim), False)


def _check_features(features: int, *given: Any) -> None:
    named = zip(("weight", "bias", "running_mean", "running_var"), given)
    for what, tensor in sorted(named, key=lambda pair: pair[0][0] != "r"):  # as PyTorch asks
        if tensor is not None and tensor._array.shape != (features,):
            raise RuntimeError(
                f"{what} should contain {features} elements not {tensor.numel()} (batch_norm of an "
                f"input with {features} channels)"
            )


@composite(method=False)
def batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """Normalization of every channel over the batch.

    Args:
        input: (N, C, *).
        weight, bias: scale and offset of each channel, (C).
        running_mean, running_var: averages that are updated in training and used otherwise, (C).
        training: whether the batch's own mean and variance are used.
        momentum: weight of this batch in the averages.
        eps: added to the variance.
        cudnn_enabled: has no meaning here.
    """
    shape = input._array.shape
    if len(shape) < 2:
        if tuple(shape) == (0,):
            return input.clone()
        raise RuntimeError(
            f"batch_norm: expected an input of at least 2 dims, got {list(input.shape)}"
        )
    features = (shape[1],)
    for tensor in (weight, bias, running_mean, running_var):
        if tensor is not None and tensor._array.shape != features:
            _check_features(shape[1], weight, bias, running_mean, running_var)
    if input._array.dtype.itemsize == 2 and _any_single(weight, bias, running_mean, running_var):
        # half precision with parameters in single, as under autocast: computed in single
        return batch_norm(
            input.float(), weight, bias, running_mean, running_var, training, momentum, eps
        ).to(input.dtype)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("running_mean and running_var must be defined in evaluation mode")
        return batch_norm_inference.function(input, running_mean, running_var, weight, bias, eps)
    result, mean, variance = batch_norm_training.function(input, weight, bias, eps)
    if (running_mean is not None or running_var is not None) and 0 not in shape:
        count = prod(shape) // shape[1]
        unbiased = count / max(1, count - 1)
        _update_average(running_mean, mean, momentum, 1.0)
        _update_average(running_var, variance, momentum, unbiased)
    return result


def count_batch(count: Any) -> None:
    """Add 1 to a module's number of batches, in place."""
    array = count._array
    if array.__class__ is np.ndarray and MODES.capture is None and count._base is None:
        array += 1
        count._bump_version()
    else:
        count.add_(1)


def _update_average(average: Any, value: Any, momentum: float, factor: float) -> None:
    """average = (1 - momentum) * average + momentum * factor * value, in place."""
    if average is None:
        return
    if (
        average._array.__class__ is np.ndarray
        and value._array.__class__ is np.ndarray
        and MODES.capture is None
        and average._base is None
        and average._array.dtype == value._array.dtype
    ):
        array = average._array
        array *= number(1 - momentum, array.dtype)
        array += value._array * number(momentum * factor, array.dtype)
        average._bump_version()
        return
    with no_grad():
        average.mul_(1 - momentum).add_(value.to(average.dtype) * (momentum * factor))


@composite(method=False)
def instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """Normalization of every channel of every sample by itself.

    Args:
        input: (N, C, *).
        weight, bias: scale and offset of each channel, (C).
        running_mean, running_var: averages over the samples too, (C).
        use_input_stats: whether the input's own mean and variance are used.
        momentum: weight of this batch in the averages.
        eps: added to the variance.
        cudnn_enabled: has no meaning here.
    """
    if not use_input_stats:
        return batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)
    if input._array.dtype.itemsize == 2 and _any_single(weight, bias, running_mean, running_var):
        return instance_norm(
            input.float(), weight, bias, running_mean, running_var, use_input_stats, momentum, eps
        ).to(input.dtype)
    n, c, *spatial = input.shape
    # every channel of every sample is a channel of one sample
    merged = input.reshape((1, n * c, *spatial))
    result, mean, variance = batch_norm_training(merged, None, None, eps)
    if running_mean is not None or running_var is not None:
        count = prod(spatial)
        _update_average(running_mean, mean.reshape((n, c)).mean(0), momentum, 1.0)
        unbiased = count / max(1, count - 1)
        _update_average(running_var, variance.reshape((n, c)).mean(0), momentum, unbiased)
    result = result.reshape(tuple(input.shape))
    shape = (1, c, *(1,) * len(spatial))
    if weight is not None:
        result = result * weight.reshape(shape)
    return result if bias is None else result + bias.reshape(shape)


# -- layer normalization ------------------------------------------------------------------------


def _last_dims(ndim: int, normalized_shape: Any) -> tuple[int, ...]:
    return tuple(range(ndim - len(normalized_shape), ndim))


def _check_last_dims(name: str, input: Any, normalized_shape: Any, **given: Any) -> None:
    wanted = tuple(normalized_shape)
    if not wanted:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for what, array in given.items():
        if array is not None and tuple(array.shape) != wanted:
            raise RuntimeError(
                f"Expected {what} to be of same shape as normalized_shape, but got {what} of shape "
                f"{list(array.shape)} and normalized_shape = {list(wanted)}"
            )
    if tuple(input.shape[-len(wanted) :]) != wanted:
        listed = ", ".join(str(n) for n in wanted)
        raise RuntimeError(
            f"Given normalized_shape={list(wanted)}, expected input with shape [*, {listed}], but "
            f"got input of size{list(input.shape)}"
        )


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True,
           name="layer_norm_affine", node_name="NativeLayerNormBackward0",
           samples=(((2, 5), (5,), (5,), (5,), 1e-5),
                    ((2, 3, 4), (3, 4), None, None, 1e-3)))  # fmt: skip
def layer_norm_affine(
    xp,
    input: Array,
    normalized_shape: tuple[int, ...],
    weight: Array | None,
    bias: Array | None,
    eps: float,
):
    """Normalization over the last dims, then a scale and an offset per element."""
    dims = _last_dims(input.ndim, normalized_shape)
    mean, _, inverse, normalized = _moments(xp, input, dims, eps)
    result = normalized if weight is None else normalized * weight
    return (result if bias is None else result + bias), (mean, inverse)


@layer_norm_affine.vjp("input", "weight", "bias")
def _(xp, grad, input, normalized_shape, weight, bias_shape, aux, needs):
    mean, inverse = aux
    dims = _last_dims(input.ndim, normalized_shape)
    first = tuple(range(input.ndim - len(dims)))
    normalized = (input - mean) * inverse
    grad_weight = xp.sum(grad * normalized, first, False) if needs[1] else None
    grad_bias = xp.sum(grad, first, False) if needs[2] else None
    if not needs[0]:
        return None, grad_weight, grad_bias
    scaled = grad if weight is None else grad * weight
    return _input_gradient(xp, scaled, normalized, inverse, dims), grad_weight, grad_bias


@layer_norm_affine.kernel
def _(input, normalized_shape, weight, bias, eps):
    width = prod(normalized_shape)
    if (
        input.shape[input.ndim - len(normalized_shape) :] != tuple(normalized_shape)
        or not input.size
        or (weight is not None and weight.dtype != input.dtype)
        or (bias is not None and bias.dtype != input.dtype)
    ):
        check_layer_norm(input, normalized_shape, weight, bias, eps)
        return layer_norm_affine.forward(numpy, input, normalized_shape, weight, bias, eps)
    rows = input.reshape(-1, width)
    if small_rows.are_few(rows):
        weight = None if weight is None else weight.reshape(width)
        bias = None if bias is None else bias.reshape(width)
        result, mean, inverse = small_rows.layer_norm(rows, weight, bias, eps)
        return result.reshape(input.shape), (mean, inverse)
    if input.size < _FEW:
        dtype = input.dtype
        count, along = number(width, dtype), ones(width, dtype)
        mean = rows.dot(along).reshape(-1, 1)
        mean /= count
        result = rows - mean
        inverse = (result * result).dot(along).reshape(-1, 1)
        inverse /= count
        inverse += number(eps, dtype)
        np.sqrt(inverse, inverse)
        np.reciprocal(inverse, inverse)
        if weight is None:
            result *= inverse
        else:
            result *= inverse.dot(weight.reshape(1, width))
        if bias is not None:
            result += bias.reshape(width)
        return result.reshape(input.shape), (mean, inverse)
    mean = row_sums(rows)
    mean /= input.dtype.type(width)
    result = rows - mean
    inverse = np.einsum("ij,ij->i", result, result)[:, None]
    inverse /= input.dtype.type(width)
    inverse += input.dtype.type(eps)
    np.sqrt(inverse, out=inverse)
    np.reciprocal(inverse, out=inverse)
    result *= inverse
    if weight is not None:
        result *= weight.reshape(width)
    if bias is not None:
        result += bias.reshape(width)
    return result.reshape(input.shape), (mean, inverse)


def row_sums(rows: np.ndarray) -> np.ndarray:
    """The sum of each row of a matrix, as a column."""
    if rows.dtype == np.float32:
        return rows.dot(ones(rows.shape[1], rows.dtype))[:, None]
    return np.add.reduce(rows, 1, keepdims=True)


@layer_norm_affine.vjp_kernel("input", "weight", "bias")
def _(grad, input, normalized_shape, weight, bias_shape, aux, needs):
    mean, inverse = aux
    width = prod(normalized_shape)
    if len(mean.shape) != 2:  # of the plain definition, which ran on half precision
        return layer_norm_affine.vjps[0].function(
            numpy, grad, input, normalized_shape, weight, bias_shape, aux, needs
        )
    grads = grad.reshape(-1, width)
    normalized = input.reshape(-1, width) - mean
    normalized *= inverse
    grad_weight = grad_bias = grad_input = None
    along_rows = ones(len(grads), grad.dtype)
    if needs[2]:
        grad_bias = along_rows.dot(grads).reshape(normalized_shape)
    if needs[1]:
        grad_weight = along_rows.dot(grads * normalized).reshape(normalized_shape)
    if needs[0]:
        scaled = grads if weight is None else grads * weight.reshape(width)
        n = grad.dtype.type(width)
        if grad.size < _FEW:
            along = (scaled * normalized).dot(ones(width, grad.dtype))[:, None]
        else:
            along = np.einsum("ij,ij->i", scaled, normalized)[:, None]
        normalized *= along / -n
        normalized += scaled
        normalized -= row_sums(np.ascontiguousarray(scaled)) / n
        normalized *= inverse
        grad_input = normalized.reshape(input.shape)
    return grad_input, grad_weight, grad_bias


native.moves(layer_norm_affine, _MANY, 0.8e-9, 1.5e-9)


@layer_norm_affine.checked
def check_layer_norm(input, normalized_shape, weight, bias, eps):
    """Raise what PyTorch raises for operands that do not fit."""
    _check_last_dims("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    for array in (weight, bias):
        if array is not None and array.dtype != input.dtype:
            raise RuntimeError(
                f"expected scalar type {type_word(input)} but found {type_word(array)}"
            )


@composite(method=False)
def layer_norm(
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """Normalization over the last dims, then a scale and an offset per element.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the last dims.
        weight, bias: of ``normalized_shape``.
        eps: added to the biased variance.
        cudnn_enable: has no meaning here.
    """
    shape = normalized_shape if normalized_shape.__class__ is tuple else tuple(normalized_shape)
    if input._array.dtype.itemsize == 2 and _any_single(weight, bias):
        # half precision with parameters in single, as under autocast: computed in single
        single = input.float()
        return layer_norm_affine(single, shape, weight, bias, eps).to(input.dtype)
    return layer_norm_affine.function(input, shape, weight, bias, eps)


def _any_single(*tensors: Any) -> bool:
    return any(t is not None and t._array.dtype == np.float32 for t in tensors)


# -- normalization over groups of channels ------------------------------------------------------


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True,
           name="group_norm_affine", node_name="NativeGroupNormBackward0",
           samples=(((2, 4, 3), 2, (4,), (4,), 1e-5), ((2, 4), 2, None, None, 1e-3)))  # fmt: skip
def group_norm_affine(
    xp, input: Array, num_groups: int, weight: Array | None, bias: Array | None, eps: float
):
    """Normalization over groups of channels, then a scale and an offset per channel."""
    shape = tuple(input.shape)
    groups = xp.reshape(input, (shape[0], num_groups, prod(shape[1:]) // num_groups))
    mean, _, inverse, normalized = _moments(xp, groups, (2,), eps)
    result = xp.reshape(normalized, shape)
    if weight is not None:
        result = result * _channels(xp, weight, input.ndim)
    if bias is not None:
        result = result + _channels(xp, bias, input.ndim)
    return result, (mean, inverse)


@group_norm_affine.vjp("input", "weight", "bias")
def _(xp, grad, input, num_groups, weight, bias_shape, aux, needs):
    mean, inverse = aux
    shape = tuple(input.shape)
    grouped = (shape[0], num_groups, prod(shape[1:]) // num_groups)
    normalized = (xp.reshape(input, grouped) - mean) * inverse
    grad_weight = grad_bias = grad_input = None
    if needs[1]:
        grad_weight = xp.sum(grad * xp.reshape(normalized, shape), _other_dims(grad.ndim), False)
    if needs[2]:
        grad_bias = xp.sum(grad, _other_dims(grad.ndim), False)
    if needs[0]:
        scaled = grad if weight is None else grad * _channels(xp, weight, grad.ndim)
        scaled = xp.reshape(scaled, grouped)
        grad_input = xp.reshape(_input_gradient(xp, scaled, normalized, inverse, (2,)), shape)
    return grad_input, grad_weight, grad_bias


@group_norm_affine.kernel
def _(input, num_groups, weight, bias, eps):
    if not 0 < input.size < _FEW:
        return group_norm_affine.forward(numpy, input, num_groups, weight, bias, eps)
    dtype, (n, channels) = input.dtype, input.shape[:2]
    rows = input.reshape(n * num_groups, -1)
    width = rows.shape[1]
    count, along = number(width, dtype), ones(width, dtype)
    mean = rows.dot(along).reshape(-1, 1)
    mean /= count
    result = rows - mean
    inverse = (result * result).dot(along).reshape(-1, 1)
    inverse /= count
    inverse += number(eps, dtype)
    np.sqrt(inverse, inverse)
    np.reciprocal(inverse, inverse)
    result *= inverse
    result = result.reshape(n, channels, -1)
    if weight is not None:
        result *= weight.reshape(channels, 1)
    if bias is not None:
        result += bias.reshape(channels, 1)
    broad = (n, num_groups, 1)
    return result.reshape(input.shape), (mean.reshape(broad), inverse.reshape(broad))


native.moves(group_norm_affine, _MANY, 1.2e-9, 2.5e-9)


@composite(method=False)
def native_group_norm(
    input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Any, Any, Any]:
    """:func:`group_norm` of ``N`` samples with ``C`` channels of ``HxW`` elements.

    Returns: the result, and (N, group) means and reciprocal standard deviations.
    """
    result = group_norm_affine(input, group, weight, bias, eps)
    groups = input.reshape(N, group, C // group * HxW)
    return result, groups.mean(-1), (groups.var(-1, correction=0) + eps).rsqrt()


@composite(method=False)
def group_norm(
    input: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Normalization over groups of channels of each sample, then a scale and an offset.

    Args:
        input: (N, C, *).
        num_groups: how many groups the channels are divided into.
        weight, bias: of each channel, (C).
        eps: added to the biased variance.
        cudnn_enabled: has no meaning here.
    """
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    channels = shape[1]
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for what, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor._array.shape != (channels,):
            raise RuntimeError(
                f"Expected {what} to be a vector of size equal to the number of channels in input, "
                f"but got {what} of shape {list(tensor.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    if input._array.dtype.itemsize == 2 and _any_single(weight, bias):
        single = input.float()
        return group_norm_affine(single, num_groups, weight, bias, eps).to(input.dtype)
    return group_norm_affine.function(input, num_groups, weight, bias, eps)


# -- root mean square -----------------------------------------------------------------------------


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True,
           name="rms_norm_scaled", node_name="MulBackward0",
           samples=(((2, 5), (5,), (5,), 1e-5), ((2, 3, 4), (3, 4), None, None)))  # fmt: skip
def rms_norm_scaled(
    xp, input: Array, normalized_shape: tuple[int, ...], weight: Array | None, eps: float | None
):
    """Division by the root mean square over the last dims, then a scale per element."""
    dims = _last_dims(input.ndim, normalized_shape)
    if eps is None:
        eps = float(np.finfo(xp.dtype(input)).eps)
    inverse = xp.rsqrt(xp.sum(input * input, dims, True) / prod(normalized_shape) + eps)
    result = input * inverse
    return (result if weight is None else result * weight), inverse


@rms_norm_scaled.vjp("input")
def _(xp, grad, input, normalized_shape, weight, aux):
    dims = _last_dims(input.ndim, normalized_shape)
    scaled = grad if weight is None else grad * weight
    normalized = input * aux
    along = xp.sum(scaled * normalized, dims, True) / prod(normalized_shape)
    return (scaled - normalized * along) * aux


@rms_norm_scaled.vjp("weight")
def _(xp, grad, input, normalized_shape, aux):
    first = tuple(range(input.ndim - len(normalized_shape)))
    product = grad * (input * aux)
    return xp.sum(product, first, False) if first else product


@rms_norm_scaled.checked
def _(input, normalized_shape, weight, eps):
    _check_last_dims("rms_norm", input, normalized_shape, weight=weight)


native.moves(rms_norm_scaled, _MANY, 1e-9, 1.5e-9)


@composite(method=False)
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Any:
    """Division by the root mean square over the last dims, then a scale per element.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the last dims.
        weight: of ``normalized_shape``.
        eps: added to the mean square; None for the smallest step of the input's dtype at 1.
    """
    shape = tuple(normalized_shape)
    _check_last_dims("rms_norm", input, shape, weight=weight)
    return rms_norm_scaled(input, shape, weight, eps)
