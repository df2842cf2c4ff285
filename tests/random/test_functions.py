"""Random tensors: functions and in-place methods draw PyTorch's numbers, and refuse as it does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import flambeau
from flambeau.random import default

# -- recorded from PyTorch 2.13 after manual_seed(0) ----------------------------------------------


@pytest.mark.parametrize(
    "draw, text",
    [
        (lambda t: t.rand(3), "tensor([0.4963, 0.7682, 0.0885])"),
        (lambda t: t.randn(3), "tensor([ 1.5410, -0.2934, -2.1788])"),
        (lambda t: t.randint(0, 10, (5,)), "tensor([4, 9, 3, 0, 3])"),
        (lambda t: t.randperm(5), "tensor([4, 0, 1, 3, 2])"),
        (lambda t: t.bernoulli(t.full((4,), 0.5)), "tensor([1., 0., 1., 1.])"),
        (lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.7]), 2), "tensor([2, 1])"),
        (lambda t: t.normal(t.arange(3.0), 0.5), "tensor([0.7705, 0.8533, 0.9106])"),
        (lambda t: t.empty(2, 2).t().uniform_()[0], "tensor([0.4963, 0.0885])"),
    ],
)  # fmt: skip
def test_recorded_draws(draw, text):
    flambeau.manual_seed(0)
    assert repr(draw(flambeau)) == text


# -- what tensors are made of ----------------------------------------------------------------------


def test_generators_are_independent_of_the_default_one():
    flambeau.manual_seed(1)
    before = flambeau.get_rng_state()
    generator = flambeau.Generator().manual_seed(0)
    drawn = flambeau.rand(3, generator=generator)
    assert (flambeau.get_rng_state() == before).all()
    flambeau.manual_seed(0)
    assert (flambeau.rand(3) == drawn).all()


def test_state_as_tensors():
    state = flambeau.get_rng_state()
    assert state.dtype == flambeau.uint8 and state.shape == (5056,)
    first = flambeau.rand(3)
    flambeau.set_rng_state(state)
    assert (flambeau.rand(3) == first).all()


def test_fork_rng():
    flambeau.manual_seed(0)
    expected = flambeau.rand(2)
    flambeau.manual_seed(0)
    with flambeau.random.fork_rng():
        flambeau.rand(100)
    assert (flambeau.rand(2) == expected).all()


def test_thread_safe_generator_is_none_outside_worker_threads():
    assert flambeau.random.thread_safe_generator() is None


def test_requires_grad_and_default_dtype():
    assert flambeau.rand(2, requires_grad=True).requires_grad
    flambeau.set_default_dtype(flambeau.float64)
    assert flambeau.randn(2).dtype == flambeau.float64
    assert flambeau.randint(3, (2,)).dtype == flambeau.int64


def test_fills_return_the_tensor_and_raise_its_version():
    tensor = flambeau.empty(3)
    version = tensor._version
    assert tensor.normal_() is tensor
    assert tensor._version == version + 1


def test_a_filled_tensor_has_no_gradient_for_what_it_was():
    leaf = flambeau.ones(3, requires_grad=True)
    tensor = leaf * 2
    tensor.normal_()
    assert tensor.requires_grad
    tensor.sum().backward()
    assert (leaf.grad == 0).all()


def test_a_leaf_is_filled_without_grad_only():
    leaf = flambeau.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf.uniform_()
    with flambeau.no_grad():
        leaf.uniform_()
    assert leaf.requires_grad and leaf.grad_fn is None


def test_fills_reach_the_base_of_a_view():
    base = flambeau.zeros(3, 3)
    base[1].fill_(0).uniform_(1, 2)
    assert ((base >= 1).sum(1) == flambeau.tensor([0, 3, 0])).all()


def test_every_draw_goes_through_one_door(monkeypatch):
    names = []

    def door(sampler, shape, dtype, *parameters, generator=None):
        names.append(sampler.__name__)
        return sampler(generator or default.default_generator, shape, dtype, *parameters)

    from flambeau.random import functions, memory_order

    monkeypatch.setattr(memory_order, "draw", door)
    monkeypatch.setattr(functions, "draw", door)
    t = flambeau
    one = t.full((3,), 0.5)
    t.rand(1), t.randn(1), t.randint(2, (1,)), t.randperm(3), t.bernoulli(one), t.rand_like(one)
    t.normal(one, one), one.exponential_(), one.geometric_(0.5), one.cauchy_(), one.log_normal_()
    assert names == [
        "uniform", "normal", "integers", "permutation", "uniform", "uniform", "normal",
        "exponential", "geometric", "cauchy", "log_normal",
    ]  # fmt: skip


# -- against PyTorch ------------------------------------------------------------------------------

DRAWS = """
t.rand(3, 4)
t.rand([2, 3])
t.rand(())
t.rand(size=(2,))
t.rand(2, dtype=t.float64)
t.rand(2, 3, dtype=t.complex64)
t.rand(t.tensor(2))
t.rand(20, requires_grad=True)
t.rand(2, out=t.empty(2))
t.randn(20)
t.randn(3, 5, 7)
t.randn(5, 7, dtype=t.complex128)
t.randn(2, dtype=t.complex64)
t.randn(20, out=t.empty(20, dtype=t.float64))
t.randint(5, (3,))
t.randint(3, 5, (3,))
t.randint(3, high=5, size=(3,))
t.randint(5, size=(3,))
t.randint(0, 5, size=(3,))
t.randint(low=2, high=5, size=[3])
t.randint(high=5, size=(3,), dtype=t.int32)
t.randint(t.tensor(5), (2,))
t.randint(0, 2, (20,), dtype=t.bool)
t.randint(0, 10, (20,), dtype=t.float16)
t.randint(0, 2**24, (20,), dtype=t.float32)
t.randint(0, 2**25, (20,), dtype=t.float32)
t.randint(-2**26 + 1, 2**25 + 1, (20,), dtype=t.float32)
t.randint(0, 10000, (20,), dtype=t.float16)
t.randint(-2**55 - 1, 2**56 - 1, (20,), dtype=t.float64)
t.randperm(10)
t.randperm(1000)
t.randperm(10, dtype=t.float32)
t.randperm(5, dtype=t.int8)
t.randperm(3, out=t.empty(3, dtype=t.float64))
t.normal(0.0, 1.0, (20,))
t.normal(2, 3, size=(4,))
t.normal(t.zeros(3, 1), t.arange(2.0))
t.normal(t.arange(40.0), 2.0)
t.normal(1.0, t.arange(40.0))
t.normal(t.arange(20.0), t.arange(20.0))
t.normal(t.arange(3.0).double(), t.ones(3))
t.normal(t.arange(20.0), t.ones(20).double() * 1.37)
t.normal(t.arange(20.0).reshape(4, 5).t(), 2.0)
t.normal(t.arange(20.0).half(), 1.7)
t.bernoulli(t.linspace(0, 1, 30))
t.bernoulli(t.linspace(0, 1, 30).double())
t.bernoulli(t.linspace(0, 1, 30).half())
t.bernoulli(t.linspace(0, 1, 30).reshape(5, 6).t())
t.bernoulli(t.zeros(5, 6).t(), 0.3)
t.zeros(20).bernoulli(0.3)
t.zeros(20, dtype=t.int64).bernoulli_(0.3)
t.zeros(20).bernoulli_()
t.zeros(4, 20).bernoulli_(t.linspace(0, 1, 20))
t.zeros(20, 4).t().bernoulli_(t.linspace(0, 1, 20))
t.zeros(20, dtype=t.int64).bernoulli_(t.full((20,), 0.4))
t.multinomial(t.tensor([0.1, 0.2, 0.7]), 2)
t.multinomial(t.ones(3, 4), 10, replacement=True)
t.ones(3, 4).multinomial(1)
t.rand_like(t.ones(3, 4))
t.rand_like(t.ones(3, 4).t())
t.rand_like(t.ones(3, 4).t(), memory_format=t.contiguous_format)
t.rand_like(t.ones(2, 3, 4).permute(2, 0, 1))
t.rand_like(t.ones(3, 8)[:, ::2])
t.randn_like(t.ones(3, 8).t())
t.randn_like(t.ones(3, 8)[:, ::2])
t.randn_like(t.ones(3, 8)[:, ::2].t())
t.randn_like(t.ones(8, 4), dtype=t.float64)
t.randint_like(t.ones(2), 5)
t.randint_like(t.ones(2, 3).t(), 3, 5)
t.randint_like(t.ones(2), 3, 5, dtype=t.int32)
t.randint_like(t.ones(2), low=3, high=5)
t.randint_like(t.ones(2), high=5)
t.empty(3, 4).t().uniform_()
t.empty(2, 3, 4).permute(1, 2, 0).uniform_(-1, 1)
t.empty(30).uniform_(**{"from": 1, "to": 2})
t.empty(3, dtype=t.complex64).uniform_(1, 2)
t.empty(3, 8).t().normal_()
t.empty(3, 8)[:, ::2].normal_(1.0, 2.0)
t.empty(3, 8)[:, ::2].t().normal_(1.0, 2.0)
t.empty(1, 20).t().normal_()
t.empty(20, 1).t().normal_()
t.empty(3, dtype=t.complex64).normal_(1, 2)
t.empty(30).random_()
t.empty(30, dtype=t.int32).random_()
t.empty(30, dtype=t.int32).random_(0, None)
t.empty(30, dtype=t.int64).random_(-2**63, None)
t.empty(30, dtype=t.int64).random_(5)
t.empty(30, dtype=t.int64).random_(to=5)
t.empty(30, dtype=t.int64).random_(2, to=5)
t.empty(30, dtype=t.int64).random_(**{"from": 2, "to": 5})
t.empty(30).random_(3, None)
t.empty(30, dtype=t.uint8).random_(3, None)
t.empty(30).exponential_(2.0)
t.empty(30).geometric_(0.2)
t.empty(30, dtype=t.int64).geometric_(0.2)
t.empty(30).cauchy_(1, 2)
t.empty(30).log_normal_()
t.nn.functional.dropout(t.ones(30), 0.3)
t.nn.functional.dropout(t.ones(5, 6).t(), 0.3)
t.nn.functional.dropout2d(t.ones(5, 6, 2, 2), 0.3)
t.nn.functional.alpha_dropout(t.ones(5, 6), 0.3, True)
""".strip().splitlines()


@pytest.mark.parametrize("expression", DRAWS)
@pytest.mark.filterwarnings("ignore:.* is out of bounds")
def test_draws_against_pytorch(expression):
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    theirs = eval(expression, {"t": torch})
    flambeau.manual_seed(7)
    ours = eval(expression, {"t": flambeau})
    array = np.ascontiguousarray(ours.detach().numpy())
    assert str(ours.dtype) == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.stride() == theirs.stride()
    assert ours.requires_grad == theirs.requires_grad
    assert array.tobytes() == np.ascontiguousarray(theirs.detach().numpy()).tobytes()
    assert (flambeau.get_rng_state().numpy() == torch.get_rng_state().numpy()).all()


REFUSED = """
t.empty(3).normal_(0, -1)
t.empty(3, dtype=t.int64).normal_()
t.empty(3).uniform_(2, 1)
t.empty(3, dtype=t.int64).uniform_()
t.empty(3).uniform_(0, 1e39)
t.empty(3).uniform_(-3e38, 3e38)
t.rand(3, dtype=t.int64)
t.randn(3, dtype=t.bool)
t.rand(-1)
t.rand(2.0)
t.rand()
t.rand('a')
t.rand(True)
t.rand(2, pin_memory=True)
t.rand(2, device='foo')
t.randint(5, 3)
t.randint(5, 5, (3,))
t.randint(5, 2, (3,))
t.randint(0, 5)
t.randint(0.5, 5, (2,))
t.randint(0, 300, (2,), dtype=t.uint8)
t.randint(0, 3, (2,), dtype=t.bool)
t.randint(0, 2**65, (2,))
t.randperm(-1)
t.randperm(2.5)
t.randperm(5, dtype=t.bool)
t.empty(3).random_(5, 2)
t.empty(3).random_(0)
t.empty(3, dtype=t.uint8).random_(0, 300)
t.empty(3, dtype=t.uint8).random_(-1, 30)
t.empty(3, dtype=t.complex64).random_(0, 2)
t.empty(3).bernoulli_(1.5)
t.empty(3).bernoulli_(t.tensor([0.1, 0.2, 2.0]))
t.empty(3).bernoulli_(t.tensor([0.1, 0.2]))
t.empty(3).bernoulli_(t.tensor([1, 0, 1]))
t.empty(3, dtype=t.complex64).bernoulli_(0.5)
t.bernoulli(t.tensor([1, 0, 1]))
t.bernoulli(t.tensor([0.5]), 1.5)
t.bernoulli(3)
t.empty(3).exponential_(0)
t.empty(3, dtype=t.int64).exponential_()
t.empty(3).geometric_(1)
t.empty(3, dtype=t.bool).geometric_(0.5)
t.empty(3).cauchy_(0, -1)
t.empty(3, dtype=t.int64).cauchy_()
t.empty(3).log_normal_(0, 0)
t.empty(3, dtype=t.int64).log_normal_()
t.multinomial(t.tensor([1, 2, 3]), 2)
t.multinomial(t.tensor([1.0, 2, 3]), 0)
t.multinomial(t.tensor([1.0, 2, 3]), 4)
t.multinomial(t.zeros(3), 2, True)
t.multinomial(t.tensor([-1.0, 0, 0]), 1)
t.multinomial(t.tensor([float('nan'), 0, 1]), 1)
t.multinomial(t.ones(2, 2, 2), 1)
t.normal(t.zeros(3), t.ones(2))
t.normal(t.zeros(3), -1.0)
t.normal(t.zeros(3), -t.ones(3))
t.normal(0.0, 1.0)
t.normal(t.zeros(3, dtype=t.int64), 1.0)
t.rand_like(t.ones(2, dtype=t.int64))
t.rand_like(3)
t.ones(3, requires_grad=True).normal_()
t.ones(3).expand(2, 3).normal_()
t.Generator('foo')
t.set_rng_state(t.zeros(3))
t.set_rng_state(t.zeros(3, dtype=t.uint8))
t.set_rng_state(t.zeros(5056, dtype=t.uint8))
t.set_rng_state(3)
t.manual_seed(2**64)
t.manual_seed('a')
""".strip().splitlines()


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_against_pytorch(expression):
    torch = pytest.importorskip("torch")
    with pytest.raises(Exception) as theirs:
        eval(expression, {"t": torch})
    with pytest.raises(type(theirs.value)) as ours:
        eval(expression, {"t": flambeau})
    wording = str(theirs.value).split("\n")[0].split(" - got")[0].split("  (Could")[0][:60]
    assert str(ours.value).startswith(wording)


def test_ranges_too_wide_for_a_dtype_are_warned_of():
    with pytest.warns(UserWarning, match=r"out of bounds \[-\(2\^24\), 2\^24\]"):
        flambeau.randint(0, 2**25, (2,), dtype=flambeau.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flambeau.randint(0, 2**24, (2,), dtype=flambeau.float32)
