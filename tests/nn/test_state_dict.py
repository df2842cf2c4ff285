"""Saving and loading state: keys, copies, hooks, and everything that can be wrong."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_state_shares_memory_and_needs_no_gradient() -> None:
    layer = nn.Linear(2, 3)
    state = layer.state_dict()
    assert not state["weight"].requires_grad
    state["weight"].zero_()
    assert layer.weight.abs().sum().item() == 0
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight


def test_metadata_holds_versions() -> None:
    state = model().state_dict(prefix="net.")
    assert list(state)[:2] == ["net.0.weight", "net.0.bias"]
    assert state._metadata == OrderedDict(
        {"net": {"version": 1}, "net.0": {"version": 1}, "net.1": {"version": 2}}
    )


def test_loading_copies() -> None:
    source, target = model(), model()
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert result.missing_keys == [] and result.unexpected_keys == []
    assert torch.equal(source[0].weight, target[0].weight)
    assert source[0].weight is not target[0].weight
    source[0].weight.data.zero_()
    assert target[0].weight.abs().sum().item() > 0


def test_assigning_takes_the_tensors_themselves() -> None:
    layer = nn.Linear(2, 3)
    state = {"weight": torch.ones(3, 2, dtype=torch.float64), "bias": torch.zeros(3)}
    layer.load_state_dict(state, assign=True)
    assert layer.weight.dtype is torch.float64
    assert isinstance(layer.weight, nn.Parameter)
    state["weight"][0, 0] = 5
    assert layer.weight[0, 0].item() == 5


def test_all_that_is_wrong_is_listed() -> None:
    with pytest.raises(RuntimeError) as caught:
        nn.Linear(2, 3).load_state_dict({"weight": torch.zeros(3, 3), "foo": torch.zeros(1)})
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Linear:\n"
        '\tMissing key(s) in state_dict: "bias". \n'
        '\tUnexpected key(s) in state_dict: "foo". \n'
        "\tsize mismatch for weight: copying a param with shape torch.Size([3, 3]) from "
        "checkpoint, the shape in current model is torch.Size([3, 2])."
    )


def test_values_that_are_no_tensors_are_refused() -> None:
    with pytest.raises(RuntimeError, match="expected torch.Tensor or Tensor-like object from che"):
        nn.Linear(2, 3).load_state_dict({"weight": 3, "bias": torch.zeros(3)})
    with pytest.raises(TypeError) as caught:
        nn.Linear(2, 3).load_state_dict([1])
    assert str(caught.value) == "Expected state_dict to be dict-like, got <class 'list'>."


def test_not_strict_loads_what_fits() -> None:
    layer = nn.Linear(2, 3)
    result = layer.load_state_dict({"weight": torch.ones(3, 2), "foo.bar": 1}, strict=False)
    assert result == (["bias"], ["foo.bar"])
    assert layer.weight.sum().item() == 6


def test_old_scalars_with_one_dimension_load() -> None:
    module = nn.Module()
    module.register_buffer("x", torch.tensor(0.0))
    module.load_state_dict({"x": torch.tensor([4.0])})
    assert module.x.item() == 4


def test_batch_norm_loads_states_that_count_no_batches() -> None:
    norm = nn.BatchNorm1d(2)
    old = norm.state_dict()
    del old["num_batches_tracked"], old._metadata
    norm.load_state_dict(old)
    assert norm.num_batches_tracked.item() == 0


def test_extra_state_is_saved_and_loaded() -> None:
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 5

        def get_extra_state(self) -> Any:
            return self.count

        def set_extra_state(self, state: Any) -> None:
            self.count = state

    net = nn.Sequential(Counted())
    state = net.state_dict()
    assert state == {"0._extra_state": 5}
    state["0._extra_state"] = 8
    net.load_state_dict(state)
    assert net[0].count == 8
    with pytest.raises(RuntimeError, match='Missing key.s. in state_dict: "0._extra_state"'):
        net.load_state_dict({})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        nn.Linear(1, 1).load_state_dict({**nn.Linear(1, 1).state_dict(), "_extra_state": 1})


def test_positional_arguments_are_deprecated() -> None:
    destination: dict[str, Any] = {}
    with pytest.warns(FutureWarning, match="Positional args are being deprecated"):
        nn.Linear(1, 1).state_dict(destination, "a.")
    assert list(destination) == ["a.weight", "a.bias"]


def test_hooks_around_state_dict() -> None:
    layer = nn.Linear(1, 1)
    calls: list[Any] = []
    layer.register_state_dict_pre_hook(lambda module, prefix, keep: calls.append((prefix, keep)))

    def post(module: nn.Module, state: Any, prefix: str, metadata: Any) -> None:
        state[prefix + "extra"] = metadata["version"]

    handle = layer.register_state_dict_post_hook(post)
    assert layer.state_dict(prefix="p.")["p.extra"] == 1
    assert calls == [("p.", False)]
    handle.remove()
    assert "extra" not in layer.state_dict()
    layer.register_state_dict_post_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        layer.state_dict()


def test_hooks_around_loading() -> None:
    layer = nn.Linear(1, 1)

    def rename(module: nn.Module, state: Any, prefix: str, *rest: Any) -> None:
        assert module is layer
        state[prefix + "weight"] = state.pop(prefix + "w")

    layer.register_load_state_dict_pre_hook(rename)
    layer.load_state_dict({"w": torch.ones(1, 1), "bias": torch.ones(1)})
    assert layer.weight.item() == 1

    other = nn.Linear(1, 1)
    other.register_load_state_dict_post_hook(
        lambda module, keys: keys.missing_keys.clear()  # what is missing does not matter
    )
    other.load_state_dict({})
    other.register_load_state_dict_post_hook(lambda module, keys: 3)
    with pytest.raises(AssertionError, match="are not expected to return new values"):
        other.load_state_dict({})


def test_loading_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().load_state_dict(model().state_dict())
