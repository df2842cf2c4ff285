"""What PyTorch may be told about the memory that ``linear_cross_entropy`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["LinearCrossEntropyOptions"]


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch puts rows together in ``linear_cross_entropy``.

    The numbers do not depend on it; flambeau makes all scores at once whatever is asked for.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LinearCrossEntropyOptions.html

    Args:
        allow_retain_graph: whether its backward pass may run again.
        batch_chunk_size: rows that are put together.
        chunking_method: how they are chosen.
        acc_policy: ``"accurate"``, ``"balanced"``, ``"compact"`` or ``"auto"``: in what sums are
            kept.
        acc_dtype: the dtype of the sums.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: Literal["accurate", "balanced", "compact", "auto"] = "auto"
    acc_dtype: Any = None
