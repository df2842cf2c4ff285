"""How the result of attention lies in memory: heads can be put side by side without a copy."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import pytest

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.ops import attention


def _in_rows(dim: int = 4, dtype: Any = torch.float32) -> Any:
    """(N, heads, L, E), as a projection of (N, L, heads * E) gives it."""
    return torch.randn(2, 8, 4, dim, dtype=dtype, requires_grad=True).transpose(1, 2)


# as PyTorch 2.13 gives them
@pytest.mark.parametrize(
    ("operands", "options", "strides"),
    [
        (lambda: [_in_rows() for _ in "qkv"], {}, (128, 4, 16, 1)),
        (lambda: [_in_rows() for _ in "qkv"], {"is_causal": True}, (128, 4, 16, 1)),
        (lambda: [_in_rows() for _ in "qkv"], {"attn_mask": "float"}, (128, 4, 16, 1)),
        (lambda: [_in_rows() for _ in "qkv"], {"attn_mask": "bool"}, (128, 4, 16, 1)),
        (lambda: [_in_rows() for _ in "qkv"], {"dropout_p": 0.5}, (128, 32, 4, 1)),
        (lambda: [_in_rows(dtype=torch.float64) for _ in "qkv"], {}, (128, 4, 16, 1)),
        (lambda: [_in_rows(), *(_in_rows().contiguous() for _ in "kv")], {}, (128, 4, 16, 1)),
        (lambda: [_in_rows().contiguous(), _in_rows(), _in_rows()], {}, (128, 32, 4, 1)),
        (lambda: [_in_rows(), _in_rows(), _in_rows(6)], {}, (192, 48, 6, 1)),
        (lambda: [torch.randn(8, 2, 4).transpose(0, 1) for _ in "qkv"], {}, (32, 4, 1)),
        (lambda: [torch.randn(2, 4, 4, 8).mT for _ in "qkv"], {}, (128, 32, 4, 1)),
    ],
)
def test_the_result_lies_in_memory_as_the_query(
    operands: Any, options: dict[str, Any], strides: tuple[int, ...]
) -> None:
    masks = {"float": torch.zeros(8, 8), "bool": torch.ones(8, 8, dtype=torch.bool)}
    if "attn_mask" in options:
        options = {"attn_mask": masks[options["attn_mask"]]}
    given = operands()
    result = F.scaled_dot_product_attention(*given, **options)
    assert result.stride() == strides
    if "dropout_p" not in options:
        plain = F.scaled_dot_product_attention(*(x.contiguous() for x in given), **options)
        assert torch.allclose(result, plain, atol=1e-6)


@pytest.mark.parametrize("writes", [False, True])
def test_compiled_heads_are_put_side_by_side(writes: bool) -> None:
    pytest.importorskip("llvmlite")
    torch.manual_seed(0)
    project = torch.nn.Linear(16, 48)

    def heads(x: Any) -> Any:
        q, k, v = (t.view(2, 8, 4, 4).transpose(1, 2) for t in project(x).split(16, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        together = y.transpose(1, 2).view(2, 8, 16)
        if writes:
            with torch.no_grad():
                together.mul_(2)  # writes to y too
        return together, y.sum()

    compiled = torch.compile(heads)
    x = torch.randn(2, 8, 16)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # with a write it runs eagerly
        for _ in range(4):
            for found, wanted in zip(compiled(x), heads(x)):
                assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("size", [1.0, 40.0])  # with the latter, scores are shifted
def test_exponentials_are_made_again(
    is_causal: bool, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the backward pass, to the last bit, where they are many."""
    torch.manual_seed(0)
    given = [torch.randn(2, 3, n, 8) * f for n, f in ((70, size), (33, 1.0), (33, 1.0))]

    def gradients() -> list[Any]:
        leaves = [x.clone().requires_grad_() for x in given]
        result = F.scaled_dot_product_attention(*leaves, is_causal=is_causal)
        result.square().sum().backward()
        return [result.detach(), *(x.grad for x in leaves)]

    kept = gradients()
    monkeypatch.setattr(attention, "_KEPT", 0)
    assert all(torch.equal(a, b) for a, b in zip(gradients(), kept, strict=True))


def test_scores_of_long_sequences_are_not_kept() -> None:
    q, k, v = (torch.randn(1, 2, 1024, 8, requires_grad=True) for _ in range(3))
    F.scaled_dot_product_attention(q, k, v, is_causal=True)
    tracemalloc.start()
    try:
        result = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 1 << 20 < 2 * 1024 * 1024 * 4
    result.sum().backward()
    assert q.grad is not None and q.grad.isfinite().all()
