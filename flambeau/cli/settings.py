"""The options that `train` and `compare` share: a run's settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from flambeau.training import RECIPES, Settings
from flambeau.training.recipe import ACTIVATIONS, OPTIMIZERS

__all__ = ["KINDS", "add_data", "add_settings", "list_of_recipes", "settings_asked_for"]

KINDS: dict[str, Callable[[str], Any]] = {
    "epochs": int,
    "lr": float,
    "optimizer": str,
    "momentum": float,
    "weight_decay": float,
    "batch_size": int,
    "activation": str,
    "seed": int,
}
"""What a word on the command line is turned into, by setting."""


def list_of_recipes() -> str:
    """The recipes, a line each, for a command's help.

    Returns:
        The text.
    """
    width = max(map(len, RECIPES))
    return "\n".join(f"  {name:<{width}}  {recipe.description}" for name, recipe in RECIPES.items())


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give the command of `parser` the options of a run's settings; what is not given is None."""
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the training rows")
    parser.add_argument("--lr", type=float, metavar="RATE", help="learning rate")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), help="default: the recipe's")
    parser.add_argument("--momentum", type=float, metavar="M", help="of sgd and rmsprop")
    parser.add_argument(
        "--weight-decay", type=float, metavar="SHARE", help="of each weight, added to its gradient"
    )
    parser.add_argument("--batch-size", type=int, metavar="ROWS", help="rows in a batch")
    parser.add_argument(
        "--activation", choices=list(ACTIVATIONS), help="of the recipes digits-fnn and digits-fnn2"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the weights and the shuffling")
    parser.add_argument(
        "--compile", action="store_true", default=None, help="compile the training step"
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Give the command of `parser` the option that says where downloaded data are."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="FOLDER",
        help="where data sets are kept that are downloaded (default: data)",
    )


def settings_asked_for(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line, whose `options` these are.

    Returns:
        The values by the settings' names.
    """
    return {
        field.name: value
        for field in fields(Settings)
        if (value := getattr(options, field.name)) is not None
    }
