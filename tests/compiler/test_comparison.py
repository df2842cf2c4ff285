"""The first result of a compiled program is compared with its graph's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.compiler import run
from flambeau.compiler import symbolic as xp
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


def compared(graph: Graph, inputs: Any, spoil: Callable[..., None]) -> str | None:
    """What is found of a program whose results ``spoil`` changes."""
    rounds = iter(range(100))

    def reference(given: Any) -> Any:
        return named_results(*evaluate(graph, given))

    def run(given: Any) -> Any:
        results = [(name, np.array(array)) for name, array in reference(given)]
        spoil(next(rounds), *(array for _, array in results))
        return results

    return difference(run(inputs), reference(inputs), inputs, run, reference)


def test_right_results_agree() -> None:
    assert compared(*small_graph(), lambda *_: None) is None


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("by", [0.5, np.nan, np.inf])
def test_wrong_results_are_named(which: int, by: float) -> None:
    def spoil(_: int, *arrays: np.ndarray) -> None:
        arrays[which][1] += by

    wrong = compared(*small_graph(), spoil)
    assert wrong is not None
    words = "differs by up to 0.5" if by == 0.5 else "is infinite or NaN in other places"
    assert wrong == f"output {which} {words}"


def test_what_rounding_decides_is_no_mistake() -> None:
    """A ReLU that rounding opens, in some runs and not in others, is in the range of a network."""

    def now_and_then(number: int, *arrays: np.ndarray) -> None:
        if number in (0, 2):
            arrays[0][1] += 0.5

    assert compared(*small_graph(), now_and_then) is None


def test_whole_numbers_and_nan_are_compared() -> None:
    x = input_value((3,), np.dtype(np.float32))
    graph = Graph([x], [xp.argmax(x, 0, False), xp.sqrt(x), xp.isnan(x)])
    inputs = [np.array([1, -1, np.inf], np.float32)]
    assert compared(graph, inputs, lambda *_: None) is None

    def another_place(_: int, places: np.ndarray, *rest: np.ndarray) -> None:
        places += 1

    def no_nan(_: int, places: np.ndarray, roots: np.ndarray, flags: np.ndarray) -> None:
        roots[1] = 0

    assert compared(graph, inputs, another_place) == "output 0 differs"
    assert compared(graph, inputs, no_nan) == "output 1 is infinite or NaN in other places"


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
