"""How a batch gets from a worker process to the process that iterates.

Large arrays are written to shared memory that both processes map, and are not copied on arrival:
the batch's arrays lie in it. Once the last of them is gone the segment goes back to its worker,
which fills it again; so a steady loop allocates nothing and takes no page faults. Segments have no
names: they are anonymous files whose descriptors travel over the socket, and nothing is left behind
whatever dies. Everything else, and everything on systems without such descriptors, is pickled into
the socket.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
import weakref
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

__all__ = ["BatchReceiver", "BatchSender"]

_LARGE = 16384  # bytes: below, an array is cheaper to pickle than to place in a segment
_ALIGNMENT = 64
_CAN_SHARE = os.name == "posix" and hasattr(reduction, "send_handle")


class _Pickler(reduction.ForkingPickler):
    """Pickles what may pass between processes, with large buffers set aside."""


class BatchSender:
    """The worker's end.

    Args:
        connection: a duplex connection to the process that iterates.
        receiver_pid: that process.
    """

    def __init__(self, connection: Connection, receiver_pid: int) -> None:
        self.connection = connection
        self.receiver_pid = receiver_pid
        self.segments: dict[int, mmap.mmap] = {}
        self.free: set[int] = set()
        self.shares = _CAN_SHARE

    def send(self, header: Any, data: Any) -> None:
        """Send ``data`` behind ``header``; raises what pickling raises, with nothing sent."""
        large: list[pickle.PickleBuffer] = []

        def set_aside(buffer: pickle.PickleBuffer) -> bool:
            """Whether the buffer is to be pickled with the rest."""
            try:
                view = buffer.raw()
            except BufferError:  # not contiguous
                return True
            if view.nbytes < _LARGE:
                return True
            large.append(buffer)
            return False

        stream = io.BytesIO()
        callback = set_aside if self.shares else None
        _Pickler(stream, 5, True, callback).dump(data)
        if not large:
            self._send_message((header, None, 0, (), stream.getbuffer()))
            return
        views = [buffer.raw() for buffer in large]
        spans = []
        end = 0
        for view in views:
            start = -(-end // _ALIGNMENT) * _ALIGNMENT
            end = start + view.nbytes
            spans.append((start, end))
        try:
            number, created = self._segment(end)
        except OSError:  # no memory to share, or no descriptors left: the socket will do
            self.shares = False
            self.send(header, data)
            return
        segment = self.segments[number]
        for view, (start, stop) in zip(views, spans, strict=True):
            segment[start:stop] = view
        size = len(segment) if created is not None else 0
        self._send_message((header, number, size, spans, stream.getbuffer()))
        if created is not None:
            try:
                reduction.send_handle(self.connection, created, self.receiver_pid)
            finally:
                os.close(created)

    def _send_message(self, message: tuple[Any, ...]) -> None:
        *head, payload = message
        self.connection.send_bytes(pickle.dumps((*head, bytes(payload)), 5))

    def _segment(self, size: int) -> tuple[int, int | None]:
        """A free segment of at least ``size`` bytes, and its descriptor if it is a new one."""
        fitting = [number for number in self.free if len(self.segments[number]) >= size]
        if fitting:
            number = min(fitting, key=lambda candidate: len(self.segments[candidate]))
            self.free.discard(number)
            return number, None
        # A little room to spare: batches of one loader differ a little in size.
        rounded = -(-(size + size // 8) // 65536) * 65536
        descriptor = _anonymous_file(rounded)
        number = len(self.segments)
        self.segments[number] = mmap.mmap(descriptor, rounded)
        return number, descriptor

    def take_back(self, numbers: list[int]) -> None:
        """Note that the receiver is done with the segments of these ``numbers``."""
        self.free.update(numbers)


def _anonymous_file(size: int) -> int:
    """The descriptor of a file in memory that has no name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("flambeau-batch")
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            descriptor = os.dup(file.fileno())
    try:
        if hasattr(os, "posix_fallocate"):
            # Too little memory has to be an error here rather than a signal at the first write.
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class BatchReceiver:
    """The end of the process that iterates.

    Args:
        connection: a duplex connection to the worker.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.segments: dict[int, mmap.mmap] = {}
        self.leases: dict[int, list[weakref.ref[np.ndarray]]] = {}
        self.released: list[int] = []

    def receive(self) -> tuple[Any, Any]:
        """The next header and its data; EOFError or OSError if the worker is gone."""
        message = pickle.loads(self.connection.recv_bytes())  # noqa: S301 - our own process
        header, number, created_size, spans, payload = message
        if number is None:
            return header, pickle.loads(payload)  # noqa: S301
        if created_size:
            descriptor = reduction.recv_handle(self.connection)
            self.segments[number] = mmap.mmap(descriptor, created_size)
            os.close(descriptor)
        # Every array of the batch has one of these as its base: when the last of them dies the
        # segment is free.
        segment = self.segments[number]
        roots = [np.frombuffer(segment, np.uint8, stop - start, start) for start, stop in spans]
        released, leases = self.released, self.leases

        def release(reference: Any) -> None:
            held = leases[number]
            held.remove(reference)
            if not held:
                released.append(number)

        leases[number] = [weakref.ref(root, release) for root in roots]
        return header, pickle.loads(payload, buffers=roots)  # noqa: S301

    def take_released(self) -> list[int]:
        """The segments that have become free since the last call."""
        if not self.released:
            return []
        numbers = self.released[:]
        del self.released[: len(numbers)]
        return numbers
