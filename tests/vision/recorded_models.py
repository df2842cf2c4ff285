"""What is known of torchvision's models: writes ``torchvision_models.csv``.

    python -m tests.vision.recorded_models     # with PyTorch and torchvision 0.28 installed

Both libraries are asked with the same lines, since they have the same names.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

TABLE = Path(__file__).with_name("torchvision_models.csv")
COLUMNS = ("case", "entries", "digest", "weights", "outputs")

# Small enough for their numbers to be compared, and the side of the images that they are shown.
NUMBERS = {
    "alexnet": 63, "densenet121": 32, "efficientnet_b0": 32, "googlenet": 64, "inception_v3": 75,
    "mnasnet0_5": 32, "mobilenet_v2": 32, "mobilenet_v3_large": 32, "mobilenet_v3_small": 32,
    "regnet_x_400mf": 32, "regnet_y_400mf": 32, "resnet18": 32, "resnet50": 32,
    "shufflenet_v2_x0_5": 32, "squeezenet1_0": 64, "squeezenet1_1": 32, "vgg11_bn": 32,
}  # fmt: skip


def tiny_convnext(models: Any) -> Any:
    convnext = models.convnext
    stages = [convnext.CNBlockConfig(8, 16, 1), convnext.CNBlockConfig(16, None, 2)]
    return models.ConvNeXt(stages, stochastic_depth_prob=0.2, layer_scale=0.5, num_classes=10)


def tiny_efficientnet_v2(models: Any) -> Any:
    efficientnet = models.efficientnet
    fused, separate = efficientnet.FusedMBConvConfig, efficientnet.MBConvConfig
    stages = [fused(1, 3, 1, 8, 8, 1), fused(4, 3, 2, 8, 16, 2), separate(4, 3, 2, 16, 24, 2)]
    return models.EfficientNet(stages, 0.2, num_classes=10, last_channel=40)


def tiny_swin(models: Any) -> Any:
    return models.SwinTransformer([2, 2], 8, [2, 2], [2, 2], [3, 4], dropout=0.1, num_classes=10)


def tiny_swin_v2(models: Any) -> Any:
    swin = models.swin_transformer
    kind = {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}
    return models.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [3, 4], num_classes=10, **kind)


def tiny_vision_transformer(models: Any) -> Any:
    model = models.VisionTransformer(32, 8, 2, 2, 16, 32, dropout=0.1, num_classes=10)
    model.heads.head.reset_parameters()  # it begins with zeros, which would hide all else
    return model


def tiny_vision_transformer_with_a_stem(models: Any) -> Any:
    stem = [models.vision_transformer.ConvStemConfig(width, 3, 2) for width in (4, 8, 8)]
    options = {"representation_size": 12, "conv_stem_configs": stem}
    model = models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=10, **options)
    model.heads.head.reset_parameters()
    return model


# One of each class whose published models are large, made small.
TINY: dict[str, Any] = {
    function.__name__: function
    for function in (
        tiny_convnext, tiny_efficientnet_v2, tiny_swin, tiny_swin_v2, tiny_vision_transformer,
        tiny_vision_transformer_with_a_stem,
    )
}  # fmt: skip


def build(models: Any, case: str) -> Any:
    """A model of ten classes, by its name or as one of the small ones."""
    if case in TINY:
        return TINY[case](models)
    return models.get_model(case, num_classes=10)


@contextlib.contextmanager
def unwritten(init: ModuleType) -> Iterator[None]:
    """Parameters keep whatever memory they get, so that large models are made at once.

    Args:
        init: the library's ``nn.init``.
    """
    drawing = {name: value for name, value in vars(init).items() if name[-1] == "_" != name[0]}
    for name in drawing:
        setattr(init, name, lambda tensor, *args, **kwargs: tensor)
    try:
        yield
    finally:
        vars(init).update(drawing)


def shapes(model: Any) -> dict[str, str]:
    """How many entries the state dict has, and a digest of their names and shapes in order."""
    state = model.state_dict()
    lines = "\n".join(f"{name} {list(value.shape)}" for name, value in state.items())
    digest = hashlib.sha256(lines.encode()).hexdigest()[:16]
    return {"entries": str(len(state)), "digest": digest}


def weights(model: Any) -> float:
    """A sum over all parameters that tells them from one another."""
    sums = (p.detach().double().sum().item() for p in model.parameters())
    return sum((i % 7 + 1) * value for i, value in enumerate(sums))


def outputs(torch: Any, model: Any, side: int) -> list[float]:
    """The first scores for an image of that side."""
    image = torch.arange(3 * side * side).reshape(1, 3, side, side) % 251 / 125 - 1
    with torch.no_grad():
        scores = model.eval()(image)
    return [float(f"{score:.6g}") for score in scores[0, :4].tolist()]


def recorded() -> dict[str, dict[str, str]]:
    """The table, by model."""
    with open(TABLE, newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def main() -> None:
    import torch
    from torchvision import models

    from flambeau.vision.models import list_models

    with open(TABLE, "w", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        rows.writeheader()
        for case in sorted({*list_models(), *TINY} - {"lenet"}):
            side = 32 if case in TINY else NUMBERS.get(case)
            torch.manual_seed(3)
            with unwritten(torch.nn.init) if side is None else contextlib.nullcontext():
                model = build(models, case)
            row = {"case": case, **shapes(model)}
            if side is not None:
                row["weights"] = repr(weights(model))
                row["outputs"] = " ".join(map(repr, outputs(torch, model, side)))
            rows.writerow(row)


if __name__ == "__main__":
    main()
