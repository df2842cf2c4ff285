"""``torch.backends``: the libraries that PyTorch may compute with, and the switches programs set.

None of them is used here, so each says that it is not available. The switches of cuDNN and CUDA
may be set and read back as in a PyTorch without CUDA; they choose between kernels that are not
there.

Source: https://docs.pytorch.org/docs/2.13/backends.html
"""

from __future__ import annotations

from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
