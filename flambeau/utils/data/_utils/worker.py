"""``torch.utils.data._utils.worker``: see :mod:`flambeau.utils.data.worker_info`."""

from __future__ import annotations

from flambeau.utils.data.worker_info import WorkerInfo, get_worker_info

__all__ = ["WorkerInfo", "get_worker_info"]
