"""Where in the user's program a value of a graph comes from."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
OWN_FILES = (PACKAGE, "<flambeau")
"""How the names of flambeau's files begin, and those of the code that it writes itself."""
_LAYERS = os.path.join(PACKAGE, "nn", "modules") + os.sep
_OPTIMIZERS = os.path.join(PACKAGE, "optim") + os.sep


class Origin(NamedTuple):
    """The line of the program that asked for a value.

    Attributes:
        file, line: of the innermost frame that is not flambeau's.
        layer: the class of the module or optimizer in which it was computed; empty if none.
        backward: whether it belongs to the gradient of that line.
    """

    file: str
    line: int
    layer: str = ""
    backward: bool = False

    def __str__(self) -> str:
        parts = [f"{os.path.basename(self.file)}:{self.line}"]
        if self.layer:
            parts.append(self.layer)
        return ("gradient of " if self.backward else "") + " ".join(parts)


_PARTS: dict[str, str] = {}
"""File -> the part of flambeau that it is of, for files that have been met."""


def _part(file: str) -> str:
    inside = "other"
    if file.startswith(_LAYERS):
        inside = "layers"
    elif file.startswith(_OPTIMIZERS):
        inside = "optimizers"
    _PARTS[file] = part = inside if file.startswith(OWN_FILES) else "outside"
    return part


def find_origin() -> Origin | None:
    """The origin of what is being computed in this thread; None if only flambeau is on the stack.

    In a backward pass it is the line of the forward operation whose gradient is taken.
    """
    frame: Any = sys._getframe(1)
    layer = ""
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        part = _PARTS.get(file) or _part(file)
        if part == "outside":
            return Origin(file, frame.f_lineno, layer)
        if not layer and part == "layers":
            owner, _, method = code.co_qualname.rpartition(".")
            layer = owner if method == "forward" else ""
            if layer.startswith("_"):  # a base class of several
                layer = type(frame.f_locals.get("self")).__name__
        elif not layer and part == "optimizers":
            layer = "optimizer"
        if code.co_name == "backward":
            called_at = getattr(frame.f_locals.get("self"), "called_at", None)
            if called_at is not None:
                return Origin(called_at.file, called_at.line, called_at.layer, backward=True)
        frame = frame.f_back
    return None


class OnePlace:
    """A context in which ``capture.origin`` is what :func:`find_origin` finds around it."""

    __slots__ = ("capture", "outer")

    def __init__(self, capture: Any) -> None:
        self.capture = capture

    def __enter__(self) -> None:
        self.outer = self.capture.origin
        if self.outer is None:
            self.capture.origin = find_origin()

    def __exit__(self, *error: object) -> None:
        self.capture.origin = self.outer


def inherit(new: Any, old: Any) -> Any:
    """Give ``new``, which replaces ``old`` in a graph, and what was made for it, its origin."""
    origin = old.origin
    if origin is not None:
        stack = [new]
        while stack:
            value = stack.pop()
            if value.origin is None and value.primitive not in ("input", "constant"):
                value.origin = origin
                stack.extend(value.operands)
    return new


__all__ = ["OWN_FILES", "PACKAGE", "OnePlace", "Origin", "find_origin", "inherit"]
