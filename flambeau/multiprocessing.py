"""Processes that tensors can be sent to (``torch.multiprocessing``): Python's, and ``spawn``.

A tensor in shared memory (:meth:`Tensor.share_memory_`) is seen by both sides; every other one is
copied when it is sent.  (PyTorch moves what is sent to shared memory by itself.)

Source: https://docs.pytorch.org/docs/stable/multiprocessing.html
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from multiprocessing import *  # noqa: F403
from typing import Any

from flambeau.tensor.shared_memory import register_reductions

register_reductions()

_STRATEGIES = {"file_descriptor", "file_system"}
_strategy = "file_descriptor"


class ProcessException(Exception):
    """A process that :func:`spawn` started has failed.

    Args:
        msg: what happened.
        error_index: the place of the process among those started.
        pid: its number in the operating system.
    """

    def __init__(self, msg: str, error_index: int, pid: int | None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.pid = pid


class ProcessRaisedException(ProcessException):
    """It ended with an exception.

    Args:
        msg, error_index, pid: as of :class:`ProcessException`.
    """


class ProcessExitedException(ProcessException):
    """It ended with an exit code other than 0, or by a signal.

    Args:
        msg, error_index, pid: as of :class:`ProcessException`.
        exit_code: the code, minus the number of a signal.
    """

    def __init__(self, msg: str, error_index: int, pid: int | None, exit_code: int) -> None:
        super().__init__(msg, error_index, pid)
        self.exit_code = exit_code


def get_all_sharing_strategies() -> set[str]:
    """The ways in which memory can be shared."""
    return set(_STRATEGIES)


def get_sharing_strategy() -> str:
    """The way in which memory is shared, as last chosen."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose the way in which memory is shared.

    PyTorch's two ways meet different limits of the operating system on open files. Here tensors
    are copied to other processes, and those in shared memory lie in a few large blocks: the choice
    is kept, and nothing else depends on it.

    Args:
        new_strategy: ``"file_descriptor"`` or ``"file_system"``.

    Raises:
        ValueError: another one.
    """
    global _strategy
    if new_strategy not in _STRATEGIES:
        raise ValueError(f"there is no sharing strategy {new_strategy!r} here, only {_STRATEGIES}")
    _strategy = new_strategy


def _run(function: Any, index: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        function(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        import sys
        import traceback

        errors.put((index, traceback.format_exc()))
        errors.close()
        errors.join_thread()
        sys.exit(1)


class ProcessContext:
    """The processes that :func:`spawn` started.

    Args:
        processes: they.
        errors: a queue for each, with the traceback of its exception.
    """

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes = processes
        self.errors = errors

    def pids(self) -> list[int | None]:
        """The processes' numbers in the operating system."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for a process to end; raise if one has failed, after ending the others.

        Args:
            timeout: seconds to wait, None for as long as it takes.
        Returns:
            whether all processes have ended.
        Raises:
            ProcessRaisedException: one raised an exception, whose traceback is in the message.
            ProcessExitedException: one ended with an exit code other than 0.
        """
        running = [p.sentinel for p in self.processes if p.exitcode is None]
        if running:
            multiprocessing.connection.wait(running, timeout)
        failed = next((i for i, p in enumerate(self.processes) if p.exitcode), None)
        if failed is None:
            return all(p.exitcode == 0 for p in self.processes)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
            process.join()
        process = self.processes[failed]
        if not self.errors[failed].empty():
            index, trace = self.errors[failed].get()
            raise ProcessRaisedException(
                f"\n\n-- Process {index} terminated with the following error:\n{trace}",
                failed, process.pid,
            )  # fmt: skip
        code = process.exitcode
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise ProcessExitedException(
            f"process {failed} terminated with {how}", failed, process.pid, code
        )


def spawn(
    fn: Any,
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Run ``fn(i, *args)`` in ``nprocs`` processes, ``i`` being 0 to ``nprocs - 1``.

    Args:
        fn: a function at the top level of a module.
        args: what it gets after ``i``.
        nprocs: how many processes.
        join: wait for all of them.
        daemon: whether they end with this process.
        start_method: "spawn", "fork" or "forkserver".
    Returns:
        None if joined, else the context, whose ``join`` waits.

    Source: https://docs.pytorch.org/docs/stable/multiprocessing.html#torch.multiprocessing.spawn
    """
    context: Any = multiprocessing.get_context(start_method)
    processes, errors = [], []
    for i in range(nprocs):
        queue = context.Queue()
        process = context.Process(target=_run, args=(fn, i, args, queue), daemon=daemon)
        process.start()
        processes.append(process)
        errors.append(queue)
    started = ProcessContext(processes, errors)
    if not join:
        return started
    while not started.join():
        pass
    return None


start_processes = spawn
SpawnContext = ProcessContext
