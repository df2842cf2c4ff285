"""``MultiheadAttention`` (which PyTorch, and its pickles, keep in ``activation``)."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.nn import init
from flambeau.nn.functional.multi_head_attention import multi_head_attention_forward
from flambeau.nn.modules.linear import NonDynamicallyQuantizableLinear
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.tensor import Tensor

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention with several heads (Vaswani et al., 2017).

    Args:
        embed_dim: width E of queries and results.
        num_heads: number of heads, a divisor of ``embed_dim``.
        dropout: the probability that a weight is dropped in training.
        bias: whether the linear maps have offsets.
        add_bias_kv: whether a learned key and value are added.
        add_zero_attn: whether a key and a value of zeros are added.
        kdim: width of keys (default: ``embed_dim``).
        vdim: width of values (default: ``embed_dim``).
        batch_first: whether the batch is the first dimension, not the second.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Query: ``(L, N, E)``, ``(N, L, E)`` if ``batch_first``, or ``(L, E)``
        - Key, value: the same with S for L and ``kdim``, ``vdim`` for E
        - Output: as the query; weights: ``(N, L, S)``, or ``(N, num_heads, L, S)``

    Raises:
        ValueError: ``embed_dim`` or ``num_heads`` is not positive.
        AssertionError: ``num_heads`` does not divide ``embed_dim``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiheadAttention.html
    """

    __module__ = "flambeau.nn.modules.activation"

    batch_first: bool
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        super().__init__()
        options = {"device": device, "dtype": dtype}
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def matrix(*shape: int) -> Parameter:
            return Parameter(flambeau.empty(shape, **options))

        if self._qkv_same_embed_dim:
            self.in_proj_weight = matrix(3 * embed_dim, embed_dim)
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
                self.register_parameter(name, None)
        else:
            self.q_proj_weight = matrix(embed_dim, embed_dim)
            self.k_proj_weight = matrix(embed_dim, self.kdim)
            self.v_proj_weight = matrix(embed_dim, self.vdim)
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = matrix(3 * embed_dim)
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **options)
        if add_bias_kv:
            self.bias_k = matrix(1, 1, embed_dim)
            self.bias_v = matrix(1, 1, embed_dim)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        if self._qkv_same_embed_dim:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            init.xavier_uniform_(self.q_proj_weight)
            init.xavier_uniform_(self.k_proj_weight)
            init.xavier_uniform_(self.v_proj_weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
        if self.bias_v is not None:
            init.xavier_normal_(self.bias_v)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_qkv_same_embed_dim" not in state:  # pickles of PyTorch 1.1
            state["_qkv_same_embed_dim"] = True
        super().__setstate__(state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attention of ``query`` to ``key`` and ``value``.

        Args:
            query, key, value: see the shapes above.
            key_padding_mask: ``(N, S)`` or ``(S)``: true, or added, for keys to ignore.
            need_weights: whether the attention weights are returned too.
            attn_mask: ``(L, S)`` or ``(N * num_heads, L, S)``: true for places not to look at, or
                added to the scores.
            average_attn_weights: whether the returned weights are the mean over the heads.
            is_causal: a hint that ``attn_mask`` is the causal one.

        Returns:
            The result, of the query's shape, and the weights, or None without ``need_weights``.

        Raises:
            AssertionError: operands or masks whose shapes or dtypes do not fit.
            RuntimeError: ``is_causal`` without ``attn_mask``, or an ``attn_mask`` of another shape.
        """
        turned = self.batch_first and query.dim() == 3
        if turned:
            # what is one tensor stays one: it is then projected by one product
            same = (query is key, key is value)
            query = query.transpose(0, 1)
            key = query if same[0] else key.transpose(0, 1)
            value = key if same[1] else value.transpose(0, 1)
        result, weights = multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (result.transpose(0, 1) if turned else result), weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """One mask of both, and its kind: 0 for attention, 1 for padding, 2 for both.

        Args:
            attn_mask: ``(L, S)`` or ``(N * num_heads, L, S)``.
            key_padding_mask: ``(N, S)``.
            query: ``(N, L, E)``.

        Returns:
            The mask, ``(N, num_heads, L, S)`` if there are both, and its kind (None for no mask).
        """
        merged, kind = None, None
        if key_padding_mask is not None:
            merged, kind = key_padding_mask, 1
        if attn_mask is not None:
            batch, length = query.shape[:2]
            kind = 2
            if attn_mask.dim() == 3:
                merged = attn_mask.reshape((batch, -1, length, length))
            else:
                merged = attn_mask.reshape((1, 1, length, length)).expand(
                    (batch, self.num_heads, -1, -1)
                )
            if key_padding_mask is not None:
                padding = key_padding_mask.reshape((batch, 1, 1, length))
                merged = merged + padding.expand((-1, self.num_heads, -1, -1))
        return merged, kind
