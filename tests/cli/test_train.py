"""`flambeau train`: what it writes, how it stops and goes on, what it refuses."""

from __future__ import annotations

import csv
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from flambeau.cli import main

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")


def same_state(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return first.shape == second.shape and bool((first == second).all() | first.isnan().all())
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same_state(first[key], second[key]) for key in first
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same_state, first, second))
    return bool(first == second)


def test_a_run_leaves_checkpoint_metrics_and_curves(flambeau: Any, tmp_path: Path) -> None:
    done = flambeau("train", "circles", "--out", "out", "--epochs", "5")
    assert done.returncode == 0, done.stderr
    assert "Total params" in done.stdout  # the summary
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert 0 <= float(rows[-1]["test_accuracy"]) <= 1
    checkpoint = torch.load(tmp_path / "out" / "checkpoint.pt")
    assert checkpoint["epoch"] == 5 and "0.weight" in checkpoint["model"]
    pytest.importorskip("matplotlib")
    for name in ("curves.png", "regions.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_the_default_is_the_digits_cnn_and_it_learns(flambeau: Any, tmp_path: Path) -> None:
    done = flambeau("train", "--epochs", 300)  # of 1000: what PyTorch has after as many is 97.2 %
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "runs" / "digits-cnn" / "metrics.csv", newline="") as file:
        assert float(list(csv.DictReader(file))[-1]["test_accuracy"]) >= 0.96


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_leaves_a_checkpoint_and_resume_ends_where_the_run_would_have(
    flambeau: Any, start_flambeau: Any, tmp_path: Path
) -> None:
    words = ("train", "iris", "--epochs", "40", "--batch-size", "3", "--seed", "5")
    assert flambeau(*words, "--out", "whole").returncode == 0

    process = start_flambeau(*words, "--out", "parts")
    for line in process.stderr:  # the first row of the metrics: it is under way
        if line.startswith("epoch"):
            break
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in said
    stopped = torch.load(tmp_path / "parts" / "checkpoint.pt")
    assert 0 < stopped["epoch"] < 40

    done = flambeau("train", "iris", "--out", "parts", "--resume")
    assert done.returncode == 0, done.stderr
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert (whole / "metrics.csv").read_bytes() == (parts / "metrics.csv").read_bytes()
    assert same_state(torch.load(whole / "checkpoint.pt"), torch.load(parts / "checkpoint.pt"))


@pytest.fixture
def train(monkeypatch: Any, tmp_path: Path) -> Any:
    """`flambeau train` in this process, in an empty folder: gives the exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> int:
        try:
            return main(["train", *map(str, words)])
        except SystemExit as exit:  # argparse's
            return int(exit.code or 0)

    return run


def test_resume_trains_for_more_epochs(train: Any) -> None:
    assert train("circles", "--epochs", 9, "--out", "whole") == 0
    assert train("circles", "--epochs", 4, "--out", "parts") == 0
    assert train("circles", "--epochs", 9, "--out", "parts", "--resume") == 0
    assert Path("parts/metrics.csv").read_bytes() == Path("whole/metrics.csv").read_bytes()


def test_resuming_a_run_that_is_done_is_no_error(train: Any) -> None:
    assert train("circles", "--epochs", 2, "--out", "out") == 0
    assert train("circles", "--out", "out", "--resume") == 0


# One of each kind of picture; regions are drawn above.
@pytest.mark.parametrize(
    ("recipe", "picture"),
    [
        ("sine", "fit.png"),
        ("multiple-regression", "fit.png"),
        ("deep-regression", "fit.png"),
        ("iris", "answers.png"),
        ("digits-logistic", "answers.png"),
        ("digits-cnn", "answers.png"),
    ],
)
def test_a_run_leaves_a_picture_of_what_was_learnt(train: Any, recipe: str, picture: str) -> None:
    pytest.importorskip("matplotlib")
    assert train(recipe, "--epochs", 1, "--out", "out") == 0
    assert Path("out", picture).read_bytes().startswith(b"\x89PNG")


def test_a_run_begins_with_the_weights_of_a_file(train: Any, capsys: Any) -> None:
    assert train("circles", "--epochs", 4, "--out", "a") == 0
    assert (
        train("circles", "--epochs", 1, "--lr", 1e-9, "--out", "b", "--weights", "a/checkpoint.pt")
        == 0
    )
    first, second = (torch.load(Path(out, "checkpoint.pt"))["model"] for out in "ab")
    for name, value in first.items():
        assert torch.allclose(second[name], value, atol=1e-6)
    assert train("iris", "--weights", "a/checkpoint.pt") == 2
    assert "a/checkpoint.pt does not fit iris" in capsys.readouterr().err
    assert train("iris", "--weights", "nowhere.pt") == 2
    assert "--weights: there is no file nowhere.pt" in capsys.readouterr().err


def test_pytorch_s_weights_are_continued_and_handed_back(train: Any) -> None:
    pytorch: Any = pytest.importorskip("torch")
    theirs = pytorch.nn.Sequential(
        pytorch.nn.Linear(64, 64), pytorch.nn.ReLU(), pytorch.nn.Linear(64, 10)
    )
    from flambeau import datasets

    x, y = (pytorch.from_numpy(part.numpy()) for part in datasets.digits()[0].tensors)
    optimizer = pytorch.optim.SGD(theirs.parameters(), lr=1e-3)

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            pytorch.nn.functional.cross_entropy(theirs(x), y).backward()
            optimizer.step()

    steps(20)
    pytorch.save(theirs.state_dict(), "theirs.pt")
    words = ("--momentum", 0, "--epochs", 10, "--weights", "theirs.pt", "--out", "out")
    assert train("digits-fnn", *words) == 0
    back = pytorch.load("out/checkpoint.pt", weights_only=True)["model"]
    steps(10)  # PyTorch goes on as well
    for name, value in theirs.state_dict().items():
        assert pytorch.allclose(back[name], value, atol=1e-4), name
    theirs.load_state_dict(back)


def test_the_seed_decides(train: Any) -> None:
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert train("circles", "--epochs", 2, "--out", out, "--seed", seed) == 0
    tables = [Path(out, "metrics.csv").read_bytes() for out in "abc"]
    assert tables[0] == tables[1] != tables[2]


def test_a_compiled_run_learns_the_same(train: Any) -> None:
    losses = []
    for out, options in (("eager", ()), ("compiled", ("--compile",))):
        assert train("circles", "--epochs", 3, "--out", out, *options) == 0
        with open(Path(out, "metrics.csv"), newline="") as file:
            losses.append([float(row["train_loss"]) for row in csv.DictReader(file)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_a_compiled_run_resumes_to_the_same_end(train: Any) -> None:
    assert train("circles", "--epochs", 6, "--out", "whole", "--compile") == 0
    assert train("circles", "--epochs", 2, "--out", "parts", "--compile") == 0
    assert train("circles", "--epochs", 6, "--out", "parts", "--resume") == 0
    assert Path("parts/metrics.csv").read_bytes() == Path("whole/metrics.csv").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("digit-cnn",), "did you mean digits-cnn"),
        (("nonsense",), "recipes: blobs, circles"),
        (("--lr", "-1"), "learning rate must be a positive number, not -1.0"),
        (("--lr", "nan"), "learning rate"),
        (("--lr", "fast"), "invalid float value: 'fast'"),
        (("--epochs", "0"), "epochs must be 1 or more, not 0"),
        (("--batch-size", "0"), "1 row or more, not 0"),
        (("--batch-size", "5000"), "more than the 1437 training rows"),
        (("--optimizer", "lion"), "invalid choice: 'lion'"),
        (("--optimizer", "adam", "--momentum", "0.9"), "adam takes no momentum"),
        (("--momentum", "-0.5"), "momentum must be 0 or more"),
        (("circles", "--activation", "tanh"), "circles has no activation to choose"),
        (("--weight-decay", "-1"), "weight decay must be 0 or more"),
        (("--seed", "99999999999999999999"), "64-bit"),
        (("--resume",), "there is no checkpoint"),
        (("--epoch", "3"), "unrecognized arguments"),
    ],
)
def test_bad_arguments_are_refused_in_words(
    capsys: Any, train: Any, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert train(*words) == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_checkpoint_of_another_run_is_refused(capsys: Any, train: Any) -> None:
    assert train("circles", "--epochs", 2, "--out", "out") == 0
    for words, said in (
        (["iris"], "a run of 'circles', not of 'iris'"),
        (["circles", "--lr", "0.5"], "begun with lr 0.1"),
        (["circles", "--epochs", "1"], "completed 2 epochs"),
    ):
        assert train(*words, "--out", "out", "--resume") == 2
        assert said in capsys.readouterr().err
    Path("out/checkpoint.pt").write_bytes(b"no checkpoint")
    assert train("circles", "--out", "out", "--resume") == 2
    assert "out/checkpoint.pt cannot be read" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_diverges_ends_the_run(capsys: Any, train: Any) -> None:
    assert train("circles", "--optimizer", "sgd", "--lr", "1e30") == 1
    assert "learning rate 1e+30 is perhaps too high" in capsys.readouterr().err
