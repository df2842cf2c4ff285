"""Checkpoints of a training run: one file that holds all that the rest of the run depends on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import flambeau as torch

__all__ = ["FORMAT", "CheckpointError", "read_checkpoint", "read_weights", "write_checkpoint"]

FORMAT = 1
_KEYS = frozenset(
    ("recipe", "settings", "epoch", "step", "random", "sums", "model", "optimizer", "history")
)


class CheckpointError(RuntimeError):
    """A checkpoint that is not there, cannot be read, or is of another run."""


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, replacing the file in one go: an interruption leaves the old one.

    Arguments:
        state: what `Run.state` gives.
        path: the file.
    """
    partial = path.with_name(path.name + ".partial")
    torch.save({"format": FORMAT, **state}, partial)
    os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in the file is executed.

    Arguments:
        path: the file.

    Returns:
        The state that `write_checkpoint` was given, for `Run.restore`.

    Raises:
        CheckpointError: there is no such file, or it is not a whole checkpoint of this kind.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        state = torch.load(path, weights_only=True)
    except Exception as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read: {error}") from error
    if not isinstance(state, dict) or "format" not in state or not _KEYS <= state.keys():
        raise CheckpointError(f"{path} is not a checkpoint of `flambeau train`")
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"the checkpoint {path} is of format {state['format']!r}; this flambeau reads {FORMAT}"
        )
    return state


def read_weights(path: Path) -> dict[str, Any]:
    """Read a model's state dict out of a file of `torch.save`; nothing in it is executed.

    Arguments:
        path: a state dict, or a dict with one under `model`, `model_state_dict` or `state_dict`,
            written by PyTorch or flambeau.

    Returns:
        The state dict.

    Raises:
        CheckpointError: there is no such file, or no state dict in it.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    try:
        found = torch.load(path, weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if isinstance(found, dict):
        for name in ("model", "model_state_dict", "state_dict"):
            if isinstance(found.get(name), dict):
                found = found[name]
                break
        if found and all(isinstance(value, torch.Tensor) for value in found.values()):
            return found
    raise CheckpointError(f"{path} holds no state dict of a model")
