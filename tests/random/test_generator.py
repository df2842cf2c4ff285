"""The generator: seeds, words and state are PyTorch's."""

from __future__ import annotations

import copy
import hashlib
import pickle
import threading

import numpy as np
import pytest

from flambeau.random.default import default_generator, fork_rng, manual_seed
from flambeau.random.generator import BLOCK, STATE_BYTES, Generator
from flambeau.random.sampling import normal

FLOAT64 = np.dtype(np.float64)

# The first words of PyTorch 2.13's generator.
RECORDED = {
    0: [2357136044, 2546248239, 3071714933],
    42: [1608637542, 3421126067, 4083286876],
    -1: [419326371, 479346978, 3918654476],
    2**32 + 5: [953453411, 236996814, 3739766767],
}


@pytest.mark.parametrize("seed", RECORDED)
def test_first_words_of_a_seed(seed):
    assert Generator().manual_seed(seed).words(3).tolist() == RECORDED[seed]


def test_words_do_not_depend_on_how_they_are_asked_for():
    whole = Generator().manual_seed(3).words(5000)
    pieces = Generator().manual_seed(3)
    sizes = [1, 0, 623, 1, 624, 1248, 3, 2000, 500]
    taken = np.concatenate([pieces.words(n).copy() for n in sizes])
    assert (taken == whole[: sum(sizes)]).all()


def test_a_new_generator_has_pytorchs_default_seed():
    assert Generator().initial_seed() == 67280421310721


@pytest.mark.parametrize("seed, kept", [(-1, 2**64 - 1), (-(2**63), 2**63), (2**64 - 1, 2**64 - 1)])
def test_negative_seeds_wrap(seed, kept):
    assert Generator().manual_seed(seed).initial_seed() == kept


def test_numpy_integers_are_seeds():
    assert Generator().manual_seed(np.int64(7)).initial_seed() == 7


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="Overflow when unpacking long"):
        Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", [1.5, "a", None, True])
def test_seed_of_another_type_is_refused(seed):
    with pytest.raises(RuntimeError, match="manual_seed expected a long, but got"):
        Generator().manual_seed(seed)


def test_seeding_from_the_system_differs_and_is_remembered():
    generator = Generator()
    first, second = generator.seed(), generator.seed()
    assert first != second
    assert generator.initial_seed() == second < 2**53


def test_state_is_continued_from():
    generator = Generator().manual_seed(1)
    generator.words(1000)
    normal(generator, (3,), FLOAT64)
    state = generator.state_bytes()
    assert state.dtype == np.uint8 and state.shape == (STATE_BYTES,) == (5056,)
    other = Generator()
    other.set_state_bytes(state)
    assert (other.state_bytes() == state).all()
    assert other.initial_seed() == 1
    expected = normal(generator, (7,), FLOAT64)
    assert (normal(other, (7,), FLOAT64) == expected).all()


@pytest.mark.parametrize("words", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_state_is_continued_from_at_the_edges_of_a_block(words):
    generator = Generator().manual_seed(8)
    generator.words(words)
    other = Generator()
    other.set_state_bytes(generator.state_bytes())
    assert (other.state_bytes() == generator.state_bytes()).all()
    assert (other.words(1000) == generator.words(1000)).all()


def test_states_of_the_wrong_size_or_content_are_refused():
    with pytest.raises(RuntimeError, match="of size 5056 but found the input RNG state size to be"):
        Generator().set_state_bytes(np.zeros(10, np.uint8))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        Generator().set_state_bytes(np.zeros(STATE_BYTES, np.uint8))


@pytest.mark.parametrize(
    "twin",
    [Generator.clone_state, copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))],
    ids=["clone_state", "copy", "deepcopy", "pickle"],
)
def test_copies_go_on_from_the_same_place(twin):
    generator = Generator().manual_seed(5)
    normal(generator, (1,), FLOAT64)
    other = twin(generator)
    assert other is not generator
    assert (other.words(10) == generator.words(10)).all()
    assert other.spare_normal == generator.spare_normal is not None


def test_fork_rng_puts_the_default_generator_back():
    manual_seed(3)
    before = default_generator.state_bytes()
    with fork_rng():
        default_generator.words(100)
    assert (default_generator.state_bytes() == before).all()
    with fork_rng(enabled=False):
        default_generator.words(100)
    assert (default_generator.state_bytes() != before).any()


def test_fork_rng_puts_it_back_after_an_exception():
    manual_seed(3)
    before = default_generator.state_bytes()
    with pytest.raises(ZeroDivisionError), fork_rng():
        default_generator.words(1)
        raise ZeroDivisionError
    assert (default_generator.state_bytes() == before).all()


def test_threads_draw_whole_draws():
    generator = Generator().manual_seed(0)
    alone = normal(Generator().manual_seed(0), (2000,), FLOAT64, 0.0, 1.0, False)
    drawn: list[np.ndarray] = []

    def work() -> None:
        for _ in range(10):
            drawn.append(normal(generator, (50,), FLOAT64, 0.0, 1.0, False))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    blocks = {tuple(block) for block in alone.reshape(-1, 50)}
    assert {tuple(block) for block in drawn} == blocks


@pytest.mark.parametrize("seed", [0, 1, -1, 2**32 + 5, 2**64 - 1])
def test_states_are_byte_for_byte_pytorchs(seed):
    torch = pytest.importorskip("torch")
    theirs, ours = torch.Generator().manual_seed(seed), Generator().manual_seed(seed)
    assert (ours.state_bytes() == theirs.get_state().numpy()).all()
    for count in (1, 3, 620, 624, 5000, 7):
        torch.rand(count, generator=theirs)
        ours.words(count)
        assert (ours.state_bytes() == theirs.get_state().numpy()).all()
    torch.randn(3, generator=theirs, dtype=torch.float64)
    normal(ours, (3,), FLOAT64)
    assert (ours.state_bytes() == theirs.get_state().numpy()).all()


def test_pytorchs_state_is_continued_from_and_ours_by_pytorch():
    torch = pytest.importorskip("torch")
    theirs = torch.Generator().manual_seed(9)
    torch.randn(1001, generator=theirs)
    ours = Generator()
    ours.set_state_bytes(theirs.get_state().numpy())
    back = torch.Generator()
    back.set_state(torch.from_numpy(ours.state_bytes()))
    expected = torch.randn(5, generator=theirs, dtype=torch.float64).numpy()
    assert (normal(ours, (5,), FLOAT64) == expected).all()
    assert (torch.randn(5, generator=back, dtype=torch.float64).numpy() == expected).all()


def test_state_is_the_one_recorded_from_pytorch():
    generator = Generator().manual_seed(0)
    generator.words(1000)
    normal(generator, (3,), FLOAT64)
    assert hashlib.sha256(generator.state_bytes().tobytes()).hexdigest()[:8] == "b224e893"
