"""What a recipe is: everything that defines a training run, with its usual settings."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flambeau.nn import Module
from flambeau.utils.data import TensorDataset

__all__ = ["OPTIMIZERS", "Metric", "Recipe", "Settings", "UnknownRecipeError", "recipe_named"]

Metric = Callable[[Any, Any], int]
"""How many rows of a batch are right: takes the model's outputs and the targets."""

OPTIMIZERS = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
}
"""The names that `--optimizer` takes, and the classes of `flambeau.optim` they mean."""

TAKE_MOMENTUM = ("sgd", "rmsprop")


@dataclass(frozen=True)
class Settings:
    """What may be changed about a run.

    Attributes:
        epochs: passes over the training rows.
        lr: the learning rate.
        optimizer: a key of `OPTIMIZERS`.
        momentum: for the optimizers that have one, else 0.
        batch_size: rows in a batch; None: all rows at once, in their order.
        seed: of the initial weights and of the shuffling.
        compile: whether the training step runs as one compiled function.
    """

    epochs: int
    lr: float
    optimizer: str = "sgd"
    momentum: float = 0.0
    batch_size: int | None = None
    seed: int = 0
    compile: bool = False


@dataclass(frozen=True)
class Recipe:
    """A task with a known good way to learn it.

    Attributes:
        name: how `flambeau train` calls it.
        description: one line.
        data: gives the rows for training and those for testing (or None); takes the folder where
            downloaded data are kept.
        model: makes the network, untrained.
        loss: makes the loss, of outputs and targets.
        settings: the usual settings.
        input_size: the shape of one input, without the batch: what the summary shows.
        metric: counts right answers, for classifiers.
        record_every: epochs from one row of the metrics to the next.
        remark: what to say about the trained model, if anything.
    """

    name: str
    description: str
    data: Callable[[Path], tuple[TensorDataset, TensorDataset | None]]
    model: Callable[[], Module]
    loss: Callable[[], Module]
    settings: Settings
    input_size: tuple[int, ...]
    metric: Metric | None = None
    record_every: int = 1
    remark: Callable[[Any], str] | None = field(default=None, repr=False)


class UnknownRecipeError(LookupError):
    """There is no recipe of that name."""


def recipe_named(name: str, recipes: dict[str, Recipe]) -> Recipe:
    """The recipe of a name.

    Raises:
        UnknownRecipeError: there is none; says which there are, and which is meant perhaps.
    """
    if name in recipes:
        return recipes[name]
    close = difflib.get_close_matches(name, recipes, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise UnknownRecipeError(
        f"there is no recipe {name!r}{hint} (recipes: {', '.join(sorted(recipes))})"
    )
