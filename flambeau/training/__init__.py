"""Training by recipe: what `flambeau train` does, for use from Python.

from flambeau.training import RECIPES, Run
run = Run(RECIPES["digits-cnn"])
run.train()
print(run.history.last("test_accuracy"))
"""

from __future__ import annotations

from flambeau.training.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from flambeau.training.comparison import Comparison, Outcome
from flambeau.training.loop import DivergedError, Run, Watcher
from flambeau.training.metrics import History, evaluate
from flambeau.training.recipe import Recipe, Settings
from flambeau.training.recipes import DEFAULT_RECIPE, RECIPES

__all__ = [
    "DEFAULT_RECIPE",
    "RECIPES",
    "CheckpointError",
    "Comparison",
    "DivergedError",
    "History",
    "Outcome",
    "Recipe",
    "Run",
    "Settings",
    "Watcher",
    "evaluate",
    "read_checkpoint",
    "write_checkpoint",
]
