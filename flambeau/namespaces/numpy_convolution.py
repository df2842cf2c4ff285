"""Convolution on NumPy arrays: columns with the batch innermost, and products through BLAS.

With channels first and the batch last, (C, *spatial, N), the elements that one tap of the kernel
reads lie in long runs of memory: collecting them for all taps ("im2col") costs little beside the
matrix product that follows, even for images of a few pixels.  What the batch dim costs is two
transpositions.  Where a row of the result is long, its rows are worked on one by one
(:mod:`.numpy_row_convolution`), with columns that are fewer and overlap.

Batches are worked on in pieces, so that the columns take a bounded amount of memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from .numpy_blas import dot, matmul
from .numpy_row_convolution import RowGeometry, conv_rows, conv_rows_gradients
from .numpy_turning import batch_first, batch_last
from .numpy_workspace import WORKSPACE

Array = Any
Sizes = Sequence[int]

COLUMN_BYTES = 4 << 20
"""How much memory the columns of one piece of a batch take, unless one sample needs more."""


class _Geometry:
    """What follows from the shapes and options of a convolution."""

    def __init__(
        self,
        channels: int,
        spatial: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        size: tuple[int, ...] | None,
    ) -> None:
        if size is None:  # a gradient's is given: with a stride, the input may have a rest unread
            size = tuple(
                (n + 2 * p - d * (k - 1) - 1) // s + 1
                for n, k, s, p, d in zip(spatial, kernel, stride, padding, dilation)
            )
        self.size = size
        self.kernel = kernel
        self.padded = tuple(n + 2 * p for n, p in zip(spatial, padding))
        self.has_padding = any(padding)
        self.inner = (slice(None), *(slice(p, p + n) for p, n in zip(padding, spatial)))
        self.rows = channels * prod(kernel)
        self.positions = prod(size)
        self.pointwise = prod(kernel) == 1 and prod(stride) == 1 and not any(padding)
        # each tap of the kernel, and what of the padded spatial dims it reads
        self.taps = [
            (
                (slice(None), *tap),
                (
                    slice(None),
                    *(
                        slice(t * d, t * d + s * (n - 1) + 1, s)
                        for t, d, s, n in zip(tap, dilation, stride, size)
                    ),
                ),
            )
            for tap in product(*map(range, kernel))
        ]
        self.by_row: RowGeometry | None = None
        if RowGeometry.exists(kernel, dilation) and self.positions > 0:
            self.by_row = RowGeometry(channels, spatial, kernel, stride, padding, dilation, size)

    def pieces_by_row(
        self, batch: int, filters: int, itemsize: int
    ) -> Iterator[tuple[slice, RowGeometry]]:
        """The pieces of a batch that are worked on row by row; none if that is slower."""
        if self.by_row is not None:
            pieces = list(_pieces(batch, self.by_row.sample_elements * itemsize))
            if self.by_row.suits(batch - pieces[-1].start, filters):
                for piece in pieces:
                    yield piece, self.by_row


@lru_cache(256)
def _geometry(*arguments: Any) -> _Geometry:
    return _Geometry(*arguments)


def _pieces(batch: int, sample_bytes: int) -> Iterator[slice]:
    """Slices of the batch whose columns take about ``COLUMN_BYTES``."""
    count = max(1, COLUMN_BYTES // max(1, sample_bytes))
    if count < batch:  # of about equal size
        count = -(-batch // -(-batch // count))
    for start in range(0, batch, count):
        yield slice(start, min(batch, start + count))


class _Columns:
    """The buffers of one convolution's columns, filled piece by piece."""

    def __init__(self, x: Array, geometry: _Geometry, ones: bool) -> None:
        self.x = x
        self.geometry = geometry
        self.ones = ones
        self.sample_bytes = (geometry.rows + ones) * geometry.positions * x.itemsize
        self.count = -1

    def of(self, piece: slice) -> Array:
        """The columns of a piece: (rows, positions * samples), a last row of ones if asked."""
        geometry = self.geometry
        x = self.x[piece]
        count, channels = x.shape[:2]
        if count != self.count:
            self.count = count
            self.image = WORKSPACE.array("image", (channels, *geometry.padded, count), x.dtype)
            if geometry.has_padding:
                self.image.fill(0)
            shape = (geometry.rows + self.ones, geometry.positions * count)
            columns = WORKSPACE.array("columns", shape, x.dtype)
            if self.ones:
                columns[-1] = 1
            self.columns = columns
            self.by_tap = columns[: geometry.rows].reshape(
                channels, *geometry.kernel, *geometry.size, count
            )
        batch_last(x, self.image[geometry.inner])
        for tap, reach in geometry.taps:
            self.by_tap[tap] = self.image[reach]
        return self.columns


def conv(
    x: Array,
    weight: Array,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    bias: Array | None = None,
) -> Array:
    """The convolution of ``x`` (N, C, *spatial) with ``weight`` (F, C / groups, *kernel)."""
    batch, channels = x.shape[:2]
    filters = weight.shape[0]
    geometry = _geometry(
        channels, x.shape[2:], weight.shape[2:], tuple(stride), tuple(padding), tuple(dilation),
        None,
    )  # fmt: skip
    size = geometry.size
    if geometry.positions <= 0 or min(size) <= 0:
        raise ValueError("the kernel is larger than the padded input")
    if channels != weight.shape[1] * groups:
        raise ValueError("channels of input and weight do not fit")
    matrix = weight.reshape(filters, -1)
    if groups == 1 and geometry.pointwise:
        flat = matmul(matrix, x.reshape(batch, channels, -1))
        if bias is not None:
            flat += bias[:, None]
        return flat.reshape(batch, filters, *size)
    out = np.empty((batch, filters, *size), x.dtype)
    by_row = list(geometry.pieces_by_row(batch, filters, x.itemsize)) if groups == 1 else []
    for piece, rows in by_row:
        conv_rows(x[piece], weight, bias, rows, out[piece])
    if by_row:
        return out
    # a row of ones below the columns adds the bias within the product
    fused = bias is not None and groups == 1
    if fused and bias is not None:
        matrix = np.concatenate((matrix, bias[:, None]), axis=1)
    columns = _Columns(x, geometry, fused)
    for piece in _pieces(batch, columns.sample_bytes):
        block = columns.of(piece)
        if groups == 1:
            result = WORKSPACE.array("result", (filters, block.shape[1]), x.dtype)
            dot(matrix, block, result)
        else:
            result = matmul(
                matrix.reshape(groups, filters // groups, -1),
                block.reshape(groups, -1, block.shape[1]),
            )
        batch_first(result.reshape(filters, *size, -1), out[piece])
    if bias is not None and not fused:
        out += bias.reshape(-1, *(1,) * len(size))
    return out


def conv_gradients(
    grad: Array,
    x: Array,
    weight: Array,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    needs: Sequence[bool],
) -> tuple[Array | None, Array | None, Array | None]:
    """The gradients of :func:`conv` for input, weight and bias, those that are needed."""
    filters = weight.shape[0]
    need_input, need_weight, need_bias = needs
    size = grad.shape[2:]
    geometry = _geometry(
        x.shape[1], x.shape[2:], weight.shape[2:], tuple(stride), tuple(padding), tuple(dilation),
        size,
    )  # fmt: skip
    if groups == 1 and geometry.pointwise:
        return _pointwise_gradients(grad, x, weight, needs)
    columns = _Columns(x, geometry, need_weight and need_bias and groups == 1)
    matrix = weight.reshape(groups, filters // groups, -1)
    grad_input = np.empty(x.shape, grad.dtype) if need_input else None
    grad_weight: Any = None
    grad_bias: Any = None
    by_row = list(geometry.pieces_by_row(len(x), filters, grad.itemsize)) if groups == 1 else []
    for piece, row_geometry in by_row:
        of_weight, of_bias = conv_rows_gradients(
            grad[piece], x[piece], weight, row_geometry,
            None if grad_input is None else grad_input[piece], need_weight, need_bias,
        )  # fmt: skip
        grad_weight = of_weight if grad_weight is None else grad_weight + of_weight
        grad_bias = of_bias if grad_bias is None else grad_bias + of_bias
    if by_row:
        return grad_input, grad_weight, grad_bias
    for piece in _pieces(x.shape[0], columns.sample_bytes):
        part = grad[piece]
        rows = WORKSPACE.array("result", (filters, *size, part.shape[0]), grad.dtype)
        batch_last(part, rows)
        rows = rows.reshape(groups, filters // groups, -1)
        if need_weight:
            block = columns.of(piece)
            if groups == 1:
                product_ = dot(block, rows[0].T).T  # quicker than its transpose for few filters
            else:
                block = block.reshape(groups, -1, block.shape[1])
                product_ = matmul(rows, block.transpose(0, 2, 1))
            grad_weight = product_ if grad_weight is None else grad_weight + product_
        if grad_input is not None:
            if groups == 1:
                # the columns are done with: their memory takes their gradient
                spread = WORKSPACE.array("columns", (geometry.rows, rows.shape[2]), grad.dtype)
                dot(matrix[0].T, rows[0], spread)
            else:
                spread = matmul(matrix.transpose(0, 2, 1), rows)
            spread = spread.reshape(x.shape[1], *geometry.kernel, *size, part.shape[0])
            _gather(spread, geometry, grad_input[piece])
    if columns.ones:
        grad_bias = np.ascontiguousarray(grad_weight[:, -1])
        grad_weight = grad_weight[:, :-1]
    elif need_bias:
        grad_bias = np.add.reduce(grad, (0, *range(2, grad.ndim)))
    if need_weight:
        grad_weight = np.ascontiguousarray(grad_weight).reshape(weight.shape)
    return grad_input, grad_weight, grad_bias


def _gather(spread: Array, geometry: _Geometry, out: Array) -> None:
    """Sum ``spread`` (C, *kernel, *size, N) over the taps that read each element ("col2im")."""
    shape = (spread.shape[0], *geometry.padded, spread.shape[-1])
    image = WORKSPACE.array("image gradient", shape, spread.dtype)
    image.fill(0)
    for tap, reach in geometry.taps:
        image[reach] += spread[tap]
    batch_first(image[geometry.inner], out)


def _pointwise_gradients(
    grad: Array, x: Array, weight: Array, needs: Sequence[bool]
) -> tuple[Array | None, Array | None, Array | None]:
    """Kernels of one element: products of each sample's channels."""
    filters = weight.shape[0]
    rows = grad.reshape(*grad.shape[:2], -1)
    grad_input = grad_weight = grad_bias = None
    if needs[0]:
        grad_input = matmul(weight.reshape(filters, -1).T, rows).reshape(x.shape)
    if needs[1]:
        flat = x.reshape(*x.shape[:2], -1)
        grad_weight = matmul(rows, flat.transpose(0, 2, 1)).sum(0).reshape(weight.shape)
    if needs[2]:
        grad_bias = np.add.reduce(rows, (0, 2))
    return grad_input, grad_weight, grad_bias


def conv_input(
    grad: Array,
    weight: Array,
    input_shape: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """The gradient of :func:`conv` for its input; also the transposed convolution."""
    if grad.shape[1] != weight.shape[0]:
        raise ValueError("channels of input and weight do not fit")
    shape = tuple(input_shape)
    unread = np.broadcast_to(np.zeros((), grad.dtype), shape)
    needs = (True, False, False)
    result, _, _ = conv_gradients(grad, unread, weight, stride, padding, dilation, groups, needs)
    return result


def conv_weight(
    grad: Array,
    x: Array,
    weight_shape: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """The gradient of :func:`conv` for its weight."""
    unread = np.broadcast_to(np.zeros((), grad.dtype), tuple(weight_shape))
    needs = (False, True, False)
    _, result, _ = conv_gradients(grad, x, unread, stride, padding, dilation, groups, needs)
    return result
