"""Gated recurrent units on NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...namespaces.numpy_blas import dot, one_thread
from .steps import Array, Steps, recurrent_weights, spaced, state_before, with_ones


@dataclass(slots=True)
class Gru:
    """What the forward pass of a GRU leaves to the backward pass.

    Attributes:
        steps: the steps in the order they were done.
        ones: (rows, F + 1), the inputs with a column of ones.
        gates: for each step (3H, N): reset, update and new gate.
        recurrent: for each step (H, N), what the reset gate multiplies.
        states: for each step (H, N).
        output: (rows, H).
    """

    steps: Steps
    ones: Array
    gates: Array
    recurrent: Array
    states: Array
    output: Array


def _halved(weight: Array, rows: int) -> Array:
    result = weight.copy()
    result[:rows] *= 0.5
    return result


def forward(
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
    ones = with_ones(rows, input)
    for_inputs = np.zeros((height, ones.shape[1]), dtype)
    for_inputs[:, :-1] = weight_ih
    offset = np.zeros((hidden, 1), dtype)  # of the new gate's recurrent part, which r multiplies
    if bias_ih is not None and bias_hh is not None:
        for_inputs[:, -1] = bias_ih
        for_inputs[:sigmoids, -1] += bias_hh[:sigmoids]
        offset[:, 0] = bias_hh[sigmoids:]
    for_inputs[:sigmoids] *= 0.5
    for_states = _halved(weight_hh, sigmoids)
    projected = dot(for_inputs, ones.T)
    gates = np.empty(height * rows, dtype)
    recurrent, states = np.empty(hidden * rows, dtype), np.empty(hidden * rows, dtype)
    output = np.empty((rows, hidden), dtype)
    h, turned = hx.copy(), hx.T.copy()
    half = np.array(0.5, dtype)
    products, product = np.empty(height * widest, dtype), np.empty(hidden * widest, dtype)
    with one_thread():
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
    kept = Gru(steps, ones, gates, recurrent, states, output.copy())
    shape = output.shape if batch_sizes is not None else (*input.shape[:2], hidden)
    return output.reshape(shape), h.copy(), kept


def backward(
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
    slopes = spaced(rows, 4 * hidden, dtype)
    one = np.array(1, dtype)
    buffers = [np.empty(n * hidden * widest, dtype) for n in (1, 1, 1, 2)]
    first = hx.T.copy()
    with one_thread():
        for k in range(len(spans) - 1, -1, -1):
            start, end, width = spans[k]
            g = gates[height * start : height * end].reshape(height, width)
            r, z, n = g[:hidden], g[hidden:sigmoids], g[sigmoids:]
            hn = kept.recurrent[hidden * start : hidden * end].reshape(hidden, width)
            p, q, u = (b[: hidden * width].reshape(hidden, width) for b in buffers[:3])
            w = buffers[3][: sigmoids * width].reshape(sigmoids, width)
            before = state_before(spans, k, kept.states, hidden, first)
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
        found[0] = dot(turned.T, weight_ih).reshape(input_shape)
    found[1] = dh.T
    if needs[2] or needs[4]:
        of_inputs = dot(slopes[:height], kept.ones)[order]
        found[2], found[4] = of_inputs[:, :-1], of_inputs[:, -1].copy()
    if needs[3]:
        found[3] = recurrent_weights(slopes[hidden:], kept.output, hx, spans)
    if needs[5]:
        found[5] = slopes[hidden:].sum(1)
    return tuple(found)
