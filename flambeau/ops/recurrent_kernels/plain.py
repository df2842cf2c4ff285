"""The Elman network on NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...namespaces.numpy_blas import dot, one_thread
from .steps import Array, Steps, recurrent_weights, spaced, with_ones


@dataclass(slots=True)
class Plain:
    """What the forward pass of an Elman network leaves to the backward pass.

    Attributes:
        steps: the steps in the order they were done.
        ones: (rows, F + 1), the inputs with a column of ones.
        states: for each step (H, N).
        output: (rows, H).
    """

    steps: Steps
    ones: Array
    states: Array
    output: Array


def forward(
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
    ones = with_ones(rows, input)
    for_inputs = np.zeros((hidden, ones.shape[1]), dtype)
    for_inputs[:, :-1] = weight_ih
    if bias_ih is not None and bias_hh is not None:
        for_inputs[:, -1] = bias_ih + bias_hh
    projected = dot(for_inputs, ones.T)
    states, output = np.empty(hidden * rows, dtype), np.empty((rows, hidden), dtype)
    h = hx.copy()
    zero = np.zeros((), dtype)
    products = np.empty(hidden * widest, dtype)
    with one_thread():
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
    kept = Plain(steps, ones, states, output.copy())
    shape = output.shape if batch_sizes is not None else (*input.shape[:2], hidden)
    return output.reshape(shape), h.copy(), kept


def backward(
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
    slopes = spaced(rows, hidden, dtype)
    one, zero = np.array(1, dtype), np.array(0, dtype)
    buffer = np.empty(hidden * widest, dtype)
    with one_thread():
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
        found[0] = dot(slopes.T, weight_ih).reshape(input_shape)
    found[1] = dh.T
    if needs[2] or needs[4] or needs[5]:
        of_inputs = dot(slopes, kept.ones)
        found[2] = of_inputs[:, :-1]
        found[4] = found[5] = of_inputs[:, -1].copy()
    if needs[3]:
        found[3] = recurrent_weights(slopes, kept.output, hx, spans)
    return tuple(found)
