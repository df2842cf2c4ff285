"""The batched array: an array with batch dims in front that a program mapped over them cannot see.

A :class:`Level` stands for one ``vmap``.  A :class:`BatchedArray` has one leading dim in its
``value`` for each of its ``levels``, outermost first, of the level's size, or of size 1 where the
array is the same for all members of the batch.  ``shape`` is what one member has.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import namespace_of

_next_number = itertools.count(1).__next__


class Level:
    """One ``vmap``: how many members its batch has, and whether they draw the same numbers.

    Levels are numbered in the order in which they were begun, and never reused, since a tape
    remembers those of the past.
    """

    __slots__ = ("number", "size", "randomness", "depth")

    def __init__(self, size: int, randomness: str = "error", depth: int = 1) -> None:
        self.number = _next_number()
        self.size = size
        self.randomness = randomness
        self.depth = depth

    def __repr__(self) -> str:
        return f"<vmap {self.depth} over {self.size}>"


class BatchedArray:
    """``value`` of shape ``(*batch, *shape)``, with one batch dim for each of ``levels``."""

    __slots__ = ("value", "levels", "shape", "__weakref__")
    __array_ufunc__ = None  # a NumPy array on the left must let our operators answer

    def __init__(self, value: Any, levels: tuple[Level, ...]) -> None:
        self.value = np.asarray(value) if isinstance(value, np.generic) else value
        self.levels = levels
        self.shape: tuple[int, ...] = tuple(value.shape[len(levels) :])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def size(self) -> int:
        """The number of elements of one member."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def batch(self) -> tuple[int, ...]:
        """The sizes of the batch dims."""
        return tuple(self.value.shape[: len(self.levels)])

    @property
    def batch_memory(self) -> Any:
        """The array underneath."""
        return self.value

    def __setitem__(self, key: Any, value: Any) -> None:
        from .batched import write

        if key is not Ellipsis:
            raise TypeError("only all elements of a batched array can be written at once")
        write(self, value, "__setitem__")

    def copy(self, order: Any = "K") -> BatchedArray:
        """The same elements in memory of their own."""
        value = self.value
        return BatchedArray(
            value.copy(order=order) if value.__class__ is np.ndarray else value, self.levels
        )

    def repeated(self, array: np.ndarray) -> BatchedArray:
        """A copy of ``array`` for each member."""
        return BatchedArray(np.tile(array, (*self.batch, *(1,) * array.ndim)), self.levels)

    def adapt_node(self, node: Any) -> None:
        """Let ``node``, which made this array, take gradients that are no batched arrays."""
        from ..autograd.batching import inside

        node.__class__ = inside(node.__class__)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        from .batched import refuse_concrete

        refuse_concrete("numpy()")

    def __repr__(self) -> str:
        return f"<batched {self.dtype}{list(self.shape)} over {list(self.levels)}>"


def as_batched(x: Any) -> BatchedArray:
    """``x``, as a batched array of no levels if it is none."""
    if x.__class__ is BatchedArray:
        return x
    return BatchedArray(x if hasattr(x, "shape") else np.asarray(x), ())


def merged_levels(operands: Sequence[Any]) -> tuple[Level, ...]:
    """All levels of the operands, outermost first."""
    found: tuple[Level, ...] = ()
    for x in operands:
        if x.__class__ is BatchedArray and x.levels is not found and x.levels != found:
            if not found:
                found = x.levels
            elif x.levels:
                both = {level.number: level for level in (*found, *x.levels)}
                found = tuple(both[number] for number in sorted(both))
    return found


def spread(x: BatchedArray, levels: tuple[Level, ...], ndim: int | None = None) -> Any:
    """The value of ``x`` with a batch dim for each of ``levels``, and ``ndim`` dims of its own.

    Batch dims that it lacks, and dims in front of its own, get the size 1.
    """
    added = 0 if ndim is None else ndim - len(x.shape)
    if x.levels == levels and not added:
        return x.value
    sizes = dict(zip(x.levels, x.value.shape))
    shape = (*(sizes.get(level, 1) for level in levels), *(1,) * added, *x.shape)
    return namespace_of(x.value).reshape(x.value, shape)


def common_batch(values: Sequence[Any], k: int) -> tuple[int, ...]:
    """The sizes that the first ``k`` dims of ``values`` broadcast to."""
    sizes = [1] * k
    for value in values:
        for i in range(k):
            if value.shape[i] != 1:
                sizes[i] = value.shape[i]
    return tuple(sizes)


def expanded(value: Any, batch: tuple[int, ...]) -> Any:
    """``value`` with its first dims expanded to ``batch``."""
    k = len(batch)
    if tuple(value.shape[:k]) == batch:
        return value
    return namespace_of(value).expand(value, (*batch, *value.shape[k:]))


def lifted(x: Any, levels: tuple[Level, ...]) -> BatchedArray:
    """``x`` with batch dims, of size 1 where it has none, for ``levels`` too."""
    x = as_batched(x)
    every = merged_levels((x, BatchedArray(np.zeros((1,) * len(levels)), levels)))
    return BatchedArray(spread(x, every), every)


def entered(x: Any, level: Level, dim: int) -> BatchedArray:
    """``x`` with its dim ``dim`` as the batch dim of ``level``."""
    x = as_batched(x)
    k = len(x.levels)
    every = merged_levels((x, BatchedArray(np.zeros(1), (level,))))
    at = every.index(level)
    order = [i for i in range(k + x.ndim) if i != k + dim]
    order.insert(at, k + dim)
    value = x.value
    if order != sorted(order):
        value = namespace_of(value).permute(value, tuple(order))
    return BatchedArray(value, every)


def left(x: Any, level: Level, dim: int) -> Any:
    """``x`` with the batch dim of ``level`` as its dim ``dim``; a bare array if it was the last.

    Where ``x`` is the same for all members it is expanded.
    """
    x = as_batched(x)
    if level not in x.levels:
        x = lifted(x, (level,))
    k = len(x.levels)
    at = x.levels.index(level)
    value = x.value
    xp = namespace_of(value)
    if value.shape[at] != level.size:
        shape = list(value.shape)
        shape[at] = level.size
        value = xp.expand(value, tuple(shape))
    order = [i for i in range(k + x.ndim) if i != at]
    order.insert(k - 1 + dim, at)
    if order != sorted(order):
        value = xp.permute(value, tuple(order))
    levels = (*x.levels[:at], *x.levels[at + 1 :])
    return BatchedArray(value, levels) if levels else value


def summed(x: Any, levels: tuple[Level, ...]) -> Any:
    """The sum over the members of ``levels``, which are gone from the result."""
    x = as_batched(x)
    xp = namespace_of(x.value)
    dims, times = [], 1
    for level in levels:
        if level in x.levels:
            at = x.levels.index(level)
            dims.append(at)
            if x.value.shape[at] != level.size:
                times *= level.size
        else:
            times *= level.size
    value = xp.sum(x.value, tuple(dims), False) if dims else x.value
    if times != 1:
        value = value * times
    rest = tuple(level for level in x.levels if level not in levels)
    if rest:
        return BatchedArray(value, rest)
    return np.asarray(value) if isinstance(value, np.generic) else value


def plain(x: Any) -> Any:
    """``x``, or the array underneath if it is a batched array of no levels."""
    return x.value if x.__class__ is BatchedArray and not x.levels else x
