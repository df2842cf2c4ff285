"""``torch.xpu``: Intel's GPUs, which are not used here: there are no devices.

Source: https://docs.pytorch.org/docs/2.13/xpu.html
"""

from __future__ import annotations

from typing import NoReturn

__all__ = [
    "device_count",
    "empty_cache",
    "is_available",
    "manual_seed",
    "manual_seed_all",
    "synchronize",
]


def is_available() -> bool:
    """Whether an Intel GPU can be used: False."""
    return False


def device_count() -> int:
    """The number of Intel GPUs: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seeds the generator of the current device with ``seed``: without one, nothing to do."""


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all devices with ``seed``: without one, nothing to do."""


def empty_cache() -> None:
    """Gives unused memory back: without a device, nothing to do."""


def synchronize(device: object = None) -> NoReturn:
    """Waits for ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    raise AssertionError("Torch not compiled with XPU enabled: use the device 'cpu'")
