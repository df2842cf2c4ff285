"""Transformer encoders and decoders (Vaswani et al., 2017)."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.modes import MODES
from flambeau.nn import functional as F
from flambeau.nn import init
from flambeau.nn.functional.multi_head_attention import additive_mask
from flambeau.nn.modules.attention import MultiheadAttention
from flambeau.nn.modules.container import ModuleList
from flambeau.nn.modules.dropout import Dropout
from flambeau.nn.modules.linear import Linear
from flambeau.nn.modules.module import Module
from flambeau.nn.modules.normalization import LayerNorm
from flambeau.tensor import Tensor

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Tensor], Tensor]


def _get_activation_fn(activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation == "relu":
        return F.relu
    if activation == "gelu":
        return F.gelu
    raise RuntimeError(f"activation should be relu/gelu, not {activation}")


def _get_clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _generate_square_subsequent_mask(size: int, device: Any = None, dtype: Any = None) -> Tensor:
    return flambeau.full((size, size), -math.inf, device=device, dtype=dtype).triu(1)


def _detect_is_causal_mask(
    mask: Tensor | None, is_causal: bool | None = None, size: int | None = None
) -> bool:
    """Whether ``mask`` is the causal one, if it was not said."""
    if is_causal is not None or mask is None:
        return bool(is_causal)
    if MODES.capture is not None:  # the values are not known yet; they are masked as given
        return False
    size = mask.shape[-2] if size is None else size
    causal = _generate_square_subsequent_mask(
        size, dtype=mask.dtype if mask.is_floating_point() else None
    )
    return tuple(mask.shape) == tuple(causal.shape) and bool(mask.eq(causal).all())


def _get_seq_len(src: Tensor, batch_first: bool) -> int:
    if src.dim() == 2:
        return src.shape[0]
    return src.shape[1 if batch_first else 0]


class TransformerEncoderLayer(Module):
    """Self-attention and a network of two linear layers, each with a residual and a norm.

    Args:
        d_model: width E of the input.
        nhead: number of heads.
        dim_feedforward: width between the two linear layers.
        dropout: the probability of the dropouts.
        activation: ``"relu"``, ``"gelu"`` or a function, between the linear layers.
        layer_norm_eps: of the layer norms.
        batch_first: whether the batch is the first dimension, not the second.
        norm_first: whether the norms come before attention and network, not behind.
        bias: whether linear layers and norms have offsets.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(S, N, E)``, ``(N, S, E)`` if ``batch_first``, or ``(S, E)``
        - Output: the same

    Raises:
        AssertionError: ``nhead`` does not divide ``d_model``.
        RuntimeError: another name of an ``activation``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TransformerEncoderLayer.html
    """

    norm_first: bool

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = {"device": device, "dtype": dtype}
        super().__init__()
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **options
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        function = _get_activation_fn(activation)
        self.activation_relu_or_gelu = {F.relu: 1, F.gelu: 2}.get(function, 0)
        self.activation = function

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not hasattr(self, "activation"):
            self.activation = F.relu

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The layer's result for ``src``.

        Args:
            src: the sequence.
            src_mask: ``(S, S)`` or ``(N * nhead, S, S)``: true for places not to look at, or added.
            src_key_padding_mask: ``(N, S)`` or ``(S)``: true, or added, for places to ignore.
            is_causal: a hint that ``src_mask`` is the causal one.

        Returns:
            The shape of ``src``.

        Raises:
            AssertionError: masks that are neither bool nor floating point, or operands that do not
                fit.
            RuntimeError: a mask of another shape.
        """
        padding = additive_mask(
            src_key_padding_mask, "src_key_padding_mask", src_mask, src.dtype, "src_mask"
        )
        mask = additive_mask(src_mask, "src_mask", None, src.dtype)
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), mask, padding, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, mask, padding, is_causal))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(
        self, x: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        result, _ = self.self_attn(
            x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False,
            is_causal=is_causal,
        )  # fmt: skip
        return self.dropout1(result)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's result, and a network of two linear layers.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype: as for :class:`TransformerEncoderLayer`.

    Shape:
        - Target: ``(T, N, E)``, ``(N, T, E)`` if ``batch_first``, or ``(T, E)``
        - Memory: the same with S for T
        - Output: as the target

    Raises:
        AssertionError: ``nhead`` does not divide ``d_model``.
        RuntimeError: another name of an ``activation``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TransformerDecoderLayer.html
    """

    norm_first: bool

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = {"device": device, "dtype": dtype}
        super().__init__()
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, batch_first=batch_first, bias=bias, **options
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, batch_first=batch_first, bias=bias, **options
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _get_activation_fn(activation)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not hasattr(self, "activation"):
            self.activation = F.relu

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The layer's result for ``tgt``, which sees ``memory``.

        Args:
            tgt: the target sequence.
            memory: the encoder's result.
            tgt_mask, memory_mask: ``(T, T)``, ``(T, S)``: places not to look at.
            tgt_key_padding_mask, memory_key_padding_mask: ``(N, T)``, ``(N, S)``: places to ignore.
            tgt_is_causal, memory_is_causal: hints that the masks are causal ones.

        Returns:
            The shape of ``tgt``.

        Raises:
            AssertionError: masks that are neither bool nor floating point, or operands that do not
                fit.
            RuntimeError: a mask of another shape.
        """

        def attend_self(x: Tensor) -> Tensor:
            return self._sa_block(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def attend_memory(x: Tensor) -> Tensor:
            return self._mha_block(
                x, memory, memory_mask, memory_key_padding_mask, memory_is_causal
            )

        x = tgt
        if self.norm_first:
            x = x + attend_self(self.norm1(x))
            x = x + attend_memory(self.norm2(x))
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + attend_self(x))
        x = self.norm2(x + attend_memory(x))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(
        self, x: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        result, _ = self.self_attn(
            x, x, x, attn_mask=mask, key_padding_mask=padding, is_causal=is_causal,
            need_weights=False,
        )  # fmt: skip
        return self.dropout1(result)

    def _mha_block(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None,
        padding: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        result, _ = self.multihead_attn(
            x, memory, memory, attn_mask=mask, key_padding_mask=padding, is_causal=is_causal,
            need_weights=False,
        )  # fmt: skip
        return self.dropout2(result)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """A stack of encoder layers.

    Args:
        encoder_layer: the layer; the stack is made of copies of it.
        num_layers: how many.
        norm: a norm behind the last layer.
        enable_nested_tensor: whether, in evaluation without gradients and without a mask, results
            for padding are zeros (what PyTorch's nested tensors come to; here there are none).
        mask_check: whether that is so only if all padding is behind; if not asked, padding is
            taken to be behind.

    Shape:
        - Input: ``(S, N, E)``, or what the layer takes
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TransformerEncoder.html
    """

    norm: Module | None

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        reason = _no_nested_tensor(encoder_layer)
        if enable_nested_tensor and reason:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"{reason}",
                stacklevel=2,
            )
        if reason:
            self.use_nested_tensor = False

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """``src`` through all layers.

        Args:
            src: the sequence.
            mask: the ``src_mask`` of the layer's ``forward``.
            src_key_padding_mask: as there.
            is_causal: whether ``mask`` is the causal one; None: it is looked at.

        Returns:
            The shape of ``src``.

        Raises:
            AssertionError: masks that are neither bool nor floating point, or operands that do not
                fit.
            RuntimeError: a mask of another shape.
        """
        padding = additive_mask(
            src_key_padding_mask, "src_key_padding_mask", mask, src.dtype, "mask"
        )
        mask = additive_mask(mask, "mask", None, src.dtype)
        first: Any = self.layers[0] if len(self.layers) else None
        batch_first = first is not None and first.self_attn.batch_first
        is_causal = _detect_is_causal_mask(mask, is_causal, _get_seq_len(src, batch_first))
        present = aligned = None
        if padding is not None and mask is None and self._leaves_out_padding(first, src):
            given = padding.logical_not()
            places = flambeau.arange(src.shape[1], device=src.device)
            present = places < given.sum(1, keepdim=True)
            if self.mask_check:
                aligned = present.eq(given).all()
            else:
                padding = flambeau.zeros_like(padding).masked_fill(~present, -math.inf)
        result = src
        for layer in self.layers:
            result = layer(result, src_mask=mask, is_causal=is_causal, src_key_padding_mask=padding)
        if present is not None:
            shown = present.unsqueeze(-1)
            result = result.masked_fill(~(shown if aligned is None else shown | ~aligned), 0.0)
        return result if self.norm is None else self.norm(result)

    def _leaves_out_padding(self, first: Any, src: Tensor) -> bool:
        """Whether PyTorch would use a nested tensor."""
        return (
            self.use_nested_tensor
            and src.dim() == 3
            and not first.training
            and MODES.autocast is None
            and not (
                flambeau.is_grad_enabled()
                and (src.requires_grad or any(p.requires_grad for p in first.parameters()))
            )
        )


def _no_nested_tensor(layer: Any) -> str:
    """Why PyTorch would not use nested tensors with ``layer`` ("" if it would)."""
    path = "encoder_layer"
    if not isinstance(layer, TransformerEncoderLayer):
        return f"{path} was not TransformerEncoderLayer"
    if layer.norm_first:
        return f"{path}.norm_first was True"
    if not layer.self_attn.batch_first:
        return (
            f"{path}.self_attn.batch_first was not True(use batch_first for better inference "
            "performance)"
        )
    if not layer.self_attn._qkv_same_embed_dim:
        return f"{path}.self_attn._qkv_same_embed_dim was not True"
    if layer.self_attn.in_proj_bias is None:
        return f"{path}.self_attn was passed bias=False"
    if not layer.activation_relu_or_gelu:
        return f"{path}.activation_relu_or_gelu was not True"
    if layer.norm1.eps != layer.norm2.eps:
        return f"{path}.norm1.eps was not equal to {path}.norm2.eps"
    if layer.self_attn.num_heads % 2 == 1:
        return f"{path}.self_attn.num_heads is odd"
    return ""


class TransformerDecoder(Module):
    """A stack of decoder layers.

    Args:
        decoder_layer: the layer; the stack is made of copies of it.
        num_layers: how many.
        norm: a norm behind the last layer.

    Shape:
        - Target, memory: what the layer takes
        - Output: as the target

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TransformerDecoder.html
    """

    norm: Module | None

    def __init__(
        self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None
    ) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """``tgt`` through all layers.

        Args:
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                memory_is_causal: as for the layer's ``forward``.
            tgt_is_causal: whether ``tgt_mask`` is the causal one; None: it is looked at.

        Returns:
            The shape of ``tgt``.

        Raises:
            AssertionError: masks that are neither bool nor floating point, or operands that do not
                fit.
            RuntimeError: a mask of another shape.
        """
        first: Any = self.layers[0] if len(self.layers) else None
        batch_first = first is not None and first.self_attn.batch_first
        tgt_is_causal = _detect_is_causal_mask(
            tgt_mask, tgt_is_causal, _get_seq_len(tgt, batch_first)
        )
        result = tgt
        for layer in self.layers:
            result = layer(
                result,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )
        return result if self.norm is None else self.norm(result)


class Transformer(Module):
    """An encoder and a decoder.

    Args:
        d_model: width E of the sequences.
        nhead: number of heads.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dim_feedforward: width between the two linear layers of each.
        dropout: the probability of the dropouts.
        activation: ``"relu"``, ``"gelu"`` or a function.
        custom_encoder: used instead of an encoder made of the arguments.
        custom_decoder: used instead of a decoder made of the arguments.
        layer_norm_eps: of the layer norms.
        batch_first: whether the batch is the first dimension, not the second.
        norm_first: whether the norms come first in the layers.
        bias: whether linear layers and norms have offsets.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Source: ``(S, N, E)``; target: ``(T, N, E)``; N first if ``batch_first``, or without N
        - Output: as the target

    Raises:
        AssertionError: ``nhead`` does not divide ``d_model``.
        RuntimeError: another name of an ``activation``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Transformer.html
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        layer_options = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip
        norm_options = {"eps": layer_norm_eps, "bias": bias, "device": device, "dtype": dtype}
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            self.encoder = TransformerEncoder(
                TransformerEncoderLayer(*layer_options),
                num_encoder_layers,
                LayerNorm(d_model, **norm_options),
            )
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            self.decoder = TransformerDecoder(
                TransformerDecoderLayer(*layer_options),
                num_decoder_layers,
                LayerNorm(d_model, **norm_options),
            )
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoder's result for ``tgt``, which sees the encoder's for ``src``.

        Args:
            src, tgt: the sequences, see the shapes above.
            src_mask, src_key_padding_mask, src_is_causal: the encoder's ``mask``,
                ``src_key_padding_mask`` and ``is_causal``.
            tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
                memory_is_causal: the decoder's.

        Returns:
            The shape of ``tgt``.

        Raises:
            RuntimeError: batches or widths that differ.
            AssertionError: masks that are neither bool nor floating point, or of another number of
                dims.
        """
        batched = src.dim() == 3
        place = 0 if self.batch_first else 1
        if batched and src.size(place) != tgt.size(place):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask: minus infinity above the diagonal, else 0.

        Args:
            sz: the length of the sequence.
            device, dtype: of the mask (None: the default ones).

        Returns:
            ``(sz, sz)``.
        """
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)
