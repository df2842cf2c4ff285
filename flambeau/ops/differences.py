"""Differences, slopes and integrals of samples; covariances; sums that pass over NaN.

Source: https://pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .dims import as_ints, wrap_dim
from .operation import composite
from .shape import cat


def _part(input: Any, dim: int, start: int | None, stop: int | None) -> Any:
    return input[(*(slice(None),) * dim, slice(start, stop))]


@composite(out=True)
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The ``n``-th differences of neighbours along ``dim``.

    Args:
        input: (*), at least one dim.
        n: how many times; 0: a copy of ``input``.
        dim: along which.
        prepend, append: entries put in front of or behind ``input`` first.

    Returns:
        ``input``'s shape with ``dim`` smaller by ``n`` (0 at least), of its dtype; of bools whether
        neighbours differ.

    Raises:
        RuntimeError: ``input`` has no dims, or ``n`` is negative.
        IndexError: ``input`` has no dim ``dim``.
    """
    if not input._array.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = wrap_dim(dim, input._array.ndim)
    if n == 0:
        return input.clone()
    parts = [p for p in (prepend, input, append) if p is not None]
    joined = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, joined._array.shape[dim])):
        later, earlier = _part(joined, dim, 1, None), _part(joined, dim, None, -1)
        joined = later ^ earlier if joined.dtype is dtypes.bool else later - earlier
    return joined


@composite(method=False)
def gradient(
    input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Any, ...]:
    """The slopes along each of ``dim`` (all by default), by central differences.

    Args:
        input: samples of a function at the points of a grid.
        spacing: the distance of neighbours, one per dim, or a vector of coordinates per dim.
        dim: an int or several.
        edge_order: 1 or 2, the order of the one-sided differences at the ends.

    Returns:
        A tuple of one tensor of ``input``'s shape for each dim, floating-point or complex.

    Raises:
        RuntimeError: a dim is named twice or has fewer than ``edge_order + 1`` entries, another
            ``edge_order``, or ``spacing`` of another number than the dims.
    """
    from ..tensor import Tensor

    ndim = input._array.ndim
    spacing = 1 if spacing is None else spacing
    dims = range(ndim) if dim is None else [wrap_dim(d, ndim) for d in as_ints(dim, "dim")]
    for place, d in enumerate(dims):
        if d in dims[:place]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    given = isinstance(spacing, (tuple, list))
    spacings: Sequence[Any] = spacing if given else [spacing] * len(dims)
    if len(spacings) != len(dims):
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or a list of length equal "
            f"to the number of dims, but got a list of length {len(spacings)}"
        )
    found = []
    for d, step in zip(dims, spacings):
        n = input._array.shape[d]
        if n < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
        if isinstance(step, Tensor) and step._array.ndim:
            found.append(_slopes(input, d, step, edge_order))
        else:
            distance = step.item() if isinstance(step, Tensor) else step
            found.append(_even_slopes(input, d, distance, edge_order))
    return tuple(found)


def _even_slopes(input: Any, dim: int, step: float, edge_order: int) -> Any:
    def at(i: int, j: int | None = None) -> Any:
        return _part(input, dim, i, j)

    middle = (at(2) - at(0, -2)) / (2 * step)
    if edge_order == 1:
        first = (at(1, 2) - at(0, 1)) / step
        last = (at(-1) - at(-2, -1)) / step
    else:
        first = (at(0, 1) * -1.5 + at(1, 2) * 2 - at(2, 3) * 0.5) / step
        last = (at(-1) * 1.5 - at(-2, -1) * 2 + at(-3, -2) * 0.5) / step
    return cat([first, middle, last], dim)


def _slopes(input: Any, dim: int, places: Any, edge_order: int) -> Any:
    shape = [1] * input._array.ndim
    shape[dim] = -1
    steps = diff(places)
    if not steps.is_floating_point():
        steps = steps.to(dtypes.get_default_dtype())
    before, after = steps[:-1].reshape(tuple(shape)), steps[1:].reshape(tuple(shape))

    def at(i: int, j: int | None = None) -> Any:
        return _part(input, dim, i, j)

    middle = (
        -after / (before * (before + after)) * at(0, -2)
        + (after - before) / (before * after) * at(1, -1)
        + before / (after * (before + after)) * at(2)
    )
    if edge_order == 1:
        first = (at(1, 2) - at(0, 1)) / steps[0]
        last = (at(-1) - at(-2, -1)) / steps[-1]
    else:
        a, b = steps[0], steps[1]
        first = (
            -(2 * a + b) / (a * (a + b)) * at(0, 1)
            + (a + b) / (a * b) * at(1, 2)
            - a / (b * (a + b)) * at(2, 3)
        )
        a, b = steps[-2], steps[-1]
        last = (
            b / (a * (a + b)) * at(-3, -2)
            - (b + a) / (a * b) * at(-2, -1)
            + (2 * b + a) / (b * (a + b)) * at(-1)
        )
    return cat([first, middle, last], dim)


# -- integrals --------------------------------------------------------------------------------


def _areas(name: str, y: Any, x: Any, dx: float | None, dim: int) -> tuple[Any, int]:
    """The area under each pair of neighbours along ``dim``."""
    from ..tensor import Tensor

    if not y._array.ndim:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    dim = wrap_dim(dim, y._array.ndim)
    if isinstance(x, Tensor):
        if x._array.ndim == 1 and x._array.shape[0] != y._array.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        if x._array.ndim == 1 and y._array.ndim > 1:
            shape = [1] * y._array.ndim
            shape[dim] = -1
            x = x.reshape(tuple(shape))
        along = dim - y._array.ndim + x._array.ndim
        widths: Any = diff(x, dim=along)
    else:
        widths = 1 if dx is None else dx
    heights = _part(y, dim, 1, None) + _part(y, dim, None, -1)
    areas = heights * widths / 2
    return areas, dim - y._array.ndim + areas._array.ndim


@composite(method=False)
def trapezoid(y: Any, x: Any = None, *, dx: float | None = None, dim: int = -1) -> Any:
    """The integral of samples ``y`` at the places ``x`` (or ``dx`` apart) by trapezoids.

    Args:
        y: (*), at least one dim.
        x: (n,), one place for each entry along ``dim``, or of a shape that broadcasts with ``y``.
        dx: the distance of neighbours; 1.
        dim: along which.

    Returns:
        The shape of ``y`` without ``dim``, floating-point or complex.

    Raises:
        RuntimeError: ``x`` has another length.
        IndexError: ``y`` has no dim ``dim``.
    """
    areas, along = _areas("trapezoid", y, x, dx, dim)
    return areas.sum(along)


@composite(method=False)
def trapz(y: Any, x: Any = None, *, dx: float | None = None, dim: int = -1) -> Any:
    """The integral of samples by trapezoids; see :func:`trapezoid`.

    Args:
        y: (*), at least one dim.
        x: (n,), one place for each entry along ``dim``, or of a shape that broadcasts with ``y``.
        dx: the distance of neighbours; 1.
        dim: along which.

    Returns:
        The shape of ``y`` without ``dim``, floating-point or complex.
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@composite(method=False)
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float | None = None, dim: int = -1) -> Any:
    """The running integral of samples by trapezoids; see :func:`trapezoid`.

    Args:
        y: (*), at least one dim.
        x: (n,), one place for each entry along ``dim``, or of a shape that broadcasts with ``y``.
        dx: the distance of neighbours; 1.
        dim: along which.

    Returns:
        The shape of ``y``, with one entry less along ``dim``.

    Raises:
        RuntimeError: ``x`` has another length.
        IndexError: ``y`` has no dim ``dim``.
    """
    areas, along = _areas("cumulative_trapezoid", y, x, dx, dim)
    return areas.cumsum(along)


# -- sums that pass over NaN ------------------------------------------------------------------


@composite(out=True)
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum over ``dim`` of the elements that are not NaN.

    Args:
        input: (*), any shape.
        dim: an int, several, or None for all.
        keepdim: whether these dims stay, with size 1.
        dtype: of the result; ``input``'s by default, for integers and bools int64.

    Returns:
        The shape without ``dim``.

    Raises:
        RuntimeError: ``input`` is complex.
        IndexError: ``input`` has no such dim.
    """
    if input.is_complex():
        raise RuntimeError("nansum on CPU does not support complex inputs")
    if input.is_floating_point():
        input = input.masked_fill(input.isnan(), 0)
    return input.sum(dim, keepdim, dtype=dtype)


@composite(out=True)
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over ``dim`` of the elements that are not NaN.

    Args:
        input: (*), any shape, floating-point.
        dim: an int, several, or None for all.
        keepdim: whether these dims stay, with size 1.
        dtype: of the result; ``input``'s by default.

    Returns:
        The shape without ``dim``; NaN where all are.

    Raises:
        RuntimeError: ``input`` is not floating-point.
        IndexError: ``input`` has no such dim.
    """
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input.dtype}"
        )
    there = input.detach().isnan().logical_not().sum(dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / there


# -- covariances ------------------------------------------------------------------------------


@composite
def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariances of the variables in the rows, over the observations in the columns.

    Args:
        input: (v, n), or (n,) for one variable.
        correction: taken from the number of observations before dividing by it.
        fweights: (n,), how often each observation was made (whole numbers).
        aweights: (n,), how much each observation counts.

    Returns:
        (v, v), or without dims for one variable; ``input``'s dtype, or for integers the default.

    Raises:
        RuntimeError: ``input`` has more than two dims or is bool, or weights have another size or
            dtype, or are negative.
    """
    if input._array.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input._array.ndim} dimensions"
        )
    if input.dtype is dtypes.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    _check_weights(input, fweights, aweights)
    rows = input if input._array.ndim == 2 else input.reshape((1, -1))
    if not rows.is_floating_point() and not rows.is_complex():
        rows = rows.to(dtypes.get_default_dtype())
    count = rows._array.shape[1]
    weights = None
    for given in (fweights, aweights):
        if given is not None:
            weights = given if weights is None else weights * given
    if weights is None:
        centred = rows - rows.sum(1, True) / count
        weighted, total = centred, float(count)
        free: Any = total - correction
    else:
        total_ = weights.sum()
        centred = rows - (rows * weights).sum(1, True) / total_
        weighted = centred * weights
        free = total_ - correction
        if aweights is not None and correction != 0:
            free = total_ - correction * (weights * aweights).sum() / total_
        free = free.clamp(min=0)
    if not hasattr(free, "_array"):
        free = rows.new_tensor(max(free, 0.0))
    turned = centred.t().conj() if centred.is_complex() else centred.t()
    return (weighted @ turned / free).squeeze()


def _check_weights(input: Any, fweights: Any, aweights: Any) -> None:
    """Raise what PyTorch raises for weights of observations that do not fit."""
    from .dtype_checks import type_word

    shape = input._array.shape
    observations = shape[-1] if shape else 1
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is None:
            continue
        array = weights._array
        if array.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{array.ndim} dimensions"
            )
        kinds, wanted = ("iu", "integral") if name == "fweights" else ("fV", "floating point")
        if array.dtype.kind not in kinds:
            raise RuntimeError(
                f"cov(): expected {name} to have {wanted} dtype but got {name} with "
                f"{type_word(array)} dtype"
            )
        if math.prod(array.shape) != observations:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {math.prod(array.shape)} != {observations}"
            )
        if isinstance(array, np.ndarray) and array.size and array.min() < 0:
            raise RuntimeError(f"cov(): {name} cannot be negative")


@composite
def corrcoef(input: Any) -> Any:
    """The correlation coefficients, from -1 to 1, of the variables in the rows of ``input``.

    Args:
        input: (v, n), or (n,) for one variable.

    Returns:
        (v, v), or without dims for one variable; ``input``'s dtype, or for integers the default.

    Raises:
        RuntimeError: ``input`` has more than two dims.
    """
    if input._array.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input._array.ndim} dimensions"
        )
    found = cov(input)
    if not found._array.ndim:
        return found / found
    deviations = found.diagonal().sqrt()
    return (found / deviations.unsqueeze(1) / deviations.unsqueeze(0)).clamp(-1, 1)


@composite(out=True)
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """A copy with entries along ``dim`` of more than ``maxnorm`` in ``p``-norm scaled down to it.

    Args:
        input: (*), at least two dims.
        p: above 0.
        dim: along which the entries lie.
        maxnorm: at least 0.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``input`` has fewer dims, ``p`` is not positive, or ``maxnorm`` is negative.
    """
    ndim = input._array.ndim
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    if p <= 0:
        raise RuntimeError("renorm: non-positive norm not supported")
    if maxnorm < 0:
        raise RuntimeError("renorm: expected maxnorm to be >= 0 but got " + str(maxnorm))
    dim = wrap_dim(dim, ndim)
    others = tuple(d for d in range(ndim) if d != dim)
    norms = input.norm(p, others, True)
    scale = (norms > maxnorm) * (maxnorm / (norms + 1e-7) - 1) + 1
    return input * scale
