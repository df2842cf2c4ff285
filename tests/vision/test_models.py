"""The networks have torchvision's parameters: names, order, shapes and values for a seed."""

from __future__ import annotations

import math
from collections import OrderedDict

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.vision import models
from flambeau.vision.models._utils import IntermediateLayerGetter, _make_divisible
from tests.vision import recorded_models as recorded

RECORDED = recorded.recorded()
pytestmark = pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
WITH_NUMBERS = [
    pytest.param(case, marks=pytest.mark.slow) if case in ("alexnet", "vgg11_bn") else case
    for case, row in RECORDED.items()
    if row["weights"]
]
NAMES = [name for name in models.list_models() if name != "lenet"]


@pytest.mark.parametrize("name", NAMES)
def test_state_dicts_are_torchvisions(name):
    row = RECORDED[name]
    with recorded.unwritten(nn.init):
        model = recorded.build(models, name)
    assert recorded.shapes(model) == {key: row[key] for key in ("entries", "digest")}


def test_every_model_is_recorded():
    assert {*NAMES, *recorded.TINY} == set(RECORDED)


@pytest.mark.parametrize("case", WITH_NUMBERS)
def test_a_seed_gives_torchvisions_weights_and_scores(case):
    row = RECORDED[case]
    side = recorded.NUMBERS.get(case, 32)
    torch.manual_seed(3)
    model = recorded.build(models, case)
    assert recorded.shapes(model) == {key: row[key] for key in ("entries", "digest")}
    size = sum(p.detach().double().abs().sum().item() for p in model.parameters())
    assert math.isclose(recorded.weights(model), float(row["weights"]), abs_tol=1e-7 * size)
    scores = recorded.outputs(torch, model, side)
    expected = [float(score) for score in row["outputs"].split()]
    assert scores == pytest.approx(expected, abs=1e-3 * max(map(abs, expected)))


# In training, Inception v3 takes images of 300 pixels and more only.
LONG = ("inception_v3", "resnet50")
TRAINED = [case for case in WITH_NUMBERS if isinstance(case, str) and case not in LONG]


@pytest.mark.parametrize("case", TRAINED)
def test_a_training_step_reaches_every_parameter(case):
    model = recorded.build(models, case)
    side = recorded.NUMBERS.get(case, 32)
    results = model(torch.randn(2, 3, side, side))
    results = results if isinstance(results, tuple) else (results,)
    sum(scores.square().sum() for scores in results).backward()
    assert all(scores.shape == (2, 10) for scores in results)
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize("case", WITH_NUMBERS)
def test_torchvision_itself_says_the_same(case):
    theirs = pytest.importorskip("torchvision")
    import torch as pytorch

    pytorch.manual_seed(5)
    expected = recorded.build(theirs.models, case)
    torch.manual_seed(5)
    model = recorded.build(models, case)
    for (name, value), (their_name, their_value) in zip(
        model.named_parameters(), expected.named_parameters(), strict=True
    ):
        assert name == their_name
        close = torch.allclose(value, torch.from_numpy(their_value.detach().numpy()), atol=1e-6)
        assert close, name
    assert [str(m) for m in model.modules() if not list(m.children())] == [
        str(m) for m in expected.modules() if not list(m.children())
    ]


def test_inception_networks_have_heads_in_the_middle():
    with pytest.warns(FutureWarning, match="default weight initialization of GoogLeNet"):
        model = models.googlenet(num_classes=3)
    results = model(torch.zeros(2, 3, 32, 32))
    assert results._fields == ("logits", "aux_logits2", "aux_logits1")
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    head = models.inception.InceptionAux(768, 3)
    assert head(torch.zeros(2, 768, 17, 17)).shape == (2, 3)
    assert models.InceptionOutputs._fields == ("logits", "aux_logits")


def test_residual_networks_name_their_parts_as_torchvision_does():
    names = list(models.resnet18(num_classes=10).state_dict())
    assert names[:7] == [
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
        "bn1.num_batches_tracked", "layer1.0.conv1.weight",
    ]  # fmt: skip
    assert "layer2.0.downsample.0.weight" in names and names[-2:] == ["fc.weight", "fc.bias"]


def test_lenet_has_the_parameters_of_the_paper():
    model = models.LeNet()
    assert sum(p.numel() for p in model.parameters()) == 61706
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert models.lenet(num_classes=47)(torch.zeros(1, 1, 28, 28)).shape == (1, 47)
    assert models.lenet(pretrained=False).training
    with pytest.raises(ValueError, match="No weights available for model lenet"):
        models.lenet(pretrained=True)


def test_options_change_the_network():
    block = models.resnet.BasicBlock
    tiny = models.ResNet(block, [1, 1, 1, 1], num_classes=3, zero_init_residual=True)
    assert not tiny.layer1[0].bn2.weight.any()
    wide = models.ResNet(
        models.resnet.Bottleneck,
        [1, 1, 1, 1],
        num_classes=2,
        replace_stride_with_dilation=[False, True, True],
        norm_layer=lambda n: torch.nn.GroupNorm(4, n),
    )
    assert wide.layer4[0].conv2.dilation == (2, 2)
    with torch.no_grad():
        features = wide.layer4(wide.layer3(wide.layer2(torch.zeros(1, 256, 8, 8))))
    assert features.shape == (1, 2048, 4, 4)
    with pytest.raises(ValueError, match="3-element tuple"):
        models.ResNet(block, [1, 1, 1, 1], replace_stride_with_dilation=[True])
    narrow = models.mobilenet_v2(width_mult=0.5, num_classes=2)
    assert narrow.features[0][0].out_channels == 16


def test_models_are_listed_by_patterns():
    assert models.list_models(include="resnet*", exclude=["*18", "*5?"]) == [
        "resnet101",
        "resnet34",
    ]
    assert models.list_models(include=["vgg11*", "alex*"]) == ["alexnet", "vgg11", "vgg11_bn"]
    assert models.list_models(module=models) == models.list_models()
    assert models.list_models(module=nn) == []
    with pytest.raises(ValueError, match="Unknown model resnet19"):
        models.get_model("resnet19")


def test_a_registered_model_is_found_by_name(monkeypatch):
    monkeypatch.setattr(models.registry, "_BUILDERS", dict(models.registry._BUILDERS))

    @models.register_model("tiny")
    def build(*, width: int = 2) -> nn.Module:
        return nn.Linear(width, 1)

    assert models.get_model("tiny", width=3).in_features == 3
    assert models.get_model_builder("TINY") is build
    with pytest.raises(ValueError, match="already registered under the name 'tiny'"):
        models.register_model("tiny")(build)
    with pytest.raises(TypeError, match="with parentheses"):
        models.register_model(build)


def test_results_of_layers_in_between_are_given():
    model = models.resnet18(num_classes=2).eval()
    getter = IntermediateLayerGetter(model, {"layer1": "first", "layer3": "third"})
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        results = getter(image)
        stem = model.maxpool(model.relu(model.bn1(model.conv1(image))))
        assert torch.equal(results["first"], model.layer1(stem))
    assert isinstance(results, OrderedDict) and list(results) == ["first", "third"]
    assert results["third"].shape == (1, 256, 2, 2)
    assert "layer4" not in getter and getter.layer3 is model.layer3
    with pytest.raises(ValueError, match="not present in model: layer9; it holds conv1, bn1"):
        IntermediateLayerGetter(model, {"layer9": "last"})


def test_channels_are_rounded_down_by_a_tenth_at_most():
    assert [_make_divisible(v, 8) for v in (3, 16, 19, 20, 11.9, 67)] == [8, 16, 24, 24, 16, 64]
    assert _make_divisible(3, 8, 16) == 16
