"""The compiler's loggers; ``FLAMBEAU_LOG`` turns them on (:mod:`flambeau.log_settings`)."""

from __future__ import annotations

import logging

compile_log = logging.getLogger("flambeau.compile")
capture_log = logging.getLogger("flambeau.compile.capture")
guard_log = logging.getLogger("flambeau.compile.guards")
fallback_log = logging.getLogger("flambeau.compile.fallback")
cache_log = logging.getLogger("flambeau.compile.cache")
time_log = logging.getLogger("flambeau.compile.time")


def asked_for() -> bool:
    """Whether the user wants to hear of compilations."""
    return compile_log.isEnabledFor(logging.INFO) or time_log.isEnabledFor(logging.INFO)


def described_seconds(seconds: float) -> str:
    """A time as one reads it: ``3.2 ms``."""
    if seconds < 1e-6:
        return f"{seconds * 1e9:.0f} ns"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"


def described_kind(kind: object) -> str:
    """The key of a call's arguments in words; see ``_kind`` in :mod:`.compile`."""
    if isinstance(kind, tuple):
        if len(kind) == 4 and hasattr(kind[1], "kind") and isinstance(kind[0], tuple):
            shape, dtype, requires_grad, in_order = kind
            grad = ", requires grad" if requires_grad else ""
            grad += ", with hooks" if isinstance(requires_grad, tuple) else ""
            return f"{dtype}{list(shape)}{grad}{'' if in_order else ', not contiguous'}"
        if kind and kind[0] in (tuple, list):
            return f"({', '.join(described_kind(k) for k in kind[1:])})"
        if kind and kind[0] is dict:
            items = ", ".join(f"{k}={described_kind(v)}" for k, v in kind[1:])
            return f"{{{items}}}"
        if len(kind) == 2 and isinstance(kind[0], type):
            return repr(kind[1])
    return repr(kind)


def described_call(key: tuple[object, object, object]) -> str:
    """The kind of a whole call in words: its arguments, and whether gradients are recorded."""
    args, kwargs, grad, *_ = key
    text = described_kind(args)
    if kwargs is not None:
        text += f" {described_kind(kwargs)}"
    return text if grad else f"{text} without gradients"


__all__ = [
    "asked_for",
    "cache_log",
    "capture_log",
    "compile_log",
    "described_call",
    "described_kind",
    "described_seconds",
    "fallback_log",
    "guard_log",
    "time_log",
]
