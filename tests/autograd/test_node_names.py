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
