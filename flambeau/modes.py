"""Modes that change what every operation does: capture, autocast, anomaly detection, vmap.

The direct path of an operation (see :mod:`flambeau.ops.operation`) runs where no mode is on.  It
asks by comparing an array's class with the global ``ARRAY`` of the generated functions; while any
thread has a mode on, that global is a class no array has, so every call takes the general path,
which looks at the calling thread's modes.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


class ConcreteValueNeeded(RuntimeError):
    """A program asked for the value of an array that has none yet (inside a compiler's capture)."""

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"{wanted} needs a tensor's value while the program is being captured, where tensors "
            "stand for values of calls to come"
        )


class NotYet(RuntimeError):
    """A program cannot be captured at this call, but may be at a later one."""


class _Structure:
    """Counts changes of modules, hooks and optimizers, so that compiled programs notice them.

    ``watched`` holds the ids of tensors whose ``requires_grad`` some program depends on.
    """

    version = 0
    watched: set[int] = set()

    def note_tensor(self, tensor: Any) -> None:
        """``requires_grad`` of ``tensor`` changes."""
        if id(tensor) in self.watched:
            self.version += 1


STRUCTURE = _Structure()


class _Modes(threading.local):
    """The calling thread's modes."""

    capture: Any = None
    anomaly: Any = False
    autocast: Any = None
    transforms: Any = None


MODES = _Modes()

DIRECT: dict[str, Any] = {"ARRAY": np.ndarray, "INFERRED": False}
"""The globals of the generated functions; INFERRED: whether inference mode was ever on."""

_lock = threading.Lock()
_active = 0


class _NoArray:
    """The class that no array has."""


def enter_mode() -> None:
    """Send every operation through its general path until the matching :func:`leave_mode`."""
    global _active
    with _lock:
        _active += 1
        DIRECT["ARRAY"] = _NoArray


def leave_mode() -> None:
    global _active
    with _lock:
        _active -= 1
        if _active == 0:
            DIRECT["ARRAY"] = np.ndarray
