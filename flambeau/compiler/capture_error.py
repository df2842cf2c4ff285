"""The error of programs that cannot be captured."""

from __future__ import annotations


class CaptureError(RuntimeError):
    """The program does something that cannot become a graph; the message says what."""


__all__ = ["CaptureError"]
