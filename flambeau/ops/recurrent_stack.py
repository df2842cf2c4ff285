"""Several recurrent layers, in one direction or both: ``torch.lstm``, ``gru``, ``rnn_tanh`` ...

These are the functions under ``nn.LSTM`` and its like.  Each takes either a padded batch
``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`` or a
packed one ``(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train,
bidirectional)``.

Source: https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..tensor import Tensor
from .dropout import dropout as drop_elements
from .operation import composite, renamed
from .recurrent import gru_layer, lstm_layer, rnn_layer
from .shape import cat, stack

# Each of these takes a layer's input, first states and weights to its outputs and last states.


def _lstm(
    input: Tensor, states: Any, weights: Any, batch_sizes: Any, reverse: bool, biased: bool
) -> tuple[Tensor, list[Tensor]]:
    ih, hh, *rest = weights
    bias_ih, bias_hh = (rest[0], rest[1]) if biased else (None, None)
    hr = rest[-1] if len(rest) % 2 else None
    found = lstm_layer.function(
        input, states[0], states[1], ih, hh, bias_ih, bias_hh, hr, batch_sizes, reverse
    )
    return found[0], [found[1], found[2]]


def _gru(
    input: Tensor, states: Any, weights: Any, batch_sizes: Any, reverse: bool, biased: bool
) -> tuple[Tensor, list[Tensor]]:
    bias_ih, bias_hh = weights[2:] if biased else (None, None)
    found = gru_layer.function(
        input, states[0], weights[0], weights[1], bias_ih, bias_hh, batch_sizes, reverse
    )
    return found[0], [found[1]]


def _plain(nonlinearity: str) -> Any:
    def layer(
        input: Tensor, states: Any, weights: Any, batch_sizes: Any, reverse: bool, biased: bool
    ) -> tuple[Tensor, list[Tensor]]:
        bias_ih, bias_hh = weights[2:] if biased else (None, None)
        found = rnn_layer.function(
            input, states[0], weights[0], weights[1], bias_ih, bias_hh, nonlinearity,
            batch_sizes, reverse,
        )  # fmt: skip
        return found[0], [found[1]]

    return layer


_LAYERS: dict[str, Callable[..., tuple[Tensor, list[Tensor]]]] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": _plain("tanh"),
    "rnn_relu": _plain("relu"),
}


def run_layers(
    kind: str,
    input: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_sizes: tuple[int, ...] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Layers over layers: each takes the outputs of the one below.

    Args:
        kind: "lstm", "gru", "rnn_tanh" or "rnn_relu".
        input: (T, N, F), or packed rows (rows, F) with ``batch_sizes``.
        states: the first states of all layers and directions, each (layers * directions, N, H).
        params: the weights, layer by layer, forward before backward.
        has_biases: whether there are biases among them.
        num_layers: the number of layers.
        dropout: the probability that an output of a layer but the last is dropped.
        train: whether any is.
        bidirectional: whether each layer runs in both directions.
        batch_sizes: the number of sequences that have step t.

    Returns:
        The last layer's outputs, (T, N, directions * H), and the last states.
    """
    if not input.shape[0]:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    layer = _LAYERS[kind]
    directions = 2 if bidirectional else 1
    count = len(params) // (num_layers * directions)
    last: list[list[Tensor]] = []
    for level in range(num_layers):
        outputs = []
        for direction in range(directions):
            k = level * directions + direction
            first = [s[k] for s in states]
            weights = params[k * count : (k + 1) * count]
            output, found = layer(input, first, weights, batch_sizes, direction == 1, has_biases)
            outputs.append(output)
            last.append(found)
        input = outputs[0] if directions == 1 else cat.function(outputs, -1)
        if dropout and train and level < num_layers - 1:
            input = drop_elements(input, dropout, train)
    if directions == 1:
        renamed(input, _node_name(kind, batch_sizes, params, count, has_biases))
    if len(last) == 1:
        return input, [renamed(state[None], "StackBackward0") for state in last[0]]
    return input, [stack.function(list(parts)) for parts in zip(*last)]


def _node_name(kind: str, packed: Any, params: Any, count: int, has_biases: bool) -> str:
    """PyTorch's name for the node of the outputs of layers in one direction."""
    if packed is not None:
        return "CatBackward0"
    projected = count > (4 if has_biases else 2)
    return "MkldnnRnnLayerBackward0" if kind == "lstm" and not projected else "StackBackward0"


def batch_to_the_front(kind: str, output: Tensor) -> Tensor:
    """Outputs (T, N, F) as (N, T, F)."""
    swapped = output.transpose(0, 1)  # type: ignore[attr-defined]
    return swapped if kind == "lstm" else renamed(swapped, "TransposeBackward1")  # type: ignore[no-any-return]


def as_sizes(batch_sizes: Tensor) -> tuple[int, ...]:
    """A packed sequence's batch sizes as numbers."""
    return tuple(batch_sizes.tolist())  # type: ignore[arg-type]


def _run(kind: str, arguments: tuple[Any, ...]) -> tuple[Tensor, list[Tensor]]:
    packed = isinstance(arguments[1], Tensor) and (
        kind == "lstm" or isinstance(arguments[2], Tensor)
    )
    batch_sizes, batch_first = None, False
    if packed:
        input, sizes, hx, *options = arguments
        batch_sizes = as_sizes(sizes)
    else:
        input, hx, *options, batch_first = arguments
    if batch_first:
        input = input.transpose(0, 1)
    params, has_biases, num_layers, dropout, train, bidirectional = options
    output, last = run_layers(
        kind, input, list(hx) if kind == "lstm" else [hx], params, has_biases, num_layers, dropout,
        train, bidirectional, batch_sizes,
    )  # fmt: skip
    return (batch_to_the_front(kind, output) if batch_first else output), last


@composite(method=False)
def lstm(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The layers of an LSTM; see ``nn.LSTM`` and the module for the arguments.

    Returns:
        Outputs, last hidden states, last cell states.
    """
    output, last = _run("lstm", args)
    return output, last[0], last[1]


@composite(method=False)
def gru(*args: Any) -> tuple[Tensor, Tensor]:
    """The layers of a GRU; see ``nn.GRU`` and the module for the arguments.

    Returns:
        Outputs and last hidden states.
    """
    output, last = _run("gru", args)
    return output, last[0]


@composite(method=False)
def rnn_tanh(*args: Any) -> tuple[Tensor, Tensor]:
    """The layers of an Elman network with tanh; see ``nn.RNN`` and the module for the arguments.

    Returns:
        Outputs and last hidden states.
    """
    output, last = _run("rnn_tanh", args)
    return output, last[0]


@composite(method=False)
def rnn_relu(*args: Any) -> tuple[Tensor, Tensor]:
    """The layers of an Elman network with ReLU; see ``nn.RNN`` and the module for the arguments.

    Returns:
        Outputs and last hidden states.
    """
    output, last = _run("rnn_relu", args)
    return output, last[0]


# -- one step -----------------------------------------------------------------------------------


def _check_cell(input: Any, hx: Any, weight_ih: Any, weight_hh: Any, number: int = 0) -> None:
    if input.shape[-1] != weight_ih.shape[1]:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[-1]} expected "
            f"{weight_ih.shape[1]}"
        )
    if input.shape[0] != hx.shape[0]:
        raise RuntimeError(
            f"Input batch size {input.shape[0]} doesn't match hidden{number} batch size "
            f"{hx.shape[0]}"
        )
    if hx.shape[-1] != weight_hh.shape[1]:
        raise RuntimeError(
            f"hidden{number} has inconsistent hidden_size: got {hx.shape[-1]}, expected "
            f"{weight_hh.shape[1]}"
        )


@composite(method=False)
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM.

    Args:
        input: (N, F).
        hx: the hidden state and the cell state, (N, H) each.
        w_ih, w_hh: (4 H, F) and (4 H, H), of the input, forget, cell and output gates.
        b_ih, b_hh: (4 H), or None.

    Returns:
        The next two states, (N, H) each.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    for number, state in enumerate(hx):
        _check_cell(input, state, w_ih, w_hh, number)
    found = lstm_layer.function(input[None], hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)
    return renamed(found[1], "MulBackward0"), renamed(found[2], "AddBackward0")


@composite(method=False)
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU.

    Args:
        input: (N, F).
        hx: the state, (N, H).
        w_ih, w_hh: (3 H, F) and (3 H, H), of the reset, update and new gates.
        b_ih, b_hh: (3 H), or None.

    Returns:
        The next state, (N, H).

    Raises:
        RuntimeError: the shapes do not fit.
    """
    _check_cell(input, hx, w_ih, w_hh)
    return renamed(gru_layer.function(input[None], hx, w_ih, w_hh, b_ih, b_hh)[1], "AddBackward0")


@composite(method=False)
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of an Elman network with tanh.

    Args:
        input: (N, F).
        hx: the state, (N, H).
        w_ih, w_hh: (H, F) and (H, H).
        b_ih, b_hh: (H), or None.

    Returns:
        The next state, (N, H).

    Raises:
        RuntimeError: the shapes do not fit.
    """
    _check_cell(input, hx, w_ih, w_hh)
    found = rnn_layer.function(input[None], hx, w_ih, w_hh, b_ih, b_hh, "tanh")
    return renamed(found[1], "TanhBackward0")


@composite(method=False)
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of an Elman network with ReLU.

    Args:
        input: (N, F).
        hx: the state, (N, H).
        w_ih, w_hh: (H, F) and (H, H).
        b_ih, b_hh: (H), or None.

    Returns:
        The next state, (N, H).

    Raises:
        RuntimeError: the shapes do not fit.
    """
    _check_cell(input, hx, w_ih, w_hh)
    found = rnn_layer.function(input[None], hx, w_ih, w_hh, b_ih, b_hh, "relu")
    return renamed(found[1], "ReluBackward0")
