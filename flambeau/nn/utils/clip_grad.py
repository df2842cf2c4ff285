"""Limiting the size of gradients.

Source: https://docs.pytorch.org/docs/2.13/nn.html
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import flambeau
from flambeau.ops.value_checks import refuse
from flambeau.tensor import Tensor

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]


def _listed(tensors: Any) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    if iter(tensors) is tensors:
        tensors = list(tensors)
        if not tensors:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                stacklevel=3,
            )
    return list(tensors)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors, as if they were one vector.

    Args:
        tensors: the tensors (or one).
        norm_type: which p-norm; infinity is the maximum.
        error_if_nonfinite: whether a norm that is infinite or NaN is an error.
        foreach: has no meaning here: there is one implementation.

    Returns:
        A 0-d tensor.

    Raises:
        RuntimeError: the norm is infinite or NaN, with ``error_if_nonfinite``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.get_total_norm.html
    """
    norm_type = float(norm_type)
    with flambeau.no_grad():
        norms = [tensor.detach().norm(norm_type) for tensor in _listed(tensors)]
        if not norms:
            return flambeau.tensor(0.0)
        total = flambeau.stack(norms).norm(norm_type)
    if error_if_nonfinite:
        refuse(
            total.isfinite().logical_not(),
            RuntimeError,
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`",
        )
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale all gradients, in place, by ``max_norm / total_norm`` if that is less than 1.

    Args:
        parameters: whose gradients are scaled.
        max_norm: the wanted norm.
        total_norm: the norm that the gradients have.
        foreach: has no meaning here: there is one implementation.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.clip_grads_with_norm_.html
    """
    with flambeau.no_grad():
        # never more than 1: a product with 1 costs less than to ask for the value
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for parameter in _listed(parameters):
            if parameter.grad is not None:
                parameter.grad.mul_(factor)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place, so that their common norm is at most ``max_norm``.

    Args:
        parameters: whose gradients are scaled.
        max_norm: the largest norm.
        norm_type: which p-norm; infinity is the maximum.
        error_if_nonfinite: whether a norm that is infinite or NaN is an error.
        foreach: has no meaning here: there is one implementation.

    Returns:
        The norm before, a 0-d tensor.

    Raises:
        RuntimeError: the norm is infinite or NaN, with ``error_if_nonfinite``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.clip_grad_norm_.html
    """
    listed = _listed(parameters)
    gradients = [parameter.grad for parameter in listed if parameter.grad is not None]
    total = get_total_norm(gradients, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Deprecated name of :func:`clip_grad_norm_`; warns.

    Args:
        parameters, max_norm, norm_type, error_if_nonfinite, foreach: as there.

    Returns:
        The norm before, a 0-d tensor.
    """
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clamp all gradients, in place, to ``[-clip_value, clip_value]``.

    Args:
        parameters: whose gradients are clamped.
        clip_value: the largest absolute value.
        foreach: has no meaning here: there is one implementation.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.clip_grad_value_.html
    """
    clip_value = float(clip_value)
    with flambeau.no_grad():
        for parameter in _listed(parameters):
            if parameter.grad is not None:
                parameter.grad.clamp_(min=-clip_value, max=clip_value)
