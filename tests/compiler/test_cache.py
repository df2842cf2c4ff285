"""Compiled programs are kept on disk, and never trusted blindly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler import cache
from flambeau.compiler.executable import Executable, compile_graph
from flambeau.compiler.graph import Graph

from .graphs import graph_of

TABLE = np.arange(30, dtype=np.float32)


def program(factor: float = 2.0) -> Graph:
    return graph_of(lambda a: xp.exp(a * factor) + TABLE, [np.ones(30, np.float32)])


def result(executable: Executable) -> np.ndarray:
    return executable([np.linspace(-1, 1, 30, dtype=np.float32)])[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(place: Path) -> list[Path]:
    return sorted(place.glob("*.program"))


def test_a_second_compilation_comes_from_the_cache(place: Path) -> None:
    first = compile_graph(program())
    second = compile_graph(program())
    assert not first.cached
    assert second.cached
    np.testing.assert_array_equal(result(first), result(second))
    assert [k.computes for k in first.kernels] == [k.computes for k in second.kernels]
    assert first.source == second.source
    assert [p.suffix for p in place.iterdir()] == [".program"]


def test_another_program_is_another_entry(place: Path) -> None:
    compile_graph(program(2.0))
    assert not compile_graph(program(2.5)).cached
    assert len(entries(place)) == 2


def test_constants_are_part_of_the_key(place: Path) -> None:
    keys = {
        cache.graph_key(graph_of(lambda a, t=table: a + t, [np.ones(3, np.float32)]), "cpu")
        for table in (np.zeros(3, np.float32), np.array([0, 0, 1], np.float32))
    }
    assert len(keys) == 2


def test_the_cpu_is_part_of_the_key() -> None:
    assert cache.graph_key(program(), "a") != cache.graph_key(program(), "b")


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "rubbish", "hostile"])
def test_a_damaged_entry_is_ignored_and_replaced(place: Path, damage: str) -> None:
    expected = result(compile_graph(program()))
    (entry,) = entries(place)
    content = bytearray(entry.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "changed":
        content[len(content) // 2] ^= 1
    elif damage == "empty":
        content = bytearray()
    elif damage == "rubbish":
        content = bytearray(b"rubbish" * 100)
    else:
        import hashlib

        body = b"cos\nsystem\n(S'false'\ntR."
        content = bytearray(cache._MAGIC + hashlib.sha256(body).digest() + body)
    entry.write_bytes(content)
    executable = compile_graph(program())
    assert not executable.cached
    np.testing.assert_array_equal(result(executable), expected)
    assert compile_graph(program()).cached


@pytest.mark.parametrize("value", ["", "0"])
def test_the_cache_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", value)
    assert cache.directory() is None
    compile_graph(program())
    assert not compile_graph(program()).cached


def test_a_directory_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path / "file" / "cache"))
    assert result(compile_graph(program())).shape == (30,)


def test_the_entries_used_longest_ago_are_removed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    compile_graph(program(1.0))
    (first,) = entries(place)
    os.utime(first, (1, 1))
    monkeypatch.setenv("FLAMBEAU_CACHE_SIZE", str(int(first.stat().st_size * 2.5)))
    compile_graph(program(2.0))
    compile_graph(program(3.0))
    assert len(entries(place)) == 2
    assert first not in entries(place)
