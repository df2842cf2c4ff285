"""A run can be stopped after any step, and goes on as if it had not been."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.training.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from flambeau.training.loop import DivergedError, Run, Watcher, make_optimizer
from flambeau.training.metrics import count_correct
from flambeau.training.recipe import OPTIMIZERS, Recipe, Settings
from flambeau.utils.data import TensorDataset


def rows(count: int, seed: int) -> TensorDataset:
    generator = torch.Generator()
    generator.manual_seed(seed)
    x = torch.randn(count, 3, generator=generator)
    return TensorDataset(x, (x.sum(dim=1) > 0).long())


def small_recipe(**settings: Any) -> Recipe:
    """Three features, a layer with dropout and running statistics, batches that do not divide."""
    return Recipe(
        name="small",
        description="for tests",
        data=lambda folder: (rows(22, 1), rows(10, 2)),
        model=lambda: nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
        ),
        loss=nn.CrossEntropyLoss,
        settings=Settings(**{"epochs": 4, "lr": 0.05, "batch_size": 5, "seed": 3, **settings}),
        input_size=(3,),
        metric=count_correct,
    )


class StopAfter(Watcher):
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def after_step(self, run: Run, loss: float) -> None:
        self.stop = run.steps_done >= self.steps


def weights(run: Run) -> list[Any]:
    return [value.clone() for value in run.model.state_dict().values()]


@pytest.mark.parametrize("stop_after", range(1, 20))
def test_a_restored_run_ends_as_the_uninterrupted_one(stop_after: int, tmp_path: Any) -> None:
    recipe = small_recipe(optimizer="adam")
    whole = Run(recipe)
    assert whole.steps_in_all == 20
    assert whole.train()

    first = Run(recipe)
    assert not first.train(StopAfter(stop_after))
    assert first.steps_done == stop_after
    write_checkpoint(first.state(), tmp_path / "checkpoint.pt")

    torch.manual_seed(999)  # another process: nothing of the generator's state is left
    second = Run(recipe)
    second.restore(read_checkpoint(tmp_path / "checkpoint.pt"))
    assert second.steps_done == stop_after
    assert second.train()
    for expected, found in zip(weights(whole), weights(second)):
        assert torch.equal(expected, found)
    assert second.history.columns == whole.history.columns


@pytest.mark.parametrize("stop_after", [1, 2, 5, 7, 16])
def test_a_compiled_run_ends_alike_wherever_it_was_stopped(stop_after: int, tmp_path: Any) -> None:
    recipe = replace(
        small_recipe(optimizer="adam", compile=True),
        model=lambda: nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)),
    )
    whole, first, second = Run(recipe), Run(recipe), Run(recipe)
    whole.train()
    first.train(StopAfter(stop_after))
    write_checkpoint(first.state(), tmp_path / "checkpoint.pt")
    second.restore(read_checkpoint(tmp_path / "checkpoint.pt"))
    second.train()
    for expected, found in zip(weights(whole), weights(second)):
        assert torch.equal(expected, found)
    assert second.history.columns == whole.history.columns


@pytest.mark.filterwarnings("error")
def test_a_compiled_run_stays_compiled_while_its_counters_go_up() -> None:
    recipe = replace(
        small_recipe(optimizer="adam", compile=True, epochs=30),
        model=lambda: nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)),
    )
    Run(recipe).train()  # more than 16 kinds of state would be warned about


def test_a_stopped_run_goes_on_in_place() -> None:
    recipe = small_recipe()
    whole, parts = Run(recipe), None
    whole.train()
    parts = Run(recipe)
    assert not parts.train(StopAfter(7))
    assert parts.train()
    for expected, found in zip(weights(whole), weights(parts)):
        assert torch.equal(expected, found)


def test_an_epoch_sees_every_row_once_in_an_order_of_its_own() -> None:
    run = Run(small_recipe(epochs=2))
    orders = []
    for epoch in range(2):
        run.epoch = epoch
        seen = torch.cat([inputs for inputs, _ in run._rest_of_epoch()])
        orders.append(seen)
        expected = rows(22, 1).tensors[0]
        assert torch.equal(seen.sort(dim=0).values, expected.sort(dim=0).values)
    assert not torch.equal(orders[0], orders[1])


def test_without_a_batch_size_a_step_takes_all_rows_in_order() -> None:
    run = Run(small_recipe(batch_size=None, epochs=3))
    assert run.steps_in_all == 3
    ((inputs, _),) = list(run._rest_of_epoch())
    assert torch.equal(inputs, rows(22, 1).tensors[0])


def test_the_step_is_the_plain_training_loop() -> None:
    recipe = small_recipe(batch_size=None, epochs=3, momentum=0.9)
    run = Run(recipe)
    run.train()

    torch.manual_seed(recipe.settings.seed)
    model = recipe.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    inputs, targets = rows(22, 1).tensors
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert run.history.columns["train_loss"] == pytest.approx(losses, rel=1e-6)
    for mine, theirs in zip(run.model.parameters(), model.parameters()):
        assert torch.allclose(mine, theirs)


def test_the_model_is_evaluated_without_dropout_and_trained_with() -> None:
    run = Run(small_recipe())
    run.train()
    assert run.model.training
    run.model.eval()
    inputs, targets = rows(10, 2).tensors
    with torch.no_grad():
        outputs = run.model(inputs)
    assert run.history.last("test_loss") == pytest.approx(
        nn.CrossEntropyLoss()(outputs, targets).item(), rel=1e-5
    )
    assert run.history.last("test_accuracy") == count_correct(outputs, targets) / 10


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_the_command_can_be_made(name: str) -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), Settings(epochs=1, lr=0.25, optimizer=name))
    assert type(optimizer).__name__.lower() == name.replace("-", "")
    assert (optimizer.lr if name == "sgd-by-hand" else optimizer.param_groups[0]["lr"]) == 0.25


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_said_with_epoch_and_step() -> None:
    run = Run(small_recipe(lr=1e30))
    with pytest.raises(DivergedError, match=r"epoch \d+, step \d+.*1e\+30"):
        run.train()


def test_a_state_of_another_run_is_refused() -> None:
    state = Run(small_recipe()).state()
    with pytest.raises(CheckpointError, match="made with"):
        Run(small_recipe(lr=0.5)).restore(state)
    with pytest.raises(CheckpointError, match="'other'"):
        Run(small_recipe()).restore({**state, "recipe": "other"})
    with pytest.raises(CheckpointError, match="does not fit"):
        Run(small_recipe()).restore({**state, "model": {}})
    with pytest.raises(CheckpointError, match="make no sense"):
        Run(small_recipe()).restore({**state, "settings": {"epochs": 0, "lr": 1.0}})
