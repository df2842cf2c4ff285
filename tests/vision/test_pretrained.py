"""Pretrained weights are found by their names, fetched once, checked, and fit their networks."""

from __future__ import annotations

import copy
import hashlib
import pickle
import re
import socket
import urllib.error
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest

import flambeau as torch
from flambeau import hub, nn
from flambeau.vision import models, transforms
from flambeau.vision.models import _api, builders
from flambeau.vision.models._utils import handle_legacy_interface
from flambeau.vision.models.weights import Weights, WeightsEnum, _table
from flambeau.vision.transforms._presets import ImageClassification

NAMES = [name for name in models.list_models() if name != "lenet"]


class Small(nn.Module):
    """A network whose file is quickly made."""

    def __init__(self, num_classes=1000, width=1):
        super().__init__()
        self.fc = nn.Linear(width, num_classes)


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """An empty folder of downloads."""
    monkeypatch.setattr(hub, "_folder", str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A builder with two files of weights, which are on this machine; and their state dicts."""

    def publish(scale):
        state = {"fc.weight": torch.full((1000, 1), scale), "fc.bias": torch.zeros(1000)}
        file = tmp_path / "small.pth"
        torch.save(state, file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return file.rename(tmp_path / f"small-{digest[:8]}.pth").as_uri()

    meta = {"categories": [str(i) for i in range(1000)]}
    first, second = (
        Weights(publish(scale), partial(ImageClassification, crop_size=4), {**meta, "scale": scale})
        for scale in (1.0, 2.0)
    )
    entries = [("IMAGENET1K_V1", first), ("IMAGENET1K_V2", second), ("DEFAULT", second)]
    enumeration = WeightsEnum("Small_Weights", entries, module=__name__)
    monkeypatch.setattr(models.registry, "_BUILDERS", {})
    return builders.builder("small", enumeration, Small), enumeration


def test_the_file_is_fetched_once_and_loaded(published, downloads, monkeypatch, capsys):
    build, weights = published
    model = build(weights=weights.DEFAULT)
    assert float(model.fc.weight[0, 0]) == 2.0
    assert capsys.readouterr().out.startswith(f'Downloading: "{weights.DEFAULT.url}" to ')
    assert [file.name for file in downloads.iterdir()] == [weights.DEFAULT.url.rpartition("/")[2]]
    monkeypatch.setattr(hub, "download_url_to_file", None)
    for again in ("DEFAULT", "IMAGENET1K_V2", "Small_Weights.IMAGENET1K_V2"):
        assert torch.equal(build(weights=again).fc.weight, model.fc.weight)
    assert capsys.readouterr().out == ""


def test_classes_must_be_as_many_as_the_weights_have(published, downloads):
    build, weights = published
    assert build(weights=weights.DEFAULT, num_classes=1000).fc.out_features == 1000
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 10 instead"):
        build(weights=weights.DEFAULT, num_classes=10)
    assert build(weights=None, num_classes=10).fc.out_features == 10


def test_weights_of_other_networks_and_wrong_names_are_refused(published):
    build, weights = published
    with pytest.raises(TypeError, match="expected Small_Weights but received ResNet18_Weights"):
        build(weights=models.ResNet18_Weights.DEFAULT)
    with pytest.raises(KeyError, match="V3 is no entry of Small_Weights: there are IMAGENET1K_V1"):
        build(weights="V3")


def test_former_calls_mean_the_first_weights_and_warn(published, downloads):
    build, weights = published
    with pytest.warns(UserWarning) as told:
        model = build(pretrained=True)
    assert float(model.fc.weight[0, 0]) == 1.0
    messages = [str(warning.message) for warning in told]
    assert messages[0].startswith("The parameter 'pretrained' is deprecated since 0.13")
    assert "`weights=Small_Weights.IMAGENET1K_V1`" in messages[1]
    assert "weights=Small_Weights.DEFAULT" in messages[1]
    assert told[0].filename == __file__
    with pytest.warns(UserWarning) as told:
        assert float(build(pretrained=False).fc.weight[0, 0]) != 1.0
    assert "`weights=None`" in str(told[1].message)
    with pytest.warns(UserWarning) as told:
        assert float(build(True, False).fc.weight[0, 0]) == 1.0
    assert str(told[0].message).startswith("Using 'weights' and 'progress' as positional")
    with pytest.raises(TypeError, match="takes weights, progress by position"):
        build(None, True, 10)


def test_a_builder_without_former_weights_says_so():
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="No weights .* vit_h_14"):
        models.vit_h_14(pretrained=True)

    @handle_legacy_interface(weights=("pretrained", None))
    def build(*, weights=None):
        return weights

    assert build() is None
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="No weights available for"):
        build(pretrained=True)


def test_a_file_with_another_checksum_is_not_kept(published, downloads, monkeypatch):
    build, weights = published
    wrong = hub.__dict__["download_url_to_file"]
    monkeypatch.setattr(
        hub, "download_url_to_file", lambda url, path, prefix, progress: wrong(
            weights.IMAGENET1K_V2.url, path, prefix, progress
        )
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="invalid hash value"):
        build(weights=weights.IMAGENET1K_V1)
    assert list(downloads.iterdir()) == []


def test_without_a_network_the_way_out_is_told(downloads, monkeypatch):
    def nothing(*args, **kwargs):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    with pytest.raises(urllib.error.URLError) as caught:
        models.squeezenet1_1(weights="DEFAULT")
    told = str(caught.value)
    assert "Temporary failure in name resolution: tried https://download.pytorch.org/" in told
    assert str(downloads) in told and "put the file there yourself" in told
    assert list(downloads.iterdir()) == []


def test_a_connection_that_ends_early_leaves_no_file(downloads, tmp_path, monkeypatch):
    class Answer:
        headers = {"Content-Length": "10"}
        blocks = [b"", b"half"]

        def read(self, size):
            return self.blocks.pop()

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(hub.urllib.request, "urlopen", lambda *args, **kwargs: Answer())
    with pytest.raises(urllib.error.URLError, match="ended after 4 of 10 bytes"):
        models.ResNet18_Weights.DEFAULT.get_state_dict(progress=True)
    assert list(downloads.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_weights_by_name(name):
    weights = models.get_model_weights(name)
    assert models.get_model_weights(models.get_model_builder(name)) is weights
    assert getattr(models, weights.__name__) is weights
    for entry in weights:
        assert models.get_weight(str(entry)) is entry and weights.verify(entry.name) is entry
        assert pickle.loads(pickle.dumps(entry)) is entry and copy.deepcopy(entry) is entry
        assert entry.url.startswith("https://download.pytorch.org/models/")
        assert len(entry.meta["categories"] or range(1000)) == 1000
        assert entry.transforms().crop_size[0] >= entry.meta["min_size"][0]
    assert weights.DEFAULT in list(weights)


def test_every_row_of_the_table_belongs_to_a_model():
    assert set(_table()) == {models.get_model_weights(name).__name__ for name in NAMES}


def test_weights_by_name_are_refused_in_words():
    with pytest.raises(ValueError, match="Invalid weight name provided: 'DEFAULT'"):
        models.get_weight("DEFAULT")
    with pytest.raises(ValueError, match="'ResNet19_Weights' .*couldn't be retrieved"):
        models.get_weight("ResNet19_Weights.DEFAULT")
    with pytest.raises(ValueError, match="couldn't be retrieved"):
        models.get_model_weights("lenet")
    with pytest.raises(ValueError, match="missing the 'weights' argument"):
        models.get_model_weights(lambda: None)


def test_what_is_known_of_weights():
    entry = models.ResNet50_Weights.DEFAULT
    assert repr(entry) == str(entry) == "ResNet50_Weights.IMAGENET1K_V2"
    assert entry.url == "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"
    assert entry.meta["num_params"] == 25557032 and entry.meta["min_size"] == (1, 1)
    assert entry.meta["_metrics"] == {"ImageNet-1K": {"acc@1": 80.858, "acc@5": 95.434}}
    categories = entry.meta["categories"]
    assert (categories[0], categories[207], categories[-1]) == (
        "tench", "golden retriever", "toilet tissue"
    )  # fmt: skip
    assert models.VGG16_Weights.IMAGENET1K_FEATURES.meta["categories"] is None
    assert _api.get_weight is models.get_weight and _api.WeightsEnum is WeightsEnum


def test_a_program_s_own_weights_are_found_by_annotation():
    class Mine_Weights(WeightsEnum):
        FIRST = Weights("file:///nothing", partial(ImageClassification, crop_size=8), {})
        DEFAULT = FIRST

    def build(*, weights: Mine_Weights | None = None, progress: bool = True): ...

    build.__annotations__["weights"] = Mine_Weights | None
    assert models.get_model_weights(build) is Mine_Weights
    assert Mine_Weights.DEFAULT is Mine_Weights.FIRST
    assert copy.copy(Mine_Weights.FIRST.value) == Mine_Weights.FIRST.value
    assert Mine_Weights.FIRST.value != "something"


# Recorded from torchvision 0.28, `weights.transforms()` of `_image`: at three places, and the mean.
PRESETS = {
    "ResNet18_Weights.IMAGENET1K_V1": {
        "tensor": [-1.912407, -1.650560, 1.053944, -0.891319],
        "pillow": [-1.912407, -1.668067, 1.053944, -0.891271],
    },
    "ResNet50_Weights.IMAGENET1K_V2": {
        "tensor": [-1.792534, -1.895658, 0.234771, -0.892889],
        "pillow": [-1.792534, -1.895658, 0.234771, -0.892825],
    },
    "VGG16_Weights.IMAGENET1K_FEATURES": {
        "tensor": [-110.999245, -94.999092, 60.000797, -51.584206],
        "pillow": [-110.999245, -95.999092, 60.000797, -51.581449],
    },
    "Inception_V3_Weights.IMAGENET1K_V1": {
        "tensor": [-1.912407, -1.703081, -0.444967, -0.891300],
        "pillow": [-1.912407, -1.703081, -0.444967, -0.891222],
    },
    "EfficientNet_B0_Weights.IMAGENET1K_V1": {
        "tensor": [-1.912407, -1.668067, 1.315381, -0.890165],
        "pillow": [-1.912407, -1.668067, 1.332811, -0.889595],
    },
    "EfficientNet_V2_L_Weights.IMAGENET1K_V1": {
        "tensor": [-0.905882, -0.490196, 0.333333, -0.505217],
        "pillow": [-0.905882, -0.490196, 0.341177, -0.505032],
    },
}


def _image():
    rows, columns, channels = np.ogrid[:300, :411, :3]
    stripes = (rows * 7 + columns * 3 + channels * 50) % 256
    return (stripes * (rows + columns) // 711).astype("uint8")


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("kind", ["tensor", "pillow"])
def test_transforms_are_torchvisions(name, kind):
    if kind == "pillow":
        image = pytest.importorskip("PIL.Image").fromarray(_image())
    else:
        image = torch.from_numpy(_image()).permute(2, 0, 1)
    preset = models.get_weight(name).transforms()
    result = preset(image)
    assert result.dtype is torch.float32
    assert result.shape == (3, *preset.crop_size * 2)
    middle = preset.crop_size[0] // 2
    found = [result[0, 0, 0], result[1, middle, 7], result[2, -1, -1], result.double().mean()]
    assert [float(value) for value in found] == pytest.approx(PRESETS[name][kind], abs=2e-5)


def test_the_preset_shows_what_it_does():
    preset = models.EfficientNet_B0_Weights.DEFAULT.transforms()
    lines = str(preset).splitlines()
    assert lines[:3] == ["ImageClassification(", "    crop_size=[224]", "    resize_size=[256]"]
    assert "crop_size=[224]" in preset.describe()
    batch = torch.zeros(2, 3, 40, 50, dtype=torch.uint8)
    assert ImageClassification(crop_size=8, resize_size=9)(batch).shape == (2, 3, 8, 8)
    assert transforms._presets.ImageClassification is ImageClassification


def test_files_with_former_names_fit():
    state = OrderedDict()
    now = models.densenet121(num_classes=2).state_dict()
    for name, value in now.items():
        state[re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name)] = value
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    assert list(models.densenet._renamed(state)) == list(now)

    model = models.VisionTransformer(16, 8, 1, 2, 8, 16, num_classes=2)
    state = model.state_dict()
    for part in ("weight", "bias"):
        for former, name in (("linear_1", "0"), ("linear_2", "3")):
            prefix = "encoder.layers.encoder_layer_0.mlp"
            state[f"{prefix}.{former}.{part}"] = state.pop(f"{prefix}.{name}.{part}") + 1
    before = model.encoder.layers[0].mlp[3].weight.clone()
    model.load_state_dict(state)
    assert torch.equal(model.encoder.layers[0].mlp[3].weight, before + 1)


PLACES = [
    0.0, 0.142857, 0.571429, 1.285714, 1.428571, 2.428571, 2.285714, 3.571429, 2.857143, 4.142857,
    4.285714, 5.857142, 5.714286, 7.571429, 5.142857, 7.0, 7.142857, 9.285714, 9.142858, 11.571428,
]  # fmt: skip


def test_a_vision_transformer_s_places_are_brought_to_another_size():
    state = {"encoder.pos_embedding": torch.arange(10.0).view(1, 5, 2) ** 2 / 7, "heads.head": 0}
    interpolate = models.vision_transformer.interpolate_embeddings
    assert interpolate(16, 8, state)["encoder.pos_embedding"].shape == (1, 5, 2)
    found = interpolate(24, 8, dict(state), reset_heads=True)
    assert list(found) == ["encoder.pos_embedding"]
    # Recorded from torchvision 0.28.
    assert found["encoder.pos_embedding"].flatten().tolist() == pytest.approx(PLACES, abs=1e-5)
    with pytest.raises(ValueError, match="3 patches .* make no square"):
        interpolate(24, 8, {"encoder.pos_embedding": torch.zeros(1, 4, 2)})
    with pytest.raises(ValueError, match="Unexpected position embedding shape"):
        interpolate(24, 8, {"encoder.pos_embedding": torch.zeros(2, 4, 2)})


def test_weights_say_what_options_they_need():
    for name, options, message in (
        ("vit_b_16", {"image_size": 32}, "'image_size' expected value 224 but got 32"),
        ("vit_b_16", {"num_classes": 10}, "'num_classes' expected value 1000 but got 10"),
        ("inception_v3", {"aux_logits": False}, "'aux_logits' expected value True but got False"),
        ("googlenet", {"init_weights": True}, "'init_weights' expected value False but got True"),
    ):
        with pytest.raises(ValueError, match=message):
            models.get_model(name, weights="DEFAULT", **options)


def test_heads_in_the_middle_are_in_the_file_and_then_left_out(monkeypatch):
    state = models.googlenet(init_weights=False).state_dict()
    monkeypatch.setattr(hub, "load_state_dict_from_url", lambda url, **options: state)
    model = models.googlenet(weights="DEFAULT")
    assert model.transform_input and not model.aux_logits and model.aux1 is None
    assert torch.equal(model.fc.weight, state["fc.weight"])
    with pytest.warns(UserWarning, match="heads in the pretrained googlenet model are NOT"):
        assert models.googlenet(weights="DEFAULT", aux_logits=True).aux2 is not None
    image = torch.rand(1, 3, 32, 32)
    plain = (image - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    centred = models.inception.from_minus_one_to_one(plain)
    assert torch.allclose(centred, image * 2 - 1, atol=1e-5)
