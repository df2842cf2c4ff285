"""Recurrences: one direction of one layer over a whole sequence is one operation.

A sequence comes as (T, N, F), or *packed*, as (rows, F): the first ``batch_sizes[0]`` rows are
step 0 of all sequences, longest first, the next ``batch_sizes[1]`` are step 1 of those that have
one, and so on.  Here a packed sequence is spread over all T steps again: where a sequence has ended
(or, from behind, not begun) its state stays as it is.

Backpropagation through time is a scan the other way round; the products for the weights' gradients
are taken of all steps at once.

Sources: Elman, "Finding structure in time", 1990; Hochreiter and Schmidhuber, "Long short-term
memory", 1997; Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.
https://pytorch.org/docs/stable/nn.html#recurrent-layers
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..namespaces import numpy
from . import native
from . import recurrent_kernels as kernels
from .operation import Array, operation

BatchSizes = tuple[int, ...] | None


# -- packed sequences -------------------------------------------------------------------------


@lru_cache(64)
def _places(batch_sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """For (T, N) the packed row (the number of rows where there is none), and the reverse."""
    sizes = np.array(batch_sizes)
    count, widest = len(sizes), int(sizes[0])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    columns = np.arange(widest)
    present = columns < sizes[:, None]
    rows = np.where(present, starts[:-1, None] + columns, starts[-1])
    return rows, np.flatnonzero(present.reshape(count * widest))


def _spread(xp: Any, rows: Any, batch_sizes: BatchSizes) -> Any:
    """(T, N, F) of packed rows, zeros where a sequence has no such step."""
    if batch_sizes is None:
        return rows
    none = xp.full((1, *rows.shape[1:]), 0, xp.dtype(rows))
    return xp.index(xp.cat([rows, none], 0), (_places(batch_sizes)[0],))


def _packed(xp: Any, steps: Any, batch_sizes: BatchSizes) -> Any:
    """The packed rows of (T, N, F)."""
    if batch_sizes is None:
        return steps
    count, widest = steps.shape[:2]
    flat = xp.reshape(steps, (count * widest, *steps.shape[2:]))
    return xp.index(flat, (_places(batch_sizes)[1],))


def _running(xp: Any, batch_sizes: BatchSizes) -> list[Any]:
    """What a scan is given besides: (T, N, 1), whether a sequence has that step."""
    if batch_sizes is None or batch_sizes[0] == batch_sizes[-1]:
        return []
    answers = xp.cat([xp.full((1,), value, np.dtype(bool)) for value in (False, True)], 0)
    present = _places(batch_sizes)[0] < sum(batch_sizes)
    return [xp.index(answers, (present[:, :, None].astype(np.int64),))]


def _kept(xp: Any, running: Any, new: Any, old: Any) -> Any:
    return xp.where(running[0], new, old) if running else new


# -- products with weights --------------------------------------------------------------------


def _transposed(xp: Any, matrix: Any) -> Any:
    return xp.permute(matrix, (1, 0))


def _rows(xp: Any, array: Any) -> Any:
    """(rows, F) of (..., F)."""
    if array.ndim == 2:
        return array
    return xp.reshape(array, (array.shape[0] * array.shape[1], array.shape[2]))


def _projected(xp: Any, input: Any, weight: Any, biases: Any, batch_sizes: BatchSizes) -> Any:
    """(T, N, gates): ``input @ weight.T`` and the biases, for all steps at once."""
    result = xp.matmul(input, _transposed(xp, weight))
    for bias in biases:
        if bias is not None:
            result = result + bias
    return _spread(xp, result, batch_sizes)


def _before(xp: Any, first: Any, states: Any, reverse: bool) -> Any:
    """(T, N, H): the state that each step began with."""
    first = xp.reshape(first, (1, *first.shape))
    if reverse:
        return xp.cat([xp.slice(states, (slice(1, None),)), first], 0)
    return xp.cat([first, xp.slice(states, (slice(0, states.shape[0] - 1),))], 0)


def _last(xp: Any, states: Any, reverse: bool) -> Any:
    return xp.slice(states, (0 if reverse else states.shape[0] - 1,))


def _outgoing(
    xp: Any, grad: Any, states: tuple[Any, ...], batch_sizes: BatchSizes
) -> tuple[Any, list[Any]]:
    """The gradient of all outputs, as (T, N, H), and those of the last states."""

    def zeros(shape: Any) -> Any:
        return xp.full(tuple(shape), 0, xp.dtype(states[0]))

    every = zeros(states[0].shape) if grad[0] is None else _spread(xp, grad[0], batch_sizes)
    last = [zeros(s.shape[1:]) if g is None else g for s, g in zip(states, grad[1:])]
    return every, last


def _input_gradients(
    xp: Any, slopes: Any, input: Any, weight: Any, batch_sizes: BatchSizes, needs: Any
) -> tuple[Any, Any, Any]:
    """Of input, weight and bias, from those of all steps' sums of products, (T, N, gates)."""
    rows = _rows(xp, _packed(xp, slopes, batch_sizes))
    of_input = of_weight = of_bias = None
    if needs[0]:
        of_input = xp.reshape(xp.matmul(rows, weight), tuple(input.shape))
    if needs[1]:
        of_weight = xp.matmul(_transposed(xp, rows), _rows(xp, input))
    if needs[2]:
        of_bias = xp.sum(rows, (0,), False)
    return of_input, of_weight, of_bias


def _product(xp: Any, left: Any, right: Any) -> Any:
    """(a, b): the sum over steps and sequences of (T, N, a) times (T, N, b)."""
    return xp.matmul(_transposed(xp, _rows(xp, left)), _rows(xp, right))


def _split(xp: Any, gates: Any, count: int) -> list[Any]:
    """``count`` equal parts along the last dim of (N, count * H)."""
    n = gates.shape[1] // count
    return [xp.slice(gates, (slice(None), slice(k * n, (k + 1) * n))) for k in range(count)]


def _without_kernel(layer: Any, dtype: np.dtype, *arguments: Any) -> Any:
    """The gradients of ``layer`` by its definition, compiled if its forward pass was."""

    def on_numpy() -> Any:
        found = layer.vjps[0].function(numpy, *arguments)
        # half precision was computed in float32
        return tuple(None if g is None else g.astype(dtype, copy=False) for g in found)

    if isinstance(arguments[-2], native.Kept):
        return native.backward(layer, arguments, on_numpy)
    return on_numpy()


def _numpy_seconds(input: Any, hx: Any, weight_ih: Any, batch_sizes: BatchSizes) -> float:
    """About how long a kernel takes: its calls at each step, and its products."""
    if batch_sizes is not None and batch_sizes[0] != batch_sizes[-1]:
        return 0.0  # the next batch's lengths will be others
    rows = input.size // input.shape[-1]
    products = 2.0 * rows * weight_ih.shape[0] * (input.shape[-1] + hx.shape[1])
    return rows / hx.shape[0] * 15e-6 + products / 50e9


# -- long short-term memory -------------------------------------------------------------------


def _lstm_step(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    h, c = carries
    projected, *running = elements
    i, f, g, o = _split(xp, projected + xp.matmul(h, consts[0]), 4)
    i, f, g, o = xp.sigmoid(i), xp.sigmoid(f), xp.tanh(g), xp.sigmoid(o)
    new_c = f * c + i * g
    new_h = o * xp.tanh(new_c)
    if len(consts) > 1:
        new_h = xp.matmul(new_h, consts[1])
    return [_kept(xp, running, new_h, h), _kept(xp, running, new_c, c), i, f, g, o]


def _lstm_step_back(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    dh, dc = carries
    grad, c, tanh_c, i, f, g, o, *running = elements
    dh = dh + grad
    h_slope = _kept(xp, running, dh, dh * 0)
    dm = xp.matmul(h_slope, consts[1]) if len(consts) > 1 else h_slope
    c_slope = _kept(xp, running, dc + dm * o * (1 - tanh_c * tanh_c), dc * 0)
    slopes = xp.cat(
        [
            c_slope * g * (i * (1 - i)), c_slope * c * (f * (1 - f)), c_slope * i * (1 - g * g),
            dm * tanh_c * (o * (1 - o)),
        ],
        1,
    )  # fmt: skip
    before = xp.matmul(slopes, consts[0])
    results = [_kept(xp, running, before, dh), _kept(xp, running, c_slope * f, dc), slopes]
    return [*results, h_slope] if len(consts) > 1 else results


_LSTM = ((3, 2, 3), (2, 2), (2, 2), (8, 3), (8, 2))


@operation(public=False, out=False, same_dtype=True, outputs=("output", "h", "c"), aux=True,
           node_name="LstmBackward0",
           samples=((*_LSTM, (8,), (8,)), (*_LSTM, None, None, None, None, True),
                    ((1, 2, 3), *_LSTM[1:], (8,), (8,)),
                    ((6, 3), (3, 2), (3, 2), (8, 3), (8, 2), (8,), (8,), None, (3, 2, 1)),
                    ((6, 3), (3, 2), (3, 2), (8, 3), (8, 2), (8,), (8,), None, (3, 2, 1), True),
                    ((3, 2, 3), (2, 2), (2, 3), (12, 3), (12, 2), (12,), (12,), (2, 3)),
                    ((4, 3), (2, 2), (2, 3), (12, 3), (12, 2), None, None, (2, 3), (2, 1, 1), True),
                    ))  # fmt: skip
def lstm_layer(
    xp,
    input: Array,
    hx: Array,
    cx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    weight_hr: Array | None = None,
    batch_sizes: BatchSizes = None,
    reverse: bool = False,
):
    """One direction of one layer of a long short-term memory.

    Args:
        input: (T, N, F), or packed rows (rows, F).
        hx: (N, P), the first hidden state; P is H without ``weight_hr``.
        cx: (N, H), the first cell state.
        weight_ih: (4 H, F), of input, forget, cell and output gate.
        weight_hh: (4 H, P).
        bias_ih: (4 H).
        bias_hh: (4 H).
        weight_hr: (P, H), a projection of the hidden state.
        batch_sizes: for packed rows, the number of sequences that have step t.
        reverse: begin at each sequence's last element.
    Returns:
        output: (T, N, P) or (rows, P), the hidden state after each step.
        h: (N, P), each sequence's last hidden state.
        c: (N, H), its last cell state.
    """
    steps = _projected(xp, input, weight_ih, (bias_ih, bias_hh), batch_sizes)
    consts = [_transposed(xp, w) for w in (weight_hh, weight_hr) if w is not None]
    elements = [steps, *_running(xp, batch_sizes)]
    states = xp.scan(_lstm_step, [hx, cx], elements, consts, reverse)
    output = _packed(xp, states[0], batch_sizes)
    return output, _last(xp, states[0], reverse), _last(xp, states[1], reverse), states


@lstm_layer.vjp("input", "hx", "cx", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
def _(xp, grad, input, hx, cx, weight_ih, weight_hh, weight_hr, batch_sizes, reverse, aux, needs):
    h, c, i, f, g, o = aux
    every, last = _outgoing(xp, grad, (h, c), batch_sizes)
    tanh_c = xp.tanh(c)
    elements = [every, _before(xp, cx, c, reverse), tanh_c, i, f, g, o]
    elements += _running(xp, batch_sizes)
    consts = [weight_hh] if weight_hr is None else [weight_hh, weight_hr]
    found = xp.scan(_lstm_step_back, last, elements, consts, not reverse)
    slopes = found[2]
    of_input, of_weight, of_bias = _input_gradients(
        xp, slopes, input, weight_ih, batch_sizes, (needs[0], needs[3], needs[5] or needs[6])
    )
    of_recurrent = _product(xp, slopes, _before(xp, hx, h, reverse)) if needs[4] else None
    of_projection = _product(xp, found[3], o * tanh_c) if needs[7] else None
    first = [_last(xp, found[k], not reverse) for k in (0, 1)]
    return of_input, *first, of_weight, of_recurrent, of_bias, of_bias, of_projection


@lstm_layer.kernel
def _(input, hx, cx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, weight_hr=None,
      batch_sizes=None, reverse=False):  # fmt: skip
    operands = (input, hx, cx, weight_ih, weight_hh, bias_ih, bias_hh)
    arguments = (*operands, weight_hr, batch_sizes, reverse)
    if not kernels.fits(*operands, weight_hr):
        return lstm_layer.forward(numpy, *arguments)

    if input.ndim == 3 and input.shape[0] == 1 and weight_hr is None:
        return kernels.lstm_cell.forward(*operands)

    def on_numpy() -> Any:
        if weight_hr is not None:
            return lstm_layer.forward(numpy, *arguments)
        return kernels.lstm.forward(*operands, batch_sizes, reverse)

    seconds = _numpy_seconds(input, hx, weight_ih, batch_sizes)
    return native.forward(lstm_layer, arguments, seconds, on_numpy)


@lstm_layer.vjp_kernel(
    "input", "hx", "cx", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"
)
def _(grad, input, hx, cx, weight_ih, weight_hh, weight_hr, batch_sizes, reverse, aux, needs):
    if isinstance(aux, kernels.lstm_cell.LstmCell):
        return kernels.lstm_cell.backward(grad, input, hx, cx, weight_ih, weight_hh, aux, needs)
    if not isinstance(aux, kernels.lstm.Lstm):
        return _without_kernel(
            lstm_layer, input.dtype, grad, input, hx, cx, weight_ih, weight_hh, weight_hr,
            batch_sizes, reverse, aux, needs,
        )  # fmt: skip
    return kernels.lstm.backward(grad, hx, cx, weight_ih, weight_hh, aux, needs, input.shape)


# -- gated recurrent unit ---------------------------------------------------------------------


def _gru_step(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    (h,) = carries
    projected, *running = elements
    recurrent = xp.matmul(h, consts[0])
    if len(consts) > 1:
        recurrent = recurrent + consts[1]
    (ir, iz, in_), (hr, hz, hn) = _split(xp, projected, 3), _split(xp, recurrent, 3)
    r, z = xp.sigmoid(ir + hr), xp.sigmoid(iz + hz)
    n = xp.tanh(in_ + r * hn)
    return [_kept(xp, running, n + z * (h - n), h), r, z, n, hn]


def _gru_step_back(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    (dh,) = carries
    grad, h, r, z, n, hn, *running = elements
    dh = dh + grad
    slope = _kept(xp, running, dh, dh * 0)
    z_slope = slope * (h - n) * (z * (1 - z))
    n_slope = slope * (1 - z) * (1 - n * n)
    r_slope = n_slope * hn * (r * (1 - r))
    recurrent = xp.cat([r_slope, z_slope, n_slope * r], 1)
    before = slope * z + xp.matmul(recurrent, consts[0])
    return [_kept(xp, running, before, dh), xp.cat([r_slope, z_slope, n_slope], 1), recurrent]


_GRU = ((3, 2, 3), (2, 2), (6, 3), (6, 2))


@operation(public=False, out=False, same_dtype=True, outputs=("output", "h"), aux=True,
           node_name="GruBackward0",
           samples=((*_GRU, (6,), (6,)), (*_GRU, None, None, None, True),
                    ((6, 3), (3, 2), (6, 3), (6, 2), (6,), (6,), (3, 2, 1)),
                    ((6, 3), (3, 2), (6, 3), (6, 2), (6,), (6,), (3, 2, 1), True)))  # fmt: skip
def gru_layer(
    xp,
    input: Array,
    hx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    batch_sizes: BatchSizes = None,
    reverse: bool = False,
):
    """One direction of one layer of gated recurrent units.

    Args:
        input: (T, N, F), or packed rows (rows, F).
        hx: (N, H), the first hidden state.
        weight_ih: (3 H, F), of reset, update and new gate.
        weight_hh: (3 H, H).
        bias_ih: (3 H).
        bias_hh: (3 H).
        batch_sizes: for packed rows, the number of sequences that have step t.
        reverse: begin at each sequence's last element.
    Returns:
        output: (T, N, H) or (rows, H), the hidden state after each step.
        h: (N, H), each sequence's last hidden state.
    """
    steps = _projected(xp, input, weight_ih, (bias_ih,), batch_sizes)
    consts = [_transposed(xp, weight_hh)] + ([] if bias_hh is None else [bias_hh])
    states = xp.scan(_gru_step, [hx], [steps, *_running(xp, batch_sizes)], consts, reverse)
    return _packed(xp, states[0], batch_sizes), _last(xp, states[0], reverse), states


@gru_layer.vjp("input", "hx", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _(xp, grad, input, hx, weight_ih, weight_hh, batch_sizes, reverse, aux, needs):
    h, r, z, n, hn = aux
    every, last = _outgoing(xp, grad, (h,), batch_sizes)
    before = _before(xp, hx, h, reverse)
    elements = [every, before, r, z, n, hn, *_running(xp, batch_sizes)]
    found, slopes, recurrent = xp.scan(_gru_step_back, last, elements, [weight_hh], not reverse)
    of_input, of_weight, of_bias = _input_gradients(
        xp, slopes, input, weight_ih, batch_sizes, (needs[0], needs[2], needs[4])
    )
    of_recurrent = _product(xp, recurrent, before) if needs[3] else None
    of_recurrent_bias = xp.sum(recurrent, (0, 1), False) if needs[5] else None
    first = _last(xp, found, not reverse)
    return of_input, first, of_weight, of_recurrent, of_bias, of_recurrent_bias


@gru_layer.kernel
def _(input, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, batch_sizes=None,
      reverse=False):  # fmt: skip
    operands = (input, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    if not kernels.fits(*operands):
        return gru_layer.forward(numpy, *operands, batch_sizes, reverse)
    return native.forward(
        gru_layer, (*operands, batch_sizes, reverse),
        _numpy_seconds(input, hx, weight_ih, batch_sizes),
        lambda: kernels.gru.forward(*operands, batch_sizes, reverse),
    )  # fmt: skip


@gru_layer.vjp_kernel("input", "hx", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _(grad, input, hx, weight_ih, weight_hh, batch_sizes, reverse, aux, needs):
    if not isinstance(aux, kernels.gru.Gru):
        return _without_kernel(
            gru_layer, input.dtype, grad, input, hx, weight_ih, weight_hh, batch_sizes, reverse,
            aux, needs,
        )  # fmt: skip
    return kernels.gru.backward(grad, hx, weight_ih, weight_hh, aux, needs, input.shape)


# -- plain recurrence -------------------------------------------------------------------------


def _tanh_step(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    (h,) = carries
    return [_kept(xp, elements[1:], xp.tanh(elements[0] + xp.matmul(h, consts[0])), h)]


def _relu_step(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    (h,) = carries
    return [_kept(xp, elements[1:], xp.relu(elements[0] + xp.matmul(h, consts[0])), h)]


def _plain_step_back(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
    (dh,) = carries
    grad, derivative, *running = elements
    dh = dh + grad
    slope = _kept(xp, running, dh * derivative, dh * 0)
    return [_kept(xp, running, xp.matmul(slope, consts[0]), dh), slope]


_RNN = ((3, 2, 3), (2, 2), (2, 3), (2, 2))


@operation(public=False, out=False, same_dtype=True, outputs=("output", "h"), aux=True,
           node_name="RnnBackward0",
           samples=((*_RNN, (2,), (2,)), (*_RNN, None, None, "relu", None, True),
                    ((6, 3), (3, 2), (2, 3), (2, 2), (2,), (2,), "tanh", (3, 2, 1)),
                    ((6, 3), (3, 2), (2, 3), (2, 2), (2,), (2,), "relu", (3, 2, 1), True),
                    ))  # fmt: skip
def rnn_layer(
    xp,
    input: Array,
    hx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    nonlinearity: str = "tanh",
    batch_sizes: BatchSizes = None,
    reverse: bool = False,
):
    """One direction of one layer of an Elman network.

    Args:
        input: (T, N, F), or packed rows (rows, F).
        hx: (N, H), the first hidden state.
        weight_ih: (H, F).
        weight_hh: (H, H).
        bias_ih: (H).
        bias_hh: (H).
        nonlinearity: "tanh" or "relu".
        batch_sizes: for packed rows, the number of sequences that have step t.
        reverse: begin at each sequence's last element.
    Returns:
        output: (T, N, H) or (rows, H), the hidden state after each step.
        h: (N, H), each sequence's last hidden state.
    """
    steps = _projected(xp, input, weight_ih, (bias_ih, bias_hh), batch_sizes)
    step = _tanh_step if nonlinearity == "tanh" else _relu_step
    elements = [steps, *_running(xp, batch_sizes)]
    states = xp.scan(step, [hx], elements, [_transposed(xp, weight_hh)], reverse)
    return _packed(xp, states[0], batch_sizes), _last(xp, states[0], reverse), states


@rnn_layer.vjp("input", "hx", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _(xp, grad, input, hx, weight_ih, weight_hh, nonlinearity, batch_sizes, reverse, aux, needs):
    (h,) = aux
    every, last = _outgoing(xp, grad, (h,), batch_sizes)
    if nonlinearity == "tanh":
        derivative = 1 - h * h
    else:
        derivative = xp.astype(h > 0, xp.dtype(input))
    elements = [every, derivative, *_running(xp, batch_sizes)]
    found, slopes = xp.scan(_plain_step_back, last, elements, [weight_hh], not reverse)
    of_input, of_weight, of_bias = _input_gradients(
        xp, slopes, input, weight_ih, batch_sizes, (needs[0], needs[2], needs[4] or needs[5])
    )
    of_recurrent = _product(xp, slopes, _before(xp, hx, h, reverse)) if needs[3] else None
    first = _last(xp, found, not reverse)
    return of_input, first, of_weight, of_recurrent, of_bias, of_bias


@rnn_layer.kernel
def _(input, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh",
      batch_sizes=None, reverse=False):  # fmt: skip
    operands = (input, hx, weight_ih, weight_hh, bias_ih, bias_hh)
    if not kernels.fits(*operands):
        return rnn_layer.forward(numpy, *operands, nonlinearity, batch_sizes, reverse)
    return native.forward(
        rnn_layer, (*operands, nonlinearity, batch_sizes, reverse),
        _numpy_seconds(input, hx, weight_ih, batch_sizes),
        lambda: kernels.plain.forward(*operands, nonlinearity, batch_sizes, reverse),
    )  # fmt: skip


@rnn_layer.vjp_kernel("input", "hx", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
def _(grad, input, hx, weight_ih, weight_hh, nonlinearity, batch_sizes, reverse, aux, needs):
    if not isinstance(aux, kernels.plain.Plain):
        return _without_kernel(
            rnn_layer, input.dtype, grad, input, hx, weight_ih, weight_hh, nonlinearity,
            batch_sizes, reverse, aux, needs,
        )  # fmt: skip
    return kernels.plain.backward(
        grad, hx, weight_ih, weight_hh, nonlinearity, aux, needs, input.shape
    )
