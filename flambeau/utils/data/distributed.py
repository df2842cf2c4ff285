"""Each process of a distributed training its own part of a dataset."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from typing import Any

from flambeau.random import Generator
from flambeau.random.sampling import permutation
from flambeau.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th sample, from ``rank`` on, of an order that all processes share.

    Call ``set_epoch`` before each epoch, or every epoch has the same order.

    Args:
        dataset: the whole dataset.
        num_replicas: how many processes there are; by default the process group's size.
        rank: this process's number; by default that in the process group.
        shuffle: shuffle, by ``seed + epoch``.
        seed: the same in all processes.
        drop_last: leave out samples, rather than repeat some, until all parts are equally large.

    Raises:
        ValueError: ``rank`` out of range, or a number is left out where there is no process group.

    Source: ``torch.utils.data.distributed.DistributedSampler``.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            distributed: Any = importlib.import_module("flambeau.distributed")
            if num_replicas is None:
                num_replicas = distributed.get_world_size()
            if rank is None:
                rank = distributed.get_rank()
        assert num_replicas is not None
        assert rank is not None
        if rank >= num_replicas or rank < 0:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        size = len(dataset)
        if drop_last and size % num_replicas != 0:
            self.num_samples = math.ceil((size - num_replicas) / num_replicas)
        else:
            self.num_samples = math.ceil(size / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            generator = Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = permutation(generator, (size,)).tolist()
        else:
            order = list(range(size))
        if self.drop_last:
            order = order[: self.total_size]
        else:
            repeats = math.ceil(self.total_size / size)
            order = (order * repeats)[: self.total_size]
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next: the order depends on it."""
        self.epoch = epoch
