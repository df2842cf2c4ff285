"""``torch.backends.cudnn``: switches of NVIDIA's library, kept as they are set.

Source: https://docs.pytorch.org/docs/2.13/backends.html#module-torch.backends.cudnn
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether cuDNN can be used: False."""
    return False


def version() -> int | None:
    """cuDNN's version: None, it is not there."""
    return None


_SWITCHES = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
    _fp32_precision: str = "none",
) -> tuple[Any, ...]:
    """Set the module's switches of these names, those that are not None.

    Returns:
        what the first five were, a tuple.
    """
    before = tuple(globals()[name] for name in _SWITCHES)
    given = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32)
    globals().update({n: value for n, value in zip(_SWITCHES, given) if value is not None})
    return before


@contextlib.contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """A context with other switches.

    Args:
        enabled, benchmark, benchmark_limit, deterministic, allow_tf32: the module's switches of
            these
            names in it; afterwards they are what they were.
        fp32_precision: taken, and kept nowhere.
    """
    before = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32)
    try:
        yield
    finally:
        set_flags(*before)
