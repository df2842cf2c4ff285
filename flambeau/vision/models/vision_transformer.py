"""Vision transformers: an image as a sequence of patches.

Source: https://docs.pytorch.org/vision/0.28/models/vision_transformer.html
"""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import MLP, Conv2dNormActivation
from ._utils import _ovewrite_named_param
from .builders import Options, builder, weights_enum

__all__ = [
    "ViT_B_16_Weights",
    "ViT_B_32_Weights",
    "ViT_H_14_Weights",
    "ViT_L_16_Weights",
    "ViT_L_32_Weights",
    "VisionTransformer",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
]

Norm = Callable[..., nn.Module]
_Norm = functools.partial(nn.LayerNorm, eps=1e-6)


class ConvStemConfig(NamedTuple):
    """One convolution of those that may stand in place of the cut into patches.

    Args:
        out_channels, kernel_size, stride: the convolution's.
        norm_layer: its normalization.
        activation_layer: its activation.
    """

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d
    activation_layer: Callable[..., nn.Module] = nn.ReLU


class MLPBlock(MLP):
    """The two linear layers of a transformer's block.

    Args:
        in_dim: features that come in and go out.
        mlp_dim: features between.
        dropout: behind each layer.
    """

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for layer in self:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.normal_(layer.bias, std=1e-6)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for former, now in (("linear_1", "0"), ("linear_2", "3")):  # the names in older files
            for part in ("weight", "bias"):
                name = f"{prefix}{former}.{part}"
                if name in state_dict:
                    state_dict[f"{prefix}{now}.{part}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class EncoderBlock(nn.Module):
    """Attention and two linear layers, each normalised before and with a way around.

    Args:
        num_heads: heads of the attention.
        hidden_dim: features of each patch.
        mlp_dim: features between the linear layers.
        dropout: behind the attention and the linear layers.
        attention_dropout: of the attention's weights.
        norm_layer: the normalization.

    Shape:
        ``(N, patches, hidden_dim)`` to the same.

    Raises:
        RuntimeError: in the call, an input of other than three dimensions.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Norm = _Norm,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 3:
            raise RuntimeError(
                f"Expected (batch_size, seq_length, hidden_dim) got {tuple(input.shape)}"
            )
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """The places of the patches, and the blocks.

    Args:
        seq_length: patches, with the token of the class.
        num_layers: how many blocks.
        num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer: the blocks'.

    Shape:
        ``(N, seq_length, hidden_dim)`` to the same.

    Raises:
        RuntimeError: in the call, an input of other than three dimensions.
    """

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Norm = _Norm,
    ) -> None:
        super().__init__()
        places = nn.init.normal_(flambeau.empty(1, seq_length, hidden_dim), std=0.02)
        self.pos_embedding = nn.Parameter(places)
        self.dropout = nn.Dropout(dropout)
        shape = (num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        self.layers = nn.Sequential(
            OrderedDict((f"encoder_layer_{i}", EncoderBlock(*shape)) for i in range(num_layers))
        )
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 3:
            raise RuntimeError(
                f"Expected (batch_size, seq_length, hidden_dim) got {tuple(input.shape)}"
            )
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """A vision transformer; 86,567,656 parameters in ViT-B/16, for 1000 classes.

    Args:
        image_size: the height and width of the images.
        patch_size: the height and width of the patches.
        num_layers, num_heads, hidden_dim, mlp_dim: the blocks: how many, heads of the attention,
            features of a patch, features between the linear layers.
        dropout, attention_dropout: in the blocks, and of the attention's weights.
        num_classes: the number of outputs.
        representation_size: features of a layer before the last one; None: there is none.
        norm_layer: the normalization.
        conv_stem_configs: convolutions in place of the cut into patches.

    Shape:
        ``(N, 3, image_size, image_size)`` to ``(N, num_classes)``.

    Raises:
        ValueError: ``image_size`` is no multiple of ``patch_size``, or, in the call, images have
            another size.

    Source: Dosovitskiy and others, "An image is worth 16x16 words: transformers for image
    recognition at scale" (2021); https://docs.pytorch.org/vision/0.28/models/vision_transformer.html
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Norm = _Norm,
        conv_stem_configs: list[ConvStemConfig] | None = None,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(
                f"Input shape indivisible by patch size! image_size={image_size} is no multiple of "
                f"patch_size={patch_size}"
            )
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.mlp_dim = mlp_dim
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.num_classes = num_classes
        self.representation_size = representation_size
        self.norm_layer = norm_layer
        if conv_stem_configs is None:
            patches: Any = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        else:
            patches = _stem(conv_stem_configs, hidden_dim)
        self.conv_proj = patches
        self.class_token = nn.Parameter(flambeau.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length,
            num_layers,
            num_heads,
            hidden_dim,
            mlp_dim,
            dropout,
            attention_dropout,
            norm_layer,
        )
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is not None:
            heads["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            heads["act"] = nn.Tanh()
        last = nn.Linear(representation_size or hidden_dim, num_classes)
        heads["head"] = last
        self.heads = nn.Sequential(heads)
        self._begin(patches if conv_stem_configs is None else patches.conv_last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def _begin(self, projection: nn.Conv2d) -> None:
        """Draw what is not drawn in the blocks."""
        size = math.prod(projection.kernel_size)
        if isinstance(self.conv_proj, nn.Conv2d):
            fan_in = projection.in_channels * size
            nn.init.trunc_normal_(projection.weight, std=math.sqrt(1 / fan_in))
        else:
            nn.init.normal_(
                projection.weight, mean=0.0, std=math.sqrt(2.0 / projection.out_channels)
            )
        nn.init.zeros_(projection.bias)  # type: ignore[arg-type]
        before = getattr(self.heads, "pre_logits", None)
        if before is not None:
            nn.init.trunc_normal_(before.weight, std=math.sqrt(1 / before.in_features))
            nn.init.zeros_(before.bias)

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        if (height, width) != (self.image_size, self.image_size):
            raise ValueError(
                f"images are {height} by {width}, and the network is made for image_size="
                f"{self.image_size}"
            )
        patches = flambeau.flatten(self.conv_proj(x), 2).transpose(1, 2)
        token = self.class_token.expand(count, -1, -1)
        encoded = self.encoder(flambeau.cat([token, patches], dim=1))
        return self.heads(encoded[:, 0])


def _stem(configs: list[ConvStemConfig], hidden_dim: int) -> nn.Sequential:
    layers = nn.Sequential()
    channels = 3
    for i, config in enumerate(configs):
        layer = Conv2dNormActivation(
            channels,
            config.out_channels,
            config.kernel_size,
            config.stride,
            norm_layer=config.norm_layer,
            activation_layer=config.activation_layer,
        )
        layers.add_module(f"conv_bn_relu_{i}", layer)
        channels = config.out_channels
    layers.add_module("conv_last", nn.Conv2d(channels, hidden_dim, kernel_size=1))
    return layers


def interpolate_embeddings(
    image_size: int,
    patch_size: int,
    model_state: dict[str, Any],
    interpolation_mode: str = "bicubic",
    reset_heads: bool = False,
) -> dict[str, Any]:
    """The state dict of a network for images of another size: its places are interpolated.

    Args:
        image_size: the height and width of the other images.
        patch_size: that of the patches.
        model_state: the state dict; its ``encoder.pos_embedding`` ``(1, patches + 1, hidden_dim)``
            is replaced.
        interpolation_mode: as in ``nn.functional.interpolate``.
        reset_heads: leave out the last layers, where the places are replaced.

    Returns:
        ``model_state``, or, with ``reset_heads``, another one.

    Raises:
        ValueError: the places are not those of a square.
    """
    places = model_state["encoder.pos_embedding"]
    count, length, width = places.shape
    if count != 1:
        raise ValueError(f"Unexpected position embedding shape: {tuple(places.shape)}")
    side, new_side = math.isqrt(length - 1), image_size // patch_size
    if new_side**2 == length - 1:
        return model_state
    if side**2 != length - 1:
        raise ValueError(f"{length - 1} patches (and the token of the class) make no square")
    token, grid = places[:, :1], places[:, 1:].transpose(1, 2).reshape(1, width, side, side)
    scaled = nn.functional.interpolate(
        grid, size=(new_side, new_side), mode=interpolation_mode, align_corners=True
    )
    new = scaled.reshape(1, width, new_side**2).transpose(1, 2)
    model_state["encoder.pos_embedding"] = flambeau.cat([token, new], dim=1)
    if not reset_heads:
        return model_state
    return OrderedDict((k, v) for k, v in model_state.items() if not k.startswith("heads"))


def _size_of_weights(options: Options, weights: Any) -> None:
    side = weights.meta["min_size"][0]
    _ovewrite_named_param(options, "image_size", side)


def _builder(
    name: str, weights: Any, patch_size: int, layers: int, heads: int, hidden: int, mlp: int
) -> Callable[..., VisionTransformer]:
    def make(image_size: int = 224, **options: Any) -> VisionTransformer:
        return VisionTransformer(image_size, patch_size, layers, heads, hidden, mlp, **options)

    letter = name.split("_")[1].upper()
    title = f"the vision transformer ViT-{letter}/{patch_size}"
    return builder(name, weights, VisionTransformer, make, title=title, fixed=_size_of_weights)


ViT_B_16_Weights = weights_enum("ViT_B_16_Weights", __name__)
ViT_B_32_Weights = weights_enum("ViT_B_32_Weights", __name__)
ViT_L_16_Weights = weights_enum("ViT_L_16_Weights", __name__)
ViT_L_32_Weights = weights_enum("ViT_L_32_Weights", __name__)
ViT_H_14_Weights = weights_enum("ViT_H_14_Weights", __name__)

vit_b_16 = _builder("vit_b_16", ViT_B_16_Weights, 16, 12, 12, 768, 3072)
vit_b_32 = _builder("vit_b_32", ViT_B_32_Weights, 32, 12, 12, 768, 3072)
vit_l_16 = _builder("vit_l_16", ViT_L_16_Weights, 16, 24, 16, 1024, 4096)
vit_l_32 = _builder("vit_l_32", ViT_L_32_Weights, 32, 24, 16, 1024, 4096)
vit_h_14 = _builder("vit_h_14", ViT_H_14_Weights, 14, 32, 16, 1280, 5120)
