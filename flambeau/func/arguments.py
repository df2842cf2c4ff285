"""Which arguments of a function a transform is about (``argnums``)."""

from __future__ import annotations

from typing import Any

Argnums = int | tuple[int, ...]


def checked_argnums(argnums: Any, count: int) -> tuple[int, ...]:
    """``argnums`` as non-negative positions among ``count`` arguments.

    Raises:
        RuntimeError: they are not ints, out of range, or repeated.
    """
    many = argnums if isinstance(argnums, tuple) else (argnums,)
    if isinstance(argnums, tuple) and not argnums:
        raise RuntimeError("argnums must be non-empty")
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    found = []
    for argnum in many:
        if not isinstance(argnum, int):
            raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
        if not -count <= argnum < count:
            raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
        found.append(argnum % count)
    if len(set(found)) != len(found):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(found)


def selected(args: tuple[Any, ...], argnums: Argnums) -> Any:
    """The argument, or the tuple of arguments, that ``argnums`` names."""
    positions = checked_argnums(argnums, len(args))
    if isinstance(argnums, tuple):
        return tuple(args[i] for i in positions)
    return args[positions[0]]


def replaced(args: tuple[Any, ...], argnums: Argnums, values: Any) -> tuple[Any, ...]:
    """``args`` with ``values`` (one, or a tuple) at ``argnums``."""
    positions = checked_argnums(argnums, len(args))
    result = list(args)
    for position, value in zip(positions, values if isinstance(argnums, tuple) else (values,)):
        result[position] = value
    return tuple(result)


def split_aux(output: Any, has_aux: bool, call: str) -> tuple[Any, Any]:
    """The function's output and what it returns besides.

    Raises:
        RuntimeError: it should return both, and does not.
    """
    if not has_aux:
        return output, None
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(
            f"{call}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return output
