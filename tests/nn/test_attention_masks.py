"""Masks of attention of unlike dtypes are warned of, as PyTorch warns."""

from __future__ import annotations

import warnings

import pytest

import flambeau as torch
from flambeau import nn

X = torch.ones(2, 3, 4)
PADDING = torch.zeros(2, 3, dtype=torch.bool)


def test_masks_of_unlike_dtypes_are_warned_of() -> None:
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        attention(X, X, X, key_padding_mask=PADDING, attn_mask=torch.zeros(3, 3))
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    with pytest.warns(UserWarning, match="mismatched src_key_padding_mask and src_mask"):
        layer(X, torch.zeros(3, 3), PADDING)


def test_masks_of_one_dtype_are_not() -> None:
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask = torch.zeros(3, 3, dtype=torch.bool)
        attention(X, X, X, key_padding_mask=PADDING, attn_mask=mask)
        attention(X, X, X, key_padding_mask=PADDING)
