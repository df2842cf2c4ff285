"""The parts of a module of LLVM code.

Machine code is made of a module in pieces: some functions as soon as there are enough of them,
while the next are still being written.  Functions may be called from other pieces, which then
declare them; what a piece needs of the module's declarations is repeated in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .host_call import HostCall

_PIECE = 20_000
"""Characters of functions that make a piece: LLVM has about 3 ms of work with an empty one."""
_NAMED = re.compile(r"@([\w.]+)\(")
_DEFINITION = re.compile(r"define hidden (\w+) @([\w.]+)\((.*)\)")


def _named(line: str) -> str:
    """The function that a line declares or defines."""
    return _NAMED.findall(line)[0]


def _declaration(function: str) -> tuple[str, str]:
    """The name of a function, and what declares it in another piece."""
    found = _DEFINITION.match(function)
    assert found is not None, function[:100]
    result, name, parameters = found.groups()
    types = ", ".join(p.rsplit(" ", 1)[0] for p in parameters.split(", "))
    return name, f"declare hidden {result} @{name}({types})"


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
    deliver: Callable[[str], None] | None = None
    """Takes the pieces, each a module by itself."""
    known: dict[str, str] = field(default_factory=dict)
    """The names of functions that have been delivered -> their declarations."""
    pending: list[str] = field(default_factory=list)
    """Functions that have not been."""

    def add(self, text: str, label: str) -> str:
        """The name of a function with this text."""
        name = self.functions.get(text)
        if name is None:
            name = self.functions[text] = f"k{len(self.functions)}_{label}"
            self.pending.append(text.replace("@KERNEL", f"@{name}", 1))
            if self.deliver is not None and sum(map(len, self.pending)) >= _PIECE:
                self._deliver_pending()
        return name

    def _deliver_pending(self) -> None:
        assert self.deliver is not None
        self.deliver(self._piece(self.pending))
        self.known.update(map(_declaration, self.pending))
        self.pending = []

    def deliver_rest(self) -> None:
        """Deliver what has not been delivered; nothing is added any more."""
        assert self.deliver is not None
        self.deliver(self._piece([*self.pending, *self.others]))

    def _piece(self, functions: list[str]) -> str:
        """``functions`` as a module."""
        text = "\n".join(functions)
        used = set(_NAMED.findall(text))
        shared = {_named(line): line for line in self.declarations}
        own = [shared[name] for name in used & shared.keys() if shared[name].startswith("define")]
        for function in own:
            used.update(_NAMED.findall(function))
        declared = [
            (shared | self.known)[name] for name in used & (shared.keys() | self.known.keys())
        ]
        return "\n".join([*sorted({*declared, *own}), text, self._attributes()])

    def add_host(self, call: HostCall) -> int:
        """The number under which ``call`` is called."""
        self.hosts.append(call)
        return len(self.hosts) - 1

    def text(self) -> str:
        """All of the module in one."""
        functions = [
            text.replace("@KERNEL", f"@{name}", 1) for text, name in self.functions.items()
        ]
        return "\n".join([*sorted(self.declarations), *functions, *self.others, self._attributes()])

    def _attributes(self) -> str:
        width = f'"prefer-vector-width"="{self.vector_bytes * 8}"'
        # a stack that is too short for a panel shall end at its guard page
        probes = '"probe-stack"="inline-asm"'
        return f"attributes #0 = {{ nounwind {probes} {width} }}\n"


__all__ = ["Module"]
