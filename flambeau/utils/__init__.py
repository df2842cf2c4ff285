"""Utilities around training: data loading and hooks (``torch.utils``)."""

from __future__ import annotations

from flambeau.utils import data, hooks

__all__ = ["data", "hooks"]
