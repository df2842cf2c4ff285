"""``torch.cuda``: what programs ask before they choose a device.

There is no CUDA device here, and every question gets PyTorch's answer of a build without one:
counts are zero, seeding and synchronizing do nothing, and what needs a device raises.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "synchronize",
]


def _refuse() -> NoReturn:
    raise AssertionError(
        "Torch not compiled with CUDA enabled: flambeau sees no CUDA device; "
        "torch.cuda.is_available() is False, use the device 'cpu'"
    )


def __getattr__(name: str) -> Any:
    if name == "amp":
        from importlib import import_module

        return import_module(f"{__name__}.amp")
    raise AttributeError(f"module 'torch.cuda' has no attribute {name!r}")


def is_available() -> bool:
    """Whether a CUDA device can be used: False."""
    return False


def is_initialized() -> bool:
    """Whether the CUDA state of this process is set up: False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the CUDA device computes in bfloat16: False without one."""
    return False


def device_count() -> int:
    """The number of CUDA devices: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seeds the generator of the current CUDA device: without one, nothing to do."""


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all CUDA devices: without one, nothing to do."""


def seed() -> None:
    """Seeds the current CUDA device's generator at random: without one, nothing to do."""


def seed_all() -> None:
    """Seeds all CUDA devices' generators at random: without one, nothing to do."""


def empty_cache() -> None:
    """Gives unused CUDA memory back: without a device, nothing to do."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of CUDA memory in tensors: 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The largest number of bytes of CUDA memory in tensors so far: 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes of CUDA memory that the allocator holds: 0."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The largest number of bytes of CUDA memory that the allocator has held: 0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forgets the peaks of CUDA memory; raises AssertionError without a device."""
    _refuse()


def synchronize(device: Any = None) -> None:
    """Waits for a CUDA device; raises AssertionError without one."""
    _refuse()


def current_device() -> int:
    """The index of the current CUDA device; raises AssertionError without one."""
    _refuse()


def set_device(device: Any) -> None:
    """Chooses the current CUDA device; raises AssertionError without one."""
    _refuse()


def get_device_name(device: Any = None) -> str:
    """The name of a CUDA device; raises AssertionError without one."""
    _refuse()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a CUDA device; raises AssertionError without one."""
    _refuse()


def get_device_properties(device: Any = None) -> Any:
    """The properties of a CUDA device; raises AssertionError without one."""
    _refuse()
