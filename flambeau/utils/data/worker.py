"""The worker processes of a DataLoader: what runs in them."""

from __future__ import annotations

import os
import queue
import random
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from flambeau.random import manual_seed
from flambeau.utils.data.fetch import make_fetcher
from flambeau.utils.data.transport import BatchSender
from flambeau.utils.data.worker_info import WorkerInfo, get_worker_info, set_worker_info

__all__ = ["WorkerInfo", "WorkerTask", "get_worker_info", "worker_main"]


@dataclass
class WorkerTask:
    """What a worker needs to know; it is pickled where processes are not forked.

    Attributes:
        worker_id, num_workers: the worker's number, and how many there are.
        base_seed: its generators' seed is this plus its number.
        dataset, is_stream, auto_collation, collate_fn, drop_last: see :func:`make_fetcher`.
        init_fn: called with the worker's number at first; None for nothing.
        parent_pid: of the process that reads the batches.
    """

    worker_id: int
    num_workers: int
    base_seed: int
    dataset: Any
    is_stream: bool
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    init_fn: Callable[[int], Any] | None
    parent_pid: int


class RemoteError:
    """An exception on its way from a worker, with its traceback as text.

    Args:
        where: what the message says of the place, such as "in DataLoader worker process 0".
    """

    def __init__(self, where: str) -> None:
        kind, error, trace = sys.exc_info()
        self.kind: Any = kind
        self.text = "".join(traceback.format_exception(kind, error, trace))
        self.where = where

    def reraise(self) -> None:
        """Raise an exception of the same type that tells where it was and what it said."""
        message = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            raise KeyError(_Unquoted(message))
        if getattr(self.kind, "message", None):
            raise self.kind(message=message)
        try:
            error = self.kind(message)
        except Exception:  # its constructor wants something else
            raise RuntimeError(message) from None
        raise error


class _Unquoted(str):
    """A string that a KeyError does not show with its newlines escaped."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


END = "end"  # the worker's stream is at its end
DATA = "data"
ERROR = "error"
RESUMED = "resumed"


def seed_worker(base_seed: int, worker_id: int) -> int:
    """Seed all generators of this worker as PyTorch seeds them; returns the seed."""
    seed = base_seed + worker_id
    random.seed(seed)
    manual_seed(seed)
    entropy = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))
    return seed


def worker_main(
    task: WorkerTask, connection: Connection, inherited: Sequence[Connection] = ()
) -> None:
    """Answer requests for batches until told to stop, or until the asking process is gone.

    Args:
        task: what to read and how.
        connection: requests come in here as ``(number, index, released segments)``, ``None`` to
            stop or ``"resume"`` to begin anew; batches go out.
        inherited: connections of the asking process that forking has copied here: as long as they
            are open here, nobody notices that that process is gone.
    """
    for other in inherited:
        other.close()
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stopping = threading.Event()
    # Requests are read as they come, so that the asking process never has to wait to ask.
    threading.Thread(
        target=_read_requests, args=(connection, requests, stopping), daemon=True
    ).start()
    try:
        _answer(task, BatchSender(connection, task.parent_pid), requests, stopping)
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        pass  # the asking process got the same signal, or wants no more


def _read_requests(
    connection: Connection, requests: queue.SimpleQueue[Any], stopping: threading.Event
) -> None:
    try:
        while True:
            request = connection.recv()
            if request is None:
                break
            requests.put(request)
    except (EOFError, OSError):
        if not stopping.is_set():
            os._exit(0)  # the asking process died: nobody wants what is being read
    stopping.set()
    requests.put(None)


def _answer(
    task: WorkerTask,
    sender: BatchSender,
    requests: queue.SimpleQueue[Any],
    stopping: threading.Event,
) -> None:
    seed = seed_worker(task.base_seed, task.worker_id)
    _use_one_thread()
    set_worker_info(WorkerInfo(task.worker_id, task.num_workers, seed, task.dataset))
    where = f"in DataLoader worker process {task.worker_id}"
    fetcher: Any = None
    failure: RemoteError | None = None

    def begin() -> None:
        nonlocal fetcher
        fetcher = make_fetcher(
            task.is_stream, task.dataset, task.auto_collation, task.collate_fn, task.drop_last
        )

    try:
        if task.init_fn is not None:
            task.init_fn(task.worker_id)
        begin()
    except Exception:
        failure = RemoteError(where)
    ended = False
    while True:
        request = requests.get()
        if request is None or stopping.is_set():
            return
        if request == "resume":
            sender.send((RESUMED, None), None)
            ended = False
            try:
                begin()
            except Exception:
                failure = RemoteError(where)
            continue
        number, index, released = request
        sender.take_back(released)
        if ended:
            continue
        kind, data = DATA, None
        if failure is not None:
            kind, data, failure = ERROR, failure, None
        else:
            try:
                data = fetcher.fetch(index)
            except Exception as error:
                if task.is_stream and isinstance(error, StopIteration):
                    kind, ended = END, True
                else:
                    kind, data = ERROR, RemoteError(where)
        if stopping.is_set():
            return
        _send(sender, kind, number, data, where)
        del data, index, request  # the next batch should not have to find room beside this one


def _send(sender: BatchSender, kind: str, number: int, data: Any, where: str) -> None:
    try:
        sender.send((kind, number), data)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception:
        # It cannot be pickled: say so, and if even that exception cannot be, in plain words.
        failure = RemoteError(where)
        if kind == ERROR:
            failure.text, failure.kind = data.text, RuntimeError
        try:
            sender.send((ERROR, number), failure)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception:
            failure.kind = RuntimeError
            sender.send((ERROR, number), failure)


def _use_one_thread() -> None:
    """Leave the cores to the other workers."""
    try:
        from flambeau.threads import set_num_threads
    except ImportError:
        return
    set_num_threads(1)
