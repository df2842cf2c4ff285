"""``torch.backends.opt_einsum``: the package that orders an einsum's products; it is not used.

Source: https://docs.pytorch.org/docs/2.13/backends.html#module-torch.backends.opt_einsum
"""

from __future__ import annotations

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Whether opt_einsum is used: False."""
    return False
