"""`flambeau compare`: what it prints and writes, how it stops, what it refuses."""

from __future__ import annotations

import csv
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flambeau.cli import main
from flambeau.training import RECIPES

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")


@pytest.fixture
def compare(monkeypatch: Any, tmp_path: Path) -> Any:
    """`flambeau compare` in this process, in an empty folder: gives the exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> int:
        try:
            return main(["compare", *map(str, words)])
        except SystemExit as exit:  # argparse's
            return int(exit.code or 0)

    return run


def test_one_command_compares_optimizers_on_the_digits(flambeau: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ("--vary", "optimizer=sgd,adam,adagrad", "--epochs", 20, "--jobs", 2)
    done = flambeau("compare", "digits-fnn", *words)
    assert done.returncode == 0, done.stderr
    table = [line.split() for line in done.stdout.splitlines()]
    assert table[0][0] == "optimizer"
    assert [line[0] for line in table[1:4]] == ["sgd", "adam", "adagrad"]
    out = tmp_path / "runs" / "compare-digits-fnn"
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
    with open(out / "comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["optimizer"], row["epoch"]) for row in rows] == [
        (optimizer, epoch) for optimizer in ("sgd", "adam", "adagrad") for epoch in ("10", "20")
    ]


def test_seeds_and_combinations(compare: Any, capsys: Any) -> None:
    words = ("--vary", "lr=0.1,0.01", "--vary", "batch-size=50,100", "--seeds", 2, "--epochs", 2)
    assert compare("circles", *words, "--jobs", 1, "--out", "out") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["0.1", "50"], ["0.1", "100"], ["0.01", "50"], ["0.01", "100"],
    ]  # fmt: skip
    assert " to " in lines[1] and "the mean of 2 seeds" in lines[5]
    assert "8/8  0.01, 100, seed 2021: train loss" in said.err


def test_the_recipe_s_own_comparison_is_the_default(compare: Any, capsys: Any) -> None:
    assert compare("sine", "--epochs", 100, "--jobs", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["0.001", "0.0001", "1e-05", "1e-06"]


def test_a_picture_by_iterations_where_the_recipe_has_one(
    compare: Any, capsys: Any, monkeypatch: Any
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(RECIPES, "circles", replace(RECIPES["circles"], panels_of="momentum"))
    words = ("--optimizer", "sgd", "--vary", "momentum=0,0.9", "--seeds", 2, "--epochs", 2)
    assert compare("circles", *words, "--jobs", 1, "--out", "out") == 0
    assert "steps    out/iterations.png" in capsys.readouterr().out
    assert Path("out/iterations.png").read_bytes().startswith(b"\x89PNG")
    assert compare("circles", "--vary", "lr=0.1", "--epochs", 1, "--jobs", 1, "--out", "no") == 0
    assert not Path("no/iterations.png").exists()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_runs_that_diverge_are_marked(compare: Any, capsys: Any) -> None:
    assert compare("sine", "--vary", "lr=1,1e-3", "--epochs", 200, "--jobs", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("diverged") and not lines[2].endswith("diverged")
    assert compare("sine", "--vary", "lr=1,2", "--epochs", 200, "--jobs", 1) == 1
    assert "no run came to its end" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_is_done_and_leaves_nothing_behind(
    start_flambeau: Any, tmp_path: Path
) -> None:
    words = ("--vary", "epochs=1,900000,900001", "--jobs", 2, "--out", "out")
    process = start_flambeau("compare", "circles", *words)
    for line in process.stderr:  # the short run is done, the others are under way
        if line.startswith("1/3"):
            break
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, complaints = process.communicate(timeout=60)  # its children held the pipes open
    assert process.returncode == 130
    assert time.monotonic() - began < 30
    assert "stopped after 1 of 3 runs" in said
    assert "Traceback" not in complaints
    assert (tmp_path / "out" / "comparison.csv").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_its_processes_end_with_it_when_it_is_killed(start_flambeau: Any) -> None:
    words = ("--vary", "epochs=1,900000,900001", "--jobs", 2, "--out", "out")
    process = start_flambeau("compare", "circles", *words)
    for line in process.stderr:
        if line.startswith("1/3"):
            break
    process.kill()
    process.communicate(timeout=60)  # comes to an end when the last of them has closed its pipes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "required: recipe"),
        (("digit-fnn",), "did you mean digits-fnn"),
        (("circles", "--vary", "lr"), "write NAME=VALUE,VALUE,... as in lr=0.1,0.01"),
        (("circles", "--vary", "lr="), "write NAME=VALUE"),
        (("circles", "--vary", "lr=fast"), "lr takes numbers"),
        (("circles", "--vary", "epochs=1.5"), "epochs takes whole numbers"),
        (("circles", "--vary", "depth=1,2"), "there is no setting 'depth'; there are epochs, lr"),
        (("circles", "--vary", "seed=1,2"), "write --seeds N"),
        (("circles", "--vary", "lr=1", "--vary", "lr=2"), "given twice"),
        (("circles", "--vary", "lr=0.1,0.1"), "a value is given twice"),
        (("circles", "--vary", "lr=0.1", "--lr", "1"), "cannot both vary and be 1.0"),
        (("circles", "--vary", "optimizer=sgd,lion"), "there is no optimizer 'lion'"),
        (("circles", "--vary", "momentum=0,0.9"), "adam takes no momentum"),
        (("circles", "--seeds", "0"), "1 seed or more, not 0"),
        (("circles", "--jobs", "0"), "1 job or more, not 0"),
        (("circles", "--smoothing", "1"), "smoothing must be from 0 to less than 1"),
    ],
)
def test_bad_arguments_are_refused_in_words(
    capsys: Any, compare: Any, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert compare(*words) == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
