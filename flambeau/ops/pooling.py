"""Maxima over windows.

Source: https://pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..namespaces import numpy
from ..namespaces import numpy_pooling as kernels
from ..namespaces import numpy_small_windows as few
from . import native
from .operation import Array, composite, operation
from .pooling_windows import pool_arguments
from .small_programs import small

_SAMPLES = (
    ((2, 3, 6), (2,), (2,), (0,), (1,), (3,)),
    ((2, 5, 6), (3, 2), (2, 2), (1, 0), (1, 1), (3, 3)),
    ((1, 2, 7, 7), (2, 2), (2, 1), (0, 1), (2, 2), (3, 7)),
    ((1, 2, 4, 4, 4), (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1), (2, 2, 2)),
)


@operation(dtypes="number", public=False, method=False, out=False, name="max_pool_indices",
           samples=_SAMPLES)  # fmt: skip
def max_pool_indices(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
):
    """The place of each window's maximum in the flattened last dims."""
    return xp.max_pool_indices(input, kernel, stride, padding, dilation, size)


def _best(xp: Any, input: Any, *window: Any) -> tuple[Any, Any]:
    """The maxima, and their places among the flattened spatial elements."""
    *_, size = window
    indices = xp.max_pool_indices(input, *window)
    return _picked(xp, input, indices, len(size)), indices


def _flattened(xp: Any, x: Any, dims: int) -> Any:
    return xp.reshape(x, (*x.shape[:-dims], prod(x.shape[-dims:])))


def _picked(xp: Any, input: Any, indices: Any, dims: int) -> Any:
    flat, places = _flattened(xp, input, dims), _flattened(xp, indices, dims)
    return xp.reshape(xp.gather(flat, flat.ndim - 1, places), tuple(indices.shape))


def _put(xp: Any, grad: Any, indices: Any, shape: Any, dims: int) -> Any:
    """``grad`` added up at the places that ``indices`` name."""
    shape = tuple(shape)
    zeros = xp.full((*shape[:-dims], prod(shape[-dims:])), 0, xp.dtype(grad))
    flat, places = _flattened(xp, grad, dims), _flattened(xp, indices, dims)
    return xp.reshape(xp.scatter_add(zeros, zeros.ndim - 1, places, flat), shape)


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True, name="max_pool",
           node_name="MaxPool2DWithIndicesBackward0", samples=_SAMPLES)  # fmt: skip
def max_pool(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
):
    """The maximum over windows of the last dims."""
    return _best(xp, input, kernel, stride, padding, dilation, size)


@max_pool.vjp("input")
def _(xp, grad, input, kernel, stride, padding, dilation, size, aux):
    return _put(xp, grad, aux, input.shape, len(kernel))


@max_pool.kernel
def _(input, kernel, stride, padding, dilation, size):
    window = (kernel, stride, padding, dilation, size)
    if 0 < input.size < few.FEW:
        found = few.max_pool_few(input, *window)
        if found is not None:
            return found

    def on_numpy() -> Any:
        tiled = kernels.max_pool_tiles(input, *window)
        return kernels.max_pool(input, *window) if tiled is None else tiled

    if input.size < _MANY or input.dtype.char not in "fd":
        return on_numpy()
    took = input.size * (_TILE_SECONDS if tuple(kernel) == tuple(stride) else _WINDOW_SECONDS)
    return native.call("max_pool", _maxima, (input, *window), took, on_numpy)


@max_pool.vjp_kernel("input")
def _(grad, input, kernel, stride, padding, dilation, size, aux):
    if aux is None:
        # the program looks the maxima up again: quicker than to write and read their places
        arguments = (grad, input, kernel, stride, padding, dilation, size)
        return native.call(
            "max_pool backward", _maxima_gradient, arguments, native.WORTH,
            lambda: _maxima_gradient(numpy, *arguments),
        )  # fmt: skip
    if aux.__class__ is list:
        return few.max_pool_few_gradient(grad, input.shape, aux)
    if type(aux) is tuple:
        return kernels.max_pool_tiles_gradient(grad, input.shape, kernel, aux)
    return kernels.max_pool_gradient(grad, input.shape, aux, len(kernel))


small(max_pool, 2.5, 2.5)

_MANY = 1 << 14
"""Elements from which on a compiled program is worth its call."""

_TILE_SECONDS, _WINDOW_SECONDS = 2e-9, 14e-9
"""What an element takes on NumPy, forward and backward: in tiles, in windows that overlap."""


def _maxima(xp: Any, input: Any, *window: Any) -> Any:
    """The maxima, and no aux: the gradient begins with the input."""
    return [_best(xp, input, *window)[0], None]


def _maxima_gradient(xp: Any, grad: Any, input: Any, *window: Any) -> Any:
    """The gradient for the input, which has still the elements that the maxima were found among."""
    indices = xp.max_pool_indices(input, *window)
    return _put(xp, grad, indices, input.shape, len(window[-1]))


@operation(dtypes="number", public=False, method=False, out=False, name="max_pool_with_indices",
           node_name="MaxPool2DWithIndicesBackward0", outputs=("output", "indices"),
           differentiable=(True, False), aux=True, samples=_SAMPLES)  # fmt: skip
def max_pool_with_indices(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
):
    """The maximum over windows of the last dims, and its place in the flattened last dims."""
    values, indices = _best(xp, input, kernel, stride, padding, dilation, size)
    return values, indices, indices


@max_pool_with_indices.vjp("input")
def _(xp, grad, input_shape, kernel, aux):
    return _put(xp, grad, aux, input_shape, len(kernel))


def _max_name(node: Any) -> str:
    dims = len(node.kernel)
    return "SqueezeBackward1" if dims == 1 else f"MaxPool{dims}DWithIndicesBackward0"


max_pool.naming = max_pool_with_indices.naming = _max_name


_MAX_NAMES = ("", "max_pool1d", "max_pool2d", "max_pool3d")


def _max_pool(dims: int, input: Any, *options: Any, return_indices: bool = False) -> Any:
    window = pool_arguments(_MAX_NAMES[dims], dims, input, *options)
    if not return_indices and input._array.dtype.kind in "fV":
        return max_pool.function(input, *window)
    found = max_pool_with_indices(input, *window)
    return tuple(found) if return_indices else found[0]


@composite(method=False)
def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over windows along the last dim.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        padding: elements of minus infinity added on both sides, at most half the window.
        dilation: distance between the elements of a window.
        ceil_mode: whether a last, incomplete window counts.

    Returns:
        (N, C, L_out) or (C, L_out).

    Raises:
        RuntimeError: another number of dims, or windows that do not fit.
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(method=False)
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over windows of the last two dims.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size, stride, padding, dilation: see :func:`max_pool1d`; one number or a pair.
        ceil_mode: whether a last, incomplete window counts.

    Returns:
        (N, C, H_out, W_out) or without N.

    Raises:
        RuntimeError: another number of dims, or windows that do not fit.
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(method=False)
def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over windows of the last three dims.

    Args:
        input: (N, C, D, H, W) or (C, D, H, W).
        kernel_size, stride, padding, dilation: see :func:`max_pool1d`; one number or a triple.
        ceil_mode: whether a last, incomplete window counts.

    Returns:
        (N, C, D_out, H_out, W_out) or without N.

    Raises:
        RuntimeError: another number of dims, or windows that do not fit.
    """
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(method=False)
def max_pool1d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """:func:`max_pool1d`, and the places of the maxima along the last dim.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size, stride, padding, dilation, ceil_mode: see :func:`max_pool1d`.

    Returns:
        A pair: the maxima (N, C, L_out) or (C, L_out), and their places, int64.

    Raises:
        RuntimeError: another number of dims, or windows that do not fit.
    """
    return _max_pool(
        1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )


def max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """:func:`max_pool2d`, and the places of the maxima in the flattened last two dims."""
    return _max_pool(
        2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )


def max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """:func:`max_pool3d`, and the places of the maxima in the flattened last three dims."""
    return _max_pool(
        3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )
