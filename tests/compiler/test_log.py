"""``FLAMBEAU_LOG``: what the compiler says of its decisions."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import log_settings, nn


@pytest.fixture
def set_up() -> Iterator[object]:
    """:func:`flambeau.log_settings.set_up`, undone at the end."""
    names = [f"flambeau.{name}" for name in log_settings.NAMES]
    before = {n: (logging.getLogger(n).level, logging.getLogger(n).propagate) for n in names}
    yield log_settings.set_up
    for name, (level, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers.clear()


SCALE = 2.0


def make_step():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @torch.compile
    def step(x):
        optimizer.zero_grad()
        loss = model(x).pow(2).mean() * SCALE
        loss.backward()
        optimizer.step()
        return loss

    return step, model


def test_nothing_is_said_unless_asked_for(capfd):
    step, _ = make_step()
    for _ in range(5):
        step(torch.ones(6, 3))
    out, err = capfd.readouterr()
    assert out == "" and err == ""


def test_captures_and_compile_times_are_logged(set_up, capfd):
    set_up("compile")
    step, _ = make_step()
    for _ in range(5):
        step(torch.ones(6, 3))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == ("flambeau.compile.capture: step: a new kind of arguments: (float32[6, 3])")
    assert sum("variant 1 captured in" in line for line in lines) == 2
    (times,) = [line for line in lines if "the program of variant 1" in line]
    for stage in ("cache", "lowering", "code", "LLVM", "loading"):
        assert stage in times


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("value", "the value of 'SCALE' is 5.0, was 2.0"),
        ("mode", "model is in eval mode, was in train mode"),
        ("requires_grad", "requires_grad of model.0.weight is False, was True"),
        ("shape", "model.2.weight is float32[2, 4], was float32[1, 4]"),
    ],
)
def test_a_failed_guard_is_named(set_up, capfd, monkeypatch, change, reason):
    set_up("compile.guards")
    step, model = make_step()
    for _ in range(4):
        step(torch.ones(6, 3))
    capfd.readouterr()
    if change == "value":
        monkeypatch.setitem(globals(), "SCALE", 5.0)
    elif change == "mode":
        model.eval()
    elif change == "requires_grad":
        model[0].weight.requires_grad_(False)
    else:
        for parameter in model.parameters():
            parameter.grad = None
        model[2].weight.data = torch.ones(2, 4)
        model[2].bias.data = torch.ones(2)
    step(torch.ones(6, 3))
    lines = capfd.readouterr().err.splitlines()
    assert f"flambeau.compile.guards: step: a guard of variant 1 failed: {reason}" in lines
    assert "flambeau.compile.guards: step: variant 2, eager at first" in lines


def test_a_fallback_is_logged_with_its_line(set_up, capfd):
    set_up("compile.fallback")

    @torch.compile
    def branching(x):
        return x if x.sum() > 0 else -x

    with pytest.warns(UserWarning, match="branching runs eagerly") as caught:
        for _ in range(3):
            branching(torch.ones(2))
    assert caught[0].filename == __file__
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("flambeau.compile.fallback: branching runs eagerly: bool() needs")
    assert f"{os.path.basename(__file__)}:" in line
    assert "return x if x.sum() > 0 else -x" in line


def test_the_disk_cache_is_logged(set_up, capfd, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    set_up("compile.cache")
    for _ in range(2):
        function = torch.compile(lambda x: x.sin() + 1)
        for _ in range(4):
            function(torch.ones(3))
    words = [line.split(": ")[1].split(" ")[0] for line in capfd.readouterr().err.splitlines()]
    assert words == ["no", "stored", "found"]


def test_several_names_and_more_detail(set_up):
    set_up("compile.cache, +compile.guards")
    assert logging.getLogger("flambeau.compile.cache").level == logging.INFO
    assert logging.getLogger("flambeau.compile.guards").level == logging.DEBUG
    assert not logging.getLogger("flambeau.compile.time").isEnabledFor(logging.INFO)


def test_an_unknown_name_is_warned_about_and_the_others_count(set_up):
    with pytest.warns(UserWarning, match="'kompile'.*the names are compile, compile.capture"):
        set_up("kompile,compile.time")
    assert logging.getLogger("flambeau.compile.time").isEnabledFor(logging.INFO)


def test_setting_up_twice_writes_once(set_up, capfd):
    set_up("compile")
    set_up("compile")
    logging.getLogger("flambeau.compile.time").info("once")
    assert capfd.readouterr().err == "flambeau.compile.time: once\n"


def test_the_environment_variable_is_read_at_import():
    program = (
        "import flambeau as torch\n"
        "f = torch.compile(lambda x: x * 2)\n"
        "for _ in range(4): f(torch.ones(2))\n"
    )
    for setting, expected in (("compile", "captured in"), ("other", "FLAMBEAU_LOG names 'other'")):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "FLAMBEAU_LOG": setting, "FLAMBEAU_CACHE": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert expected in ran.stderr
        assert ran.stdout == ""


def test_a_program_may_use_logging_itself(caplog):
    with caplog.at_level(logging.INFO, "flambeau.compile"), warnings.catch_warnings():
        function = torch.compile(lambda x: x * 2)
        for _ in range(4):
            function(torch.ones(2))
    assert any("captured in" in record.getMessage() for record in caplog.records)
