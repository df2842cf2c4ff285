"""Recurrent layers: the scans that ONNX has as LSTM, GRU or RNN.

A scan is one of the recurrent layers if its body is the one that the layer's own step makes on
arrays of these shapes. The products of all steps' inputs with the weights, which are taken before
the scan, are then part of the operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compiler.graph import Value
from ..compiler.scan import scan
from ..ops import recurrent
from .builder import Builder
from .patterns import Graph, scan_key

_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""Which of ours (i, f, g, o; r, z, n) ONNX's gates are (i, o, f, c; z, r, h), in its order."""


@dataclass(frozen=True)
class Kind:
    operator: str
    step: Callable[..., Any]
    states: int
    attributes: tuple[tuple[str, Any], ...] = ()


_KINDS = (
    Kind("LSTM", recurrent._lstm_step, 2),
    Kind("GRU", recurrent._gru_step, 1, (("linear_before_reset", 1),)),
    Kind("RNN", recurrent._tanh_step, 1, (("activations", ["Tanh"]),)),
    Kind("RNN", recurrent._relu_step, 1, (("activations", ["Relu"]),)),
)


@dataclass(frozen=True)
class Layer:
    """What one ONNX operator is made of.

    Attributes:
        rows: of all steps, (T, N, F) or (T * N, F); without ``weight`` the
            products, (T, N, gates).
        weight: (F, gates), or None.
        biases: of the products with the inputs, (gates).
        recurrent: (H, gates).
        recurrent_bias: (gates), or None.
        kind: which operator it is.
        states: the first states, (N, H) each.
    """

    kind: Kind
    rows: Value
    weight: Value | None
    biases: tuple[Value, ...]
    states: tuple[Value, ...]
    recurrent: Value
    recurrent_bias: Value | None

    def needed(self, graph: Graph) -> list[Value]:
        """What must be written before it: rows, states and the weights ``graph`` does not know."""
        matrices = (self.weight, *self.biases, self.recurrent, self.recurrent_bias)
        open_ones = [m for m in matrices if m is not None and graph.known(m) is None]
        return [self.rows, *self.states, *open_ones]


def _parts(value: Value) -> tuple[tuple[Value, ...], tuple[Value, ...], tuple[Value, ...]]:
    """Carries, sequences and constants of a scan."""
    first = value.attributes["carries"]
    behind = first + value.attributes["sequences"]
    return value.operands[:first], value.operands[first:behind], value.operands[behind:]


def _is_last(b: Builder, value: Value) -> bool:
    """Whether a value is what a scan's result is at its last step."""
    if value.primitive != "slice" or value.operands[0].primitive != "scan":
        return False
    picked = value.attributes["key"]
    if len(picked) != 1 or not isinstance(picked[0], int):
        return False

    def before_last(v: Value) -> int:
        (place,) = v.attributes["key"]
        steps = v.operands[0]
        at = place % steps.shape[0]
        return at if steps.attributes["reverse"] else steps.shape[0] - 1 - at

    return bool(b.sizes.of(value, before_last) == 0)


def layer(b: Builder, value: Value, graph: Graph) -> Layer | None:
    """The recurrent layer that a scan is, if only its outputs and last states are needed.

    Args:
        b: what knows the open sizes.
        value: a result of the scan.
        graph: of which it is one.

    Returns:
        its parts; None: it is none.
    """
    place = scan_key(value)
    if place not in graph.layers:
        graph.layers[place] = _recognized(b, value, graph)
    return graph.layers[place]


def last_of_layer(b: Builder, value: Value, graph: Graph) -> Layer | None:
    """The recurrent layer that ``value`` is a last state of, or None.

    Args:
        b, value, graph: as for :func:`layer`.
    """
    return layer(b, value.operands[0], graph) if _is_last(b, value) else None


def _recognized(b: Builder, value: Value, graph: Graph) -> Layer | None:
    carries, sequences, consts = _parts(value)
    # The operators are there for all floats, but onnxruntime has them for float32 only.
    if value.dtype != np.float32 or len(sequences) != 1 or not consts or consts[0].ndim != 2:
        return None
    bias = consts[1] if len(consts) > 1 else None
    for kind in _KINDS:
        hidden, count = consts[0].shape
        if kind.states != len(carries) or count != hidden * len(_GATES[kind.operator]):
            continue
        if bias is not None and kind.operator != "GRU":
            continue
        same = scan(kind.step, carries, sequences, consts, value.attributes["reverse"])
        if same[0].attributes["body"] != value.attributes["body"]:
            continue
        for result in graph.results[scan_key(value)]:
            output = result.attributes["output"]
            lasts = all(_is_last(b, user) for user in graph.users.get(id(result), ()))
            other = output and (not lasts or id(result) in graph.outputs)
            if output >= kind.states or other:
                return None
        rows, weight, biases = _products(sequences[0], 2 if bias is None else 1)
        return Layer(kind, rows, weight, biases, carries, consts[0], bias)
    return None


def _products(projected: Value, most: int) -> tuple[Value, Value | None, tuple[Value, ...]]:
    """Rows, weight (F, gates) and at most so many biases that (T, N, gates) is computed from."""
    count = projected.shape[-1]
    value, biases = projected, []
    while value.primitive == "add" and value.operands[1].shape == (count,):
        biases.append(value.operands[1])
        value = value.operands[0]
    if value.primitive == "matmul" and len(biases) <= most:
        rows, weight = value.operands
        if rows.ndim == 3 and weight.ndim == 2:
            return rows, weight, tuple(reversed(biases))
    return projected, None, ()


def write(b: Builder, value: Value, graph: Graph) -> str:
    """Write the recurrent layer that ``value`` is a part of, if it is not written yet.

    Args:
        b: where to.
        value: its outputs or a last state.
        graph: of which it is one.

    Returns:
        the name of ``value``.
    """
    result = value if value.primitive == "scan" else value.operands[0]
    found = layer(b, result, graph)
    assert found is not None, "only what is needed() is written"
    place = scan_key(result)
    if place not in graph.written:
        graph.written[place] = _written(b, result, found, graph)
    outputs = graph.written[place]
    if result is value:
        return b.node("Squeeze", [outputs[0], b.integers([1])])
    return b.node("Squeeze", [outputs[1 + result.attributes["output"]], b.integers([0])])


def _count_of_steps(value: Value) -> int:
    return value.shape[0]


def _count_of_rows(value: Value) -> int:
    return value.shape[1]


def _written(b: Builder, value: Value, found: Layer, graph: Graph) -> list[str]:
    """Write the operator; the names of all outputs and of the last states."""
    order = _GATES[found.kind.operator]
    hidden, count = found.recurrent.shape
    rows = b.of(found.rows)
    if found.rows.ndim == 2:
        lengths = [b.sizes.of(value, number) for number in (_count_of_steps, _count_of_rows)]
        rows = b.node("Reshape", [rows, b.shape([*lengths, found.rows.shape[1]])])
    if found.weight is None:
        eye = np.eye(count, dtype=value.dtype)
        weight = b.constant(eye[_places(count, order)][None], "weight")
    else:
        weight = _in_order(b, found.weight, graph, order)
    recurrent_weight = _in_order(b, found.recurrent, graph, order)
    bias = ""
    if found.recurrent_bias is not None or found.biases:
        halves = [*found.biases, None, None][: 1 if found.recurrent_bias is not None else 2]
        bias = _biases(b, [*halves, found.recurrent_bias][:2], value.dtype, count, graph, order)
    states = [b.node("Unsqueeze", [b.of(state), b.integers([0])]) for state in found.states]
    outputs: list[str] = b.node(
        found.kind.operator,
        [rows, weight, recurrent_weight, bias, "", *states],
        1 + found.kind.states,
        hidden_size=hidden,
        direction="reverse" if value.attributes["reverse"] else "forward",
        **dict(found.kind.attributes),
    )
    return outputs


def _places(count: int, order: tuple[int, ...]) -> np.ndarray:
    """Where ONNX's order has the elements of all gates from."""
    return np.arange(count).reshape(len(order), -1)[list(order)].reshape(-1)


def _in_order(b: Builder, value: Value, graph: Graph, order: tuple[int, ...]) -> str:
    """(1, gates, ...) of (..., gates)."""
    places = _places(value.shape[-1], order)
    array = graph.known(value)
    if array is not None:
        return b.constant(array.T[places][None], "weight")
    name = b.of(value)
    if value.ndim == 2:
        name = b.node("Transpose", [name], perm=[1, 0])
    name = b.node("Gather", [name, b.integers(places)], axis=0)
    return b.node("Unsqueeze", [name, b.integers([0])])


def _biases(
    b: Builder,
    halves: list[Value | None],
    dtype: np.dtype,
    count: int,
    graph: Graph,
    order: tuple[int, ...],
) -> str:
    """(1, 2 * gates): of the products with inputs and with states; None is zeros."""
    arrays = [np.zeros(count, dtype) if h is None else graph.known(h) for h in halves]
    known = [array[_places(count, order)] for array in arrays if array is not None]
    if len(known) == len(halves):
        return b.constant(np.concatenate(known)[None], "bias")
    zeros = b.constant(np.zeros((1, count), dtype))
    names = [zeros if half is None else _in_order(b, half, graph, order) for half in halves]
    return b.node("Concat", names, axis=1)
