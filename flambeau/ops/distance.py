"""Distances between all pairs of vectors.

Source: https://pytorch.org/docs/stable/generated/torch.cdist.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dims import broadcast_shape
from .operation import Array, composite, operation


def _norm(xp: Any, difference: Any, p: float) -> Any:
    size = xp.abs(difference)
    if p == 0:
        return xp.sum(
            xp.astype(xp.ne(size, 0), xp.dtype(difference)), (difference.ndim - 1,), False
        )
    last = (difference.ndim - 1,)
    if math.isinf(p):
        return xp.amax(size, last, False)
    if p == 1:
        return xp.sum(size, last, False)
    if p == 2:
        return xp.sqrt(xp.sum(size * size, last, False))
    return xp.pow(xp.sum(xp.pow(size, p), last, False), 1 / p)


def _norm_gradient(xp: Any, difference: Any, norm: Any, p: float) -> Any:
    """The derivative of the norm by each difference, 0 where the vectors are equal."""
    dtype = xp.dtype(difference)
    norm = xp.reshape(norm, (*norm.shape, 1))
    if p == 0:
        return xp.full(tuple(difference.shape), 0, dtype)
    sign = xp.sign(difference)
    if p == 1:
        return sign
    if math.isinf(p):
        return sign * xp.astype(xp.eq(xp.abs(difference), norm), dtype)
    zero = xp.eq(norm, 0)
    safe = xp.where(zero, xp.full((), 1, dtype), norm)
    if p == 2:
        return xp.where(zero, 0, difference / safe)
    size = xp.abs(difference)
    still = xp.eq(size, 0)
    ratio = xp.where(still, xp.full((), 1, dtype), size) / safe
    return xp.where(xp.logical_or(zero, still), 0, sign * xp.pow(ratio, p - 1))


def _differences(xp: Any, x1: Any, x2: Any) -> Any:
    *batch, p, m = x1.shape
    r = x2.shape[-2]
    return xp.reshape(x1, (*batch, p, 1, m)) - xp.reshape(x2, (*batch, 1, r, m))


@operation(dtypes="inexact", public=False, method=False, out=False, name="cdist_forward",
           node_name="CdistBackward0",
           samples=(((3, 2), (4, 2), 2.0), ((2, 3, 2), (2, 4, 2), 1.0), ((3, 2), (4, 2), 3.0),
                    ((3, 2), (2, 2), math.inf), ((3, 2), (2, 2), 0.0)))  # fmt: skip
def cdist_forward(xp, x1: Array, x2: Array, p: float):
    """The p-norms of the differences of all pairs of rows: (*, P, M), (*, R, M) to (*, P, R)."""
    return _norm(xp, _differences(xp, x1, x2), p)


@cdist_forward.kernel
def _(x1, x2, p):
    from ..namespaces import numpy

    rows, others, width = x1.shape[-2], x2.shape[-2], x1.shape[-1]
    if p == 2 and (rows > 25 or others > 25) and width:
        # |x|^2 + |y|^2 - 2 x.y: one product, where PyTorch goes this way too
        product = np.matmul(x1, np.swapaxes(x2, -1, -2))
        squares = (x1 * x1).sum(-1)[..., :, None] + (x2 * x2).sum(-1)[..., None, :]
        squares -= 2 * product
        return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
    return _norm(numpy, _differences(numpy, x1, x2), p)


@cdist_forward.vjp("x1", "x2")
def _(xp, grad, x1, x2, out, p):
    slope = _norm_gradient(xp, _differences(xp, x1, x2), out, p)
    flow = xp.reshape(grad, (*grad.shape, 1)) * slope
    n = x1.ndim
    return xp.sum(flow, (n - 1,), False), -xp.sum(flow, (n - 2,), False)


@composite(method=False)
def cdist(
    x1: Any,
    x2: Any,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Any:
    """The p-norm of the difference of every row of ``x1`` and every row of ``x2``.

    Args:
        x1: (*, P, M).
        x2: (*, R, M).
        p: which norm, 0 or more; ``inf`` for the largest difference.
        compute_mode: PyTorch's choice of how Euclidean distances are computed.

    Returns:
        (*, P, R).

    Raises:
        RuntimeError: another number of columns or dims, another dtype, a negative ``p``, or batches
            that do not broadcast.
        ValueError: another ``compute_mode``.

    Source: https://pytorch.org/docs/stable/generated/torch.cdist.html
    """
    modes = (
        "use_mm_for_euclid_dist_if_necessary",
        "use_mm_for_euclid_dist",
        "donot_use_mm_for_euclid_dist",
    )
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, x in (("X1", x1), ("X2", x2)):
        if x.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.dim()}D")
        if not x.is_floating_point():
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: "
                f"{x.dtype.name.capitalize()}"
            )
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    from ..size import Size
    from .shape import expand

    batch = broadcast_shape(tuple(x1.shape[:-2]), tuple(x2.shape[:-2]))
    if tuple(x1.shape[:-2]) != batch:
        x1 = expand(x1, Size((*batch, *x1.shape[-2:])))
    if tuple(x2.shape[:-2]) != batch:
        x2 = expand(x2, Size((*batch, *x2.shape[-2:])))
    if math.isinf(p) and not x1.shape[-1]:
        return x1.new_zeros((*batch, x1.shape[-2], x2.shape[-2]))
    return cdist_forward(x1, x2, float(p))


@composite(method=False)
def pdist(input: Any, p: float = 2.0) -> Any:
    """The p-norm of the difference of every two rows.

    Args:
        input: (N, M).
        p: which norm, 0 or more; ``inf`` for the largest difference.

    Returns:
        (N * (N - 1) / 2,): rows 0 and 1, 0 and 2, ..., 1 and 2, ...

    Raises:
        RuntimeError: another number of dims, another dtype, or a negative ``p``.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pdist.html
    """
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    from ..tensor.creation import tensor

    first, second = np.triu_indices(input.shape[0], 1)
    if not first.size:
        return input.new_zeros((0,)) + input.sum() * 0
    rows = input.index_select(0, tensor(first)).unsqueeze(1)
    others = input.index_select(0, tensor(second)).unsqueeze(1)
    return cdist(rows, others, p).reshape(first.size)
