"""Compiled programs are kept on disk, and never trusted blindly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler import cache
from flambeau.compiler.entry import entry_address
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
    entry_address()  # what every program needs has entries of its own
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


WORKER = """
import sys, os, pathlib, random
import numpy as np
from tests.compiler.test_cache import program, result
from flambeau.compiler import cache
from flambeau.compiler.executable import compile_graph

place = pathlib.Path(cache.directory())
chance = random.Random(int(sys.argv[1]))
table = np.arange(30, dtype=np.float32)
for turn in range(12):
    factor = float(chance.randrange(1, 5))
    made = result(compile_graph(program(factor)))
    wanted = np.exp(np.linspace(-1, 1, 30, dtype=np.float32) * factor) + table
    np.testing.assert_allclose(made, wanted, rtol=1e-5)
    for entry in list(place.glob("*.program")):
        try:
            if chance.random() < 0.1:
                entry.unlink()
            elif chance.random() < 0.15:
                with open(entry, "r+b") as file:
                    file.truncate(chance.randrange(200))
        except FileNotFoundError:
            pass
print("done")
"""


def in_processes(count: int, code: str, place: Path, **variables: str) -> list[str]:
    """What so many processes print that run ``code`` at the same time."""
    import os
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    environment = {**os.environ, "FLAMBEAU_CACHE": str(place), "PYTHONPATH": str(root), **variables}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(i)],
            env=environment,
            cwd=root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        for i in range(count)
    ]
    printed = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        printed.append(out)
    return printed


def test_processes_share_a_directory_whose_entries_vanish_and_break(place: Path) -> None:
    assert in_processes(3, WORKER, place, FLAMBEAU_CACHE_SIZE="20000") == ["done\n"] * 3
    assert not list(place.glob("*.new"))


def test_another_process_finds_the_entry(place: Path) -> None:
    compile_graph(program())
    code = (
        "from tests.compiler.test_cache import program\n"
        "from flambeau.compiler.executable import compile_graph\n"
        "print(compile_graph(program()).cached)"
    )
    assert in_processes(1, code, place) == ["True\n"]


def test_the_limit_holds_after_every_store(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_graph(program(1.0))
    size = entries(place)[0].stat().st_size
    monkeypatch.setenv("FLAMBEAU_CACHE_SIZE", str(3 * size))
    for factor in range(2, 9):
        compile_graph(program(float(factor)))
        assert sum(e.stat().st_size for e in entries(place)) <= 3 * size
    assert len(entries(place)) in (2, 3)


def test_an_entry_that_is_used_is_kept_longer(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    compile_graph(program(1.0))
    (first,) = entries(place)
    compile_graph(program(2.0))
    (second,) = [e for e in entries(place) if e != first]
    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    assert compile_graph(program(1.0)).cached
    monkeypatch.setenv("FLAMBEAU_CACHE_SIZE", str(int(first.stat().st_size * 2.5)))
    compile_graph(program(3.0))
    assert first in entries(place)
    assert second not in entries(place)


@pytest.mark.parametrize("value", ["many", "", "-1"])
def test_a_limit_that_is_no_number_of_bytes_is_the_usual_one(
    place: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE_SIZE", value)
    compile_graph(program())
    assert compile_graph(program()).cached


def test_what_an_interrupted_process_left_is_removed(place: Path) -> None:
    import os

    place.mkdir()
    old, young = place / "tmpold.new", place / "tmpyoung.new"
    for path in (old, young):
        path.write_bytes(b"half an entry")
    os.utime(old, (1, 1))
    compile_graph(program())
    assert not old.exists()
    assert young.exists()  # another process may be writing it


def test_a_disk_that_is_full_leaves_nothing_behind(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    assert result(compile_graph(program())).shape == (30,)
    assert list(place.iterdir()) == []


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLAMBEAU_CACHE", "~/kept")
    assert cache.directory() == str(tmp_path / "kept")
    monkeypatch.delenv("FLAMBEAU_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if cache.sys.platform not in ("darwin", "win32"):
        assert cache.directory() == str(tmp_path / "cache" / "flambeau")
