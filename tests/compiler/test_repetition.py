"""A rule that is captured once and copied gives what it gives each time."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.compiler import repetition
from flambeau.compiler.graph import Value, input_value
from flambeau.compiler.repetition import Repetitions
from flambeau.compiler.replay import Replay
from flambeau.tensor import wrap

from .agreement import squares_step


def _tensors(*shapes: tuple[int, ...], dtype: str = "float32") -> dict[str, torch.Tensor]:
    return {f"x{i}": wrap(input_value(shape, np.dtype(dtype))) for i, shape in enumerate(shapes)}


class _Rule:
    """``a * 2 - b`` in symbolic arrays, counting how often it is computed."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, tensors: dict[str, torch.Tensor]) -> Any:
        import flambeau.compiler.symbolic as xp

        def compute() -> dict[str, torch.Tensor]:
            self.calls += 1
            a, b = (t._array for t in tensors.values())
            return {"sum": wrap(xp.sub(xp.mul(a, 2.0), b)), "x1": wrap(xp.sqrt(b))}

        return compute


def _text(value: Value, names: dict[int, str]) -> str:
    if id(value) in names:
        return names[id(value)]
    inside = ", ".join(_text(o, names) for o in value.operands)
    return f"{value.primitive}{list(value.shape)}({inside})"


def test_other_arguments_take_the_places_of_the_first() -> None:
    repetitions, rule = Repetitions(Replay()), _Rule()
    for shape in ((3, 4), (5,), (2, 3, 4)):
        tensors = _tensors(shape, ())
        results = repetitions.results("key", tensors, rule(tensors))
        names = {id(t._array): name for name, t in tensors.items()}
        number = "constant[]()"
        assert _text(results["sum"]._array, names) == (
            f"sub{list(shape)}(mul{list(shape)}(x0, {number}), x1)"
        )
        assert _text(results["x1"]._array, names) == "sqrt[](x1)"
        assert results["sum"].shape == shape and results["sum"].dtype == torch.float32
    assert rule.calls == 1


@pytest.mark.parametrize(
    "tensors",
    [
        _tensors((3, 4), (), dtype="float64"),
        _tensors((3, 4), (3, 4)),
        _tensors((), ()),
    ],
    ids=["another dtype", "another kind of shape", "numbers alone"],
)
def test_other_kinds_are_computed(tensors: dict[str, torch.Tensor]) -> None:
    repetitions, rule = Repetitions(Replay()), _Rule()
    first = _tensors((3, 4), ())
    repetitions.results("key", first, rule(first))
    repetitions.results("key", tensors, rule(tensors))
    repetitions.results("another key", first, rule(first))
    assert rule.calls == 3


def test_one_array_in_two_places_is_computed() -> None:
    repetitions, rule = Repetitions(Replay()), _Rule()
    first = _tensors((3, 4), (3, 4))
    repetitions.results("key", first, rule(first))
    twice = {"x0": first["x0"], "x1": first["x0"]}
    repetitions.results("key", twice, rule(twice))
    assert rule.calls == 2


def test_what_depends_on_shapes_is_computed_each_time() -> None:
    import flambeau.compiler.symbolic as xp

    repetitions = Repetitions(Replay())
    calls = []
    for shape in ((3, 4), (6, 2)):
        tensors = _tensors(shape, shape)

        def compute(tensors: dict[str, torch.Tensor] = tensors) -> dict[str, torch.Tensor]:
            calls.append(1)
            return {"sum": wrap(xp.sum(tensors["x0"]._array))}

        repetitions.results("key", tensors, compute)
    assert len(calls) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.AdamW(p, lr=1e-2, amsgrad=True),
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True),
        lambda p: torch.optim.RMSprop(p, lr=1e-2, centered=True, momentum=0.5),
    ],
    ids=["AdamW", "SGD", "RMSprop"],
)
def test_every_parameter_gets_its_own_update(make: Any, dtype: Any) -> None:
    """Parameters of several shapes, a number among them, and one that is frozen in between."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 1))
    model.register_parameter("scale", nn.Parameter(torch.tensor(0.5)))
    model.to(dtype)
    model[2].bias.requires_grad_(False)
    x = torch.randn(8, 4, dtype=dtype)
    kept = []
    for compiled in (False, True):
        net = copy.deepcopy(model)
        optimizer = make([p for p in net.parameters() if p.requires_grad])

        def step(net: Any = net, optimizer: Any = optimizer) -> torch.Tensor:
            optimizer.zero_grad()
            loss = (net(x) * net.scale).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        function = torch.compile(step) if compiled else step
        for _ in range(6):
            function()
        kept.append([p.detach().float().numpy().copy() for p in net.parameters()])
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    for eager, fast in zip(*kept, strict=True):
        np.testing.assert_allclose(fast, eager, rtol=tolerance, atol=tolerance)


def test_the_rule_is_run_for_each_kind_of_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    pattern = repetition._pattern
    monkeypatch.setattr(repetition, "_pattern", lambda *a: made.append(1) or pattern(*a))
    net = nn.Sequential(*[nn.Linear(8, 8) for _ in range(5)])
    step = torch.compile(squares_step(net, torch.optim.AdamW(net.parameters())))
    for _ in range(4):
        step(torch.ones(2, 8))
    assert step.runners() and len(made) == 1  # the second capture makes what the first made


@pytest.mark.parametrize("option", ["weight_decay", "momentum", "lr", "lr tensor"])
def test_two_steps_of_one_optimizer_have_their_own_numbers(option: str) -> None:
    """What changes between them is no part of the first step's pattern."""
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        parameters = [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(7))]
        lr = torch.tensor(0.05) if option == "lr tensor" else 0.05
        optimizer = torch.optim.SGD(parameters, lr=lr, momentum=0.1, weight_decay=0.1)
        group = optimizer.param_groups[0]

        def step(
            group: Any = group, optimizer: Any = optimizer, parameters: Any = parameters
        ) -> None:
            for value in (0.5, 0.1):
                if option == "lr tensor":
                    group["lr"].mul_(1.1 if value == 0.5 else 1 / 1.1)
                else:
                    group[option] = value
                optimizer.zero_grad()
                sum((p * p).sum() for p in parameters).backward()
                optimizer.step()

        function = torch.compile(step) if compiled else step
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a changed lr runs eagerly
            for _ in range(6):
                function()
        found.append([p.detach().numpy().copy() for p in parameters])
    for eager, fast in zip(*found, strict=True):
        np.testing.assert_allclose(fast, eager, rtol=1e-5, atol=1e-6)
