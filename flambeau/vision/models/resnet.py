"""Residual networks, and their kin with groups (ResNeXt) and with wide blocks.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import flambeau

from ... import nn
from ...tensor import Tensor
from .builders import builder, weights_enum
from .initialization import initialize

__all__ = [
    "ResNeXt50_32X4D_Weights",
    "ResNeXt101_32X8D_Weights",
    "ResNeXt101_64X4D_Weights",
    "ResNet",
    "ResNet18_Weights",
    "ResNet34_Weights",
    "ResNet50_Weights",
    "ResNet101_Weights",
    "ResNet152_Weights",
    "Wide_ResNet50_2_Weights",
    "Wide_ResNet101_2_Weights",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
]

Norm = Callable[[int], nn.Module]


def _conv3x3(inputs: int, outputs: int, stride: int, groups: int = 1, dilation: int = 1) -> Any:
    return nn.Conv2d(
        inputs,
        outputs,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


def _conv1x1(inputs: int, outputs: int, stride: int = 1) -> Any:
    return nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a way around them.

    Args:
        inplanes: channels that come in.
        planes: channels that go out.
        stride: of the first convolution.
        downsample: what brings the way around to the same shape; None where it has it.
        groups, base_width, dilation: 1, 64 and 1; others are for :class:`Bottleneck`.
        norm_layer: the normalization; batch normalization by default.

    Raises:
        ValueError: other groups or another width.
        NotImplementedError: a dilation, as in torchvision.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1 = _conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(planes, planes, 1)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(residual + shortcut)


class Bottleneck(nn.Module):
    """A 3x3 convolution between two of 1x1, and a way around them; the 3x3 one has the stride.

    Args:
        inplanes: channels that come in.
        planes: channels of the narrow part, of which four times as many go out.
        stride: of the 3x3 convolution.
        downsample: what brings the way around to the same shape; None where it has it.
        groups, base_width: the narrow part has ``planes * base_width / 64 * groups`` channels.
        dilation: of the 3x3 convolution.
        norm_layer: the normalization; batch normalization by default.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        narrow = int(planes * (base_width / 64.0)) * groups
        wide = planes * self.expansion
        self.conv1 = _conv1x1(inplanes, narrow)
        self.bn1 = norm(narrow)
        self.conv2 = _conv3x3(narrow, narrow, stride, groups, dilation)
        self.bn2 = norm(narrow)
        self.conv3 = _conv1x1(narrow, wide)
        self.bn3 = norm(wide)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(residual + shortcut)


class ResNet(nn.Module):
    """A residual network.

    Args:
        block: :class:`BasicBlock` or :class:`Bottleneck`.
        layers: how many blocks of each of the four widths.
        num_classes: the number of outputs.
        zero_init_residual: begin with blocks that pass on what comes in.
        groups: of the blocks' 3x3 convolutions (ResNeXt).
        width_per_group: channels of each group at the first width.
        replace_stride_with_dilation: for the second to fourth width, whether to widen the filters
            instead of halving the images.
        norm_layer: the normalization; batch normalization by default.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Raises:
        ValueError: ``replace_stride_with_dilation`` has not three elements.

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016);
    https://docs.pytorch.org/vision/0.28/models/resnet.html
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        dilated = replace_stride_with_dilation or (False, False, False)
        if len(dilated) != 3:
            raise ValueError(
                "replace_stride_with_dilation should be None or a 3-element tuple, got "
                f"{replace_stride_with_dilation}"
            )
        self._norm_layer: Norm = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.dilation = 1
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._stage(block, 64, layers[0], 1, False)
        self.layer2 = self._stage(block, 128, layers[1], 2, dilated[0])
        self.layer3 = self._stage(block, 256, layers[2], 2, dilated[1])
        self.layer4 = self._stage(block, 512, layers[3], 2, dilated[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        initialize(self, nonlinearity="relu", linear_std=None)
        for layer in self.modules() if zero_init_residual else ():
            if isinstance(layer, (BasicBlock, Bottleneck)):
                last: Any = layer.bn3 if isinstance(layer, Bottleneck) else layer.bn2
                if last.weight is not None:
                    nn.init.zeros_(last.weight)

    def _stage(
        self, block: type[Any], planes: int, count: int, stride: int, dilated: bool
    ) -> nn.Sequential:
        """The blocks of one width."""
        outputs = planes * block.expansion
        first_dilation = self.dilation
        if dilated:
            self.dilation *= stride
            stride = 1
        downsample = None
        if stride != 1 or self.inplanes != outputs:
            downsample = nn.Sequential(
                _conv1x1(self.inplanes, outputs, stride), self._norm_layer(outputs)
            )
        shared = (self.groups, self.base_width)
        norm = self._norm_layer
        blocks = [block(self.inplanes, planes, stride, downsample, *shared, first_dilation, norm)]
        self.inplanes = outputs
        for _ in range(count - 1):
            blocks.append(block(outputs, planes, 1, None, *shared, self.dilation, norm))
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(flambeau.flatten(self.avgpool(x), 1))


def _builder(
    name: str, weights: Any, block: type[Any], layers: tuple[int, ...], **shape: int
) -> Callable[..., ResNet]:
    def make(**options: Any) -> ResNet:
        return ResNet(block, layers, **{**shape, **options})

    return builder(name, weights, ResNet, make, title=f"the residual network {name}")


ResNet18_Weights = weights_enum("ResNet18_Weights", __name__)
ResNet34_Weights = weights_enum("ResNet34_Weights", __name__)
ResNet50_Weights = weights_enum("ResNet50_Weights", __name__)
ResNet101_Weights = weights_enum("ResNet101_Weights", __name__)
ResNet152_Weights = weights_enum("ResNet152_Weights", __name__)
ResNeXt50_32X4D_Weights = weights_enum("ResNeXt50_32X4D_Weights", __name__)
ResNeXt101_32X8D_Weights = weights_enum("ResNeXt101_32X8D_Weights", __name__)
ResNeXt101_64X4D_Weights = weights_enum("ResNeXt101_64X4D_Weights", __name__)
Wide_ResNet50_2_Weights = weights_enum("Wide_ResNet50_2_Weights", __name__)
Wide_ResNet101_2_Weights = weights_enum("Wide_ResNet101_2_Weights", __name__)

resnet18 = _builder("resnet18", ResNet18_Weights, BasicBlock, (2, 2, 2, 2))
resnet34 = _builder("resnet34", ResNet34_Weights, BasicBlock, (3, 4, 6, 3))
resnet50 = _builder("resnet50", ResNet50_Weights, Bottleneck, (3, 4, 6, 3))
resnet101 = _builder("resnet101", ResNet101_Weights, Bottleneck, (3, 4, 23, 3))
resnet152 = _builder("resnet152", ResNet152_Weights, Bottleneck, (3, 8, 36, 3))
resnext50_32x4d = _builder(
    "resnext50_32x4d",
    ResNeXt50_32X4D_Weights,
    Bottleneck,
    (3, 4, 6, 3),
    groups=32,
    width_per_group=4,
)
resnext101_32x8d = _builder(
    "resnext101_32x8d",
    ResNeXt101_32X8D_Weights,
    Bottleneck,
    (3, 4, 23, 3),
    groups=32,
    width_per_group=8,
)
resnext101_64x4d = _builder(
    "resnext101_64x4d",
    ResNeXt101_64X4D_Weights,
    Bottleneck,
    (3, 4, 23, 3),
    groups=64,
    width_per_group=4,
)
wide_resnet50_2 = _builder(
    "wide_resnet50_2", Wide_ResNet50_2_Weights, Bottleneck, (3, 4, 6, 3), width_per_group=128
)
wide_resnet101_2 = _builder(
    "wide_resnet101_2", Wide_ResNet101_2_Weights, Bottleneck, (3, 4, 23, 3), width_per_group=128
)
