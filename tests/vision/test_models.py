"""The networks have torchvision's parameters: names, order, shapes and values for a seed."""

from __future__ import annotations

import hashlib
import math

import pytest

import flambeau as torch
from flambeau.vision import models

# Recorded from torchvision 0.28, ten classes, seed 3: entries of the state dict, a digest of its
# names and shapes, and the sum of the last weight.
RECORDED = {
    "alexnet": (16, "6d6199d5b21bbaa2", 1.1639060247689486),
    "mobilenet_v2": (314, "978cc0be92579765", 0.9503985304900198),
    "resnet18": (122, "34f7766b3bf589cc", -1.1138679511168448),
    "resnet34": (218, "9108769855b449a8", 1.0513818214712956),
    "resnet50": (320, "aa0466f3e3c98071", 0.6421491777665551),
    "resnet101": (626, "6faaa388efff5646", 1.240590956422352),
    "resnet152": (932, "4cca81f41f95df5f", -1.9102953788096784),
    "resnext50_32x4d": (320, "efb8ad0d4ab107f6", -1.0087489517320591),
    "resnext101_32x8d": (626, "387ff8adb4cab205", 1.1352319991101467),
    "vgg11": (22, "7dae0ce957f06ae4", 2.214753634274075),
    "vgg11_bn": (62, "127b60aeaf147743", 2.214753634274075),
    "vgg13": (26, "9b28652b24308ae1", 0.17377183494218684),
    "vgg13_bn": (76, "232f7d424348a457", 0.17377183494218684),
    "vgg16": (32, "c40b7d18c9b7d28c", 1.299132399077461),
    "vgg16_bn": (97, "dea1b104ba28de48", 1.299132399077461),
    "vgg19": (38, "98ce9a4b50892ef4", 0.6426664151127284),
    "vgg19_bn": (118, "c9e0cb612dbaf260", 0.6426664151127284),
    "wide_resnet50_2": (320, "5bf403e0eecfcb3c", 0.3177528006842749),
    "wide_resnet101_2": (626, "aa538c4d273b92ac", 1.1208521537240586),
}
QUICK = {"mobilenet_v2", "resnet18", "resnet50"}


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RECORDED],
)
def test_state_dicts_are_torchvisions(name):
    torch.manual_seed(3)
    state = models.get_model(name, num_classes=10).state_dict()
    count, digest, last = RECORDED[name]
    lines = "\n".join(f"{key} {list(value.shape)}" for key, value in state.items())
    assert len(state) == count
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest, lines
    weight = state[list(state)[-2]]
    assert math.isclose(float(weight.double().sum()), last, rel_tol=1e-5)


def test_every_model_is_recorded():
    assert set(models.list_models()) == {*RECORDED, "lenet"}


def test_residual_networks_name_their_parts_as_torchvision_does():
    names = list(models.resnet18(num_classes=10).state_dict())
    assert names[:7] == [
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
        "bn1.num_batches_tracked", "layer1.0.conv1.weight",
    ]  # fmt: skip
    assert "layer2.0.downsample.0.weight" in names and names[-2:] == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_a_training_step_reaches_every_parameter(name):
    torch.manual_seed(0)
    model = models.get_model(name, num_classes=4)
    loss = model(torch.randn(2, 3, 32, 32)).square().sum()
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


def test_lenet_has_the_parameters_of_the_paper():
    model = models.LeNet()
    assert sum(p.numel() for p in model.parameters()) == 61706
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert models.lenet(num_classes=47)(torch.zeros(1, 1, 28, 28)).shape == (1, 47)


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


@pytest.mark.parametrize("options", [{"weights": "DEFAULT"}, {"pretrained": True}])
def test_pretrained_weights_are_refused_in_words(options):
    with pytest.raises(ValueError, match=r"no pretrained weights.*load_state_dict"):
        models.resnet18(**options)
    with pytest.raises(AttributeError, match="no pretrained weights, so there is no ResNet18_W"):
        models.ResNet18_Weights  # noqa: B018
    with pytest.raises(ValueError, match="Unknown model resnet19"):
        models.get_model("resnet19")


def test_former_calls_without_weights_go_on():
    assert models.lenet(pretrained=False).training
