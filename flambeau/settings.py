"""Process-wide settings that programs make before they compute.

Every operation here is deterministic and float32 products are always computed in float32, so the
settings of determinism and precision are kept and read back; no result depends on them.

Source: https://pytorch.org/docs/stable/torch.html
"""

from __future__ import annotations

import importlib
import warnings

from flambeau import dtypes

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_DEBUG_MODES = ("default", "warn", "error")
_PRECISIONS = ("highest", "high", "medium")

_deterministic = 0
_precision = "highest"
_warn_always = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for deterministic algorithms: all that are here are.

    Args:
        mode: whether to ask, a bool.
        warn_only: whether an algorithm that is not should only warn.

    Raises:
        TypeError: ``mode`` is not a bool.
    """
    global _deterministic
    if not isinstance(mode, bool):
        raise TypeError(
            "use_deterministic_algorithms(): argument 'mode' (position 1) must be bool, "
            f"not {type(mode).__name__}"
        )
    _deterministic = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    """Whether deterministic algorithms were asked for."""
    return _deterministic > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether an algorithm that is not deterministic should only warn."""
    return _deterministic == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """``use_deterministic_algorithms`` by a number or a word.

    Args:
        debug_mode: 0 or "default", 1 or "warn", 2 or "error".

    Raises:
        TypeError: neither a number nor a word.
        RuntimeError: another number or word.
    """
    global _deterministic
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, "
                f"but got {debug_mode}"
            )
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    _deterministic = debug_mode


def get_deterministic_debug_mode() -> int:
    """0: not asked for deterministic algorithms; 1: would warn; 2: would raise."""
    return _deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 matrices to be less precise; they are not, on this CPU.

    Args:
        precision: "highest", "high" or "medium"; another word is ignored, with a warning.
    """
    global _precision
    if precision not in _PRECISIONS:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
            "setFloat32MatmulPrecision call has no effect.",
            stacklevel=2,
        )
        return
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What ``set_float32_matmul_precision`` was told last: "highest" at the start."""
    return _precision


def set_flush_denormal(mode: bool) -> bool:
    """Ask by ``mode`` for denormal numbers to be taken as zero: False, they are kept here."""
    return False


def set_warn_always(b: bool, /) -> None:
    """Have PyTorch's once-only warnings come each time, as the bool ``b`` says.

    It is kept and read back; here Python's own filters decide.
    """
    global _warn_always
    _warn_always = b


def is_warn_always_enabled() -> bool:
    """What ``set_warn_always`` was told last."""
    return _warn_always


def set_default_tensor_type(t: type | str, /) -> None:
    """Set the default dtype by a tensor type ``t``: ``torch.DoubleTensor`` or its name.

    Raises:
        TypeError: not a floating-point tensor type of the CPU.
    """
    name = t if isinstance(t, str) else f"torch.{getattr(t, '__name__', t)}"
    package, _, kind = name.rpartition(".")
    if package != "torch":
        raise TypeError(
            f"invalid type name {name!r}: set_default_tensor_type takes a type of the CPU, such as "
            "torch.FloatTensor; torch.set_default_dtype takes a dtype"
        )
    tensor_type = getattr(importlib.import_module("flambeau"), kind)
    if not tensor_type.dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    dtypes.set_default_dtype(tensor_type.dtype)
