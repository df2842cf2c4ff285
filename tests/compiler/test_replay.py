"""A second capture takes the values of the first, wherever they are what it would make."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.compiler import symbolic as xp
from flambeau.compiler.graph import Value, constant, input_value
from flambeau.compiler.replay import Replay
from flambeau.modes import MODES

from .agreement import squares_step

compile_module = sys.modules["flambeau.compiler.compile"]


class _Recording:
    """As much of a capture as values ask for."""

    origin = ("here", 1)

    def __init__(self, earlier: Replay | None = None) -> None:
        self.replay = Replay(earlier)


def _made(program: Any, monkeypatch: pytest.MonkeyPatch, earlier: Replay | None = None) -> Any:
    recording = _Recording(earlier)
    with monkeypatch.context() as patch:
        patch.setattr(MODES, "capture", recording)
        result = program()
    return result, recording.replay


def _program(factor: float = 2.0, axis: Any = (0,), rows: int = 3, dtype: Any = np.float32) -> Any:
    def program() -> list[Value]:
        x = input_value((rows, 4), np.dtype(dtype))
        y = xp.mul(x, constant(np.array([1, 2, 3, 4], dtype)))
        return [x, y, xp.sum(xp.mul(y, factor), axis, False)]

    return program


def test_what_is_the_same_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, replay = _made(_program(), monkeypatch)
    second, again = _made(_program(), monkeypatch, replay)
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert again.made == replay.made
    third, _ = _made(_program(), monkeypatch, again)
    assert third[-1] is first[-1]


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({"factor": 3.0}, 2),
        ({"factor": -2.0}, 2),
        ({"axis": (1,)}, 2),
        ({"axis": (0, 1)}, 2),
        ({"rows": 5}, 0),
        ({"dtype": np.float64}, 0),
    ],
)
def test_what_differs_is_made_anew(
    change: dict[str, Any], shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, replay = _made(_program(), monkeypatch)
    second, _ = _made(_program(**change), monkeypatch, replay)
    assert [a is b for a, b in zip(first, second)] == [True] * shared + [False] * (3 - shared)
    fresh, _ = _made(_program(**change), monkeypatch)
    assert [repr(v) for v in second] == [repr(v) for v in fresh]


def test_zeros_of_either_sign_and_numbers_of_other_types_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(value: Any) -> Any:
        return lambda: xp.full((2,), value, np.dtype(np.float64))

    first, replay = _made(full(0.0), monkeypatch)
    assert _made(full(0.0), monkeypatch, replay)[0] is first
    for value in (-0.0, 0, False, np.nan):
        assert _made(full(value), monkeypatch, replay)[0] is not first
    with_sign, replay = _made(lambda: constant(np.array(0.0)), monkeypatch)
    assert _made(lambda: constant(np.array(-0.0)), monkeypatch, replay)[0] is not with_sign


def _run(step: Any, calls: int = 4) -> list[float]:
    return [step(torch.ones(3, 8)).item() for _ in range(calls)]


def _network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


def test_the_second_capture_makes_the_graph_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = []
    same = compile_module.same_program
    monkeypatch.setattr(
        compile_module, "same_program", lambda a, b: programs.append((a, b)) or same(a, b)
    )
    net = _network()
    step = torch.compile(squares_step(net, torch.optim.AdamW(net.parameters())))
    _run(step)
    ((first, second),) = programs
    assert all(a is b for a, b in zip(first.graph.roots(), second.graph.roots(), strict=True))
    assert first.graph.inputs == second.graph.inputs and step.runners()


def test_a_gradient_that_changes_between_two_captures_is_no_constant() -> None:
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * time.perf_counter()

    compiled = torch.compile(lambda x: Scaled.apply(x))
    gradients = []
    with pytest.warns(UserWarning, match="runs eagerly: .* changes between calls"):
        for _ in range(10):
            x = torch.ones(2, dtype=torch.float64, requires_grad=True)
            compiled(x).sum().backward()
            gradients.append(x.grad[0].item())
    assert len(set(gradients)) == len(gradients)


@pytest.mark.parametrize("kind", ["step", "module"])
def test_kept_code_is_checked_once_and_gives_what_eager_gives(
    kind: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    run = sys.modules["flambeau.compiler.run"]
    checks = []
    difference = run.difference
    monkeypatch.setattr(run, "difference", lambda *a: checks.append(1) or difference(*a))

    def losses(compiled: bool) -> tuple[list[float], list[np.ndarray]]:
        net = _network()
        optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        noisy = nn.Sequential(net, nn.Dropout(0.25))
        if kind == "module":
            step = squares_step(torch.compile(noisy) if compiled else noisy, optimizer)
        else:
            step = squares_step(noisy, optimizer)
            step = torch.compile(step) if compiled else step
        found = _run(step, 6)
        return found, [p.detach().numpy().copy() for p in net.parameters()]

    wanted = losses(False)
    for expected_checks in (1, 2):  # at the third call, then, with the code kept, at the second
        got = losses(True)
        np.testing.assert_allclose(got[0], wanted[0], rtol=1e-5)
        for a, b in zip(got[1], wanted[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        assert len(checks) == expected_checks


def test_kept_code_that_is_wrong_is_not_used(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    for spoiled in (False, True):
        if spoiled:
            run = sys.modules["flambeau.compiler.run"]
            monkeypatch.setattr(run, "difference", lambda *_: "output 0 differs")
        net = _network()
        eager_net = _network()
        step = torch.compile(squares_step(net, torch.optim.SGD(net.parameters(), 0.1)))
        eager = squares_step(eager_net, torch.optim.SGD(eager_net.parameters(), 0.1))
        if spoiled:
            with pytest.warns(UserWarning, match="is wrong"):
                losses = _run(step)
        else:
            losses = _run(step)
        np.testing.assert_allclose(losses, _run(eager), rtol=1e-5)
        assert bool(step.runners()) is not spoiled


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("change", ["an array in place", "the sign of a zero"])
def test_a_constant_that_changes_between_two_captures(
    kept: bool, change: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    array, zeros = np.array([1.0, 2.0, 3.0, 4.0], np.float32), [0.0]

    if change == "an array in place":

        def program(x: Any) -> Any:
            return x * torch.from_numpy(array) + 1
    else:

        def program(x: Any) -> Any:
            return x / torch.tensor(zeros[0])

    x = torch.ones(4)
    if kept:
        for _ in range(4):
            torch.compile(program)(x)
        first = torch.compile(program)
        for _ in range(4):
            first(x)
    compiled = torch.compile(program)
    for call in range(7):
        if call == 2:
            array += 10
            zeros[0] = -0.0
        assert torch.equal(compiled(x), program(x))


def test_nothing_is_kept_of_what_is_given_up(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    monkeypatch.setattr(compile_module, "MAX_CAPTURES", 3)

    def program(x: Any) -> Any:
        return x * time.perf_counter()

    compiled = torch.compile(program)
    with pytest.warns(UserWarning, match="runs eagerly"):
        for _ in range(5):
            compiled(torch.ones(1000, dtype=torch.float64))
    ((variant,),) = compiled._variants.values()
    assert variant.eager_reason
    assert variant.program is variant.replay is variant.ready is variant.runner is None
