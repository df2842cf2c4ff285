"""Settings of the process that a program asks for or makes, which are constants of no program."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Set
from importlib import import_module
from typing import Any

from .reach import OWN

_GETTERS = {
    "get_num_threads": "threads",
    "get_num_interop_threads": "threads",
    "get_default_device": "device",
    "get_default_dtype": "dtypes",
    "is_anomaly_enabled": "autograd.anomaly",
    "is_anomaly_check_nan_enabled": "autograd.anomaly",
    "are_deterministic_algorithms_enabled": "settings",
    "is_deterministic_algorithms_warn_only_enabled": "settings",
    "get_deterministic_debug_mode": "settings",
    "get_float32_matmul_precision": "settings",
    "is_warn_always_enabled": "settings",
}
"""The functions that tell settings, and their modules."""
_SETTERS = {
    "set_num_threads": "get_num_threads",
    "set_num_interop_threads": "get_num_interop_threads",
    "set_default_device": "get_default_device",
    "set_default_dtype": "get_default_dtype",
    "set_default_tensor_type": "get_default_dtype",
    "set_detect_anomaly": "is_anomaly_check_nan_enabled",
    "use_deterministic_algorithms": "get_deterministic_debug_mode",
    "set_deterministic_debug_mode": "get_deterministic_debug_mode",
    "set_float32_matmul_precision": "get_float32_matmul_precision",
    "set_warn_always": "is_warn_always_enabled",
}
"""The functions that make settings, and those that tell them."""


class _Settings(Mapping[str, Any]):
    """The present settings by the names of the functions that tell them."""

    def __getitem__(self, name: str) -> Any:
        getter: Callable[[], Any] = getattr(import_module(f"{OWN}.{_GETTERS[name]}"), name)
        return getter()

    def __iter__(self) -> Iterator[str]:
        return iter(_GETTERS)

    def __len__(self) -> int:
        return len(_GETTERS)


SETTINGS = types.MappingProxyType(_Settings())


def settings_among(names: Set[str]) -> dict[str, Any]:
    """The present settings that code with these names may ask for or make."""
    asked = {name for name in _GETTERS if name in names}
    asked |= {getter for name, getter in _SETTERS.items() if name in names}
    return {name: SETTINGS[name] for name in sorted(asked)}


__all__ = ["SETTINGS", "settings_among"]
