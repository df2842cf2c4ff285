"""Layouts and memory formats, as far as programs name them: strided arrays, row-major or not.

Source: https://pytorch.org/docs/stable/tensor_attributes.html#torch-layout
"""

from __future__ import annotations


class layout:
    """How a tensor's elements lie in memory, by ``name``; ``torch.strided`` is that of all here."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class memory_format(layout):
    """In which order a strided tensor's dims follow each other in memory, by its ``name``."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
