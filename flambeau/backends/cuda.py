"""``torch.backends.cuda``: switches of CUDA's libraries, kept as they are set."""

from __future__ import annotations


class _MatrixProduct:
    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _MatrixProduct()


def is_built() -> bool:
    """Whether the framework was built with CUDA: False."""
    return False
