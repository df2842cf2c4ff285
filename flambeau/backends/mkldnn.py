"""``torch.backends.mkldnn``: oneDNN, which is not used here."""

from __future__ import annotations


def is_available() -> bool:
    """Whether the library can be used: False."""
    return False
