"""Recurrent layers: ``RNN``, ``LSTM``, ``GRU``, and the cells that do one step of them.

Source: https://docs.pytorch.org/docs/2.13/nn.html
"""

from __future__ import annotations

import math
import numbers
import warnings
import weakref
from typing import Any, Self

import flambeau
from flambeau.modes import MODES
from flambeau.nn import init
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.nn.utils.rnn import PackedSequence
from flambeau.ops.recurrent_stack import (
    as_sizes,
    batch_to_the_front,
    gru_cell,
    lstm_cell,
    rnn_relu_cell,
    rnn_tanh_cell,
    run_layers,
)
from flambeau.tensor import Tensor

__all__ = ["RNNBase", "RNN", "LSTM", "GRU", "RNNCellBase", "RNNCell", "LSTMCell", "GRUCell"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_KINDS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu"}


def _check_types(input_size: Any, hidden_size: Any, batch_first: Any, bias: Any) -> None:
    for name, value, wanted in (
        ("input_size", input_size, int), ("hidden_size", hidden_size, int),
        ("bias", bias, bool), ("batch_first", batch_first, bool),
    ):  # fmt: skip
        if not isinstance(value, wanted):
            raise TypeError(
                f"{name} should be of type {wanted.__name__}, got: {type(value).__name__}"
            )


class RNNBase(Module):
    """What ``RNN``, ``LSTM`` and ``GRU`` have in common: their weights and their checks.

    The weights of layer k are ``weight_ih_l{k}``, ``weight_hh_l{k}``, ``bias_ih_l{k}``,
    ``bias_hh_l{k}`` and, with ``proj_size``, ``weight_hr_l{k}``; those of the backward direction
    have ``_reverse`` behind.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.RNNBase.html

    Args:
        mode: ``"RNN_TANH"``, ``"RNN_RELU"``, ``"LSTM"`` or ``"GRU"``.
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size:
            as for :class:`LSTM`.
        device, dtype: of the parameters (None: the default ones).

    Raises:
        TypeError: sizes that are no integers, or flags that are no bools.
        ValueError: sizes that are not positive, a ``dropout`` outside [0, 1], or another ``mode``.
    """

    __constants__ = [
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", "proj_size",
    ]  # fmt: skip

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    _flat_weights: list[Any]
    _flat_weights_names: list[str]
    _flat_weight_refs: list[Any]
    _all_weights: list[list[str]]

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        _check_types(input_size, hidden_size, batch_first, bias)
        self._check_options(dropout)
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)

        gates = _GATES[mode] * hidden_size
        real_hidden = proj_size if proj_size > 0 else hidden_size
        directions = 2 if bidirectional else 1
        self._flat_weight_refs = []
        self._flat_weights_names = []
        self._all_weights = []
        for layer in range(num_layers):
            below = input_size if layer == 0 else real_hidden * directions
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, below), "weight_hh": (gates, real_hidden),
            }  # fmt: skip
            if bias:
                shapes.update(bias_ih=(gates,), bias_hh=(gates,))
            if proj_size > 0:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[:directions]:
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values()):
                    weight = flambeau.empty(shape, device=device, dtype=dtype)
                    setattr(self, name, Parameter(weight))
                self._flat_weights_names.extend(names)
                self._all_weights.append(names)
        self._init_flat_weights()
        self.reset_parameters()

    def _check_options(self, dropout: Any) -> None:
        if (
            not isinstance(dropout, numbers.Number)
            or not 0 <= dropout <= 1  # type: ignore[operator]
            or isinstance(dropout, bool)
        ):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:  # type: ignore[operator]
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    # -- the weights as a list ------------------------------------------------------------------

    def _init_flat_weights(self) -> None:
        """Gather the weights, in the order of :attr:`_flat_weights_names`."""
        self._flat_weights = [getattr(self, name, None) for name in self._flat_weights_names]
        self._flat_weight_refs = [
            None if weight is None else weakref.ref(weight) for weight in self._flat_weights
        ]
        self.flatten_parameters()

    def __setattr__(self, attr: str, value: Any) -> None:
        names = self.__dict__.get("_flat_weights_names")
        if names is not None and attr in names and "_flat_weights" in self.__dict__:
            self._flat_weights[names.index(attr)] = value
        super().__setattr__(attr, value)

    def flatten_parameters(self) -> None:
        """Nothing is to be done here: on the CPU no weights need to lie side by side."""

    def _weights_have_changed(self) -> bool:
        """Whether a weight is another object than when the weights were gathered."""
        for ref, name in zip(self._flat_weight_refs, self._flat_weights_names):
            weight = getattr(self, name, None)
            if weight is not None and ref is not None and ref() is not weight:
                return True
        return False

    def _update_flat_weights(self) -> None:
        if self._weights_have_changed():
            self._init_flat_weights()

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self._flat_weight_refs = []
        super()._apply(fn, recurse)
        self._init_flat_weights()
        return self

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def reset_parameters(self) -> None:
        """Draw all weights anew, from U(-k, k) with k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def __getstate__(self) -> dict[str, Any]:
        self._update_flat_weights()
        state = super().__getstate__()
        state.pop("_flat_weight_refs", None)
        return state

    def __setstate__(self, d: dict[str, Any]) -> None:
        super().__setstate__(d)
        state = self.__dict__
        state.setdefault("proj_size", 0)
        if "all_weights" in d:  # what old pickles call it
            state["_all_weights"] = state.pop("all_weights")
        names = [name for layer in state["_all_weights"] for name in layer]
        state["_flat_weights_names"] = names
        state["_flat_weights"] = [getattr(self, name, None) for name in names]
        state["_flat_weight_refs"] = [
            None if weight is None else weakref.ref(weight) for weight in state["_flat_weights"]
        ]

    # -- checks ---------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless ``input`` has the weights' dtype and ``input_size`` features.

        Args:
            input: ``(T, N, F)``, or the data of a packed batch, ``(elements, F)``.
            batch_sizes: those of the packed batch, or None.

        Raises:
            ValueError: another dtype.
            RuntimeError: another number of dims or of features.
        """
        weight = self._flat_weights[0]
        if MODES.autocast is None and input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.size(-1)}"
            )

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the first hidden states for ``input`` and, if it is packed, ``batch_sizes``.

        Returns:
            ``(layers * directions, N, P or H)``.
        """
        width = self.proj_size if self.proj_size > 0 else self.hidden_size
        return (self._states(), self._batch(input, batch_sizes), width)

    def _states(self) -> int:
        return self.num_layers * (2 if self.bidirectional else 1)

    def _batch(self, input: Tensor, batch_sizes: Tensor | None) -> int:
        if batch_sizes is not None:
            return batch_sizes.tolist()[0]  # type: ignore[no-any-return]
        return input.size(0) if self.batch_first else input.size(1)

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise unless ``hx`` is of ``expected_hidden_size``.

        Args:
            hx: the states.
            expected_hidden_size: a shape.
            msg: the message, with places for both shapes.

        Raises:
            RuntimeError: with that message.
        """
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless input and hidden states fit the module and each other.

        Args:
            input, batch_sizes: as for :meth:`check_input`.
            hidden: the first hidden states (of LSTM, hidden and cell states).

        Raises:
            ValueError: another dtype.
            RuntimeError: another shape.
        """
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Tensor, permutation: Tensor | None) -> Tensor:
        """``hx`` with the sequences in another order: that of ``permutation``, ``(N,)`` (None: the
        same).
        """
        return hx if permutation is None else hx.index_select(1, permutation)

    # -- running --------------------------------------------------------------------------------

    def _check_dims(self, name: str, input: Tensor, word: str = "") -> bool:
        """Whether ``input`` is one sequence without a batch."""
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{name}: Expected input to be 2D or 3D, got {input.dim()}D{word} instead"
            )
        return input.dim() == 2

    def _run(
        self, input: Tensor, states: list[Tensor], batch_sizes: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        sizes = None if batch_sizes is None else as_sizes(batch_sizes)
        swapped = sizes is None and self.batch_first
        if swapped:
            input = input.transpose(0, 1)
        output, last = run_layers(
            _KINDS[self.mode], input, states, self._flat_weights, self.bias, self.num_layers,
            self.dropout, self.training, self.bidirectional, sizes,
        )  # fmt: skip
        return (batch_to_the_front(_KINDS[self.mode], output) if swapped else output), last

    def _zeros(self, input: Tensor, batch: int, width: int) -> Tensor:
        return flambeau.zeros(self._states(), batch, width, dtype=input.dtype, device=input.device)

    def _forward_one_state(self, name: str, input: Any, hx: Tensor | None, word: str = "") -> Any:
        """``forward`` of RNN and GRU."""
        self._update_flat_weights()
        packed = isinstance(input, PackedSequence)
        batch_sizes = sorted_indices = unsorted_indices = None
        unbatched = False
        if packed:
            input, batch_sizes, sorted_indices, unsorted_indices = input
            if hx is not None:
                hx = self.permute_hidden(hx, sorted_indices)
        else:
            unbatched = self._check_dims(name, input, word)
            if unbatched:
                input = input.unsqueeze(0 if self.batch_first else 1)
                if hx is not None:
                    if hx.dim() != 2:
                        raise RuntimeError(
                            "For unbatched 2-D input, hx should also be 2-D but got "
                            f"{hx.dim()}-D tensor"
                        )
                    hx = hx.unsqueeze(1)
            elif hx is not None and hx.dim() != 3:
                raise RuntimeError(
                    f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor"
                )
        if hx is None:
            hx = self._zeros(input, self._batch(input, batch_sizes), self.hidden_size)
        self.check_forward_args(input, hx, batch_sizes)
        output, (hidden,) = self._run(input, [hx], batch_sizes)
        if packed:
            result = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
            return result, self.permute_hidden(hidden, unsorted_indices)
        if unbatched:
            return output.squeeze(0 if self.batch_first else 1), hidden.squeeze(1)
        return output, hidden

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
            "bidirectional": False,
        }  # fmt: skip
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


class RNN(RNNBase):
    """Layers of Elman's recurrence ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``.

    Args:
        input_size: features F of an element of the sequence.
        hidden_size: size H of the hidden state.
        num_layers: layers, each running on the outputs of the one below.
        nonlinearity: "tanh" or "relu".
        bias: whether there are ``b_ih`` and ``b_hh``.
        batch_first: whether the batch is the first dimension of input and output.
        dropout: the probability that an output of a layer but the last is dropped in training.
        bidirectional: whether each layer also runs from the end to the beginning.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(T, N, F)``, ``(N, T, F)`` if ``batch_first``, ``(T, F)``, or a packed batch
        - h_0: ``(layers * directions, N, H)``, zeros if not given
        - Output: ``(T, N, directions * H)`` like the input, and h_n like h_0

    Raises:
        TypeError, ValueError: options of the wrong type or out of range, another ``nonlinearity``,
            or a ``proj_size``.
        ValueError, RuntimeError: in the call, an input or states of another shape or dtype.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.RNN.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{self.nonlinearity.upper()}", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """The outputs for the sequence ``input``, and the last states.

        Args:
            input: see the shapes above, or a ``PackedSequence``.
            hx: the first hidden states; None for zeros.

        Returns:
            The outputs (packed if the input is), and h_n.

        Raises:
            ValueError: another number of dims or dtype of ``input``.
            RuntimeError: another number of features, or states of another shape.
        """
        return self._forward_one_state("RNN", input, hx, " tensor")


class GRU(RNNBase):
    """Layers of gated recurrent units (Cho et al., 2014).

    ``h' = n + z (h - n)`` with ``r, z = sigmoid(W x + b + U h + c)`` and
    ``n = tanh(W_n x + b_n + r (U_n h + c_n))``.

    Args:
        input_size: features F of an element of the sequence.
        hidden_size: size H of the hidden state.
        num_layers: layers, each running on the outputs of the one below.
        bias: whether there are ``b_ih`` and ``b_hh``.
        batch_first: whether the batch is the first dimension of input and output.
        dropout: the probability that an output of a layer but the last is dropped in training.
        bidirectional: whether each layer also runs from the end to the beginning.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(T, N, F)``, ``(N, T, F)`` if ``batch_first``, ``(T, F)``, or a packed batch
        - h_0: ``(layers * directions, N, H)``, zeros if not given
        - Output: ``(T, N, directions * H)`` like the input, and h_n like h_0

    Raises:
        TypeError, ValueError: options of the wrong type or out of range, or a ``proj_size``.
        ValueError, RuntimeError: in the call, an input or states of another shape or dtype.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GRU.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """The outputs for the sequence ``input``, and the last states.

        Args:
            input: see the shapes above, or a ``PackedSequence``.
            hx: the first hidden states; None for zeros.

        Returns:
            The outputs (packed if the input is), and h_n.

        Raises:
            ValueError: another number of dims or dtype of ``input``.
            RuntimeError: another number of features, or states of another shape.
        """
        return self._forward_one_state("GRU", input, hx)


class LSTM(RNNBase):
    """Layers of long short-term memory (Hochreiter and Schmidhuber, 1997).

    ``c' = f c + i g``, ``h' = o tanh(c')`` with gates ``i, f, o = sigmoid(...)`` and
    ``g = tanh(...)`` of ``W_ih x + b_ih + W_hh h + b_hh``.

    Args:
        input_size: features F of an element of the sequence.
        hidden_size: size H of the cell state.
        num_layers: layers, each running on the outputs of the one below.
        bias: whether there are ``b_ih`` and ``b_hh``.
        batch_first: whether the batch is the first dimension of input and output.
        dropout: the probability that an output of a layer but the last is dropped in training.
        bidirectional: whether each layer also runs from the end to the beginning.
        proj_size: size P of the hidden state, which is then a projection ``W_hr h'`` (0: none).
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(T, N, F)``, ``(N, T, F)`` if ``batch_first``, ``(T, F)``, or a packed batch
        - h_0: ``(layers * directions, N, P or H)``, c_0: with H; zeros if not given
        - Output: ``(T, N, directions * (P or H))`` like the input, and (h_n, c_n) like (h_0, c_0)

    Raises:
        TypeError, ValueError: options of the wrong type or out of range.
        ValueError, RuntimeError: in the call, an input or states of another shape or dtype.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LSTM.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the first cell states for ``input`` and, if it is packed, ``batch_sizes``.

        Returns:
            ``(layers * directions, N, H)``.
        """
        return (self._states(), self._batch(input, batch_sizes), self.hidden_size)

    def check_forward_args(  # type: ignore[override]
        self, input: Tensor, hidden: tuple[Tensor, Tensor], batch_sizes: Tensor | None
    ) -> None:
        self.check_input(input, batch_sizes)
        self.check_hidden_size(
            hidden[0],
            self.get_expected_hidden_size(input, batch_sizes),
            "Expected hidden[0] size {}, got {}",
        )
        self.check_hidden_size(
            hidden[1],
            self.get_expected_cell_size(input, batch_sizes),
            "Expected hidden[1] size {}, got {}",
        )

    def permute_hidden(  # type: ignore[override]
        self, hx: tuple[Tensor, Tensor], permutation: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if permutation is None:
            return hx
        return hx[0].index_select(1, permutation), hx[1].index_select(1, permutation)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The outputs for the sequence ``input``, and the last states.

        Args:
            input: see the shapes above, or a ``PackedSequence``.
            hx: the first hidden and cell states, a pair; None for zeros.

        Returns:
            The outputs (packed if the input is), and the pair (h_n, c_n).

        Raises:
            ValueError: another number of dims or dtype of ``input``.
            RuntimeError: another number of features, or states of another shape.
        """
        self._update_flat_weights()
        packed = isinstance(input, PackedSequence)
        batch_sizes = sorted_indices = unsorted_indices = None
        unbatched = False
        if packed:
            input, batch_sizes, sorted_indices, unsorted_indices = input
            if hx is not None:
                hx = self.permute_hidden(hx, sorted_indices)
        else:
            unbatched = self._check_dims("LSTM", input)
            if unbatched:
                input = input.unsqueeze(0 if self.batch_first else 1)
            if hx is not None:
                wanted = 2 if unbatched else 3
                if hx[0].dim() != wanted or hx[1].dim() != wanted:
                    kind = "unbatched 2-D" if unbatched else "batched 3-D"
                    raise RuntimeError(
                        f"For {kind} input, hx and cx should also be {wanted}-D but got "
                        f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
                    )
                if unbatched:
                    hx = (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
        if hx is None:
            batch = self._batch(input, batch_sizes)
            cell = self._zeros(input, batch, self.hidden_size)
            hidden = self._zeros(input, batch, self.proj_size) if self.proj_size else cell
            hx = (hidden, cell)
        self.check_forward_args(input, hx, batch_sizes)
        output, last = self._run(input, list(hx), batch_sizes)
        hidden_states = (last[0], last[1])
        if packed:
            result = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
            return result, self.permute_hidden(hidden_states, unsorted_indices)
        if unbatched:
            output = output.squeeze(0 if self.batch_first else 1)
            return output, (last[0].squeeze(1), last[1].squeeze(1))
        return output, hidden_states


# -- one step -------------------------------------------------------------------------------------


class RNNCellBase(Module):
    """What the cells have in common: weights and biases for ``num_chunks`` gates.

    Args:
        input_size: features F of the input.
        hidden_size: size H of the states.
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        num_chunks: how many times H rows the weights have.
        device, dtype: of the parameters (None: the default ones).

    Attributes:
        weight_ih, weight_hh: ``(num_chunks * H, F)``, ``(num_chunks * H, H)``.
        bias_ih, bias_hh: ``(num_chunks * H,)``.
    """

    __constants__ = ["input_size", "hidden_size", "bias"]

    input_size: int
    hidden_size: int
    bias: bool
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size

        def made(*shape: int) -> Parameter:
            return Parameter(flambeau.empty(shape, device=device, dtype=dtype))

        self.weight_ih = made(gates, input_size)
        self.weight_hh = made(gates, hidden_size)
        if bias:
            self.bias_ih = made(gates)
            self.bias_hh = made(gates)
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def reset_parameters(self) -> None:
        """Draw all weights anew, from U(-k, k) with k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _check_dims(self, name: str, input: Tensor, hidden: dict[str, Tensor]) -> bool:
        """Whether ``input`` is one element without a batch."""
        for what, tensor in {"input": input, **hidden}.items():
            if tensor.dim() not in (1, 2):
                raise ValueError(
                    f"{name}: Expected {what} to be 1D or 2D, got {tensor.dim()}D instead"
                )
        return input.dim() == 1

    def _zeros(self, input: Tensor) -> Tensor:
        return flambeau.zeros(
            input.size(0), self.hidden_size, dtype=input.dtype, device=input.device
        )

    def _step(self, name: str, cell: Any, input: Tensor, hx: Tensor | None) -> Tensor:
        """``forward`` of RNNCell and GRUCell."""
        unbatched = self._check_dims(name, input, {} if hx is None else {"hidden": hx})
        if unbatched:
            input = input.unsqueeze(0)
        if hx is None:
            hx = self._zeros(input)
        elif unbatched:
            hx = hx.unsqueeze(0)
        result = cell(input, hx, *self._weights())
        return result.squeeze(0) if unbatched else result


class RNNCell(RNNCellBase):
    """One step of Elman's recurrence ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``.

    Args:
        input_size: features F of the input.
        hidden_size: size H of the hidden state.
        bias: whether there are ``b_ih`` and ``b_hh``.
        nonlinearity: "tanh" or "relu".
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, F)`` or ``(F)``
        - Hidden: ``(N, H)`` or ``(H)``, zeros if not given
        - Output: like the hidden state

    Raises:
        ValueError: an input or states of another number of dims.
        RuntimeError: other sizes, or another ``nonlinearity``, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.RNNCell.html
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The state after one step.

        Args:
            input: ``(N, F)`` or ``(F)``.
            hx: the state before, ``(N, H)`` or ``(H)``; None for zeros.

        Returns:
            ``(N, H)`` or ``(H)``.

        Raises:
            ValueError: another number of dims.
            RuntimeError: the module's ``nonlinearity`` is neither.
        """
        cells = {"tanh": rnn_tanh_cell, "relu": rnn_relu_cell}
        if self.nonlinearity not in cells:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step("RNNCell", cells[self.nonlinearity], input, hx)


class LSTMCell(RNNCellBase):
    """One step of a long short-term memory, see :class:`LSTM`.

    Args:
        input_size: features F of the input.
        hidden_size: size H of the states.
        bias: whether there are ``b_ih`` and ``b_hh``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, F)`` or ``(F)``
        - (h, c): each ``(N, H)`` or ``(H)``, zeros if not given
        - Output: (h', c') like (h, c)

    Raises:
        ValueError: an input or states of another number of dims.
        RuntimeError: other sizes.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LSTMCell.html
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The states after one step.

        Args:
            input: ``(N, F)`` or ``(F)``.
            hx: the pair (h, c) before, ``(N, H)`` or ``(H)``; None for zeros.

        Returns:
            The pair (h', c'), each like ``hx``'s.

        Raises:
            ValueError: another number of dims.
        """
        given = {} if hx is None else {f"hx[{i}]": state for i, state in enumerate(hx)}
        unbatched = self._check_dims("LSTMCell", input, given)
        if unbatched:
            input = input.unsqueeze(0)
        if hx is None:
            zeros = self._zeros(input)
            hx = (zeros, zeros)
        elif unbatched:
            hx = (hx[0].unsqueeze(0), hx[1].unsqueeze(0))
        h, c = lstm_cell(input, hx, *self._weights())
        return (h.squeeze(0), c.squeeze(0)) if unbatched else (h, c)


class GRUCell(RNNCellBase):
    """One gated recurrent unit's step, see :class:`GRU`.

    Args:
        input_size: features F of the input.
        hidden_size: size H of the hidden state.
        bias: whether there are ``b_ih`` and ``b_hh``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, F)`` or ``(F)``
        - Hidden: ``(N, H)`` or ``(H)``, zeros if not given
        - Output: like the hidden state

    Raises:
        ValueError: an input or states of another number of dims.
        RuntimeError: other sizes.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GRUCell.html
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The state after one step.

        Args:
            input: ``(N, F)`` or ``(F)``.
            hx: the state before, ``(N, H)`` or ``(H)``; None for zeros.

        Returns:
            ``(N, H)`` or ``(H)``.

        Raises:
            ValueError: another number of dims.
        """
        return self._step("GRUCell", gru_cell, input, hx)
