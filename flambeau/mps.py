"""``torch.mps``: Apple's GPU, which is not used here: there are no devices to seed or to free.

Source: https://docs.pytorch.org/docs/2.13/mps.html
"""

from __future__ import annotations

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "seed", "synchronize"]


def is_available() -> bool:
    """Whether a Metal device can be used: False."""
    return False


def device_count() -> int:
    """The number of Metal devices: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seeds the Metal device's generator with ``seed``: without one, nothing to do."""


def seed() -> None:
    """Seeds the Metal device's generator at random: without one, nothing to do."""


def empty_cache() -> None:
    """Gives unused Metal memory back.

    Raises:
        RuntimeError: always, as there is no Metal device.
    """
    raise RuntimeError(
        "Cannot execute emptyCache() without MPS backend: torch.backends.mps.is_available() is "
        "False, use the device 'cpu'"
    )


def synchronize() -> None:
    """Waits for the Metal device.

    Raises:
        RuntimeError: always, as there is none.
    """
    raise RuntimeError(
        "Cannot synchronize without MPS backend: torch.backends.mps.is_available() is False, use "
        "the device 'cpu'"
    )
