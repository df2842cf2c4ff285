"""The type of `torch.__version__`: a string that compares as a version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["TorchVersion"]

_RELEASE = re.compile(r"v?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|rc|alpha|beta|dev)[-_.]?(\d*))?")
_STAGES = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "rc": -1}
_Local = tuple[tuple[int, int, str], ...]
_Key = tuple[tuple[int, ...], int, int, _Local]


def _key(version: object) -> _Key | None:
    """Sort key of a version (PEP 440, without epochs and post releases). None: not a version."""
    if isinstance(version, str):
        text = str(version)
    elif isinstance(version, Iterable):
        text = ".".join(str(part) for part in version)
    else:
        text = str(version)
    public, _, local = text.strip().lower().partition("+")
    match = _RELEASE.fullmatch(public)
    if match is None:
        return None
    release = [int(part) for part in match[1].split(".")]
    while release and release[-1] == 0:
        release.pop()
    parts = re.split(r"[-_.]", local) if local else []
    # Numbers sort after words, and a local part after none.
    suffix = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
    return tuple(release), _STAGES.get(match[2] or "", 0), int(match[3] or 0), suffix


class TorchVersion(str):
    """A version string ordered as versions are: `"2.13" > "2.9"`, and `>= (2, 0)` works.

    Compares with strings, tuples of numbers, and anything whose `str` is a version
    (`packaging.version.Version`). What is no version is compared as a string.

    Source: https://docs.pytorch.org/docs/stable/torch.html (`torch.__version__`).
    """

    __slots__ = ()

    def _compare(self, other: Any, by: str) -> bool:
        mine, theirs = _key(self), _key(other)
        if mine is None or theirs is None:
            return bool(getattr(str, by)(self, str(other)))
        return bool(getattr(mine, by)(theirs))

    def __lt__(self, other: Any) -> bool:
        return self._compare(other, "__lt__")

    def __le__(self, other: Any) -> bool:
        return self._compare(other, "__le__")

    def __gt__(self, other: Any) -> bool:
        return self._compare(other, "__gt__")

    def __ge__(self, other: Any) -> bool:
        return self._compare(other, "__ge__")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and str.__eq__(self, other):
            return True
        return self._compare(other, "__eq__")

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
