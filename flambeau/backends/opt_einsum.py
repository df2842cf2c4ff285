"""``torch.backends.opt_einsum``: the package that orders an einsum's products; it is not used."""

from __future__ import annotations

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Whether opt_einsum is used: False."""
    return False
