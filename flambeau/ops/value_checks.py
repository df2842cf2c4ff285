"""Values that are refused: at once, or, of a captured program, whenever it meets them."""

from __future__ import annotations

from typing import Any

from ..modes import MODES
from .matrix_checks import concrete


def refuse(condition: Any, error: type[Exception], message: str) -> None:
    """Raise ``error(message)`` if a boolean tensor is True anywhere.

    A captured program looks at each call, before it changes anything.
    """
    anywhere = condition.any() if condition.dim() else condition
    found = concrete(anywhere)
    if found is not None:
        if found.any():
            raise error(message)
    elif MODES.capture is not None:
        array = anywhere._array
        unknown = getattr(array, "batch_memory", array)
        MODES.capture.require_success(unknown, "", message, error)


__all__ = ["refuse"]
