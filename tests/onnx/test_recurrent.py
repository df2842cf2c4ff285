"""Recurrent networks become ONNX's own operators, and give in onnxruntime what they give here."""

from __future__ import annotations

import pytest

import flambeau as torch
from flambeau import nn

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ..nn.recurrent_cases import BATCH, CASES, FEATURES, HIDDEN, STEPS  # noqa: E402
from .running import compare, exported  # noqa: E402


def operators(proto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def arguments(case):
    """The module of a case, and what it is called with."""
    torch.manual_seed(3)
    module = getattr(nn, case.cls)(FEATURES, HIDDEN, **case.options).eval()
    batch = (BATCH,) if case.batched else ()
    if case.cls.endswith("Cell"):
        shape, leading = (*batch, FEATURES), ()
    else:
        steps = (STEPS,)
        outer = (*batch, *steps) if case.options.get("batch_first") else (*steps, *batch)
        shape = (*outer, FEATURES)
        directions = 2 if case.options.get("bidirectional") else 1
        leading = (case.options.get("num_layers", 1) * directions,)
    args = [torch.randn(*shape)]
    if case.given_states:
        h = torch.randn(*leading, *batch, case.options.get("proj_size") or HIDDEN)
        with_cell = case.cls.startswith("LSTM")
        args.append((h, torch.randn(*leading, *batch, HIDDEN)) if with_cell else h)
    return module, tuple(args)


@pytest.mark.parametrize("case", [c for c in CASES if not c.packed], ids=str)
def test_each_layer_and_cell_is_one_operator(case):
    module, args = arguments(case)
    proto, session = exported(module, args)
    compare(session, proto, module, args)
    count = case.options.get("num_layers", 1) * (2 if case.options.get("bidirectional") else 1)
    projected = "proj_size" in case.options  # which ONNX's LSTM has not
    expected = "Scan" if projected else case.cls.removesuffix("Cell")
    assert operators(proto).count(expected) == count
    if not projected:
        assert not {"MatMul", "Gemm", "Scan"} & set(operators(proto))


@pytest.mark.parametrize("cls", ["RNN", "LSTM", "GRU"])
def test_batch_and_length_may_be_open(cls):
    torch.manual_seed(1)
    options = {"nonlinearity": "relu"} if cls == "RNN" else {}
    model = getattr(nn, cls)(3, 4, 2, batch_first=True, bidirectional=True, **options).eval()
    proto, session = exported(
        model,
        (torch.randn(2, 5, 3),),
        input_names=["x"],
        dynamic_axes={"x": {0: "batch", 1: "length"}},
    )
    assert operators(proto).count(cls) == 4
    for batch, length in ((2, 5), (1, 1), (7, 3), (3, 11)):
        compare(session, proto, model, (torch.randn(batch, length, 3),))


def test_the_projected_lstm_with_an_open_batch_and_given_states():
    torch.manual_seed(1)
    model = nn.LSTM(3, 4, proj_size=2, num_layers=2).eval()

    def args(n):
        return torch.randn(5, n, 3), (torch.randn(2, n, 2), torch.randn(2, n, 4))

    axes = {name: {1: "batch"} for name in ("x", "h", "c")}
    proto, session = exported(model, args(2), input_names=["x", "h", "c"], dynamic_axes=axes)
    for n in (2, 1, 6):
        compare(session, proto, model, args(n))


class Packed(nn.Module):
    def __init__(self, cls):
        super().__init__()
        self.layer = cls(3, 4, batch_first=True, bidirectional=True)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [2, 5, 3], True, enforce_sorted=False)
        output, state = self.layer(packed)
        return nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0], state


@pytest.mark.parametrize("cls", [nn.RNN, nn.LSTM, nn.GRU])
def test_sequences_of_fixed_lengths_become_scans(cls):
    torch.manual_seed(1)
    model = Packed(cls).eval()
    args = (torch.randn(3, 5, 3),)
    proto, session = exported(model, args)
    compare(session, proto, model, args)
    assert "Scan" in operators(proto)


class GivenWeights(nn.Module):
    def forward(self, x, h, w_ih, w_hh, b_ih, b_hh):
        return torch.gru(x, h, (w_ih, w_hh, b_ih, b_hh), True, 1, 0.0, False, False, False)


def test_weights_that_are_arguments_are_put_in_order_in_the_graph():
    shapes = (5, 2, 3), (1, 2, 4), (12, 3), (12, 4), (12,), (12,)
    args = tuple(torch.randn(*shape) for shape in shapes)
    proto, session = exported(GivenWeights(), args)
    compare(session, proto, GivenWeights(), args)
    assert "GRU" in operators(proto)


@pytest.mark.parametrize(
    "options", [{"opset_version": 14}, {"do_constant_folding": False}], ids=str
)
def test_with_older_operators_and_without_folding(options):
    model = nn.Sequential(nn.GRU(3, 4)).eval()
    args = (torch.randn(5, 2, 3),)
    proto, session = exported(model, args, **options)
    compare(session, proto, model, args)
    assert "GRU" in operators(proto)


def test_float64_which_onnxruntime_has_no_such_operators_for():
    model = nn.GRU(3, 4, dtype=torch.float64).eval()
    args = (torch.randn(5, 2, 3, dtype=torch.float64),)
    proto, session = exported(model, args)
    compare(session, proto, model, args)
    assert "Scan" in operators(proto)


def test_the_gradient_of_a_recurrence_is_a_scan():
    weight = torch.randn(4, 4)

    class Slope(nn.Module):
        def forward(self, x):
            def last(x):
                args = torch.zeros(1, 2, 4), (weight, weight), False, 1, 0.0, False, False, False
                return torch.rnn_tanh(x, *args)[1].sum()

            return torch.func.grad(last)(x)

    args = (torch.randn(3, 2, 4),)
    proto, session = exported(Slope(), args)
    compare(session, proto, Slope(), args)
    assert operators(proto).count("RNN") == operators(proto).count("Scan") == 1


# -- whole models -----------------------------------------------------------------------------


class Characters(nn.Module):
    """The next character's scores, and the state to go on with."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.lstm = nn.LSTM(8, 16, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(16, 30)

    def forward(self, tokens, state=None):
        output, state = self.lstm(self.embedding(tokens), state)
        return self.head(output), state


def test_a_character_model_that_goes_on_from_its_state():
    torch.manual_seed(0)
    model = Characters().eval()

    def args(batch, length):
        state = torch.randn(2, batch, 16), torch.randn(2, batch, 16)
        return torch.randint(0, 30, (batch, length)), state

    names = ["tokens", "h", "c"]
    proto, session = exported(
        model,
        args(2, 6),
        input_names=names,
        output_names=["scores", "next_h", "next_c"],
        dynamic_axes={"tokens": {0: "batch", 1: "length"}, "h": {1: "batch"}, "c": {1: "batch"}},
    )
    assert operators(proto).count("LSTM") == 2
    for size in ((2, 6), (1, 1), (4, 9)):
        compare(session, proto, model, args(*size))
    first = (torch.randint(0, 30, (2, 6)),)
    proto, session = exported(model, first)
    compare(session, proto, model, first)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1)
        )

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.qkv(self.before(x)).split(width, dim=2)
        q, k, v = (p.view(batch, length, self.heads, -1).transpose(1, 2) for p in parts)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.between(x))


class SmallGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(40, 16), nn.Embedding(32, 16)
        self.blocks = nn.Sequential(Block(16, 4), Block(16, 4))
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 40, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def test_a_small_gpt_with_open_batch_and_length():
    torch.manual_seed(0)
    model = SmallGPT().eval()
    proto, session = exported(
        model,
        (torch.randint(0, 40, (2, 8)),),
        input_names=["tokens"],
        dynamic_axes={"tokens": {0: "batch", 1: "length"}},
    )
    for size in ((2, 8), (1, 1), (3, 32)):
        compare(session, proto, model, (torch.randint(0, 40, size),))
