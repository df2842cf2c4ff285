"""Losses and creations that ``torch`` itself names, against PyTorch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import flambeau

A = np.linspace(-1.0, 1.5, 12, dtype=np.float32).reshape(3, 4)
B = np.linspace(0.9, 0.1, 12, dtype=np.float32).reshape(3, 4)

CALLS: dict[str, Any] = {
    "binary_cross_entropy_with_logits": lambda t, a, b: t.binary_cross_entropy_with_logits(a, b),
    "cosine_embedding_loss": lambda t, a, b: t.cosine_embedding_loss(a, b, t.ones(3), 0.1, 2),
    "hinge_embedding_loss": lambda t, a, b: t.hinge_embedding_loss(a, t.sign(a), 1.0, 0),
    "kl_div": lambda t, a, b: t.kl_div(a, b),
    "kl_div of logarithms": lambda t, a, b: t.kl_div(a, b, 0, log_target=True),
    "margin_ranking_loss": lambda t, a, b: t.margin_ranking_loss(a, b, t.ones(3, 4), 0.2, 1),
    "poisson_nll_loss": lambda t, a, b: t.poisson_nll_loss(a, b, True, True, 1e-8, 1),
    "triplet_margin_loss": lambda t, a, b: t.triplet_margin_loss(a, b, a + b, reduction=2),
    "ctc_loss": lambda t, a, b: t.ctc_loss(
        t.log_softmax(a, 1).reshape(3, 1, 4), t.tensor([[1, 2]]), [3], [2]
    ),
    "ctc_loss of real classes": lambda t, a, b: t.ctc_loss(
        t.log_softmax(a, 1).reshape(3, 1, 4), t.tensor([[1.7, 2.0]]), [3], [2]
    ),
    "histogram of 100 bins": lambda t, a, b: t.histogram(a).hist,
    "histogramdd": lambda t, a, b: t.histogramdd(a * a - b, 2).hist,
    "histogramdd, edges": lambda t, a, b: t.cat(t.histogramdd(a, [1, 2, 3, 4]).bin_edges),
    "histogramdd, densities": lambda t, a, b: (
        t.histogramdd(
            a[:, :2], [2, 3], range=[-1.0, 0.5, -1.0, 0.5], weight=b[:, 0], density=True
        ).hist
    ),
    "histogramdd of edges": lambda t, a, b: (
        t.histogramdd(a[:, :2], [t.tensor([-1.0, 0.0, 2.0]), t.tensor([-1.0, 0.5])]).hist
    ),
    "vander": lambda t, a, b: t.vander(a[0]),
    "vander, rising": lambda t, a, b: t.vander(b[1], 2, True),
    "vander of whole numbers": lambda t, a, b: t.vander(t.arange(4), N=3),
    "dropout_": lambda t, a, b: t.dropout_(a.clone(), 0.5, False),
    "nonzero_static": lambda t, a, b: t.nonzero_static(a > 0, size=3),
    "nonzero_static filled": lambda t, a, b: t.nonzero_static(a > 0, size=9, fill_value=-7),
    "range": lambda t, a, b: t.range(1, 4, 0.5),
    "functionalize": lambda t, a, b: t.func.functionalize(lambda x: x.clone().mul_(2))(a),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_name_gives_what_pytorchs_gives(name: str) -> None:
    reference = pytest.importorskip("torch")
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in (flambeau, reference):
            t.manual_seed(0)
            found.append(np.asarray(CALLS[name](t, t.tensor(A), t.tensor(B))))
    assert found[0].dtype == found[1].dtype and found[0].shape == found[1].shape
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "stride"), [((2, 3), (1, 2)), ((2, 3), (3, 1)), ((0, 3), (3, 1)), ((2, 3), (0, 1))]
)
def test_memory_lies_as_asked(size: Any, stride: Any) -> None:
    made = flambeau.empty_strided(size, stride)
    assert tuple(made.shape) == size
    assert 0 in size or made.stride() == stride


def test_dims_lie_in_the_order_asked() -> None:
    reference = pytest.importorskip("torch")
    for order in ((0, 2, 3, 1), (3, 2, 1, 0)):
        made = flambeau.empty_permuted((2, 3, 4, 5), order)
        assert made.stride() == reference.empty_permuted((2, 3, 4, 5), order).stride()


def test_functionalize_refuses_what_it_does_not_know() -> None:
    with pytest.raises(RuntimeError, match="received invalid argument for remove=x"):
        flambeau.func.functionalize(lambda x: x, remove="x")


def test_split_takes_the_names_of_function_and_method() -> None:
    x = flambeau.arange(10).reshape(2, 5)
    for parts in (
        x.split(split_size=[2, 3], dim=-1),
        flambeau.split(x, split_size_or_sections=[2, 3], dim=1),
        x.split([2, 3], 1),
    ):
        assert [p.tolist() for p in parts] == [[[0, 1], [5, 6]], [[2, 3, 4], [7, 8, 9]]]
    with pytest.raises(TypeError, match="split_size"):
        x.split(dim=1)
