"""Machine code that is the same for every program: made once, and kept on disk like theirs."""

from __future__ import annotations

from . import cache as disk_cache
from . import runtime
from .lowered import Program


def kept_object(source: str) -> bytes:
    """The object file of LLVM code."""
    key = disk_cache.source_key(source, runtime.target_description())
    kept = disk_cache.load(key)
    if kept is not None:
        (code,) = kept[1]
        return code
    code = runtime.object_code(source)
    disk_cache.store(key, Program(source, [], 0), [code])
    return code


_LOADED: dict[str, runtime.LoadedCode] = {}


def fixed_code(source: str) -> runtime.LoadedCode:
    """The functions of LLVM code, in memory as long as the process lives."""
    found = _LOADED.get(source)
    if found is None:
        # another thread may have loaded it meanwhile: there are callers of what it has
        found = _LOADED.setdefault(source, runtime.LoadedCode(kept_object(source)))
    return found


__all__ = ["fixed_code", "kept_object"]
