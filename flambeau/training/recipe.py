"""What a recipe is: everything that defines a training run, with its usual settings."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flambeau.nn import Module, ReLU, Sigmoid, Tanh
from flambeau.utils.data import TensorDataset

if TYPE_CHECKING:
    from flambeau.training.pictures import Picture

__all__ = [
    "ACTIVATIONS",
    "OPTIMIZERS",
    "TAKE_MOMENTUM",
    "Metric",
    "Recipe",
    "Settings",
    "UnknownRecipeError",
    "recipe_named",
]

Metric = Callable[[Any, Any], int]
"""How many rows of a batch are right: takes the model's outputs and the targets."""

OPTIMIZERS = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "sgd-by-hand": "SGDByHand",
}
"""The names that `--optimizer` takes, and the classes they mean: of `flambeau.optim`, and one of
`flambeau.training.by_hand`."""

TAKE_MOMENTUM = ("sgd", "rmsprop", "sgd-by-hand")

ACTIVATIONS: dict[str, type[Module]] = {"relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid}
"""The names that `--activation` takes."""


@dataclass(frozen=True)
class Settings:
    """What may be changed about a run.

    Attributes:
        epochs: passes over the training rows.
        lr: the learning rate.
        optimizer: a key of `OPTIMIZERS`.
        momentum: for the optimizers that have one, else 0.
        weight_decay: how much of each weight is added to its gradient.
        batch_size: rows in a batch; None: all rows at once, in their order.
        activation: a key of `ACTIVATIONS`, for the recipes that let one choose, else None.
        seed: of the initial weights and of the shuffling.
        compile: whether the training step runs as one compiled function.
    """

    epochs: int
    lr: float
    optimizer: str = "sgd"
    momentum: float = 0.0
    weight_decay: float = 0.0
    batch_size: int | None = None
    activation: str | None = None
    seed: int = 0
    compile: bool = False

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some of them replaced.

        With another optimizer, the momentum is 0 unless it is given too: a recipe's momentum is
        meant for the recipe's optimizer (or the same one, written by hand).

        Arguments:
            changes: the new values by the settings' names.

        Returns:
            New settings.

        Raises:
            ValueError: there is no such setting.
        """
        names = [item.name for item in fields(self)]
        for name in changes:
            if name not in names:
                raise ValueError(f"there is no setting {name!r}; there are {', '.join(names)}")
        settings = self
        optimizer = changes.get("optimizer", self.optimizer)
        if optimizer.removesuffix("-by-hand") != self.optimizer.removesuffix("-by-hand"):
            settings = replace(settings, momentum=0.0)
        return replace(settings, **changes)


@dataclass(frozen=True)
class Recipe:
    """A task with a known good way to learn it.

    Attributes:
        name: how `flambeau train` calls it.
        description: one line.
        data: gives the rows for training and those for testing (or None); takes the folder where
            downloaded data are kept.
        model: makes the network, untrained; takes the class of the activation function where the
            settings have an activation.
        loss: makes the loss, of outputs and targets.
        settings: the usual settings.
        input_size: the shape of one input, without the batch: what the summary shows.
        metric: counts right answers, for classifiers.
        record_every: epochs from one row of the metrics to the next.
        remark: what to say about the trained model, if anything.
        picture: what to draw of the trained model, if anything.
        comparison: what `flambeau compare` varies unless told: the settings' names and values.
        panels_of: a setting: where it varies, `flambeau compare` draws a picture by iterations
            too, with panels for each of its values.
    """

    name: str
    description: str
    data: Callable[[Path], tuple[TensorDataset, TensorDataset | None]]
    model: Callable[..., Module]
    loss: Callable[[], Module]
    settings: Settings
    input_size: tuple[int, ...]
    metric: Metric | None = None
    record_every: int = 1
    remark: Callable[[Any], str] | None = field(default=None, repr=False)
    picture: Picture | None = field(default=None, repr=False)
    comparison: Mapping[str, Sequence[Any]] = field(default_factory=dict, repr=False)
    panels_of: str | None = None

    def make_model(self, settings: Settings) -> Module:
        """The network of the settings, untrained.

        Raises:
            ValueError: an activation is asked for, and the recipe has none to choose.
        """
        if settings.activation is None:
            return self.model()
        if self.settings.activation is None:
            raise ValueError(f"{self.name} has no activation to choose")
        return self.model(ACTIVATIONS[settings.activation])


class UnknownRecipeError(LookupError):
    """There is no recipe of that name."""


def recipe_named(name: str, recipes: dict[str, Recipe]) -> Recipe:
    """The recipe of a name.

    Arguments:
        name: the name.
        recipes: all of them by name.

    Returns:
        The recipe.

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
