"""``compile(step, steps=n)``: the same as so many calls of the step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.utils.data import DataLoader, TensorDataset

pytest.importorskip("llvmlite")


class Training:
    """A network, its optimizer, and data; the same ones each time."""

    def __init__(self, dropout: float = 0.0, optimizer: str = "Adam", number: bool = False) -> None:
        torch.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))
        self.optimizer = getattr(torch.optim, optimizer)(self.model.parameters(), lr=0.01)
        self.x = torch.randn(70, 5)
        self.y = torch.randint(0, 3, (70,))
        self.number = number

    def loader(self) -> DataLoader:
        return DataLoader(TensorDataset(self.x, self.y), batch_size=16, shuffle=True)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item() if self.number else loss

    def left(self) -> list[np.ndarray]:
        """What the training leaves behind: parameters, gradients, the generator."""
        arrays = [p.detach().numpy() for p in self.model.parameters()]
        arrays += [p.grad.numpy() for p in self.model.parameters()]
        return [*arrays, torch.get_rng_state().numpy()]


def agree(mine: list[np.ndarray], others: list[np.ndarray]) -> None:
    for a, b in zip(mine, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6)


def test_many_steps_on_the_same_tensors() -> None:
    plain = Training()
    expected = [plain.step(plain.x, plain.y).item() for _ in range(200)]
    many = Training()
    losses = torch.compile(many.step, steps=200)(many.x, many.y)
    assert losses.shape == (200,)
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-4)
    agree(many.left(), plain.left())


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_epochs_of_a_loader_with_a_smaller_last_batch(dropout: float) -> None:
    plain = Training(dropout)
    expected = [plain.step(*b).item() for _ in range(6) for b in plain.loader()]
    many = Training(dropout)
    epoch = torch.compile(many.step, steps=100)
    losses = torch.cat([epoch(many.loader()) for _ in range(6)])
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-4)
    agree(many.left(), plain.left())


def test_batches_of_which_each_draws_random_numbers() -> None:
    def batches(training: Training) -> Any:
        for _ in range(40):
            yield training.x + torch.rand(1), training.y

    plain = Training(0.5)
    expected = [plain.step(*b).item() for b in batches(plain)]
    many = Training(0.5)
    losses = torch.compile(many.step, steps=40)(batches(many))
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-4)
    agree(many.left(), plain.left())


def test_steps_end_with_the_count_or_with_the_batches() -> None:
    training = Training()
    assert torch.compile(training.step, steps=3)(training.loader()).shape == (3,)
    assert torch.compile(training.step, steps=30)(training.loader()).shape == (5,)
    assert torch.compile(training.step, steps=0)(training.x, training.y) is None


def test_numbers_come_as_a_list() -> None:
    training = Training(number=True)
    losses = torch.compile(training.step, steps=50)(training.x, training.y)
    assert len(losses) == 50
    assert all(type(loss) is float for loss in losses)
    assert losses[-1] < losses[0]


def test_several_results() -> None:
    w = torch.ones(3, requires_grad=True)

    def step(x: torch.Tensor) -> Any:
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.125 * w.grad)
        return {"loss": loss, "weights": (w * 1, None)}

    results = torch.compile(step, steps=20)(torch.tensor([1.0, 2.0, 4.0]))
    assert results["loss"].tolist() == [7 - 21 * 0.125 * i for i in range(20)]
    assert results["weights"][0].shape == (20, 3)
    assert results["weights"][0][-1].tolist() == w.tolist()
    assert results["weights"][1] is None


def test_gradients_that_are_added_up() -> None:
    w = torch.ones(3, requires_grad=True)

    def step(x: torch.Tensor) -> torch.Tensor:
        loss = (w * x).sum()
        loss.backward()
        return loss

    torch.compile(step, steps=30)(torch.tensor([1.0, 2.0, 4.0]))
    assert w.grad.tolist() == [30, 60, 120]


def test_an_index_out_of_range_is_refused_at_its_step() -> None:
    training = Training()
    good = (training.x, training.y)
    bad = (training.x, training.y + 1)
    steps = torch.compile(training.step, steps=60)
    plain = Training()
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        steps([good] * 40 + [bad] + [good] * 5)
    for _ in range(40):
        plain.step(*good)
    agree(training.left()[:4], plain.left()[:4])


def test_indices_of_a_batch_are_looked_at_beside_those_that_the_step_knows() -> None:
    table = torch.arange(12.0).reshape(4, 3).requires_grad_()
    rows = torch.tensor([0, 3, 1])

    def step(columns: torch.Tensor) -> torch.Tensor:
        table.grad = None
        loss = table[rows].gather(1, columns).sum()
        loss.backward()
        with torch.no_grad():
            table.sub_(0.5 * table.grad)
        return loss

    good = (torch.tensor([[0], [2], [1]]),)
    steps = torch.compile(step, steps=60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is captured
        with pytest.raises((IndexError, RuntimeError), match="index 3 is out of bounds"):
            steps([good] * 40 + [(torch.tensor([[0], [3], [1]]),)] + [good] * 5)
    assert table[0, 0].item() == -20  # forty steps, and nothing of the next
    (runner,) = steps.step.runners()
    assert runner.check is not None and runner.bound is not None


def test_a_learning_rate_may_change_between_calls() -> None:
    def run(call: Callable[[Training], Any]) -> list[np.ndarray]:
        training = Training(optimizer="SGD")
        for rate in (0.1, 0.01, 0.5):
            training.optimizer.param_groups[0]["lr"] = rate
            call(training)
        return training.left()

    steps: dict[int, Any] = {}

    def many(training: Training) -> None:
        made = steps.setdefault(id(training), torch.compile(training.step, steps=25))
        made(training.x, training.y)

    def plain(training: Training) -> None:
        for _ in range(25):
            training.step(training.x, training.y)

    agree(run(many), run(plain))


def test_a_step_that_cannot_be_captured_runs_step_by_step() -> None:
    seen = []

    def step(x: torch.Tensor) -> float:
        if x.sum().item() > 0:
            seen.append(1)
        return x.sum().item()

    with pytest.warns(UserWarning, match="runs eagerly"):
        assert torch.compile(step, steps=12)(torch.ones(3)) == [3.0] * 12
    assert len(seen) >= 12


def test_what_cannot_be_repeated_is_refused() -> None:
    with pytest.raises(TypeError, match="a function that trains"):
        torch.compile(nn.Linear(2, 2), steps=3)
    with pytest.raises(ValueError, match="steps must be a number of steps"):
        torch.compile(lambda x: x, steps=-1)


def test_without_compiler_the_steps_are_taken_one_by_one() -> None:
    training = Training()
    losses = torch.compile(training.step, steps=5, backend="eager")(training.x, training.y)
    assert losses.shape == (5,)
