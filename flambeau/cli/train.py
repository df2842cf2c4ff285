"""`flambeau train`: a recipe, with a progress bar, a checkpoint, a table and a picture."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau.training import (
    DEFAULT_RECIPE,
    RECIPES,
    CheckpointError,
    DivergedError,
    Recipe,
    Run,
    Settings,
    read_checkpoint,
    write_checkpoint,
)
from flambeau.training.loop import settings_of
from flambeau.training.progress import Progress, describe_row, stop_on_signal
from flambeau.training.recipe import OPTIMIZERS, UnknownRecipeError, recipe_named

__all__ = ["train"]


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, RECIPES))
    recipes = "\n".join(
        f"  {name:<{width}}  {recipe.description}" for name, recipe in RECIPES.items()
    )
    parser = argparse.ArgumentParser(
        prog="flambeau train",
        allow_abbrev=False,
        description="Trains a model by a recipe. Writes checkpoint.pt, metrics.csv and curves.png.",
        epilog=f"recipes:\n{recipes}\n\nCtrl-C stops after the step that is under way; --resume "
        "goes on from\nthere, and ends where the run would have ended without the stop.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe", nargs="?", default=DEFAULT_RECIPE, help=f"default: {DEFAULT_RECIPE}"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the training rows")
    parser.add_argument("--lr", type=float, metavar="RATE", help="learning rate")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), help="default: the recipe's")
    parser.add_argument("--momentum", type=float, metavar="M", help="of sgd and rmsprop")
    parser.add_argument("--batch-size", type=int, metavar="ROWS", help="rows in a batch")
    parser.add_argument("--seed", type=int, metavar="N", help="of the weights and the shuffling")
    parser.add_argument(
        "--compile", action="store_true", default=None, help="compile the training step"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to write (default: runs/RECIPE)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="FOLDER",
        help="where data sets are kept that are downloaded (default: data)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the output folder"
    )
    return parser


def train(arguments: list[str]) -> int:
    """Carry out `flambeau train`.

    Returns:
        0; 1 if the training failed; 2 for arguments that make no sense; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        recipe = recipe_named(options.recipe, RECIPES)
        out = options.out or Path("runs") / recipe.name
        state = read_checkpoint(out / "checkpoint.pt") if options.resume else None
        run = _prepare(recipe, options, state)
        out.mkdir(parents=True, exist_ok=True)
    except (UnknownRecipeError, ValueError) as error:
        return _complain(error, 2)
    except CheckpointError as error:
        return _complain(f"--resume: {error}", 2)
    except (ImportError, OSError, RuntimeError) as error:
        return _complain(error, 1)

    _introduce(run)
    try:
        return _carry_out(run, out)
    except (DivergedError, ImportError, OSError) as error:
        return _complain(error, 1)


def _complain(reason: object, status: int) -> int:
    print(f"flambeau train: {reason}", file=sys.stderr)
    return status


def _prepare(recipe: Recipe, options: argparse.Namespace, state: dict[str, Any] | None) -> Run:
    asked = {
        field.name: value
        for field in fields(Settings)
        if (value := getattr(options, field.name)) is not None
    }
    if state is None:
        settings = recipe.settings
        if asked.get("optimizer", settings.optimizer) != settings.optimizer:
            settings = replace(settings, momentum=0.0)  # the recipe's is its own optimizer's
        return Run(recipe, replace(settings, **asked), options.data)

    settings = settings_of(state)
    for name, value in asked.items():
        theirs = getattr(settings, name)
        if name != "epochs" and value != theirs:
            raise CheckpointError(
                f"the run was begun with {name.replace('_', ' ')} {theirs}, and goes on with it: "
                f"leave --{name.replace('_', '-')} away, or begin anew without --resume"
            )
    settings = replace(settings, epochs=asked.get("epochs", settings.epochs))
    run = Run(recipe, settings, options.data)
    run.restore(state)
    if run.epoch > settings.epochs or (run.epoch == settings.epochs and run.step):
        raise CheckpointError(
            f"the run has completed {run.epoch} epochs: more than --epochs {settings.epochs}"
        )
    return run


def _introduce(run: Run) -> None:
    from flambeau.training.summary import summary

    print(f"{run.recipe.name}: {run.recipe.description}")
    random = torch.get_rng_state()  # the summary tries the model on random numbers
    summary(run.model, run.recipe.input_size, device=torch.device("cpu"))
    torch.set_rng_state(random)
    settings = asdict(run.settings)
    if settings["batch_size"] is None:
        settings["batch_size"] = "all rows"
    if not settings["momentum"]:
        del settings["momentum"]
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items()))
    if run.steps_done:
        where = f"epoch {run.epoch}" + (f" and {run.step} steps" if run.step else "")
        print(f"goes on after {where}")
    sys.stdout.flush()


def _carry_out(run: Run, out: Path) -> int:
    checkpoint = out / "checkpoint.pt"
    progress = Progress(run, checkpoint)
    stopped_by: list[int] = []

    def stop(number: int) -> None:
        stopped_by.append(number)
        progress.stop = True

    began, steps_before = time.perf_counter(), run.steps_done
    with stop_on_signal(stop):
        try:
            done = run.train(progress)
        finally:
            progress.close(run)
    seconds = time.perf_counter() - began

    write_checkpoint(run.state(), checkpoint)
    run.history.write(out / "metrics.csv")
    curves = _draw(run, out / "curves.png")
    if not done:
        print(
            f"stopped after {run.steps_done} of {run.steps_in_all} steps; the checkpoint is "
            f"{checkpoint}\ngo on with: flambeau train {run.recipe.name} --out {out} --resume"
        )
        return 128 + (stopped_by[0] if stopped_by else signal.SIGINT)

    steps = run.steps_done - steps_before
    print(describe_row(run))
    if run.recipe.remark:
        print(run.recipe.remark(run.model))
    if steps:
        print(f"{steps} steps in {seconds:.1f} s, {1e6 * seconds / steps:.0f} us each")
    print(f"checkpoint  {checkpoint}\nmetrics     {out / 'metrics.csv'}\ncurves      {curves}")
    return 0


def _draw(run: Run, path: Path) -> str:
    if not len(run.history):
        return "none yet"
    try:
        from flambeau.plots import training_curves

        training_curves(run.history.columns, title=run.recipe.name, path=path)
    except ImportError as error:
        return f"none: {error}"
    return str(path)
