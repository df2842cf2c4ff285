"""Programs marked for TorchScript run as Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import flambeau as torch
from flambeau import jit, nn


def test_scripted_and_traced_are_what_was_given() -> None:
    module = nn.Linear(2, 2)
    assert jit.script(module) is module
    assert jit.trace(module, torch.ones(1, 2)) is module
    assert jit.freeze(module.eval()) is module
    assert not jit.is_scripting() and not jit.is_tracing()


def test_decorators_leave_functions_as_they_are() -> None:
    @jit.script
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @jit.ignore
    def one() -> int:
        return 1

    @jit.ignore(drop=True)
    def two() -> int:
        return 2

    assert double(torch.ones(1)).item() == 2
    assert one() + two() == 3
    assert jit.wait(jit.fork(double, torch.ones(1))).item() == 2


def test_types_of_containers_are_asked_for_their_contents() -> None:
    assert jit.isinstance([1, 2], list[int])
    assert not jit.isinstance([1, "a"], list[int])
    assert jit.isinstance({"a": [1]}, dict[str, list[int]])
    assert jit.isinstance((1, None), tuple[int, int | None])
    with pytest.raises(RuntimeError, match="without a contained type"):
        jit.isinstance([1], list)


def test_a_module_in_training_is_not_frozen() -> None:
    with pytest.raises(RuntimeError, match="eval mode"):
        jit.freeze(nn.Linear(1, 1))


def test_archives_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="state_dict"):
        jit.save(nn.Linear(1, 1), tmp_path / "m.pt")
    with pytest.raises(RuntimeError, match="load_state_dict"):
        jit.load(tmp_path / "m.pt")
