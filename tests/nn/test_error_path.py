"""Errors from inside a model name the way to the layer."""

from __future__ import annotations

import pytest

import flambeau as torch
from flambeau import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
        self.classifier = nn.ModuleDict({"out": nn.Linear(7, 2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier["out"](self.features(x).flatten(1))


def message(model: nn.Module, *inputs: torch.Tensor) -> str:
    with pytest.raises(RuntimeError) as caught:
        model(*inputs)
    return str(caught.value)


def test_the_path_follows_pytorchs_message() -> None:
    text = message(Net(), torch.zeros(2, 1, 4, 4))
    assert text == (
        "mat1 and mat2 shapes cannot be multiplied (2x16 and 7x2)\n  in Net.classifier.out (Linear)"
    )


def test_the_layer_is_found_by_its_index() -> None:
    text = message(Net(), torch.zeros(2, 3, 4, 4))
    assert text.startswith(
        "Given groups=1, weight of size [4, 1, 3, 3], expected input[2, 3, 4, 4]"
    )
    assert text.endswith("in Net.features.0 (Conv2d)")


def test_a_layer_alone_is_named_by_its_class() -> None:
    assert message(nn.Linear(3, 2), torch.zeros(1, 4)).endswith("\n  in Linear")


def test_a_layer_in_a_plain_list_has_its_class_for_a_name() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(3, 2)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers[0](x)

    assert message(Hidden(), torch.zeros(1, 4)).endswith("in Hidden.<Linear> (Linear)")


def test_missing_arguments_name_the_module() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'input'") as e:
        nn.Sequential(nn.Sequential())()
    assert "Sequential" in str(e.value)


def test_a_programs_own_errors_keep_their_text_and_get_a_note() -> None:
    class Raising(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("my own words")

    with pytest.raises(ValueError) as caught:
        nn.Sequential(nn.Sequential(Raising()))(torch.zeros(1))
    assert str(caught.value) == "my own words"
    assert caught.value.__notes__ == ["in Sequential.0.0 (Raising)"]


def test_the_type_of_the_exception_is_kept() -> None:
    with pytest.raises(IndexError, match=r"index out of range in self(?s:.*)in Sequential.0"):
        nn.Sequential(nn.Embedding(3, 2))(torch.tensor([5]))


def test_hooks_do_not_hide_the_path() -> None:
    model = Net()
    model.features.register_forward_hook(lambda *args: None)
    assert message(model, torch.zeros(2, 3, 4, 4)).endswith("in Net.features.0 (Conv2d)")
