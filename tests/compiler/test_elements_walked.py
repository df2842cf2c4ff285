"""Definitions that walk over elements, or draw as many numbers as it takes, are captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import distributions as D
from flambeau import nn
from flambeau.nn import functional as F

from .agreement import check

CALLS = 5


def agrees(function: Callable[..., Any], *make: Callable[[], torch.Tensor]) -> None:
    """``function`` of new tensors at each call, compiled and not, between other random numbers."""

    def program(compiled: Any, log: Any) -> None:
        def whole(*tensors: torch.Tensor) -> Any:
            return torch.rand(2), function(*tensors), torch.randn(3), torch.randperm(4)

        step = compiled(whole)
        for _ in range(CALLS):
            log(step(*[m() for m in make]))
            log(torch.rand(1))

    check(program)


def rows() -> torch.Tensor:
    return torch.randn(4, 6)


def shares() -> torch.Tensor:
    return torch.rand(4, 6) * 0.9 + 0.05


def whole_numbers() -> torch.Tensor:
    return torch.randint(1, 40, (4, 6))


def waves() -> torch.Tensor:
    return torch.stft(torch.randn(64), 16, window=torch.hann_window(16), return_complex=True)


@pytest.mark.parametrize(
    ("function", "make"),
    [
        (lambda p: torch.multinomial(p, 3), [shares]),
        (lambda p: torch.multinomial(p, 1), [shares]),
        (lambda p: torch.multinomial(p, 9, replacement=True), [shares]),
        (lambda p: torch.poisson(20 * p), [shares]),
        (lambda p: torch.binomial(torch.full((4, 6), 30.0), p), [shares]),
        (lambda x: F.rrelu(x, training=True), [rows]),
        (torch.mode, [whole_numbers]),
        (lambda x: torch.mode(x, 0, True), [whole_numbers]),
        (torch.gcd, [whole_numbers, whole_numbers]),
        (torch.lcm, [whole_numbers, whole_numbers]),
        (lambda x: torch.histc(x, 7), [rows]),
        (lambda x: torch.histc(x, 7, -1, 1), [rows]),
        (lambda x: torch.histogram(x, 5, range=(-1.0, 1.0), density=True), [rows]),
        (lambda x, w: torch.histogram(x, 5, weight=w), [rows, shares]),
        (lambda x: torch.histogram(x, torch.tensor([-1.0, 0.5, 1.0])), [rows]),
        (lambda x: torch.histogramdd(x[:, :2], [2, 3]), [rows]),
        (torch.hash_tensor, [rows]),
        (lambda x: torch.hash_tensor(x, dim=1), [whole_numbers]),
        (lambda s: torch.istft(s, 16, window=torch.hann_window(16)), [waves]),
        (lambda a, b: torch.linalg.lstsq(a, b).solution, [lambda: rows().T, lambda: rows().T]),
        (
            lambda a, b: torch.linalg.ldl_solve(*torch.linalg.ldl_factor(a @ a.T), b),
            [rows, rows],
        ),
        (lambda x, s: x.masked_scatter(x > 0, s), [rows, rows]),
        (lambda p: D.Categorical(probs=p).sample(), [shares]),
        (lambda p: D.Normal(p, p).rsample(), [shares]),
        (lambda p: D.Gamma(p, p).sample(), [shares]),
        (lambda p: D.Dirichlet(p).sample(), [shares]),
        (lambda p: D.Multinomial(5, p[0]).sample(), [shares]),
        (lambda p: D.VonMises(p, 4 * p).sample(), [shares]),
        (lambda x: D.MultivariateNormal(x[0], x @ x.T + 6 * torch.eye(6)).rsample(),
         [lambda: torch.randn(6, 6)]),
    ],
)  # fmt: skip
def test_functions_that_look_at_elements(
    function: Callable[..., Any], make: list[Callable[[], torch.Tensor]]
) -> None:
    agrees(function, *make)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("padding", [None, 2])
def test_bags_begin_where_the_call_says(mode: str, last: bool, padding: int | None) -> None:
    def program(compiled: Any, log: Any) -> None:
        bag = nn.EmbeddingBag(7, 3, mode=mode, include_last_offset=last, padding_idx=padding)
        opt = torch.optim.SGD(bag.parameters(), 0.5)

        @compiled
        def step(indices: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
            opt.zero_grad()
            loss = bag(indices, offsets).square().sum()
            loss.backward()
            opt.step()
            return loss

        for i in range(CALLS):
            offsets = torch.tensor([0, 2 + i % 2, 3, 3, 9] if last else [0, 2 + i % 2, 3, 3])
            log(step(torch.randint(7, (9,)), offsets), bag)

    check(program)


def test_weights_in_bags_have_gradients() -> None:
    def program(compiled: Any, log: Any) -> None:
        bag = nn.EmbeddingBag(7, 3, mode="sum")

        @compiled
        def step(
            indices: torch.Tensor, offsets: torch.Tensor, weights: torch.Tensor
        ) -> list[torch.Tensor]:
            bag.zero_grad()
            loss = bag(indices, offsets, weights).square().sum()
            return [loss, *torch.autograd.grad(loss, [weights, bag.weight])]

        for i in range(CALLS):
            weights = torch.rand(9, requires_grad=True)
            log(step(torch.randint(7, (9,)), torch.tensor([0, 4, 4 + i]), weights))

    check(program)


@pytest.mark.parametrize("joined", [False, True])
def test_lengths_of_sequences_are_tensors(joined: bool) -> None:
    def program(compiled: Any, log: Any) -> None:
        model = nn.Linear(4, 6)

        @compiled
        def step(
            x: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor, counts: torch.Tensor
        ) -> torch.Tensor:
            model.zero_grad()
            loss = F.ctc_loss(model(x).log_softmax(-1), targets, lengths, counts)
            loss.backward()
            return loss

        for i in range(CALLS):
            counts = torch.tensor([4, 3 - i % 3, 2 + i % 3])
            targets = torch.randint(1, 6, (9,) if joined else (3, 5))
            log(step(torch.randn(12, 3, 4), targets, torch.tensor([12, 10 - i, 9]), counts), model)

    check(program)


def test_a_target_longer_than_its_input_has_no_likelihood() -> None:
    def program(compiled: Any, log: Any) -> None:
        @compiled
        def step(x: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            lengths = torch.tensor([4, 4])
            return F.ctc_loss(x, targets, lengths, counts, reduction="none", zero_infinity=True)

        for i in range(CALLS):
            x = torch.randn(4, 2, 6).log_softmax(-1)
            log(step(x, torch.randint(1, 6, (2, 7)), torch.tensor([7 - i, 2])))

    check(program)


def test_gradients_of_what_is_walked_over() -> None:
    def program(compiled: Any, log: Any) -> None:
        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
            most = torch.mode(x.round(), 1).values.sum() + x.masked_scatter(x > 0, y).square().sum()
            gamma = D.Gamma(y.exp(), 1.0).rsample().sum() + F.rrelu(y, training=True).sum()
            return list(torch.autograd.grad(most + gamma, [x, y]))

        for _ in range(CALLS):
            log(step(rows().requires_grad_(), rows().requires_grad_()))

    pytest.importorskip("scipy")
    check(program)


def test_a_module_draws_between_its_passes() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = nn.Sequential(nn.Linear(6, 5), nn.RReLU(), nn.Dropout(0.5), nn.Linear(5, 1))
        forward = compiled(model)
        opt = torch.optim.Adam(model.parameters())
        for _ in range(6):
            opt.zero_grad()
            loss = forward(rows()).square().mean()
            loss.backward()
            opt.step()
            log(loss, model, torch.rand(1))

    check(program)


def test_what_is_drawn_is_drawn_though_nobody_looks() -> None:
    def sample(p: torch.Tensor) -> torch.Tensor:
        torch.poisson(p)
        return p * 2

    agrees(sample, shares)


def test_what_a_distribution_refuses_is_refused_at_each_call() -> None:
    @torch.compile(fullgraph=True)
    def sample(probs: torch.Tensor) -> torch.Tensor:
        return D.Bernoulli(probs).log_prob(torch.ones(3))

    for _ in range(5):
        sample(torch.rand(3))
    with pytest.raises(ValueError, match="probs"):
        sample(torch.tensor([0.5, 1.5, 0.1]))
    assert float(sample(torch.full((3,), 0.5)).sum()) == pytest.approx(3 * np.log(0.5))


def test_rates_and_weights_are_refused_at_each_call() -> None:
    @torch.compile(fullgraph=True)
    def sample(rates: torch.Tensor) -> torch.Tensor:
        return torch.poisson(rates) + torch.multinomial(rates, 2)[0]

    for _ in range(5):
        sample(torch.rand(3) + 0.1)
    with pytest.raises(RuntimeError, match="rate"):
        sample(torch.tensor([0.5, -1.5, 0.1]))


def test_bags_that_begin_elsewhere_are_refused_at_each_call() -> None:
    bag = nn.EmbeddingBag(7, 3)
    forward = torch.compile(lambda i, o: bag(i, o), fullgraph=True)
    indices = torch.arange(6)
    for eager in (False, True):
        call = bag if eager else forward
        for _ in range(4):
            call(indices, torch.tensor([0, 2]))
        with pytest.raises(RuntimeError, match=r"offsets\[0\] has to be 0"):
            call(indices, torch.tensor([1, 2]))
        with pytest.raises(RuntimeError, match=r"offsets\[-1\] can not be greater"):
            call(indices, torch.tensor([0, 7]))


def test_many_steps_draw_what_single_steps_draw() -> None:
    def step(p: torch.Tensor) -> torch.Tensor:
        return torch.poisson(p * 5).sum() + torch.rand(())

    p = torch.full((8,), 0.7)
    torch.manual_seed(1)
    expected = [float(step(p)) for _ in range(30)]
    torch.manual_seed(1)
    found = torch.compile(step, steps=30)(p)
    assert found.tolist() == pytest.approx(expected)


def test_an_explanation_draws_nothing() -> None:
    step = torch.compile(lambda p: torch.poisson(p))
    for _ in range(4):
        step(torch.rand(3))
    before = torch.get_rng_state()
    step.explain()
    assert torch.equal(before, torch.get_rng_state())


def test_numbers_from_a_generator_of_ones_own_run_eagerly() -> None:
    def program(compiled: Any, log: Any) -> None:
        mine = torch.Generator().manual_seed(3)
        step = compiled(lambda p: torch.poisson(p, generator=mine))
        for _ in range(CALLS):
            log(step(shares()))

    check(program, captured=False)
