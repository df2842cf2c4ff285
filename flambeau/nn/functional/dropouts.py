"""Dropout.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (dropout functions); Hinton et al.,
Improving Neural Networks by Preventing Co-adaptation of Feature Detectors, 2012.
"""

from __future__ import annotations

import warnings

from flambeau.ops import dropout as _dropout
from flambeau.tensor import Tensor
from flambeau.tensor.views import write_in_place

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]


def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, elements set to 0 with probability ``p``, the others times ``1 / (1 - p)``.

    Args:
        input: ``(*)``.
        p: the probability, in [0, 1].
        training: if False, the result is the input.
        inplace: whether the result is written into ``input``.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].
    """
    _check_probability(p)
    if inplace:
        return write_in_place(input, _dropout.dropout, (p, training), {}, "dropout_")
    return _dropout.dropout(input, p, training)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps the mean and variance of what SELU returns.

    The arguments ``input`` (*), ``p``, ``training`` and ``inplace`` are those of :func:`dropout`.

    Returns:
        ``(*)``, the shape and dtype of ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.
    """
    _check_probability(p)
    if inplace:
        return write_in_place(input, _dropout.alpha_dropout, (p, training), {}, "alpha_dropout_")
    return _dropout.alpha_dropout(input, p, training)


def _feature_dropout(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    if inplace:
        return write_in_place(
            input, _dropout.feature_dropout, (p, training), {}, "feature_dropout_"
        )
    return _dropout.feature_dropout(input, p, training)


def _one_sample(input: Tensor, ndim: int, p: float, training: bool, inplace: bool) -> Tensor:
    """Feature dropout of ``input``, with a batch dim put in front if it has none."""
    if input.dim() == ndim:
        return _feature_dropout(input, p, training, inplace)
    if inplace:
        _feature_dropout(input.unsqueeze(0), p, training, True)
        return input
    return _feature_dropout(input.unsqueeze(0), p, training, False).squeeze(0)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, whole channels set to 0 with probability ``p``, the others times ``1 / (1 -
    p)``.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``.
        p, training, inplace: as for :func:`dropout`.

    Returns:
        The shape and dtype of ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].
        RuntimeError: ``input`` has neither two nor three dims.

    Source: Tompson et al., Efficient Object Localization Using Convolutional Networks, 2014.
    """
    _check_probability(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _one_sample(input, 3, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, whole channels set to 0 with probability ``p``, the others times ``1 / (1 -
    p)``.

    Args:
        input: ``(N, C, H, W)`` or, with a warning, ``(N, C, L)``.
        p, training, inplace: as for :func:`dropout`.

    Returns:
        The shape and dtype of ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: Tompson et al., Efficient Object Localization Using Convolutional Networks, 2014.
    """
    _check_probability(p)
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _feature_dropout(input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, whole channels set to 0 with probability ``p``, the others times ``1 / (1 -
    p)``.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``.
        p, training, inplace: as for :func:`dropout`.

    Returns:
        The shape and dtype of ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: Tompson et al., Efficient Object Localization Using Convolutional Networks, 2014.
    """
    _check_probability(p)
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
        return _feature_dropout(input, p, training, inplace)
    return _one_sample(input, 5, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """:func:`alpha_dropout` of whole channels.

    Args:
        input: ``(N, C, *)``.
        p, training, inplace: as for :func:`dropout`.

    Returns:
        The shape and dtype of ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].
        RuntimeError: ``input`` has fewer than two dims.
    """
    _check_probability(p)
    if inplace:
        return write_in_place(
            input, _dropout.feature_alpha_dropout, (p, training), {}, "feature_alpha_dropout_"
        )
    return _dropout.feature_alpha_dropout(input, p, training)
