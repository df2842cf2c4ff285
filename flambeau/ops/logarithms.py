"""Sums of exponentials and products with logarithms, exact where the plain formulas are not.

Source: https://pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..namespaces import numpy
from ..namespaces import numpy_small_rows as small_rows
from ..namespaces.numpy_constants import ones
from .activation import maximum_along, sum_along
from .dims import wrap_dim, wrap_dims
from .documentation import of_two
from .dtype_checks import refuse_dtypes
from .operation import Array, Number, Operation, composite, operation
from .reduction import spread
from .small_programs import small

_PAIRS = (((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1), (1, 3)))


def _log_add(name: str, base: float) -> Operation:
    exp, log = ("exp", "log1p") if base == math.e else ("exp2", "log1p")

    def forward(xp: Any, input: Array, other: Array) -> Any:
        largest = xp.maximum(input, other)
        smaller = getattr(xp, exp)(-xp.abs(input - other))
        tail = getattr(xp, log)(smaller)
        total = largest + (tail if base == math.e else tail * (1 / math.log(base)))
        # equal infinities have no difference
        return xp.where(xp.logical_and(xp.eq(input, other), xp.isinf(input)), input, total)

    what = "exp(input) + exp(other)" if base == math.e else "2 ** input + 2 ** other"
    forward.__doc__ = of_two(f"The logarithm of ``{what}``, to the same base.", numbers=False)
    defined = Operation(forward, name=name, promote="number", dtypes="inexact", samples=_PAIRS)

    @defined.vjp("input")
    def _(xp: Any, grad: Any, input: Any, other: Any) -> Any:
        return grad / (getattr(xp, exp)(other - input) + 1)

    @defined.vjp("other")
    def _(xp: Any, grad: Any, input: Any, other: Any) -> Any:
        return grad / (getattr(xp, exp)(input - other) + 1)

    return defined


logaddexp = _log_add("logaddexp", math.e)
logaddexp2 = _log_add("logaddexp2", 2.0)


@operation(promote="float", dtypes="inexact", inplace=True, domain=(0.2, 2.0), samples=_PAIRS)
def xlogy(xp, input: Array | Number, other: Array | Number):
    """``input * log(other)``; 0 where ``input`` is 0 (and ``other`` is not NaN).

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype, or for integers and bools the default one.
    """
    product = input * xp.log(_array(xp, other, input))
    zero = xp.logical_and(xp.eq(input, 0), xp.logical_not(xp.isnan(_array(xp, other, input))))
    return xp.where(zero, 0.0, product)


def _array(xp: Any, x: Any, like: Any) -> Any:
    """``x``, or an array of it if it is a number."""
    return x if hasattr(x, "shape") else xp.full((), x, xp.dtype(like))


@xlogy.vjp("input")
def _(xp, grad, input, other):
    other = _array(xp, other, grad)
    dead = xp.logical_and(xp.eq(input, 0), xp.le(other, 0))
    return xp.where(dead, 0.0, grad * xp.log(other))


@xlogy.vjp("other")
def _(xp, grad, input, other):
    return grad * (input / other)


@operation(promote="float", dtypes="inexact", public=False, method=False, name="xlog1py",
           node_name="SpecialXlog1PyBackward0", domain=(-0.5, 2.0), samples=_PAIRS)  # fmt: skip
def xlog1py(xp, input: Array | Number, other: Array | Number):
    """``input * log1p(other)``; 0 where ``input`` is 0 (and ``other`` is not NaN).

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype, or for integers and bools the default one.
    """
    other = _array(xp, other, input)
    zero = xp.logical_and(xp.eq(input, 0), xp.logical_not(xp.isnan(other)))
    return xp.where(zero, 0.0, input * xp.log1p(other))


@xlog1py.vjp("input")
def _(xp, grad, input, other):
    other = _array(xp, other, grad)
    dead = xp.logical_and(xp.eq(input, 0), xp.le(other, -1))
    return xp.where(dead, 0.0, grad * xp.log1p(other))


@xlog1py.vjp("other")
def _(xp, grad, input, other):
    return grad * (input / (other + 1))


@operation(promote="float", dtypes="inexact", inplace=True, samples=(((3, 4),), ((),)))
def sinc(xp, input: Array):
    """``sin(pi x) / (pi x)``; 1 at 0.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    zero = xp.eq(input, 0)
    angle = xp.where(zero, 1.0, input) * math.pi
    return xp.where(zero, 1.0, xp.sin(angle) / angle)


@sinc.vjp("input")
def _(xp, grad, input):
    zero = xp.eq(input, 0)
    safe = xp.where(zero, 1.0, input)
    angle = safe * math.pi
    slope = (xp.cos(angle) - xp.sin(angle) / angle) / safe
    return grad * xp.where(zero, 0.0, slope)


@operation(promote="float", dtypes="inexact", inplace=True, domain=(0.1, 0.9),
           samples=(((3, 4),), ((3, 4), 0.3)))  # fmt: skip
def logit(xp, input: Array, eps: float | None = None):
    """``log(x / (1 - x))``, of x first clamped to [eps, 1 - eps] if ``eps`` is given.

    Args:
        input: (*), any shape; outside [0, 1] the result is NaN without ``eps``.
        eps: None, or how far from 0 and 1 to stay.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    if eps is not None:
        input = xp.minimum(xp.maximum(input, eps), 1 - eps)
    return xp.log(input / (1 - input))


@logit.vjp("input")
def _(xp, grad, input, eps):
    low, high = (0.0, 1.0) if eps is None else (eps, 1 - eps)
    inside = xp.logical_and(xp.ge(input, low), xp.le(input, high))
    slope = grad / (input * (1 - input))
    return xp.where(inside, slope, math.nan if eps is None else 0.0)


# -- over a dim -------------------------------------------------------------------------------


@operation(promote="float", dtypes="inexact", name="logsumexp",
           samples=(((3, 4), 1), ((3, 4), (0, 1), True), ((2, 3), 0)))  # fmt: skip
def logsumexp(xp, input: Array, dim: Any, keepdim: bool = False):
    """The logarithm of the sum of exponentials over ``dim``, without overflow on the way.

    Args:
        input: (*), any shape.
        dim: an int or several; none, or (): all.
        keepdim: whether the summed dims stay, with size 1.

    Returns:
        The shape without ``dim``; ``input``'s dtype, or for whole numbers the default one; -inf
        where nothing is summed.
    """
    dims = wrap_dims(dim, input.ndim)
    if not math.prod(input.shape):
        return xp.log(xp.sum(xp.exp(input), dims, keepdim))
    largest = xp.amax(input, dims, True)
    largest = xp.where(xp.isinf(largest), 0.0, largest)
    total = xp.log(xp.sum(xp.exp(input - largest), dims, True)) + largest
    if keepdim:
        return total
    gone = range(input.ndim) if dims is None else dims
    return xp.reshape(total, tuple(n for i, n in enumerate(input.shape) if i not in gone))


@logsumexp.kernel
def _(input, dim, keepdim=False):
    if dim.__class__ is int and 0 < input.size < 1024 and input.ndim and input.dtype.char in "fd":
        dim = wrap_dim(dim, input.ndim)
        if dim == 1 and small_rows.are_few(input):
            found = small_rows.logsumexp(input)
            if found is not None:
                return found.reshape(-1, 1) if keepdim else found
        largest = maximum_along(input, dim, None, None, True)
        if math.isfinite(largest.reshape(-1).dot(ones(largest.size, largest.dtype))):
            shares = input - largest
            np.exp(shares, shares)
            total = sum_along(shares, dim)
            np.log(total, total)
            total += largest
            shape = input.shape
            return total if keepdim else total.reshape(shape[:dim] + shape[dim + 1 :])
    return logsumexp.forward(numpy, input, dim, keepdim)


@logsumexp.vjp("input")
def _(xp, grad, input, out, dim, keepdim):
    shape = tuple(input.shape)
    whole = spread(xp, out, shape, dim, keepdim)
    share = xp.exp(input - whole)
    # a sum that is infinite has no shares: x - x is NaN there
    share = xp.where(xp.isnan(share), xp.astype(xp.eq(input, whole), xp.dtype(grad)), share)
    return spread(xp, grad, shape, dim, keepdim) * share


@logsumexp.vjp_kernel("input")
def _(grad, input, out, dim, keepdim):
    if dim.__class__ is int and 0 < out.size < 1024 and input.ndim:
        if math.isfinite(out.reshape(-1).dot(ones(out.size, out.dtype))):
            dim = wrap_dim(dim, input.ndim)
            shape = (*input.shape[:dim], 1, *input.shape[dim + 1 :])
            share = input - out.reshape(shape)
            np.exp(share, share)
            share *= grad.reshape(shape)
            return share
    return logsumexp.vjps[0].function(numpy, grad, input, out, dim, keepdim)


small(logsumexp, 3, 3)


@operation(dtypes="inexact", samples=(((3, 4), 1), ((3, 4), 0), ((), 0), ("complex", 1)))
def logcumsumexp(xp, input: Array, dim: int):
    """The logarithms of the running sums of exponentials along ``dim``.

    Args:
        input: (*), any shape.
        dim: an int.

    Returns:
        (*), of ``input``'s dtype.
    """
    if input.ndim == 0:
        wrap_dim(dim, 0)
        return xp.copy(input)
    wrapped = wrap_dim(dim, input.ndim)
    n = input.shape[wrapped]
    if not math.prod(input.shape):
        return xp.copy(input)
    head = (slice(None),) * wrapped
    total = xp.slice(input, (*head, slice(0, 1)))
    totals = [total]
    for i in range(1, n):
        item = xp.slice(input, (*head, slice(i, i + 1)))
        if xp.dtype(input).kind == "c":
            less = xp.lt(xp.real(total), xp.real(item))
            largest, smaller = xp.where(less, item, total), xp.where(less, total, item)
            totals.append(largest + xp.log(xp.exp(smaller - largest) + 1))
            total = totals[-1]
            continue
        largest = xp.maximum(total, item)
        tail = xp.log1p(xp.exp(-xp.abs(total - item)))
        same = xp.logical_and(xp.eq(total, item), xp.isinf(item))
        total = xp.where(same, item, largest + tail)
        totals.append(total)
    return xp.cat(totals, wrapped)


@logcumsumexp.kernel
def _(input, dim):
    if input.ndim == 0:
        wrap_dim(dim, 0)
        return input.copy()
    if input.dtype.kind == "c":
        return logcumsumexp.forward(numpy, input, dim)
    return np.logaddexp.accumulate(input, axis=wrap_dim(dim, input.ndim))


@logcumsumexp.vjp("input")
def _(xp, grad, input, out, dim):
    if input.ndim == 0:
        return grad
    wrapped = wrap_dim(dim, input.ndim)
    # out[j] has the share exp(input[i] - out[j]) of input[i], for i <= j: sum over those j, each
    # term of the order of its gradient whatever the size of the exponentials
    n = input.shape[wrapped]
    head = (slice(None),) * wrapped
    pieces = []
    for i in range(n):
        item = xp.slice(input, (*head, slice(i, i + 1)))
        share = xp.exp(item - xp.slice(out, (*head, slice(i, n))))
        part = xp.slice(grad, (*head, slice(i, n)))
        pieces.append(xp.sum(share * part, (wrapped,), True))
    return xp.cat(pieces, wrapped) if pieces else grad


@composite(out=True)
def mvlgamma(input: Any, p: int) -> Any:
    """The multivariate log-gamma function of dimension ``p``.

    Args:
        input: (*), any shape, above ``(p - 1) / 2``.
        p: at least 1.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.

    Raises:
        RuntimeError: ``p`` is below 1.
        NotImplementedError: ``input`` is complex.
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    refuse_dtypes("lgamma", (input,))
    if not input.is_floating_point():
        input = input.to(dtypes.get_default_dtype())
    constant = p * (p - 1) / 4 * math.log(math.pi)
    total = input.lgamma()
    for j in range(1, p):
        total = total + (input - j / 2).lgamma()
    return total + constant
