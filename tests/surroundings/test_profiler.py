"""A profile names the operations and ranges that ran in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.profiler import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)

MODEL = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
X = torch.ones(2, 3)


def test_operations_gradients_and_ranges_are_counted() -> None:
    with profile(activities=[ProfilerActivity.CPU]) as found:
        with record_function("forward"):
            loss = MODEL(X).sum() * 2
        loss.backward()
    counts = {event.key: event.count for event in found.key_averages()}
    assert counts["forward"] == 1 and counts["aten::linear"] == 1 and counts["aten::mul"] == 1
    assert counts["AddmmBackward0"] == 1
    averages = {event.key: event for event in found.key_averages()}
    assert averages["forward"].cpu_time_total >= averages["aten::linear"].cpu_time_total
    assert averages["forward"].self_cpu_time_total < averages["forward"].cpu_time_total
    table = found.key_averages().table(sort_by="cpu_time_total")
    assert "Self CPU time total" in table
    order = sorted(averages.values(), key=lambda event: -event.cpu_time_total)
    rows = [line.split()[0] for line in table.splitlines()[3:-2]]
    assert rows == [event.key for event in order]
    short = found.key_averages().table(sort_by="cpu_time_total", row_limit=2)
    assert [line.split()[0] for line in short.splitlines()[3:-2]] == rows[:2]


def test_nothing_is_hooked_outside() -> None:
    before = sys.getprofile()
    with pytest.raises(KeyError), profile():
        raise KeyError
    assert sys.getprofile() is before
    with record_function("nothing"):
        pass

    @record_function("named")
    def double(x: int) -> int:
        return 2 * x

    with profile() as found:
        assert double(2) == 4
    assert [event.name for event in found.events()] == ["named"]


def test_two_profiles_at_once_are_refused() -> None:
    with profile(), pytest.raises(RuntimeError, match="another one is on"):
        profile().start()


def test_a_schedule_repeats_its_cycle() -> None:
    actions = [schedule(wait=1, warmup=1, active=2, repeat=1, skip_first=1)(i) for i in range(6)]
    none, warm, record, save = ProfilerAction
    assert actions == [none, none, warm, record, save, none]


def test_only_active_steps_are_recorded_and_handed_over(tmp_path: Path) -> None:
    seen = []
    plan = schedule(wait=1, warmup=1, active=2, repeat=1)
    with profile(schedule=plan, on_trace_ready=lambda p: seen.append(p)) as found:
        for _ in range(7):
            MODEL(X)
            found.step()
    assert len(seen) == 1
    counts = {event.key: event.count for event in found.key_averages()}
    assert counts["aten::linear"] == 2
    tensorboard_trace_handler(str(tmp_path))(found)
    (file,) = tmp_path.iterdir()
    events = json.loads(file.read_text())["traceEvents"]
    assert sum(event["name"] == "aten::linear" for event in events) == 2


def test_the_former_profiler_is_there() -> None:
    with torch.autograd.profiler.profile() as found:
        MODEL(X)
    assert "aten::linear" in str(found)
    with torch.autograd.profiler.profile(enabled=False) as nothing:
        MODEL(X)
    assert nothing.events() == []


def test_what_is_not_recorded_is_said() -> None:
    with pytest.warns(UserWarning, match="only times are recorded, without record_shapes"):
        profile(record_shapes=True)
