"""``autocast``: a region in which products run in half precision.

Source: https://pytorch.org/docs/stable/amp.html#torch.autocast
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..device import device as Device
from ..modes import MODES, enter_mode, leave_mode
from ..tensor import Tensor
from ..utils._pytree import tree_map_only
from .casting import Casting, guard_functions

_HALF = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}


class _State(threading.local):
    """The calling thread's autocast settings, by device type."""

    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.half: dict[str, dtypes.dtype] = {}
        self.cache_enabled = True
        self.cache: dict[int, tuple[Tensor, Tensor]] = {}
        self.nesting = 0


_STATE = _State()
_guarded = False


def _device_type(device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    return Device(device_type).type


def is_autocast_available(device_type: str) -> bool:
    """Whether there is autocast for a type of device, ``device_type``: for "cpu".

    Raises:
        ValueError: ``device_type`` is no str.
        RuntimeError: there is no such type of device.
    """
    return _device_type(device_type) == "cpu"


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether the calling thread is in an autocast region for ``device_type`` (None: "cuda").

    Raises:
        ValueError: ``device_type`` is no str.
        RuntimeError: there is no such type of device.
    """
    return _STATE.enabled.get("cuda" if device_type is None else _device_type(device_type), False)


def is_autocast_cpu_enabled() -> bool:
    """Whether the calling thread is in an autocast region for the CPU."""
    return is_autocast_enabled("cpu")


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The half precision of autocast on devices of type ``device_type``, a dtype.

    Raises:
        ValueError: ``device_type`` is no str.
        RuntimeError: there is no such type of device.
    """
    kind = _device_type(device_type)
    return _STATE.half.get(kind, _HALF.get(kind, dtypes.bfloat16))


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """The half precision of autocast on the CPU."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """The half precision of autocast on CUDA devices."""
    return get_autocast_dtype("cuda")


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Set the half precision of autocast on devices of type ``device_type`` to ``dtype``.

    Raises:
        ValueError: ``device_type`` is no str.
        RuntimeError: there is no such type of device.
    """
    _STATE.half[_device_type(device_type)] = dtype
    _apply()


def set_autocast_cpu_dtype(dtype: dtypes.dtype) -> None:
    """Set the half precision of autocast on the CPU to ``dtype``."""
    set_autocast_dtype("cpu", dtype)


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Turn autocast on or off in the calling thread.

    Args:
        device_type: for which type of device; "cuda" if ``enabled`` alone is given, in its place.
        enabled: whether it is on.

    Raises:
        ValueError: ``device_type`` is no str.
        RuntimeError: there is no such type of device.
    """
    if enabled is None:
        device_type, enabled = "cuda", device_type
    _STATE.enabled[_device_type(device_type)] = bool(enabled)
    _apply()


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Turn autocast for the CPU on or off, as the bool ``enabled`` says."""
    set_autocast_enabled("cpu", enabled)


def is_autocast_cache_enabled() -> bool:
    """Whether the casts of parameters are kept."""
    return _STATE.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Set whether the casts of parameters are kept, as the bool ``enabled`` says."""
    _STATE.cache_enabled = bool(enabled)
    _apply()


def clear_autocast_cache() -> None:
    """Forget the casts of parameters."""
    _STATE.cache.clear()


def autocast_increment_nesting() -> int:
    """Enter one more autocast region; how many there are now."""
    _STATE.nesting += 1
    return _STATE.nesting


def autocast_decrement_nesting() -> int:
    """Leave an autocast region; how many are left."""
    _STATE.nesting -= 1
    return _STATE.nesting


def _apply() -> None:
    """Let operations know the settings."""
    global _guarded
    on = _STATE.enabled.get("cpu", False)
    before = MODES.autocast is not None
    if on and not _guarded:
        _guarded = True
        guard_functions()
    cache = _STATE.cache if _STATE.cache_enabled else None
    MODES.autocast = Casting(get_autocast_dtype("cpu"), cache) if on else None
    if on and not before:
        enter_mode()
    elif before and not on:
        leave_mode()


class autocast:
    """Context manager and decorator: products and convolutions run in half precision.

    Operations choose the precision of their operands: products, convolutions and attention run in
    ``dtype``, losses and the like in float32, all others in the precision of what they are given.
    The casts are recorded, so gradients have the dtype of what they are gradients of.  float64
    operands stay float64.  Run the forward pass in the region, not the backward pass.

    Args:
        device_type: "cpu"; for a device that is not there the region does nothing, with a warning.
        dtype: bfloat16 (the CPU's default) or float16.
        enabled: whether the region does anything.
        cache_enabled: whether the casts of parameters are kept within the outermost region
            (default: as it is).

    Raises:
        ValueError: ``device_type`` is no str, or ``dtype`` no dtype.
        RuntimeError: there is no such type of device.

    Source: https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device = _device_type(device_type)
        if dtype is not None and not isinstance(dtype, dtypes.dtype):
            raise ValueError(f"Expected `dtype` of type `torch.dtype`, got: `{type(dtype)}`")
        self.dtype = get_autocast_dtype(self.device) if dtype is None else dtype
        self.enabled = bool(enabled)
        if self.enabled and self.device != "cpu":
            name = "CUDA" if self.device == "cuda" else self.device
            warnings.warn(f"{name} is not available. Disabling autocast.", UserWarning)
            self.enabled = False
        if self.enabled and self.dtype not in (dtypes.bfloat16, dtypes.float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                UserWarning,
            )
            self.enabled = False
        self.cache_enabled = cache_enabled
        self._before: list[tuple[Any, ...]] = []

    def __enter__(self) -> autocast:
        self._before.append((
            _STATE.enabled.get(self.device, False), _STATE.half.get(self.device),
            _STATE.cache_enabled,
        ))  # fmt: skip
        _STATE.enabled[self.device] = self.enabled
        _STATE.half[self.device] = self.dtype
        if self.cache_enabled is not None:
            _STATE.cache_enabled = self.cache_enabled
        autocast_increment_nesting()
        _apply()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if autocast_decrement_nesting() == 0:
            clear_autocast_cache()
        enabled, half, cache_enabled = self._before.pop()
        _STATE.enabled[self.device] = enabled
        if half is None:
            del _STATE.half[self.device]
        else:
            _STATE.half[self.device] = half
        _STATE.cache_enabled = cache_enabled
        _apply()

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return decorated


# -- for autograd.Function -----------------------------------------------------------------------


def custom_fwd(
    fwd: Callable[..., Any] | None = None,
    *,
    device_type: str,
    cast_inputs: dtypes.dtype | None = None,
) -> Any:
    """Decorator for ``forward`` of an ``autograd.Function`` that is used in autocast regions.

    Args:
        fwd: the method.
        device_type: the type of device.
        cast_inputs: if given, floating-point arguments are cast to it, and the method runs outside
            autocast; if not, it runs under the settings of the caller.

    Returns:
        the method decorated, or without ``fwd`` a decorator.

    Raises:
        ValueError: ``device_type`` is no str.

    Source: https://pytorch.org/docs/stable/amp.html#torch.amp.custom_fwd
    """
    kind = _device_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        context._dtype = get_autocast_dtype(kind)
        on = is_autocast_enabled(kind)
        context._fwd_used_autocast = on if cast_inputs is None else False
        if cast_inputs is None or not on:
            return fwd(*args, **kwargs)
        wanted = cast_inputs

        def cast(tensor: Tensor) -> Tensor:
            floating = tensor.is_floating_point() and tensor.dtype is not dtypes.float64
            return tensor.to(wanted) if floating else tensor  # type: ignore[attr-defined]

        args, kwargs = tree_map_only(Tensor, cast, (args, kwargs))
        with autocast(kind, enabled=False):
            return fwd(*args, **kwargs)

    return decorated


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Decorator for ``backward`` beside :func:`custom_fwd`: it runs under forward's settings.

    Args:
        bwd: the ``backward`` of a ``Function``; without it a decorator is returned.
        device_type: as given to :func:`custom_fwd`.

    Raises:
        ValueError: ``device_type`` is no str.

    Source: https://pytorch.org/docs/stable/amp.html#torch.amp.custom_bwd
    """
    kind = _device_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        with autocast(kind, enabled=context._fwd_used_autocast, dtype=context._dtype):
            return bwd(*args, **kwargs)

    return decorated
