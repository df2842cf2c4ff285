"""Calls of attention and transformers, for a comparison and for recorded values.

Run as ``python -m tests.nn.attention_cases`` where PyTorch is installed to write
``recorded_attention.json`` anew: per case, every result and gradient as one number (its product
with the cosines of 0, 1, 2, ...), and the number that the generator gives next.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("recorded_attention.json")
SEED = 3
L, S, N, E = 4, 5, 3, 8

Call = Callable[[Any], tuple[list[Any], list[Any]]]
"""Takes the library; returns the results, and the tensors that have gradients."""


def _tensors(t: Any, *shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(2)
    made = (t.from_numpy(random.normal(size=shape).astype(np.float32)) for shape in shapes)
    return [tensor.requires_grad_() for tensor in made]


def _results(returned: Any) -> list[Any]:
    items = returned if isinstance(returned, tuple) else (returned,)
    return [item for item in items if item is not None]


def _module(build: Callable[[Any], Any], call: Callable[..., Any], *shapes: Any) -> Call:
    def run(t: Any) -> tuple[list[Any], list[Any]]:
        module = build(t)
        inputs = _tensors(t, *shapes)
        return _results(call(t, module, *inputs)), [*inputs, *module.parameters()]

    return run


def _function(call: Callable[..., Any], *shapes: Any) -> Call:
    def run(t: Any) -> tuple[list[Any], list[Any]]:
        inputs = _tensors(t, *shapes)
        return _results(call(t, t.nn.functional.scaled_dot_product_attention, *inputs)), inputs

    return run


def _padding(t: Any, size: int, first: int) -> Any:
    mask = t.zeros(N, size, dtype=t.bool)
    mask[1, first:] = True
    return mask


def _some(t: Any) -> Any:
    """A mask with a row that sees nothing."""
    mask = t.ones(L, S, dtype=t.bool).tril()
    mask[2] = False
    return mask


def _low(t: Any) -> Any:
    return t.arange(L * S, dtype=t.float32).reshape(L, S).cos().masked_fill(~_some(t), -math.inf)


HEADS = ((2, 4, L, E), (2, 4, S, E), (2, 4, S, 6))
SHARED = ((2, 4, L, E), (2, 2, S, E), (2, 2, S, E))

CASES: dict[str, Call] = {
    "attention": _function(lambda t, f, q, k, v: f(q, k, v), *HEADS),
    "attention of three dims": _function(lambda t, f, q, k, v: f(q, k, v), (2, 3), (4, 3), (4, 3)),
    "causal": _function(lambda t, f, q, k, v: f(q, k, v, is_causal=True), *HEADS),
    "scaled": _function(lambda t, f, q, k, v: f(q, k, v, scale=0.3), *HEADS),
    "bool mask": _function(lambda t, f, q, k, v: f(q, k, v, _some(t)), *HEADS),
    "added mask": _function(lambda t, f, q, k, v: f(q, k, v, _low(t)), *HEADS),
    "learned mask": _function(
        lambda t, f, q, k, v, m: f(q, k, v, m), *HEADS, (2, 1, L, S)
    ),
    "large scores": _function(lambda t, f, q, k, v: f(q * 6, k * 6, v, is_causal=True), *HEADS),
    "dropped": _function(lambda t, f, q, k, v: f(q, k, v, dropout_p=0.4), *HEADS),
    "dropped and masked": _function(lambda t, f, q, k, v: f(q, k, v, _some(t), 0.4), *HEADS),
    "shared heads": _function(
        lambda t, f, q, k, v: f(q, k, v, is_causal=True, enable_gqa=True), *SHARED
    ),
    "one head for all": _function(
        lambda t, f, q, k, v: f(q, k, v), (2, 4, L, E), (2, 1, S, E), (2, 1, S, E)
    ),
    "self": _module(
        lambda t: t.nn.MultiheadAttention(E, 2), lambda t, m, x: m(x, x, x), (L, N, E)
    ),
    "self, dropped, batch first": _module(
        lambda t: t.nn.MultiheadAttention(E, 4, dropout=0.3, batch_first=True),
        lambda t, m, x: m(x, x, x, average_attn_weights=False), (N, L, E),
    ),
    "self, added keys": _module(
        lambda t: t.nn.MultiheadAttention(E, 2, add_bias_kv=True, add_zero_attn=True, bias=False),
        lambda t, m, x: m(x, x, x, key_padding_mask=_padding(t, L, 2)), (L, N, E),
    ),
    "self without weights": _module(
        lambda t: t.nn.MultiheadAttention(E, 2, dropout=0.2),
        lambda t, m, x: m(x, x, x, need_weights=False, key_padding_mask=_padding(t, L, 2),
                          attn_mask=t.nn.Transformer.generate_square_subsequent_mask(L)),
        (L, N, E),
    ),
    "self, causal hint": _module(
        lambda t: t.nn.MultiheadAttention(E, 2),
        lambda t, m, x: m(x, x, x, need_weights=False, is_causal=True,
                          attn_mask=t.nn.Transformer.generate_square_subsequent_mask(L)),
        (L, N, E),
    ),
    "other widths": _module(
        lambda t: t.nn.MultiheadAttention(E, 4, kdim=6, vdim=7),
        lambda t, m, q, k, v: m(q, k, v), (L, N, E), (S, N, 6), (S, N, 7),
    ),
    "one sequence": _module(
        lambda t: t.nn.MultiheadAttention(E, 2), lambda t, m, x: m(x, x, x), (L, E)
    ),
    "encoder": _module(
        lambda t: t.nn.TransformerEncoder(
            t.nn.TransformerEncoderLayer(E, 2, 16), 2, t.nn.LayerNorm(E)
        ),
        lambda t, m, x: m(x, src_key_padding_mask=_padding(t, L, 3)), (L, N, E),
    ),
    "encoder, norm first": _module(
        lambda t: t.nn.TransformerEncoder(
            t.nn.TransformerEncoderLayer(
                E, 2, 16, activation="gelu", norm_first=True, batch_first=True, bias=False
            ),
            2,
        ),
        lambda t, m, x: m(x, t.nn.Transformer.generate_square_subsequent_mask(L)), (N, L, E),
    ),
    "decoder": _module(
        lambda t: t.nn.TransformerDecoder(t.nn.TransformerDecoderLayer(E, 2, 16), 2),
        lambda t, m, x, y: m(x, y, t.nn.Transformer.generate_square_subsequent_mask(L)),
        (L, N, E), (S, N, E),
    ),
    "transformer": _module(
        lambda t: t.nn.Transformer(E, 2, 1, 2, 16),
        lambda t, m, src, tgt: m(
            src, tgt, tgt_mask=m.generate_square_subsequent_mask(L),
            src_key_padding_mask=_padding(t, S, 3), memory_key_padding_mask=_padding(t, S, 3),
        ),
        (S, N, E), (L, N, E),
    ),
    "transformer, batch first": _module(
        lambda t: t.nn.Transformer(
            E, 4, 1, 1, 16, dropout=0.0, batch_first=True, norm_first=True, activation=t.tanh
        ).eval(),
        lambda t, m, src, tgt: m(src, tgt), (N, S, E), (N, L, E),
    ),
}  # fmt: skip


def run(library: Any, name: str) -> tuple[list[Any], list[Any]]:
    """The results of a case, and the gradients of a sum of them."""
    library.manual_seed(SEED)
    results, leaves = CASES[name](library)
    total = 0
    for result in results:
        shape = tuple(result.shape)
        weights = np.cos(np.arange(math.prod(shape))).astype(np.float32).reshape(shape)
        total = total + (result * library.from_numpy(weights)).sum()
    total.backward()  # type: ignore[attr-defined]
    return results, [leaf.grad for leaf in leaves]


def numbers(library: Any, name: str) -> list[float]:
    """A case's results and gradients, each as one number, and the generator's next number."""
    results, gradients = run(library, name)
    arrays = [t.detach().numpy().astype(np.float64) for t in (*results, *gradients)]
    found = [float(a.reshape(-1) @ np.cos(np.arange(a.size))) for a in arrays]
    return [*found, float(library.rand(1))]


if __name__ == "__main__":
    import torch

    warnings.simplefilter("ignore")
    lines = (f"{json.dumps(name)}: {json.dumps(numbers(torch, name))}" for name in CASES)
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
