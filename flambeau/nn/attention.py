"""Which kernel attention uses (``torch.nn.attention``): on the CPU there is one.

Source: https://docs.pytorch.org/docs/2.13/nn.attention.html
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterable, Iterator

from flambeau.backends import cuda

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.IntEnum):
    """The kernels of ``scaled_dot_product_attention`` that PyTorch has."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


_SWITCHES = {
    SDPBackend.MATH: "math",
    SDPBackend.FLASH_ATTENTION: "flash",
    SDPBackend.EFFICIENT_ATTENTION: "mem_efficient",
    SDPBackend.CUDNN_ATTENTION: "cudnn",
}


@contextlib.contextmanager
def sdpa_kernel(
    backends: SDPBackend | Iterable[SDPBackend], set_priority: bool = False
) -> Iterator[None]:
    """A context (or decorator) that allows only these kernels; attention's results are the same.

    Args:
        backends: one kernel or several.
        set_priority: their order is that in which they are preferred.

    Returns:
        The context manager.

    Raises:
        AssertionError: something else than kernels.
    """
    chosen = {backends} if isinstance(backends, SDPBackend) else set(backends)
    if not all(isinstance(backend, SDPBackend) for backend in chosen):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of SDPBackends")
    before = dict(cuda._attention)
    cuda._attention.update({name: kind in chosen for kind, name in _SWITCHES.items()})
    try:
        yield
    finally:
        cuda._attention.update(before)
