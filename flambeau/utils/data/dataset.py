"""Datasets: samples by index, samples in a stream, and datasets made of datasets."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from flambeau.random import Generator, default_generator
from flambeau.random.sampling import permutation
from flambeau.tensor import Tensor, wrap
from flambeau.utils.data.batch_access import batch_reader
from flambeau.utils.data.row_copies import copied_rows

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

_Sample = TypeVar("_Sample", covariant=True)


class Dataset(Generic[_Sample]):
    """Samples by index: a subclass defines ``__getitem__``, and ``__len__`` for most uses.

    A subclass may also define ``__getitems__(indices)``, which returns the list of the samples of
    a batch; a ``DataLoader`` calls it rather than ``__getitem__`` then.

    Source: ``torch.utils.data.Dataset``.
    """

    def __getitem__(self, index: Any) -> _Sample:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[_Sample]) -> ConcatDataset[_Sample]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[_Sample], Iterable[_Sample]):
    """Samples in a stream: a subclass defines ``__iter__``.

    With several workers each has its own copy of the dataset: ``get_worker_info()`` tells a copy
    which part of the stream is its own.

    Source: ``torch.utils.data.IterableDataset``.
    """

    def __add__(self, other: Dataset[_Sample]) -> Any:
        return ChainDataset([self, other])

    def __iter__(self) -> Iterator[_Sample]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """The rows of some tensors: sample ``i`` is ``(tensors[0][i], tensors[1][i], ...)``.

    Args:
        tensors: tensors with the same size of their first dimension.

    Raises:
        AssertionError: the first sizes differ.

    Source: ``torch.utils.data.TensorDataset``.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            sizes = ", ".join(str(tensor.size(0)) for tensor in tensors)
            raise AssertionError(f"Size mismatch between tensors (first sizes: {sizes})")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))

    def _get_batch(self, indices: np.ndarray) -> Any:
        batch = []
        for tensor in self.tensors:
            array = tensor._array
            if type(array) is not np.ndarray or type(tensor) is not Tensor:
                return NotImplemented
            if tensor._requires_grad or tensor._node is not None:
                return NotImplemented
            # take() would copy the whole of an array that is not contiguous first.
            rows = copied_rows(array, indices) if array.flags.c_contiguous else array[indices]
            batch.append(wrap(rows))
        return batch


class StackDataset(Dataset[Any]):
    """Several datasets side by side: sample ``i`` is the tuple, or the dict, of theirs.

    Args:
        args: datasets of equal length, for samples that are tuples.
        kwargs: datasets of equal length by name, for samples that are dicts.

    Raises:
        ValueError: none given, both kinds given, or lengths that differ.

    Source: ``torch.utils.data.StackDataset``.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        parts = args or tuple(kwargs.values())
        self._length = len(parts[0])
        if any(len(part) != self._length for part in parts):
            raise ValueError("Size mismatch between datasets")
        self.datasets = args or kwargs

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        if isinstance(self.datasets, dict):
            columns = [_samples(dataset, indices) for dataset in self.datasets.values()]
            names = list(self.datasets)
            return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return list(zip(*(_samples(dataset, indices) for dataset in self.datasets), strict=True))

    def __len__(self) -> int:
        return self._length

    def _get_batch(self, indices: np.ndarray) -> Any:
        named = isinstance(self.datasets, dict)
        parts = self.datasets.values() if isinstance(self.datasets, dict) else self.datasets
        batches = []
        for part in parts:
            reader = batch_reader(part)
            batch = NotImplemented if reader is None else reader(indices)
            if batch is NotImplemented:
                return NotImplemented
            batches.append(batch)
        return dict(zip(self.datasets, batches, strict=True)) if named else batches


def _samples(dataset: Any, indices: Sequence[int]) -> list[Any]:
    """The samples of a batch, at once where the dataset offers it."""
    getitems = getattr(dataset, "__getitems__", None)
    if not callable(getitems):
        return [dataset[index] for index in indices]
    items = getitems(indices)
    if len(items) != len(indices):
        raise ValueError(
            f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}"
        )
    return list(items)


class ConcatDataset(Dataset[_Sample]):
    """Several datasets one after another.

    Args:
        datasets: datasets that have a length.

    Raises:
        AssertionError: none given, or an ``IterableDataset``.

    Source: ``torch.utils.data.ConcatDataset``.
    """

    datasets: list[Any]
    cumulative_sizes: list[int]

    @staticmethod
    def cumsum(sequence: Iterable[Any]) -> list[int]:
        """Where each dataset in ``sequence`` ends, counted in samples."""
        return list(itertools.accumulate(len(dataset) for dataset in sequence))

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx = len(self) + idx
        place = bisect.bisect_right(self.cumulative_sizes, idx)
        before = self.cumulative_sizes[place - 1] if place else 0
        return self.datasets[place][idx - before]

    @property
    def cummulative_sizes(self) -> list[int]:
        """The misspelt name of ``cumulative_sizes``."""
        warnings.warn(
            "`cummulative_sizes` attribute is renamed to `cumulative_sizes`",
            FutureWarning,
            stacklevel=2,
        )
        return self.cumulative_sizes


class ChainDataset(IterableDataset[Any]):
    """Several streams one after another.

    Args:
        datasets: iterable datasets.

    Raises:
        AssertionError: (when iterated) a dataset that is not an ``IterableDataset``.

    Source: ``torch.utils.data.ChainDataset``.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        super().__init__()
        self.datasets = datasets

    def _parts(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._parts():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._parts())


class Subset(Dataset[_Sample]):
    """Some of the samples of a dataset.

    Args:
        dataset: the whole.
        indices: which of its samples, in order.

    Raises:
        NotImplementedError: a subclass defines ``__getitem__`` without ``__getitems__``, which a
            ``DataLoader`` would call instead.

    Source: ``torch.utils.data.Subset``.
    """

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. "
                "When subclassing Subset and overriding __getitem__, you must also override "
                "__getitems__ to ensure DataLoader works correctly with your custom logic. "
                "A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        chosen = [self.indices[index] for index in indices]
        getitems = getattr(self.dataset, "__getitems__", None)
        if callable(getitems):
            return getitems(chosen)  # type: ignore[no-any-return]
        return [self.dataset[index] for index in chosen]

    def __len__(self) -> int:
        return len(self.indices)

    def _get_batch(self, indices: np.ndarray) -> Any:
        reader = batch_reader(self.dataset)
        if reader is None:
            return NotImplemented
        if isinstance(self.indices, range | np.ndarray):
            chosen = np.asarray(self.indices)[indices]
        else:
            chosen = np.array([self.indices[index] for index in indices.tolist()])
        return reader(chosen) if chosen.dtype.kind in "iu" else NotImplemented


def random_split(
    dataset: Any,
    lengths: Sequence[int | float],
    generator: Generator | None = default_generator,
) -> list[Subset[Any]]:
    """Split a dataset at random into parts that do not overlap.

    Args:
        dataset: the whole.
        lengths: the parts' lengths; or fractions that sum up to 1: each part has the whole number
            of samples in its share, and what is left goes to the first parts, one each.
        generator: draws the permutation.

    Returns:
        A ``Subset`` for each length.

    Raises:
        ValueError: lengths that do not sum up to the dataset's, a fraction outside of [0, 1].

    Source: ``torch.utils.data.random_split``.
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        counts = []
        for index, fraction in enumerate(lengths):
            if fraction < 0 or fraction > 1:
                raise ValueError(f"Fraction at index {index} is not between 0 and 1")
            counts.append(math.floor(total * fraction))
        for index in range(total - sum(counts)):
            counts[index % len(counts)] += 1
        for index, count in enumerate(counts):
            if count == 0:
                warnings.warn(
                    f"Length of split at index {index} is 0. "
                    "This might result in an empty dataset.",
                    stacklevel=2,
                )
        lengths = counts
    if sum(lengths) != total:
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"(lengths {list(lengths)} sum up to {sum(lengths)}, the dataset has {total} samples)"
        )
    order = permutation(generator or default_generator, (total,)).tolist()
    ends = itertools.accumulate(lengths)
    return [
        Subset(dataset, order[int(end) - int(length) : int(end)])
        for end, length in zip(ends, lengths, strict=True)
    ]
