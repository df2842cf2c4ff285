"""How long the stages of a compilation take."""

from __future__ import annotations

import time


class Stopwatch:
    """Adds up the seconds of each stage.

    Attributes:
        seconds: by the name of the stage, in the order in which stages were first over.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def begin(self) -> None:
        """A stage begins here: what has passed since the last was over was something else."""
        self._last = time.perf_counter()

    def done(self, stage: str) -> None:
        """What has passed since the last stage was over was ``stage``."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


__all__ = ["Stopwatch"]
