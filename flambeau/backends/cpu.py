"""``torch.backends.cpu``: what the processor can do.

Source: https://docs.pytorch.org/docs/2.13/backends.html#module-torch.backends.cpu
"""

from __future__ import annotations

from pathlib import Path


def get_cpu_capability() -> str:
    """The widest vectors of this processor, in PyTorch's words: ``"AVX512"``, ``"AVX2"`` or
    ``"DEFAULT"``."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "DEFAULT"
    if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= flags:
        return "AVX512"
    return "AVX2" if {"avx2", "fma"} <= flags else "DEFAULT"
