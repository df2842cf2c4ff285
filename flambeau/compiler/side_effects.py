"""What a program does to the world outside: a capture that meets it stops.

A compiled program would print, or log, when it is captured and never again.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Refusing:
    """A stream that refuses what one thread writes; other threads' goes through."""

    def __init__(self, stream: Any, thread: int) -> None:
        self._stream = stream
        self._thread = thread

    def write(self, text: str) -> Any:
        if threading.get_ident() == self._thread:
            raise _refusal(f"it prints {text.strip()[:40]!r}")
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _refusal(what: str) -> Exception:
    from .recording import CaptureError

    return CaptureError(f"{what}, which a compiled program would not do at each call")


@contextmanager
def refused_output() -> Iterator[None]:
    """Raise CaptureError where this thread writes to ``sys.stdout`` or logs."""
    thread = threading.get_ident()
    stdout, factory = sys.stdout, logging.getLogRecordFactory()

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if threading.get_ident() == thread and name.split(".")[0] != __name__.split(".")[0]:
            raise _refusal(f"it logs to {name!r}")
        return factory(name, *arguments, **options)

    refusing = _Refusing(stdout, thread)
    sys.stdout = refusing  # type: ignore[assignment]
    logging.setLogRecordFactory(refuse)
    try:
        yield
    finally:
        if sys.stdout is refusing:
            sys.stdout = stdout
        logging.setLogRecordFactory(factory)


__all__ = ["refused_output"]
