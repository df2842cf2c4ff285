"""Dropout: random factors, drawn from PyTorch's stream in its order.

Source: https://pytorch.org/docs/stable/nn.functional.html#dropout-functions
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..random.default import draw
from ..random.memory_order import draw_like
from ..random.sampling import bernoulli, dropout_mask
from ..tensor import wrap
from .operation import composite

_SELU_LIMIT = 1.7580993408473766  # -SELU(-infinity)


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")


def _feature_shape(input: Any) -> tuple[int, ...]:
    """(N, C, 1, ...): one factor for every channel of every sample."""
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return (*tuple(input.shape)[:2], *(1,) * (input.ndim - 2))


def _drawn(input: Any, shape: tuple[int, ...], sampler: Any, p: float) -> Any:
    """Numbers for the elements of ``input``, in the order of its memory, or one per channel."""
    array = input._array
    if array.__class__ is np.ndarray and shape == array.shape and array.flags.c_contiguous:
        return draw(sampler, shape, array.dtype, p)
    if shape == tuple(array.shape):
        return draw_like(input._array, sampler, input.dtype.numpy, p)
    return draw(sampler, shape, input.dtype.numpy, p)


def _dropped(input: Any, p: float, train: bool, shape: tuple[int, ...]) -> Any:
    """``input`` times factors that are 0 with probability p, else 1 / (1 - p)."""
    if p == 0 or not train or 0 in shape:
        return input
    if p == 1:
        return input * input.new_zeros(())
    return input * wrap(_drawn(input, shape, dropout_mask, p))


def _alpha_dropped(input: Any, p: float, train: bool, shape: tuple[int, ...]) -> Any:
    """``input`` with elements set to SELU's negative limit, then brought to mean 0, variance 1."""
    if p == 0 or not train or 0 in input.shape:
        return input
    if p == 1:
        return input * input.new_zeros(())
    scale = 1 / math.sqrt((_SELU_LIMIT * _SELU_LIMIT * p + 1) * (1 - p))
    keep = wrap(_drawn(input, shape, bernoulli, 1 - p))
    offset = (keep - 1) * (_SELU_LIMIT * scale) + _SELU_LIMIT * scale * p
    return input * (keep * scale) + offset


@composite(method=False)
def dropout(input: Any, p: float, train: bool) -> Any:
    """In training, elements set to 0 with probability ``p`` and the others times 1 / (1 - p).

    Args:
        input: (*).
        p: the probability.
        train: whether anything is done.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``p`` is not in [0, 1].
    """
    _check(p)
    return _dropped(input, p, train, tuple(input._array.shape))


@composite(method=False)
def feature_dropout(input: Any, p: float, train: bool) -> Any:
    """:func:`dropout` of whole channels: all elements of a channel together.

    Args:
        input: (N, C, *).
        p: the probability.
        train: whether anything is done.

    Returns:
        (N, C, *), of ``input``'s dtype.

    Raises:
        RuntimeError: ``p`` is not in [0, 1], or ``input`` has fewer than two dims.
    """
    _check(p)
    if p == 0 or not train:
        return input
    return _dropped(input, p, train, _feature_shape(input))


@composite(method=False)
def alpha_dropout(input: Any, p: float, train: bool) -> Any:
    """:func:`dropout` that keeps the mean and variance of what SELU returns.

    Args:
        input: (*).
        p: the probability that an element is set to SELU's limit.
        train: whether anything is done.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``p`` is not in [0, 1].

    Source: Klambauer et al., Self-Normalizing Neural Networks (2017).
    """
    _check(p)
    return _alpha_dropped(input, p, train, tuple(input.shape))


@composite(method=False)
def feature_alpha_dropout(input: Any, p: float, train: bool) -> Any:
    """:func:`alpha_dropout` of whole channels: all elements of a channel together.

    Args:
        input: (N, C, *).
        p: the probability that a channel is set to SELU's limit.
        train: whether anything is done.

    Returns:
        (N, C, *), of ``input``'s dtype.

    Raises:
        RuntimeError: ``p`` is not in [0, 1], or ``input`` has fewer than two dims.
    """
    _check(p)
    if p == 0 or not train:
        return input
    return _alpha_dropped(input, p, train, _feature_shape(input))
