"""``torch.cuda.nvtx``: marks for NVIDIA's profiler, which needs a CUDA device.

Source: https://docs.pytorch.org/docs/2.13/cuda.html#nvidia-tools-extension-nvtx
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

__all__ = ["mark", "range", "range_pop", "range_push"]


def _refuse() -> NoReturn:
    raise RuntimeError("NVTX functions not installed. Are you sure you have a CUDA build?")


def range_push(msg: str) -> int:
    """Begins a range with the name ``msg``.

    Raises:
        RuntimeError: always, without CUDA.
    """
    _refuse()


def range_pop() -> int:
    """Ends a range.

    Raises:
        RuntimeError: always, without CUDA.
    """
    _refuse()


def mark(msg: str) -> int:
    """Marks an instant with the name ``msg``.

    Raises:
        RuntimeError: always, without CUDA.
    """
    _refuse()


@contextlib.contextmanager
def range(msg: str, *arguments: Any, **keywords: Any) -> Iterator[None]:
    """A range as a context.

    Args:
        msg: its name, in which ``format`` puts the other arguments.

    Raises:
        RuntimeError: on entry, without CUDA.
    """
    range_push(msg.format(*arguments, **keywords))
    yield
