"""Reductions: sums, means, extremes, over some dims or all.

Source: https://pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .dims import wrap_dim, wrap_dims
from .documentation import written
from .operation import Array, Operation, operation
from .small_programs import small

_KEEPDIM = "        keepdim: whether these dims stay, with size 1."
_SAMPLES = (((3, 4),), ((3, 4), 1), ((2, 3, 4), (0, 2), True), ((),))


def spread(xp: Any, grad: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """``grad`` of a reduction, repeated over the dims that were reduced."""
    if not keepdim and (dim is not None and dim != ()):
        grad = xp.reshape(grad, _kept(shape, dim))
    return xp.expand(grad, tuple(shape))


def _kept(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    dims = wrap_dims(dim, len(shape))
    return tuple(1 if dims is None or i in dims else n for i, n in enumerate(shape))


def _count(shape: Any, dim: Any) -> int:
    if dim is None:
        return math.prod(shape)
    dims = wrap_dims(dim, len(shape))
    count = 1
    for i, n in enumerate(shape):
        if dims is None or i in dims:
            count *= n
    return count


@operation(dtypes="inexact", samples=_SAMPLES)
def sum(xp, input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None):
    """The sum over ``dim`` (an int, several, or None for all).

    Args:
        input: (*), any shape.
        dim: over which.
        keepdim: whether these dims stay, with size 1.
        dtype: to which ``input`` is converted first.

    Returns:
        shape of ``input`` without the dims, or with size 1 there if ``keepdim``; of ``dtype``, or
        ``input``'s dtype (for integers and bools int64).

    Raises:
        IndexError: ``input`` has no such dim.
    """
    if dtype is not None:
        input = xp.astype(input, dtype.numpy)
    elif xp.dtype(input).kind in "iub":
        input = xp.astype(input, np.dtype(np.int64))
    return xp.sum(input, wrap_dims(dim, input.ndim), keepdim)


@sum.vjp("input")
def _(xp, grad, input_shape, dim, keepdim, dtype, input_dtype):
    grad = spread(xp, grad, input_shape, dim, keepdim)
    return grad if dtype is None else xp.astype(grad, input_dtype)


small(sum, 1.2, 1.2)


@operation(dtypes="inexact", samples=_SAMPLES)
def mean(xp, input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None):
    """The mean over ``dim`` (an int, several, or None for all).

    Args:
        input: (*), any shape.
        dim: over which.
        keepdim: whether these dims stay, with size 1.
        dtype: to which ``input`` is converted first.

    Returns:
        The shape without ``dim``, of ``input``'s dtype or ``dtype``; NaN over no elements.

    Raises:
        RuntimeError: ``input`` is neither floating-point nor complex, and no dtype is given.
        IndexError: ``input`` has no such dim.
    """
    if dtype is not None:
        if dtype._kind < dtypes.FLOATING:
            raise ValueError("a whole number's dtype")  # `checked` says it in words
        input = xp.astype(input, dtype.numpy)
    total = xp.sum(input, wrap_dims(dim, input.ndim), keepdim)
    count = _count(input.shape, dim)
    return total / count if count else total * float("nan")


@mean.vjp("input")
def _(xp, grad, input_shape, dim, keepdim, dtype, input_dtype):
    count = _count(input_shape, dim)
    grad = spread(xp, grad / count if count else grad, input_shape, dim, keepdim)
    return grad if dtype is None else xp.astype(grad, input_dtype)


small(mean, 1.2, 1.2)


@mean.checked
def _(input, dim, keepdim, dtype):
    found = dtype if dtype is not None else dtypes.from_numpy_dtype(input.dtype)
    if not (found.is_floating_point or found.is_complex):
        from ..tensor.views import _type_word

        what = "Input dtype" if dtype is None else "Optional dtype"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {what} must be either a floating point or "
            f"complex dtype. Got: {_type_word(found)}"
        )


@operation(dtypes="inexact", method=False, public=False,
           samples=(((2, 3), None), ((2, 3), 1), ((2, 3, 2), (1,), True)))  # fmt: skip
def prod_dims(xp, input: Array, dim: Any = None, keepdim: bool = False):
    """The product over ``dim``."""
    return xp.prod(input, wrap_dims(dim, input.ndim), keepdim)


@prod_dims.vjp("input")
def _(xp, grad, input, dim, keepdim):
    dims = wrap_dims(dim, input.ndim)
    dims = tuple(range(input.ndim)) if dims is None else dims
    grad = spread(xp, grad, input.shape, dims, keepdim)
    return grad * _products_of_others(xp, input, dims)


def _products_of_others(xp: Any, input: Any, dims: tuple[int, ...]) -> Any:
    """For each element the product of all others along ``dims``, zeros among them or not."""
    if not dims:
        return xp.full(tuple(input.shape), 1, xp.dtype(input))
    rest = tuple(i for i in range(input.ndim) if i not in dims)
    order = rest + dims
    moved = xp.permute(input, order)
    shape = tuple(moved.shape)
    n = math.prod(shape[len(rest) :])
    flat = xp.reshape(moved, (*shape[: len(rest)], n))
    last = flat.ndim - 1
    if n <= 1:
        return xp.full(tuple(input.shape), 1, xp.dtype(input))
    head = (slice(None),) * last
    one = xp.full((*flat.shape[:-1], 1), 1, xp.dtype(input))
    before = xp.cat([one, xp.cumprod(xp.slice(flat, (*head, slice(0, n - 1))), last)], last)
    turned = xp.flip(flat, (last,))
    after = xp.cat([one, xp.cumprod(xp.slice(turned, (*head, slice(0, n - 1))), last)], last)
    others = xp.reshape(before * xp.flip(after, (last,)), shape)
    return xp.permute(others, tuple(order.index(i) for i in range(input.ndim)))


def _extreme(name: str, primitive: str, doc: str) -> Operation:
    def forward(xp: Any, input: Array, dim: Any = (), keepdim: bool = False) -> Any:
        return getattr(xp, primitive)(input, wrap_dims(dim, input.ndim), keepdim)

    forward.__doc__ = written(
        doc,
        f"input: (*), any shape.\n        dim: an int or several; (): all.\n{_KEEPDIM}",
        "The shape without ``dim``, ``input``'s dtype.",
        "RuntimeError: there are no elements and no ``dim``.\n"
        "        IndexError: a dim has size 0, or is not there.",
    )
    defined = Operation(
        forward, name=name, dtypes="number", samples=(((3, 4),), ((3, 4), 1), ((2, 3), (0,), True))
    )

    @defined.vjp("input")
    def _(xp: Any, grad: Any, input: Any, out: Any, dim: Any, keepdim: Any) -> Any:
        shape = tuple(input.shape)
        chosen = xp.eq(input, spread(xp, out, shape, dim, keepdim))
        share = xp.astype(chosen, xp.dtype(grad))
        dims = wrap_dims(dim, len(shape))
        return spread(xp, grad, shape, dim, keepdim) * (share / xp.sum(share, dims, True))

    @defined.checked
    def _(input: Any, dim: Any, keepdim: Any) -> None:
        require_elements(name, input, dim)

    small(defined, 1.2, 5)
    return defined


def require_elements(name: str, input: Any, dim: Any) -> None:
    """Raise for a reduction without a neutral element over a dim of size 0."""
    dims = wrap_dims(dim, input.ndim)
    for i, n in enumerate(input.shape):
        if n == 0 and (dims is None or i in dims):
            if dims is None:
                kind = IndexError if name.startswith("arg") else RuntimeError
                raise kind(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            raise IndexError(f"{name}(): Expected reduction dim {i} to have non-zero size.")


amax = _extreme("amax", "amax", "The largest element over ``dim``; equal ones share the gradient.")
amin = _extreme("amin", "amin", "The smallest element over ``dim``; equal ones share the gradient.")


def _arg_extreme(name: str, doc: str) -> Operation:
    def forward(xp: Any, input: Array, dim: int | None = None, keepdim: bool = False) -> Any:
        wrapped = None if dim is None or input.ndim == 0 else wrap_dim(dim, input.ndim)
        if input.ndim == 0:
            return xp.full((), 0, np.dtype(np.int64))
        return getattr(xp, name)(input, wrapped, keepdim)

    forward.__doc__ = written(
        doc,
        f"input: (*), any shape.\n        dim: an int; None: all, in a row.\n{_KEEPDIM}",
        "The shape without ``dim``, int64; of equal elements the first.",
        "RuntimeError: ``input`` is bool.\n"
        "        IndexError: there are no elements to choose from, or ``dim`` is not there.",
    )
    defined = Operation(
        forward, name=name, dtypes="number", samples=(((3, 4),), ((3, 4), 1), ((2, 3), 0, True))
    )

    @defined.checked
    def _(input: Any, dim: Any, keepdim: Any) -> None:
        if dim is not None:
            wrap_dim(dim, input.ndim)
        if input.dtype.kind == "b":
            raise RuntimeError(f"{name}(): does not support bool input")
        require_elements(name, input, dim)

    small(defined, 1.2, 1, most=1 << 11)
    return defined


argmax = _arg_extreme("argmax", "The index of the largest element over ``dim`` (of all if None).")
argmin = _arg_extreme("argmin", "The index of the smallest element over ``dim`` (of all if None).")


def _truth(name: str, doc: str) -> Operation:
    def forward(xp: Any, input: Array, dim: Any = None, keepdim: bool = False) -> Any:
        result = getattr(xp, name)(input, wrap_dims(dim, input.ndim), keepdim)
        return xp.astype(result, xp.dtype(input)) if xp.dtype(input) == np.uint8 else result

    forward.__doc__ = written(
        doc,
        f"input: (*), any shape.\n        dim: an int, several, or None for all.\n{_KEEPDIM}",
        f"The shape without ``dim``, bool (of uint8 uint8); {name == 'all'} over no elements.",
        "IndexError: ``input`` has no such dim.",
    )
    return Operation(forward, name=name, samples=(("bool",), ("bool", 1), ("bool", (0,), True)))


any = _truth("any", "Whether some element over ``dim`` is true (not zero).")
all = _truth("all", "Whether all elements over ``dim`` are true (not zero).")


@operation(dtypes="inexact", inplace=True, samples=(((3, 4), 1), ((3, 4), 0)))
def cumsum(xp, input: Array, dim: int, *, dtype: Any = None):
    """Running sums along ``dim``.

    Args:
        input: (*), any shape.
        dim: an int.
        dtype: to which ``input`` is converted first.

    Returns:
        (*), of ``dtype``, or ``input``'s dtype (for integers and bools int64).

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    if dtype is not None:
        input = xp.astype(input, dtype.numpy)
    elif xp.dtype(input).kind in "iub":
        input = xp.astype(input, np.dtype(np.int64))
    wrapped = wrap_dim(dim, input.ndim)
    return xp.cumsum(input, wrapped) if input.ndim else xp.copy(input)


@cumsum.vjp("input")
def _(xp, grad, input_shape, dim, dtype, input_dtype):
    if len(input_shape):
        dims = (wrap_dim(dim, len(input_shape)),)
        grad = xp.flip(xp.cumsum(xp.flip(grad, dims), dims[0]), dims)
    return grad if dtype is None else xp.astype(grad, input_dtype)


@operation(dtypes="inexact", inplace=True, samples=(((3, 4), 1),), domain=(0.5, 2))
def cumprod(xp, input: Array, dim: int, *, dtype: Any = None):
    """Running products along ``dim``.

    Args:
        input: (*), any shape.
        dim: an int.
        dtype: to which ``input`` is converted first.

    Returns:
        (*), of ``dtype``, or ``input``'s dtype (for integers and bools int64).

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    if dtype is not None:
        input = xp.astype(input, dtype.numpy)
    elif xp.dtype(input).kind in "iub":
        input = xp.astype(input, np.dtype(np.int64))
    wrapped = wrap_dim(dim, input.ndim)
    return xp.cumprod(input, wrapped) if input.ndim else xp.copy(input)


@cumprod.vjp("input")
def _(xp, grad, input, dim, dtype, input_dtype):
    if dtype is not None:
        input = xp.astype(input, dtype.numpy)
    if not math.prod(input.shape) or input.ndim == 0:
        return grad if dtype is None else xp.astype(grad, input_dtype)
    wrapped = wrap_dim(dim, input.ndim)
    n = input.shape[wrapped]
    # d out[j] / d input[i] is the product of input[0..j] without input[i], for j >= i
    pieces = []
    head = (slice(None),) * wrapped
    for i in range(n):
        rest = xp.slice(input, (*head, slice(i + 1, n)))
        shape = list(input.shape)
        shape[wrapped] = 1
        start = xp.full(tuple(shape), 1, xp.dtype(input))
        if i:
            start = xp.prod(xp.slice(input, (*head, slice(0, i))), (wrapped,), True)
        tail = xp.cumprod(xp.cat([start, rest], wrapped), wrapped)
        part = xp.slice(grad, (*head, slice(i, n)))
        pieces.append(xp.sum(part * tail, (wrapped,), True))
    grad = xp.cat(pieces, wrapped)
    return grad if dtype is None else xp.astype(grad, input_dtype)
