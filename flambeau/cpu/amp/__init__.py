"""``torch.cpu.amp``: the former names of :mod:`flambeau.amp` for the CPU."""

from __future__ import annotations

import warnings

from ... import dtypes
from ...amp import GradScaler as _GradScaler
from ...amp import autocast as _autocast


class autocast(_autocast):
    """``torch.amp.autocast("cpu", ...)``, by its former name.

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
        dtype: dtypes.dtype = dtypes.bfloat16,
        cache_enabled: bool = True,
    ) -> None:
        warnings.warn(
            "`torch.cpu.amp.autocast(args...)` is deprecated. Please use "
            "`torch.amp.autocast('cpu', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(_GradScaler):
    """``torch.amp.GradScaler("cpu", ...)``, by its former name.

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
        warnings.warn(
            "`torch.cpu.amp.GradScaler(args...)` is deprecated. Please use "
            "`torch.amp.GradScaler('cpu', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


__all__ = ["GradScaler", "autocast"]
