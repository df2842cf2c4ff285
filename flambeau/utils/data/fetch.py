"""From indices to a batch: by index, or from a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flambeau.utils.data.batch_access import batch_reader
from flambeau.utils.data.collate import collates_by_default

__all__ = ["IterableFetcher", "MapFetcher", "array_of_indices", "make_fetcher"]


class MapFetcher:
    """Reads the samples of a batch by index.

    Args:
        dataset: with ``__getitem__``, or ``__getitems__``.
        auto_collation: whether an index is that of a batch (a list) rather than of one sample.
        collate_fn: joins the samples.
    """

    def __init__(
        self, dataset: Any, auto_collation: bool, collate_fn: Callable[[Any], Any]
    ) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.read_batch = (
            batch_reader(dataset) if auto_collation and collates_by_default(collate_fn) else None
        )

    def fetch(self, index: Any) -> Any:
        """The batch of the indices in ``index``, or the sample at it."""
        if not self.auto_collation:
            return self.collate_fn(self.dataset[index])
        if self.read_batch is not None:
            indices = array_of_indices(index)
            if indices is not None:
                batch = self.read_batch(indices)
                if batch is not NotImplemented:
                    return batch
            self.read_batch = None
        if type(index) is np.ndarray:
            index = index.tolist()
        getitems = getattr(self.dataset, "__getitems__", None)
        if getitems:
            return self.collate_fn(getitems(index))
        dataset = self.dataset
        return self.collate_fn([dataset[i] for i in index])


def array_of_indices(index: Any) -> np.ndarray | None:
    """``index``, a batch's indices, as an integer array; None if they are something else.

    Returns:
        ``(n,)``, int64, or None.
    """
    if type(index) is np.ndarray:
        return index
    if not all(type(i) is int for i in index):
        return None
    return np.array(index, np.int64)


class IterableFetcher:
    """Reads the samples of a batch from a stream.

    Args:
        dataset: with ``__iter__``.
        auto_collation: whether an index stands for a batch (of as many samples) or for one.
        collate_fn: joins the samples.
        drop_last: leave out a last batch that is smaller.
    """

    def __init__(
        self,
        dataset: Any,
        auto_collation: bool,
        collate_fn: Callable[[Any], Any],
        drop_last: bool,
    ) -> None:
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.stream = iter(dataset)
        self.ended = False

    def fetch(self, index: Any) -> Any:
        """The next batch; StopIteration at the end of the stream."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.stream))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self.collate_fn(samples)


def make_fetcher(
    is_stream: bool,
    dataset: Any,
    auto_collation: bool,
    collate_fn: Callable[[Any], Any],
    drop_last: bool,
) -> MapFetcher | IterableFetcher:
    """The fetcher for a dataset's kind.

    Args:
        is_stream: whether the dataset is a stream.
        dataset, auto_collation, collate_fn, drop_last: as for the fetchers.

    Returns:
        The fetcher.
    """
    if is_stream:
        return IterableFetcher(dataset, auto_collation, collate_fn, drop_last)
    return MapFetcher(dataset, auto_collation, collate_fn)
