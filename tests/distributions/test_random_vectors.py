"""Normal vectors, random covariances and correlations: PyTorch's numbers, and the theory's."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import flambeau as torch
import flambeau.distributions as ours
from tests.distributions.agreement import agree_expanded, agree_in_gradients, samples_that_agree

LOC = [0.5, -1.0, 2.0]
ROOT = [[1.5, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.4, 0.2, 1.1]]
WIDE = [[0.5, 1.0], [-0.2, 0.3], [0.7, -0.6]]
SPREAD = [0.5, 1.0, 2.0]


def _covariance(t: Any, root: Any) -> Any:
    return root @ root.mT


FAMILIES: dict[str, Any] = {
    "normal": lambda t, d, m, r, w, s: d.MultivariateNormal(m, scale_tril=r),
    "normal of covariance": lambda t, d, m, r, w, s: d.MultivariateNormal(m, r @ r.mT),
    "normal of precision": lambda t, d, m, r, w, s: d.MultivariateNormal(
        m, precision_matrix=r @ r.mT
    ),
    "batch of normals": lambda t, d, m, r, w, s: d.MultivariateNormal(
        t.stack([m, 2 * m]).unsqueeze(1), scale_tril=t.stack([r, 2 * r, 3 * r])
    ),
    "low rank": lambda t, d, m, r, w, s: d.LowRankMultivariateNormal(m, w, s),
    "batch of low rank": lambda t, d, m, r, w, s: d.LowRankMultivariateNormal(
        m, t.stack([w, 2 * w]), s
    ),
    "Wishart": lambda t, d, m, r, w, s: d.Wishart(t.tensor(5.0, dtype=t.float64), scale_tril=r),
    "Wishart of a number": lambda t, d, m, r, w, s: d.Wishart(4.5, r @ r.mT),
    "batch of Wisharts": lambda t, d, m, r, w, s: d.Wishart(s + 4, precision_matrix=r @ r.mT),
    "LKJ": lambda t, d, m, r, w, s: d.LKJCholesky(3, s[1]),
    "batch of LKJ": lambda t, d, m, r, w, s: d.LKJCholesky(4, s),
}


def _made(t: Any, d: Any, name: str) -> tuple[list[Any], Any]:
    leaves = [
        t.tensor(values, dtype=t.float64, requires_grad=True)
        for values in (LOC, ROOT, WIDE, SPREAD)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return leaves, FAMILIES[name](t, d, *leaves)


def _close(found: Any, wanted: Any, what: str) -> None:
    found, wanted = np.asarray(found.detach()), np.asarray(wanted.detach())
    assert found.shape == wanted.shape, what
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9, err_msg=what)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.filterwarnings("ignore:Singular sample detected")
def test_a_family_is_pytorchs(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    leaves, mine = _made(torch, ours, name)
    their_leaves, theirs = _made(pytorch, pytorch.distributions, name)
    value, wanted = samples_that_agree(pytorch, mine, theirs, _close)
    names = ("mean", "variance", "mode", "covariance_matrix", "precision_matrix", "scale_tril")
    for attribute in names if "LKJ" not in name else ():
        _close(getattr(mine, attribute), getattr(theirs, attribute), attribute)
    if "LKJ" not in name:
        _close(mine.entropy(), theirs.entropy(), "entropy")
    agree_expanded(mine, theirs, value, wanted, _close)
    agree_in_gradients(mine, theirs, leaves, their_leaves, value, wanted, _close)


PAIRS = [
    ("normal", "normal of covariance"), ("low rank", "batch of low rank"),
    ("normal of precision", "low rank"), ("batch of low rank", "normal"),
    ("Wishart", "Wishart of a number"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_divergences_are_the_mean_difference_of_log_densities(first: str, second: str) -> None:
    torch.manual_seed(0)
    (_, p), (_, q) = _made(torch, ours, first), _made(torch, ours, second)
    found = ours.kl_divergence(p, q)
    assert ours.kl_divergence(p, p).abs().max() < 1e-10
    drawn = p.sample((8000, 1))
    with torch.no_grad():
        mean = (p.log_prob(drawn) - q.log_prob(drawn)).mean(0).reshape(found.shape)
    np.testing.assert_allclose(found.detach().numpy(), mean.numpy(), rtol=0.12, atol=0.05)
    try:
        import torch as pytorch
    except ImportError:
        return
    (_, p), (_, q) = (_made(pytorch, pytorch.distributions, n) for n in (first, second))
    _close(found, pytorch.distributions.kl_divergence(p, q), "divergence")


def test_a_density_by_hand() -> None:
    normal = ours.MultivariateNormal(torch.zeros(2), torch.diag(torch.tensor([4.0, 9.0])))
    found = normal.log_prob(torch.tensor([2.0, 3.0])).item()
    assert found == pytest.approx(-1.0 - math.log(2 * math.pi * 6), rel=1e-6)


def test_samples_have_the_distributions_moments() -> None:
    torch.manual_seed(1)
    for name in ("normal", "low rank"):
        _, d = _made(torch, ours, name)
        drawn = d.sample((20000,))
        np.testing.assert_allclose(drawn.mean(0), d.mean.detach(), atol=0.06)
        np.testing.assert_allclose(torch.cov(drawn.T), d.covariance_matrix.detach(), atol=0.15)
    _, d = _made(torch, ours, "Wishart")
    drawn = d.sample((4000,))
    np.testing.assert_allclose(drawn.mean(0), d.mean.detach(), rtol=0.2, atol=0.25)
    factor = ours.LKJCholesky(3, 2.0).sample((100,))
    np.testing.assert_allclose((factor @ factor.mT).diagonal(0, -2, -1), 1.0, rtol=1e-5)
    assert (factor.triu(1) == 0).all()


def test_samples_have_gradients() -> None:
    (loc, root, wide, spread), d = _made(torch, ours, "normal")
    torch.manual_seed(3)
    d.rsample((5,)).sum().backward()
    np.testing.assert_allclose(loc.grad, 5.0)
    assert root.grad.abs().sum() > 0 and not root.grad.triu(1).numpy()[0, 0]


WRONG: list[Any] = [
    (lambda d, t: d.MultivariateNormal(t.tensor(0.0), t.eye(1)), "loc must be at least one"),
    (lambda d, t: d.MultivariateNormal(t.zeros(2)), "Exactly one of covariance_matrix"),
    (lambda d, t: d.MultivariateNormal(t.zeros(2), t.zeros(2)), "must be at least two-dim"),
    (lambda d, t: d.MultivariateNormal(t.zeros(2), -t.eye(2)), "PositiveDefinite"),
    (lambda d, t: d.MultivariateNormal(t.zeros(2), scale_tril=t.ones(2, 2)), "LowerCholesky"),
    (lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(3, 1), t.ones(2)), "2 x m"),
    (lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(3)), "vectors with"),
    (lambda d, t: d.Wishart(0.5, t.eye(2)), "expected to be greater than ndim - 1 = 1"),
    (lambda d, t: d.LKJCholesky(1), "greater than or equal to 2. Found dim=1"),
    (lambda d, t: d.LKJCholesky(2, -1.0), "GreaterThan"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_wrong_parameters_are_refused(wrong: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong(ours, torch)
    try:
        import torch as pytorch
    except ImportError:
        return
    with pytest.raises(ValueError, match=words):
        wrong(pytorch.distributions, pytorch)
