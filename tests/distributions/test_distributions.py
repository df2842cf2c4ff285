"""Every family against PyTorch: samples from the same seed, densities, moments, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
import flambeau.distributions as ours
from tests.distributions.agreement import agree_expanded, agree_in_gradients, samples_that_agree

A, B, C = [0.3, 1.5, 2.5], [1.2, 0.7, 3.0], [0.2, 0.5, 0.9]


def _t(t: Any, values: Any) -> Any:
    return t.tensor(values)


FAMILIES: dict[str, Any] = {
    "Normal": lambda t, d, x, y, p: d.Normal(x, y),
    "Normal of numbers": lambda t, d, x, y, p: d.Normal(0.5, 2.0),
    "Laplace": lambda t, d, x, y, p: d.Laplace(x, y),
    "Cauchy": lambda t, d, x, y, p: d.Cauchy(x, y),
    "Gumbel": lambda t, d, x, y, p: d.Gumbel(x, y),
    "Uniform": lambda t, d, x, y, p: d.Uniform(x, x + y),
    "Exponential": lambda t, d, x, y, p: d.Exponential(x),
    "HalfNormal": lambda t, d, x, y, p: d.HalfNormal(x),
    "HalfCauchy": lambda t, d, x, y, p: d.HalfCauchy(x),
    "LogNormal": lambda t, d, x, y, p: d.LogNormal(x, y),
    "Gamma": lambda t, d, x, y, p: d.Gamma(x, y),
    "Chi2": lambda t, d, x, y, p: d.Chi2(x),
    "Beta": lambda t, d, x, y, p: d.Beta(x, y),
    "Dirichlet": lambda t, d, x, y, p: d.Dirichlet(x),
    "StudentT": lambda t, d, x, y, p: d.StudentT(y + 4, x, y),
    "FisherSnedecor": lambda t, d, x, y, p: d.FisherSnedecor(y, x + 5),
    "Bernoulli": lambda t, d, x, y, p: d.Bernoulli(p),
    "Bernoulli of logits": lambda t, d, x, y, p: d.Bernoulli(logits=x - 1),
    "Geometric": lambda t, d, x, y, p: d.Geometric(p),
    "Binomial": lambda t, d, x, y, p: d.Binomial(20, p),
    "Poisson": lambda t, d, x, y, p: d.Poisson(x * 5),
    "Categorical": lambda t, d, x, y, p: d.Categorical(x),
    "Categorical of logits": lambda t, d, x, y, p: d.Categorical(logits=x),
    "OneHotCategorical": lambda t, d, x, y, p: d.OneHotCategorical(x),
    "Multinomial": lambda t, d, x, y, p: d.Multinomial(10, x),
    "Independent": lambda t, d, x, y, p: d.Independent(d.Normal(x, y), 1),
    "Transformed": lambda t, d, x, y, p: d.TransformedDistribution(
        d.Normal(x, y), [d.SigmoidTransform(), d.AffineTransform(1.0, -2.0)]
    ),
    "StickBreaking": lambda t, d, x, y, p: d.TransformedDistribution(
        d.Normal(x, y), [d.StickBreakingTransform()]
    ),
    "Tanh": lambda t, d, x, y, p: d.TransformedDistribution(d.Normal(x, y), d.TanhTransform()),
    "Weibull": lambda t, d, x, y, p: d.Weibull(x, y),
    "Pareto": lambda t, d, x, y, p: d.Pareto(x, y + 2),
    "InverseGamma": lambda t, d, x, y, p: d.InverseGamma(x + 2, y),
    "LogisticNormal": lambda t, d, x, y, p: d.LogisticNormal(x, y),
    "NegativeBinomial": lambda t, d, x, y, p: d.NegativeBinomial(y * 4, p),
    "NegativeBinomial of logits": lambda t, d, x, y, p: d.NegativeBinomial(5, logits=x - 1),
    "ContinuousBernoulli": lambda t, d, x, y, p: d.ContinuousBernoulli(p),
    "ContinuousBernoulli of logits": lambda t, d, x, y, p: d.ContinuousBernoulli(logits=x),
    "GeneralizedPareto": lambda t, d, x, y, p: d.GeneralizedPareto(x, y, p - 0.3),
    "VonMises": lambda t, d, x, y, p: d.VonMises(x, y * 2),
    "RelaxedBernoulli": lambda t, d, x, y, p: d.RelaxedBernoulli(t.tensor(0.7), p),
    "RelaxedOneHotCategorical": lambda t, d, x, y, p: d.RelaxedOneHotCategorical(t.tensor(0.7), p),
    "Mixture": lambda t, d, x, y, p: d.MixtureSameFamily(d.Categorical(x), d.Normal(x, y)),
}


def _close(found: Any, wanted: Any, what: str, rtol: float = 2e-5) -> None:
    found, wanted = np.asarray(found.detach()), np.asarray(wanted.detach())
    assert found.shape == wanted.shape, what
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=2e-6, err_msg=what)


def _made(t: Any, d: Any, name: str) -> tuple[list[Any], Any]:
    leaves = [t.tensor(values, requires_grad=True) for values in (A, B, C)]
    return leaves, FAMILIES[name](t, d, *leaves)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_pytorchs(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    leaves, mine = _made(torch, ours, name)
    their_leaves, theirs = _made(pytorch, pytorch.distributions, name)
    value, wanted = samples_that_agree(pytorch, mine, theirs, _close)
    for property_ in ("mean", "variance", "mode", "stddev"):
        _same_or_both_refused(mine, theirs, property_, None)
    for method in ("entropy", "perplexity", "enumerate_support"):
        _same_or_both_refused(mine, theirs, method, ())
    if name not in ("Mixture",):
        agree_expanded(mine, theirs, value, wanted, _close)
    if name not in ("Categorical", "OneHotCategorical", "Multinomial", "Gamma", "Chi2", "Beta"):
        _same_or_both_refused(mine, theirs, "cdf", (value,), (wanted,))
    if name == "Normal of numbers":
        return
    agree_in_gradients(mine, theirs, leaves, their_leaves, value, wanted, _close, 1e-4)


def _same_or_both_refused(
    mine: Any, theirs: Any, name: str, arguments: Any, their_arguments: Any = None
) -> None:
    def get(distribution: Any, given: Any) -> Any:
        found = getattr(distribution, name)
        return found if given is None else found(*given)

    try:
        wanted = get(theirs, their_arguments or arguments)
    except NotImplementedError:
        return
    _close(get(mine, arguments), wanted, name, 1e-4)


@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in ("Mixture", "Gamma", "Chi2")])
def test_reparametrised_samples_have_pytorchs_gradients(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    leaves, mine = _made(torch, ours, name)
    their_leaves, theirs = _made(pytorch, pytorch.distributions, name)
    assert mine.has_rsample == theirs.has_rsample
    if not mine.has_rsample:
        return
    torch.manual_seed(2)
    pytorch.manual_seed(2)
    drawn, wanted = mine.rsample((3,)), theirs.rsample((3,))
    _close(drawn, wanted, "rsample")
    if not wanted.requires_grad:
        return
    (drawn**2).sum().backward()
    (wanted**2).sum().backward()
    for leaf, other in zip(leaves, their_leaves):
        if other.grad is not None:
            _close(leaf.grad, other.grad, "gradient of rsample", 5e-3)


KL = [
    "Normal", "Laplace", "Cauchy", "Exponential", "HalfNormal", "LogNormal", "Gamma", "Beta",
    "Dirichlet", "Bernoulli", "Geometric", "Binomial", "Poisson", "Categorical",
    "OneHotCategorical", "Independent",
]  # fmt: skip


@pytest.mark.parametrize("name", KL)
def test_divergences_are_pytorchs(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    found = []
    for t, d in ((torch, ours), (pytorch, pytorch.distributions)):
        x, y, p = t.tensor(A), t.tensor(B), t.tensor(C)
        first, second = FAMILIES[name](t, d, x, y, p), FAMILIES[name](t, d, y, x, p * 0.5)
        found.append(d.kl_divergence(first, second))
    _close(found[0], found[1], name)


PAIRED = (
    "Bernoulli", "Beta", "Binomial", "ContinuousBernoulli", "Exponential", "Gamma", "Gumbel",
    "Laplace", "Normal", "Pareto", "Poisson", "Uniform",
)  # fmt: skip


@pytest.mark.parametrize("q", [*PAIRED, "Unit"])
@pytest.mark.parametrize("p", [*PAIRED, "Unit"])
def test_divergences_between_families_are_pytorchs(p: str, q: str) -> None:
    pytorch = pytest.importorskip("torch")
    families = FAMILIES | {"Unit": lambda t, d, x, y, p: d.Uniform(p * 0.2, 1 - p * 0.1)}

    def made(t: Any, d: Any) -> Any:
        x, y, chance = t.tensor(A), t.tensor(B), t.tensor(C)
        first, second = families[p](t, d, x, y, chance), families[q](t, d, y, x, chance)
        try:
            return d.kl_divergence(first, second)
        except NotImplementedError:
            return None

    found, wanted = made(torch, ours), made(pytorch, pytorch.distributions)
    assert (found is None) == (wanted is None)
    if found is not None:
        _close(found, wanted, f"{p} to {q}", 1e-4)


def test_the_normal_distribution_by_hand() -> None:
    normal = ours.Normal(0.0, 1.0)
    assert normal.log_prob(torch.tensor(0.0)).item() == pytest.approx(-0.9189385)
    assert normal.cdf(torch.tensor(0.0)).item() == 0.5
    assert normal.entropy().item() == pytest.approx(1.4189385)
    assert repr(normal) == "Normal(loc: 0.0, scale: 1.0)"


def test_recorded_samples() -> None:
    torch.manual_seed(0)
    gammas = ours.Gamma(torch.tensor([0.5, 3.0]), torch.tensor(1.0)).sample((2,))
    assert gammas.shape == (2, 2)
    assert (gammas > 0).all()
    counts = ours.Poisson(torch.tensor([0.0, 2.0, 50.0])).sample((200,))
    assert counts[:, 0].sum() == 0
    assert 40 < counts[:, 2].mean().item() < 60


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.Normal(0.0, -1.0), r"Expected parameter scale \(Tensor of shape \(\)\)"),
        (lambda: ours.Normal(0.0, 1.0).log_prob(torch.tensor(float("nan"))), "within the support"),
        (lambda: ours.Categorical(), "Either `probs` or `logits` must be specified"),
        (lambda: ours.Categorical(torch.tensor(1.0)), "must be at least one-dimensional"),
        (lambda: ours.Normal(0.0, 1.0).log_prob(3), "argument to log_prob must be a Tensor"),
        (lambda: ours.Uniform(1.0, 0.0), "to satisfy the constraint LessThan"),
        (
            lambda: ours.Normal(torch.zeros(2), torch.ones(2)).log_prob(torch.zeros(3)),
            "Value is not broadcastable with batch_shape",
        ),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_divergence_can_be_registered() -> None:
    class Mine(ours.Normal):
        pass

    with pytest.raises(NotImplementedError, match="KL"):
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Poisson(1.0))
    ours.register_kl(Mine, Mine)(lambda p, q: torch.tensor(7.0))
    assert ours.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 7


def test_transforms_undo_themselves() -> None:
    x = torch.randn(2, 3)
    for transform in (
        ours.ExpTransform(), ours.SigmoidTransform(), ours.TanhTransform(),
        ours.AffineTransform(1.0, 2.0), ours.SoftplusTransform(), ours.StickBreakingTransform(),
        ours.ComposeTransform([ours.ExpTransform(), ours.PowerTransform(2.0)]),
    ):  # fmt: skip
        assert torch.allclose(transform.inv(transform(x)), x, atol=1e-3)
