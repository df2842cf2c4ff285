"""Every module class is exported and agrees with onnxruntime, or is refused and documented."""

from __future__ import annotations

from pathlib import Path

import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from flambeau.onnx import OnnxExporterError, export  # noqa: E402

from ..nn.module_cases import CASES, array_of  # noqa: E402
from .running import compare, exported, tensors  # noqa: E402

REFUSED = {
    "Embedding(5, 3, max_norm=1.0, norm_type=1.0)",
    "EmbeddingBag(5, 3, mode='max')",
}
"""Cases of tests.nn that need what ONNX has not or write to a weight; docs/limits.md names them."""


def normal(*shape):
    return torch.from_numpy(array_of(shape, sum(shape)))


def integers(below, *shape):
    return torch.randint(0, below, shape)


def layer(cls, **options):
    return cls(8, 2, 16, dropout=0.1, **options)


CAUSAL = nn.Transformer.generate_square_subsequent_mask(5)
PADDING = torch.tensor([[False] * 4 + [True], [False] * 5])
SOURCE, TARGET = normal(5, 2, 8), normal(4, 2, 8)
BATCH_FIRST = normal(2, 5, 8)
IMAGE = normal(2, 3, 6, 6)

MORE = {
    "MultiheadAttention": [
        (lambda: nn.MultiheadAttention(8, 2), (TARGET, SOURCE, SOURCE), {}),
        (lambda: nn.MultiheadAttention(8, 2, batch_first=True), (BATCH_FIRST,) * 3,
         {"attn_mask": CAUSAL, "is_causal": True, "need_weights": False}),
        (lambda: nn.MultiheadAttention(8, 2, batch_first=True, bias=False), (BATCH_FIRST,) * 3,
         {"attn_mask": CAUSAL < 0, "key_padding_mask": PADDING}),
        (lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=4),
         (SOURCE, normal(4, 2, 3), normal(4, 2, 4)), {"average_attn_weights": False}),
    ],
    "TransformerEncoderLayer": [
        (lambda: layer(nn.TransformerEncoderLayer), (SOURCE,), {"src_mask": CAUSAL}),
    ],
    "TransformerEncoder": [
        (lambda: nn.TransformerEncoder(layer(nn.TransformerEncoderLayer, batch_first=True), 2),
         (BATCH_FIRST,), {"src_key_padding_mask": PADDING}),
        (lambda: nn.TransformerEncoder(
            layer(nn.TransformerEncoderLayer, batch_first=True, norm_first=True, activation="gelu"),
            2, norm=nn.LayerNorm(8)),
         (BATCH_FIRST,), {"mask": CAUSAL, "is_causal": True}),
    ],
    "TransformerDecoderLayer": [
        (lambda: layer(nn.TransformerDecoderLayer, norm_first=True), (SOURCE, TARGET),
         {"memory_key_padding_mask": PADDING[:, 1:]}),
    ],
    "TransformerDecoder": [
        (lambda: nn.TransformerDecoder(layer(nn.TransformerDecoderLayer), 2), (SOURCE, TARGET),
         {"tgt_mask": CAUSAL, "memory_mask": normal(5, 4)}),
    ],
    "Transformer": [
        (lambda: nn.Transformer(8, 2, 1, 2, 16), (SOURCE, TARGET),
         {"tgt_mask": CAUSAL[:4, :4], "src_key_padding_mask": PADDING}),
        (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True, norm_first=True, bias=False),
         (BATCH_FIRST, normal(2, 4, 8)), {}),
    ],
    "CTCLoss": [
        (lambda: nn.CTCLoss(),
         (normal(6, 2, 5).log_softmax(-1), integers(4, 2, 3) + 1, torch.tensor([6, 5]),
          torch.tensor([3, 2])), {}),
    ],
    "EmbeddingBag": [
        (lambda: nn.EmbeddingBag(5, 3, mode="sum"), (integers(5, 2, 4), None, normal(2, 4)), {}),
        (lambda: nn.EmbeddingBag(5, 3, padding_idx=1),
         (torch.tensor([0, 2, 1, 3, 4]), torch.tensor([0, 2, 2])), {}),
    ],
    "Fold": [
        (lambda: nn.Fold((4, 5), (2, 2)), (normal(2, 12, 12),), {}),
        (lambda: nn.Fold((4, 5), (2, 2), stride=2, padding=1), (normal(2, 12, 9),), {}),
    ],
    "Unfold": [(lambda: nn.Unfold(2, padding=1, dilation=2), (IMAGE,), {})],
    "FractionalMaxPool2d": [
        (lambda: nn.FractionalMaxPool2d(2, 3, _random_samples=torch.rand(2, 3, 2)), (IMAGE,), {}),
    ],
    "FractionalMaxPool3d": [
        (lambda: nn.FractionalMaxPool3d(2, 3, _random_samples=torch.rand(2, 3, 3)),
         (normal(2, 3, 6, 6, 6),), {}),
    ],
    "LinearCrossEntropyLoss": [
        (lambda: nn.LinearCrossEntropyLoss(6, 5), (normal(4, 6), integers(5, 4)), {}),
    ],
    "NLLLoss2d": [(lambda: nn.NLLLoss2d(), (normal(2, 4, 3, 3), integers(4, 2, 3, 3)), {})],
    "SyncBatchNorm": [(lambda: nn.SyncBatchNorm(3), (IMAGE,), {})],
    "DataParallel": [(lambda: nn.DataParallel(nn.Linear(3, 2)), (normal(2, 3),), {})],
    "UpsamplingBilinear2d": [(lambda: nn.UpsamplingBilinear2d(scale_factor=2), (IMAGE,), {})],
    "UpsamplingNearest2d": [(lambda: nn.UpsamplingNearest2d(scale_factor=2), (IMAGE,), {})],
    "Upsample": [
        (lambda mode=mode: nn.Upsample(scale_factor=1.5, mode=mode),
         (normal(2, 3, *[4] * dims),), {})
        for mode, dims in (
            ("nearest", 1), ("nearest", 3), ("linear", 1), ("bilinear", 2), ("trilinear", 3),
            ("bicubic", 2), ("nearest-exact", 2), ("area", 2),
        )
    ],
}  # fmt: skip
for dims in (1, 2, 3):
    x = (normal(2, 3, *[6] * dims),)
    for name, arguments in (
        ("LPPool", "2.0, 2, ceil_mode=True"), ("LPPool", "3.0, 3, stride=1"),
        ("MaxPool", "2, return_indices=True"), ("AdaptiveMaxPool", "4, return_indices=True"),
        ("LazyConv", "4, 2"), ("LazyConvTranspose", "4, 2"), ("LazyBatchNorm", ""),
        ("LazyInstanceNorm", "affine=True"),
    ):  # fmt: skip
        code = f"nn.{name}{dims}d({arguments})"
        MORE.setdefault(f"{name}{dims}d", []).append((lambda code=code: eval(code), x, {}))
    largest = eval(f"nn.MaxPool{dims}d(2, return_indices=True)")(*x)
    MORE[f"MaxUnpool{dims}d"] = [(lambda dims=dims: eval(f"nn.MaxUnpool{dims}d(2)"), largest, {})]

RECURRENT = {"RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"}
"""In test_recurrent.py."""
NOT_CALLED = {
    "Module", "Container", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "RNNBase",
    "RNNCellBase",
}  # fmt: skip
WHOLLY_REFUSED = {
    "AdaptiveLogSoftmaxWithLoss": (
        lambda: nn.AdaptiveLogSoftmaxWithLoss(6, 20, [5, 10]), (normal(4, 6), integers(20, 4)),
    ),
}  # fmt: skip


def called(case):
    """A case's module in evaluation mode, and its arguments."""
    torch.manual_seed(1)
    module = case.build(torch).eval()
    arrays = [torch.from_numpy(array_of(x, i)) for i, x in enumerate(case.inputs)]
    return module, tuple(arrays)


CALLED = [case for case in CASES if all(given is not None for given in case.inputs)]
FIRST = {}
for one in CALLED:
    if one.name not in REFUSED:
        FIRST.setdefault(one.name.split("(")[0], one)


def variants():
    """One case of each class, the others marked as slow."""
    for case in CALLED:
        if case.name not in REFUSED:
            first = FIRST[case.name.split("(")[0]] is case
            yield pytest.param(case, marks=() if first else pytest.mark.slow, id=str(case))


@pytest.mark.parametrize("case", list(variants()))
def test_a_module_gives_in_onnxruntime_what_it_gives_here(case):
    module, args = called(case)
    with torch.no_grad():
        module(*[a.clone() for a in args])  # lazy ones get their sizes
    proto, session = exported(module, args)
    compare(session, proto, module, args)


@pytest.mark.parametrize(
    ("name", "place"), [(name, k) for name, found in MORE.items() for k in range(len(found))]
)
def test_so_do_modules_with_masks_and_several_arguments(name, place):
    build, args, kwargs = MORE[name][place]
    torch.manual_seed(1)
    module = build().eval()
    assert type(module) is getattr(nn, name)
    with torch.no_grad():
        module(*args, **kwargs)
    proto, session = exported(module, args, kwargs)
    compare(session, proto, module, args, kwargs)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_a_graph_cannot_say_is_refused(name):
    for case in CALLED:
        if case.name == name:
            why = "no ONNX operator|changes a tensor in place"
            with pytest.raises(OnnxExporterError, match=why):
                export(*called(case))


@pytest.mark.parametrize("name", sorted(WHOLLY_REFUSED))
def test_so_are_modules_that_always_do(name):
    build, args = WHOLLY_REFUSED[name]
    model = build()
    assert tensors(model(*args))
    with pytest.raises(OnnxExporterError, match="depends on values"):
        export(model, args)


def test_every_class_is_exported_or_refused_and_documented():
    classes = {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }
    tried = {*FIRST, *MORE, *RECURRENT, *NOT_CALLED, "Sequential", *WHOLLY_REFUSED}
    refused = {*WHOLLY_REFUSED, *(name.split("(")[0] for name in REFUSED)}
    assert classes <= tried | refused, f"not tried: {sorted(classes - tried - refused)}"
    limits = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
    (about,) = (part for part in limits.split("\n## ") if "ONNX" in part.partition("\n")[0])
    missing = {name for name in refused if f"`{name}`" not in about}
    assert not missing, f"docs/limits.md says nothing of {sorted(missing)}"
