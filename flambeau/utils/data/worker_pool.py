"""Iterating over a DataLoader with worker processes."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import warnings
from collections import deque
from multiprocessing import connection as multiprocessing_connection
from typing import TYPE_CHECKING, Any

from flambeau.utils.data.transport import BatchReceiver
from flambeau.utils.data.worker import (
    END,
    ERROR,
    RESUMED,
    WorkerTask,
    worker_main,
)

if TYPE_CHECKING:
    from flambeau.utils.data.dataloader import DataLoader

__all__ = ["WorkerPool"]

_PATIENCE = 5.0  # seconds that a worker is given to finish what it is reading


class _Worker:
    """One worker process with its connection and what it was asked for."""

    def __init__(self, process: Any, connection: Any) -> None:
        self.process = process
        self.connection = connection
        self.receiver = BatchReceiver(connection)
        self.is_active = True  # its stream is not at its end
        self.outstanding = 0


class WorkerPool:
    """The workers of one loader, and the batches asked of them.

    Batches come back in the order in which they were asked for (unless ``in_order`` is off): each
    worker answers in order, and the pool reads from the worker whose turn it is.

    Args:
        loader: the loader.
        base_seed: what the workers' seeds are made of.
    """

    def __init__(self, loader: DataLoader[Any], base_seed: int) -> None:
        import multiprocessing

        context: Any = loader.multiprocessing_context or _default_context(multiprocessing)
        self.timeout = loader.timeout
        self.in_order = loader.in_order
        self.workers: list[_Worker] = []
        self.is_shut_down = False
        forks = context.get_start_method() == "fork"
        count = int(loader.num_workers)
        for worker_id in range(count):
            mine, theirs = context.Pipe(duplex=True)
            inherited = [*(worker.connection for worker in self.workers), mine] if forks else []
            task = WorkerTask(
                worker_id,
                loader.num_workers,
                base_seed,
                loader.dataset,
                loader._is_stream,
                loader._auto_collation,
                loader.collate_fn,
                loader.drop_last,
                loader.worker_init_fn,
                os.getpid(),
            )
            process = context.Process(target=worker_main, args=(task, theirs, inherited))
            process.daemon = True
            try:
                process.start()
            except (pickle.PicklingError, AttributeError, TypeError):
                self.shut_down()
                warnings.warn(
                    "Got pickle error when attempting to start a worker Process. "
                    "This might be because the worker Process arguments are not picklable. "
                    "Python 3.14+ changed the multiprocessing start method in non-Mac POSIX "
                    "platforms to 'forkserver', which requires the worker Process arguments to "
                    "be picklable. You can also try multiprocessing.set_start_method('fork').",
                    stacklevel=2,
                )
                raise
            theirs.close()
            self.workers.append(_Worker(process, mine))
        self.begin_epoch()

    # -- an epoch

    def begin_epoch(self) -> None:
        """Ask from the first worker on again."""
        self.turns = itertools.cycle(self.workers)
        self.asked: deque[tuple[int, _Worker]] = deque()
        self.arrived: dict[int, Any] = {}
        self.next_number = 0
        for worker in self.workers:
            worker.is_active = True
            worker.outstanding = 0

    def resume(self) -> None:
        """Have the workers begin anew, and drop what they had still to deliver."""
        for worker in self.workers:
            self._send(worker, "resume")
        for worker in self.workers:
            while True:
                (kind, _), _data = self._receive(worker)
                if kind == RESUMED:
                    break
        self.begin_epoch()

    def ask(self, index: Any, limit: int) -> bool:
        """Ask the next active worker for a batch.

        Args:
            index: the batch's indices.
            limit: batches that a worker may have to make at a time, where they need not be in
                order.

        Returns:
            Whether there was such a worker.
        """
        for _ in self.workers:
            worker = next(self.turns)
            if worker.is_active and (self.in_order or worker.outstanding < limit):
                break
        else:
            return False
        number = self.next_number
        self.next_number += 1
        worker.outstanding += 1
        self.asked.append((number, worker))
        self._send(worker, (number, index, worker.receiver.take_released()))
        return True

    def next_batch(self) -> tuple[bool, Any]:
        """Whether a batch was outstanding, and the batch; exceptions of workers are raised here.

        Workers whose stream is at its end drop out; ``on_end`` of the caller asks for another.
        """
        while self.asked:
            if self.in_order:
                number, worker = self.asked[0]
                if not worker.is_active:
                    self.asked.popleft()
                    continue
            else:
                number, worker = self._whoever_is_ready()
            (kind, answered), data = self._receive(worker)
            worker.outstanding -= 1
            self.asked.remove((answered, worker))
            if kind == END:
                worker.is_active = False
                self.asked = deque(item for item in self.asked if item[1] is not worker)
                return True, END
            if kind == ERROR:
                data.reraise()
            return True, (data,)
        return False, None

    def _whoever_is_ready(self) -> tuple[int, _Worker]:
        candidates = {worker.connection: worker for _, worker in self.asked}
        ready = multiprocessing_connection.wait(
            list(candidates), self.timeout if self.timeout > 0 else None
        )
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")
        worker = candidates[ready[0]]
        return next(item for item in self.asked if item[1] is worker)

    # -- messages

    def _send(self, worker: _Worker, message: Any) -> None:
        try:
            worker.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            self._report_death(worker)

    def _receive(self, worker: _Worker) -> tuple[Any, Any]:
        if self.timeout > 0 and not worker.connection.poll(self.timeout):
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")
        try:
            return worker.receiver.receive()
        except (EOFError, ConnectionResetError):
            self._report_death(worker)
            raise

    def _report_death(self, worker: _Worker) -> None:
        process = worker.process
        process.join(_PATIENCE)
        code = process.exitcode
        how = f"exit code {code}"
        if code is not None and code < 0:
            try:
                how = f"killed by signal {signal.Signals(-code).name}"
            except ValueError:
                how = f"killed by signal {-code}"
        pid = process.pid
        self.shut_down()
        raise RuntimeError(
            f"DataLoader worker (pid(s) {pid}) exited unexpectedly ({how}). A worker that runs "
            "out of memory is killed; with num_workers=0 its exception would be shown here."
        ) from None

    # -- the end

    def shut_down(self) -> None:
        """Stop the workers: politely, and after a while by a signal."""
        if self.is_shut_down:
            return
        self.is_shut_down = True
        for worker in self.workers:
            try:
                worker.connection.send(None)
            except OSError:
                pass
            worker.connection.close()
        for worker in self.workers:
            try:
                worker.process.join(_PATIENCE)
                if worker.process.is_alive():
                    worker.process.terminate()
                    worker.process.join(_PATIENCE)
            except (AssertionError, ValueError):
                pass  # this process is a fork of the one that started them: they are not its own

    def __del__(self) -> None:
        try:
            self.shut_down()
        except Exception:  # noqa: S110 - the interpreter may be half gone
            pass


def _default_context(multiprocessing: Any) -> Any:
    """The context that the program has set, or forking where the system has it.

    Python 3.14 moved the default to forkserver, to which lambdas cannot be passed; datasets and
    collate functions have been closures and lambdas for as long as there are data loaders.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    if method is None and "fork" in multiprocessing.get_all_start_methods():
        import sys

        method = "fork" if sys.platform == "linux" else None
    return multiprocessing.get_context(method)
