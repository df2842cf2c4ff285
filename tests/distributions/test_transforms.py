"""Transforms and the registry that finds them for a constraint, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau

TRANSFORMS: dict[str, Any] = {
    "Abs": lambda t, d: d.AbsTransform(),
    "Affine": lambda t, d: d.AffineTransform(1.0, -2.0),
    "Exp": lambda t, d: d.ExpTransform(),
    "Power": lambda t, d: d.ComposeTransform([d.ExpTransform(), d.PowerTransform(t.tensor(2.0))]),
    "Sigmoid": lambda t, d: d.SigmoidTransform(),
    "Tanh": lambda t, d: d.TanhTransform(),
    "Softplus": lambda t, d: d.SoftplusTransform(),
    "Softmax": lambda t, d: d.SoftmaxTransform(),
    "StickBreaking": lambda t, d: d.StickBreakingTransform(),
    "Independent": lambda t, d: d.IndependentTransform(d.ExpTransform(), 1),
    "Reshape": lambda t, d: d.ReshapeTransform((6,), (2, 3)),
    "Cat": lambda t, d: d.CatTransform([d.ExpTransform(), d.TanhTransform()], 1, [2, 4]),
    "Stack": lambda t, d: d.StackTransform([d.ExpTransform(), d.TanhTransform()], 0),
    "CorrCholesky": lambda t, d: d.CorrCholeskyTransform(),
    "CumulativeDistribution": lambda t, d: d.CumulativeDistributionTransform(d.Normal(0.0, 2.0)),
    "inverse": lambda t, d: d.TanhTransform().inv.inv,
}
INPUT = np.linspace(-1.2, 1.5, 12, dtype=np.float64).reshape(2, 6)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_is_pytorchs(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    found: list[list[Any]] = []
    for t, d in ((flambeau, flambeau.distributions), (pytorch, pytorch.distributions)):
        transform = TRANSFORMS[name](t, d)
        x = t.tensor(INPUT, requires_grad=True)
        y = transform(x)
        results = [y, transform.inv(y.detach())]
        try:
            jacobian = transform.log_abs_det_jacobian(x, y)
            results += [jacobian, t.autograd.grad(jacobian.sum() + y.sum(), x)[0]]
        except NotImplementedError:
            pass
        shape = tuple(transform.forward_shape(tuple(x.shape)))
        assert shape == tuple(y.shape)
        found.append([np.asarray(r.detach()) for r in results])
    assert len(found[0]) == len(found[1])
    for mine, theirs in zip(*found):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


CONSTRAINTS: dict[str, Any] = {
    "real": lambda c: c.real,
    "positive": lambda c: c.positive,
    "nonnegative": lambda c: c.nonnegative,
    "less_than": lambda c: c.less_than(2.0),
    "unit_interval": lambda c: c.unit_interval,
    "interval": lambda c: c.interval(-1.0, 3.0),
    "half_open_interval": lambda c: c.half_open_interval(0.0, 2.0),
    "simplex": lambda c: c.simplex,
    "real_vector": lambda c: c.real_vector,
    "corr_cholesky": lambda c: c.corr_cholesky,
    "cat": lambda c: c.cat([c.positive, c.real], 1, [2, 4]),
    "stack": lambda c: c.stack([c.positive, c.real], 0),
    "boolean": lambda c: c.boolean,
}


@pytest.mark.parametrize("registry", ["transform_to", "biject_to"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_registry_finds_pytorchs_transform(name: str, registry: str) -> None:
    pytorch = pytest.importorskip("torch")
    found: list[Any] = []
    for t in (flambeau, pytorch):
        constraint = CONSTRAINTS[name](t.distributions.constraints)
        try:
            transform = getattr(t.distributions, registry)(constraint)
        except NotImplementedError as error:
            found.append(str(error).replace("_Boolean", "Boolean"))
            continue
        y = transform(t.tensor(INPUT))
        assert bool(constraint.check(y).all())
        found.append(np.asarray(y))
    if isinstance(found[1], str):
        assert isinstance(found[0], str)
    else:
        np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_positive_definite_matrices_come_back() -> None:
    transform = flambeau.distributions.transform_to(
        flambeau.distributions.constraints.positive_definite
    )
    x = flambeau.tensor([[0.3, 0.0], [1.2, -0.4]], dtype=flambeau.float64)
    y = transform(x)
    assert bool(flambeau.distributions.constraints.positive_definite.check(y))
    np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), atol=1e-12)


def test_a_kept_pair_is_not_computed_again() -> None:
    transform = flambeau.distributions.TanhTransform(cache_size=1)
    x = flambeau.tensor([20.0])  # whose tanh is 1, which has no inverse
    y = transform(x)
    assert transform.inv(y) is x
    assert flambeau.distributions.TanhTransform().inv(y).isinf().all()


def test_a_transform_of_ones_own_defines_call_and_inverse() -> None:
    class Cube(flambeau.distributions.Transform):
        bijective = True

        def _call(self, x: Any) -> Any:
            return x**3

        def _inverse(self, y: Any) -> Any:
            return y.sign() * y.abs().pow(1 / 3)

    x = flambeau.tensor([-2.0, 0.5])
    np.testing.assert_allclose(Cube().inv(Cube()(x)).numpy(), x.numpy(), rtol=1e-6)


def test_a_coupling_of_ones_own_takes_whole_vectors_by_its_domain() -> None:
    d = flambeau.distributions

    class Coupling(d.Transform):
        domain = codomain = d.constraints.real_vector
        bijective = True

        def _call(self, x: Any) -> Any:
            return flambeau.stack([x[..., 0], x[..., 1] * (2 * x[..., 0]).exp()], -1)

        def _inverse(self, y: Any) -> Any:
            return flambeau.stack([y[..., 0], y[..., 1] * (-2 * y[..., 0]).exp()], -1)

        def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
            return 2 * x[..., 0]

    normal = d.MultivariateNormal(flambeau.zeros(2), flambeau.eye(2))
    flow = d.TransformedDistribution(normal, [Coupling(), Coupling(), d.AffineTransform(0.0, 3.0)])
    value = flambeau.tensor([[0.3, 3.0], [-0.9, 0.6]])
    first = value[:, 0] / 3
    base = flambeau.stack([first, value[:, 1] / 3 * (-4 * first).exp()], -1)
    expected = normal.log_prob(base) - 4 * first - 2 * np.log(3.0)
    np.testing.assert_allclose(flow.log_prob(value), expected, rtol=1e-6)


DISTRIBUTIONS: dict[str, Any] = {
    "dims of the transform": lambda t, d: (
        d.Normal(t.zeros(4, 3), 1.0), d.StickBreakingTransform()),
    "reshape": lambda t, d: (d.Normal(t.zeros(2, 6), 1.0), d.ReshapeTransform((6,), (2, 3))),
    "matrix of a vector": lambda t, d: (d.Normal(t.zeros(2, 3), 1.0), d.CorrCholeskyTransform()),
    "batch of the transform": lambda t, d: (
        d.Normal(0.0, 1.0), d.AffineTransform(t.zeros(3), t.arange(1.0, 4.0))),
    "power of a batch": lambda t, d: (
        d.Exponential(t.ones(1)), d.PowerTransform(t.tensor([0.5, 2.0]))),
    "one after the other": lambda t, d: (
        d.Normal(t.zeros(2, 6), 1.0),
        [d.ExpTransform(), d.ReshapeTransform((6,), (2, 3)), d.AffineTransform(1.0, 2.0)]),
    "composed": lambda t, d: (
        d.Normal(t.zeros(2, 3), 1.0),
        d.ComposeTransform([d.AffineTransform(1.0, 2.0), d.StickBreakingTransform()], 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_shapes_and_densities_follow_domains_and_codomains(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    found: list[list[Any]] = []
    for t, d in ((flambeau, flambeau.distributions), (pytorch, pytorch.distributions)):
        t.manual_seed(0)
        made = d.TransformedDistribution(*DISTRIBUTIONS[name](t, d))
        wide = made.expand((5, *made.batch_shape))
        value = made.sample((2,))
        facts = [tuple(made.batch_shape), tuple(made.event_shape), tuple(wide.batch_shape)]
        facts += [tuple(wide.event_shape), tuple(made.base_dist.event_shape)]
        found.append([facts, value, made.log_prob(value), wide.log_prob(wide.sample())])
    assert found[0][0] == found[1][0]
    for mine, theirs in zip(found[0][1:], found[1][1:]):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_base_of_too_few_dims_is_refused() -> None:
    d = flambeau.distributions
    with pytest.raises(ValueError, match="shape with size at least 1, but got"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform())
    with pytest.raises(ValueError, match="codomain.event_dim"):
        _ = d.ReshapeTransform((6,), (2, 3)).event_dim


def test_a_family_of_ones_own_has_an_entropy_from_its_normalizer() -> None:
    class Mine(flambeau.distributions.ExponentialFamily):
        """The exponential distribution."""

        def __init__(self, rate: Any) -> None:
            self.rate = rate
            super().__init__(rate.shape)

        @property
        def _natural_params(self) -> tuple[Any]:
            return (-self.rate,)

        def _log_normalizer(self, x: Any) -> Any:
            return -(-x).log()

        _mean_carrier_measure = 0  # type: ignore[assignment]

    rate = flambeau.tensor([0.5, 2.0])
    wanted = flambeau.distributions.Exponential(rate).entropy()
    np.testing.assert_allclose(Mine(rate).entropy().detach().numpy(), wanted.numpy(), rtol=1e-6)


def test_bounds_of_a_constraint_are_given_by_position_or_by_name() -> None:
    constraints = flambeau.distributions.constraints
    by_name = constraints.interval(lower_bound=0, upper_bound=1)
    assert by_name == constraints.interval(0, 1) == constraints.interval(0, upper_bound=1)
    assert repr(by_name) == "Interval(lower_bound=0, upper_bound=1)"
    for wrong in ({}, {"lower_bound": 0}, {"upper_bound": 1, "least": 0}):
        with pytest.raises(TypeError, match="Interval takes lower_bound and upper_bound"):
            constraints.interval(**wrong)
    with pytest.raises(TypeError, match="LessThan takes upper_bound"):
        constraints.less_than(0, upper_bound=0)
