"""Compiled programs kept on disk, so that a second process starts warm.

An entry is one file, named after a hash of everything that the machine code depends on: the graph,
the CPU and its features, and the versions of flambeau, its compiler and LLVM.  It is written beside
its place and moved there, so that processes can share the directory; an entry that is damaged is
as good as none.  ``FLAMBEAU_CACHE`` names the directory, ``FLAMBEAU_CACHE=0`` (or empty) means no
cache; ``FLAMBEAU_CACHE_SIZE`` is the limit in bytes (default 256 MiB), beyond which the entries
that were used longest ago are removed.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import sys
import time
import zlib
from contextlib import suppress
from dataclasses import astuple
from functools import cache
from typing import Any

import numpy as np

from ..version import FLAMBEAU_VERSION
from .graph import Graph, Value
from .log import cache_log
from .lowered import KernelReport, Program
from .plain_data import array_of, call_of, dtype_name, plain_array, plain_call

_MAGIC = b"flambeau program 4\n"
_SUFFIX = ".program"
_DEFAULT_SIZE = 256 << 20
_ABANDONED = 3600
"""Seconds after which nobody is writing a file any more."""


def directory() -> str | None:
    """Where entries are kept; None for no cache."""
    chosen = os.environ.get("FLAMBEAU_CACHE")
    if chosen is not None:
        return os.path.expanduser(chosen) if chosen not in ("", "0") else None
    if sys.platform == "darwin":
        base = "~/Library/Caches"
    elif sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return os.path.join(os.path.expanduser(base), "flambeau")


@cache
def _compiler_hash() -> bytes:
    """A hash of the compiler's own source: a change of it makes other code."""
    here = os.path.dirname(__file__)
    digest = hashlib.sha256()
    for folder in (here, os.path.join(here, "codegen")):
        with suppress(OSError):
            for name in sorted(os.listdir(folder)):
                if name.endswith(".py"):
                    with open(os.path.join(folder, name), "rb") as file:
                        digest.update(file.read())
    return digest.digest()


def attribute_text(value: Any) -> str:
    if isinstance(value, np.dtype):
        return dtype_name(value)
    if isinstance(value, (list, tuple)):
        return f"({','.join(map(attribute_text, value))})"
    if isinstance(value, slice):
        return f"slice({value.start},{value.stop},{value.step})"
    if isinstance(value, (float, np.floating)):
        return f"{type(value).__name__}:{float(value).hex()}"
    return f"{type(value).__name__}:{value!r}"


def graph_key(graph: Graph, target: str) -> str:
    """The name under which the program of ``graph`` for ``target`` is kept."""
    if graph.digest is None:
        graph.digest = _digest(graph)
    digest = hashlib.sha256(_compiler_hash())
    digest.update(f"{FLAMBEAU_VERSION} {platform.machine()} {sys.platform} {target}".encode())
    digest.update(graph.digest)
    return digest.hexdigest()


def _digest(graph: Graph) -> bytes:
    kinds: dict[Any, int] = {}
    """The shapes and dtypes, numbered."""
    names: list[tuple[tuple[int, ...], str]] = []

    def kind(value: Value) -> int:
        key = value.shape, id(value.dtype)
        found = kinds.get(key)
        if found is None:
            found = kinds[key] = len(kinds)
            names.append((value.shape, dtype_name(value.dtype)))
        return found

    number = {id(value): i for i, value in enumerate(graph.inputs)}
    words: list[Any] = [kind(value) for value in graph.inputs]
    """Of each value the primitive, its kind, its operands and attributes."""
    add = words.append
    for value in graph.values():
        if id(value) in number:
            continue
        number[id(value)] = len(number)
        add(value.primitive)
        add(kind(value))
        for operand in value.operands:
            add(number[id(operand)])
        attributes = value.attributes
        if attributes:
            for name in sorted(attributes):
                attribute = attributes[name]
                if isinstance(attribute, np.ndarray):
                    content = attribute.tobytes()
                    if len(content) > 64:
                        content = hashlib.sha256(content).digest()
                    add((name, attribute.shape, content))
                else:
                    add((name, attribute_text(attribute)))
    outputs = [number[id(v)] for v in graph.outputs]
    updates = [(i, number[id(v)]) for i, v in sorted(graph.updates.items())]
    return hashlib.sha256(repr((words, outputs, updates, names)).encode()).digest()


def source_key(source: str, target: str) -> str:
    """The name under which what is compiled from ``source`` for ``target`` is kept."""
    return hashlib.sha256(f"{FLAMBEAU_VERSION} {target} {source}".encode()).hexdigest()


def has(key: str) -> bool:
    """Whether there is an entry."""
    place = directory()
    return place is not None and os.path.exists(_entry(place, key))


def _entry(place: str, key: str) -> str:
    return os.path.join(place, f"{key}{_SUFFIX}")


def load(key: str) -> tuple[Program, list[bytes]] | None:
    """The program kept under ``key`` and its object files; None if there is none to be used."""
    place = directory()
    if place is None:
        return None
    path = _entry(place, key)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        cache_log.info("no entry %s in %s", key[:12], place)
        return None
    except OSError as error:
        cache_log.info("entry %s cannot be read: %s", key[:12], error)
        return None
    with suppress(OSError):  # others may own the directory
        os.utime(path)
    found = _decoded(content)
    if found is None:
        cache_log.info("entry %s is damaged, and ignored", key[:12])
    else:
        cache_log.info("found entry %s (%d bytes)", key[:12], len(content))
    return found


def _decoded(content: bytes) -> tuple[Program, list[bytes]] | None:
    head = len(_MAGIC) + 32
    if not content.startswith(_MAGIC) or len(content) < head:
        return None
    body = content[head:]
    if hashlib.sha256(body).digest() != content[len(_MAGIC) : head]:
        return None
    try:
        fields = _Loader.loads(body)
        kernels = [KernelReport(*k) for k in fields["kernels"]]
        constants = [array_of(kept) for kept in fields["constants"]]
        hosts = [call_of(kept) for kept in fields["hosts"]]
        program = Program(
            fields["source"], constants, fields["arena_bytes"], kernels, fields["divided"], hosts
        )
        return program, fields["code"]
    except Exception:
        return None


class _Loader(pickle.Unpickler):
    """Reads plain data only."""

    @classmethod
    def loads(cls, content: bytes) -> Any:
        import io

        return cls(io.BytesIO(content)).load()

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"an entry of the cache names {module}.{name}")


def store(key: str, program: Program, code: list[bytes]) -> None:
    """Keep ``program`` and its object files under ``key``.

    A disk that cannot be written to is no error.
    """
    import tempfile  # takes long to import, and a process may have nothing to store

    place = directory()
    if place is None:
        return
    body = pickle.dumps(
        {
            "source": zlib.compress(program.source.encode(), 1),
            "arena_bytes": program.arena_bytes,
            "divided": program.divided,
            "kernels": [astuple(k) for k in program.kernels],
            "constants": [plain_array(a) for a in program.constants],
            "hosts": [plain_call(call) for call in program.hosts],
            "code": code,
        },
        protocol=4,
    )
    content = _MAGIC + hashlib.sha256(body).digest() + body
    try:
        os.makedirs(place, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, _entry(place, key))
        except BaseException:
            os.unlink(temporary)
            raise
        cache_log.info("stored entry %s (%d bytes)", key[:12], len(content))
        _shrink(place)
    except OSError as error:
        cache_log.info("entry %s cannot be stored: %s", key[:12], error)


def _shrink(place: str) -> None:
    """Remove the entries used longest ago until the limit is kept, and what was left half done."""
    try:
        limit = int(os.environ.get("FLAMBEAU_CACHE_SIZE", _DEFAULT_SIZE))
    except ValueError:
        limit = _DEFAULT_SIZE
    if limit < 0:
        limit = _DEFAULT_SIZE
    entries = []
    with os.scandir(place) as found:
        for entry in found:
            with suppress(OSError):
                if entry.name.endswith(_SUFFIX):
                    status = entry.stat()
                    entries.append((status.st_mtime, status.st_size, entry))
                elif entry.name.endswith(".new"):
                    if time.time() - entry.stat().st_mtime > _ABANDONED:
                        os.unlink(entry)
    total = sum(size for _, size, _ in entries)
    for _, size, entry in sorted(entries, key=lambda e: e[0]):
        if total <= limit:
            return
        try:
            os.unlink(entry)
        except OSError:
            continue
        total -= size
        cache_log.info("removed entry %s: more than %d bytes were kept", entry.name[:12], limit)


__all__ = ["attribute_text", "directory", "graph_key", "has", "load", "source_key", "store"]
