"""What programs say to the compiler beside `compile` (``torch.compiler``).

Source: https://docs.pytorch.org/docs/stable/torch.compiler_api.html
"""

from __future__ import annotations

import functools
from typing import Any

from .recording import CaptureError, capturing

__all__ = [
    "allow_in_graph",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
    "set_stance",
]


def is_compiling() -> bool:
    """Whether a program is being captured: a branch on it holds for the compiled program.

    Returns:
        A bool.
    """
    return capturing()


is_dynamo_compiling = is_compiling


def is_exporting() -> bool:
    """Whether a program is being exported: never.

    Returns:
        A bool.
    """
    return False


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """A function that is never compiled: a program that calls it runs eagerly, as a whole.

    Args:
        fn: the function or module; without it, a decorator is returned.
        recursive: taken as in PyTorch; what the function calls is not compiled either.
        reason: why, for the message.

    Returns:
        The function (or ``fn`` itself, a module whose ``forward`` is replaced).

    Raises:
        CaptureError: in a capture; the program runs eagerly then, or with ``fullgraph`` not at all.
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    call = fn.forward if hasattr(fn, "forward") else fn

    @functools.wraps(call)
    def uncompiled(*arguments: Any, **keywords: Any) -> Any:
        if capturing():
            name = getattr(call, "__qualname__", repr(call))
            because = f": {reason}" if reason else ""
            raise CaptureError(f"{name} is marked with torch.compiler.disable{because}")
        return call(*arguments, **keywords)

    if call is not fn:
        fn.forward = uncompiled
        return fn
    return uncompiled


def allow_in_graph(fn: Any) -> Any:
    """``fn`` itself: the operations that it calls are captured.

    Returns:
        ``fn``.
    """
    return fn


def reset() -> None:
    """Nothing: each compiled function keeps its own programs, for as long as it lives."""


def cudagraph_mark_step_begin() -> None:
    """Nothing: there are no CUDA graphs."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The names that ``compile(backend=)`` takes, beside ``"eager"``.

    Args:
        exclude_tags: taken as in PyTorch; no backend here has a tag.

    Returns:
        A list.
    """
    return ["flambeau", "inductor"]


class set_stance:
    """Say how compiled functions run; "default" is the only way here. A context as well.

    Args:
        stance: ``"default"``.
        options: taken as in PyTorch; of no effect with that stance.

    Raises:
        RuntimeError: another stance.
    """

    def __init__(self, stance: str = "default", **options: Any) -> None:
        if stance != "default":
            raise RuntimeError(
                f"set_stance({stance!r}): compiled functions always run compiled here; "
                "torch.compile(..., disable=True) leaves one as it is"
            )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass
