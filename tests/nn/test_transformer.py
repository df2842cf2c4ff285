"""Attention and transformers: results, gradients, dropout and padding as PyTorch's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.autograd import gradcheck, gradgradcheck

from .attention_cases import CASES, FILE, numbers, run

RECORDED = json.loads(FILE.read_text())
nn = flambeau.nn
attention = nn.functional.scaled_dot_product_attention

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_case_is_recorded() -> None:
    assert set(CASES) == set(RECORDED), "run: python -m tests.nn.attention_cases"


@pytest.mark.parametrize("name", CASES)
def test_values_are_the_recorded_ones(name: str) -> None:
    assert numbers(flambeau, name) == pytest.approx(RECORDED[name], rel=2e-4, abs=5e-5)


@pytest.mark.parametrize("name", CASES)
def test_beside_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = run(flambeau, name), run(torch, name)
    for mine, other in zip(ours[0] + ours[1], theirs[0] + theirs[1], strict=True):
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=2e-4, atol=1e-5
        )
    assert (flambeau.get_rng_state().numpy() == torch.get_rng_state().numpy()).all()


# -- scaled dot-product attention -----------------------------------------------------------------


def test_attention_by_hand() -> None:
    q = flambeau.tensor([[1.0, 0.0]])
    k = flambeau.tensor([[1.0, 0.0], [0.0, 1.0]])
    v = flambeau.tensor([[1.0], [3.0]])
    first = np.exp(1 / np.sqrt(2)) / (np.exp(1 / np.sqrt(2)) + 1)
    assert float(attention(q, k, v)) == pytest.approx(first + 3 * (1 - first), rel=1e-6)


def test_derivatives_of_attention() -> None:
    options: dict[str, Any] = {"dtype": flambeau.float64, "requires_grad": True}
    q, k, v = (flambeau.randn(2, n, 3, **options) for n in (2, 3, 3))
    mask = flambeau.randn(2, 3, **options)
    assert gradcheck(lambda *a: attention(*a), (q, k, v, mask))
    assert gradgradcheck(lambda *a: attention(*a), (q, k, v, mask))
    assert gradgradcheck(lambda *a: attention(*a, is_causal=True), (q, k, v))


def test_a_row_that_sees_nothing_gives_zeros() -> None:
    x = flambeau.randn(3, 4, requires_grad=True)
    mask = flambeau.tensor([[True, False, False], [False] * 3, [True] * 3])
    added = flambeau.zeros(3, 3).masked_fill(~mask, -np.inf)
    for given in (mask, added):
        x.grad = None
        result = attention(x, x, x, given)
        assert result[1].abs().sum() == 0
        result.sum().backward()
        assert x.grad.isfinite().all()


def test_the_mask_and_causality_hold_together() -> None:
    x = flambeau.randn(3, 4)
    mask = flambeau.tensor([[True, True, True], [False, True, True], [True, False, True]])
    both = mask & flambeau.ones(3, 3, dtype=flambeau.bool).tril()
    assert flambeau.allclose(attention(x, x, x, mask, is_causal=True), attention(x, x, x, both))


def test_scores_that_would_overflow() -> None:
    q = flambeau.full((1, 2, 4), 100.0)
    result = attention(q, q, flambeau.tensor([[[1.0], [3.0]]]))
    assert flambeau.equal(result, flambeau.full((1, 2, 1), 2.0))


def test_the_result_may_be_overwritten() -> None:
    """Only where the backward pass does not need it: else it says so."""
    x = flambeau.randn(3, 4, requires_grad=True)
    result = attention(x, x, x)
    result.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_dtypes(dtype: str) -> None:
    wanted = getattr(flambeau, dtype)
    x = flambeau.randn(2, 3, 4)
    given = x.to(wanted).requires_grad_()
    result = attention(given, given, given, is_causal=True)
    assert result.dtype is wanted
    assert flambeau.allclose(result.float(), attention(x, x, x, is_causal=True), atol=2e-2)
    result.float().sum().backward()
    assert given.grad.dtype is wanted


WRONG_CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "dims": lambda t, f: f(t.zeros(2), t.zeros(2), t.zeros(2)),
    "dtypes": lambda t, f: f(t.zeros(2, 2), t.zeros(2, 2).double(), t.zeros(2, 2)),
    "integers": lambda t, f: f(*(t.zeros(1, 1, 2, 2, dtype=t.int32),) * 3),
    "integer mask": lambda t, f: f(*(t.zeros(2, 2),) * 3, t.zeros(2, 2, dtype=t.int32)),
    "mask": lambda t, f: f(*(t.zeros(2, 2),) * 3, t.zeros(3, 3)),
    "dropout": lambda t, f: f(*(t.zeros(2, 2),) * 3, dropout_p=1.5),
    "heads": lambda t, f: f(t.zeros(2, 4, 4, 5), t.zeros(2, 3, 6, 5), t.zeros(2, 3, 6, 5)),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_refusals_are_pytorchs(name: str) -> None:
    with pytest.raises(RuntimeError) as ours:
        WRONG_CALLS[name](flambeau, attention)
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as theirs:
        WRONG_CALLS[name](torch, torch.nn.functional.scaled_dot_product_attention)
    word = str(theirs.value).split(" at non-singleton")[0]
    assert word.rsplit("(", 1)[0] in str(ours.value)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(RuntimeError, match=r"equally wide.*\[4, 5\].*\[6, 4\]"):
        attention(flambeau.zeros(4, 5), flambeau.zeros(6, 4), flambeau.zeros(6, 5))
    with pytest.raises(RuntimeError, match="equally long"):
        attention(flambeau.zeros(4, 5), flambeau.zeros(6, 5), flambeau.zeros(7, 5))


# -- encoders -------------------------------------------------------------------------------------

ENCODERS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "with gradients": {"grad": True},
    "training": {"training": True},
    "mask": {"mask": True},
    "padding in front": {"front": True},
    "padding in front, not looked at": {"front": True, "encoder": {"mask_check": False}},
    "added mask": {"added": True},
    "no nested tensor": {"encoder": {"enable_nested_tensor": False}},
    "norm first": {"layer": {"norm_first": True}},
    "norm behind": {"norm": True},
}
"""When padding gives zeros: PyTorch's nested tensors leave it out."""


def encoded(t: Any, case: dict[str, Any]) -> np.ndarray:
    t.manual_seed(0)
    layer = t.nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, batch_first=True, **case.get("layer", {})
    )
    norm = t.nn.LayerNorm(8) if case.get("norm") else None
    encoder = t.nn.TransformerEncoder(layer, 2, norm, **case.get("encoder", {}))
    encoder.train(bool(case.get("training")))
    row = [True, False, False, True] if case.get("front") else [False, False, True, True]
    padding = t.tensor([[False] * 4, row])
    if case.get("added"):
        padding = t.zeros(2, 4).masked_fill(padding, -np.inf)
    mask = t.nn.Transformer.generate_square_subsequent_mask(4) if case.get("mask") else None
    x = t.from_numpy(np.random.default_rng(0).normal(size=(2, 4, 8)).astype(np.float32))
    with t.set_grad_enabled(bool(case.get("grad"))):
        return encoder(x, mask, padding).detach().numpy()


@pytest.mark.parametrize("name", ENCODERS)
def test_results_for_padding_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    case = ENCODERS[name]
    np.testing.assert_allclose(encoded(flambeau, case), encoded(torch, case), atol=2e-6)


def test_padding_gives_zeros_in_evaluation() -> None:
    assert not encoded(flambeau, {})[1, 2:].any()
    assert encoded(flambeau, {"grad": True})[1, 2:].any()


def test_later_elements_are_not_seen() -> None:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    x = flambeau.randn(2, 5, 8)
    changed = x.clone()
    changed[:, 3:] = 0
    assert flambeau.allclose(model(x, mask)[:, :3], model(changed, mask)[:, :3], atol=1e-6)
    assert not flambeau.allclose(model(x)[:, :3], model(changed)[:, :3], atol=1e-3)
