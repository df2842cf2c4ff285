"""Recurrent modules: results, gradients, dropout, packing and words as PyTorch's."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.autograd import gradcheck, gradgradcheck
from flambeau.nn.utils import rnn

from .recurrent_cases import BATCH, CASES, FEATURES, FILE, HIDDEN, STEPS, Case, numbers, run, train

RECORDED = json.loads(FILE.read_text())
nn = flambeau.nn

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_case_is_recorded() -> None:
    named = {*map(str, CASES), "training"}
    assert named == set(RECORDED), "run: python -m tests.nn.recurrent_cases"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_are_the_recorded_ones(case: Case) -> None:
    assert numbers(flambeau, case) == pytest.approx(RECORDED[str(case)], rel=2e-4, abs=2e-5)


def test_training_follows_the_recorded_losses() -> None:
    *losses, following = train(flambeau)
    *wanted, wanted_following = RECORDED["training"]
    assert losses == pytest.approx(wanted, rel=1e-3)
    assert following == wanted_following


@pytest.mark.parametrize("case", CASES, ids=str)
def test_beside_pytorch(case: Case) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = run(flambeau, case), run(torch, case)
    assert repr(ours[0]) == repr(theirs[0])
    assert list(vars(ours[0])) == list(vars(theirs[0]))
    assert list(ours[0].state_dict()) == list(theirs[0].state_dict())
    for mine, other in zip(ours[0].parameters(), theirs[0].parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach().numpy(), other.detach().numpy())
    for mine, other in zip(ours[2] + ours[3], theirs[2] + theirs[3], strict=True):
        assert mine.dtype == getattr(flambeau, str(other.dtype).removeprefix("torch."))
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=1e-4, atol=3e-6
        )
    assert (flambeau.get_rng_state().numpy() == torch.get_rng_state().numpy()).all()


# -- derivatives ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ["RNN", "LSTM", "GRU"])
def test_first_and_second_derivatives(cls: str) -> None:
    module = getattr(nn, cls)(2, 2, num_layers=2, bidirectional=True, dtype=flambeau.float64)
    x = flambeau.randn(3, 2, 2, dtype=flambeau.float64, requires_grad=True)
    weights = list(module.parameters())[:4]

    def call(x: Any, *_: Any) -> Any:
        return module(x)[0]

    assert gradcheck(call, (x, *weights))
    assert gradgradcheck(call, (x, *weights))


def test_gradient_of_a_gradient_trains() -> None:
    lstm = nn.LSTM(3, 4)
    x = flambeau.randn(5, 2, 3, requires_grad=True)
    (slope,) = flambeau.autograd.grad(lstm(x)[0].sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in [lstm.weight_hh_l0])


def test_outputs_may_be_written_to_in_place() -> None:
    """The backward pass does not read what the user may overwrite."""
    found = []
    for inplace in (False, True):
        flambeau.manual_seed(0)
        lstm = nn.LSTM(3, 4)
        output, (h, c) = lstm(flambeau.randn(5, 2, 3))
        if inplace:
            output.mul_(2)
            h.zero_()
        else:
            output, h = output * 2, h * 0
        (output.sum() + h.sum() + c.sum()).backward()
        found.append([p.grad.numpy() for p in lstm.parameters()])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_one_sequence_is_a_batch_of_one() -> None:
    gru = nn.GRU(3, 4, 2)
    x = flambeau.randn(5, 3)
    output, h = gru(x)
    batched, batched_h = gru(x.unsqueeze(1))
    assert output.shape == (5, 4) and h.shape == (2, 4)
    assert flambeau.equal(output, batched.squeeze(1)) and flambeau.equal(h, batched_h.squeeze(1))


def test_no_gradient_no_history() -> None:
    lstm = nn.LSTM(3, 4)
    with flambeau.no_grad():
        output, (h, c) = lstm(flambeau.randn(5, 2, 3))
    assert not (output.requires_grad or h.requires_grad or c.requires_grad)


@pytest.mark.parametrize("cls", ["RNN", "LSTM", "GRU"])
def test_a_step_at_a_time_is_the_whole_sequence(cls: str) -> None:
    module = getattr(nn, cls)(FEATURES, HIDDEN)
    cell = getattr(nn, f"{cls}Cell")(FEATURES, HIDDEN)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data = getattr(module, f"{name}_l0").data
    x = flambeau.randn(STEPS, BATCH, FEATURES)
    output, last = module(x)
    state = None
    for t in range(STEPS):
        state = cell(x[t], state)
        h = state[0] if cls == "LSTM" else state
        assert flambeau.allclose(h, output[t], atol=1e-6)
    assert flambeau.allclose(
        state[1] if cls == "LSTM" else state, (last[1] if cls == "LSTM" else last)[0], atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_dtypes(dtype: str) -> None:
    wanted = getattr(flambeau, dtype)
    lstm = nn.LSTM(3, 4)
    x = flambeau.randn(5, 2, 3)
    reference = lstm(x)[0]
    output, (h, c) = lstm.to(wanted)(x.to(wanted))
    assert output.dtype is wanted and h.dtype is wanted and c.dtype is wanted
    assert flambeau.allclose(output.float(), reference, atol=3e-2)
    output.float().sum().backward()
    assert lstm.weight_hh_l0.grad.dtype is wanted


def test_an_empty_batch() -> None:
    output, (h, c) = nn.LSTM(3, 4)(flambeau.zeros(5, 0, 3))
    assert output.shape == (5, 0, 4) and h.shape == c.shape == (1, 0, 4)
    output.sum().backward()


# -- the module -----------------------------------------------------------------------------------


def test_weights_stay_gathered() -> None:
    lstm = nn.LSTM(3, 4, 2)
    lstm.weight_hh_l1 = nn.Parameter(flambeau.zeros(16, 4))
    assert lstm._flat_weights[5] is lstm.weight_hh_l1
    for changed in (copy.deepcopy(lstm), lstm.double()):
        assert [id(w) for w in changed._flat_weights] == [id(p) for p in changed.parameters()]
        assert changed.all_weights[0][0] is changed.weight_ih_l0
    assert lstm(flambeau.zeros(5, 2, 3, dtype=flambeau.float64))[0].dtype is flambeau.float64
    lstm.flatten_parameters()


def test_a_whole_module_is_saved_and_loaded(tmp_path: Any) -> None:
    gru = nn.GRU(3, 4, 2, bidirectional=True)
    flambeau.save(gru, tmp_path / "gru.pt")
    loaded = flambeau.load(tmp_path / "gru.pt", weights_only=False)
    x = flambeau.randn(5, 2, 3)
    assert flambeau.equal(loaded(x)[0], gru(x)[0])
    assert loaded._flat_weights[0] is loaded.weight_ih_l0


def test_whole_modules_go_both_ways(tmp_path: Any) -> None:
    torch = pytest.importorskip("torch")
    for saving, loading in ((flambeau, torch), (torch, flambeau)):
        module = saving.nn.LSTM(3, 4)
        saving.save(module, tmp_path / "lstm.pt")
        loaded = loading.load(tmp_path / "lstm.pt", weights_only=False)
        x = np.ones((5, 2, 3), np.float32)
        np.testing.assert_allclose(
            loaded(loading.from_numpy(x))[0].detach().numpy(),
            module(saving.from_numpy(x))[0].detach().numpy(),
            atol=1e-6,
        )


def test_signatures_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    names = ("RNNBase", "RNN", "LSTM", "GRU", "RNNCellBase", "RNNCell", "LSTMCell", "GRUCell")
    pairs: list[tuple[Any, Any]] = [(getattr(nn, n), getattr(torch.nn, n)) for n in names]
    pairs += [(getattr(rnn, n), getattr(torch.nn.utils.rnn, n)) for n in rnn.__all__]
    assert rnn.__all__ == torch.nn.utils.rnn.__all__
    for ours, theirs in pairs:
        mine, other = (inspect.signature(f).parameters.values() for f in (ours, theirs))
        assert [(p.name, p.kind, p.default) for p in mine] == [
            (p.name, p.kind, p.default) for p in other
        ]


WRONG_CALLS: dict[str, Callable[[Any], Any]] = {
    "1-d": lambda t: t.nn.LSTM(3, 4)(t.zeros(3)),
    "4-d": lambda t: t.nn.GRU(3, 4)(t.zeros(3, 2, 2, 3)),
    "rnn of 1-d": lambda t: t.nn.RNN(3, 4)(t.zeros(3)),
    "features": lambda t: t.nn.LSTM(3, 4)(t.zeros(3, 2, 5)),
    "no steps": lambda t: t.nn.LSTM(3, 4)(t.zeros(0, 2, 3)),
    "dtype": lambda t: t.nn.RNN(3, 4)(t.zeros(5, 2, 3, dtype=t.float64)),
    "h": lambda t: t.nn.LSTM(3, 4)(t.zeros(5, 2, 3), (t.zeros(2, 2, 4), t.zeros(1, 2, 4))),
    "c": lambda t: t.nn.LSTM(3, 4)(t.zeros(5, 2, 3), (t.zeros(1, 2, 4), t.zeros(2, 2, 4))),
    "hx 2-d": lambda t: t.nn.LSTM(3, 4)(t.zeros(5, 2, 3), (t.zeros(2, 4), t.zeros(2, 4))),
    "hx 3-d": lambda t: t.nn.LSTM(3, 4)(t.zeros(5, 3), (t.zeros(1, 2, 4), t.zeros(1, 2, 4))),
    "gru h": lambda t: t.nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(2, 2, 4)),
    "gru hx 2-d": lambda t: t.nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(2, 4)),
    "rnn hx 3-d": lambda t: t.nn.RNN(3, 4)(t.zeros(5, 3), t.zeros(2, 2, 4)),
    "dropout": lambda t: t.nn.LSTM(3, 4, dropout=2),
    "dropout is bool": lambda t: t.nn.LSTM(3, 4, dropout=True),
    "no hidden": lambda t: t.nn.LSTM(3, 0),
    "no layers": lambda t: t.nn.LSTM(3, 4, 0),
    "no input": lambda t: t.nn.LSTM(0, 4),
    "hidden type": lambda t: t.nn.LSTM(3, "a"),
    "batch_first type": lambda t: t.nn.LSTM(3, 4, batch_first=1),
    "projection": lambda t: t.nn.LSTM(3, 4, proj_size=4),
    "negative projection": lambda t: t.nn.LSTM(3, 4, proj_size=-1),
    "projection of gru": lambda t: t.nn.GRU(3, 4, proj_size=2),
    "nonlinearity": lambda t: t.nn.RNN(3, 4, nonlinearity="sine"),
    "mode": lambda t: t.nn.RNNBase("SRU", 3, 4),
    "cell 3-d": lambda t: t.nn.LSTMCell(3, 4)(t.zeros(2, 2, 3)),
    "cell features": lambda t: t.nn.GRUCell(3, 4)(t.zeros(2, 5)),
    "cell batch": lambda t: t.nn.RNNCell(3, 4)(t.zeros(2, 3), t.zeros(3, 4)),
    "cell hidden": lambda t: t.nn.LSTMCell(3, 4)(t.zeros(2, 3), (t.zeros(2, 5),) * 2),
    "cell hx 3-d": lambda t: t.nn.LSTMCell(3, 4)(t.zeros(2, 3), (t.zeros(1, 2, 4),) * 2),
    "not sorted": lambda t: _pack(t, [2, 5]),
    "length 0": lambda t: _pack(t, [5, 0]),
    "too few lengths": lambda t: _pack(t, [5]),
    "2-d lengths": lambda t: _pack(t, t.tensor([[5, 2]])),
    "nothing to pack": lambda t: t.nn.utils.rnn.pack_padded_sequence(t.zeros(0, 2, 3), [1, 1]),
    "total length": lambda t: t.nn.utils.rnn.pad_packed_sequence(_pack(t, [5, 2]), total_length=3),
    "sequences that do not fit": lambda t: t.nn.utils.rnn.pad_sequence(
        [t.ones(2, 3), t.ones(4, 2)]
    ),
    "no sequences": lambda t: t.nn.utils.rnn.pad_sequence([]),
    "side": lambda t: t.nn.utils.rnn.pad_sequence([t.ones(2)], padding_side="up"),
}


def _pack(t: Any, lengths: Any) -> Any:
    return t.nn.utils.rnn.pack_padded_sequence(t.zeros(5, 2, 3), lengths)


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_refusals_are_pytorchs(name: str) -> None:
    with pytest.raises((ValueError, RuntimeError, TypeError)) as ours:
        WRONG_CALLS[name](flambeau)
    torch = pytest.importorskip("torch")
    with pytest.raises((ValueError, RuntimeError, TypeError)) as theirs:
        WRONG_CALLS[name](torch)
    assert ours.type is theirs.type
    assert str(ours.value).split("\n")[0] == str(theirs.value)


def test_a_length_beyond_the_padding_is_refused() -> None:
    with pytest.raises(RuntimeError, match="does not fit"):
        _pack(flambeau, [6, 5])


# -- packed sequences -----------------------------------------------------------------------------


def test_packing_by_hand() -> None:
    padded = flambeau.tensor([[1, 2, 0, 0], [3, 4, 5, 6], [7, 8, 9, 0]])
    packed = rnn.pack_padded_sequence(padded, [2, 4, 3], batch_first=True, enforce_sorted=False)
    assert packed.data.tolist() == [3, 7, 1, 4, 8, 2, 5, 9, 6]
    assert packed.batch_sizes.tolist() == [3, 3, 2, 1]
    assert packed.sorted_indices.tolist() == [1, 2, 0]
    assert packed.unsorted_indices.tolist() == [2, 0, 1]
    again, lengths = rnn.pad_packed_sequence(packed, batch_first=True)
    assert again.tolist() == padded.tolist() and lengths.tolist() == [2, 4, 3]
    again, _ = rnn.pad_packed_sequence(packed, padding_value=-1, total_length=5)
    assert again.T.tolist() == [[1, 2, -1, -1, -1], [3, 4, 5, 6, -1], [7, 8, 9, -1, -1]]


def test_sequences_come_back() -> None:
    sequences = [flambeau.arange(n) + 10 * n for n in (2, 5, 3)]
    for unpacked in (
        rnn.unpack_sequence(rnn.pack_sequence(sequences, enforce_sorted=False)),
        rnn.unpad_sequence(rnn.pad_sequence(sequences), flambeau.tensor([2, 5, 3])),
    ):
        assert [u.tolist() for u in unpacked] == [s.tolist() for s in sequences]
    padded = rnn.pad_sequence(sequences, batch_first=True, padding_value=7, padding_side="left")
    assert padded.tolist()[0] == [7, 7, 7, 20, 21]


def test_packing_has_gradients() -> None:
    x = flambeau.randn(4, 3, 2, dtype=flambeau.float64, requires_grad=True)

    def there_and_back(x: Any) -> Any:
        packed = rnn.pack_padded_sequence(x, [1, 4, 2], enforce_sorted=False)
        return rnn.pad_packed_sequence(packed)[0]

    assert gradcheck(there_and_back, (x,))


def test_a_packed_sequence_converts() -> None:
    packed = rnn.pack_sequence([flambeau.ones(3), flambeau.ones(2)])
    assert packed.to("cpu") is packed and packed.cpu() is packed
    assert packed.double().data.dtype is flambeau.float64
    assert packed.long().data.dtype is flambeau.int64
    assert not packed.is_cuda and not packed.is_pinned()
    assert packed._fields == ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
    assert rnn.PackedSequence((packed.data, packed.batch_sizes)).batch_sizes is packed.batch_sizes


def test_functions_below_the_modules() -> None:
    lstm = nn.LSTM(3, 4, batch_first=True)
    x = flambeau.randn(2, 5, 3)
    hx = [flambeau.zeros(1, 2, 4)] * 2
    output, h, c = flambeau.lstm(x, hx, lstm._flat_weights, True, 1, 0.0, True, False, True)
    assert flambeau.equal(output, lstm(x)[0])
    packed = rnn.pack_padded_sequence(x, [5, 3], batch_first=True)
    rows, _, _ = flambeau.lstm(
        packed.data, packed.batch_sizes, hx, lstm._flat_weights, True, 1, 0.0, True, False
    )
    assert flambeau.equal(rows, lstm(packed)[0].data)
    gru = nn.GRU(3, 4)
    output, h = flambeau.gru(x, hx[0][:, :1].expand(1, 5, 4).contiguous(), gru._flat_weights, True,
                             1, 0.0, True, False, False)  # fmt: skip
    assert output.shape == (2, 5, 4) and h.shape == (1, 5, 4)
