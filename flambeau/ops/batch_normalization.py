"""Normalization of every channel over a batch, or over each of its samples.

Source: https://pytorch.org/docs/stable/nn.functional.html#normalization-functions
"""

from __future__ import annotations

from functools import lru_cache
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
from .moments import (
    FEW,
    MANY,
    any_single,
    input_gradient,
    moments,
    of_channels,
    other_dims,
)
from .operation import Array, composite, operation
from .small_programs import function_table, small


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True,
           name="batch_norm_training", node_name="NativeBatchNormBackward0",
           outputs=("output", "mean", "variance"), differentiable=(True, False, False),
           samples=(((5, 3), (3,), (3,), 1e-5), ((2, 3, 4, 2), None, None, 1e-3)))  # fmt: skip
def batch_norm_training(xp, input: Array, weight: Array | None, bias: Array | None, eps: float):
    """Batch normalization with the batch's mean and biased variance, which are returned too."""
    mean, variance, inverse, normalized = moments(xp, input, other_dims(input.ndim), eps)
    result = normalized
    if weight is not None:
        result = result * of_channels(xp, weight, input.ndim)
    if bias is not None:
        result = result + of_channels(xp, bias, input.ndim)
    flat = (input.shape[1],)
    return result, xp.reshape(mean, flat), xp.reshape(variance, flat), (mean, inverse)


@batch_norm_training.vjp("input", "weight", "bias")
def _(xp, grad, input, weight, bias_shape, aux, needs):
    mean, inverse = aux
    dims = other_dims(input.ndim)
    normalized = (input - mean) * inverse
    grad_weight = xp.sum(grad * normalized, dims, False) if needs[1] else None
    grad_bias = xp.sum(grad, dims, False) if needs[2] else None
    if not needs[0]:
        return None, grad_weight, grad_bias
    scaled = grad if weight is None else grad * of_channels(xp, weight, input.ndim)
    return input_gradient(xp, scaled, normalized, inverse, dims), grad_weight, grad_bias


def channel_sums(x: np.ndarray) -> np.ndarray:
    """The sums over all dims but the second, of float32 by BLAS."""
    if x.dtype != np.float32:
        return np.add.reduce(x, other_dims(x.ndim))
    if x.ndim == 2:
        return dot(ones(x.shape[0], x.dtype), x)
    n = prod(x.shape[2:])
    rows = dot(x.reshape(-1, n), ones(n, x.dtype))
    return np.add.reduce(rows.reshape(x.shape[:2]), 0)


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
    if 0 < input.size < FEW:
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


native.moves(batch_norm_training, MANY, 0.6e-9, 1.5e-9)
small(batch_norm_training, 5, 7)


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
    return input * of_channels(xp, scale, input.ndim) + of_channels(xp, offset, input.ndim)


@batch_norm_inference.kernel
def _(input, mean, variance, weight, bias, eps):
    if not 0 < input.size < FEW:
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
    return grad * of_channels(xp, scale, grad.ndim)


@batch_norm_inference.vjp("weight")
def _(xp, grad, input, mean, variance, eps):
    centred = input - of_channels(xp, mean, input.ndim)
    return xp.sum(grad * centred, other_dims(grad.ndim), False) * xp.rsqrt(variance + eps)


@batch_norm_inference.vjp("bias")
def _(xp, grad):
    return xp.sum(grad, other_dims(grad.ndim), False)


small(batch_norm_inference, 3, 6)


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
        weight, bias: scale and offset of each channel, (C), or None.
        running_mean, running_var: averages that are updated in training and used otherwise, (C).
        training: whether the batch's own mean and variance are used.
        momentum: weight of this batch in the averages.
        eps: added to the variance.
        cudnn_enabled: has no meaning here.

    Returns:
        (N, C, *), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` has fewer than two dims, or another argument not C elements.
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
    if input._array.dtype.itemsize == 2 and any_single(weight, bias, running_mean, running_var):
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
        if not _updated_together(running_mean, running_var, mean, variance, momentum, unbiased):
            _update_average(running_mean, mean, momentum, 1.0)
            _update_average(running_var, variance, momentum, unbiased)
    return result


def _updated_together(
    mean: Any, variance: Any, batch_mean: Any, batch_variance: Any, momentum: Any, unbiased: float
) -> bool:
    """Whether a program for small arrays has updated both averages."""
    if (
        MODES.capture is not None
        or mean is None
        or variance is None
        or mean is variance
        or mean._base is not None
        or variance._base is not None
        or mean._array.__class__ is not np.ndarray
        or batch_mean._array.__class__ is not np.ndarray
    ):
        return False
    array = mean._array
    weights = _weights(momentum, unbiased, array.dtype)
    arrays = array, variance._array, batch_mean._array, batch_variance._array, weights
    if _updates[array.shape,](*arrays) is None:
        return False
    mean._bump_version()
    variance._bump_version()
    return True


@lru_cache(256)
def _weights(momentum: float, unbiased: float, dtype: np.dtype) -> np.ndarray:
    """Of the old averages, of the batch's mean, and of its variance, which is biased."""
    return np.array((1 - momentum, momentum, momentum * unbiased), dtype)


def _new_averages(
    xp: Any, mean: Any, variance: Any, batch_mean: Any, batch_variance: Any, weights: Any
) -> tuple[Any, Any]:
    old, new, unbiased = (xp.slice(weights, (slice(i, i + 1),)) for i in range(3))
    return mean * old + batch_mean * new, variance * old + batch_variance * unbiased


_updates = function_table("batch_norm averages", _new_averages, 2.5, in_place=True)


def count_batch(count: Any) -> None:
    """Add 1 to a module's number of batches, in place."""
    array = count._array
    if array.__class__ is np.ndarray and MODES.capture is None and count._base is None:
        array[()] = array.item() + 1
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

    Returns:
        (N, C, *), of ``input``'s dtype.
    """
    if not use_input_stats:
        return batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)
    if input._array.dtype.itemsize == 2 and any_single(weight, bias, running_mean, running_var):
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
