"""Attention."""

from __future__ import annotations

import math

import flambeau
from flambeau.nn.functional.dropouts import dropout
from flambeau.ops import activation as _activation
from flambeau.tensor import Tensor

__all__ = [
    "scaled_dot_product_attention",
]


def _repeated_heads(x: Tensor, heads: int) -> Tensor:
    """``x`` (..., H, S, E) with every head given ``heads / H`` times, side by side."""
    *batch, own, length, width = x.shape
    spread = x.unsqueeze(-3).expand((*batch, own, heads // own, length, width))
    return spread.reshape((*batch, heads, length, width))


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key^T * scale + mask) @ value (Vaswani et al., 2017).

    Args:
        query: ``(N, ..., L, E)``.
        key: ``(N, ..., S, E)``.
        value: ``(N, ..., S, Ev)``.
        attn_mask: ``(N, ..., L, S)``: added to the scores; or, if bool, where they count.
        dropout_p: the probability that a weight is dropped (in evaluation too).
        is_causal: whether position i sees positions up to i only.
        scale: the factor of the scores (default ``1 / sqrt(E)``).
        enable_gqa: whether several heads of the query share one of key and value.

    Returns:
        ``(N, ..., L, Ev)``.
    """
    length, width = query.shape[-2:]
    scale = 1 / math.sqrt(width) if scale is None else scale
    if enable_gqa:
        key, value = (_repeated_heads(x, query.size(-3)) for x in (key, value))
    scores = flambeau.matmul(query * scale, key.transpose(-2, -1))
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
                "is_causal=True"
            )
        attn_mask = flambeau.ones(length, key.shape[-2], dtype=flambeau.bool).tril()
    if attn_mask is not None:
        if attn_mask.dtype is flambeau.bool:
            scores = scores.masked_fill(attn_mask.logical_not(), -math.inf)
        else:
            scores = scores + attn_mask
    weights = _activation.softmax(scores, -1)
    if attn_mask is not None and attn_mask.dtype is flambeau.bool and not is_causal:
        # a row that sees nothing gives zeros, not NaN
        blind = attn_mask.any(-1, keepdim=True).logical_not()
        weights = weights.masked_fill(blind, 0.0)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return flambeau.matmul(weights, value)
