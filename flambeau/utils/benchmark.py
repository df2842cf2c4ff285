"""Timing of statements (``torch.utils.benchmark``).

Source: https://docs.pytorch.org/docs/stable/benchmark_utils.html
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable, Iterable
from typing import Any

from flambeau import threads

__all__ = ["Compare", "Measurement", "Timer"]


def _shown(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-9:.2f} ns"


class Measurement:
    """The times of several runs of a statement.

    Args:
        number_per_run: as below.
        raw_times: seconds that each block took.
        about: ``label``, ``sub_label``, ``description``, ``env``, ``num_threads``, ``stmt``.

    Attributes:
        times: seconds that one run of the statement took, for each measured block of runs.
        number_per_run: the statement's runs in a block.
    """

    def __init__(self, number_per_run: int, raw_times: list[float], **about: Any) -> None:
        self.number_per_run = number_per_run
        self.raw_times = raw_times
        self.times = [time / number_per_run for time in raw_times]
        self.label = about.get("label")
        self.sub_label = about.get("sub_label")
        self.description = about.get("description")
        self.env = about.get("env")
        self.num_threads = about.get("num_threads", 1)
        self.stmt = about.get("stmt", "")

    @property
    def mean(self) -> float:
        """The mean of the times, in seconds."""
        return statistics.fmean(self.times)

    @property
    def median(self) -> float:
        """The median of the times, in seconds."""
        return statistics.median(self.times)

    @property
    def iqr(self) -> float:
        """The distance between the quartiles, in seconds."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    @property
    def title(self) -> str:
        """What was timed."""
        label = self.label or self.stmt
        return label + (f": {self.sub_label}" if self.sub_label else "")

    def __repr__(self) -> str:
        lines = [f"<{type(self).__module__}.Measurement object at {id(self):#x}>", self.title]
        if self.description:
            lines.append(f"  {self.description}")
        runs = f"{len(self.times)} measurement{'s' * (len(self.times) > 1)}"
        if len(self.times) > 1:
            lines.append(f"  Median: {_shown(self.median)}")
            lines.append(f"  IQR:    {_shown(self.iqr)}")
        else:
            lines.append(f"  {_shown(self.median)}")
        threads_ = f"{self.num_threads} thread{'s' * (self.num_threads > 1)}"
        lines.append(f"  {runs}, {self.number_per_run} runs per measurement, {threads_}")
        return "\n".join(lines)


class Timer:
    """Time a statement, with a number of threads set for it.

    Args:
        stmt: the statement.
        setup: run once before each measurement.
        timer: the clock.
        globals: the names that the statement may use.
        label, sub_label, description, env: what the measurement is called in tables.
        num_threads: the threads while it runs.
        global_setup: for C++ statements, of which there are none: has to be empty.
        language: ``"python"``.

    Raises:
        ValueError: a ``global_setup``, or another language.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timeit.default_timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: str = "python",
    ) -> None:
        if str(language).lower() not in ("python", "py", "language.python"):
            raise ValueError(f"Timer: statements are Python here, not {language}")
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply "
                "be moved to `setup`."
            )
        self._timer = timeit.Timer(stmt, setup, timer, dict(globals or {}))
        self._about = {
            "label": label, "sub_label": sub_label, "description": description, "env": env,
            "num_threads": num_threads, "stmt": stmt,
        }  # fmt: skip
        self._threads = num_threads

    def _measured(self, number: int, times: Callable[[], list[float]]) -> Measurement:
        before = threads.get_num_threads()
        threads.set_num_threads(self._threads)
        try:
            return Measurement(number, times(), **self._about)
        finally:
            threads.set_num_threads(before)

    def timeit(self, number: int = 1000000) -> Measurement:
        """Run the statement ``number`` times, after a few runs that are not timed.

        Returns:
            One block's time.
        """

        def times() -> list[float]:
            self._timer.timeit(max(number // 100, 2))
            return [self._timer.timeit(number)]

        return self._measured(number, times)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Run the statement in blocks for some time.

        Args:
            callback: called with the runs in a block and the seconds it took, after each.
            min_run_time: seconds, in all, at least.

        Returns:
            The blocks' times.
        """
        number = 1
        while self._timer.timeit(number) < min_run_time / 1000:
            number *= 10

        def times() -> list[float]:
            found: list[float] = []
            while sum(found) < min_run_time:
                taken = self._timer.timeit(number)
                if callback is not None:
                    callback(number, taken)
                found.append(taken)
            return found

        return self._measured(number, times)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0
    ) -> Measurement:
        """As :meth:`blocked_autorange`, longer until the quartiles lie near the median.

        Args:
            threshold: how near: their distance, as a share of the median.
            min_run_time: seconds at first; twice as long each time.
            max_run_time: seconds after which no more is tried.

        Returns:
            The blocks' times.
        """
        run_time = min_run_time
        while True:
            found = self.blocked_autorange(min_run_time=run_time)
            near = len(found.times) > 3 and found.iqr < threshold * found.median
            if near or run_time >= max_run_time:
                return found
            run_time *= 2


class Compare:
    """A table of measurements: a row for each ``sub_label``, a column for each ``description``.

    Args:
        results: the measurements.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results = list(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add the measurements ``results``."""
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Nothing: the table always shows two decimals."""

    def colorize(self, rowwise: bool = False) -> None:
        """Nothing (``rowwise`` or not): the table has no colours."""

    def __str__(self) -> str:
        parts = []
        for label in dict.fromkeys(one.label for one in self._results):
            mine = [one for one in self._results if one.label == label]
            columns = list(dict.fromkeys(str(one.description or "") for one in mine))
            keys = list(dict.fromkeys((one.num_threads, one.sub_label or one.stmt) for one in mine))
            rows = [["", *columns]]
            for number, name in keys:
                cells = {
                    str(one.description or ""): _shown(one.median)
                    for one in mine
                    if (one.num_threads, one.sub_label or one.stmt) == (number, name)
                }
                rows.append([f"{name} ({number})", *(cells.get(c, "") for c in columns)])
            widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
            lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths)) for row in rows]
            parts.append("\n".join([f"[ {label or ''} ] median time (threads)", *lines]))
        return "\n\n".join(parts)

    def print(self) -> None:
        """Print the table."""
        print(self)
