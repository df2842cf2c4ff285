"""Attention with several heads, as a function of all its weights.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import flambeau
from flambeau.nn.functional.attention import scaled_dot_product_attention
from flambeau.ops.activation import softmax
from flambeau.ops.dropout import dropout
from flambeau.ops.matmul import linear as _linear
from flambeau.tensor import Tensor

__all__ = ["additive_mask", "multi_head_attention_forward"]

linear = _linear.function


def additive_mask(
    mask: Tensor | None, name: str, other: Tensor | None, dtype: Any, other_name: str = ""
) -> Any:
    """A mask that is added to the scores: of a bool one, minus infinity where it is true.

    Warns where the ``other`` mask, if there is one, has another dtype.

    Args:
        mask: ``(*)``, bool or floating point; None gives None.
        name: what it is called in errors.
        other: another mask, whose dtype should be the same.
        dtype: of the result, if ``mask`` is bool.
        other_name: what ``other`` is called in warnings.

    Returns:
        ``(*)``, floating point.

    Raises:
        AssertionError: the mask is neither bool nor floating point.
    """
    if mask is None:
        return None
    if mask.dtype is not flambeau.bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and mask.dtype is not other.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. "
            "Use same type for both instead.",
            stacklevel=3,
        )
    if mask.dtype is not flambeau.bool:
        return mask
    return flambeau.zeros(mask.shape, dtype=dtype).masked_fill(mask, -math.inf)


def _check_shapes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether there is a batch dim; an error where the dims do not fit."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{query.dim()}-D query tensor"
        )
    batched = query.dim() == 3
    word, n = ("batched", 3) if batched else ("unbatched", 2)
    if key.dim() != n or value.dim() != n:
        raise AssertionError(
            f"For {word} ({n}-D) `query`, expected `key` and `value` to be {n}-D but found "
            f"{key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != n - 1:
        raise AssertionError(
            f"For {word} ({n}-D) `query`, expected `key_padding_mask` to be `None` or {n - 1}-D "
            f"but found {key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None and attn_mask.dim() not in (2, 3):
        raise AssertionError(
            f"For {word} ({n}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{attn_mask.dim()}-D tensor instead"
        )
    return batched


def _in_projection(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    b_q: Tensor | None = None,
    b_k: Tensor | None = None,
    b_v: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value through linear maps of their own."""
    return linear(query, w_q, b_q), linear(key, w_k, b_k), linear(value, w_v, b_v)


def _in_projection_packed(
    query: Tensor, key: Tensor, value: Tensor, weights: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value through linear maps that are one matrix."""
    if query is key and key is value:
        q, k, v = linear(query, weights, bias).chunk(3, -1)
        return q, k, v
    width = query.size(-1)
    if key is value:
        w_q, w_kv = weights.split([width, 2 * width])
        b_q, b_kv = (None, None) if bias is None else bias.split([width, 2 * width])
        k, v = linear(key, w_kv, b_kv).chunk(2, -1)
        return linear(query, w_q, b_q), k, v
    w_q, w_k, w_v = weights.chunk(3)
    b_q, b_k, b_v = (None,) * 3 if bias is None else bias.chunk(3)
    return _in_projection(query, key, value, w_q, w_k, w_v, b_q, b_k, b_v)


def _with_column(mask: Tensor | None) -> Tensor | None:
    """``mask`` with a column of zeros behind, for a key that was added."""
    if mask is None:
        return None
    zeros = flambeau.zeros((*mask.shape[:-1], 1), dtype=mask.dtype)
    return flambeau.cat([mask, zeros], -1)


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention with several heads (Vaswani et al., 2017).

    Args:
        query: ``(L, N, E)`` or ``(L, E)``.
        key, value: ``(S, N, Ek)``, ``(S, N, Ev)``, or without N.
        embed_dim_to_check: E.
        num_heads: number of heads, a divisor of E.
        in_proj_weight, in_proj_bias: ``(3 E, E)``, ``(3 E)``.
        bias_k, bias_v: a key and a value that are added to all, ``(1, 1, E)``.
        add_zero_attn: whether a key and a value of zeros are added.
        dropout_p: the probability that a weight is dropped in training.
        out_proj_weight, out_proj_bias: ``(E, E)``, ``(E)``.
        training: whether weights are dropped.
        key_padding_mask: ``(N, S)`` or ``(S)``: true, or added to the scores, for keys to ignore.
        need_weights: whether the attention weights are returned.
        attn_mask: ``(L, S)`` or ``(N * heads, L, S)``: true for places not to look at, or added.
        use_separate_proj_weight: whether the next three are used instead of ``in_proj_weight``.
        q_proj_weight, k_proj_weight, v_proj_weight: ``(E, E)``, ``(E, Ek)``, ``(E, Ev)``.
        static_k, static_v: projected key and value, ``(N * heads, S, E / heads)``.
        average_attn_weights: whether the returned weights are the mean over the heads.
        is_causal: a hint that ``attn_mask`` is the causal one.

    Returns:
        ``(L, N, E)`` (or without N), and the weights, ``(N, L, S)`` or ``(N, heads, L, S)``.

    Raises:
        AssertionError: operands whose shapes do not fit, masks that are neither bool nor floating
            point, or a bias beside a static key or value.
        RuntimeError: ``is_causal`` without ``attn_mask``, or a mask of another shape.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiheadAttention.html
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same = (query is key, key is value)
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    source = key.shape[0]
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if width != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}"
        )
    head_width = width // num_heads
    if head_width * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's "
                f"{value.shape[:2]}"
            )
        weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = _in_projection(query, key, value, *weights, *biases)
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        assert in_proj_weight is not None
        q, k, v = _in_projection_packed(query, key, value, in_proj_weight, in_proj_bias)

    mask = additive_mask(attn_mask, "attn_mask", None, q.dtype)
    padding = additive_mask(key_padding_mask, "key_padding_mask", attn_mask, q.dtype, "attn_mask")
    if mask is not None:
        if mask.dim() == 2:
            if tuple(mask.shape) != (length, source):
                raise RuntimeError(
                    f"The shape of the 2D attn_mask is {mask.shape}, but should be "
                    f"{(length, source)}."
                )
            mask = mask.unsqueeze(0)
        elif tuple(mask.shape) != (batch * num_heads, length, source):
            raise RuntimeError(
                f"The shape of the 3D attn_mask is {mask.shape}, but should be "
                f"{(batch * num_heads, length, source)}."
            )
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError("bias cannot be added to static key or value.")
        k = flambeau.cat([k, bias_k.expand((1, batch, width))])
        v = flambeau.cat([v, bias_v.expand((1, batch, width))])
        mask, padding = _with_column(mask), _with_column(padding)

    def by_heads(x: Tensor) -> Tensor:
        rows = x.reshape((x.shape[0], batch * num_heads, head_width))
        return rows.transpose(0, 1)

    q = by_heads(q)
    k = by_heads(k) if static_k is None else static_k
    v = by_heads(v) if static_v is None else static_v
    if add_zero_attn:
        zeros = flambeau.zeros((batch * num_heads, 1, head_width), dtype=k.dtype)
        k, v = flambeau.cat([k, zeros], 1), flambeau.cat([v, zeros], 1)
        mask, padding = _with_column(mask), _with_column(padding)
    source = k.shape[1]
    if padding is not None:
        if tuple(padding.shape) != (batch, source):
            raise AssertionError(
                f"Expected key_padded_mask.shape[{int(padding.shape[0] == batch)}] to be "
                f"{source if padding.shape[0] == batch else batch}, but got "
                f"{padding.shape[1] if padding.shape[0] == batch else padding.shape[0]}"
            )
        padding = padding.reshape((batch, 1, 1, source)).expand((batch, num_heads, 1, source))
        padding = padding.reshape((batch * num_heads, 1, source))
        mask = padding if mask is None else mask + padding

    if not need_weights:
        causal = is_causal and padding is None
        heads = scaled_dot_product_attention(
            q, k, v, None if causal else mask, dropout_p if training else 0.0, causal
        )
        heads = heads.transpose(0, 1).reshape((length * batch, width))
        result = linear(heads, out_proj_weight, out_proj_bias).reshape((length, batch, width))
        return (result if batched else result.squeeze(1)), None
    scores = flambeau.matmul(q * math.sqrt(1.0 / head_width), k.transpose(1, 2))
    if mask is not None:
        scores = scores + mask
    attention = softmax(scores, -1)
    if training and dropout_p > 0.0:
        attention = dropout(attention, dropout_p, True)
    result = flambeau.matmul(attention, v)
    result = result.transpose(0, 1).reshape((length * batch, width))
    result = linear(result, out_proj_weight, out_proj_bias).reshape((length, batch, width))
    if not batched:
        result = result.squeeze(1)
    attention = attention.reshape((batch, num_heads, length, source))
    if average_attn_weights:
        attention = attention.mean(1)
    return result, attention if batched else attention.squeeze(0)
