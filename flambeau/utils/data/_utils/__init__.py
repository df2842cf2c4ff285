"""The place where PyTorch keeps its collation and workers, for programs that import from there."""

from __future__ import annotations

from flambeau.utils.data._utils import collate, fetch, worker

__all__ = ["collate", "fetch", "worker"]
