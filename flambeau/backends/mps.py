"""``torch.backends.mps``: Apple's Metal kernels, which are not used here."""

from __future__ import annotations


def is_available() -> bool:
    """Whether Apple's GPU can be used: False."""
    return False


def is_built() -> bool:
    """Whether the framework was built with Metal: False."""
    return False
