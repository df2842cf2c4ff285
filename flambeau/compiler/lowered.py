"""A program before it is machine code, and what is known of its kernels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from .host_call import HostCall


@dataclass(eq=False)
class KernelReport:
    """What one kernel does: its name, operations in floating point, bytes read and written."""

    name: str
    computes: str
    flops: int
    bytes: int
    cost: float = 0.0
    """An estimate of the time it takes, in microseconds."""
    parts: int = 1
    """Into how many parts a team divides it."""


@dataclass(eq=False)
class Program:
    """A compiled program before it is machine code."""

    text: str | bytes
    """Its LLVM code; compressed bytes if it comes from the disk cache, where few ask for it."""
    constants: list[np.ndarray]
    arena_bytes: int
    kernels: list[KernelReport] = field(default_factory=list)
    divided: int = 0
    """Kernels that a team shares; if 0, the program is one for a single thread."""
    hosts: list[HostCall] = field(default_factory=list)
    """What is called back in Python."""

    @property
    def source(self) -> str:
        """The LLVM code."""
        return self.text if isinstance(self.text, str) else zlib.decompress(self.text).decode()


__all__ = ["KernelReport", "Program"]
