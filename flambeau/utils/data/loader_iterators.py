"""Iterators over a DataLoader: in this process, and with workers."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.utils.data.batch_access import batch_reader
from flambeau.utils.data.collate import collates_by_default
from flambeau.utils.data.fetch import array_of_indices, make_fetcher
from flambeau.utils.data.sampler import draw_seed, index_arrays

if TYPE_CHECKING:
    from flambeau.utils.data.dataloader import DataLoader

__all__ = ["_BaseDataLoaderIter", "_MultiProcessingDataLoaderIter", "_SingleProcessDataLoaderIter"]


class _BaseDataLoaderIter:
    """One epoch of a loader. Making it draws a seed for workers, whether there are any or not."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader = loader
        if loader.pin_memory:
            _warn_pinning(loader)
        self._base_seed = draw_seed(loader.generator)
        self._begin()

    def _begin(self) -> None:
        self._indices = index_arrays(self._loader._index_sampler)
        self._num_yielded = 0
        self._expected = self._loader._IterableDataset_len_called

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def _count(self) -> None:
        """Warn when a stream gives more than its length said."""
        self._num_yielded += 1
        if self._expected is None or self._num_yielded <= self._expected:
            return
        loader = self._loader
        message = (
            f"Length of IterableDataset {loader.dataset} was reported to be {self._expected}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been "
            "fetched. "
        )
        if loader.num_workers > 0:
            message += (
                "For multiprocessing data-loading, this could be caused by not properly "
                "configuring the IterableDataset replica at each worker. Please see "
                "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset "
                "for examples."
            )
        warnings.warn(message, stacklevel=3)

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


def _warn_pinning(loader: DataLoader[Any]) -> None:
    if loader.pin_memory_device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the device,"
            f"ignore pin_memory_device='{loader.pin_memory_device}'.",
            stacklevel=5,
        )
    warnings.warn(
        "'pin_memory' argument is set as true but no accelerator is found, "
        "then device pinned memory won't be used.",
        stacklevel=5,
    )


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Reads each batch when it is asked for."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if loader.timeout != 0:
            raise AssertionError(
                f"timeout={loader.timeout}: a timeout needs num_workers > 0, there is nobody to "
                "wait for otherwise"
            )
        self._is_stream = loader._is_stream
        fetcher = make_fetcher(
            loader._is_stream,
            loader.dataset,
            loader._auto_collation,
            loader.collate_fn,
            loader.drop_last,
        )
        self._fetch = fetcher.fetch

    def __next__(self) -> Any:
        batch = self._fetch(next(self._indices))
        if self._is_stream:
            self._count()
        return batch


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Has workers read batches ahead.

    Where whole batches of a dataset can be read at once (see ``batch_access``), without code of
    the user's that could tell the difference, they are read in this process instead: that takes
    less time than handing them over.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if loader.prefetch_factor is None or loader.prefetch_factor <= 0:
            raise AssertionError(
                "prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter"
            )
        self._ahead = loader.prefetch_factor * int(loader.num_workers)
        self._pool: Any = None
        self._direct: Callable[[np.ndarray], Any] | None = None
        if (
            loader._auto_collation
            and not loader._is_stream
            and loader.worker_init_fn is None
            and loader.multiprocessing_context is None
            and collates_by_default(loader.collate_fn)
        ):
            self._direct = batch_reader(loader.dataset)
        self._start()

    def _reset(self, loader: DataLoader[Any]) -> None:
        """Begin the next epoch with the workers there are."""
        self._begin()
        if self._pool is not None:
            self._pool.resume()
        self._start()

    def _start(self) -> None:
        # Indices are drawn as far ahead as PyTorch's workers would be given them: the generator
        # has to be where PyTorch's is at every batch.
        self._waiting: deque[Any] = deque()
        for _ in range(self._ahead):
            self._draw()
        if self._direct is None or not self._waiting:
            self._hire()
            return
        self._first = self._read_directly(self._waiting[0])
        if self._first is NotImplemented:
            self._direct = None
            self._hire()

    def _draw(self) -> None:
        index = next(self._indices, _NO_MORE)
        if index is not _NO_MORE:
            self._waiting.append(index)

    def _read_directly(self, index: Any) -> Any:
        indices = array_of_indices(index)
        if indices is None or self._direct is None:
            return NotImplemented
        try:
            return self._direct(indices)
        except Exception:
            return NotImplemented  # a worker will meet it too, and say where

    def _hire(self) -> None:
        """Start the workers, if need be, and give them what is waiting."""
        if self._pool is None:
            from flambeau.utils.data.worker_pool import WorkerPool

            self._pool = WorkerPool(self._loader, self._base_seed)
        while self._waiting:
            self._ask(self._waiting.popleft())

    def _ask(self, index: Any) -> None:
        if type(index) is np.ndarray and self._loader.batch_sampler is not None:
            index = index.tolist()
        self._pool.ask(index, self._loader.prefetch_factor)

    def __next__(self) -> Any:
        if self._direct is not None:
            return self._next_directly()
        return self._next_from_worker()

    def _next_directly(self) -> Any:
        if not self._waiting:
            raise StopIteration
        batch = self._first
        self._first = None
        if batch is None:
            batch = self._read_directly(self._waiting[0])
            if batch is NotImplemented:
                self._direct = None
                self._hire()
                return self._next_from_worker()
        self._waiting.popleft()
        self._draw()
        return batch

    def _next_from_worker(self) -> Any:
        pool = self._pool
        if pool is None or pool.is_shut_down:
            raise StopIteration
        from flambeau.utils.data.worker import END

        while True:
            found, answer = pool.next_batch()
            if not found:
                if not self._loader.persistent_workers:
                    pool.shut_down()
                raise StopIteration
            index = next(self._indices, _NO_MORE)
            if index is not _NO_MORE:
                self._ask(index)
            if answer is END:
                continue
            if self._loader._is_stream:
                self._count()
            return answer[0]

    def _shutdown_workers(self) -> None:
        """Stop the workers, if there are any."""
        if self._pool is not None:
            self._pool.shut_down()

    def __del__(self) -> None:
        pool = self.__dict__.get("_pool")
        if pool is not None:
            pool.shut_down()


_NO_MORE = object()
