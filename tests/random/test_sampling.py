"""The samplers draw PyTorch's numbers, to the last bit, and stop where PyTorch stops."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from flambeau.random import sampling
from flambeau.random.generator import Generator

FLOAT16, FLOAT32, FLOAT64 = map(np.dtype, ("f2", "f4", "f8"))
INT8, INT32, INT64, UINT8 = map(np.dtype, ("i1", "i4", "i8", "u1"))


def seeded(seed: int = 1) -> Generator:
    return Generator().manual_seed(seed)


# -- recorded from PyTorch 2.13 (CPU), seed 1: arrays as the hexadecimal of their bytes -----------

RECORDED_BYTES = {
    "uniform float32": (
        lambda g: sampling.uniform(g, (4,), FLOAT32),
        "25f4413fd6018f3e185fce3e48143c3f",
    ),
    "uniform float64": (
        lambda g: sampling.uniform(g, (2,), FLOAT64),
        "b00e78f45f42af3f2051f0ba33becc3f",
    ),
    "uniform in a range": (
        lambda g: sampling.uniform(g, (4,), FLOAT32, -0.3, 0.7),
        "b04eea3e407ca9bcf815d33df68ede3e",
    ),
    "fewer than 16 normals": (
        lambda g: sampling.normal(g, (3,), FLOAT32),
        "604e293f47aa883e4ba17c3d",
    ),
    "17 normals": (
        lambda g: sampling.normal(g, (17,), FLOAT32),
        "ba46c3bfd59394bf3615333f0edc4b3e049e5d3f04457a3e8fb429bfc1ab4e3f2ad7e03e942834be"
        "38b70fc08925b9bff67d7a3d80241ebf4e4e4cbf3cc806be8d664cbf",
    ),
    "float64 normals": (
        lambda g: sampling.normal(g, (17,), FLOAT64)[-3:],
        "ee7c11776e55f13f6f36b2b03678ec3fe93111387adbfebf",
    ),
    "normals with mean and std": (
        lambda g: sampling.normal(g, (16,), FLOAT32, 0.3, 1.7)[:4],
        "ebc812c06db379bf00d04fbf76e91bc0",
    ),
    "float16 normals": (
        lambda g: sampling.normal(g, (17,), FLOAT16),
        "1abe93b9a5bc99395f32ed3ad2334eb9753a683ca1b17ec0c9bdd42bf1b862ba36b0",
    ),
    "exponential": (
        lambda g: sampling.exponential(g, (3,), FLOAT32, 1.3),
        "d07c463df252483ebf3c523e",
    ),
    "log normal": (
        lambda g: sampling.log_normal(g, (3,), FLOAT32, 0.3, 0.7),
        "e64009405a47d03fae67b43f",
    ),
    "cauchy": (
        lambda g: sampling.cauchy(g, (3,), FLOAT32, 0.3, 0.7),
        "f37f53c0a29c05bfaf23f2be",
    ),
}


@pytest.mark.parametrize("name", RECORDED_BYTES)
def test_floating_draws_recorded_from_pytorch(name):
    draw, recorded = RECORDED_BYTES[name]
    assert draw(seeded()).tobytes().hex() == recorded


WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4], FLOAT32)

RECORDED_LISTS = {
    "permutation": (
        lambda g: sampling.permutation(g, (10,)),
        [5, 6, 1, 2, 0, 8, 9, 3, 7, 4],
    ),
    "integers": (
        lambda g: sampling.integers(g, (8,), INT64, 0, 10),
        [5, 9, 4, 8, 3, 3, 1, 1],
    ),
    "integers of more than 28 bits": (
        lambda g: sampling.integers(g, (3,), INT64, -5, 2**28),
        [44777332, 243092031, 242553807],
    ),
    "integers of 63 bits": (
        lambda g: sampling.integers(g, (2,), INT64, -(2**62), 2**62),
        [3081012064131973355, -547416547354995640],
    ),
    "all of float32": (
        lambda g: sampling.words_as_integers(g, (3,), FLOAT32),
        [12710843.0, 4685804.0, 6762196.0],
    ),
    "all of float64": (
        lambda g: sampling.words_as_integers(g, (3,), FLOAT64),
        [549919010553237.0, 2022607184203397.0, 2109959069025161.0],
    ),
    "all of int64": (
        lambda g: sampling.words_as_integers(g, (3,), INT64),
        [7692698082559361259, 4064269471072392264, 2109959069025161],
    ),
    "all of int32": (
        lambda g: sampling.words_as_integers(g, (3,), INT32),
        [1791095845, 2135392491, 946286476],
    ),
    "all of uint8": (lambda g: sampling.words_as_integers(g, (3,), UINT8), [37, 235, 140]),
    "all of int8": (lambda g: sampling.words_as_integers(g, (3,), INT8), [37, 107, 12]),
    "all of float16": (lambda g: sampling.words_as_integers(g, (3,), FLOAT16), [1426, 1016, 1416]),
    "bernoulli of one probability": (
        lambda g: sampling.bernoulli(g, (12,), FLOAT32, 0.3),
        [1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0],
    ),
    "bernoulli of float32 probabilities": (
        lambda g: sampling.bernoulli(g, (12,), FLOAT32, np.full(12, 0.3, FLOAT32)),
        [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    ),
    "bernoulli of float64 probabilities": (
        lambda g: sampling.bernoulli(g, (12,), FLOAT32, np.full(12, 0.3)),
        [1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0],
    ),
    "geometric": (lambda g: sampling.geometric(g, (5,), FLOAT32, 0.2), [13, 7, 7, 8, 3]),
    "multinomial": (lambda g: sampling.multinomial(g, WEIGHTS, 3), [3, 0, 2]),
    "multinomial with replacement": (
        lambda g: sampling.multinomial(g, WEIGHTS, 8, True),
        [0, 1, 1, 1, 2, 1, 2, 3],
    ),
    "multinomial of rows": (
        lambda g: sampling.multinomial(g, np.stack([WEIGHTS] * 2), 2),
        [[3, 0], [1, 2]],
    ),
}


@pytest.mark.parametrize("name", RECORDED_LISTS)
def test_integral_draws_recorded_from_pytorch(name):
    draw, recorded = RECORDED_LISTS[name]
    assert draw(seeded()).tolist() == recorded


def test_long_permutation_recorded_from_pytorch():
    drawn = sampling.permutation(seeded(), (1000,))
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:8] == "61a16d79"


# -- by definition --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 399, 400, 401, 1000, 20_000])
def test_permutation_is_fisher_yates_in_turn(n):
    words = seeded(n).words(n - 1).tolist()
    values = list(range(n))
    for i, word in enumerate(words):
        j = i + word % (n - i)
        values[i], values[j] = values[j], values[i]
    assert sampling.permutation(seeded(n), (n,)).tolist() == values


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_inside_out_shuffle_swaps_in_turn(n):
    numbers = np.random.default_rng(n).integers(0, 2**64, n, np.uint64)
    values = list(range(n))
    for i, number in enumerate(numbers.tolist()):
        j = number % (i + 1)
        values[i], values[j] = values[j], values[i]
    assert sampling._shuffled_inside_out(numbers).tolist() == values


def test_dropout_without_chance_draws_nothing():
    generator = seeded()
    assert (sampling.dropout_mask(generator, (3,), FLOAT32, 0.0) == 1).all()
    assert (sampling.dropout_mask(generator, (3,), FLOAT32, 1.0) == 0).all()
    assert (generator.state_bytes() == seeded().state_bytes()).all()


def test_uniform_never_reaches_its_upper_end():
    drawn = sampling.uniform(seeded(), (200_000,), FLOAT16, -1.0, 1.0)
    assert drawn.min() >= -1 and drawn.max() < 1


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17])
def test_shapes_and_dtypes_are_those_asked_for(n):
    for shape in ((n,), (n, 2), (2, 0, n)):
        for dtype in (FLOAT16, FLOAT32, FLOAT64):
            for sampler in (sampling.uniform, sampling.normal, sampling.exponential):
                drawn = sampler(seeded(), shape, dtype)
                assert drawn.shape == shape and drawn.dtype == dtype
                assert drawn.flags.writeable


def test_a_draw_is_not_changed_by_later_ones():
    generator = seeded()
    first = sampling.uniform(generator, (3,), FLOAT32)
    kept = first.copy()
    sampling.uniform(generator, (3,), FLOAT32)
    first += 0
    assert (first == kept).all()
    first[:] = 7  # nor does writing to it change the stream
    assert generator.words(1) == seeded().words(7)[-1]


# -- against PyTorch ------------------------------------------------------------------------------

SIZES = [*range(35), 63, 64, 100, 311, 312, 313, 624, 625, 1000, 20_000]


class Comparison:
    """Draws from both generators and compares values (as bits) and the states afterwards."""

    def __init__(self, torch, seed: int, spare: bool) -> None:
        self.torch = torch
        self.theirs = torch.Generator().manual_seed(seed)
        self.ours = seeded(seed)
        if spare:
            torch.randn(3, generator=self.theirs, dtype=torch.float64)
            sampling.normal(self.ours, (3,), FLOAT64)

    def array(self, tensor):
        if tensor.dtype == self.torch.bfloat16:
            ml_dtypes = pytest.importorskip("ml_dtypes")
            bits = tensor.contiguous().view(self.torch.int16).numpy()
            return bits.view(ml_dtypes.bfloat16)
        return tensor.numpy()

    def same(self, theirs, ours) -> None:
        expected, drawn = self.array(theirs(self.theirs)), ours(self.ours)
        assert drawn.dtype == expected.dtype
        assert drawn.shape == expected.shape
        assert drawn.tobytes() == expected.tobytes()
        assert (self.ours.state_bytes() == self.theirs.get_state().numpy()).all()


@pytest.fixture(params=[(0, False), (3, True)], ids=["seed 0", "seed 3, spare normal"])
def compare(request):
    torch = pytest.importorskip("torch")
    return lambda: Comparison(torch, *request.param)


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16"])
def test_floating_samplers_against_pytorch(compare, name):
    torch = pytest.importorskip("torch")
    dtype = getattr(torch, name)
    numpy_dtype = compare().array(torch.empty(0, dtype=dtype)).dtype

    def check(n):
        both = compare()

        def empty():
            return torch.empty(n, dtype=dtype)

        def draw(sampler, *parameters):
            return lambda g: sampler(g, (n,), numpy_dtype, *parameters)

        both.same(
            lambda g: torch.rand(n, dtype=dtype, generator=g),
            draw(sampling.uniform),
        )
        both.same(
            lambda g: empty().uniform_(-0.3, 0.7, generator=g), draw(sampling.uniform, -0.3, 0.7)
        )
        both.same(lambda g: empty().normal_(generator=g), draw(sampling.normal))
        both.same(lambda g: empty().normal_(0.3, 1.7, generator=g), draw(sampling.normal, 0.3, 1.7))
        both.same(
            lambda g: torch.empty(n, 2, dtype=dtype)[:, 0].normal_(0.3, 1.7, generator=g).clone(),
            draw(sampling.normal, 0.3, 1.7, False),
        )
        both.same(
            lambda g: empty().log_normal_(0.3, 0.7, generator=g),
            draw(sampling.log_normal, 0.3, 0.7),
        )
        both.same(lambda g: empty().exponential_(1.3, generator=g), draw(sampling.exponential, 1.3))
        both.same(lambda g: empty().cauchy_(0.2, 1.3, generator=g), draw(sampling.cauchy, 0.2, 1.3))
        both.same(
            lambda g: empty().bernoulli_(0.7, generator=g).div_(0.7),
            draw(sampling.dropout_mask, 0.3),
        )
        chances = torch.linspace(0, 1, n, dtype=dtype)
        both.same(
            lambda g: torch.bernoulli(chances, generator=g),
            draw(sampling.bernoulli, both.array(chances)),
        )

    for n in SIZES:
        check(n)


INTEGRAL = ["int64", "int32", "int16", "int8", "uint8", "bool", "float32", "float64", "float16"]


@pytest.mark.parametrize("name", INTEGRAL)
def test_integral_samplers_against_pytorch(compare, name):
    torch = pytest.importorskip("torch")
    dtype = getattr(torch, name)
    numpy_dtype = torch.empty(0, dtype=dtype).numpy().dtype
    ranges = [(0, 2)]
    if name != "bool":
        ranges.append((3, 100))
    if numpy_dtype.itemsize > 1:
        ranges.append((-30, 200))
    if name == "int64":
        ranges += [(0, 2**28 - 1), (0, 2**28), (-5, 2**32), (-(2**62), 2**62), (0, 2**63 - 1)]

    def check(n):
        both = compare()

        def empty():
            return torch.empty(n, dtype=dtype)

        both.same(
            lambda g: empty().random_(generator=g),
            lambda g: sampling.words_as_integers(g, (n,), numpy_dtype),
        )
        both.same(
            lambda g: empty().bernoulli_(0.3, generator=g),
            lambda g: sampling.bernoulli(g, (n,), numpy_dtype, 0.3),
        )
        if name != "bool":
            both.same(
                lambda g: empty().geometric_(0.3, generator=g),
                lambda g: sampling.geometric(g, (n,), numpy_dtype, 0.3),
            )
        for bounds in ranges:
            both.same(
                lambda g, bounds=bounds: empty().random_(*bounds, generator=g),
                lambda g, bounds=bounds: sampling.integers(g, (n,), numpy_dtype, *bounds),
            )
        if name == "int64":
            both.same(
                lambda g: empty().random_(-(2**63), None, generator=g),
                lambda g: sampling.integers(g, (n,), numpy_dtype, -(2**63), 2**63),
            )
            both.same(
                lambda g: torch.randperm(n, generator=g),
                lambda g: sampling.permutation(g, (n,)),
            )

    for n in SIZES:
        check(n)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_multinomial_against_pytorch(compare, name):
    torch = pytest.importorskip("torch")

    def check(n, count, replacement, rows):
        weights = np.random.default_rng(n).random((2, n)).astype(name)[rows] + 0.01
        weights = weights.astype(name)
        compare().same(
            lambda g: torch.multinomial(torch.from_numpy(weights), count, replacement, generator=g),
            lambda g: sampling.multinomial(g, weights, count, replacement),
        )

    for n in (1, 2, 3, 7, 16, 100, 999):
        for count, replacement in ((1, False), (1, True), (7, True), ((n + 1) // 2, False)):
            for rows in (0, slice(None)):
                check(n, count, replacement, rows)


def test_a_million_normals_against_pytorch(compare):
    torch = pytest.importorskip("torch")
    compare().same(
        lambda g: torch.randn(1_000_003, generator=g),
        lambda g: sampling.normal(g, (1_000_003,), FLOAT32),
    )
