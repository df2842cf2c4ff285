"""The refusal of what the compiler cannot lower: the caller then runs the program eagerly."""

from __future__ import annotations


class Unsupported(Exception):
    """A primitive, dtype or situation for which no code can be generated.

    Attributes:
        primitive: the primitive's name.
        why: what about it is not supported.
    """

    def __init__(self, primitive: str, why: str) -> None:
        super().__init__(f"cannot compile {primitive}: {why}")
        self.primitive = primitive
        self.why = why


__all__ = ["Unsupported"]
