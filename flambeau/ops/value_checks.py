"""Values that are refused: at once, or, of a captured program, whenever it meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .matrix_checks import concrete, require_at_each_call


def refuse(
    condition: Any, error: type[Exception], message: str, told: Callable[[], str] | None = None
) -> None:
    """Raise ``error(message)`` if a boolean tensor is True anywhere.

    A captured program looks at each call, before it changes anything.

    Args:
        told: gives a message that tells more, of elements, where they are known.
    """
    anywhere = condition.any() if condition.dim() else condition
    found = concrete(anywhere)
    if found is not None:
        if found.any():
            raise error(message if told is None else told())
    else:
        words = message.replace("{", "{{").replace("}", "}}")
        require_at_each_call(anywhere, "", words, error)


__all__ = ["refuse"]
