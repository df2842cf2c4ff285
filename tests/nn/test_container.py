"""Containers as sequences and mappings."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import flambeau as torch
from flambeau import nn


def names(sequence: nn.Module) -> list[str]:
    return [type(module).__name__ for module in sequence.children()]


def test_sequential_as_a_list() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    assert len(model) == 2
    assert model[-1] is model[1]
    model.append(nn.Sigmoid()).insert(1, nn.SiLU())
    assert names(model) == ["ReLU", "SiLU", "Tanh", "Sigmoid"]
    assert list(model._modules) == ["0", "1", "2", "3"]
    assert type(model.pop(0)).__name__ == "ReLU"
    del model[-1]
    assert names(model) == ["SiLU", "Tanh"]
    model[0] = nn.GELU()
    model.extend([nn.ReLU()])
    model += nn.Sequential(nn.Mish())
    assert names(model) == ["GELU", "Tanh", "ReLU", "Mish"]
    assert names(model + nn.Sequential(nn.ELU()))[-1] == "ELU"
    assert len(nn.Sequential(nn.ReLU(), nn.Tanh()) * 2) == 4


def test_slices_keep_names() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.SiLU())
    part = model[::2]
    assert isinstance(part, nn.Sequential)
    assert list(part._modules) == ["0", "2"]
    assert part[1] is model[2]
    del model[1:]
    assert names(model) == ["ReLU"]


def test_sequential_of_names() -> None:
    model = nn.Sequential(OrderedDict(first=nn.ReLU(), second=nn.Tanh()))
    assert model.second is model[1]
    assert list(model._modules) == ["first", "second"]


def test_sequential_refusals() -> None:
    model = nn.Sequential(nn.ReLU())
    with pytest.raises(IndexError, match="index 1 is out of range"):
        model[1]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)
    with pytest.raises(AssertionError, match="module should be of type"):
        model.insert(0, 3)
    with pytest.raises(IndexError, match="Index out of range: 5"):
        model.insert(5, nn.ReLU())
    with pytest.raises(ValueError, match="add operator supports only objects of Sequential class"):
        model + 3
    with pytest.raises(ValueError, match="Non-positive multiplication factor 0"):
        model * 0


def test_module_list() -> None:
    layers = nn.ModuleList([nn.ReLU()])
    layers.append(nn.Tanh())
    layers.extend([nn.SiLU(), nn.SiLU()])
    layers.insert(0, nn.GELU())
    assert names(layers[1:3]) == ["ReLU", "Tanh"]
    assert repr(layers) == (
        "ModuleList(\n  (0): GELU(approximate='none')\n  (1): ReLU()\n  (2): Tanh()\n"
        "  (3-4): 2 x SiLU()\n)"
    )
    assert type(layers.pop(-1)).__name__ == "SiLU"
    del layers[0]
    assert names(layers + [nn.ELU()]) == ["ReLU", "Tanh", "SiLU", "ELU"]
    with pytest.raises(TypeError, match="ModuleList.extend should be called with an iterable, but"):
        layers.extend(3)
    with pytest.raises(NotImplementedError):
        layers(1)


def test_module_dict() -> None:
    layers = nn.ModuleDict({"a": nn.ReLU()})
    layers["b"] = nn.Tanh()
    layers.update([("c", nn.SiLU())])
    assert list(layers) == ["a", "b", "c"] and "b" in layers and len(layers) == 3
    assert type(layers.pop("a")).__name__ == "ReLU"
    del layers["b"]
    assert [key for key, _ in layers.items()] == ["c"]
    with pytest.raises(KeyError):
        layers["a"]
    for wrong, message in (
        (3, "ModuleDict.update should be called with an iterable of key/value pairs, but got int"),
        ([3], "ModuleDict update sequence element #0 should be Iterable; isint"),
    ):
        with pytest.raises(TypeError) as caught:
            layers.update(wrong)
        assert str(caught.value) == message
    layers.clear()
    assert len(layers) == 0


def test_parameter_list() -> None:
    values = nn.ParameterList([torch.zeros(2), 5])
    assert isinstance(values[0], nn.Parameter)
    assert values[1] == 5
    values.append(torch.ones(1))
    values += [torch.ones(3)]
    assert len(values) == 4 and len(list(values.parameters())) == 3
    assert list(values.state_dict()) == ["0", "2", "3"]
    values[0] = torch.full((2,), 7.0)
    assert values[0].tolist() == [7.0, 7.0]
    assert [type(v).__name__ for v in values[1:3]] == ["int", "Parameter"]
    with pytest.raises(IndexError, match="index 4 is out of range"):
        values[4]
    with pytest.raises(TypeError, match="should be called with an iterable, but got Tensor"):
        values.extend(torch.zeros(2))
    with pytest.raises(RuntimeError, match="ParameterList should not be called"):
        values()


def test_parameter_dict() -> None:
    values = nn.ParameterDict({"a": torch.zeros(2)})
    values["b"] = 3
    assert isinstance(values["a"], nn.Parameter) and values["b"] == 3
    assert values.get("c") is None
    assert values.setdefault("c", torch.ones(1)).item() == 1
    assert list(values) == ["a", "b", "c"] and list(reversed(values)) == ["c", "b", "a"]
    merged = values | nn.ParameterDict({"d": torch.ones(2)})
    assert list(merged.keys()) == ["a", "b", "c", "d"]
    assert values.popitem()[0] == "c"
    del values["b"]
    assert [key for key, _ in values.items()] == ["a"]
    with pytest.raises(TypeError, match="cannot be used as a key as it is not a string"):
        values[1] = 2
    values.clear()
    assert len(values) == 0


def test_parameters_of_a_dict_come_in_the_order_of_their_names() -> None:
    zeros = {name: torch.zeros(1) for name in ("w", "b", "a")}
    assert list(nn.ParameterDict(zeros)) == ["a", "b", "w"]
    assert list(nn.ParameterDict(OrderedDict(zeros))) == ["w", "b", "a"]
    assert list(nn.ParameterDict(zeros.items())) == ["w", "b", "a"]
