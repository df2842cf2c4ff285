"""Batch normalization put into the layer in front of it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

import flambeau
from flambeau.nn.parameter import Parameter
from flambeau.tensor import Tensor

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]


def _fused(
    weight: Tensor,
    bias: Any,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    scale: Any,
    offset: Any,
    dim: int,
) -> tuple[Parameter, Parameter]:
    bias = flambeau.zeros_like(mean) if bias is None else bias
    scale = flambeau.ones_like(mean) if scale is None else scale
    offset = flambeau.zeros_like(mean) if offset is None else offset
    factor = scale * (variance + eps).rsqrt()
    shape = [1] * weight.dim()
    shape[dim] = -1
    return (
        Parameter((weight * factor.reshape(shape)).detach(), weight.requires_grad),
        Parameter(((bias - mean) * factor + offset).detach(), bias.requires_grad),
    )


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Any,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Any,
    bn_b: Any,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the convolution that does both.

    Args:
        conv_w: ``(out_channels, in_channels / groups, *kernel_size)``.
        conv_b: ``(out_channels,)`` or None.
        bn_rm, bn_rv: running mean and variance, ``(C,)``.
        bn_eps: what is added to the variance.
        bn_w, bn_b: scale and offset, ``(C,)``, or None.
        transpose: whether it is a transposed convolution, whose channels are along dim 1.

    Returns:
        The two parameters, of the shapes of ``conv_w`` and of ``bn_rm``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.fuse_conv_bn_weights.html
    """
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Any,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Any,
    bn_b: Any,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the linear layer that does both.

    Args:
        linear_w: ``(out_features, in_features)``.
        linear_b: ``(out_features,)`` or None.
        bn_rm, bn_rv: running mean and variance, ``(C,)``.
        bn_eps: what is added to the variance.
        bn_w, bn_b: scale and offset, ``(C,)``, or None.

    Returns:
        The two parameters, of the shapes of ``linear_w`` and of ``bn_rm``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.fuse_linear_bn_weights.html
    """
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _fused_layer(layer: Any, bn: Any, dim: int) -> Any:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = _fused(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, dim
    )
    return fused


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what ``conv`` and then ``bn``, both in evaluation, do.

    Args:
        conv: a convolution.
        bn: a batch normalization of its channels.
        transpose: whether ``conv`` is a transposed one.

    Returns:
        A new module of the class of ``conv``.

    Raises:
        AssertionError: one of them is in training mode, or ``bn`` keeps no running statistics.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.fuse_conv_bn_eval.html
    """
    return _fused_layer(conv, bn, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what ``linear`` and then ``bn``, both in evaluation, do.

    Returns:
        A new module of the class of ``linear``.

    Raises:
        AssertionError: one of them is in training mode, or ``bn`` keeps no running statistics.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.fuse_linear_bn_eval.html
    """
    return _fused_layer(linear, bn, 0)
