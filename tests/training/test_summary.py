"""The table is torch-summary 1.4.5's, character for character (recorded from it, on PyTorch 2.13)."""

from __future__ import annotations

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
            nn.Sequential(
                nn.Conv2d(10, 20, 5), nn.Dropout(), nn.MaxPool2d(2), nn.BatchNorm2d(20)
            ),
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

RECORDED = [
    (
        "linear",
        None,
        {},
        """\
=================================================================
Layer (type:depth-idx)                   Param #
=================================================================
└─Linear: 0-1                            8
=================================================================
Total params: 8
Trainable params: 8
Non-trainable params: 0
=================================================================""",
    ),
    (
        "linear",
        (3,),
        {},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
└─Linear: 0-1                            [-1, 2]                   8
==========================================================================================
Total params: 8
Trainable params: 8
Non-trainable params: 0
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================""",
    ),
    (
        "cnn",
        None,
        {},
        """\
=================================================================
Layer (type:depth-idx)                   Param #
=================================================================
├─Sequential: 1-1                        --
|    └─Conv2d: 2-1                       260
|    └─MaxPool2d: 2-2                    --
|    └─ReLU: 2-3                         --
├─Sequential: 1-2                        --
|    └─Conv2d: 2-4                       5,020
|    └─Dropout: 2-5                      --
|    └─MaxPool2d: 2-6                    --
|    └─BatchNorm2d: 2-7                  40
├─Flatten: 1-3                           --
├─Linear: 1-4                            3,210
=================================================================
Total params: 8,530
Trainable params: 8,530
Non-trainable params: 0
=================================================================""",
    ),
    (
        "cnn",
        (1, 28, 28),
        {},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Sequential: 1-1                        [-1, 10, 12, 12]          --
|    └─Conv2d: 2-1                       [-1, 10, 24, 24]          260
|    └─MaxPool2d: 2-2                    [-1, 10, 12, 12]          --
|    └─ReLU: 2-3                         [-1, 10, 12, 12]          --
├─Sequential: 1-2                        [-1, 20, 4, 4]            --
|    └─Conv2d: 2-4                       [-1, 20, 8, 8]            5,020
|    └─Dropout: 2-5                      [-1, 20, 8, 8]            --
|    └─MaxPool2d: 2-6                    [-1, 20, 4, 4]            --
|    └─BatchNorm2d: 2-7                  [-1, 20, 4, 4]            40
├─Flatten: 1-3                           [-1, 320]                 --
├─Linear: 1-4                            [-1, 10]                  3,210
==========================================================================================
Total params: 8,530
Trainable params: 8,530
Non-trainable params: 0
Total mult-adds (M): 0.47
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.06
Params size (MB): 0.03
Estimated Total Size (MB): 0.09
==========================================================================================""",
    ),
    (
        "cnn",
        (1, 28, 28),
        {"depth": 1},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Sequential: 1-1                        [-1, 10, 12, 12]          260
├─Sequential: 1-2                        [-1, 20, 4, 4]            5,060
├─Flatten: 1-3                           [-1, 320]                 --
├─Linear: 1-4                            [-1, 10]                  3,210
==========================================================================================
Total params: 8,530
Trainable params: 8,530
Non-trainable params: 0
Total mult-adds (M): 0.47
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.06
Params size (MB): 0.03
Estimated Total Size (MB): 0.09
==========================================================================================""",
    ),
    (
        "cnn",
        (1, 28, 28),
        {"branching": False, "depth": 2, "col_width": 17},
        """\
==========================================================================
Layer (type:depth-idx)                   Output Shape      Param #
==========================================================================
Sequential: 1-1                          [-1, 10, 12, 12]  --
Conv2d: 2-1                              [-1, 10, 24, 24]  260
MaxPool2d: 2-2                           [-1, 10, 12, 12]  --
ReLU: 2-3                                [-1, 10, 12, 12]  --
Sequential: 1-2                          [-1, 20, 4, 4]    --
Conv2d: 2-4                              [-1, 20, 8, 8]    5,020
Dropout: 2-5                             [-1, 20, 8, 8]    --
MaxPool2d: 2-6                           [-1, 20, 4, 4]    --
BatchNorm2d: 2-7                         [-1, 20, 4, 4]    40
Flatten: 1-3                             [-1, 320]         --
Linear: 1-4                              [-1, 10]          3,210
==========================================================================
Total params: 8,530
Trainable params: 8,530
Non-trainable params: 0
Total mult-adds (M): 0.47
==========================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.06
Params size (MB): 0.03
Estimated Total Size (MB): 0.09
==========================================================================""",
    ),
    (
        "cnn",
        (1, 28, 28),
        {"verbose": 2, "col_names": ALL},
        """\
=====================================================================================================================================================================
Layer (type:depth-idx)                   Kernel Shape              Input Shape               Output Shape              Param #                   Mult-Adds
=====================================================================================================================================================================
├─Sequential: 1-1                        --                        [-1, 1, 28, 28]           [-1, 10, 12, 12]          --                        --
|    └─0.weight                          [10, 1, 5, 5]
|    └─Conv2d: 2-1                       [1, 10, 5, 5]             [-1, 1, 28, 28]           [-1, 10, 24, 24]          260                       144,000
|    └─MaxPool2d: 2-2                    --                        [-1, 10, 24, 24]          [-1, 10, 12, 12]          --                        --
|    └─ReLU: 2-3                         --                        [-1, 10, 12, 12]          [-1, 10, 12, 12]          --                        --
├─Sequential: 1-2                        --                        [-1, 10, 12, 12]          [-1, 20, 4, 4]            --                        --
|    └─0.weight                          [20, 10, 5, 5]
|    └─3.weight                          [20]
|    └─Conv2d: 2-4                       [10, 20, 5, 5]            [-1, 10, 12, 12]          [-1, 20, 8, 8]            5,020                     320,000
|    └─Dropout: 2-5                      --                        [-1, 20, 8, 8]            [-1, 20, 8, 8]            --                        --
|    └─MaxPool2d: 2-6                    --                        [-1, 20, 8, 8]            [-1, 20, 4, 4]            --                        --
|    └─BatchNorm2d: 2-7                  [20]                      [-1, 20, 4, 4]            [-1, 20, 4, 4]            40                        20
├─Flatten: 1-3                           --                        [-1, 20, 4, 4]            [-1, 320]                 --                        --
├─Linear: 1-4                            [320, 10]                 [-1, 320]                 [-1, 10]                  3,210                     3,200
=====================================================================================================================================================================
Total params: 8,530
Trainable params: 8,530
Non-trainable params: 0
Total mult-adds (M): 0.47
=====================================================================================================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.06
Params size (MB): 0.03
Estimated Total Size (MB): 0.09
=====================================================================================================================================================================""",
    ),
    (
        "cnn",
        (2, 1, 28, 28),
        {"batch_dim": None},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Sequential: 1-1                        [2, 10, 12, 12]           --
|    └─Conv2d: 2-1                       [2, 10, 24, 24]           260
|    └─MaxPool2d: 2-2                    [2, 10, 12, 12]           --
|    └─ReLU: 2-3                         [2, 10, 12, 12]           --
├─Sequential: 1-2                        [2, 20, 4, 4]             --
|    └─Conv2d: 2-4                       [2, 20, 8, 8]             5,020
|    └─Dropout: 2-5                      [2, 20, 8, 8]             --
|    └─MaxPool2d: 2-6                    [2, 20, 4, 4]             --
|    └─BatchNorm2d: 2-7                  [2, 20, 4, 4]             40
├─Flatten: 1-3                           [2, 320]                  --
├─Linear: 1-4                            [2, 10]                   3,210
==========================================================================================
Total params: 8,530
Trainable params: 8,530
Non-trainable params: 0
Total mult-adds (M): 0.47
==========================================================================================
Input size (MB): 0.01
Forward/backward pass size (MB): 0.11
Params size (MB): 0.03
Estimated Total Size (MB): 0.15
==========================================================================================""",
    ),
    (
        "two inputs",
        [(4,), (5,)],
        {},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Linear: 1-1                            [-1, 3]                   15
├─Linear: 1-2                            [-1, 3]                   18
├─Sequential: 1-3                        [-1, 2]                   --
|    └─Sequential: 2-1                   [-1, 3]                   --
|    |    └─Linear: 3-1                  [-1, 3]                   12
|    |    └─ReLU: 3-2                    [-1, 3]                   --
|    └─Sequential: 2-2                   [-1, 2]                   --
|    |    └─Sequential: 3-3              [-1, 2]                   8
==========================================================================================
Total params: 53
Trainable params: 53
Non-trainable params: 0
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================""",
    ),
    (
        "two inputs",
        [(4,), (5,)],
        {"depth": 5},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Linear: 1-1                            [-1, 3]                   15
├─Linear: 1-2                            [-1, 3]                   18
├─Sequential: 1-3                        [-1, 2]                   --
|    └─Sequential: 2-1                   [-1, 3]                   --
|    |    └─Linear: 3-1                  [-1, 3]                   12
|    |    └─ReLU: 3-2                    [-1, 3]                   --
|    └─Sequential: 2-2                   [-1, 2]                   --
|    |    └─Sequential: 3-3              [-1, 2]                   --
|    |    |    └─Sequential: 4-1         [-1, 2]                   --
|    |    |    |    └─Linear: 5-1        [-1, 2]                   8
==========================================================================================
Total params: 53
Trainable params: 53
Non-trainable params: 0
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================""",
    ),
    (
        "repeated",
        (3,),
        {},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Linear: 1-1                            [-1, 3]                   12
├─ReLU: 1-2                              [-1, 3]                   --
├─Linear: 1-3                            [-1, 3]                   (recursive)
├─ReLU: 1-4                              [-1, 3]                   --
├─ModuleList: 1                          []                        --
|    └─Linear: 2-1                       [-1, 3]                   12
|    └─Sequential: 2-2                   [-1, 3]                   --
|    |    └─Linear: 3-1                  [-1, 3]                   12
|    |    └─ReLU: 3-2                    [-1, 3]                   --
==========================================================================================
Total params: 36
Trainable params: 36
Non-trainable params: 0
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================""",
    ),
    (
        "repeated",
        None,
        {"verbose": 2, "col_names": ("kernel_size", "num_params")},
        """\
==========================================================================================
Layer (type:depth-idx)                   Kernel Shape              Param #
==========================================================================================
├─Linear: 1-1                            [3, 3]                    12
├─ModuleList: 1-2                        --                        --
|    └─0.weight                          [3, 3]
|    └─1.0.weight                        [3, 3]
|    └─Linear: 2-1                       [3, 3]                    12
|    └─Sequential: 2-2                   --                        --
|    |    └─0.weight                     [3, 3]
|    |    └─Linear: 3-1                  [3, 3]                    12
|    |    └─ReLU: 3-2                    --                        --
├─ReLU: 1-3                              --                        --
==========================================================================================
Total params: 36
Trainable params: 36
Non-trainable params: 0
==========================================================================================""",
    ),
    (
        "frozen",
        (3,),
        {"device": "cpu"},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Linear: 1-1                            [-1, 4]                   (16)
├─Linear: 1-2                            [-1, 2]                   10
==========================================================================================
Total params: 26
Trainable params: 10
Non-trainable params: 16
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================""",
    ),
    (
        "embedding",
        (2,),
        {"dtypes": "long"},
        """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
├─Embedding: 1-1                         [-1, 2, 3]                30
├─Flatten: 1-2                           [-1, 6]                   --
├─Linear: 1-3                            [-1, 1]                   7
==========================================================================================
Total params: 37
Trainable params: 37
Non-trainable params: 0
Total mult-adds (M): 0.00
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
==========================================================================================""",
    ),
]


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

    assert "Inner: 1-1                              [[-1, 3]]" in repr(
        summary(Outer(), (3,), verbose=0)
    )
