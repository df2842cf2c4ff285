"""``torch.compile(module)`` gives a module, as in PyTorch."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

from .agreement import check, data, net


def of_training(compiled: Any, log: Any) -> None:
    model = net()
    called = compiled(model)
    optimizer = torch.optim.Adam(called.parameters(), lr=0.1)
    for i in range(12):
        called.train(i < 8)
        x, y = data()
        optimizer.zero_grad()
        loss = (called(x) - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        log(loss, model)


def test_a_module_trains_as_it_does_alone() -> None:
    check(of_training)


def test_a_module_may_be_compiled_in_place() -> None:
    expected: list[Any] = []
    found: list[Any] = []
    for items, in_place in ((expected, False), (found, True)):
        torch.manual_seed(0)
        model = net()
        if in_place:
            model.compile()
        for _ in range(6):
            model(torch.ones(2, 3)).sum().backward()
            items.append(model[0].weight.grad.numpy().copy())
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert model._compiled_call_impl.runners()  # type: ignore[union-attr, attr-defined]


def test_the_names_of_its_state_are_those_of_pytorch() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    compiled = torch.compile(model)
    assert isinstance(compiled, nn.Module) and not isinstance(compiled, nn.Sequential)
    assert compiled._orig_mod is model
    assert list(compiled.state_dict()) == [f"_orig_mod.{name}" for name in model.state_dict()]
    assert [n for n, _ in compiled.named_modules()] == [
        "", "_orig_mod", "_orig_mod.0", "_orig_mod.1",
    ]  # fmt: skip
    assert all(a is b for a, b in zip(compiled.parameters(), model.parameters(), strict=True))
    assert compiled.load_state_dict(compiled.state_dict()) is not None
    with pytest.raises(RuntimeError, match="_orig_mod.0.weight"):
        compiled.load_state_dict(model.state_dict())
    assert repr(compiled).startswith("OptimizedModule(\n  (_orig_mod): Sequential(")


def test_attributes_are_the_inner_module_s() -> None:
    model: Any = net()
    model.extra = 5
    compiled = torch.compile(model)
    assert compiled.extra == 5
    compiled.other = 3
    assert model.other == 3
    del compiled.other
    assert not hasattr(model, "other")
    compiled.head = nn.Linear(1, 1)
    assert model.head is compiled.head and list(compiled._modules) == ["_orig_mod"]
    assert compiled.eval() is compiled and not model.training and not compiled.training
    model.train()
    assert compiled.training
    assert compiled.double() is compiled and model[0].weight.dtype is torch.float64
    assert compiled.requires_grad_(False) is compiled and not model[0].weight.requires_grad
    assert len(compiled) == len(model)
    assert "extra" in dir(compiled) and "_orig_mod" in dir(compiled)
    assert torch.compile(compiled) is compiled
    with pytest.raises(TypeError):
        compiled[0]


def test_it_is_copied_pickled_and_saved() -> None:
    compiled = torch.compile(nn.Linear(2, 2))
    x = torch.ones(3, 2)
    for _ in range(4):
        wanted = compiled(x).detach().numpy()
    file = io.BytesIO()
    torch.save(compiled.state_dict(), file)
    file.seek(0)
    assert list(torch.load(file)) == ["_orig_mod.weight", "_orig_mod.bias"]
    file = io.BytesIO()
    torch.save(compiled, file)
    file.seek(0)
    copies = [
        copy.deepcopy(compiled),
        pickle.loads(pickle.dumps(compiled)),
        torch.load(file, weights_only=False),
    ]
    with torch.no_grad():
        compiled.weight.zero_()
    for copied in copies:
        assert type(copied) is type(compiled)
        for _ in range(4):
            np.testing.assert_allclose(copied(x).detach(), wanted, rtol=1e-5)


def test_hooks_on_it_and_inside_it_run() -> None:
    model = nn.Linear(2, 2)
    compiled = torch.compile(model)
    x = torch.ones(1, 2)
    for _ in range(4):
        plain = compiled(x).detach()
    compiled.register_forward_hook(lambda module, arguments, result: result * 2)
    np.testing.assert_allclose(compiled(x).detach(), 2 * plain, rtol=1e-5)
    np.testing.assert_allclose(model(x).detach(), plain, rtol=1e-5)
    model.register_forward_hook(lambda module, arguments, result: result + 1)
    np.testing.assert_allclose(compiled(x).detach(), 2 * (plain + 1), rtol=1e-5)
