"""``torch.cuda``: what programs ask before they choose a device.

There is no CUDA device here, and every question gets PyTorch's answer of a build without one:
counts are zero, seeding does nothing, and what needs a device raises AssertionError.

Source: https://docs.pytorch.org/docs/2.13/cuda.html
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "AcceleratorError",
    "Event",
    "OutOfMemoryError",
    "Stream",
    "can_device_access_peer",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_arch_list",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "get_rng_state",
    "get_rng_state_all",
    "init",
    "initial_seed",
    "ipc_collect",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "is_tf32_supported",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "memory_summary",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "set_per_process_memory_fraction",
    "set_rng_state",
    "set_rng_state_all",
    "set_stream",
    "stream",
    "synchronize",
    "utilization",
]


class OutOfMemoryError(RuntimeError):
    """A device has no more memory for a tensor; programs catch it to try a smaller batch."""


class AcceleratorError(RuntimeError):
    """A device has failed."""


OutOfMemoryError.__module__ = AcceleratorError.__module__ = "torch"


def _refuse() -> NoReturn:
    raise AssertionError(
        "Torch not compiled with CUDA enabled: flambeau sees no CUDA device; "
        "torch.cuda.is_available() is False, use the device 'cpu'"
    )


def __getattr__(name: str) -> Any:
    if name in ("amp", "nvtx"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'torch.cuda' has no attribute {name!r}")


def is_available() -> bool:
    """Whether a CUDA device can be used: False."""
    return False


def is_initialized() -> bool:
    """Whether the CUDA state of this process is set up: False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether there is bfloat16 on the CUDA device, ``including_emulation`` or not: False."""
    return False


def device_count() -> int:
    """The number of CUDA devices: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seeds the generator of the current CUDA device with ``seed``: without one, nothing to do."""


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all CUDA devices with ``seed``: without one, nothing to do."""


def seed() -> None:
    """Seeds the current CUDA device's generator at random: without one, nothing to do."""


def seed_all() -> None:
    """Seeds all CUDA devices' generators at random: without one, nothing to do."""


def empty_cache() -> None:
    """Gives unused CUDA memory back: without a device, nothing to do."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of CUDA memory in tensors on ``device``: 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The largest number of bytes of CUDA memory in tensors on ``device`` so far: 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes of CUDA memory that the allocator holds on ``device``: 0."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The largest number of bytes of CUDA memory that the allocator has held on ``device``: 0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forgets the peaks of the memory of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


class Stream:
    """A queue of work for a CUDA device.

    Raises:
        RuntimeError: always, as there is none.
    """

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError(f"torch.cuda.{cls.__name__} requires CUDA support")


class Event(Stream):
    """A mark in a stream, for timing.

    Raises:
        RuntimeError: always, as there is no CUDA device.
    """


class _NoChange:
    """A context for a device or stream of None, which changes nothing."""

    def __init__(self, chosen: Any = None) -> None:
        if chosen is not None:
            _refuse()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


def stream(stream: Stream | None) -> _NoChange:
    """A context with another current stream.

    Args:
        stream: the stream; None changes nothing.

    Raises:
        AssertionError: there is a ``stream``, but no device.
    """
    return _NoChange(stream)


def device(device: Any) -> _NoChange:
    """A context with another current device.

    Args:
        device: its index or name; None changes nothing.

    Raises:
        AssertionError: another one, as there is none.
    """
    return _NoChange(device)


def current_stream(device: Any = None) -> Stream:
    """The current stream of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def default_stream(device: Any = None) -> Stream:
    """The default stream of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def set_stream(stream: Any) -> None:
    """Chooses the current ``stream``; None changes nothing.

    Raises:
        AssertionError: there is a ``stream``, but no device.
    """
    if stream is not None:
        _refuse()


def get_rng_state(device: Any = "cuda") -> Any:
    """The state of the generator of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Makes ``new_state`` the state of the generator of ``device``: without one, nothing to do."""


def get_rng_state_all() -> list[Any]:
    """The states of all CUDA devices' generators: an empty list."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Makes ``new_states`` those of the CUDA devices' generators: without one, nothing to do."""


def initial_seed() -> int:
    """The seed of the current CUDA device's generator.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def init() -> None:
    """Sets up CUDA.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def ipc_collect() -> None:
    """Frees CUDA memory shared with ended processes.

    Raises:
        AssertionError: always, as there is no device.
    """
    _refuse()


def get_arch_list() -> list[str]:
    """The architectures that the framework was compiled for: an empty list."""
    return []


def is_tf32_supported() -> bool:
    """Whether the CUDA device has TF32: False without one."""
    return False


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether ``device`` can read the memory of ``peer_device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total bytes of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def memory_stats(device: Any = None) -> dict[str, Any]:
    """Counts of the memory of ``device``: an empty dict."""
    return {}


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A table of the memory of ``device``, ``abbreviated`` or in full.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Limits the memory that this process takes of ``device`` to a ``fraction`` of it.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def utilization(device: Any = None) -> int:
    """How busy ``device`` is, in percent.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def synchronize(device: Any = None) -> None:
    """Waits for ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def current_device() -> int:
    """The index of the current CUDA device.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def set_device(device: Any) -> None:
    """Chooses ``device`` as the current CUDA device.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def get_device_name(device: Any = None) -> str:
    """The name of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of ``device``, two numbers.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()


def get_device_properties(device: Any = None) -> Any:
    """The properties of ``device``.

    Raises:
        AssertionError: always, as there is none.
    """
    _refuse()
