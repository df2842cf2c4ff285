"""Functions that the distributions share."""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau as torch
from flambeau.size import Size


def broadcast_all(*values: Any) -> tuple[Any, ...]:
    """Numbers and tensors, ``values``, as tensors of one shape; numbers take the tensors' dtype.

    Returns:
        A tuple of them.

    Raises:
        ValueError: one of them is neither.
    """
    for value in values:
        if not isinstance(value, (torch.Tensor, int, float, np.number)):
            raise ValueError(
                "Input arguments must all be instances of Number, torch.Tensor or objects "
                "implementing __torch_function__."
            )
    like = next((v for v in values if isinstance(v, torch.Tensor)), None)
    dtype = torch.get_default_dtype() if like is None else like.dtype
    tensors = [
        v if isinstance(v, torch.Tensor) else torch.tensor(float(v), dtype=dtype) for v in values
    ]
    return tuple(torch.broadcast_tensors(*tensors))


def are_numbers(*values: Any) -> bool:
    """Whether all ``values`` are Python numbers, so that the batch shape is ().

    Returns:
        A bool.
    """
    return all(isinstance(v, (int, float, np.number)) for v in values)


def standard_normal(shape: Any, dtype: Any, device: Any = None) -> Any:
    """Numbers of mean 0 and variance 1, as PyTorch draws them here.

    Returns:
        A tensor of that ``shape`` and ``dtype``.
    """
    return torch.normal(
        torch.zeros(shape, dtype=dtype, device=device),
        torch.ones(shape, dtype=dtype, device=device),
    )


_standard_normal = standard_normal  # PyTorch's name, which distributions in programs import


def logsumexp(value: Any, keepdim: bool = False) -> Any:
    """The logarithm of the sum of exponentials of ``value`` over the last dim.

    Returns:
        ``(*)``, or ``(*, 1)`` with ``keepdim``.
    """
    top = value.detach().amax(-1, True)
    top = torch.where(top.isfinite(), top, torch.zeros_like(top))
    result = (value - top).exp().sum(-1, True).log() + top
    return result if keepdim else result.squeeze(-1)


def xlogy(x: Any, y: Any) -> Any:
    """``x * log(y)``, 0 where ``x`` is.

    Returns:
        The shape that they broadcast to.
    """
    zero = x == 0
    return torch.where(
        zero, torch.zeros_like(x), x * torch.where(zero, torch.ones_like(y), y).log()
    )


def clamp_probs(probs: Any) -> Any:
    """``probs`` (*) kept off 0 and 1 by the dtype's precision; returns ``(*)``."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """Log odds of ``probs`` if ``is_binary``, else logarithms.

    Returns:
        The shape of ``probs``.
    """
    clamped = clamp_probs(probs)
    return torch.log(clamped) - torch.log1p(-clamped) if is_binary else torch.log(clamped)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    """Probabilities of log odds ``logits`` if ``is_binary``, else by a softmax over the last dim.

    Returns:
        The shape of ``logits``.
    """
    return torch.sigmoid(logits) if is_binary else torch.nn.functional.softmax(logits, dim=-1)


def tril_matrix_to_vec(mat: Any, diag: int = 0) -> Any:
    """What of ``mat`` (*, n, n) lies on and below the diagonal ``diag``, row by row.

    Returns:
        ``(*, count)``.

    Raises:
        ValueError: there is no such diagonal.
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = torch.tril_indices(n, n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec: Any, diag: int = 0) -> Any:
    """``vec`` (*, count) as the rows on and below the diagonal ``diag`` of matrices, else 0.

    Returns:
        ``(*, n, n)``.

    Raises:
        ValueError: ``count`` elements fill no such matrix.
    """
    count = vec.shape[-1]
    n = ((1 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5 - 2 * diag - 1) / 2
    if n != int(n):
        raise ValueError(
            f"The size of last dimension is {count} which cannot be expressed as the lower "
            "triangular part of a square D x D matrix."
        )
    rows, columns = torch.tril_indices(int(n), int(n), diag)
    made = vec.new_zeros((*vec.shape[:-1], int(n) ** 2))
    filled = made.index_copy(vec.dim() - 1, rows * int(n) + columns, vec)
    return filled.reshape((*vec.shape[:-1], int(n), int(n)))


def sum_rightmost(value: Any, dims: int) -> Any:
    """The sum of ``value`` over the last ``dims`` dims.

    Returns:
        ``value.shape`` without them.
    """
    if dims == 0:
        return value
    return value.reshape(tuple(value.shape[: value.dim() - dims]) + (-1,)).sum(-1)


def log_beta(*concentrations: Any) -> Any:
    """The logarithm of the beta function of several ``concentrations``.

    Returns:
        The shape that they broadcast to.
    """
    total = sum(concentrations[1:], concentrations[0])
    parts = [torch.lgamma(c) for c in concentrations]
    return sum(parts[1:], parts[0]) - torch.lgamma(total)


class lazy_property:
    """A property computed once, from the parameter that was given.

    Args:
        function: of the instance.
    """

    def __init__(self, function: Any) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.name = function.__name__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with torch.enable_grad():
            value = self.function(instance)
        setattr(instance, self.name, value)
        return value


def as_size(shape: Any) -> Size:
    """``shape`` as a torch.Size.

    Returns:
        It.
    """
    return shape if isinstance(shape, Size) else Size(shape)
