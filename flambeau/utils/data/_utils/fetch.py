"""``torch.utils.data._utils.fetch``: see :mod:`flambeau.utils.data.fetch`."""

from __future__ import annotations

from flambeau.utils.data.fetch import IterableFetcher as _IterableDatasetFetcher
from flambeau.utils.data.fetch import MapFetcher as _MapDatasetFetcher

__all__ = ["_IterableDatasetFetcher", "_MapDatasetFetcher"]
