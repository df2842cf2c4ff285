"""What the kernels share: the steps, inputs and outputs of a sequence in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...namespaces.numpy_blas import dot

Array = np.ndarray
Spans = Sequence[tuple[int, int, int]]


class Steps:
    """The steps in the order in which they are done.

    Attributes:
        spans: for each step its first row, the row behind its last, and their number.
        rows: of all steps.
        widest: the largest number of sequences.
    """

    def __init__(self, input: Array, batch_sizes: Sequence[int] | None, reverse: bool) -> None:
        if batch_sizes is None:
            count, width = input.shape[:2]
            spans = [(k, k + width, width) for k in range(0, count * width, width)]
        else:
            spans, start = [], 0
            for size in batch_sizes:
                spans.append((start, start + size, size))
                start += size
        self.spans = spans[::-1] if reverse else spans
        self.rows = spans[-1][1]
        self.widest = spans[0][2]
        self.even = batch_sizes is None or batch_sizes[0] == batch_sizes[-1]


def fits(input: Array, *others: Array | None) -> bool:
    """Whether the kernels can do it: floating-point numbers of one dtype, and some."""
    return (
        input.dtype.char in "fd"
        and input.size > 0
        and all(o is None or (o.dtype is input.dtype and o.size > 0) for o in others)
    )


def with_ones(rows: Array, input: Array) -> Array:
    """(rows, F + 1): the inputs with a column of ones, which the biases are multiplied with."""
    width = input.shape[-1]
    result = np.empty((rows, width + 1), input.dtype)
    result[:, :width] = input.reshape(rows, width)
    result[:, width] = 1
    return result


def spaced(rows: int, height: int, dtype: np.dtype) -> Array:
    """(height, rows), the rows of memory a little apart, so that they do not share cache lines."""
    return np.empty((height, rows + 16), dtype)[:, :rows]


def state_before(spans: Spans, k: int, states: Array, hidden: int, first: Array) -> Array:
    """(H, N): the turned state that step number ``k`` of ``spans`` began with."""
    start, end, width = spans[k]
    if not k:
        return first[:, :width]
    start, end, before = spans[k - 1]
    state = states[hidden * start : hidden * end].reshape(hidden, before)
    if before == width:
        return state
    if before > width:  # sequences have ended
        return state[:, :width]
    return np.concatenate([state, first[:, before:width]], 1)  # sequences begin


def recurrent_weights(slopes: Array, output: Array, hx: Array, spans: Spans) -> Array:
    """(gates, H): the gradient of the recurrent weights, from that of all steps' products.

    A step's product is with the output of the step before, so all but the first are one product
    with the outputs, shifted.
    """
    width = spans[0][2]
    start, end, _ = spans[0]
    if all(span[2] == width for span in spans):
        result = dot(slopes[:, start:end], hx)
        if len(spans) > 1:
            if start == 0:
                result += dot(slopes[:, width:], output[:-width])
            else:
                result += dot(slopes[:, :-width], output[width:])
        return result
    before = np.empty_like(output)
    for k, (start, end, width) in enumerate(spans):
        if not k:
            before[start:end] = hx[:width]
            continue
        from_, _, there = spans[k - 1]
        shared = min(width, there)
        before[start : start + shared] = output[from_ : from_ + shared]
        before[start + shared : end] = hx[shared:width]
    return dot(slopes, before)
