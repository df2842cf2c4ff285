"""The first result of a compiled program is compared with its graph's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.compiler import run
from flambeau.compiler.comparison import difference, named_results
from flambeau.compiler.graph import Graph, evaluate, input_value

pytest.importorskip("llvmlite")


def test_a_gradient_of_nothing_but_rounding_may_differ_under_adam() -> None:
    """Attention's bias of the keys has no influence: its gradient is 0 up to rounding."""
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(16, 2, batch_first=True)
    optimizer = torch.optim.Adam(attention.parameters(), 1e-2)

    def step(x: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        y, _ = attention(x, x, x)
        loss = (y**2).mean()
        loss.backward()
        optimizer.step()
        return loss

    compiled = torch.compile(step, fullgraph=True)
    losses = [compiled(torch.ones(4, 6, 16) * i).item() for i in range(1, 8)]
    assert np.isfinite(losses).all()


def small_graph() -> tuple[Graph, list[np.ndarray]]:
    x = input_value((4,), np.dtype(np.float32))
    return Graph([x], [x + x, x - x]), [np.arange(4, dtype=np.float32)]


def test_right_results_agree() -> None:
    graph, inputs = small_graph()
    expected = named_results(*evaluate(graph, inputs))
    assert difference(graph, inputs, expected, expected) is None


@pytest.mark.parametrize("which", [0, 1])
def test_wrong_results_are_named(which: int) -> None:
    graph, inputs = small_graph()
    outputs, updates = evaluate(graph, inputs)
    expected = named_results(outputs, updates)
    outputs[which] = outputs[which] + np.float32(0.5)
    wrong = difference(graph, inputs, named_results(outputs, updates), expected)
    assert wrong is not None
    assert wrong.startswith(f"output {which} differs by up to 0.5")


def test_a_wrong_program_is_not_used(monkeypatch: Any) -> None:
    monkeypatch.setattr(run, "difference", lambda *_: "output 0 differs by up to 7")
    w = torch.ones(3, requires_grad=True)

    @torch.compile
    def step(x: torch.Tensor) -> torch.Tensor:
        loss = (w * x).sum()
        loss.backward()
        return loss

    x = torch.tensor([1.0, 2.0, 3.0])
    step(x), step(x)
    with pytest.warns(UserWarning, match="the compiled program is wrong .output 0 differs by up"):
        assert step(x).item() == 6
    assert step(x).item() == 6
    assert w.grad.tolist() == [4, 8, 12]
