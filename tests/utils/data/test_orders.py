"""The order of samples, and what is drawn for it, are PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau
import flambeau.utils.data as flambeau_data

X = np.random.RandomState(0).standard_normal((53, 5)).astype(np.float32)
Y = np.arange(53)

Options = dict[str, Any]
Sampler = Callable[[Any, Any], Any]

CASES: dict[str, Options] = {
    "in order": {"batch_size": 10},
    "shuffled": {"batch_size": 10, "shuffle": True},
    "last dropped": {"batch_size": 10, "shuffle": True, "drop_last": True},
    "one batch": {"batch_size": 53, "shuffle": True, "generator": 5},
    "own generator": {"batch_size": 10, "shuffle": True, "generator": 5},
    "batches of one": {"shuffle": True},
    "not batched": {"batch_size": None, "shuffle": True},
    "replacement": {
        "batch_size": 7,
        "sampler": lambda lib, data: data.RandomSampler(
            range(40), replacement=True, num_samples=70
        ),
    },
    "replacement from a generator": {
        "batch_size": 7,
        "sampler": lambda lib, data: data.RandomSampler(
            range(40), True, 70, generator=lib.Generator().manual_seed(2)
        ),
    },
    "more than there are": {
        "batch_size": 7,
        "sampler": lambda lib, data: data.RandomSampler(range(40), num_samples=100),
    },
    "subset": {
        "batch_size": 3,
        "sampler": lambda lib, data: data.SubsetRandomSampler([5, 7, 9, 11, 30, 31, 32]),
    },
    "weighted": {
        "batch_size": 4,
        "sampler": lambda lib, data: data.WeightedRandomSampler([0.1, 0.4, 3, 2, 1], 12),
    },
    "weighted without replacement": {
        "batch_size": 4,
        "sampler": lambda lib, data: data.WeightedRandomSampler([0.1, 0.4, 3, 2, 1], 5, False),
    },
    "batch sampler": {
        "batch_sampler": lambda lib, data: data.BatchSampler(
            data.RandomSampler(range(20)), 6, False
        ),
    },
}


def dataset(lib: Any, data: Any, kind: str) -> Any:
    tensors = data.TensorDataset(lib.from_numpy(X.copy()), lib.from_numpy(Y.copy()))
    if kind == "tensors":
        return tensors
    if kind == "subset":
        return data.Subset(tensors, list(range(52, -1, -1)))

    class Rows(data.Dataset):
        def __getitem__(self, index: int) -> Any:
            return lib.from_numpy(X[index].copy()), int(Y[index])

        def __len__(self) -> int:
            return len(X)

    return Rows()


def state(generator: Any) -> bytes:
    return generator.get_state().numpy().tobytes()[:5056]


def trace(lib: Any, data: Any, kind: str, options: Options, cut: int | None = None) -> list[Any]:
    """Two epochs: each batch, and the generators' states before, between and after."""
    lib.manual_seed(11)
    options = dict(options)
    generator = None
    if "generator" in options:
        generator = lib.Generator()
        generator.manual_seed(options["generator"])
        options["generator"] = generator
    for name in ("sampler", "batch_sampler"):
        if name in options:
            options[name] = options[name](lib, data)
    loader = data.DataLoader(dataset(lib, data, kind), **options)
    found: list[Any] = []

    def note() -> None:
        found.append(state(lib.default_generator))
        if generator is not None:
            found.append(state(generator))

    for _ in range(2):
        iterator = iter(loader)
        note()
        for number, batch in enumerate(iterator):
            found.append([getattr(part, "dtype", type(part)) and str(part) for part in batch])
            note()
            if number == cut:
                break
        del iterator
        note()
    return found


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind, cut", [("tensors", None), ("tensors", 2), ("subset", None)])
@pytest.mark.parametrize("case", CASES)
def test_batches_and_generators_of_data_in_memory(case, kind, num_workers, cut):
    torch = pytest.importorskip("torch")
    options = {**CASES[case], "num_workers": num_workers}
    expected = trace(torch, torch.utils.data, kind, options, cut)
    assert trace(flambeau, flambeau_data, kind, options, cut) == expected


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("case", CASES)
def test_batches_and_generators_of_other_datasets(case, num_workers):
    torch = pytest.importorskip("torch")
    options = {**CASES[case], "num_workers": num_workers}
    expected = trace(torch, torch.utils.data, "rows", options)
    assert trace(flambeau, flambeau_data, "rows", options) == expected


# -- recorded from PyTorch 2.13 after manual_seed(0) ----------------------------------------------


def test_recorded_shuffle_and_what_comes_after():
    flambeau.manual_seed(0)
    loader = flambeau_data.DataLoader(range(8), batch_size=3, shuffle=True)
    assert [batch.tolist() for batch in loader] == RECORDED["shuffle"]
    assert [batch.tolist() for batch in loader] == RECORDED["shuffle again"]
    assert flambeau.rand(2).tolist() == pytest.approx(RECORDED["rand"])


@pytest.mark.parametrize("method", ["fork", "in process"])
def test_recorded_shuffle_with_workers(method):
    flambeau.manual_seed(0)
    tensors = flambeau_data.TensorDataset(flambeau.arange(8))
    loader = flambeau_data.DataLoader(
        tensors,
        batch_size=3,
        shuffle=True,
        num_workers=1,
        multiprocessing_context="fork" if method == "fork" else None,
    )
    assert [batch.tolist() for (batch,) in loader] == RECORDED["shuffle"]


def test_recorded_split():
    flambeau.manual_seed(0)
    parts = flambeau_data.random_split(range(10), [0.5, 0.25, 0.25])
    assert [list(part) for part in parts] == RECORDED["split"]


def test_recorded_samplers():
    flambeau.manual_seed(0)
    assert (
        list(flambeau_data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 5))
        == (RECORDED["weighted"])
    )
    assert list(flambeau_data.SubsetRandomSampler([3, 5, 8, 13])) == RECORDED["subset"]
    assert (
        list(flambeau_data.RandomSampler(range(5), replacement=True)) == (RECORDED["replacement"])
    )


RECORDED: dict[str, Any] = {
    "shuffle": [[2, 0, 5], [3, 1, 4], [7, 6]],
    "shuffle again": [[0, 3, 7], [1, 6, 2], [5, 4]],
    "rand": [0.455627977848053, 0.6323062777519226],
    "split": [[4, 1, 7, 5, 3, 9], [0, 8], [6, 2]],
    "weighted": [5, 4, 4, 5, 4],
    "subset": [5, 13, 8, 3],
    "replacement": [0, 1, 2, 3, 2],
}
