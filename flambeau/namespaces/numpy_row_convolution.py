"""Convolution on NumPy arrays, one row of the result at a time.

The first spatial dim's part of the kernel needs no columns of its own.  What one row of the result
(one place along that dim) is made of lies in consecutive rows of the input: where each input row is
spread over the kernel's other dims, (rows, channels * others, positions * batch), the columns of
one result row are a block of that array, and the next row's block overlaps it.  So the columns
take, and are written in, a part of the memory and time that full ones need, one for each row of
the kernel; and the gradient for the input is summed over the kernel's rows inside the products.

It pays where a row of the result is long beside the number of filters (each row's product reads all
of the weight), and the full columns are many beside it.
"""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product
from math import prod
from typing import Any

import numpy as np

from .numpy_blas import PARALLEL, dot, one_thread
from .numpy_constants import ones
from .numpy_turning import batch_first, batch_last
from .numpy_workspace import WORKSPACE

Array = Any
Sizes = tuple[int, ...]

_LONG = 256
"""Elements in a row of the result, batch included, from which on its product is quick."""

_FILTER_ELEMENTS = 4
"""Elements in a row of the result for each filter, from which on reading the weight is little."""

_COLUMNS_OF_FILTERS = 2.5
"""Rows of the full columns for each filter, from which on they take more than what is done to the
result's rows."""

_STACK_BYTES = 1 << 18
"""How much memory the weight's gradients of several rows take before they are summed."""


class RowGeometry:
    """What follows from the shapes and options of a convolution."""

    def __init__(
        self,
        channels: int,
        spatial: Sizes,
        kernel: Sizes,
        stride: Sizes,
        padding: Sizes,
        dilation: Sizes,
        size: Sizes,
    ) -> None:
        self.kernel, self.stride, self.padding, self.size = kernel, stride, padding, size
        self.dilation = dilation
        self.channels, self.spatial = channels, spatial
        self.padded = tuple(n + 2 * p for n, p in zip(spatial, padding))
        self.inner = (slice(None), *(slice(p, p + n) for p, n in zip(padding, spatial)))
        self.spread = channels * prod(kernel[1:])
        """Columns' rows for one row of the kernel."""
        self.positions = prod(size[1:])
        """Positions in a row of the result."""
        self.taps = [
            (
                (slice(None), slice(None), *tap),
                (
                    slice(None),
                    slice(None),
                    *(
                        slice(t * d, t * d + s * (n - 1) + 1, s)
                        for t, d, s, n in zip(tap, dilation[1:], stride[1:], size[1:])
                    ),
                ),
            )
            for tap in product(*map(range, kernel[1:]))
        ]
        self.sample_elements = self.padded[0] * self.spread * self.positions
        """Elements of one sample's columns."""

    @staticmethod
    def exists(kernel: Sizes, dilation: Sizes) -> bool:
        """Whether what a row of the result is made of lies in rows of the input side by side."""
        return len(kernel) > 1 and kernel[0] > 1 and dilation[0] == 1

    def suits(self, batch: int, filters: int) -> bool:
        """Whether a batch of that size is quicker row by row than with all its columns."""
        return (
            self.positions * batch >= max(_LONG, _FILTER_ELEMENTS * filters)
            and self.spread * self.kernel[0] >= _COLUMNS_OF_FILTERS * filters
        )


def _threads(multiplications: int) -> Any:
    return nullcontext() if multiplications > PARALLEL else one_thread()


def _view(array: Array, shape: Sizes, strides: Sizes) -> Array:
    """A view of a contiguous array from its beginning, quicker than `as_strided` makes it."""
    return np.ndarray(shape, array.dtype, array, 0, strides)


def _blocks(rows: Array, count: int, height: int, step: int) -> Array:
    """(count, height * c, q): blocks of ``height`` of the rows (r, c, q), ``step`` rows apart."""
    row, line, element = rows.strides
    shape = (count, height * rows.shape[1], rows.shape[2])
    return _view(rows, shape, (step * row, line, element))


def _spread_rows(x: Array, geometry: RowGeometry) -> Array:
    """The columns of each row of ``x`` (N, C, *spatial): (rows, spread, positions * N)."""
    count = x.shape[0]
    image = WORKSPACE.array("image", (geometry.channels, *geometry.padded, count), x.dtype)
    if any(geometry.padding):
        image.fill(0)
    batch_last(x, image[geometry.inner])
    shape = (geometry.padded[0], geometry.spread, geometry.positions * count)
    rows = WORKSPACE.array("columns", shape, x.dtype)
    channel, row, *others, element = image.strides
    whole = (
        geometry.padded[0], geometry.channels, *geometry.kernel[1:], *geometry.size[1:], count
    )  # fmt: skip
    strides = (
        row, channel, *(a * d for a, d in zip(others, geometry.dilation[1:])),
        *(a * s for a, s in zip(others, geometry.stride[1:])), element,
    )  # fmt: skip
    rows.reshape(whole)[...] = _view(image, whole, strides)
    return rows


def conv_rows(
    x: Array, weight: Array, bias: Array | None, geometry: RowGeometry, out: Array
) -> None:
    """Write the convolution of ``x`` (N, C, *spatial) into ``out`` (N, F, *size)."""
    filters, height = weight.shape[0], geometry.size[0]
    rows = _spread_rows(x, geometry)
    length = rows.shape[2]
    matrix = weight.reshape(filters, geometry.channels, geometry.kernel[0], -1)
    matrix = matrix.transpose(0, 2, 1, 3).reshape(filters, -1)
    result = WORKSPACE.array("result", (filters, height, length), x.dtype)
    blocks = _blocks(rows, height, geometry.kernel[0], geometry.stride[0])
    with _threads(matrix.size * length):
        np.matmul(matrix, blocks, out=result.transpose(1, 0, 2))
    if bias is not None:
        result += bias[:, None, None]
    batch_first(result.reshape(filters, *geometry.size, -1), out)


def conv_rows_gradients(
    grad: Array,
    x: Array,
    weight: Array,
    geometry: RowGeometry,
    grad_input: Array | None,
    needs_weight: bool,
    needs_bias: bool,
) -> tuple[Array | None, Array | None]:
    """The gradients of :func:`conv_rows`: that for the input is written into ``grad_input``.

    Returns:
        Those for the weight and the bias.
    """
    filters, height = weight.shape[0], geometry.size[0]
    by_filter = WORKSPACE.array("result", (filters, *geometry.size, grad.shape[0]), grad.dtype)
    batch_last(grad, by_filter)
    by_filter = by_filter.reshape(filters, height, -1)
    length = by_filter.shape[2]
    grad_weight = None
    with _threads(weight.size * length):
        if needs_weight:
            rows = _spread_rows(x, geometry)
            blocks = _blocks(rows, height, geometry.kernel[0], geometry.stride[0])
            grad_weight = _summed_products(blocks, by_filter.transpose(1, 2, 0))
            grad_weight = grad_weight.reshape(
                geometry.kernel[0], geometry.channels, *geometry.kernel[1:], filters
            )
            order = (grad_weight.ndim - 1, 1, 0, *range(2, grad_weight.ndim - 1))
            grad_weight = np.ascontiguousarray(grad_weight.transpose(order))
        if grad_input is not None:
            by_row = WORKSPACE.array("gradient rows", (height, filters, length), grad.dtype)
            by_row[...] = by_filter.transpose(1, 0, 2)
            _input_gradient(by_row, weight, geometry, grad_input)
    if not needs_bias:
        return grad_weight, None
    # a product with ones: a third of the time of NumPy's sum
    sums = dot(by_filter.reshape(filters * height, length), ones(length, grad.dtype))
    return grad_weight, np.add.reduce(sums.reshape(filters, height), 1)


def _summed_products(blocks: Array, grads: Array) -> Array:
    """The sum of the products of (n, k, q) and (n, q, f)."""
    bytes_ = blocks.shape[1] * grads.shape[2] * blocks.itemsize
    count = max(1, _STACK_BYTES // bytes_)
    total: Any = None
    for start in range(0, len(blocks), count):
        part = slice(start, start + count)
        products = np.add.reduce(np.matmul(blocks[part], grads[part]), 0)
        if total is None:
            total = products
        else:
            total += products
    return total


def _input_gradient(by_row: Array, weight: Array, geometry: RowGeometry, grad_input: Array) -> None:
    """Write the gradient for the input, from that for the result (height, F, positions * N)."""
    length, count = by_row.shape[2], grad_input.shape[0]
    rows_of_input = geometry.spatial[0]
    spread = WORKSPACE.array("columns", (rows_of_input, geometry.spread, length), by_row.dtype)
    for residue in range(geometry.stride[0]):
        _residue_rows(residue, by_row, weight, geometry, spread)
    # the kernel's other dims: each tap's part is added where it was read
    shape = (geometry.channels, rows_of_input, *geometry.padded[1:], count)
    image = WORKSPACE.array("image gradient", shape, by_row.dtype)
    image.fill(0)
    image_rows = image.swapaxes(0, 1)
    by_tap = spread.reshape(
        rows_of_input, geometry.channels, *geometry.kernel[1:], *geometry.size[1:], count
    )
    for tap, reach in geometry.taps:
        image_rows[reach] += by_tap[tap]
    batch_first(image[(slice(None), slice(None), *geometry.inner[2:])], grad_input)


def _residue_rows(
    residue: int, by_row: Array, weight: Array, geometry: RowGeometry, spread: Array
) -> None:
    """The gradients of the input's rows (padding included) ``residue + stride * m``.

    The row of ``m`` was read by the result's rows m, m - 1, ..., through one row of the kernel each
    out of those that are ``stride`` apart: one product sums over them.
    """
    step = geometry.stride[0]
    height, filters, length = by_row.shape
    # (spread, taps * filters), the taps from the last one to the first
    taps = weight.reshape(filters, geometry.channels, geometry.kernel[0], -1)[:, :, residue::step]
    count = taps.shape[2]
    matrix = taps[:, :, ::-1].transpose(1, 3, 2, 0).reshape(geometry.spread, count * filters)
    offset = residue - geometry.padding[0]  # of the row of m among those without padding
    begin, end = -(offset // step), (geometry.spatial[0] - 1 - offset) // step + 1
    complete = range(max(begin, count - 1), min(end, height)) if count else range(0)
    for m in range(begin, end):
        first, last = max(0, m - count + 1), min(height - 1, m)
        if m in complete:
            continue
        out = spread[offset + step * m]
        if first > last:
            out.fill(0)
            continue
        skipped = count - 1 - (m - first)
        part = matrix[:, skipped * filters : (skipped + last - first + 1) * filters]
        part.dot(by_row[first : last + 1].reshape(-1, length), out=out)
    if complete:
        first = complete.start - count + 1
        blocks = _blocks(by_row[first:], len(complete), count, 1)
        out = spread[offset + step * complete.start :: step][: len(complete)]
        np.matmul(matrix, blocks, out=out)
