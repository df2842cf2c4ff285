"""Comparing: a recipe with some settings varied, each combination from several seeds, in parallel.

from flambeau.training import RECIPES, Comparison
comparison = Comparison(RECIPES["digits-fnn"], {"optimizer": ["sgd", "adam"]}, seeds=3)
outcomes = comparison.run(jobs=2)
"""

from __future__ import annotations

import csv
import itertools
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau.training.loop import DivergedError, Run, Watcher, check
from flambeau.training.metrics import COLUMNS, History
from flambeau.training.recipe import Recipe, Settings

__all__ = ["Comparison", "Outcome", "Variation", "processors", "write_outcomes"]


Steps = dict[str, list[float]]
"""`train_loss` and `train_accuracy` of each iteration."""


@dataclass(frozen=True)
class Variation:
    """One combination of the settings that vary.

    Attributes:
        values: of the settings that vary.
        settings: all of them, with the first seed.
    """

    values: dict[str, Any]
    settings: Settings

    @property
    def label(self) -> str:
        """The values in words: `sgd, 0.9`."""
        return ", ".join(in_words(value) for value in self.values.values())


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes:
        variation: which combination it is of.
        seed: its own.
        history: the rows of its metrics.
        seconds: how long it took.
        complaint: why it ended early, or None: a loss that is no longer finite.
        steps: loss and accuracy of each iteration, where `Comparison.by_iteration` asks for them.
    """

    variation: Variation
    seed: int
    history: History
    seconds: float
    complaint: str | None = None
    steps: Steps | None = None


class Progress:
    """Is told how a comparison goes; this one looks away. `stop` ends it."""

    stop = False

    def epochs(self, done: int) -> None:
        """So many epochs are done, of all runs together."""

    def finished(self, outcome: Outcome) -> None:
        """A run is done."""


def in_words(value: Any) -> str:
    """A setting's value as one would type it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def processors() -> int:
    """How many processors this process may use.

    Returns:
        A number, at least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Comparison:
    """Runs of one recipe that differ in some settings.

    Arguments:
        recipe: what is trained.
        vary: by setting the values to try; every combination is. The recipe's own comparison if
            None.
        changes: settings that are other than the recipe's in all runs.
        seeds: runs of each combination: with the recipe's seed (or that of `changes`), the next,
            and so on.
        data_folder: where data sets are kept that are downloaded.

    Attributes:
        variations: the combinations, the last setting varying fastest.
        settings: those of each run, variation by variation.
        by_iteration: whether loss and accuracy of each iteration are kept: where the setting varies
            that the recipe has panels of.

    Raises:
        ValueError: nothing varies, a value is given twice, a setting makes no sense.
    """

    def __init__(
        self,
        recipe: Recipe,
        vary: Mapping[str, Sequence[Any]] | None = None,
        changes: Mapping[str, Any] | None = None,
        seeds: int = 1,
        data_folder: Path = Path("data"),
    ) -> None:
        self.recipe = recipe
        self.vary = dict(recipe.comparison if vary is None else vary)
        self.seeds = seeds
        self.data_folder = data_folder
        self.by_iteration = recipe.panels_of in self.vary
        changes = dict(changes or {})
        if seeds < 1:
            raise ValueError(f"there must be 1 seed or more, not {seeds}")
        if not self.vary:
            raise ValueError(f"say what to vary: {recipe.name} has no comparison of its own")
        for name, values in self.vary.items():
            if not values:
                raise ValueError(f"{name}: there are no values to try")
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: a value is given twice: {', '.join(map(str, values))}")
            if name in changes:
                raise ValueError(f"{name} cannot both vary and be {changes[name]}")
        if "seed" in self.vary:
            raise ValueError("seed: the number of seeds to try is a setting of its own")
        self.variations = []
        for combination in itertools.product(*self.vary.values()):
            chosen = dict(zip(self.vary, combination))
            settings = recipe.settings.changed({**changes, **chosen})
            said = ", ".join(f"{name}={in_words(value)}" for name, value in chosen.items())
            try:
                check(settings)
                check(replace(settings, seed=settings.seed + seeds - 1))
                recipe.make_model(settings)
            except ValueError as error:
                raise ValueError(f"{said}: {error}") from error
            self.variations.append(Variation(chosen, settings))
        self.settings = [
            replace(variation.settings, seed=variation.settings.seed + offset)
            for variation in self.variations
            for offset in range(seeds)
        ]

    def run(self, jobs: int | None = None, progress: Progress | None = None) -> list[Outcome]:
        """Train all of them.

        Arguments:
            jobs: processes at a time, of one run each; as many as there are processors if None.
                With one job the runs are done here, one after the other.
            progress: is told how it goes, and may stop it.

        Returns:
            What became of each run that was not stopped, in the order of `settings`.

        Raises:
            ValueError: fewer than one job, or a batch of more rows than there are.
            RuntimeError: a process died.
        """
        if jobs is not None and jobs < 1:
            raise ValueError(f"there must be 1 job or more, not {jobs}")
        progress = progress or Progress()
        train, _ = self.recipe.data(self.data_folder)  # downloaded once, and before all else
        for settings in self.settings:
            if settings.batch_size is not None and settings.batch_size > len(train):
                raise ValueError(
                    f"a batch of {settings.batch_size} rows is more than the {len(train)} "
                    "training rows"
                )
        jobs = min(jobs or processors(), len(self.settings))
        found = dict(self._one_by_one(progress) if jobs == 1 else self._at_once(jobs, progress))
        return [found[index] for index in sorted(found)]

    def _variation(self, index: int) -> Variation:
        return self.variations[index // self.seeds]

    def _one_by_one(self, progress: Progress) -> Iterator[tuple[int, Outcome]]:
        done = 0
        for index, settings in enumerate(self.settings):
            watcher = _Here(progress, done, self.by_iteration)
            result = _train(self.recipe, settings, self.data_folder, watcher)
            if result is None:
                return
            done = watcher.done
            outcome = Outcome(self._variation(index), settings.seed, *result)
            progress.finished(outcome)
            yield index, outcome

    def _at_once(self, jobs: int, progress: Progress) -> Iterator[tuple[int, Outcome]]:
        import multiprocessing
        from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
        from concurrent.futures.process import BrokenProcessPool

        # Fresh interpreters: a fork would inherit the threads' locks.
        context = multiprocessing.get_context("spawn")
        stop = context.RawValue("b", 0)
        epochs = context.RawArray("q", len(self.settings))
        threads = max(1, processors() // jobs)
        executor = ProcessPoolExecutor(jobs, context, _begin, (stop, epochs, threads))
        try:
            with _interrupts_held():  # the processes start here, and are not to hear of Ctrl-C
                waiting = {
                    executor.submit(
                        _train_there,
                        self.recipe,
                        settings,
                        self.data_folder,
                        index,
                        self.by_iteration,
                    ): index
                    for index, settings in enumerate(self.settings)
                }
            while waiting:
                done, _ = wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED)
                progress.epochs(sum(epochs))
                if progress.stop and not stop.value:
                    stop.value = 1
                    for future in [future for future in waiting if future.cancel()]:
                        del waiting[future]
                for future in done & waiting.keys():
                    index = waiting.pop(future)
                    result = future.result()
                    if result is None:
                        continue
                    columns, seconds, complaint, steps = result
                    outcome = Outcome(
                        self._variation(index),
                        self.settings[index].seed,
                        History(columns),
                        seconds,
                        complaint,
                        steps,
                    )
                    progress.finished(outcome)
                    yield index, outcome
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a process of the comparison died; perhaps there was not enough memory: "
                "try fewer --jobs"
            ) from error
        finally:
            stop.value = 1
            executor.shutdown(wait=True, cancel_futures=True)


class _Recorder(Watcher):
    """Keeps loss and accuracy of each iteration, if asked to."""

    def __init__(self, by_iteration: bool) -> None:
        self.steps: Steps | None = (
            {"train_loss": [], "train_accuracy": []} if by_iteration else None
        )

    def after_step(self, run: Run, loss: float) -> None:
        if self.steps is not None:
            self.steps["train_loss"].append(loss)
            self.steps["train_accuracy"].append(run.right_of_step)


def _train(
    recipe: Recipe, settings: Settings, data_folder: Path, watcher: _Recorder
) -> tuple[History, float, str | None, Steps | None] | None:
    """History, seconds, complaint and iterations of a run; None if it was stopped."""
    began = time.perf_counter()
    run = Run(recipe, settings, data_folder)
    complaint = None
    try:
        if not run.train(watcher):
            return None
    except DivergedError as error:
        complaint = str(error)
    return run.history, time.perf_counter() - began, complaint, watcher.steps


class _Here(_Recorder):
    """Passes on the progress of a run in this process."""

    def __init__(self, progress: Progress, done_before: int, by_iteration: bool) -> None:
        super().__init__(by_iteration)
        self._progress = progress
        self._before = self.done = done_before
        self._told = time.monotonic()

    def after_step(self, run: Run, loss: float) -> None:
        super().after_step(run, loss)
        self.stop = self._progress.stop
        self.done = self._before + run.epoch
        now = time.monotonic()
        if now - self._told > 0.1:
            self._told = now
            self._progress.epochs(self.done)


# --- in a process of its own ----------------------------------------------------------------------

_shared: tuple[Any, Any] | None = None


def _begin(stop: Any, epochs: Any, threads: int) -> None:
    global _shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that began it tells when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _shared = stop, epochs


def _end_with_parent() -> None:
    """Wait for the process that began this one, and end with it, however it ended."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _There(_Recorder):
    """Tells the epochs of a run to the process that began it; stops when told."""

    def __init__(self, index: int, by_iteration: bool) -> None:
        super().__init__(by_iteration)
        assert _shared is not None
        self._stop, self._epochs = _shared
        self._index = index

    def after_step(self, run: Run, loss: float) -> None:
        super().after_step(run, loss)
        self._epochs[self._index] = run.epoch
        self.stop = bool(self._stop.value)


def _train_there(
    recipe: Recipe, settings: Settings, data_folder: Path, index: int, by_iteration: bool
) -> tuple[dict[str, list[float]], float, str | None, Steps | None] | None:
    watcher = _There(index, by_iteration)
    if watcher._stop.value:
        return None
    result = _train(recipe, settings, data_folder, watcher)
    return result and (result[0].columns, *result[1:])


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back: it comes afterwards. Processes started within never hear of it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- the table ------------------------------------------------------------------------------------


def write_outcomes(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the metrics of all runs as CSV, replacing the file in one go.

    A row for each row of a run's metrics: the settings that vary, the seed, and the metrics.

    Arguments:
        outcomes: what became of the runs.
        path: the file.
    """
    partial = path.with_name(path.name + ".partial")
    with open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        names = list(outcomes[0].variation.values) if outcomes else []
        writer.writerow([*names, "seed", *COLUMNS])
        for outcome in outcomes:
            values = [in_words(value) for value in outcome.variation.values.values()]
            for index in range(len(outcome.history)):
                writer.writerow([*values, outcome.seed, *outcome.history.row(index)])
    os.replace(partial, path)


def finals(outcomes: Sequence[Outcome], column: str) -> list[float]:
    """The last values of a column that were measured, of the runs that came to their end.

    Arguments:
        outcomes: what became of the runs.
        column: the column's name.

    Returns:
        A value for each such run.
    """
    values = [outcome.history.last(column) for outcome in outcomes if outcome.complaint is None]
    return [value for value in values if math.isfinite(value)]
