"""``torch.backends.cudnn``: switches of NVIDIA's library, kept as they are set."""

from __future__ import annotations

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether cuDNN can be used: False."""
    return False


def version() -> int | None:
    """cuDNN's version: None, it is not there."""
    return None
