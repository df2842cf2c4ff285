"""A long compilation says so; a short one, or one that nobody watches, does not."""

from __future__ import annotations

import io
import logging
import sys

import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau.compiler import progress
from flambeau.compiler.progress import Notice


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown(written: str) -> str:
    """What a terminal shows after ``written``."""
    lines = [line.split("\x1b[K")[-1] for line in written.split("\n")]
    return "\n".join(lines)


def test_a_short_compilation_is_silent(clock: Clock) -> None:
    stream = io.StringIO()
    notice = Notice("step", stream, True, clock)
    clock.now += 0.75
    assert notice.tick() == 0.25
    notice.finish()
    assert stream.getvalue() == ""


def test_a_long_one_counts_the_seconds_in_one_line(clock: Clock) -> None:
    stream = io.StringIO()
    notice = Notice("step", stream, True, clock)
    clock.now += 1
    notice.tick()
    assert shown(stream.getvalue()) == "flambeau: compiling step ... 1 s"
    notice.stage = "LLVM"
    clock.now += 2
    notice.tick()
    assert shown(stream.getvalue()) == "flambeau: compiling step ... 3 s, LLVM"
    clock.now += 0.5
    notice.finish()
    assert shown(stream.getvalue()) == "flambeau: compiling step took 3.5 s\n"


def test_nothing_is_written_after_the_end(clock: Clock) -> None:
    stream = io.StringIO()
    notice = Notice("step", stream, True, clock)
    clock.now += 3
    notice.finish()
    notice.tick()
    assert stream.getvalue() == ""


def test_what_is_no_terminal_gets_whole_lines(clock: Clock) -> None:
    stream = io.StringIO()
    notice = Notice("step", stream, False, clock)
    for _ in range(3):
        clock.now += 1
        notice.tick()
    notice.finish()
    assert stream.getvalue() == (
        "flambeau: compiling step ...\nflambeau: compiling step took 3.0 s\n"
    )


def test_a_closed_stream_is_no_error(clock: Clock) -> None:
    stream = io.StringIO()
    stream.close()
    notice = Notice("step", stream, True, clock)
    clock.now += 2
    notice.tick()
    notice.finish()


def compile_something() -> None:
    function = torch.compile(lambda x: x.exp() * 3)
    for _ in range(4):
        function(torch.ones(5))


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[Notice]:
    """The notices of compilations, whose patience is at an end at once."""
    made: list[Notice] = []

    class Recorded(Notice):
        def __init__(self, *args: object) -> None:
            clock = Clock()
            super().__init__(*args, clock)  # type: ignore[arg-type]
            clock.now += 2
            made.append(self)

        def finish(self) -> None:
            self.tick()
            super().finish()

    monkeypatch.setattr(progress, "Notice", Recorded)
    return made


def test_on_a_terminal_a_compilation_is_announced(monkeypatch, notices) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    compile_something()
    assert shown(stream.getvalue()).splitlines()[-1] == "flambeau: compiling <lambda> took 2.0 s"
    assert {n.stage for n in notices} == {"comparison with NumPy"}


def test_elsewhere_it_is_not(monkeypatch, notices) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    compile_something()
    assert not notices
    assert stream.getvalue() == ""


def test_elsewhere_it_is_where_the_log_is_asked_for(monkeypatch, notices) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logger = logging.getLogger("flambeau.compile")
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        compile_something()
    finally:
        logger.setLevel(level)
    assert "flambeau: compiling <lambda> ...\n" in stream.getvalue()


def test_without_standard_error_it_is_silent(monkeypatch, notices) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    compile_something()
    assert not notices


def test_an_error_ends_the_notice(monkeypatch, notices) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)

    def function(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), progress.compiling("f"):
        function(1)
    assert shown(stream.getvalue()).endswith("flambeau: compiling f took 2.0 s\n")
