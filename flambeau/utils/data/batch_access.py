"""Whole batches of a dataset at once, where that gives what its samples one by one would.

A dataset whose samples lie in arrays defines ``_get_batch(indices)``: it takes the indices of a
batch as an integer array and returns what ``default_collate`` would make of those samples, or
``NotImplemented`` where it cannot (a random transform, a tensor that requires grad). A
``DataLoader`` with the default collation then reads a batch with one indexing operation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

__all__ = ["batch_reader"]


@cache
def _offers_batches(kind: Hashable) -> bool:
    """Whether ``_get_batch`` of a class speaks for the way that its samples are read.

    It does not for a subclass that reads samples in its own way (defines ``__getitem__`` or
    ``__getitems__``) without saying how batches are read.
    """
    for cls in kind.__mro__:  # type: ignore[attr-defined]
        if "_get_batch" in cls.__dict__:
            return True
        if "__getitem__" in cls.__dict__ or "__getitems__" in cls.__dict__:
            return False
    return False


def batch_reader(dataset: Any) -> Callable[..., Any] | None:
    """The dataset's ``_get_batch``, or None where its samples have to be read one by one.

    Returns:
        The method, or None.
    """
    kind: Any = type(dataset)
    if not _offers_batches(kind) or "__getitems__" in getattr(dataset, "__dict__", ()):
        return None
    return dataset._get_batch  # type: ignore[no-any-return]
