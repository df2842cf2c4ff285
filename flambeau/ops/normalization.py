"""Normalization of each sample: over its last dims, over groups of channels, to a mean square of 1.

Source: https://pytorch.org/docs/stable/nn.functional.html#normalization-functions
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces import numpy_small_rows as small_rows
from ..namespaces.numpy_constants import ones
from . import native
from .dtype_checks import type_word
from .moments import (
    FEW,
    MANY,
    any_single,
    centred_rows,
    input_gradient,
    moments,
    of_channels,
    other_dims,
)
from .operation import Array, composite, operation
from .small_programs import small

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
    mean, _, inverse, normalized = moments(xp, input, dims, eps)
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
    return input_gradient(xp, scaled, normalized, inverse, dims), grad_weight, grad_bias


@layer_norm_affine.kernel
def _(input, normalized_shape, weight, bias, eps):
    if (
        small_rows.are_few(input)
        and weight is not None
        and bias is not None
        and input.shape[1:] == normalized_shape == weight.shape == bias.shape
        and weight.dtype is input.dtype is bias.dtype
    ):
        result, mean, inverse = small_rows.layer_norm(input, weight, bias, eps)
        return result, (mean, inverse)
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
    if input.size < FEW:
        result, mean, inverse = centred_rows(rows, eps)
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
        if grad.size < FEW:
            along = (scaled * normalized).dot(ones(width, grad.dtype))[:, None]
        else:
            along = np.einsum("ij,ij->i", scaled, normalized)[:, None]
        normalized *= along / -n
        normalized += scaled
        normalized -= row_sums(np.ascontiguousarray(scaled)) / n
        normalized *= inverse
        grad_input = normalized.reshape(input.shape)
    return grad_input, grad_weight, grad_bias


native.moves(layer_norm_affine, MANY, 0.8e-9, 1.5e-9)
small(layer_norm_affine, 5, 7)


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

    Returns:
        The shape and dtype of ``input``.

    Raises:
        RuntimeError: the last dims, or those of ``weight`` or ``bias``, are others.
    """
    shape = normalized_shape if normalized_shape.__class__ is tuple else tuple(normalized_shape)
    if input._array.dtype.itemsize == 2 and any_single(weight, bias):
        # half precision with parameters in single, as under autocast: computed in single
        single = input.float()
        return layer_norm_affine(single, shape, weight, bias, eps).to(input.dtype)
    return layer_norm_affine.function(input, shape, weight, bias, eps)


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
    mean, _, inverse, normalized = moments(xp, groups, (2,), eps)
    result = xp.reshape(normalized, shape)
    if weight is not None:
        result = result * of_channels(xp, weight, input.ndim)
    if bias is not None:
        result = result + of_channels(xp, bias, input.ndim)
    return result, (mean, inverse)


@group_norm_affine.vjp("input", "weight", "bias")
def _(xp, grad, input, num_groups, weight, bias_shape, aux, needs):
    mean, inverse = aux
    shape = tuple(input.shape)
    grouped = (shape[0], num_groups, prod(shape[1:]) // num_groups)
    normalized = (xp.reshape(input, grouped) - mean) * inverse
    grad_weight = grad_bias = grad_input = None
    if needs[1]:
        grad_weight = xp.sum(grad * xp.reshape(normalized, shape), other_dims(grad.ndim), False)
    if needs[2]:
        grad_bias = xp.sum(grad, other_dims(grad.ndim), False)
    if needs[0]:
        scaled = grad if weight is None else grad * of_channels(xp, weight, grad.ndim)
        scaled = xp.reshape(scaled, grouped)
        grad_input = xp.reshape(input_gradient(xp, scaled, normalized, inverse, (2,)), shape)
    return grad_input, grad_weight, grad_bias


@group_norm_affine.kernel
def _(input, num_groups, weight, bias, eps):
    if not 0 < input.size < FEW:
        return group_norm_affine.forward(numpy, input, num_groups, weight, bias, eps)
    n, channels = input.shape[:2]
    result, mean, inverse = centred_rows(input.reshape(n * num_groups, -1), eps)
    result *= inverse
    result = result.reshape(n, channels, -1)
    if weight is not None:
        result *= weight.reshape(channels, 1)
    if bias is not None:
        result += bias.reshape(channels, 1)
    broad = (n, num_groups, 1)
    return result.reshape(input.shape), (mean.reshape(broad), inverse.reshape(broad))


native.moves(group_norm_affine, MANY, 1.2e-9, 2.5e-9)
small(group_norm_affine, 7, 9)


@composite(method=False)
def native_group_norm(
    input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Any, Any, Any]:
    """:func:`group_norm` of ``N`` samples with ``C`` channels of ``HxW`` elements.

    Args:
        input: (N, C, *).
        weight, bias: of each channel, (C), or None.
        N, C, HxW: its sizes.
        group: how many groups the channels are divided into.
        eps: added to the biased variance.

    Returns:
        the result, and (N, group) means and reciprocal standard deviations.
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

    Returns:
        (N, C, *), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` has fewer than two dims, C is no multiple of ``num_groups``, or a
            weight or bias has not C elements.
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
    if input._array.dtype.itemsize == 2 and any_single(weight, bias):
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


native.moves(rms_norm_scaled, MANY, 1e-9, 1.5e-9)
small(rms_norm_scaled, 4, 8)


@composite(method=False)
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Any:
    """Division by the root mean square over the last dims, then a scale per element.

    Args:
        input: (*, *normalized_shape).
        normalized_shape: the last dims.
        weight: of ``normalized_shape``.
        eps: added to the mean square; None for the smallest step of the input's dtype at 1.

    Returns:
        The shape of ``input``.

    Raises:
        RuntimeError: the last dims, or those of ``weight``, are others.
    """
    shape = tuple(normalized_shape)
    _check_last_dims("rms_norm", input, shape, weight=weight)
    return rms_norm_scaled(input, shape, weight, eps)
