"""What nodes are called, before the backward pass and after it."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("smoothing", "shape", "name"),
    [
        (0.0, (3, 4), "NllLossBackward0"),
        (0.1, (3, 4), "AddBackward0"),
        (0.0, (3, 4, 5), "NllLoss2DBackward0"),
    ],
)
def test_a_loss_prints_its_node_after_the_backward_pass(
    m: Any, smoothing: float, shape: tuple[int, ...], name: str
) -> None:
    scores = m.zeros(shape, requires_grad=True)
    classes = m.zeros((shape[0], *shape[2:]), dtype=m.int64)
    loss = m.nn.functional.cross_entropy(scores, classes, label_smoothing=smoothing)
    loss.backward()
    assert repr(loss) == f"tensor(1.3863, grad_fn=<{name}>)"
    loss = m.nn.functional.nll_loss(scores, classes)
    loss.backward()
    expected = "NllLoss2DBackward0" if len(shape) > 2 else "NllLossBackward0"
    assert loss.grad_fn.name() == expected


def test_an_affine_map_keeps_its_nodes_name(m: Any) -> None:
    for shape, name in (((2, 3), "AddmmBackward0"), ((2, 2, 3), "ViewBackward0")):
        y = m.nn.functional.linear(m.ones(shape), m.ones(4, 3, requires_grad=True), m.ones(4))
        y.sum().backward()
        assert y.grad_fn.name() == name


def test_a_leafs_node_has_its_c_plus_plus_name(m: Any) -> None:
    node = m.ones(2, requires_grad=True).exp().grad_fn.next_functions[0][0]
    assert node.name() == "torch::autograd::AccumulateGrad"
    assert type(node).__name__ == "AccumulateGrad" and repr(node).startswith("<AccumulateGrad obj")


@pytest.mark.parametrize(("function", "name"), [
    (lambda F, x: F.interpolate(x, scale_factor=2), "UpsampleNearest2DBackward0"),
    (lambda F, x: F.interpolate(x, size=3, mode="bicubic"), "UpsampleBicubic2DBackward0"),
    (lambda F, x: F.interpolate(x, size=3, mode="bilinear", antialias=True),
     "UpsampleBilinear2DAaBackward0"),
    (lambda F, x: F.interpolate(x, size=(3, 3), mode="area"), "AdaptiveAvgPool2DBackward0"),
    (lambda F, x: F.adaptive_avg_pool2d(x, 2), "AdaptiveAvgPool2DBackward0"),
    (lambda F, x: F.adaptive_avg_pool2d(x, (1, 1)), "MeanBackward1"),
    (lambda F, x: F.adaptive_max_pool2d(x, 3), "AdaptiveMaxPool2DBackward0"),
    (lambda F, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
     "MaxUnpool2DBackward0"),
    (lambda F, x: F.fractional_max_pool2d(x, 2, output_size=3), "FractionalMaxPool2DBackward0"),
    (lambda F, x: F.grid_sample(x, x.new_zeros(1, 2, 2, 2), align_corners=False),
     "GridSampler2DBackward0"),
    (lambda F, x: F.pixel_shuffle(x, 2), "PixelShuffleBackward0"),
    (lambda F, x: F.pixel_unshuffle(x, 2), "PixelUnshuffleBackward0"),
    (lambda F, x: F.channel_shuffle(x, 2), "ChannelShuffleBackward0"),
    (lambda F, x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "ReflectionPad2DBackward0"),
    (lambda F, x: F.pad(x[0, 0], (1, 1), mode="replicate"), "ReplicationPad1DBackward0"),
    (lambda F, x: F.pad(x, (-1, 1)), "ConstantPadNdBackward0"),
    (lambda F, x: F.instance_norm(x), "ViewBackward0"),
    (lambda F, x: F.celu(x), "CeluBackward0"),
    (lambda F, x: F.rrelu(x), "RreluWithNoiseBackward0"),
    (lambda F, x: F.soft_margin_loss(x, x.detach()), "SoftMarginLossBackward0"),
])  # fmt: skip
def test_functions_of_several_operations_have_pytorchs_node(
    m: Any, function: Any, name: str
) -> None:
    x = m.ones(1, 4, 6, 6, requires_grad=True)
    assert function(m.nn.functional, x).grad_fn.name() == name


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("kind", "name", "swapped"), [
    ("RNN", "StackBackward0", "TransposeBackward1"),
    ("GRU", "StackBackward0", "TransposeBackward1"),
    ("LSTM", "MkldnnRnnLayerBackward0", "TransposeBackward0"),
])  # fmt: skip
def test_recurrent_layers(m: Any, kind: str, name: str, swapped: str, batch_first: bool) -> None:
    output, state = getattr(m.nn, kind)(2, 3, batch_first=batch_first)(m.ones(4, 2, 2))
    assert output.grad_fn.name() == (swapped if batch_first else name)
    states = state if isinstance(state, tuple) else (state,)
    assert [s.grad_fn.name() for s in states] == ["StackBackward0"] * len(states)


def test_recurrent_cells(m: Any) -> None:
    x = m.ones(2, 2)
    h, c = m.nn.LSTMCell(2, 3)(x)
    found = [h, c, m.nn.GRUCell(2, 3)(x), m.nn.RNNCell(2, 3)(x)]
    assert [t.grad_fn.name() for t in found] == [
        "MulBackward0", "AddBackward0", "AddBackward0", "TanhBackward0",
    ]  # fmt: skip
