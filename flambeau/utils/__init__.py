"""Utilities around training: data loading and hooks (``torch.utils``)."""

from __future__ import annotations

from flambeau.utils import data, dlpack, hooks

__all__ = ["data", "dlpack", "hooks"]
