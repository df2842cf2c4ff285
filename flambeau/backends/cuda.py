"""``torch.backends.cuda``: switches of CUDA's libraries, kept as they are set.

Source: https://docs.pytorch.org/docs/2.13/backends.html#module-torch.backends.cuda
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class _MatrixProduct:
    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _MatrixProduct()

_attention = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def flash_sdp_enabled() -> bool:
    """Whether attention may use CUDA's flash kernel, as it was last set."""
    return _attention["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Say whether attention may use CUDA's flash kernel (``enabled``); nothing else follows from
    it.
    """
    _attention["flash"] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    """Whether attention may use CUDA's memory-efficient kernel, as it was last set."""
    return _attention["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Say whether attention may use CUDA's memory-efficient kernel (``enabled``)."""
    _attention["mem_efficient"] = bool(enabled)


def math_sdp_enabled() -> bool:
    """Whether attention may be a chain of plain operations, as it was last set."""
    return _attention["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Say whether attention may be a chain of plain operations (``enabled``); here it always is
    one.
    """
    _attention["math"] = bool(enabled)


def cudnn_sdp_enabled() -> bool:
    """Whether attention may use cuDNN's kernel, as it was last set."""
    return _attention["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Say whether attention may use cuDNN's kernel (``enabled``)."""
    _attention["cudnn"] = bool(enabled)


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """A context with these kernels of attention; ``torch.nn.attention.sdpa_kernel`` is newer.

    Args:
        enable_flash, enable_math, enable_mem_efficient, enable_cudnn: what ``flash_sdp_enabled``
            and
            the others say in it; afterwards they say what they said before.
    """
    before = dict(_attention)
    _attention.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield
    finally:
        _attention.update(before)


def is_built() -> bool:
    """Whether the framework was built with CUDA: False."""
    return False
