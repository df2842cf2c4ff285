"""The training loop: from a recipe and its settings to a trained model.

A run is a sequence of steps. After each one its whole state is known: the weights, the optimizer's
state, the random generators, how far the epoch has come and the sums of its metrics so far.
`Run.state` gives it, `Run.restore` takes it back, and the run goes on as if it had never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau import optim
from flambeau.nn import Module
from flambeau.training.by_hand import SGDByHand
from flambeau.training.checkpoint import CheckpointError
from flambeau.training.metrics import History, RunningMean, evaluate
from flambeau.training.recipe import ACTIVATIONS, OPTIMIZERS, TAKE_MOMENTUM, Recipe, Settings
from flambeau.utils.data import DataLoader, TensorDataset

__all__ = ["DivergedError", "Run", "Watcher", "make_optimizer"]

SETTLING_STEPS = 6
"""Calls after which a compiled step is the compiled program (or has been given up as one)."""

EVALUATION_ROWS = 1000
"""Rows per batch when a model is evaluated: bounds the memory of the activations."""

_SPREAD = 0x9E3779B97F4A7C15  # an odd number without pattern: near seeds get far streams


class DivergedError(RuntimeError):
    """The loss is no longer a finite number."""


class Watcher:
    """Is told how a run goes; this one looks away. `stop` ends the run after the step."""

    stop = False

    def after_step(self, run: Run, loss: float) -> None:
        """A step of `run` is done, with this `loss`."""

    def after_row(self, run: Run) -> None:
        """A row was added to the history of `run`."""


def make_optimizer(model: Module, settings: Settings) -> Any:
    """The optimizer of the `settings`, for all parameters of `model`.

    Returns:
        One of `flambeau.optim`, or `SGDByHand`.
    """
    options: dict[str, float] = {"lr": settings.lr}
    if settings.momentum:
        options["momentum"] = settings.momentum
    if settings.weight_decay:
        options["weight_decay"] = settings.weight_decay
    if settings.optimizer == "sgd-by-hand":
        return SGDByHand(model.parameters(), **options)
    return getattr(optim, OPTIMIZERS[settings.optimizer])(model.parameters(), **options)


class Run:
    """One run of a recipe.

    Arguments:
        recipe: what to train, and on what.
        settings: how; the recipe's own if None.
        data_folder: where data sets are kept that are downloaded.

    Attributes:
        model, optimizer, loss_function, history: as the names say.
        train_rows, test_rows: what the recipe's data are; there may be no test rows.
        epoch: epochs completed.
        step: steps done in the epoch that is under way.
        steps_per_epoch: how many it has.
        sums, sums_of_last_epoch: the metrics of the epoch so far, and of the one before.
        right_of_step: the share of right answers in the latest step's batch; NaN without a metric.

    Raises:
        ValueError: a setting that does not fit: more rows in a batch than there are, a momentum
            for an optimizer without one.
    """

    def __init__(
        self, recipe: Recipe, settings: Settings | None = None, data_folder: Path = Path("data")
    ) -> None:
        self.recipe = recipe
        self.settings = settings = settings or recipe.settings
        check(settings)
        train, test = recipe.data(data_folder)
        self.train_rows, self.test_rows = train, test
        rows = len(train)
        batch_size = settings.batch_size
        if batch_size is not None and batch_size > rows:
            raise ValueError(f"a batch of {batch_size} rows is more than the {rows} training rows")

        torch.manual_seed(settings.seed)
        self.model = recipe.make_model(settings)
        self.loss_function = recipe.loss()
        self.optimizer = make_optimizer(self.model, settings)
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.sums = self.sums_of_last_epoch = RunningMean()
        self.right_of_step = math.nan
        # The order of the rows has a generator of its own, which each epoch seeds anew: a run that
        # goes on in the middle of an epoch finds its order again.
        self._shuffler = torch.Generator()
        self._batches: Iterable[Any]
        if batch_size is None:
            self._batches = [train.tensors]
            self.steps_per_epoch = 1
        else:
            self._batches = DataLoader(
                train, batch_size=batch_size, shuffle=True, generator=self._shuffler
            )
            self.steps_per_epoch = math.ceil(rows / batch_size)
        self._tests = test and list(_parts(test, EVALUATION_ROWS))
        step = _step(self.model, self.optimizer, self.loss_function)
        self._train_step: Callable[[Any, Any], tuple[Any, Any]] = (
            torch.compile(step) if settings.compile else step
        )
        self._settled = not settings.compile

    @property
    def done(self) -> bool:
        """Whether all epochs are completed."""
        return self.epoch >= self.settings.epochs

    @property
    def steps_done(self) -> int:
        """Steps since the beginning."""
        return self.epoch * self.steps_per_epoch + self.step

    @property
    def steps_in_all(self) -> int:
        """Steps of the whole run."""
        return self.settings.epochs * self.steps_per_epoch

    def train(self, watcher: Watcher | None = None) -> bool:
        """Train to the end, or until the watcher stops it.

        Returns:
            Whether the run is done. If not, `train` goes on from the next step.

        Raises:
            DivergedError: a loss that is infinite or NaN.
        """
        watcher = watcher or Watcher()
        self.model.train()
        while not self.done:
            for inputs, targets in self._rest_of_epoch():
                if not self._settled and self.steps_done:
                    self._settle()
                loss, outputs = self._train_step(inputs, targets)
                value = loss.item()
                if not math.isfinite(value):
                    raise DivergedError(
                        f"the loss is {value} in epoch {self.epoch + 1}, step {self.step + 1}: "
                        f"the learning rate {self.settings.lr:g} is perhaps too high"
                    )
                right = 0
                if (metric := self.recipe.metric) is not None:
                    right = metric(outputs, targets)
                    self.right_of_step = right / len(targets)
                self.sums.add(value, right, len(targets))
                self.step += 1
                if self.step == self.steps_per_epoch:
                    self._finish_epoch(watcher)
                watcher.after_step(self, value)
                if watcher.stop:
                    return self.done
        return True

    def _settle(self) -> None:
        """Bring a compiled step to where each call runs the compiled program.

        The first calls run eagerly, and round otherwise in the last digit. Were they steps of the
        run, a run that goes on from a checkpoint would have other ones than a run that was never
        stopped. So they are taken for their effect on the compiler, and undone: after the first
        step, which creates the optimizer's state.
        """
        random = torch.get_rng_state()
        tensors = list(self.model.state_dict().values())
        numbers = []
        for entry in self.optimizer.state.values():
            tensors += [value for value in entry.values() if isinstance(value, torch.Tensor)]
            numbers.append(
                {k: v for k, v in entry.items() if not isinstance(v, torch.Tensor)},
            )
        kept = [tensor.clone() for tensor in tensors]
        rows = len(self.train_rows)
        size = self.settings.batch_size or rows
        for part in {size, rows % size} - {0}:
            inputs, targets = self.train_rows[:part]
            for _ in range(SETTLING_STEPS):
                self._train_step(inputs, targets)
        with torch.no_grad():
            for tensor, value in zip(tensors, kept):
                tensor.copy_(value)
        for entry, values in zip(self.optimizer.state.values(), numbers):
            entry.update(values)
        torch.set_rng_state(random)
        self._settled = True

    def _rest_of_epoch(self) -> Iterator[Any]:
        """The batches of the epoch that are not yet trained on, in the epoch's order."""
        self._shuffler.manual_seed((self.settings.seed * _SPREAD + self.epoch) % 2**63)
        rest = iter(self._batches)
        if self.step:
            random = torch.get_rng_state()
            next(islice(rest, self.step - 1, self.step))
            torch.set_rng_state(random)
        return rest

    def _finish_epoch(self, watcher: Watcher) -> None:
        self.epoch += 1
        self.step = 0
        if self.epoch % self.recipe.record_every == 0 or self.done:
            values = {"epoch": self.epoch, "train_loss": self.sums.mean_loss}
            if self.recipe.metric:
                values["train_accuracy"] = self.sums.accuracy
            if self._tests:
                values["test_loss"], values["test_accuracy"] = evaluate(
                    self.model, self._tests, self.loss_function, self.recipe.metric
                )
            self.history.append(**values)
            watcher.after_row(self)
        self.sums_of_last_epoch, self.sums = self.sums, RunningMean()

    def state(self) -> dict[str, Any]:
        """All that the rest of the run depends on, in what a checkpoint may hold."""
        return {
            "recipe": self.recipe.name,
            "settings": asdict(self.settings),
            "epoch": self.epoch,
            "step": self.step,
            "random": torch.get_rng_state(),
            "sums": [self.sums.loss, self.sums.correct, self.sums.rows],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": {
                name: torch.tensor(column, dtype=torch.float64)
                for name, column in self.history.columns.items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state: of a run with the same recipe and settings, epochs excepted.

        Arguments:
            state: what `state` gave.

        Raises:
            CheckpointError: the state is of another run.
        """
        if state["recipe"] != self.recipe.name:
            raise CheckpointError(
                f"it is a run of {state['recipe']!r}, not of {self.recipe.name!r}"
            )
        theirs = replace(settings_of(state), epochs=self.settings.epochs)
        if theirs != self.settings:
            raise CheckpointError(f"it was made with {theirs}, not with {self.settings}")
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["random"])
            self.sums = RunningMean(*state["sums"])
            self.epoch, self.step = int(state["epoch"]), int(state["step"])
            self.history = History(
                {name: column.tolist() for name, column in state["history"].items()}
            )
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"it does not fit this recipe: {error}") from error


def _step(model: Module, optimizer: Any, loss_function: Module) -> Callable[[Any, Any], Any]:
    """A training step, to be compiled perhaps: it sees what it needs, and not the run's counters.

    A compiled function is another program for other values of what it sees.
    """

    def one_step(inputs: Any, targets: Any) -> tuple[Any, Any]:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = loss_function(outputs, targets)
        loss.backward()
        optimizer.step()
        return loss, outputs.detach()

    return one_step


def settings_of(state: dict[str, Any]) -> Settings:
    """The settings that a state was made with.

    Arguments:
        state: what `Run.state` gave.

    Returns:
        The settings.

    Raises:
        CheckpointError: they are not such as this version has.
    """
    try:
        settings = Settings(**state["settings"])
        check(settings)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"its settings make no sense: {error}") from error
    return settings


def check(settings: Settings) -> None:
    """Refuse settings that cannot be meant.

    Raises:
        ValueError: says which, and what is possible.
    """
    if settings.epochs < 1:
        raise ValueError(f"epochs must be 1 or more, not {settings.epochs}")
    if not (math.isfinite(settings.lr) and settings.lr > 0):
        raise ValueError(f"the learning rate must be a positive number, not {settings.lr}")
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(
            f"there is no optimizer {settings.optimizer!r}; there are {', '.join(OPTIMIZERS)}"
        )
    if not (math.isfinite(settings.momentum) and settings.momentum >= 0):
        raise ValueError(f"the momentum must be 0 or more, not {settings.momentum}")
    if settings.momentum and settings.optimizer not in TAKE_MOMENTUM:
        raise ValueError(
            f"{settings.optimizer} takes no momentum; {', '.join(TAKE_MOMENTUM[:-1])} and "
            f"{TAKE_MOMENTUM[-1]} do"
        )
    if not (math.isfinite(settings.weight_decay) and settings.weight_decay >= 0):
        raise ValueError(f"the weight decay must be 0 or more, not {settings.weight_decay}")
    if settings.activation is not None and settings.activation not in ACTIVATIONS:
        raise ValueError(
            f"there is no activation {settings.activation!r}; there are {', '.join(ACTIVATIONS)}"
        )
    if settings.batch_size is not None and settings.batch_size < 1:
        raise ValueError(f"a batch must have 1 row or more, not {settings.batch_size}")
    if not -(2**63) <= settings.seed < 2**64:
        raise ValueError(f"the seed must be a 64-bit number, not {settings.seed}")


def _parts(rows: TensorDataset, size: int) -> Iterator[tuple[Any, Any]]:
    inputs, targets = rows.tensors
    for start in range(0, len(rows), size):
        yield inputs[start : start + size], targets[start : start + size]
