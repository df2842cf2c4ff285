"""Swin transformers: attention within windows of an image, which are shifted.

Source: https://docs.pytorch.org/vision/0.28/models/swin_transformer.html
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import MLP, Permute, StochasticDepth
from .builders import builder, weights_enum

__all__ = [
    "SwinTransformer",
    "Swin_B_Weights",
    "Swin_S_Weights",
    "Swin_T_Weights",
    "Swin_V2_B_Weights",
    "Swin_V2_S_Weights",
    "Swin_V2_T_Weights",
    "swin_b",
    "swin_s",
    "swin_t",
    "swin_v2_b",
    "swin_v2_s",
    "swin_v2_t",
]

Layer = Callable[..., nn.Module]
_Norm = functools.partial(nn.LayerNorm, eps=1e-5)


def _quarters(x: Tensor) -> Tensor:
    """The four pixels of each square of two by two, one behind the other."""
    height, width = x.shape[-3:-1]
    x = nn.functional.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    parts = [x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
    return flambeau.cat(parts, -1)


class PatchMerging(nn.Module):
    """Four pixels become one, with twice as many channels.

    Args:
        dim: channels that come in.
        norm_layer: the normalization, before the channels become fewer.

    Shape:
        ``(N, H, W, dim)`` to ``(N, ceil(H / 2), ceil(W / 2), 2 * dim)``.
    """

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(_quarters(x)))


class PatchMergingV2(nn.Module):
    """The same, normalised after the channels have become fewer.

    Args:
        dim: channels that come in.
        norm_layer: the normalization.

    Shape:
        ``(N, H, W, dim)`` to ``(N, ceil(H / 2), ceil(W / 2), 2 * dim)``.
    """

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(_quarters(x)))


def _into_windows(x: Tensor, size: Sequence[int]) -> Tensor:
    """``(N, H, W, C)`` as ``(N * windows, size[0] * size[1], C)``."""
    count, height, width, channels = x.shape
    rows, columns = height // size[0], width // size[1]
    x = x.view(count, rows, size[0], columns, size[1], channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(count * rows * columns, size[0] * size[1], channels)


def _out_of_windows(x: Tensor, size: Sequence[int], height: int, width: int) -> Tensor:
    """The way back."""
    rows, columns, channels = height // size[0], width // size[1], x.shape[-1]
    x = x.view(-1, rows, columns, size[0], size[1], channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, height, width, channels)


def _apart(height: int, width: int, size: Sequence[int], shift: Sequence[int]) -> Tensor:
    """What is added to the attention within shifted windows: -100 between pixels of two sides.

    Returns:
        ``(windows, pixels, pixels)``.
    """
    sides = []
    for length, window, step in zip((height, width), size, shift, strict=True):
        side = flambeau.zeros(length)
        side[-window:] = 1.0
        if step:
            side[-step:] = 2.0
        sides.append(side)
    region = sides[0].view(1, height, 1, 1) * 3 + sides[1].view(1, 1, width, 1)
    pixels = _into_windows(region, size).squeeze(-1)
    differs = pixels.unsqueeze(1) != pixels.unsqueeze(2)
    return flambeau.zeros(differs.shape).masked_fill(differs, -100.0)


class ShiftedWindowAttention(nn.Module):
    """Attention of the pixels of a window to one another, with what their places add.

    Args:
        dim: channels.
        window_size, shift_size: height and width of the windows, and how far they are shifted.
        num_heads: heads of the attention.
        qkv_bias, proj_bias: whether the linear layers have offsets.
        attention_dropout, dropout: of the attention's weights, and of the result.

    Shape:
        ``(N, H, W, dim)`` to the same.

    Raises:
        ValueError: sizes of other than two numbers.
    """

    relative_position_index: Tensor

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size = window_size
        self.shift_size = shift_size
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self._begin()
        self.register_buffer("relative_position_index", self._index())

    def _begin(self) -> None:
        """What places add: a number for each distance and head."""
        distances = math.prod(2 * side - 1 for side in self.window_size)
        table = nn.init.trunc_normal_(flambeau.zeros(distances, self.num_heads), std=0.02)
        self.relative_position_bias_table = nn.Parameter(table)

    def _index(self) -> Tensor:
        """Of each pair of pixels in a window, the row of the table for their distance."""
        height, width = self.window_size
        grid = flambeau.meshgrid(flambeau.arange(height), flambeau.arange(width), indexing="ij")
        rows, columns = (side.flatten() for side in grid)
        down = rows[:, None] - rows[None, :] + height - 1
        right = columns[:, None] - columns[None, :] + width - 1
        return (down * (2 * width - 1) + right).flatten()

    def get_relative_position_bias(self) -> Tensor:
        """What is added to the attention.

        Returns:
            ``(1, num_heads, pixels, pixels)``.
        """
        return self._by_pair(self.relative_position_bias_table)

    def _by_pair(self, table: Tensor) -> Tensor:
        pixels = math.prod(self.window_size)
        by_pair = table[self.relative_position_index].view(pixels, pixels, -1)
        return by_pair.permute(2, 0, 1).contiguous().unsqueeze(0)

    def forward(self, x: Tensor) -> Tensor:
        _, height, width, _ = x.shape
        size = self.window_size
        below, beside = (-height) % size[0], (-width) % size[1]
        padded = nn.functional.pad(x, (0, 0, 0, beside, 0, below))
        high, wide = height + below, width + beside
        # A window as large as the image is not shifted.
        shift = [
            0 if window >= side else step
            for window, side, step in zip(size, (high, wide), self.shift_size, strict=True)
        ]
        if any(shift):
            padded = padded.roll((-shift[0], -shift[1]), (1, 2))
        attended = self._attend(_into_windows(padded, size), high, wide, shift)
        result = _out_of_windows(attended, size, high, wide)
        if any(shift):
            result = result.roll((shift[0], shift[1]), (1, 2))
        return result[:, :height, :width, :].contiguous()

    def _attend(self, x: Tensor, height: int, width: int, shift: list[int]) -> Tensor:
        """Attention within windows ``(N * windows, pixels, dim)``."""
        count, pixels, dim = x.shape
        heads = self.num_heads
        all_three = nn.functional.linear(x, self.qkv.weight, self._qkv_bias())
        query, key, value = all_three.view(count, pixels, 3, heads, dim // heads).permute(
            2, 0, 3, 1, 4
        )
        scores = self._scores(query, key) + self.get_relative_position_bias()
        if any(shift):
            apart = _apart(height, width, self.window_size, shift).to(x.dtype)
            windows = apart.shape[0]
            scores = scores.view(count // windows, windows, heads, pixels, pixels)
            scores = (scores + apart[None, :, None]).view(count, heads, pixels, pixels)
        weights = nn.functional.softmax(scores, dim=-1)
        weights = nn.functional.dropout(weights, p=self.attention_dropout, training=self.training)
        mixed = weights.matmul(value).transpose(1, 2).reshape(count, pixels, dim)
        result = self.proj(mixed)
        return nn.functional.dropout(result, p=self.dropout, training=self.training)

    def _qkv_bias(self) -> Tensor | None:
        return self.qkv.bias

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        scale = query.shape[-1] ** -0.5
        return (query * scale).matmul(key.transpose(-2, -1))


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """The same by cosines, with what a small network makes of the places.

    Args:
        dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout, dropout:
            as for :class:`ShiftedWindowAttention`.

    Shape:
        ``(N, H, W, dim)`` to the same.

    Raises:
        ValueError: sizes of other than two numbers.
    """

    relative_coords_table: Tensor

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout, dropout
        )
        self.logit_scale = nn.Parameter(flambeau.log(10 * flambeau.ones((num_heads, 1, 1))))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512, bias=True),
            nn.ReLU(inplace=True),
            nn.Linear(512, num_heads, bias=False),
        )
        if self.qkv.bias is not None:
            nn.init.zeros_(self.qkv.bias[dim : 2 * dim])

    def _begin(self) -> None:
        """The distances, from -8 to 8 on a logarithmic scale."""
        sides = [flambeau.arange(1 - side, side).float() / (side - 1) for side in self.window_size]
        table = flambeau.stack(flambeau.meshgrid(*sides, indexing="ij"), -1).unsqueeze(0) * 8
        table = flambeau.sign(table) * flambeau.log2(table.abs() + 1.0) / 3.0
        self.register_buffer("relative_coords_table", table)

    def get_relative_position_bias(self) -> Tensor:
        """What is added to the attention, from 0 to 16.

        Returns:
            ``(1, num_heads, pixels, pixels)``.
        """
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads)
        return 16 * flambeau.sigmoid(self._by_pair(table))

    def _qkv_bias(self) -> Tensor | None:
        bias = self.qkv.bias
        if bias is None:
            return None
        third = bias.shape[0] // 3  # the keys have no offset
        kept = flambeau.ones(bias.shape[0], dtype=bias.dtype)
        kept[third : 2 * third] = 0.0
        return bias * kept

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        normalize = nn.functional.normalize
        cosines = normalize(query, dim=-1).matmul(normalize(key, dim=-1).transpose(-2, -1))
        return cosines * self.logit_scale.clamp(max=math.log(100.0)).exp()


class SwinTransformerBlock(nn.Module):
    """Attention within windows and two linear layers, each normalised before, with a way around.

    Args:
        dim: channels.
        num_heads, window_size, shift_size, attention_dropout: of the attention.
        mlp_ratio: features between the linear layers, for each channel.
        dropout: behind the attention and the linear layers.
        stochastic_depth_prob: how often each of the two is skipped.
        norm_layer: the normalization.
        attn_layer: the class of the attention.

    Shape:
        ``(N, H, W, dim)`` to the same.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: list[int],
        shift_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(
            dim,
            window_size,
            shift_size,
            num_heads,
            attention_dropout=attention_dropout,
            dropout=dropout,
        )
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        width = int(dim * mlp_ratio)
        self.mlp = MLP(dim, [width, dim], activation_layer=nn.GELU, dropout=dropout)
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """The same, normalised after the attention and the linear layers.

    Args:
        dim, num_heads, window_size, shift_size, mlp_ratio, dropout, attention_dropout,
            stochastic_depth_prob, norm_layer, attn_layer: as for :class:`SwinTransformerBlock`.

    Shape:
        ``(N, H, W, dim)`` to the same.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: list[int],
        shift_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttentionV2,
    ) -> None:
        super().__init__(
            dim, num_heads, window_size, shift_size, mlp_ratio, dropout, attention_dropout,
            stochastic_depth_prob, norm_layer, attn_layer,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """A Swin transformer; 28,288,354 parameters in the smallest, for 1000 classes.

    Args:
        patch_size: height and width of the patches.
        embed_dim: channels of the first stage; each later one has twice as many.
        depths, num_heads: blocks of each stage, and heads of their attention.
        window_size: height and width of the windows.
        mlp_ratio, dropout, attention_dropout: of the blocks.
        stochastic_depth_prob: how often the last block is skipped; the others less often.
        num_classes: the number of outputs.
        norm_layer: the normalization; layer normalization by default.
        block, downsample_layer: the classes of the blocks and of what stands between the stages.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Source: Liu and others, "Swin transformer: hierarchical vision transformer using shifted
    windows" (2021) and "Swin transformer V2: scaling up capacity and resolution" (2022);
    https://docs.pytorch.org/vision/0.28/models/swin_transformer.html
    """

    def __init__(
        self,
        patch_size: list[int],
        embed_dim: int,
        depths: list[int],
        num_heads: list[int],
        window_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.1,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        block: Layer | None = None,
        downsample_layer: Layer = PatchMerging,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        norm = norm_layer or _Norm
        make = block or SwinTransformerBlock
        height, width = patch_size
        patches = nn.Conv2d(3, embed_dim, kernel_size=(height, width), stride=(height, width))
        layers: list[nn.Module] = [nn.Sequential(patches, Permute([0, 2, 3, 1]), norm(embed_dim))]
        last = max(sum(depths) - 1, 1)
        done = 0
        dim = embed_dim
        for stage, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            if stage:
                layers.append(downsample_layer(dim, norm))
                dim *= 2
            blocks = []
            for i in range(depth):
                blocks.append(
                    make(
                        dim,
                        heads,
                        window_size=window_size,
                        shift_size=[0 if i % 2 == 0 else side // 2 for side in window_size],
                        mlp_ratio=mlp_ratio,
                        dropout=dropout,
                        attention_dropout=attention_dropout,
                        stochastic_depth_prob=stochastic_depth_prob * done / last,
                        norm_layer=norm,
                    )
                )
                done += 1
            layers.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*layers)
        self.norm = norm(dim)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(dim, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.permute(self.norm(self.features(x)))
        return self.head(self.flatten(self.avgpool(x)))


# Channels of the first stage, blocks and heads of each, how often the last block is skipped in the
# first and in the second version.
_SIZES = {
    "t": (96, [2, 2, 6, 2], [3, 6, 12, 24], 0.2, 0.2),
    "s": (96, [2, 2, 18, 2], [3, 6, 12, 24], 0.3, 0.3),
    "b": (128, [2, 2, 18, 2], [4, 8, 16, 32], 0.5, 0.5),
}


def _builder(size: str, weights: Any, second: bool = False) -> Callable[..., SwinTransformer]:
    dim, depths, heads, first_drop, second_drop = _SIZES[size]

    def make(**options: Any) -> SwinTransformer:
        fixed: dict[str, Any] = {"stochastic_depth_prob": second_drop if second else first_drop}
        if second:
            fixed |= {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
        window = [8, 8] if second else [7, 7]
        return SwinTransformer([4, 4], dim, depths, heads, window, **{**fixed, **options})

    name = f"swin_v2_{size}" if second else f"swin_{size}"
    title = f"the Swin transformer {'V2 ' if second else ''}{size.upper()}"
    return builder(name, weights, SwinTransformer, make, title=title)


Swin_T_Weights = weights_enum("Swin_T_Weights", __name__)
Swin_S_Weights = weights_enum("Swin_S_Weights", __name__)
Swin_B_Weights = weights_enum("Swin_B_Weights", __name__)
Swin_V2_T_Weights = weights_enum("Swin_V2_T_Weights", __name__)
Swin_V2_S_Weights = weights_enum("Swin_V2_S_Weights", __name__)
Swin_V2_B_Weights = weights_enum("Swin_V2_B_Weights", __name__)

swin_t = _builder("t", Swin_T_Weights)
swin_s = _builder("s", Swin_S_Weights)
swin_b = _builder("b", Swin_B_Weights)
swin_v2_t = _builder("t", Swin_V2_T_Weights, second=True)
swin_v2_s = _builder("s", Swin_V2_S_Weights, second=True)
swin_v2_b = _builder("b", Swin_V2_B_Weights, second=True)
