"""``torch.accelerator``: the device of this process beside the CPU, of which there is none.

``is_available()`` is False, so that programs which ask go on with the CPU; what needs a device
raises RuntimeError in PyTorch's words.

Source: https://docs.pytorch.org/docs/stable/accelerator.html
"""

from __future__ import annotations

from typing import Any, NoReturn

from flambeau.device import device

__all__ = [
    "current_accelerator",
    "current_device_index",
    "current_stream",
    "device_count",
    "device_index",
    "empty_cache",
    "get_memory_info",
    "is_available",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_accumulated_memory_stats",
    "reset_peak_memory_stats",
    "set_device_index",
    "set_stream",
    "synchronize",
]


def _refuse() -> NoReturn:
    raise RuntimeError(
        "Cannot access accelerator device when none is available: "
        "torch.accelerator.is_available() is False, use the device 'cpu'"
    )


def is_available() -> bool:
    """Whether there is an accelerator: False."""
    return False


def device_count() -> int:
    """The number of accelerators: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """The device type of the accelerator: None without one."""
    return None


def current_device_index() -> int:
    """The index of the current accelerator; raises RuntimeError without one."""
    _refuse()


current_device_idx = current_device_index


def set_device_index(device: Any, /) -> None:
    """Choose the current accelerator; raises RuntimeError without one."""
    _refuse()


set_device_idx = set_device_index


class device_index:
    """A context in which another accelerator is the current one; None changes nothing.

    Raises:
        RuntimeError: on entry with an index, as there is no accelerator.
    """

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            _refuse()

    def __exit__(self, *exception: object) -> None:
        pass


def current_stream(device: Any = None, /) -> Any:
    """The current stream of an accelerator; raises RuntimeError without one."""
    _refuse()


def set_stream(stream: Any) -> None:
    """Choose the current stream; raises RuntimeError without an accelerator."""
    _refuse()


def synchronize(device: Any = None, /) -> None:
    """Wait for an accelerator; raises RuntimeError without one."""
    _refuse()


def empty_cache() -> None:
    """Give an accelerator's unused memory back; raises RuntimeError without one."""
    _refuse()


def memory_stats(device_index: Any = None, /) -> Any:
    """Counts of an accelerator's memory; raises RuntimeError without one."""
    _refuse()


def memory_allocated(device_index: Any = None, /) -> int:
    """Bytes of an accelerator's memory in tensors; raises RuntimeError without one."""
    _refuse()


def max_memory_allocated(device_index: Any = None, /) -> int:
    """The most bytes in tensors so far; raises RuntimeError without an accelerator."""
    _refuse()


def memory_reserved(device_index: Any = None, /) -> int:
    """Bytes that an accelerator's allocator holds; raises RuntimeError without one."""
    _refuse()


def max_memory_reserved(device_index: Any = None, /) -> int:
    """The most bytes held so far; raises RuntimeError without an accelerator."""
    _refuse()


def get_memory_info(device_index: Any = None, /) -> tuple[int, int]:
    """Free and total bytes of an accelerator's memory; raises RuntimeError without one."""
    _refuse()


def reset_peak_memory_stats(device_index: Any = None, /) -> None:
    """Forget the peaks of an accelerator's memory; raises RuntimeError without one."""
    _refuse()


def reset_accumulated_memory_stats(device_index: Any = None, /) -> None:
    """Forget the sums of an accelerator's memory; raises RuntimeError without one."""
    _refuse()
