"""What programs say to the compiler beside `compile`."""

from __future__ import annotations

import pytest

import flambeau as torch
from flambeau import _dynamo, compiler, nn
from flambeau.compiler.recording import CaptureError

pytest.importorskip("llvmlite")


def test_a_disabled_function_makes_its_caller_run_eagerly() -> None:
    calls = []

    @compiler.disable(reason="it counts")
    def count(x: torch.Tensor) -> torch.Tensor:
        calls.append(compiler.is_compiling())
        return x + 1

    compiled = torch.compile(lambda x: count(x) * 2)
    assert compiled(torch.ones(2)).tolist() == [4, 4]
    with pytest.warns(UserWarning, match="it counts"):
        assert compiled(torch.ones(2)).tolist() == [4, 4]
    assert compiled(torch.ones(2)).tolist() == [4, 4]
    assert calls == [False, False, False]


def test_a_disabled_module_is_itself() -> None:
    module = nn.Linear(2, 2)
    assert _dynamo.disable(module) is module
    assert torch.equal(module(torch.ones(1, 2)), nn.functional.linear(
        torch.ones(1, 2), module.weight, module.bias))  # fmt: skip


def test_a_program_sees_that_it_is_being_compiled() -> None:
    def step(x: torch.Tensor) -> torch.Tensor:
        if compiler.is_compiling():
            raise CaptureError("it has seen it")
        return x * 2

    compiled = torch.compile(step)
    with pytest.warns(UserWarning, match="it has seen it"):
        for _ in range(3):
            assert compiled(torch.ones(1)).item() == 2
    assert not compiler.is_compiling()


def test_other_ways_of_running_are_refused() -> None:
    compiler.reset()
    _dynamo.config.suppress_errors = True
    with compiler.set_stance("default"):
        pass
    with pytest.raises(RuntimeError, match="force_eager"):
        compiler.set_stance("force_eager")
