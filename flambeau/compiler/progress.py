"""A first compilation that takes long says so: one line on standard error after a second.

On a terminal the line counts the seconds, and at the end makes way for the time it took.  Where
standard error is no terminal nothing is written, unless ``FLAMBEAU_LOG`` asks for it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from . import log

PATIENCE = 1.0
"""Seconds of silence."""


class Notice:
    """What is written about one compilation.

    Args:
        name: of what is compiled.
        stream: where to write.
        terminal: whether what has been written can be written over.
        clock: gives seconds.
    """

    def __init__(
        self,
        name: str,
        stream: TextIO,
        terminal: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = name
        self.stage = ""
        self.stream = stream
        self.terminal = terminal
        self.clock = clock
        self.start = clock()
        self.shown = False
        self._lock = threading.Lock()
        self._over = False

    def tick(self) -> float:
        """Write what there is to say by now; the seconds after which to look again."""
        with self._lock:
            passed = self.clock() - self.start
            if self._over:
                return 0.0
            if passed < PATIENCE:
                return PATIENCE - passed
            text = f"flambeau: compiling {self.name}"
            if self.terminal:
                stage = f", {self.stage}" if self.stage else ""
                self._write(f"\r\x1b[K{text} ... {passed:.0f} s{stage}")
            elif not self.shown:
                self._write(f"{text} ...\n")
            self.shown = True
            return 1.0

    def finish(self) -> None:
        """The compilation is over."""
        with self._lock:
            self._over = True
            if self.shown:
                erased = "\r\x1b[K" if self.terminal else ""
                passed = self.clock() - self.start
                self._write(f"{erased}flambeau: compiling {self.name} took {passed:.1f} s\n")

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # closed
            pass


_local = threading.local()


class compiling:
    """Context manager: what runs inside is the compilation of ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notice: Notice | None = None

    def __enter__(self) -> None:
        stream: Any = sys.stderr
        terminal = bool(stream is not None and getattr(stream, "isatty", bool)())
        if stream is None or not (terminal or log.asked_for()):
            return
        self.notice = notice = Notice(self.name, stream, terminal)
        self._outer = getattr(_local, "notice", None)
        _local.notice = notice
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="flambeau-progress", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        assert self.notice is not None
        wait = PATIENCE
        while not self._done.wait(wait):
            wait = self.notice.tick()

    def __exit__(self, *exc_info: object) -> None:
        if self.notice is None:
            return
        _local.notice = self._outer
        self._done.set()
        self._thread.join()
        self.notice.finish()


def stage(name: str) -> None:
    """What this thread's compilation is at."""
    notice = getattr(_local, "notice", None)
    if notice is not None:
        notice.stage = name


__all__ = ["PATIENCE", "Notice", "compiling", "stage"]
