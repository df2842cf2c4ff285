"""Tensors to and from DLPack capsules (``torch.utils.dlpack``).

Source: https://docs.pytorch.org/docs/stable/dlpack.html
"""

from __future__ import annotations

from flambeau.tensor.dlpack import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
