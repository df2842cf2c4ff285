"""Inception v3: GoogLeNet with large filters taken apart.

Source: https://docs.pytorch.org/vision/0.28/models/inception.html
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ._utils import _ovewrite_named_param
from .builders import Options, builder, weights_enum
from .googlenet import BasicConv2d, from_minus_one_to_one, warn_of_slow_start
from .initialization import initialize_truncated

__all__ = ["Inception3", "InceptionOutputs", "Inception_V3_Weights", "inception_v3"]

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])
InceptionOutputs.__doc__ = """What Inception v3 gives in training.

Args:
    logits: the scores.
    aux_logits: those of the head in the middle.

Source: https://docs.pytorch.org/vision/0.28/models/inception.html
"""

Block = Callable[..., nn.Module]
_pool = nn.functional.avg_pool2d


class InceptionA(nn.Module):
    """Filters of 1x1, 5x5 and twice 3x3, and pooling, side by side.

    Args:
        in_channels: channels that come in.
        pool_features: channels behind the pooling.
        conv_block: the convolutions; ``BasicConv2d`` by default.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, 224 + pool_features, H, W)``.
    """

    def __init__(
        self, in_channels: int, pool_features: int, conv_block: Block | None = None
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1x1 = conv(in_channels, 64, kernel_size=1)
        self.branch5x5_1 = conv(in_channels, 48, kernel_size=1)
        self.branch5x5_2 = conv(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, padding=1)
        self.branch_pool = conv(in_channels, pool_features, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(_pool(x, kernel_size=3, stride=1, padding=1)),
        ]
        return flambeau.cat(branches, 1)


class InceptionB(nn.Module):
    """Half the height and width, by filters and by pooling.

    Args:
        in_channels: channels that come in.
        conv_block: the convolutions; ``BasicConv2d`` by default.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, 480 + in_channels, (H - 1) // 2, (W - 1) // 2)``.
    """

    def __init__(self, in_channels: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3 = conv(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.branch3x3(x),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            nn.functional.max_pool2d(x, kernel_size=3, stride=2),
        ]
        return flambeau.cat(branches, 1)


class InceptionC(nn.Module):
    """Filters of 7x7 taken apart into rows and columns.

    Args:
        in_channels: channels that come in.
        channels_7x7: channels between the rows and the columns.
        conv_block: the convolutions; ``BasicConv2d`` by default.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, 768, H, W)``.
    """

    def __init__(
        self, in_channels: int, channels_7x7: int, conv_block: Block | None = None
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        c7 = channels_7x7
        row: dict[str, Any] = {"kernel_size": (1, 7), "padding": (0, 3)}
        column: dict[str, Any] = {"kernel_size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7_1 = conv(in_channels, c7, kernel_size=1)
        self.branch7x7_2 = conv(c7, c7, **row)
        self.branch7x7_3 = conv(c7, 192, **column)
        self.branch7x7dbl_1 = conv(in_channels, c7, kernel_size=1)
        self.branch7x7dbl_2 = conv(c7, c7, **column)
        self.branch7x7dbl_3 = conv(c7, c7, **row)
        self.branch7x7dbl_4 = conv(c7, c7, **column)
        self.branch7x7dbl_5 = conv(c7, 192, **row)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branches = [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(_pool(x, kernel_size=3, stride=1, padding=1)),
        ]
        return flambeau.cat(branches, 1)


class InceptionD(nn.Module):
    """Half the height and width, by filters and by pooling.

    Args:
        in_channels: channels that come in.
        conv_block: the convolutions; ``BasicConv2d`` by default.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, 512 + in_channels, (H - 1) // 2, (W - 1) // 2)``.
    """

    def __init__(self, in_channels: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch3x3_2 = conv(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7x3_2 = conv(192, 192, kernel_size=(1, 7), padding=(0, 3))
        self.branch7x7x3_3 = conv(192, 192, kernel_size=(7, 1), padding=(3, 0))
        self.branch7x7x3_4 = conv(192, 192, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        apart = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        branches = [
            self.branch3x3_2(self.branch3x3_1(x)),
            self.branch7x7x3_4(apart),
            nn.functional.max_pool2d(x, kernel_size=3, stride=2),
        ]
        return flambeau.cat(branches, 1)


class InceptionE(nn.Module):
    """Filters whose rows and columns stand side by side.

    Args:
        in_channels: channels that come in.
        conv_block: the convolutions; ``BasicConv2d`` by default.

    Shape:
        ``(N, in_channels, H, W)`` to ``(N, 2048, H, W)``.
    """

    def __init__(self, in_channels: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        row: dict[str, Any] = {"kernel_size": (1, 3), "padding": (0, 1)}
        column: dict[str, Any] = {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = conv(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = conv(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = conv(384, 384, **row)
        self.branch3x3_2b = conv(384, 384, **column)
        self.branch3x3dbl_1 = conv(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = conv(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **row)
        self.branch3x3dbl_3b = conv(384, 384, **column)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(_pool(x, kernel_size=3, stride=1, padding=1)),
        ]
        return flambeau.cat(branches, 1)


class InceptionAux(nn.Module):
    """A head in the middle of the network, which brings gradients there.

    Args:
        in_channels: channels that come in.
        num_classes: the number of outputs.
        conv_block: the convolutions; ``BasicConv2d`` by default.

    Shape:
        ``(N, in_channels, H, W)``, at least 17 by 17, to ``(N, num_classes)``.
    """

    def __init__(self, in_channels: int, num_classes: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1: Any = conv(128, 768, kernel_size=5)
        self.conv1.stddev = 0.01
        self.fc: Any = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(_pool(x, kernel_size=5, stride=3)))
        pooled = nn.functional.adaptive_avg_pool2d(x, (1, 1))
        return self.fc(flambeau.flatten(pooled, 1))


class Inception3(nn.Module):
    """Inception v3; 27,161,264 parameters for 1000 classes.

    Args:
        num_classes: the number of outputs.
        aux_logits: have a head in the middle of the network.
        transform_input: the images are normalised for ImageNet's means and deviations; bring them
            to values from -1 to 1.
        inception_blocks: the classes of convolutions, of the five blocks and of the head in the
            middle.
        init_weights: draw truncated normal values; by default so, with a warning that it is slow.
        dropout: the share of inputs that the last layer does without.

    Shape:
        ``(N, 3, H, W)``, at least 75 by 75 (made for 299 by 299), to ``(N, num_classes)``; in
        training with ``aux_logits``, an :class:`InceptionOutputs` of two such.

    Raises:
        ValueError: there are other than seven ``inception_blocks``.

    Source: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the inception architecture for
    computer vision" (2016); https://docs.pytorch.org/vision/0.28/models/inception.html
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        inception_blocks: list[Block] | None = None,
        init_weights: bool | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        given = inception_blocks
        if given is not None and len(given) != 7:
            raise ValueError(f"length of inception_blocks should be 7 instead of {len(given)}")
        conv, a, b, c, d, e, head = given or (
            BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux,
        )  # fmt: skip
        if init_weights is None:
            warn_of_slow_start("inception_v3")
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = a(192, pool_features=32)
        self.Mixed_5c = a(256, pool_features=64)
        self.Mixed_5d = a(288, pool_features=64)
        self.Mixed_6a = b(288)
        self.Mixed_6b = c(768, channels_7x7=128)
        self.Mixed_6c = c(768, channels_7x7=160)
        self.Mixed_6d = c(768, channels_7x7=160)
        self.Mixed_6e = c(768, channels_7x7=192)
        self.AuxLogits = head(768, num_classes) if aux_logits else None
        self.Mixed_7a = d(768)
        self.Mixed_7b = e(1280)
        self.Mixed_7c = e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights is None or init_weights:
            initialize_truncated(self, std=0.1)

    def forward(self, x: Tensor) -> Any:
        if self.transform_input:
            x = from_minus_one_to_one(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        head = self.AuxLogits if self.training else None
        middle = None if head is None else head(x)
        x = self.avgpool(self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))))
        scores = self.fc(flambeau.flatten(self.dropout(x), 1))
        return scores if middle is None else InceptionOutputs(scores, middle)


def _whole(options: Options, weights: Any) -> None:
    options.setdefault("transform_input", True)
    _ovewrite_named_param(options, "aux_logits", True)
    _ovewrite_named_param(options, "init_weights", False)


Inception_V3_Weights = weights_enum("Inception_V3_Weights", __name__)
inception_v3 = builder(
    "inception_v3", Inception_V3_Weights, Inception3, title="Inception v3", fixed=_whole
)
