"""`flambeau compare`: a recipe with settings varied, run in parallel, in one picture."""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flambeau.cli.settings import (
    KINDS,
    add_data,
    add_settings,
    list_of_recipes,
    settings_asked_for,
)
from flambeau.plots.axes import COLOURS
from flambeau.training import RECIPES, Comparison, Outcome
from flambeau.training import comparison as comparing
from flambeau.training.metrics import COLUMNS
from flambeau.training.pictures import comparison_curves, iteration_curves
from flambeau.training.progress import stop_on_signal
from flambeau.training.recipe import UnknownRecipeError, recipe_named

__all__ = ["compare"]

EXAMPLES = """\
examples:
  flambeau compare digits-fnn --vary optimizer=sgd,adam,adagrad
  flambeau compare sine --vary lr=1e-3,1e-4,1e-5,1e-6
  flambeau compare sine --lr 1e-4 --vary momentum=0,0.1,0.25,0.5,0.75,0.9,0.99
  flambeau compare circles --vary lr=0.1,0.01 --vary optimizer=sgd,adam --seeds 5
  flambeau compare mnist-mlp          the comparison that the recipe has of its own
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flambeau compare",
        allow_abbrev=False,
        description="Trains a recipe once for each combination of the settings that vary, several "
        "runs at a time.\nPrints a table, writes comparison.csv and comparison.png (and by recipe "
        "iterations.png).",
        epilog=f"{EXAMPLES}\nrecipes:\n{list_of_recipes()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", help="what to train")
    parser.add_argument(
        "--vary",
        action="append",
        metavar="NAME=VALUE,VALUE,...",
        help="a setting and the values to try; may be given several times, for all combinations "
        "(default: the recipe's own comparison)",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs of each combination (default: 1)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="runs at a time (default: one per processor)"
    )
    parser.add_argument(
        "--smoothing",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="weight of the past in the curves' moving average (default: 0, none)",
    )
    add_settings(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to write (default: runs/compare-RECIPE)"
    )
    add_data(parser)
    return parser


def compare(arguments: list[str]) -> int:
    """Carry out `flambeau compare`.

    Arguments:
        arguments: the words behind `compare`.

    Returns:
        0; 1 if no run came to its end; 2 for arguments that make no sense; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        recipe = recipe_named(options.recipe, RECIPES)
        vary = _values_to_try(options.vary) if options.vary else None
        comparison = Comparison(
            recipe, vary, settings_asked_for(options), options.seeds, options.data
        )
        if options.jobs is not None and options.jobs < 1:
            raise ValueError(f"there must be 1 job or more, not {options.jobs}")
        if not 0 <= options.smoothing < 1:
            raise ValueError(f"smoothing must be from 0 to less than 1, not {options.smoothing}")
    except (UnknownRecipeError, ValueError) as error:
        return _complain(error, 2)
    out = options.out or Path("runs") / f"compare-{recipe.name}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        return _carry_out(comparison, options, out)
    except ValueError as error:
        return _complain(error, 2)
    except (ImportError, OSError, RuntimeError) as error:
        return _complain(error, 1)


def _complain(reason: object, status: int) -> int:
    print(f"flambeau compare: {reason}", file=sys.stderr)
    return status


def _values_to_try(words: Sequence[str]) -> dict[str, list[Any]]:
    """What `--vary` says.

    Raises:
        ValueError: it cannot be read; says how it should look.
    """
    vary: dict[str, list[Any]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not values.strip(" ,"):
            raise ValueError(f"--vary {word}: write NAME=VALUE,VALUE,... as in lr=0.1,0.01")
        if name == "seed":
            raise ValueError("--vary seed: write --seeds N for N runs of each combination")
        if name not in KINDS:
            known = ", ".join(key.replace("_", "-") for key in KINDS if key != "seed")
            raise ValueError(f"--vary {word}: there is no setting {name!r}; there are {known}")
        if name in vary:
            raise ValueError(f"--vary {name} is given twice: put all its values into one")
        kind = KINDS[name]
        try:
            vary[name] = [kind(value.strip()) for value in values.split(",")]
        except ValueError as error:
            wanted = "whole numbers" if kind is int else "numbers"
            raise ValueError(f"--vary {word}: {name} takes {wanted}") from error
    return vary


class _Progress(comparing.Progress):
    """A bar in a terminal; a line for each run that is done, in a log."""

    def __init__(self, comparison: Comparison) -> None:
        self._runs = len(comparison.settings)
        self._finished = 0
        self._seeds = comparison.seeds
        self._bar = self._make_bar(comparison) if sys.stderr.isatty() else None

    def _make_bar(self, comparison: Comparison) -> Any:
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise ImportError(
                "the progress bar is tqdm's, which is not installed: pip install 'flambeau[train]'"
            ) from error
        return tqdm(
            total=sum(settings.epochs for settings in comparison.settings),
            desc=comparison.recipe.name,
            unit="epoch",
            dynamic_ncols=True,
        )

    def epochs(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def finished(self, outcome: Outcome) -> None:
        self._finished += 1
        seed = f", seed {outcome.seed}" if self._seeds > 1 else ""
        said = f"{self._finished}/{self._runs}  {outcome.variation.label}{seed}: " + (
            outcome.complaint or _last(outcome)
        )
        if self._bar is not None:
            self._bar.write(said, file=sys.stderr)
        else:
            print(said, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _last(outcome: Outcome) -> str:
    words = []
    for column in COLUMNS[1:]:
        value = outcome.history.last(column)
        if value == value:
            words.append(f"{column.replace('_', ' ')} {_number(column, value)}")
    return "  ".join([*words, f"{outcome.seconds:.1f} s"])


def _number(column: str, value: float) -> str:
    return f"{value:.2%}" if column.endswith("accuracy") else f"{value:.4g}"


def _carry_out(comparison: Comparison, options: argparse.Namespace, out: Path) -> int:
    progress = _Progress(comparison)
    stopped_by: list[int] = []

    def stop(number: int) -> None:
        stopped_by.append(number)
        progress.stop = True

    began = time.perf_counter()
    with stop_on_signal(stop):
        try:
            outcomes = comparison.run(options.jobs, progress)
        finally:
            progress.close()
    seconds = time.perf_counter() - began

    if outcomes:
        print("\n".join(_table(comparison, outcomes)))
        table = out / "comparison.csv"
        comparing.write_outcomes(outcomes, table)
        print(f"{len(outcomes)} runs in {seconds:.1f} s")
        picture = _draw(comparison, outcomes, out / "comparison.png", options.smoothing)
        print(f"metrics  {table}\ncurves   {picture}")
        if comparison.by_iteration:
            print(f"steps    {_draw_steps(comparison, outcomes, out / 'iterations.png')}")
    if progress.stop:
        print(f"stopped after {len(outcomes)} of {len(comparison.settings)} runs")
        return 128 + (stopped_by[0] if stopped_by else signal.SIGINT)
    if all(outcome.complaint for outcome in outcomes):
        return _complain("no run came to its end", 1)
    return 0


def _table(comparison: Comparison, outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each combination: its settings, and the last metrics of its runs."""
    columns = [column for column in COLUMNS[1:] if comparing.finals(outcomes, column)]
    header = [name.replace("_", " ") for name in [*comparison.vary, *columns]] + ["seconds"]
    lines: list[list[str]] = []
    for variation in comparison.variations:
        runs = [outcome for outcome in outcomes if outcome.variation is variation]
        line = [comparing.in_words(value) for value in variation.values.values()]
        if not runs:
            continue
        for column in columns:
            line.append(_mean_and_range(column, comparing.finals(runs, column)))
        line.append(f"{statistics.mean(run.seconds for run in runs):.1f}")
        failed = sum(run.complaint is not None for run in runs)
        if failed:
            line[-1] += "  diverged" if failed == len(runs) else f"  {failed} diverged"
        lines.append(line)
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    said = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip()
        for line in [header, *lines]
    ]
    if comparison.seeds > 1:
        said.append(f"each: the mean of {comparison.seeds} seeds, and the lowest and highest")
    return said


def _mean_and_range(column: str, values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = _number(column, statistics.mean(values))
    if len(values) == 1:
        return mean
    return f"{mean} ({_number(column, min(values))} to {_number(column, max(values))})"


def _draw(comparison: Comparison, outcomes: Sequence[Outcome], path: Path, smoothing: float) -> str:
    runs: dict[str, list[Any]] = {}
    look: dict[str, tuple[int, str]] = {}
    first, *others = comparison.vary.values()
    for outcome in outcomes:
        if not len(outcome.history):
            continue
        label = outcome.variation.label
        runs.setdefault(label, []).append(outcome.history.columns)
        # The dashes are the second setting's, in hues of their own as far as there are enough:
        # runs that coincide show through each other.
        if len(others) == 1 and len(others[0]) <= 4:
            values = list(outcome.variation.values.values())
            hue, second = list(first).index(values[0]), list(others[0]).index(values[1])
            if len(first) * len(others[0]) <= len(COLOURS):
                hue += len(first) * second
            look[label] = (hue, ("-", "--", ":", "-.")[second])
    try:
        comparison_curves(
            runs,
            path,
            title=comparison.recipe.name,
            legend=", ".join(name.replace("_", " ") for name in comparison.vary),
            look=look,
            smoothing=smoothing,
        )
    except (ImportError, ValueError) as error:
        return f"none: {error}"
    return str(path)


def _draw_steps(comparison: Comparison, outcomes: Sequence[Outcome], path: Path) -> str:
    """Each iteration's loss and accuracy, panels for each value of the recipe's setting."""
    setting = comparison.recipe.panels_of
    assert setting is not None
    rows: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        others = {name: v for name, v in outcome.variation.values.items() if name != setting}
        words = [comparing.in_words(value) for value in others.values()]
        if comparison.seeds > 1:
            words.append(f"seed {outcome.seed}")
        value = comparing.in_words(outcome.variation.values[setting])
        row = rows.setdefault(f"{setting.replace('_', ' ')} {value}", {})
        if outcome.steps is not None and outcome.steps["train_loss"]:
            row[", ".join(words) or comparison.recipe.name] = outcome.steps
    rows = {name: row for name, row in rows.items() if row}
    if not rows:
        return "none: no run has come to the end of an iteration"
    legend = ", ".join(name.replace("_", " ") for name in comparison.vary if name != setting)
    try:
        iteration_curves(rows, path, title=comparison.recipe.name, legend=legend or None)
    except ImportError as error:
        return f"none: {error}"
    return str(path)
