"""Samplers: the order in which a dataset's samples are read.

Source: https://docs.pytorch.org/docs/2.13/data.html
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from flambeau.dtypes import float64
from flambeau.random import Generator, default_generator
from flambeau.random.sampling import integers, multinomial, permutation, words_as_integers
from flambeau.tensor import Tensor
from flambeau.tensor.creation import as_tensor

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
    "draw_seed",
]

_Index = TypeVar("_Index", covariant=True)
_INT64 = np.dtype(np.int64)


def draw_seed(generator: Generator | None) -> int:
    """A seed for another generator: what ``torch.empty((), dtype=torch.int64).random_()`` draws.

    Returns:
        An integer.
    """
    return int(words_as_integers(generator or default_generator, (), _INT64))


class Sampler(Generic[_Index]):
    """The order of samples: a subclass defines ``__iter__``, and ``__len__`` where it has one.

    Source: ``torch.utils.data.Sampler``.
    """

    def __iter__(self) -> Iterator[_Index]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")


class _ArraySampler(Sampler[int]):
    """A sampler that knows its indices as arrays, drawn one after another as they are needed."""

    def _chunks(self) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        for chunk in self._chunks():
            yield from chunk.tolist()


class SequentialSampler(_ArraySampler):
    """The samples in order, always the same.

    Args:
        data_source: the dataset, or anything with a length.

    Source: ``torch.utils.data.SequentialSampler``.
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def _chunks(self) -> Iterator[np.ndarray]:
        yield np.arange(len(self.data_source))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_ArraySampler):
    """The samples in random order, or samples drawn at random with replacement.

    Args:
        data_source: the dataset, or anything with a length.
        replacement: draw each sample from all of them.
        num_samples: how many to draw; by default as many as there are.
        generator: to draw from; by default a new one is seeded from the default generator at each
            iteration.

    Raises:
        TypeError: ``replacement`` is not a bool.
        ValueError: ``num_samples`` is not a positive integer.

    Source: ``torch.utils.data.RandomSampler``.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many samples an iteration gives; the dataset's length may change."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _chunks(self) -> Iterator[np.ndarray]:
        n = len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = Generator()
            generator.manual_seed(draw_seed(None))
        count = self.num_samples
        if self.replacement:
            for start in range(0, count, 32):
                size = min(32, count - start)
                yield integers(generator, (size,), _INT64, 0, n)
            return
        for _ in range(count // n):
            yield permutation(generator, (n,))
        # PyTorch draws one more permutation even where no samples are left to take from it. From
        # a generator of our own nobody would notice.
        if count % n or self.generator is not None:
            yield permutation(generator, (n,))[: count % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_ArraySampler):
    """The given indices in random order.

    Args:
        indices: the indices.
        generator: to draw from; the default one by default.

    Source: ``torch.utils.data.SubsetRandomSampler``.
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def _chunks(self) -> Iterator[np.ndarray]:
        order = permutation(self.generator or default_generator, (len(self.indices),))
        yield np.array([self.indices[index] for index in order.tolist()])

    def __iter__(self) -> Iterator[int]:
        order = permutation(self.generator or default_generator, (len(self.indices),))
        for index in order.tolist():
            yield self.indices[index]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_ArraySampler):
    """Indices drawn with given probabilities.

    Args:
        weights: the weight of each index; they need not sum up to 1.
        num_samples: how many to draw.
        replacement: whether an index can be drawn again.
        generator: to draw from; the default one by default.

    Raises:
        ValueError: ``num_samples`` is not a positive integer, ``replacement`` not a bool, or the
            weights are not in one row.

    Source: ``torch.utils.data.WeightedRandomSampler``.
    """

    weights: Tensor

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given "
                f"weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def _chunks(self) -> Iterator[np.ndarray]:
        weights = self.weights.detach().numpy()
        if not self.replacement and self.num_samples > weights.size:
            raise RuntimeError(
                "cannot sample n_sample > prob_dist.size(-1) samples without replacement "
                f"(n_sample {self.num_samples}, {weights.size} weights)"
            )
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if not weights.any():
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        generator = self.generator or default_generator
        yield multinomial(generator, weights, self.num_samples, self.replacement)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Batches of the indices that another sampler gives.

    Args:
        sampler: the indices, any iterable.
        batch_size: how many to a batch.
        drop_last: leave out a last batch that is smaller.

    Raises:
        ValueError: ``batch_size`` is not a positive integer, or ``drop_last`` not a bool.

    Source: ``torch.utils.data.BatchSampler``.
    """

    def __init__(
        self, sampler: Sampler[Any] | Iterable[Any], batch_size: int, drop_last: bool
    ) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        batch = list(itertools.islice(indices, self.batch_size))
        while len(batch) == self.batch_size or (batch and not self.drop_last):
            yield batch
            batch = list(itertools.islice(indices, self.batch_size))

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        if self.drop_last:
            return count // self.batch_size
        return (count + self.batch_size - 1) // self.batch_size


_ARRAY_SAMPLERS = (
    SequentialSampler,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def index_arrays(sampler: Any) -> Iterator[Any]:
    """The batches of a batch sampler, as arrays where its own classes allow it.

    They are drawn when they would be drawn as lists: the next chunk of indices is asked for only
    when a batch needs it.
    """
    if type(sampler) is not BatchSampler or type(sampler.sampler) not in _ARRAY_SAMPLERS:
        yield from sampler
        return
    size = sampler.batch_size
    left: np.ndarray | None = None
    source: Any = sampler.sampler
    for chunk in source._chunks():
        if left is not None:
            chunk = np.concatenate((left, chunk))
        whole = len(chunk) - len(chunk) % size
        for start in range(0, whole, size):
            yield chunk[start : start + size]
        left = chunk[whole:] if whole < len(chunk) else None
    if left is not None and not sampler.drop_last:
        yield left
