"""What a worker process of a DataLoader knows of itself.

Source: https://docs.pytorch.org/docs/2.13/data.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["WorkerInfo", "get_worker_info"]

_worker_info: WorkerInfo | None = None


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker's place among the workers.

    Attributes:
        id: its number, from 0 to ``num_workers - 1``.
        num_workers: how many workers there are.
        seed: what its random generators were seeded with.
        dataset: its copy of the dataset.
        rng: None (there is no worker that is a thread).
        worker_method: ``"multiprocessing"``.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


def get_worker_info() -> WorkerInfo | None:
    """This worker's :class:`WorkerInfo`; None in the process that iterates.

    Source: ``torch.utils.data.get_worker_info``.

    Returns:
        It, or None.
    """
    return _worker_info


def set_worker_info(info: WorkerInfo) -> None:
    """Say that this process is a worker."""
    global _worker_info
    _worker_info = info
