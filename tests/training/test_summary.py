"""The table is torch-summary 1.4.5's, character for character: recorded from it on PyTorch 2.13."""

from __future__ import annotations

from pathlib import Path

import pytest

import flambeau as torch
from flambeau.training.summary import summary

nn = torch.nn


def models():
    class TwoInputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.left = nn.Linear(4, 3)
            self.right = nn.Linear(5, 3)
            self.head = nn.Sequential(
                nn.Sequential(nn.Linear(3, 3), nn.ReLU()),
                nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(3, 2)))),
            )

        def forward(self, x, y):
            return self.head(self.left(x) + self.right(y))

    class Repeated(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.layers = nn.ModuleList(
                [nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU())]
            )
            self.act = nn.ReLU()

        def forward(self, x):
            for _ in range(2):
                x = self.act(self.layer(x))
            for layer in self.layers:
                x = layer(x)
            return x

    def cnn():
        return nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU()),
            nn.Sequential(nn.Conv2d(10, 20, 5), nn.Dropout(), nn.MaxPool2d(2), nn.BatchNorm2d(20)),
            nn.Flatten(),
            nn.Linear(320, 10),
        )

    def frozen():
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        for parameter in model[0].parameters():
            parameter.requires_grad = False
        return model

    def embedding():
        return nn.Sequential(nn.Embedding(10, 3), nn.Flatten(), nn.Linear(6, 1))

    return {
        "two inputs": TwoInputs,
        "repeated": Repeated,
        "cnn": cnn,
        "frozen": frozen,
        "embedding": embedding,
        "linear": lambda: nn.Linear(3, 2),
    }


ALL = ("kernel_size", "input_size", "output_size", "num_params", "mult_adds")

CASES = [
    ("linear", None, {}),
    ("linear", (3,), {}),
    ("cnn", None, {}),
    ("cnn", (1, 28, 28), {}),
    ("cnn", (1, 28, 28), {"depth": 1}),
    ("cnn", (1, 28, 28), {"branching": False, "depth": 2, "col_width": 17}),
    ("cnn", (1, 28, 28), {"verbose": 2, "col_names": ALL}),
    ("cnn", (2, 1, 28, 28), {"batch_dim": None}),
    ("two inputs", [(4,), (5,)], {}),
    ("two inputs", [(4,), (5,)], {"depth": 5}),
    ("repeated", (3,), {}),
    ("repeated", None, {"verbose": 2, "col_names": ("kernel_size", "num_params")}),
    ("frozen", (3,), {"device": "cpu"}),
    ("embedding", (2,), {"dtypes": "long"}),
]
TABLES = (Path(__file__).parent / "recorded_summaries.txt").read_text("utf-8").split("\n\n")
RECORDED = [(*case, table.rstrip("\n")) for case, table in zip(CASES, TABLES, strict=True)]


@pytest.mark.parametrize(
    ("name", "input_data", "options", "expected"),
    RECORDED,
    ids=[f"{name}-{index}" for index, (name, *_) in enumerate(RECORDED)],
)
def test_the_table_is_the_recorded_one(name, input_data, options, expected, capsys):
    options = dict(options)
    if "dtypes" in options:
        options["dtypes"] = [getattr(torch, options["dtypes"])]
    inputs = () if input_data is None else (input_data,)
    result = summary(models()[name](), *inputs, **options)
    assert repr(result) == expected
    assert capsys.readouterr().out == expected + "\n"


def test_quiet_prints_nothing_and_counts(capsys):
    result = summary(nn.Linear(3, 2), (3,), verbose=0)
    assert capsys.readouterr().out == ""
    assert (result.total_params, result.trainable_params, result.total_mult_adds) == (8, 8, 6)


def test_tensors_and_sizes_give_the_same_table(capsys):
    model = models()["cnn"]()
    by_tensor = repr(summary(model, torch.ones(3, 1, 28, 28)))
    assert by_tensor.splitlines()[4:14] == repr(summary(model, (1, 28, 28))).splitlines()[4:14]


def test_the_model_keeps_its_mode_its_hooks_and_its_statistics():
    model = models()["cnn"]()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for mode in (True, False):
        model.train(mode)
        summary(model, (1, 28, 28), verbose=0)
        summary(model, verbose=0)
        assert model.training is mode
        assert all(module.training is mode for module in model.modules())
    assert all(not module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_random_inputs_are_drawn_as_the_package_draws_them():
    torch.manual_seed(0)
    summary(nn.Linear(3, 2), (3,), verbose=0)
    left = torch.rand(2)
    torch.manual_seed(0)
    nn.Linear(3, 2)
    torch.rand(3)
    assert torch.equal(left, torch.rand(2))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (((3,),), {"verbose": 3}, ValueError, "Verbose must be either"),
        (((3,),), {"col_names": ("color",)}, ValueError, "Column color is not a valid"),
        ((), {"col_names": ("output_size",)}, ValueError, "You must pass input_data"),
        (((-3,),), {}, ValueError, "negative size found"),
        (("abc",), {}, TypeError, "Input type is not recognized"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        summary(nn.Linear(3, 2), *arguments, **options)


def test_a_model_that_fails_is_reported_with_the_layers_that_ran():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    with pytest.raises(RuntimeError, match=r"Executed layers up to: \[Linear: 1-1\]"):
        summary(model, (3,), verbose=0)
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())


def test_layers_may_return_dictionaries_and_recurse():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return {"a": self.layer(x), "b": x}

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x)["a"]

    row = repr(summary(Outer(), (3,), verbose=0)).splitlines()[3]
    assert row.split("  ")[0] == "├─Inner: 1-1"
    assert "[[-1, 3]]" in row
