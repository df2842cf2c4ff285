"""The parts of a module of LLVM code, and what is known of the program that it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .host_call import HostCall


@dataclass
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


@dataclass
class Program:
    """A compiled program before it is machine code."""

    source: str
    constants: list[np.ndarray]
    arena_bytes: int
    kernels: list[KernelReport] = field(default_factory=list)
    divided: int = 0
    """Kernels that a team shares; if 0, the program is one for a single thread."""
    hosts: list[HostCall] = field(default_factory=list)
    """What is called back in Python."""


@dataclass
class Module:
    """What the functions of one module share."""

    vector_bytes: int
    threads: bool = False
    """Whether a team may run the program."""
    half: bool = True
    """Whether the CPU converts half precision."""
    declarations: set[str] = field(default_factory=set)
    functions: dict[str, str] = field(default_factory=dict)
    """Text with ``@KERNEL`` for the name -> name."""
    texts: dict[Any, tuple[str, int]] = field(default_factory=dict)
    """A kernel's form -> its text, and into how many units it can be divided."""
    others: list[str] = field(default_factory=list)
    hosts: list[HostCall] = field(default_factory=list)
    count: int = 0

    def add(self, text: str, label: str) -> str:
        """The name of a function with this text."""
        name = self.functions.get(text)
        if name is None:
            name = self.functions[text] = f"k{self.count}_{label}"
            self.count += 1
        return name

    def add_host(self, call: HostCall) -> int:
        """The number under which ``call`` is called."""
        self.hosts.append(call)
        return len(self.hosts) - 1

    def text(self) -> str:
        functions = [
            text.replace("@KERNEL", f"@{name}", 1) for text, name in self.functions.items()
        ]
        attributes = f'"prefer-vector-width"="{self.vector_bytes * 8}"'
        return "\n".join(
            [*sorted(self.declarations), *functions, *self.others,
             f"attributes #0 = {{ nounwind {attributes} }}\n"]
        )  # fmt: skip


__all__ = ["KernelReport", "Module", "Program"]
