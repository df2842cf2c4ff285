"""Statements timed: the clock is the test's own, so that the times are known."""

from __future__ import annotations

import itertools

import pytest

import flambeau as torch
from flambeau.utils import benchmark


def clock() -> object:
    return itertools.count().__next__  # a second passes at each look


def test_a_statement_runs_as_often_as_asked() -> None:
    ran: list[int] = []
    timer = benchmark.Timer("ran.append(1)", globals={"ran": ran}, timer=clock())
    found = timer.timeit(10)
    assert len(ran) == 12  # two before, which are not timed
    assert found.median == found.mean == 0.1 and found.times == [0.1]
    assert "100.00 ms" in repr(found) and "10 runs per measurement" in repr(found)


def test_blocks_add_up_to_the_time_asked_for() -> None:
    timer = benchmark.Timer("pass", timer=clock())
    assert timer.blocked_autorange(min_run_time=5).raw_times == [1] * 5


def test_threads_are_set_for_the_statement_only() -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    benchmark.Timer(
        "seen.append(torch.get_num_threads())", globals={"seen": seen, "torch": torch}
    ).timeit(2)
    assert set(seen) == {1} and torch.get_num_threads() == before


def test_measurements_are_compared_in_a_table() -> None:
    results = [
        benchmark.Measurement(1, [t], label="sum", sub_label=s, description=d)
        for t, s, d in ((1, "small", "ours"), (2e-3, "small", "theirs"), (3e-6, "big", "ours"))
    ]
    table = str(benchmark.Compare(results)).splitlines()
    assert "sum" in table[0] and table[1].split() == ["ours", "theirs"]
    assert table[2].split() == ["small", "(1)", "1.00", "s", "2.00", "ms"]
    assert table[3].split() == ["big", "(1)", "3.00", "us"]
    with pytest.raises(ValueError, match="Python"):
        benchmark.Timer(language="c++")


def test_code_for_c_plus_plus_is_refused() -> None:
    with pytest.raises(ValueError, match="global_setup is C\\+\\+ only, got `x = 1`"):
        benchmark.Timer("pass", global_setup="x = 1")
