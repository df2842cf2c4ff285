"""Utilities around training: data loading and hooks (``torch.utils``)."""

from __future__ import annotations

__all__: list[str] = []
