"""Attention."""

from __future__ import annotations

import flambeau
from flambeau.modes import MODES
from flambeau.ops.attention import attention
from flambeau.ops.dropout import dropout as drop_elements
from flambeau.tensor import Tensor

__all__ = [
    "scaled_dot_product_attention",
]


def _repeated_heads(x: Tensor, heads: int) -> Tensor:
    """``x`` (..., H, S, E) with every head given ``heads / H`` times, side by side."""
    if x.dim() < 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [-{x.dim()}, {x.dim() - 1}], but "
            "got -3)"
        )
    *batch, own, length, width = x.shape
    if heads % own:
        raise RuntimeError(
            f"Number of heads in key and value must divide the number of heads in query, but got "
            f"{own} and {heads}"
        )
    if own == heads:
        return x
    spread = x.unsqueeze(-3).expand((*batch, own, heads // own, length, width))
    return spread.reshape((*batch, heads, length, width))


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
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
        is_causal: whether position i sees positions up to i only (of those that the mask shows).
        scale: the factor of the scores (default ``1 / sqrt(E)``).
        enable_gqa: whether several heads of the query share one of key and value.

    Returns:
        ``(N, ..., L, Ev)``; zeros for a position that sees nothing.

    Raises:
        RuntimeError: operands that do not fit each other.
        IndexError: ``enable_gqa`` with operands of fewer than three dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/
    torch.nn.functional.scaled_dot_product_attention.html
    """
    if enable_gqa:
        key, value = (_repeated_heads(x, query.size(-3)) for x in (key, value))
    factors = None
    if dropout_p > 0.0:
        batch = flambeau.broadcast_shapes(query.shape[:-2], key.shape[:-2])
        ones = query.new_ones((*batch, query.shape[-2], key.shape[-2]))
        factors = drop_elements(ones, dropout_p, True)
    if attn_mask is not None and attn_mask.is_floating_point() and not query.is_complex():
        if attn_mask.dtype is flambeau.float32:
            attn_mask = attn_mask.to(query.dtype)
    result = attention.function(query, key, value, attn_mask, factors, is_causal, scale)
    if MODES.capture is not None:
        MODES.capture.takes_order_of(result, query)
    return result
