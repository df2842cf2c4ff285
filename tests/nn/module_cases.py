"""Constructions of modules, and the inputs they are called with.

``build`` gets the namespace ``torch`` (flambeau or PyTorch) and returns the module. Inputs are
shapes (float32 tensors that need gradients), or arrays of integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Integers:
    """Integers from 0 to ``below - 1``, of ``shape``."""

    shape: tuple[int, ...]
    below: int


@dataclass(frozen=True)
class Signs:
    """Random choices of 1 and -1."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Probabilities:
    """Numbers between 0.05 and 0.95."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModuleCase:
    name: str
    build: Callable[[Any], Any]
    inputs: tuple[Any, ...]
    tolerance: float = 1e-5
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shapes = [getattr(x, "shape", x) for x in self.inputs if x is not None]
        return " ".join([self.name, *("x".join(map(str, shape)) for shape in shapes)])


def case(code: str, *inputs: Any, **options: Any) -> ModuleCase:
    """The module that ``code`` (with ``nn`` and ``torch``) makes."""

    def build(torch: Any) -> Any:
        return eval(code, {"torch": torch, "nn": torch.nn})

    return ModuleCase(code.removeprefix("nn."), build, inputs, **options)


def array_of(description: Any, seed: int) -> np.ndarray:
    """The array that an input's description stands for."""
    random = np.random.default_rng(seed)
    if isinstance(description, Integers):
        return random.integers(0, description.below, description.shape)
    if isinstance(description, Signs):
        return random.choice([-1.0, 1.0], description.shape).astype(np.float32)
    if isinstance(description, Probabilities):
        return random.uniform(0.05, 0.95, description.shape).astype(np.float32)
    if isinstance(description, np.ndarray):
        return description
    return random.normal(size=description).astype(np.float32)


X = (3, 4)
IMAGE = (2, 3, 8, 8)
SEQUENCE = (2, 3, 10)
VOLUME = (2, 3, 5, 6, 7)

LINEAR = [
    case("nn.Linear(4, 5)", X),
    case("nn.Linear(4, 5)", (4,)),
    case("nn.Linear(4, 5)", (2, 3, 4)),
    case("nn.Linear(4, 5, bias=False)", X),
    case("nn.Linear(4, 5, dtype=torch.float64)", None),
    case("nn.Bilinear(3, 4, 5)", (2, 3), (2, 4)),
    case("nn.Bilinear(3, 4, 5, bias=False)", (2, 6, 3), (2, 6, 4)),
    case("nn.Identity(54, unused=1)", X),
    case("nn.Flatten()", (2, 3, 4)),
    case("nn.Flatten(0, 1)", (2, 3, 4)),
    case("nn.Unflatten(1, (2, 3))", (2, 6)),
    case("nn.LazyLinear(3)", X),
]

CONVOLUTION = [
    case("nn.Conv1d(3, 4, 3)", SEQUENCE),
    case("nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2)", SEQUENCE),
    case("nn.Conv1d(3, 4, 4, padding='same', padding_mode='circular')", SEQUENCE),
    case("nn.Conv1d(3, 4, 3)", (3, 10)),
    case("nn.Conv2d(3, 4, 3)", IMAGE),
    case("nn.Conv2d(3, 4, 1)", IMAGE),
    case("nn.Conv2d(3, 4, 1, bias=False)", IMAGE),
    case("nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), bias=False)", IMAGE),
    case("nn.Conv2d(3, 6, 3, groups=3, padding=1)", IMAGE),
    case("nn.Conv2d(4, 6, 3, groups=2, dilation=2)", (2, 4, 8, 8)),
    case("nn.Conv2d(3, 4, 3, padding='same')", IMAGE),
    case("nn.Conv2d(3, 4, 4, padding='same')", IMAGE),
    case("nn.Conv2d(3, 4, 3, padding='valid')", IMAGE),
    case("nn.Conv2d(3, 4, 3, padding=1, padding_mode='reflect')", IMAGE),
    case("nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode='replicate')", IMAGE),
    case("nn.Conv2d(3, 4, 3)", (3, 8, 8)),
    case("nn.Conv2d(3, 4, 3)", (70, 3, 6, 6)),
    case("nn.Conv3d(3, 4, 3, padding=1)", VOLUME),
    case("nn.Conv3d(3, 4, (1, 2, 3), stride=(1, 2, 2))", VOLUME),
    case("nn.ConvTranspose1d(3, 4, 3, stride=2)", SEQUENCE),
    case("nn.ConvTranspose2d(3, 4, 3)", IMAGE),
    case("nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1, bias=False)", IMAGE),
    case("nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2, dilation=2)",
         (2, 4, 5, 5)),
    case("nn.ConvTranspose3d(3, 2, 2, stride=2)", VOLUME),
    case("nn.LazyConv2d(4, 3)", IMAGE),
    case("nn.LazyConv1d(4, 3)", SEQUENCE),
    case("nn.LazyConvTranspose2d(4, 3)", IMAGE),
]  # fmt: skip

POOLING = [
    case("nn.MaxPool1d(2)", SEQUENCE),
    case("nn.MaxPool1d(3, stride=1, padding=1, ceil_mode=True)", SEQUENCE),
    case("nn.MaxPool2d(2)", IMAGE),
    case("nn.MaxPool2d(3)", IMAGE),
    case("nn.MaxPool2d((2, 4))", IMAGE),
    case("nn.MaxPool2d(2)", (3, 8, 8)),
    case("nn.MaxPool2d(3, stride=2, padding=1, dilation=1, ceil_mode=True)", IMAGE),
    case("nn.MaxPool2d(2, stride=2, dilation=2)", IMAGE),
    case("nn.MaxPool3d(2, ceil_mode=True)", VOLUME),
    case("nn.AvgPool1d(3, 2, 1)", SEQUENCE),
    case("nn.AvgPool2d(2)", IMAGE),
    case("nn.AvgPool2d(3, 2, 1, count_include_pad=False)", IMAGE),
    case("nn.AvgPool2d(3, 2, 1, ceil_mode=True)", IMAGE),
    case("nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)", IMAGE),
    case("nn.AvgPool2d(2, divisor_override=3)", IMAGE),
    case("nn.AvgPool3d(2)", VOLUME),
    case("nn.AdaptiveAvgPool1d(5)", SEQUENCE),
    case("nn.AdaptiveAvgPool1d(3)", SEQUENCE),
    case("nn.AdaptiveAvgPool2d((1, 1))", IMAGE),
    case("nn.AdaptiveAvgPool2d((None, 3))", IMAGE),
    case("nn.AdaptiveAvgPool3d(2)", VOLUME),
    case("nn.AdaptiveMaxPool1d(3)", SEQUENCE),
    case("nn.AdaptiveMaxPool2d(4)", IMAGE),
    case("nn.AdaptiveMaxPool2d((3, 5))", IMAGE),
    case("nn.AdaptiveMaxPool3d((2, 4, 3))", VOLUME),
]

NORMALIZATION = [
    case("nn.BatchNorm1d(4)", (5, 4)),
    case("nn.BatchNorm1d(3)", SEQUENCE),
    case("nn.BatchNorm1d(4).eval()", (5, 4)),
    case("nn.BatchNorm1d(4, affine=False)", (5, 4)),
    case("nn.BatchNorm1d(4, bias=False)", (5, 4)),
    case("nn.BatchNorm1d(4, momentum=None)", (5, 4)),
    case("nn.BatchNorm1d(4, track_running_stats=False).eval()", (5, 4)),
    case("nn.BatchNorm2d(3)", IMAGE),
    case("nn.BatchNorm2d(3).eval()", IMAGE),
    case("nn.BatchNorm3d(3, eps=1e-3, momentum=0.3)", VOLUME),
    case("nn.LazyBatchNorm2d()", IMAGE),
    case("nn.InstanceNorm1d(3)", SEQUENCE),
    case("nn.InstanceNorm2d(3, affine=True)", IMAGE),
    case("nn.InstanceNorm2d(3, affine=True, track_running_stats=True)", IMAGE),
    case("nn.InstanceNorm2d(3)", (3, 8, 8)),
    case("nn.InstanceNorm3d(3, track_running_stats=True).eval()", VOLUME),
    case("nn.LayerNorm(4)", X),
    case("nn.LayerNorm(4)", (2, 3, 4)),
    case("nn.LayerNorm([3, 4], eps=1e-3, bias=False)", (2, 3, 4)),
    case("nn.LayerNorm(4, elementwise_affine=False)", X),
    case("nn.GroupNorm(2, 4)", (2, 4, 5)),
    case("nn.GroupNorm(3, 3, affine=False)", IMAGE),
    case("nn.RMSNorm(4)", X),
    case("nn.RMSNorm([3, 4], eps=1e-3, elementwise_affine=False)", (2, 3, 4)),
    case("nn.LocalResponseNorm(3)", IMAGE),
    case("nn.LocalResponseNorm(2, alpha=0.1, k=2.0)", SEQUENCE),
    case("nn.CrossMapLRN2d(3)", IMAGE, tolerance=1e-3),
]

DROPOUT = [
    case("nn.Dropout()", (6, 7)),
    case("nn.Dropout(0.2)", (6, 7)),
    case("nn.Dropout(0.0)", (6, 7)),
    case("nn.Dropout(1.0)", (6, 7)),
    case("nn.Dropout().eval()", (6, 7)),
    case("nn.Dropout1d()", SEQUENCE),
    case("nn.Dropout1d()", (5, 6)),
    case("nn.Dropout2d()", IMAGE),
    case("nn.Dropout3d()", VOLUME),
    case("nn.AlphaDropout()", (6, 7)),
    case("nn.FeatureAlphaDropout()", IMAGE),
]

ACTIVATION = [
    case(f"nn.{code}", X)
    for code in (
        "ReLU()", "ReLU6()", "LeakyReLU()", "LeakyReLU(0.3)", "ELU()", "ELU(0.5)", "SELU()",
        "CELU()", "CELU(2.0)", "GELU()", "GELU('tanh')", "SiLU()", "Mish()", "Sigmoid()", "Tanh()",
        "Softplus()", "Softplus(2.0, 1.0)", "Softsign()", "Hardtanh()", "Hardtanh(-0.3, 0.5)",
        "Hardsigmoid()", "Hardswish()", "PReLU()", "PReLU(4)", "Threshold(0.1, 20)",
        "Tanhshrink()", "Softshrink()", "Hardshrink()", "LogSigmoid()", "GLU()", "Softmin(1)",
        "Softmax(1)", "Softmax(0)", "LogSoftmax(1)", "RReLU()", "RReLU().eval()",
    )
] + [
    case("nn.Softmax2d()", IMAGE),
    case("nn.PReLU(3)", IMAGE),
    case("nn.Softmax(-1)", (2, 3, 100)),
]  # fmt: skip

INPLACE = [
    case(f"nn.{code}", X)
    for code in (
        "ReLU(inplace=True)", "LeakyReLU(inplace=True)", "ELU(inplace=True)", "SELU(True)",
        "CELU(inplace=True)", "SiLU(True)", "Mish(True)", "Hardtanh(inplace=True)", "ReLU6(True)",
        "Hardsigmoid(True)", "Hardswish(True)", "Threshold(1, 2, True)", "RReLU(inplace=True)",
        "Dropout(0.2, True)",
    )
]  # fmt: skip

SPARSE = [
    case("nn.Embedding(5, 3)", Integers((2, 4), 5)),
    case("nn.Embedding(5, 3, padding_idx=1)", Integers((7,), 5)),
    case("nn.Embedding(5, 3, padding_idx=-1, scale_grad_by_freq=True)", Integers((9,), 5)),
    case("nn.Embedding(5, 3, max_norm=1.0, norm_type=1.0)", Integers((4,), 5)),
    case("nn.EmbeddingBag(5, 3)", Integers((2, 4), 5)),
    case("nn.EmbeddingBag(5, 3, mode='sum', padding_idx=2)", Integers((2, 4), 5)),
    case("nn.EmbeddingBag(5, 3, mode='max')", Integers((9,), 5), np.array([0, 4, 4, 7])),
]

LOSS = [
    case(f"nn.{name}({arguments})", *inputs)
    for name, variants, inputs in (
        ("MSELoss", ("", "reduction='sum'", "reduction='none'"), (X, X)),
        ("L1Loss", ("", "reduction='sum'", "reduction='none'"), (X, X)),
        ("SmoothL1Loss", ("", "beta=0.3, reduction='none'", "beta=0.0"), (X, X)),
        ("HuberLoss", ("", "delta=0.3, reduction='sum'", "reduction='none'"), (X, X)),
        ("BCELoss", ("", "reduction='none'", "weight=torch.tensor([0.1, 1, 2, 3])"),
         (Probabilities(X), Probabilities(X))),
        ("BCEWithLogitsLoss",
         ("", "reduction='none'", "weight=torch.tensor([0.1, 1, 2, 3])",
          "pos_weight=torch.tensor([0.1, 1, 2, 3])"), (X, Probabilities(X))),
        ("CrossEntropyLoss",
         ("", "reduction='sum'", "reduction='none'", "label_smoothing=0.1", "ignore_index=1",
          "weight=torch.tensor([0.5, 1, 2, 3])",
          "weight=torch.tensor([0.5, 1, 2, 3]), label_smoothing=0.2, ignore_index=2"),
         ((5, 4), Integers((5,), 4))),
        ("CrossEntropyLoss", ("", "ignore_index=1, reduction='none'"),
         ((2, 4, 3, 3), Integers((2, 3, 3), 4))),
        ("CrossEntropyLoss", ("", "label_smoothing=0.1"), ((4,), Integers((), 4))),
        ("CrossEntropyLoss", ("",), ((200, 100), Integers((200,), 100))),
        ("CrossEntropyLoss",
         ("", "reduction='none', label_smoothing=0.1", "weight=torch.tensor([0.5, 1, 2, 3])"),
         ((5, 4), Probabilities((5, 4)))),
        ("NLLLoss", ("", "reduction='sum'", "reduction='none'", "ignore_index=1",
                     "weight=torch.tensor([0.5, 1, 2, 3])"), ((5, 4), Integers((5,), 4))),
        ("NLLLoss", ("",), ((2, 4, 3), Integers((2, 3), 4))),
        ("NLLLoss", ("",), ((4,), Integers((), 4))),
        ("KLDivLoss", ("reduction='batchmean'", "reduction='none'",
                       "reduction='sum', log_target=True"), (X, Probabilities(X))),
        ("PoissonNLLLoss", ("", "full=True", "log_input=False, reduction='none'"),
         (Probabilities(X), Probabilities(X))),
        ("GaussianNLLLoss", ("", "full=True, reduction='none'"), (X, X, Probabilities((3, 1)))),
        ("HingeEmbeddingLoss", ("", "margin=0.3, reduction='none'"), (X, Signs(X))),
        ("SoftMarginLoss", ("", "reduction='none'"), (X, Signs(X))),
        ("CosineEmbeddingLoss", ("", "margin=0.2, reduction='none'"), (X, X, Signs((3,)))),
        ("MarginRankingLoss", ("", "margin=0.2, reduction='none'"), ((5,), (5,), Signs((5,)))),
        ("TripletMarginLoss", ("", "p=1.0, swap=True, reduction='none'"), (X, X, X)),
        ("TripletMarginWithDistanceLoss", ("", "swap=True, margin=0.5"), (X, X, X)),
        ("MultiMarginLoss", ("", "p=2, margin=0.5, weight=torch.tensor([0.5, 1, 2, 3])"),
         ((3, 4), Integers((3,), 4))),
        ("MultiLabelMarginLoss", ("", "reduction='none'"),
         ((2, 4), np.array([[3, 0, -1, 1], [1, 2, 0, -1]]))),
        ("MultiLabelSoftMarginLoss", ("", "weight=torch.tensor([0.1, 1, 2, 3])"),
         (X, Probabilities(X))),
    )
    for arguments in variants
]  # fmt: skip

DISTANCE = [
    case("nn.CosineSimilarity()", X, X),
    case("nn.CosineSimilarity(dim=0)", X, X),
    case("nn.PairwiseDistance()", X, X),
    case("nn.PairwiseDistance(p=1.0, keepdim=True)", X, X),
]

PADDING = [
    case("nn.ConstantPad1d(2, 3.5)", SEQUENCE),
    case("nn.ConstantPad2d((1, 0, 2, -1), -1.0)", IMAGE),
    case("nn.ConstantPad3d(1, 0.5)", VOLUME),
    case("nn.ZeroPad1d(1)", SEQUENCE),
    case("nn.ZeroPad2d((1, 2, 0, 1))", IMAGE),
    case("nn.ZeroPad3d(1)", VOLUME),
    case("nn.ReflectionPad1d(2)", SEQUENCE),
    case("nn.ReflectionPad2d((1, 2, 3, 0))", IMAGE),
    case("nn.ReflectionPad3d(1)", VOLUME),
    case("nn.ReplicationPad1d((2, 1))", SEQUENCE),
    case("nn.ReplicationPad2d(1)", IMAGE),
    case("nn.ReplicationPad3d((1, 2, 0, 1, 2, 0))", VOLUME),
    case("nn.CircularPad1d(2)", SEQUENCE),
    case("nn.CircularPad2d((1, 2, 3, 0))", IMAGE),
    case("nn.CircularPad3d(1)", VOLUME),
    case("nn.PixelShuffle(2)", (2, 8, 3, 3)),
    case("nn.PixelUnshuffle(2)", (2, 2, 4, 6)),
    case("nn.ChannelShuffle(2)", (2, 4, 3)),
]

CONTAINERS = [
    case("nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))", X),
    case("nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), "
         "nn.Flatten(), nn.Dropout(0.3), nn.Linear(36, 5), nn.LogSoftmax(1))", IMAGE),
    case("nn.ModuleList([nn.Linear(2, 3) for _ in range(3)] + [nn.ReLU()])", None),
    case("nn.ModuleDict({'a': nn.Linear(2, 3), 'b': nn.Sequential(nn.ReLU())})", None),
    case("nn.ParameterList([nn.Parameter(torch.zeros(2)), torch.ones(3, 4), 'text'])", None),
    case("nn.ParameterDict({'a': nn.Parameter(torch.zeros(2)), 'b': torch.ones(3, 4)})", None),
    case("nn.Sequential()", None),
]  # fmt: skip

CASES = [
    *LINEAR, *CONVOLUTION, *POOLING, *NORMALIZATION, *DROPOUT, *ACTIVATION, *INPLACE, *SPARSE,
    *LOSS, *DISTANCE, *PADDING, *CONTAINERS,
]  # fmt: skip
