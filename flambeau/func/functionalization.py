"""Functions without writes in place (``torch.func.functionalize``).

Source: https://pytorch.org/docs/stable/generated/torch.func.functionalize.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_KINDS = ("mutations", "mutations_and_views")


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """``func``, as it would be without writes in place.

    In PyTorch this rewrites ``func`` for compilers that cannot express writes; its results, and
    what its arguments are afterwards, stay the same.  Here every reader of a function can express
    them, so that the function is called as it is.

    Raises:
        RuntimeError: ``remove`` is neither "mutations" nor "mutations_and_views".
    """
    if remove not in _KINDS:
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. "
            "Valid options are: remove='mutations' and remove='mutations_and_views'"
        )

    @functools.wraps(func)
    def called(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return called


__all__ = ["functionalize"]
