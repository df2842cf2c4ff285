"""Recurrent layers on NumPy: a Python loop over time of few calls into preallocated memory.

Inside the loop arrays are turned, (gates, N): a gate of all sequences is one block of memory, and
every ufunc runs over one block.  Inputs' and weights' products are taken of all steps at once,
before the loop (inputs) and behind it (weights' gradients); the biases are one more column of the
weights.  ``sigmoid(x)`` is ``(1 + tanh(x / 2)) / 2``, the halves being in the weights, so that one
call of tanh does all gates.

Packed rows are what is worked on; of a padded batch all steps have the same number of sequences.
The user may write to the outputs in place, so the backward pass has a copy of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


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


def _with_ones(rows: Array, input: Array) -> Array:
    """(rows, F + 1): the inputs with a column of ones, which the biases are multiplied with."""
    width = input.shape[-1]
    result = np.empty((rows, width + 1), input.dtype)
    result[:, :width] = input.reshape(rows, width)
    result[:, width] = 1
    return result


def _turned(rows: int, height: int, dtype: np.dtype) -> Array:
    """(height, rows), the rows of memory a little apart, so that they do not share cache lines."""
    return np.empty((height, rows + 16), dtype)[:, :rows]


class Lstm:
    """What the forward pass of an LSTM leaves to the backward pass."""

    __slots__ = ("steps", "ones", "gates", "cells", "tanh_cells", "output")


_ORDER = {}
"""Where the gates' rows go: the three that are sigmoids side by side."""


def _sigmoids_first(hidden: int) -> Array:
    """Rows of input, forget, output and then cell gate, of weights in PyTorch's order."""
    order = _ORDER.get(hidden)
    if order is None:
        gates = np.arange(4 * hidden).reshape(4, hidden)
        order = _ORDER[hidden] = gates[[0, 1, 3, 2]].reshape(-1)
    return order


def _lstm_weights(
    weight_ih: Array, weight_hh: Array, bias_ih: Array | None, bias_hh: Array | None
) -> tuple[Array, Array]:
    """(4H, F + 1) with the biases, and (4H, H), in our order and with the halves of sigmoids."""
    gates, features = weight_ih.shape
    order = _sigmoids_first(gates // 4)
    for_inputs = np.empty((gates, features + 1), weight_ih.dtype)
    for_inputs[:, :features] = weight_ih[order]
    if bias_ih is None or bias_hh is None:
        for_inputs[:, features] = 0
    else:
        for_inputs[:, features] = (bias_ih + bias_hh)[order]
    for_states = weight_hh[order]
    sigmoids = 3 * gates // 4
    for_inputs[:sigmoids] *= 0.5
    for_states[:sigmoids] *= 0.5
    return for_inputs, for_states


def lstm_forward(
    input: Array,
    hx: Array,
    cx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    batch_sizes: Sequence[int] | None,
    reverse: bool,
) -> tuple[Array, Array, Array, Lstm]:
    """Outputs, last states, and what the backward pass needs."""
    dtype = input.dtype
    steps = Steps(input, batch_sizes, reverse)
    rows, hidden, widest = steps.rows, hx.shape[1], steps.widest
    ones = _with_ones(rows, input)
    for_inputs, for_states = _lstm_weights(weight_ih, weight_hh, bias_ih, bias_hh)
    projected = np.dot(for_inputs, ones.T)
    gates = np.empty(4 * hidden * rows, dtype)
    cells = np.empty(hidden * rows, dtype)
    tanh_cells = np.empty(hidden * rows, dtype)
    output = np.empty((rows, hidden), dtype)
    h, c = hx.copy(), cx.T.copy()
    half = np.array(0.5, dtype)
    products = np.empty(4 * hidden * widest, dtype)
    product = np.empty(hidden * widest, dtype)
    sigmoids = 3 * hidden
    for start, end, width in steps.spans:
        g = gates[4 * hidden * start : 4 * hidden * end].reshape(4 * hidden, width)
        cell = cells[hidden * start : hidden * end].reshape(hidden, width)
        tanh_cell = tanh_cells[hidden * start : hidden * end].reshape(hidden, width)
        m = products[: 4 * hidden * width].reshape(4 * hidden, width)
        p = product[: hidden * width].reshape(hidden, width)
        np.dot(for_states, h[:width].T, out=m)
        np.add(m, projected[:, start:end], out=g)
        np.tanh(g, out=g)
        s = g[:sigmoids]
        np.multiply(s, half, out=s)
        np.add(s, half, out=s)
        np.multiply(g[hidden : 2 * hidden], c[:, :width], out=cell)
        np.multiply(g[:hidden], g[sigmoids:], out=p)
        np.add(cell, p, out=cell)
        np.tanh(cell, out=tanh_cell)
        out = output[start:end]
        np.multiply(g[2 * hidden : sigmoids], tanh_cell, out=out.T)
        if steps.even:
            h, c = out, cell
        else:
            h[:width] = out
            c[:, :width] = cell
    kept = Lstm()
    kept.steps, kept.ones, kept.gates = steps, ones, gates
    kept.cells, kept.tanh_cells, kept.output = cells, tanh_cells, output.copy()
    shape = output.shape if batch_sizes is not None else (*input.shape[:2], hidden)
    return output.reshape(shape), h.copy(), c.T.copy(), kept


def lstm_backward(
    grad: Sequence[Array | None],
    hx: Array,
    cx: Array,
    weight_ih: Array,
    weight_hh: Array,
    kept: Lstm,
    needs: Sequence[bool],
    input_shape: tuple[int, ...],
) -> tuple[Any, ...]:
    """The gradients of input, first states, weights and biases (the two biases share one)."""
    steps, gates, output = kept.steps, kept.gates, kept.output
    cells, tanh_cells = kept.cells, kept.tanh_cells
    dtype, hidden, widest, rows = hx.dtype, hx.shape[1], steps.widest, steps.rows
    sigmoids = 3 * hidden
    order = _sigmoids_first(hidden)
    for_states = weight_hh[order].T.copy()  # (H, 4H)
    every = None if grad[0] is None else grad[0].reshape(rows, hidden)
    dh, dc = (np.zeros((hidden, widest), dtype) if g is None else g.T.copy() for g in grad[1:])
    slopes = _turned(rows, 4 * hidden, dtype)
    one = np.array(1, dtype)
    buffers = [np.empty(n * hidden * widest, dtype) for n in (4, 4, 1)]
    first = cx.T.copy()
    spans = steps.spans
    for k in range(len(spans) - 1, -1, -1):
        start, end, width = spans[k]
        g = gates[4 * hidden * start : 4 * hidden * end].reshape(4 * hidden, width)
        tanh_cell = tanh_cells[hidden * start : hidden * end].reshape(hidden, width)
        d, q = (b[: 4 * hidden * width].reshape(4 * hidden, width) for b in buffers[:2])
        p = buffers[2][: hidden * width].reshape(hidden, width)
        before = _state_before(spans, k, cells, hidden, first)
        if steps.even:
            x, y = dh, dc
        else:
            x, y = dh[:, :width], dc[:, :width]
        if every is not None:
            np.add(x, every[start:end].T, out=x)
        np.multiply(x, tanh_cell, out=d[2 * hidden : sigmoids])
        np.multiply(x, g[2 * hidden : sigmoids], out=x)
        np.multiply(tanh_cell, tanh_cell, out=p)
        np.subtract(one, p, out=p)
        np.multiply(x, p, out=p)
        np.add(y, p, out=y)
        np.multiply(y, g[sigmoids:], out=d[:hidden])
        np.multiply(y, before, out=d[hidden : 2 * hidden])
        np.multiply(y, g[:hidden], out=d[sigmoids:])
        np.multiply(y, g[hidden : 2 * hidden], out=y)
        # the derivatives of the gates' own functions: s - s^2, and 1 - t^2
        np.multiply(g, g, out=q)
        np.subtract(g[:sigmoids], q[:sigmoids], out=q[:sigmoids])
        np.subtract(one, q[sigmoids:], out=q[sigmoids:])
        slope = slopes[:, start:end]
        np.multiply(d, q, out=slope)
        if steps.even:
            np.dot(for_states, slope, out=dh)
        else:
            dh[:, :width] = np.dot(for_states, slope)
    found: list[Any] = [None] * 7
    back = np.argsort(order)
    if needs[0]:
        found[0] = np.dot(slopes.T, weight_ih[order]).reshape(input_shape)
    found[1], found[2] = dh.T, dc.T
    if needs[3] or needs[5] or needs[6]:
        of_inputs = np.dot(slopes, kept.ones)[back]
        found[3] = of_inputs[:, :-1]
        found[5] = found[6] = of_inputs[:, -1].copy()
    if needs[4]:
        found[4] = _recurrent_weights(slopes, output, hx, spans)[back]
    return (*found, None)


def _state_before(
    spans: Sequence[tuple[int, int, int]], k: int, states: Array, hidden: int, first: Array
) -> Array:
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


def _recurrent_weights(
    slopes: Array, output: Array, hx: Array, spans: Sequence[tuple[int, int, int]]
) -> Array:
    """(gates, H): the gradient of the recurrent weights, from that of all steps' products.

    A step's product is with the output of the step before, so all but the first are one product
    with the outputs, shifted.
    """
    width = spans[0][2]
    start, end, _ = spans[0]
    if all(span[2] == width for span in spans):
        result = np.dot(slopes[:, start:end], hx)
        if len(spans) > 1:
            if start == 0:
                result += np.dot(slopes[:, width:], output[:-width])
            else:
                result += np.dot(slopes[:, :-width], output[width:])
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
    return np.dot(slopes, before)


# -- gated recurrent unit -----------------------------------------------------------------------


class Gru:
    """What the forward pass of a GRU leaves to the backward pass."""

    __slots__ = ("steps", "ones", "gates", "recurrent", "states", "output")


def _halved(weight: Array, rows: int) -> Array:
    result = weight.copy()
    result[:rows] *= 0.5
    return result


def gru_forward(
    input: Array,
    hx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    batch_sizes: Sequence[int] | None,
    reverse: bool,
) -> tuple[Array, Array, Gru]:
    """Outputs, last state, and what the backward pass needs."""
    dtype = input.dtype
    steps = Steps(input, batch_sizes, reverse)
    rows, hidden, widest = steps.rows, hx.shape[1], steps.widest
    sigmoids, height = 2 * hidden, 3 * hidden
    ones = _with_ones(rows, input)
    for_inputs = np.zeros((height, ones.shape[1]), dtype)
    for_inputs[:, :-1] = weight_ih
    offset = np.zeros((hidden, 1), dtype)  # of the new gate's recurrent part, which r multiplies
    if bias_ih is not None and bias_hh is not None:
        for_inputs[:, -1] = bias_ih
        for_inputs[:sigmoids, -1] += bias_hh[:sigmoids]
        offset[:, 0] = bias_hh[sigmoids:]
    for_inputs[:sigmoids] *= 0.5
    for_states = _halved(weight_hh, sigmoids)
    projected = np.dot(for_inputs, ones.T)
    gates = np.empty(height * rows, dtype)
    recurrent, states = np.empty(hidden * rows, dtype), np.empty(hidden * rows, dtype)
    output = np.empty((rows, hidden), dtype)
    h, turned = hx.copy(), hx.T.copy()
    half = np.array(0.5, dtype)
    products, product = np.empty(height * widest, dtype), np.empty(hidden * widest, dtype)
    for start, end, width in steps.spans:
        g = gates[height * start : height * end].reshape(height, width)
        hn = recurrent[hidden * start : hidden * end].reshape(hidden, width)
        state = states[hidden * start : hidden * end].reshape(hidden, width)
        m = products[: height * width].reshape(height, width)
        p = product[: hidden * width].reshape(hidden, width)
        np.dot(for_states, h[:width].T, out=m)
        s, n = g[:sigmoids], g[sigmoids:]
        np.add(m[:sigmoids], projected[:sigmoids, start:end], out=s)
        np.tanh(s, out=s)
        np.multiply(s, half, out=s)
        np.add(s, half, out=s)
        np.add(m[sigmoids:], offset, out=hn)
        np.multiply(g[:hidden], hn, out=p)
        np.add(p, projected[sigmoids:, start:end], out=n)
        np.tanh(n, out=n)
        np.subtract(turned[:, :width], n, out=state)
        np.multiply(state, g[hidden:sigmoids], out=state)
        np.add(state, n, out=state)
        out = output[start:end]
        out.T[...] = state
        if steps.even:
            h, turned = out, state
        else:
            h[:width] = out
            turned[:, :width] = state
    kept = Gru()
    kept.steps, kept.ones, kept.gates = steps, ones, gates
    kept.recurrent, kept.states, kept.output = recurrent, states, output.copy()
    shape = output.shape if batch_sizes is not None else (*input.shape[:2], hidden)
    return output.reshape(shape), h.copy(), kept


def gru_backward(
    grad: Sequence[Array | None],
    hx: Array,
    weight_ih: Array,
    weight_hh: Array,
    kept: Gru,
    needs: Sequence[bool],
    input_shape: tuple[int, ...],
) -> tuple[Any, ...]:
    """The gradients of input, first state, weights and biases."""
    steps, gates, spans = kept.steps, kept.gates, kept.steps.spans
    dtype, hidden, widest, rows = hx.dtype, hx.shape[1], steps.widest, steps.rows
    height, sigmoids = 3 * hidden, 2 * hidden
    for_states = weight_hh.T.copy()
    every = None if grad[0] is None else grad[0].reshape(rows, hidden)
    dh = np.zeros((hidden, widest), dtype) if grad[1] is None else grad[1].T.copy()
    # the slopes of n's inputs, then of r's, z's, and of what r multiplies in n
    slopes = _turned(rows, 4 * hidden, dtype)
    one = np.array(1, dtype)
    buffers = [np.empty(n * hidden * widest, dtype) for n in (1, 1, 1, 2)]
    first = hx.T.copy()
    for k in range(len(spans) - 1, -1, -1):
        start, end, width = spans[k]
        g = gates[height * start : height * end].reshape(height, width)
        r, z, n = g[:hidden], g[hidden:sigmoids], g[sigmoids:]
        hn = kept.recurrent[hidden * start : hidden * end].reshape(hidden, width)
        p, q, u = (b[: hidden * width].reshape(hidden, width) for b in buffers[:3])
        w = buffers[3][: sigmoids * width].reshape(sigmoids, width)
        before = _state_before(spans, k, kept.states, hidden, first)
        x = dh if steps.even else dh[:, :width]
        d = slopes[:, start:end]
        if every is not None:
            np.add(x, every[start:end].T, out=x)
        np.multiply(g[:sigmoids], g[:sigmoids], out=w)
        np.subtract(g[:sigmoids], w, out=w)
        np.subtract(before, n, out=p)
        np.multiply(p, x, out=p)
        np.multiply(p, w[hidden:], out=d[sigmoids:height])
        np.multiply(x, z, out=q)
        np.subtract(x, q, out=p)
        np.multiply(n, n, out=u)
        np.subtract(one, u, out=u)
        np.multiply(p, u, out=u)
        d[:hidden] = u
        np.multiply(u, r, out=d[height:])
        np.multiply(u, hn, out=u)
        np.multiply(u, w[:hidden], out=d[hidden:sigmoids])
        np.add(np.dot(for_states, d[hidden:]), q, out=x)
    found: list[Any] = [None] * 6
    order = np.arange(height).reshape(3, hidden)[[1, 2, 0]].reshape(-1)  # from n, r, z to r, z, n
    if needs[0]:
        turned = slopes[:height][order]
        found[0] = np.dot(turned.T, weight_ih).reshape(input_shape)
    found[1] = dh.T
    if needs[2] or needs[4]:
        of_inputs = np.dot(slopes[:height], kept.ones)[order]
        found[2], found[4] = of_inputs[:, :-1], of_inputs[:, -1].copy()
    if needs[3]:
        found[3] = _recurrent_weights(slopes[hidden:], kept.output, hx, spans)
    if needs[5]:
        found[5] = slopes[hidden:].sum(1)
    return tuple(found)


# -- plain recurrence -----------------------------------------------------------------------------


class Plain:
    """What the forward pass of an Elman network leaves to the backward pass."""

    __slots__ = ("steps", "ones", "states", "output")


def plain_forward(
    input: Array,
    hx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    nonlinearity: str,
    batch_sizes: Sequence[int] | None,
    reverse: bool,
) -> tuple[Array, Array, Plain]:
    """Outputs, last state, and what the backward pass needs."""
    dtype = input.dtype
    steps = Steps(input, batch_sizes, reverse)
    rows, hidden, widest = steps.rows, hx.shape[1], steps.widest
    ones = _with_ones(rows, input)
    for_inputs = np.zeros((hidden, ones.shape[1]), dtype)
    for_inputs[:, :-1] = weight_ih
    if bias_ih is not None and bias_hh is not None:
        for_inputs[:, -1] = bias_ih + bias_hh
    projected = np.dot(for_inputs, ones.T)
    states, output = np.empty(hidden * rows, dtype), np.empty((rows, hidden), dtype)
    h = hx.copy()
    zero = np.zeros((), dtype)
    products = np.empty(hidden * widest, dtype)
    for start, end, width in steps.spans:
        state = states[hidden * start : hidden * end].reshape(hidden, width)
        m = products[: hidden * width].reshape(hidden, width)
        np.dot(weight_hh, h[:width].T, out=m)
        np.add(m, projected[:, start:end], out=m)
        if nonlinearity == "tanh":
            np.tanh(m, out=state)
        else:
            np.maximum(m, zero, out=state)
        out = output[start:end]
        out.T[...] = state
        if steps.even:
            h = out
        else:
            h[:width] = out
    kept = Plain()
    kept.steps, kept.ones, kept.states, kept.output = steps, ones, states, output.copy()
    shape = output.shape if batch_sizes is not None else (*input.shape[:2], hidden)
    return output.reshape(shape), h.copy(), kept


def plain_backward(
    grad: Sequence[Array | None],
    hx: Array,
    weight_ih: Array,
    weight_hh: Array,
    nonlinearity: str,
    kept: Plain,
    needs: Sequence[bool],
    input_shape: tuple[int, ...],
) -> tuple[Any, ...]:
    """The gradients of input, first state, weights and biases (the two biases share one)."""
    steps, spans = kept.steps, kept.steps.spans
    dtype, hidden, widest, rows = hx.dtype, hx.shape[1], steps.widest, steps.rows
    for_states = weight_hh.T.copy()
    every = None if grad[0] is None else grad[0].reshape(rows, hidden)
    dh = np.zeros((hidden, widest), dtype) if grad[1] is None else grad[1].T.copy()
    slopes = _turned(rows, hidden, dtype)
    one, zero = np.array(1, dtype), np.array(0, dtype)
    buffer = np.empty(hidden * widest, dtype)
    for k in range(len(spans) - 1, -1, -1):
        start, end, width = spans[k]
        state = kept.states[hidden * start : hidden * end].reshape(hidden, width)
        p = buffer[: hidden * width].reshape(hidden, width)
        x = dh if steps.even else dh[:, :width]
        d = slopes[:, start:end]
        if every is not None:
            np.add(x, every[start:end].T, out=x)
        if nonlinearity == "tanh":
            np.multiply(state, state, out=p)
            np.subtract(one, p, out=p)
            np.multiply(x, p, out=d)
        else:
            d[...] = np.where(state > zero, x, zero)
        if steps.even:
            np.dot(for_states, d, out=dh)
        else:
            x[...] = np.dot(for_states, d)
    found: list[Any] = [None] * 6
    if needs[0]:
        found[0] = np.dot(slopes.T, weight_ih).reshape(input_shape)
    found[1] = dh.T
    if needs[2] or needs[4] or needs[5]:
        of_inputs = np.dot(slopes, kept.ones)
        found[2] = of_inputs[:, :-1]
        found[4] = found[5] = of_inputs[:, -1].copy()
    if needs[3]:
        found[3] = _recurrent_weights(slopes, kept.output, hx, spans)
    return tuple(found)
