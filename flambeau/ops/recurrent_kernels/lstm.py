"""The long short-term memory on NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...namespaces.numpy_blas import dot, one_thread
from .steps import Array, Steps, recurrent_weights, spaced, state_before, with_ones


@dataclass(slots=True)
class Lstm:
    """What the forward pass of an LSTM leaves to the backward pass.

    Attributes:
        steps: the steps in the order they were done.
        ones: (rows, F + 1), the inputs with a column of ones.
        gates: for each step (4H, N): input, forget, output and cell gate.
        cells: for each step (H, N).
        tanh_cells: their hyperbolic tangents.
        output: (rows, H).
    """

    steps: Steps
    ones: Array
    gates: Array
    cells: Array
    tanh_cells: Array
    output: Array


_ORDER: dict[int, Array] = {}
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


def forward(
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
    ones = with_ones(rows, input)
    for_inputs, for_states = _lstm_weights(weight_ih, weight_hh, bias_ih, bias_hh)
    projected = dot(for_inputs, ones.T)
    gates = np.empty(4 * hidden * rows, dtype)
    cells = np.empty(hidden * rows, dtype)
    tanh_cells = np.empty(hidden * rows, dtype)
    output = np.empty((rows, hidden), dtype)
    h, c = hx.copy(), cx.T.copy()
    half = np.array(0.5, dtype)
    products = np.empty(4 * hidden * widest, dtype)
    product = np.empty(hidden * widest, dtype)
    sigmoids = 3 * hidden
    with one_thread():
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
    kept = Lstm(steps, ones, gates, cells, tanh_cells, output.copy())
    shape = output.shape if batch_sizes is not None else (*input.shape[:2], hidden)
    return output.reshape(shape), h.copy(), c.T.copy(), kept


def backward(
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
    slopes = spaced(rows, 4 * hidden, dtype)
    one = np.array(1, dtype)
    buffers = [np.empty(n * hidden * widest, dtype) for n in (4, 4, 1)]
    first = cx.T.copy()
    spans = steps.spans
    with one_thread():
        for k in range(len(spans) - 1, -1, -1):
            start, end, width = spans[k]
            g = gates[4 * hidden * start : 4 * hidden * end].reshape(4 * hidden, width)
            tanh_cell = tanh_cells[hidden * start : hidden * end].reshape(hidden, width)
            d, q = (b[: 4 * hidden * width].reshape(4 * hidden, width) for b in buffers[:2])
            p = buffers[2][: hidden * width].reshape(hidden, width)
            before = state_before(spans, k, cells, hidden, first)
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
        found[0] = dot(slopes.T, weight_ih[order]).reshape(input_shape)
    found[1], found[2] = dh.T, dc.T
    if needs[3] or needs[5] or needs[6]:
        of_inputs = dot(slopes, kept.ones)[back]
        found[3] = of_inputs[:, :-1]
        found[5] = found[6] = of_inputs[:, -1].copy()
    if needs[4]:
        found[4] = recurrent_weights(slopes, output, hx, spans)[back]
    return (*found, None)
