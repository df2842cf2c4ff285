"""``torch.cpu``: the CPU asked the questions that programs ask of a device.

Source: https://docs.pytorch.org/docs/2.13/cpu.html
"""

from __future__ import annotations

from typing import Any

from . import amp


def is_available() -> bool:
    """Whether there is a CPU: True."""
    return True


def is_initialized() -> bool:
    """Whether the CPU is ready: True."""
    return True


def device_count() -> int:
    """The number of CPU devices: 1."""
    return 1


def current_device() -> str:
    """The current CPU device: "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """Choose the CPU device: there is one, whatever ``device`` says."""


def synchronize(device: Any = None) -> None:
    """Wait until all work of ``device`` is done: on the CPU it is, when an operation returns."""


__all__ = [
    "amp", "current_device", "device_count", "is_available", "is_initialized", "set_device",
    "synchronize",
]  # fmt: skip
