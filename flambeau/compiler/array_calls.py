"""Functions of NumPy arrays that a captured program calls as they are.

The primitive ``"call"`` is one result of ``function(*operands, **arguments)``, with the function
by its name, so that the disk cache can keep it.  There is no code for it: it runs in NumPy
(:mod:`.host`).

A function that draws random numbers takes the default generator.  How many it draws depends on
elements, so it does so while the program runs, behind what has been drawn before: each such call
takes the *turn* that the last one has given, an array that holds nothing of interest, and the last
turn is among what the program must compute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .graph import Graph, Value

CALL = "call"
Kind = tuple[tuple[int, ...], np.dtype]
TURN: Kind = ((), np.dtype(np.int64))


def name_of(function: Callable[..., Any]) -> str | None:
    """The name under which :func:`named` finds ``function``; None if there is none."""
    name = f"{function.__module__}:{function.__qualname__}"
    try:
        return name if named(name) is function else None
    except (KeyError, AttributeError):
        return None


def named(name: str) -> Callable[..., Any]:
    """The function that :func:`name_of` has given the name."""
    import importlib

    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def call_values(
    name: str, operands: Sequence[Value], kinds: Sequence[Kind], arguments: dict[str, Any],
    draws: bool = False,
) -> list[Value]:  # fmt: skip
    """The results of a call, each a value of its own.

    Args:
        draws: whether the function draws random numbers; then the last operand and the last result
            are turns.
    """
    attributes = {"function": name, "arguments": tuple(sorted(arguments.items())), "draws": draws}
    return [
        Value(CALL, tuple(operands), {**attributes, "part": part}, shape, dtype)
        for part, (shape, dtype) in enumerate(kinds)
    ]


def call_key(attributes: dict[str, Any]) -> Any:
    """What results of one call have in common, beside their operands."""
    return attributes["function"], repr(attributes["arguments"]), attributes["draws"]


def call_function(
    attributes: dict[str, Any], operands: Sequence[np.ndarray]
) -> Sequence[np.ndarray]:
    """All results of a call."""
    function = named(attributes["function"])
    arguments = dict(attributes["arguments"])
    if attributes["draws"]:
        from ..random.default import default_generator

        found = function(default_generator, *operands[:-1], **arguments)
    else:
        found = function(*operands, **arguments)
    results = list(found) if isinstance(found, tuple) else [found]
    return [*results, np.zeros((), np.int64)] if attributes["draws"] else results


def drawn(
    generator: Any,
    sampler: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    parameters: tuple[Any, ...],
) -> np.ndarray:
    """Numbers from a sampler whose name is given: a draw that waits for its turn."""
    return np.asarray(named(sampler)(generator, shape, dtype, *parameters))


@contextmanager
def drawn_back(graph: Graph, start: np.ndarray | None = None) -> Iterator[None]:
    """Give the numbers back that a program draws while it runs in this context.

    Args:
        start: the state of the default generator to draw from, if not its present one.
    """
    if not draws_while_running(graph):
        yield
        return
    from ..random.default import default_generator

    state = default_generator.state_bytes()
    if start is not None:
        default_generator.set_state_bytes(start)
    try:
        yield
    finally:
        default_generator.set_state_bytes(state)


def draws_while_running(graph: Graph) -> bool:
    """Whether a program draws random numbers while it runs."""
    return any(v.primitive == CALL and v.attributes["draws"] for v in graph.values())


__all__ = [
    "CALL",
    "TURN",
    "call_function",
    "call_key",
    "call_values",
    "draws_while_running",
    "drawn",
    "drawn_back",
    "name_of",
    "named",
]
