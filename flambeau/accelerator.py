"""``torch.accelerator``: the device of this process beside the CPU, of which there is none.

``is_available()`` is False, so that programs which ask go on with the CPU; what needs a device
raises RuntimeError, whatever its argument.

Source: https://docs.pytorch.org/docs/2.13/accelerator.html
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
    """The device type of the accelerator: None, with ``check_available`` or without."""
    return None


def current_device_index() -> int:
    """The index of the current accelerator.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


current_device_idx = current_device_index


def set_device_index(device: Any, /) -> None:
    """Choose the current accelerator: the one with the index, or named by the device, ``device``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


set_device_idx = set_device_index


class device_index:
    """A context in which another accelerator is the current one.

    Args:
        device: its index; None changes nothing.

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
    """The current stream of the accelerator ``device``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def set_stream(stream: Any) -> None:
    """Choose the current ``stream`` of work for an accelerator.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def synchronize(device: Any = None, /) -> None:
    """Wait for the accelerator ``device``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def empty_cache() -> None:
    """Give an accelerator's unused memory back.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def memory_stats(device_index: Any = None, /) -> Any:
    """Counts of the memory of the accelerator ``device_index``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def memory_allocated(device_index: Any = None, /) -> int:
    """Bytes in tensors on the accelerator ``device_index``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def max_memory_allocated(device_index: Any = None, /) -> int:
    """The most bytes in tensors so far on the accelerator ``device_index``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def memory_reserved(device_index: Any = None, /) -> int:
    """Bytes that the allocator of the accelerator ``device_index`` holds.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def max_memory_reserved(device_index: Any = None, /) -> int:
    """The most bytes that the allocator of the accelerator ``device_index`` has held.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def get_memory_info(device_index: Any = None, /) -> tuple[int, int]:
    """Free and total bytes of the accelerator ``device_index``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def reset_peak_memory_stats(device_index: Any = None, /) -> None:
    """Forget the peaks of the memory of the accelerator ``device_index``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()


def reset_accumulated_memory_stats(device_index: Any = None, /) -> None:
    """Forget the sums of the memory of the accelerator ``device_index``.

    Raises:
        RuntimeError: always, as there is none.
    """
    _refuse()
