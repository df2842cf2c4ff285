"""Attention and transformers beside PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

L, S, N, E = 4, 5, 3, 8


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def both(build: Any, call: Any, *shapes: tuple[int, ...]) -> None:
    """The same seed, the same inputs: the same results, gradients and generator."""
    found = []
    for library in (flambeau, torch):
        library.manual_seed(5)
        module = build(library)
        inputs = [library.from_numpy(a).requires_grad_() for a in arrays(*shapes)]
        result = call(library, module, *inputs)
        results = [r for r in (result if isinstance(result, tuple) else (result,)) if r is not None]
        sum((r * r).sum() for r in results).backward()
        gradients = [x.grad for x in inputs] + [p.grad for p in module.parameters()]
        found.append(
            (
                [r.detach().numpy() for r in results],
                [None if g is None else g.numpy() for g in gradients],
                library.get_rng_state().numpy(),
                repr(module),
                list(module.state_dict()),
                [list(vars(m)) for m in module.modules()],
            )
        )
    ours, theirs = found
    for a, b in zip(ours[0] + ours[1], theirs[0] + theirs[1], strict=True):
        if b is None:
            assert a is None
        else:
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    assert (ours[2] == theirs[2]).all()
    assert ours[3:] == theirs[3:]


@pytest.mark.parametrize(
    "options",
    [
        {}, {"bias": False}, {"dropout": 0.3}, {"add_zero_attn": True}, {"add_bias_kv": True},
        {"batch_first": True},
    ],
    ids=str,
)  # fmt: skip
def test_self_attention(options: dict[str, Any]) -> None:
    both(
        lambda t: t.nn.MultiheadAttention(E, 2, **options),
        lambda t, m, x: m(x, x, x),
        (N, L, E),
    )


@pytest.mark.parametrize("weights", [True, False])
def test_attention_to_another_sequence(weights: bool) -> None:
    both(
        lambda t: t.nn.MultiheadAttention(E, 4, kdim=6, vdim=7),
        lambda t, m, q, k, v: m(q, k, v, need_weights=weights, average_attn_weights=False),
        (L, N, E), (S, N, 6), (S, N, 7),
    )  # fmt: skip
    both(
        lambda t: t.nn.MultiheadAttention(E, 4),
        lambda t, m, q, k: m(q, k, k, need_weights=weights),
        (L, N, E), (S, N, E),
    )  # fmt: skip


def test_masks() -> None:
    def call(t: Any, m: Any, x: Any) -> Any:
        padding = t.zeros(N, L, dtype=t.bool)
        padding[0, -1] = True
        mask = t.nn.Transformer.generate_square_subsequent_mask(L)
        return m(x, x, x, key_padding_mask=padding, attn_mask=mask)

    both(lambda t: t.nn.MultiheadAttention(E, 2), call, (L, N, E))


def test_one_sequence() -> None:
    both(lambda t: t.nn.MultiheadAttention(E, 2), lambda t, m, x: m(x, x, x), (L, E))


@pytest.mark.parametrize(
    "options",
    [{}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False}],
    ids=str,
)
def test_encoder_and_decoder(options: dict[str, Any]) -> None:
    both(
        lambda t: t.nn.TransformerEncoder(
            t.nn.TransformerEncoderLayer(E, 2, 16, **options), 2, t.nn.LayerNorm(E)
        ),
        lambda t, m, x: m(x),
        (L, N, E),
    )
    both(
        lambda t: t.nn.TransformerDecoder(t.nn.TransformerDecoderLayer(E, 2, 16, **options), 2),
        lambda t, m, x, y: m(x, y),
        (L, N, E), (L, N, E),
    )  # fmt: skip


def test_whole_transformer() -> None:
    def call(t: Any, m: Any, src: Any, tgt: Any) -> Any:
        mask = m.generate_square_subsequent_mask(L)
        padding = t.zeros(N, S, dtype=t.bool)
        padding[1, 3:] = True
        return m(
            src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
        )

    both(lambda t: t.nn.Transformer(E, 2, 1, 2, 16), call, (S, N, E), (L, N, E))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_scaled_dot_product_attention(causal: bool, scale: float | None) -> None:
    results = []
    for library in (flambeau, torch):
        q, k, v = (library.from_numpy(a) for a in arrays((2, 3, L, E), (2, 3, S, E), (2, 3, S, 6)))
        f = library.nn.functional.scaled_dot_product_attention
        mask = library.ones(L, S, dtype=library.bool).tril()
        results.append(
            [
                f(q, k, v, is_causal=causal, scale=scale).numpy(),
                f(q, k, v, attn_mask=mask).numpy(),
                f(q, k, v, attn_mask=mask.float() * 2).numpy(),
                f(q, k[:, :1], v[:, :1], enable_gqa=True).numpy(),
            ]
        )
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_row_that_sees_nothing_is_zero() -> None:
    q = flambeau.ones(1, 2, 4)
    mask = flambeau.tensor([[True, True], [False, False]])
    f = flambeau.nn.functional.scaled_dot_product_attention
    assert f(q, q, q, attn_mask=mask).tolist() == [[[1.0] * 4, [0.0] * 4]]


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.nn.MultiheadAttention(7, 2),
        lambda t: t.nn.MultiheadAttention(0, 2),
        lambda t: t.nn.MultiheadAttention(8, 2)(*[t.zeros(5, 3, 4)] * 3),
        lambda t: t.nn.MultiheadAttention(8, 2)(
            t.zeros(5, 3, 8), t.zeros(2, 3, 8), t.zeros(5, 3, 8)
        ),
        lambda t: t.nn.MultiheadAttention(8, 2)(*[t.zeros(8)] * 3),
        lambda t: t.nn.MultiheadAttention(8, 2)(*[t.zeros(5, 3, 8)] * 3, attn_mask=t.zeros(2, 2)),
        lambda t: t.nn.MultiheadAttention(8, 2)(*[t.zeros(5, 3, 8)] * 3, is_causal=True),
        lambda t: t.nn.Transformer(8, 2, 1, 1, 8)(t.zeros(4, 2, 8), t.zeros(4, 3, 8)),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, activation="no"),
    ],
)
def test_refusals_say_pytorchs_words(call: Any) -> None:
    messages = []
    for library in (torch, flambeau):
        with pytest.raises((RuntimeError, ValueError, AssertionError)) as caught:
            call(library)
        messages.append((caught.type, str(caught.value)))
    assert messages[1][0] is messages[0][0]
    assert messages[1][1].startswith(messages[0][1])


def test_infinity_is_what_masks() -> None:
    mask = flambeau.nn.Transformer.generate_square_subsequent_mask(2)
    assert mask.tolist() == [[0.0, -math.inf], [0.0, 0.0]]
