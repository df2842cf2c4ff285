"""Sliding windows as columns, and columns put together again.

Source: https://pytorch.org/docs/stable/generated/torch.nn.Unfold.html
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from .operation import Array, operation


def window_counts(
    size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[int, ...]:
    """How many windows there are along each dim."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(size, kernel, dilation, padding, stride)
    )


def _parts(counts: Any, kernel: Any, dilation: Any, stride: Any) -> list[tuple[Any, ...]]:
    """For each place in the window, the elements of the padded input that it meets."""
    return [
        (slice(None), slice(None))
        + tuple(
            slice(o * d, o * d + (m - 1) * s + 1, s)
            for o, d, m, s in zip(offset, dilation, counts, stride)
        )
        for offset in product(*(range(k) for k in kernel))
    ]


@operation(dtypes="any", public=False, method=False, out=False, name="im2col",
           node_name="Im2ColBackward0",
           samples=(((2, 3, 4, 5), (2, 2), (1, 1), (0, 1), (1, 2)),
                    ((1, 2, 5, 5), (2, 1), (2, 1), (1, 0), (1, 1))))  # fmt: skip
def im2col(
    xp,
    input: Array,
    kernel_size: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: tuple[int, ...],
    stride: tuple[int, ...],
):
    """(N, C, H, W) to (N, C * kernel elements, windows)."""
    n, channels, *spatial = input.shape
    counts = window_counts(spatial, kernel_size, dilation, padding, stride)
    padded = xp.pad(input, ((0, 0), (0, 0), *((p, p) for p in padding)), 0)
    columns = [
        xp.reshape(xp.slice(padded, part), (n, channels, 1, prod(counts)))
        for part in _parts(counts, kernel_size, dilation, stride)
    ]
    return xp.reshape(xp.cat(columns, 2), (n, channels * len(columns), prod(counts)))


@im2col.vjp("input")
def _(xp, grad, input_shape, kernel_size, dilation, padding, stride):
    return _col2im_of(xp)(xp, grad, tuple(input_shape[2:]), kernel_size, dilation, padding, stride)


@operation(dtypes="any", public=False, method=False, out=False, name="col2im",
           node_name="Col2ImBackward0",
           samples=(((2, 12, 6), (3, 4), (2, 2), (1, 1), (0, 0), (1, 1)),
                    ((1, 4, 6), (3, 5), (2, 1), (1, 2), (0, 1), (1, 3))))  # fmt: skip
def col2im(
    xp,
    input: Array,
    output_size: tuple[int, ...],
    kernel_size: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: tuple[int, ...],
    stride: tuple[int, ...],
):
    """(N, C * kernel elements, windows) to (N, C, *output_size): what overlaps is added."""
    counts = window_counts(output_size, kernel_size, dilation, padding, stride)
    places = prod(kernel_size)
    n, channels = input.shape[0], input.shape[1] // places
    padded = tuple(m + 2 * p for m, p in zip(output_size, padding))
    columns = xp.reshape(input, (n, channels, places, *counts))
    zeros = xp.full((n, channels, *padded), 0, xp.dtype(input))
    result = zeros
    for place, part in enumerate(_parts(counts, kernel_size, dilation, stride)):
        column = xp.slice(columns, (slice(None), slice(None), place))
        result = result + xp.slice_scatter(zeros, part, column)
    inside = tuple(slice(p, p + m) for p, m in zip(padding, output_size))
    return xp.slice(result, (slice(None), slice(None), *inside))


@col2im.vjp("input")
def _(xp, grad, kernel_size, dilation, padding, stride):
    return im2col.forward(xp, grad, kernel_size, dilation, padding, stride)


@col2im.kernel
def _(input, output_size, kernel_size, dilation, padding, stride):
    counts = window_counts(output_size, kernel_size, dilation, padding, stride)
    places = prod(kernel_size)
    n, channels = input.shape[0], input.shape[1] // places
    padded = tuple(m + 2 * p for m, p in zip(output_size, padding))
    columns = input.reshape(n, channels, places, *counts)
    result = np.zeros((n, channels, *padded), input.dtype)
    for place, part in enumerate(_parts(counts, kernel_size, dilation, stride)):
        result[part] += columns[:, :, place]
    inside = tuple(slice(p, p + m) for p, m in zip(padding, output_size))
    return np.ascontiguousarray(result[(slice(None), slice(None), *inside)])


def _col2im_of(xp: Any) -> Any:
    """The definition, or its kernel where that runs."""
    from ..namespaces import numpy as numpy_namespace

    if xp is numpy_namespace:
        kernel = col2im.numpy_kernel
        return lambda _, *arguments: kernel(*arguments)  # type: ignore[misc]
    return col2im.forward
