"""``torch.backends.mkl``: Intel's MKL, which is not used here (NumPy brings its own BLAS)."""

from __future__ import annotations


def is_available() -> bool:
    """Whether the library can be used: False."""
    return False
