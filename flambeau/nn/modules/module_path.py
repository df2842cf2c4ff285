"""Which layer an error came from: ``in Net.features.0 (Conv2d)`` at the end of its message.

Nothing is done while a model runs well. When ``forward`` raises, every module on the way up, from
the innermost to the outermost, calls :func:`name_path` on the exception, which finds the next part
of the path among the module's descendants and writes the path into the message anew.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

__all__ = ["name_path"]

# Only these get a longer message: other exceptions carry arguments that are not a message
# (KeyError's key, OSError's number), or signal something to a caller (StopIteration).
_MESSAGE_EXCEPTIONS = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)
_ATTRIBUTE = "_flambeau_module_path"


class _Path:
    """The modules that an exception passed, innermost first, and the message it began with."""

    def __init__(self, error: Exception) -> None:
        self.modules: list[Any] = []
        self.message: str | None = None
        self.extend_message = False
        if type(error) in _MESSAGE_EXCEPTIONS and len(error.args) == 1:
            message = error.args[0]
            # A user's own `raise ValueError("...")` keeps its exact text and gets a note.
            if isinstance(message, str) and _raised_here(error.__traceback__):
                self.message = message
                self.extend_message = True

    def text(self) -> str:
        """``Net.features.0 (Conv2d)``: names as far as they are known, then the class."""
        outermost = self.modules[-1]
        if len(self.modules) == 1:
            return type(outermost).__name__
        parts = [type(outermost).__name__]
        for parent, child in zip(self.modules[:0:-1], self.modules[-2::-1]):
            parts.append(_name_in(parent, child))
        return f"{'.'.join(parts)} ({type(self.modules[0]).__name__})"


def _raised_here(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame of ``traceback`` belongs to this package or to NumPy."""
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    name = traceback.tb_frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in ("flambeau", "numpy")


def _name_in(parent: Any, child: Any) -> str:
    for name, module in parent.named_modules():
        if module is child and name:
            return name
    # A module kept in a plain list or a closure has no name in its parent.
    return f"<{type(child).__name__}>"


def name_path(error: Exception, module: Any) -> None:
    """Write into ``error`` that it passed through ``module``'s ``forward``.

    An error that this package raised keeps the start of its message and gets the path as a further
    line; any other exception gets the path as a note, so that its text stays what it was.
    """
    try:
        path = getattr(error, _ATTRIBUTE, None)
        if path is None:
            path = _Path(error)
            setattr(error, _ATTRIBUTE, path)
        elif path.modules[-1] is module:
            return
        path.modules.append(module)
        line = f"in {path.text()}"
        if path.extend_message:
            error.args = (f"{path.message}\n  {line}",)
            return
        notes = getattr(error, "__notes__", None)
        if notes is not None and len(path.modules) > 1:
            notes.pop()
        error.add_note(line)
    except Exception:
        # An exception type without a __dict__, a broken named_modules: the error itself matters.
        return
