"""Checkpoints are written whole or not at all, and read without trust."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import flambeau as torch
from flambeau.training.checkpoint import CheckpointError, read_checkpoint, write_checkpoint

STATE = {
    "recipe": "iris",
    "settings": {"epochs": 3, "lr": 0.1},
    "epoch": 1,
    "step": 2,
    "random": torch.arange(3),
    "sums": [0.5, 1, 2],
    "model": {"weight": torch.ones(2)},
    "optimizer": {"state": {}},
    "history": {"epoch": torch.tensor([1.0])},
}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(STATE, path)
    state = read_checkpoint(path)
    assert {key: state[key] for key in ("recipe", "settings", "sums")} == {
        key: STATE[key] for key in ("recipe", "settings", "sums")
    }
    assert torch.equal(state["model"]["weight"], torch.ones(2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(STATE, path)
    with pytest.raises(Exception, match="lambda|pickle"):
        write_checkpoint({**STATE, "model": lambda: None}, path)
    assert read_checkpoint(path)["epoch"] == 1


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(STATE, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt cannot be read"):
        read_checkpoint(path)


def test_a_hostile_file_runs_nothing(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    for name, write in (
        ("zip.pt", lambda path: torch.save({"model": Hostile()}, path)),
        ("pickle.pt", lambda path: path.write_bytes(pickle.dumps(Hostile()))),
    ):
        write(tmp_path / name)
        with pytest.raises(CheckpointError, match=name):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        read_checkpoint(path)
    torch.save({"weight": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        read_checkpoint(path)
    torch.save({**STATE, "format": 99}, path)
    with pytest.raises(CheckpointError, match="format 99"):
        read_checkpoint(path)
