"""``torch.cuda.amp``: the former names of :mod:`flambeau.amp` for CUDA devices.

There is none here: the region and the scaler do nothing, and say so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from ... import dtypes
from ...amp import GradScaler as _GradScaler
from ...amp import autocast as _autocast
from ...amp import custom_bwd as _custom_bwd
from ...amp import custom_fwd as _custom_fwd


def _deprecated(former: str, name: str) -> None:
    warnings.warn(
        f"`torch.cuda.amp.{former}` is deprecated. Please use `torch.amp.{name}` instead.",
        FutureWarning,
        stacklevel=3,
    )


class autocast(_autocast):
    """``torch.amp.autocast("cuda", ...)``, by its former name.

    Args:
        enabled, dtype, cache_enabled: as there.

    Raises:
        RuntimeError: as there.

    Warns:
        FutureWarning: always: use the newer name.

    Source: https://docs.pytorch.org/docs/2.13/amp.html
    """

    def __init__(
        self,
        enabled: bool = True,
        dtype: dtypes.dtype = dtypes.float16,
        cache_enabled: bool = True,
    ) -> None:
        _deprecated("autocast(args...)", "autocast('cuda', args...)")
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(_GradScaler):
    """``torch.amp.GradScaler("cuda", ...)``, by its former name.

    Args:
        init_scale, growth_factor, backoff_factor, growth_interval, enabled: as there.

    Warns:
        FutureWarning: always: use the newer name.

    Source: https://docs.pytorch.org/docs/2.13/amp.html
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        _deprecated("GradScaler(args...)", "GradScaler('cuda', args...)")
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )


custom_fwd: Callable[..., Any] = partial(_custom_fwd, device_type="cuda")
custom_bwd: Callable[..., Any] = partial(_custom_bwd, device_type="cuda")

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]
