"""Numbers as one reads them."""

from __future__ import annotations

from ..log import described_seconds
from .profile import SHORTEST


def seconds(value: float | None) -> str:
    """``3.2 ms``; a dash where nothing was measured."""
    if value is None:
        return "-"
    return "< 5 ns" if value < SHORTEST else described_seconds(value)


def count(value: float) -> str:
    """``4.61 k``, ``1.2 M``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """``4.4 KiB``."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.0f} B"


def share(value: float | None) -> str:
    """``12 %``."""
    if value is None:
        return "-"
    return f"{value * 100:.0f} %" if value >= 0.0995 else f"{value * 100:.1f} %"


HOW = (
    "Times are of runs on copies of the arrays. A kernel's is taken on one thread, by a clock "
    "around each call in a second program made for this: the mean of the quicker three quarters. "
    "The whole program's is the median as it runs, with its threads and the call from Python. "
    "Flops count each arithmetic operation, an exponential or a comparison as one, a multiply-add "
    "as two. Bytes are the sizes of the arrays that a kernel reads and writes, each counted once. "
    "The shares are of what one core reached here: multiply-adds on registers, and a copy of small "
    "arrays (where the kernel's arrays fit in the nearest caches) or of large ones, which M marks; "
    "what is left in the caches by the kernel before can bring a share above 100 %."
)

__all__ = ["HOW", "count", "seconds", "share", "size"]
