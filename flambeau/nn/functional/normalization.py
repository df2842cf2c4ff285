"""Normalizations.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html
"""

from __future__ import annotations

import math
from typing import Any

import flambeau
from flambeau.nn.functional.node_names import node_called
from flambeau.nn.functional.padding import pad
from flambeau.nn.functional.pooling import avg_pool2d
from flambeau.ops import batch_normalization as _batch_normalization
from flambeau.ops import normalization as _normalization
from flambeau.tensor import Tensor

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]


def _more_than_one_value(size: Any) -> None:
    count = size[0] * math.prod(size[2:])
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization of every channel of ``input`` over the batch.

    Args:
        input: ``(N, C, *)``.
        running_mean, running_var: ``(C)``, averages that are updated in training and used
            otherwise; None in training for no averages.
        weight, bias: ``(C)``, scale and offset of each channel.
        training: whether the batch's own mean and variance are used.
        momentum: weight of this batch in the averages.
        eps: added to the variance.

    Returns:
        ``(N, C, *)``, the dtype of ``input``.

    Raises:
        ValueError: one value per channel in training, or an ``eps`` that is not positive then (else
            negative).
        RuntimeError: no averages outside training.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.
    """
    if training:
        shape = input._array.shape
        if not shape or shape[0] == 1:
            _more_than_one_value(input.size())
        if eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return _batch_normalization.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )


@node_called("ViewBackward0")
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization of every channel of every sample of ``input`` by itself.

    Args:
        input: ``(N, C, *)``.
        running_mean, running_var, weight, bias, momentum, eps: as for :func:`batch_norm`.
        use_input_stats: whether each sample's own mean and variance are used, or the averages.

    Returns:
        ``(N, C, *)``, the dtype of ``input``.

    Raises:
        ValueError: there is one element per channel, and its own statistics are wanted.

    Source: Ulyanov et al., Instance Normalization, 2016.
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.size()}"
        )
    return _batch_normalization.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization over the last dims, to mean 0 and variance 1.

    Args:
        input: ``(*, *normalized_shape)``.
        normalized_shape: the sizes of those dims.
        weight, bias: of ``normalized_shape``: scale and offset of each element.
        eps: added to the variance.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``.

    Source: Ba et al., Layer Normalization, 2016.
    """
    return _normalization.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Division by the root mean square over the last dims.

    Args:
        input: ``(*, *normalized_shape)``.
        normalized_shape: the sizes of those dims.
        weight: of ``normalized_shape``: the scale of each element.
        eps: added to the mean square; None: the dtype's machine epsilon.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
    """
    return _normalization.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization over groups of channels of each sample of ``input``.

    Args:
        input: ``(N, C, *)``.
        num_groups: how many groups; a divisor of C.
        weight, bias: ``(C)``, scale and offset of each channel.
        eps: added to the variance.

    Returns:
        ``(N, C, *)``, the dtype of ``input``.

    Raises:
        RuntimeError: ``num_groups`` does not divide C.
        ValueError: groups of one value.

    Source: Wu and He, Group Normalization, 2018.
    """
    size = input._array.shape
    if len(size) > 1 and size[0] == 1:
        if math.prod(size[2:]) * (size[1] // max(1, num_groups)) * size[0] == 1:
            _more_than_one_value(input.size())
    return _normalization.group_norm(input, num_groups, weight, bias, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Division by ``(k + alpha * mean of squares over size channels) ** beta``.

    Args:
        input: ``(N, C, *)``.
        size: the number of neighbouring channels.
        alpha, beta, k: the numbers of the formula.

    Returns:
        ``(N, C, *)``.

    Raises:
        ValueError: ``input`` has fewer than three dims.

    Source: Krizhevsky et al., ImageNet Classification with Deep CNNs, 2012, section 3.3.
    """
    if input.dim() < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input "
            f"(got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    squares = input * input
    n, c = input.shape[:2]
    rows = squares.reshape(n, 1, c, -1)
    rows = pad(rows, (0, 0, size // 2, (size - 1) // 2))
    means = avg_pool2d(rows, (size, 1), stride=1).reshape(tuple(input.shape))
    return input / (means * alpha + k) ** beta


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Vectors along ``dim`` divided by their ``p``-norm, which counts at least ``eps``.

    Args:
        input: ``(*)``.
        p: the exponent of the norm.
        dim: along which the vectors lie; a number, or several for vectors over several dims.
        eps: the least norm.
        out: where the result goes, of the input's shape.

    Returns:
        ``(*)``, the shape and dtype of ``input``.
    """
    norm = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    if out is None:
        return input / norm
    return flambeau.div(input, norm, out=out)
