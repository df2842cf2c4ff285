"""``torch.autograd.profiler``: the profiler's former home.

Source: https://pytorch.org/docs/stable/autograd.html#profiler
"""

from __future__ import annotations

from typing import Any

from flambeau import profiler
from flambeau.profiler import record_function

__all__ = ["profile", "record_function"]


class profile(profiler.profile):
    """``torch.profiler.profile`` by its former name, with a table of its own.

    Args:
        enabled: False: time nothing.

    The other arguments say what else to record; only times are recorded.
    """

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        nothing = None if enabled else lambda step: profiler.ProfilerAction.NONE
        super().__init__(schedule=nothing)

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """A row for each name, at most ``row_limit``, the largest ``sort_by`` first; a str."""
        return self.key_averages().table(sort_by, row_limit, **options)

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds spent in operations, each counted once."""
        return self.key_averages().self_cpu_time_total

    def __str__(self) -> str:
        return self.table()
