"""A run as one watches it in a terminal: a bar with loss and accuracy, or lines in a log."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flambeau.training.checkpoint import write_checkpoint
from flambeau.training.loop import Run, Watcher

__all__ = ["Progress", "stop_on_signal"]

REFRESH_SECONDS = 0.1
LOG_LINES = 10
"""How often progress is told where there is no terminal: about so many lines in all."""


class Progress(Watcher):
    """Shows a run on standard error, and saves it from time to time.

    Arguments:
        run: it may have been restored.
        checkpoint: the file to save to.
        save_every: seconds from one checkpoint to the next.
    """

    def __init__(self, run: Run, checkpoint: Path, save_every: float = 20.0) -> None:
        self.checkpoint = checkpoint
        self.save_every = save_every
        self.stop = False
        self._shown = self._saved = time.monotonic()
        self._logged = run.steps_done
        self._on_terminal = sys.stderr.isatty()
        self._bar = self._make_bar(run) if self._on_terminal else None

    def _make_bar(self, run: Run) -> Any:
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise ImportError(
                "the progress bar is tqdm's, which is not installed: pip install 'flambeau[train]'"
            ) from error
        return tqdm(
            total=run.steps_in_all,
            initial=run.steps_done,
            desc=run.recipe.name,
            unit="step",
            dynamic_ncols=True,
            mininterval=REFRESH_SECONDS,
        )

    def after_step(self, run: Run, loss: float) -> None:
        if self._bar is not None:
            self._bar.update()
        now = time.monotonic()
        if now - self._shown >= REFRESH_SECONDS:
            self._shown = now
            if self._bar is not None:
                self._bar.set_postfix_str(self._words(run))
        if now - self._saved >= self.save_every:
            write_checkpoint(run.state(), self.checkpoint)
            self._saved = time.monotonic()

    def _words(self, run: Run) -> str:
        sums = run.sums if run.step else run.sums_of_last_epoch
        words = [f"loss {sums.mean_loss:.4f}"]
        if run.steps_per_epoch > 1:
            words.insert(0, f"epoch {min(run.epoch + 1, run.settings.epochs)}")
        if sums.rows and run.recipe.metric:
            words.append(f"accuracy {sums.accuracy:.1%}")
        tested = run.history.last("test_accuracy")
        if tested == tested:
            words.append(f"test {tested:.1%}")
        return ", ".join(words)

    def after_row(self, run: Run) -> None:
        if self._on_terminal or run.done:  # of the end there is more to say than this
            return
        if run.steps_done - self._logged >= run.steps_in_all / LOG_LINES:
            self._logged = run.steps_done
            print(describe_row(run), file=sys.stderr, flush=True)

    def close(self, run: Run) -> None:
        """Take the bar to where the run has come, and leave it."""
        if self._bar is not None:
            if run.sums.rows or run.sums_of_last_epoch.rows:
                self._bar.set_postfix_str(self._words(run))
            self._bar.close()


def describe_row(run: Run) -> str:
    """The last row of a run's history in words."""
    words = [f"epoch {int(run.history.last('epoch'))}/{run.settings.epochs}"]
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        value = run.history.last(name)
        if value == value:
            form = "{:.2%}" if name.endswith("accuracy") else "{:.4g}"
            words.append(f"{name.replace('_', ' ')} {form.format(value)}")
    return "  ".join(words)


@contextmanager
def stop_on_signal(stop: Callable[[int], None]) -> Iterator[None]:
    """Have Ctrl-C (and a request to terminate) end a run after the step that is under way.

    A second Ctrl-C is not waited for: it interrupts at once, as Python does.

    Arguments:
        stop: is called with the signal's number.

    Returns:
        The context manager.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop(number)

    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Started in the background, a process ignores Ctrl-C; so it remains.
    for number, handler in kept.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
