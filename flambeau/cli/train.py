"""`flambeau train`: a recipe, with a progress bar, a checkpoint, a table and a picture."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau.cli.settings import add_data, add_settings, list_of_recipes, settings_asked_for
from flambeau.training import (
    DEFAULT_RECIPE,
    RECIPES,
    CheckpointError,
    DivergedError,
    Recipe,
    Run,
    read_checkpoint,
    write_checkpoint,
)
from flambeau.training.checkpoint import read_weights
from flambeau.training.loop import settings_of
from flambeau.training.pictures import draw_picture
from flambeau.training.progress import Progress, describe_row, stop_on_signal
from flambeau.training.recipe import UnknownRecipeError, recipe_named

__all__ = ["train"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flambeau train",
        allow_abbrev=False,
        description="Trains a model by a recipe. Writes checkpoint.pt, metrics.csv, curves.png "
        "and, by recipe, fit.png,\nregions.png or answers.png: what the model has learnt.",
        epilog=f"recipes:\n{list_of_recipes()}\n\n"
        "Ctrl-C stops after the step that is under way; --resume "
        "goes on from\nthere, and ends where the run would have ended without the stop.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe", nargs="?", default=DEFAULT_RECIPE, help=f"default: {DEFAULT_RECIPE}"
    )
    add_settings(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to write (default: runs/RECIPE)"
    )
    add_data(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the output folder"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="begin with the weights of this file: a state dict that torch.save wrote, of PyTorch "
        "or flambeau, or a checkpoint with one under 'model' (or 'state_dict')",
    )
    return parser


def train(arguments: list[str]) -> int:
    """Carry out `flambeau train`.

    Arguments:
        arguments: the words behind `train`.

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
    asked = settings_asked_for(options)
    if state is None:
        run = Run(recipe, recipe.settings.changed(asked), options.data)
        if options.weights is not None:
            _begin_with(run, options.weights)
        return run
    if options.weights is not None:
        raise CheckpointError("the run has weights of its own: leave --weights away")

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


def _begin_with(run: Run, path: Path) -> None:
    try:
        run.model.load_state_dict(read_weights(path))
    except CheckpointError as error:
        raise ValueError(f"--weights: {error}") from error
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"--weights: {path} does not fit {run.recipe.name}: {error}") from error


def _introduce(run: Run) -> None:
    from flambeau.training.summary import summary

    print(f"{run.recipe.name}: {run.recipe.description}")
    random = torch.get_rng_state()  # the summary tries the model on random numbers
    summary(run.model, run.recipe.input_size, device=torch.device("cpu"))
    torch.set_rng_state(random)
    settings = asdict(run.settings)
    if settings["batch_size"] is None:
        settings["batch_size"] = "all rows"
    for name in ("momentum", "weight_decay", "activation"):
        if not settings[name]:
            del settings[name]
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
    if run.recipe.picture is not None:
        print(f"{run.recipe.picture.name:<11} {_draw_model(run, out)}")
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


def _draw_model(run: Run, out: Path) -> str:
    picture = run.recipe.picture
    assert picture is not None
    path = out / f"{picture.name}.png"
    try:
        draw_picture(picture, run, path)
    except ImportError as error:
        return f"none: {error}"
    return str(path)
