"""Which tensors have been made since a moment."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import flambeau as torch
from flambeau.compiler.newborn import Newborn


@pytest.fixture(params=["ages", "no ages"])
def newborn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newborn]:
    if request.param == "no ages":  # a collector like that of Python without its global lock
        everything = gc.get_objects
        monkeypatch.setattr(gc, "get_objects", lambda generation=None: everything())
    old = torch.ones(1)
    watch = Newborn({})
    assert old not in watch
    yield watch
    watch.close()
    assert old not in watch


def ids(watch: Newborn) -> set[int]:
    return {id(t) for t in watch.living()}


@pytest.mark.parametrize("generation", [None, 0, 1, 2])
def test_what_is_made_later_is_newborn_whatever_the_collector_does(
    newborn: Newborn, generation: int | None
) -> None:
    made = [torch.ones(2), torch.nn.Parameter(torch.zeros(3)), torch.ones(4).view(2, 2)]
    if generation is not None:
        gc.collect(generation)
    later = torch.ones(5)
    assert all(t in newborn for t in [*made, later])
    assert {id(t) for t in [*made, later]} <= ids(newborn)


def test_many_more_objects_than_the_collector_leaves_young(newborn: Newborn) -> None:
    made = torch.ones(2)
    rest = [[i] for i in range(20_000)]
    assert made in newborn
    assert len(rest) == 20_000


def test_what_is_gone_is_not_kept(newborn: Newborn) -> None:
    made = torch.ones(2)
    gc.collect()
    before = len(newborn.living())
    assert made in newborn
    del made
    assert len(newborn.living()) == before - 1


def test_nothing_is_watched_after_the_end() -> None:
    callbacks = list(gc.callbacks)
    watch = Newborn({})
    assert len(gc.callbacks) == len(callbacks) + 1
    watch.close()
    assert gc.callbacks == callbacks


def test_a_collection_during_the_look_at_the_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when it likes: between what has been noted and what is young still."""
    watch = Newborn({})
    made = torch.ones(2)
    look = gc.get_objects

    def collected(generation: int | None = None) -> list[object]:
        monkeypatch.setattr(gc, "get_objects", look)
        gc.collect(0)
        return look(generation=generation)

    monkeypatch.setattr(gc, "get_objects", collected)
    assert made in watch
    watch.close()


def test_the_collector_leaves_alone_what_was_there() -> None:
    """And looks at everything again in the end; what somebody else has frozen stays so."""
    before = gc.get_freeze_count()
    watch = Newborn({})
    assert gc.get_freeze_count() > before
    watch.thaw()
    assert gc.get_freeze_count() == before
    watch.close()
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        watch = Newborn({})
        watch.close()
        assert gc.get_freeze_count() > frozen / 2  # some are gone by themselves
    finally:
        gc.unfreeze()


def test_the_collector_is_left_as_it_was() -> None:
    before, callbacks = gc.get_threshold(), len(gc.callbacks)
    weight = torch.nn.Parameter(torch.ones(4))
    together = threading.Barrier(3, timeout=60)

    def train(number: int) -> list[float]:
        optimizer = torch.optim.SGD([weight_of[number]], 0.1)

        @torch.compile
        def step(x: torch.Tensor) -> torch.Tensor:
            optimizer.zero_grad()
            loss = (weight_of[number] * x).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        losses = []
        for _ in range(6):
            together.wait()
            losses.append(step(torch.ones(4)).item())
        return losses

    weight_of = [torch.nn.Parameter(weight.detach().clone()) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        losses = list(pool.map(train, range(3)))
    assert losses[0] == losses[1] == losses[2]
    assert gc.get_threshold() == before and len(gc.callbacks) == callbacks


def test_the_collector_is_left_as_it_was_by_what_fails() -> None:
    before, callbacks = gc.get_threshold(), len(gc.callbacks)
    kept: list[torch.Tensor] = []

    @torch.compile
    def program(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        kept[:] = [x[index]]
        return x * 2

    x = torch.ones(3)
    program(x, torch.tensor([1]))
    for _ in range(3):
        with pytest.raises(IndexError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program(x, torch.tensor([7]))
    assert gc.get_threshold() == before and len(gc.callbacks) == callbacks
