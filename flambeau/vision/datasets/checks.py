"""Checks of arguments and of files that several datasets share."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .download import md5_of


def one_of(value: str, name: str, permitted: Iterable[str]) -> str:
    """``value``, if it is a permitted one.

    Args:
        value: what was given.
        name: the argument's name, for the message.
        permitted: what may be given.

    Returns:
        ``value``.

    Raises:
        ValueError: it is not; the message names those that are.
    """
    values = tuple(permitted)
    if not isinstance(value, str) or value not in values:
        raise ValueError(
            f"Unknown value {value!r} for argument {name}. Valid values are "
            f"{{{', '.join(repr(v) for v in values)}}}."
        )
    return value


def is_whole(path: str, md5: str | None = None) -> bool:
    """Whether the file ``path`` is there and has its checksum (torchvision's ``check_integrity``).

    Args:
        path: the file.
        md5: the checksum; None: none is looked at.

    Returns:
        A bool.
    """
    return os.path.isfile(path) and (md5 is None or md5_of(path) == md5)
