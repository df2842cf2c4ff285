"""GoogLeNet: filters of several sizes side by side.

Source: https://docs.pytorch.org/vision/0.28/models/googlenet.html
"""

from __future__ import annotations

import functools
import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ._utils import _ovewrite_named_param
from .builders import Options, builder, weights_enum
from .initialization import initialize_truncated

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "GoogLeNet_Weights", "googlenet"]

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])
GoogLeNetOutputs.__doc__ = """What GoogLeNet gives in training.

Args:
    logits: the scores.
    aux_logits2, aux_logits1: those of the heads in the middle, the later one first.

Source: https://docs.pytorch.org/vision/0.28/models/googlenet.html
"""

Block = Callable[..., nn.Module]


class BasicConv2d(nn.Module):
    """A convolution without offset, batch normalization and ReLU.

    Args:
        in_channels, out_channels: the convolution's.
        kwargs: further arguments of the convolution.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, out_channels, H_out, W_out)``.
    """

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Filters of 1x1, two kinds of larger ones behind narrow layers, and pooling, side by side.

    Args:
        in_channels: channels that come in.
        ch1x1: channels of the first branch.
        ch3x3red, ch3x3: the narrow layer's and the filters' of the second.
        ch5x5red, ch5x5: those of the third (whose filters are 3x3, as in torchvision).
        pool_proj: channels behind the pooling.
        conv_block: the convolutions; :class:`BasicConv2d` by default.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W)``.
    """

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        conv_block: Block | None = None,
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            conv(in_channels, ch3x3red, kernel_size=1),
            conv(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            conv(in_channels, ch5x5red, kernel_size=1),
            conv(ch5x5red, ch5x5, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            conv(in_channels, pool_proj, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return flambeau.cat([branch(x) for branch in branches], 1)


class InceptionAux(nn.Module):
    """A head in the middle of the network, which brings gradients there.

    Args:
        in_channels: channels that come in.
        num_classes: the number of outputs.
        conv_block: the convolution; :class:`BasicConv2d` by default.
        dropout: the share of inputs that the last layer does without.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, num_classes)``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        conv_block: Block | None = None,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.conv(nn.functional.adaptive_avg_pool2d(x, (4, 4)))
        hidden = nn.functional.relu(self.fc1(flambeau.flatten(pooled, 1)), inplace=True)
        return self.fc2(self.dropout(hidden))


# Table 1 of the paper.
_BLOCKS: dict[str, Any] = {
    "inception3a": (192, 64, 96, 128, 16, 32, 32),
    "inception3b": (256, 128, 128, 192, 32, 96, 64),
    "maxpool3": 3,
    "inception4a": (480, 192, 96, 208, 16, 48, 64),
    "inception4b": (512, 160, 112, 224, 24, 64, 64),
    "inception4c": (512, 128, 128, 256, 24, 64, 64),
    "inception4d": (512, 112, 144, 288, 32, 64, 64),
    "inception4e": (528, 256, 160, 320, 32, 128, 128),
    "maxpool4": 2,
    "inception5a": (832, 256, 160, 320, 32, 128, 128),
    "inception5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """GoogLeNet; 6,624,904 parameters for 1000 classes, without the heads in the middle.

    Args:
        num_classes: the number of outputs.
        aux_logits: have two heads in the middle of the network.
        transform_input: the images are normalised for ImageNet's means and deviations; bring them
            to values from -1 to 1.
        init_weights: draw truncated normal values; by default so, with a warning that it is slow.
        blocks: the classes of convolutions, blocks and heads in the middle.
        dropout: the share of inputs that the last layer does without.
        dropout_aux: that of the heads in the middle.

    Shape:
        ``(N, 3, H, W)``, at least 15 by 15, to ``(N, num_classes)``; in training with
        ``aux_logits``, a :class:`GoogLeNetOutputs` of three such.

    Raises:
        ValueError: there are other than three ``blocks``.

    Source: Szegedy and others, "Going deeper with convolutions" (2015);
    https://docs.pytorch.org/vision/0.28/models/googlenet.html
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = None,
        blocks: list[Block] | None = None,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        if blocks is not None and len(blocks) != 3:
            raise ValueError(f"blocks length should be 3 instead of {len(blocks)}")
        conv, block, head = blocks or (BasicConv2d, Inception, InceptionAux)
        if init_weights is None:
            warn_of_slow_start("GoogLeNet")
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        pool = functools.partial(nn.MaxPool2d, stride=2, ceil_mode=True)
        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = pool(3)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = pool(3)
        for name, shape in _BLOCKS.items():
            self.add_module(name, block(*shape) if isinstance(shape, tuple) else pool(shape))
        self.aux1 = head(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = head(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights is None or init_weights:
            initialize_truncated(self, std=0.01)

    def forward(self, x: Tensor) -> Any:
        if self.transform_input:
            x = from_minus_one_to_one(x)
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        heads = []
        for name in _BLOCKS:
            x = self.get_submodule(name)(x)
            head = {"inception4a": self.aux1, "inception4d": self.aux2}.get(name)
            if head is not None and self.training:
                heads.append(head(x))
        scores = self.fc(self.dropout(flambeau.flatten(self.avgpool(x), 1)))
        return GoogLeNetOutputs(scores, *reversed(heads)) if heads else scores


def from_minus_one_to_one(x: Tensor) -> Tensor:
    """Images ``(N, 3, H, W)``, normalised for ImageNet, with values from -1 to 1 instead."""
    mean = flambeau.tensor([0.485, 0.456, 0.406], dtype=x.dtype).reshape(3, 1, 1)
    std = flambeau.tensor([0.229, 0.224, 0.225], dtype=x.dtype).reshape(3, 1, 1)
    return x * (std / 0.5) + (mean - 0.5) / 0.5


def warn_of_slow_start(model: str) -> None:
    """Say that the network's first values are slow to draw, as torchvision does."""
    warnings.warn(
        f"The default weight initialization of {model} will be changed in future releases of "
        "torchvision. If you wish to keep the old behavior (which leads to long initialization "
        "times due to scipy/scipy#11299), please set init_weights=True.",
        FutureWarning,
        stacklevel=3,
    )


def _whole(options: Options, weights: Any) -> None:
    options.setdefault("transform_input", True)
    options["aux_logits"] = True
    _ovewrite_named_param(options, "init_weights", False)


def _without_heads(model: GoogLeNet, options: Options) -> None:
    if options.get("aux_logits"):
        warnings.warn(
            "auxiliary heads in the pretrained googlenet model are NOT pretrained, so make sure to "
            "train them",
            stacklevel=4,
        )
        return
    model.aux_logits = False
    model.aux1 = model.aux2 = None


GoogLeNet_Weights = weights_enum("GoogLeNet_Weights", __name__)
googlenet = builder(
    "googlenet",
    GoogLeNet_Weights,
    GoogLeNet,
    title="GoogLeNet",
    fixed=_whole,
    finished=_without_heads,
)
