"""Values added at indices on NumPy arrays: the quick way gives what ``ufunc.at`` gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.namespaces import numpy_adding

KEYS: dict[str, Any] = {
    "rows": lambda g: (g.integers(0, 9, 300),),
    "rows from the end": lambda g: (g.integers(-9, 9, 300),),
    "rows by two dims": lambda g: (g.integers(0, 9, (20, 30)),),
    "int32": lambda g: (g.integers(0, 9, 300).astype(np.int32),),
    "two dims": lambda g: (g.integers(0, 9, 300), g.integers(0, 8, 300)),
    "two dims, one from the end": lambda g: (g.integers(0, 9, 300), g.integers(-8, 8, 300)),
    "all dims": lambda g: (g.integers(-9, 9, 700), g.integers(0, 8, 700), g.integers(0, 7, 700)),
    "a scatter's": lambda g: (np.arange(9)[:, None], g.integers(0, 8, (9, 60))),
    "behind a whole dim": lambda g: (slice(None), g.integers(0, 8, 300)),
    "a mask": lambda g: (np.arange(9) % 2 == 0,),
}


@pytest.mark.parametrize("piece", [64, 1 << 16])
@pytest.mark.parametrize("reduction", [np.add, np.multiply, np.maximum, np.minimum])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "float16"])
@pytest.mark.parametrize("name", KEYS)
def test_it_is_what_numpy_does(
    name: str, dtype: str, reduction: np.ufunc, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numpy_adding, "_PIECE", piece)
    g = np.random.default_rng(0)
    key = KEYS[name](g)
    target = g.integers(-3, 4, (9, 8, 7)).astype(dtype)
    values = g.integers(-1, 3, target[key].shape).astype(dtype)
    wanted = target.copy()
    reduction.at(wanted, key, values)
    numpy_adding.reduce_at(reduction, target, key, values)
    np.testing.assert_array_equal(target, wanted)


def test_values_are_broadcast_and_other_layouts_written_to() -> None:
    g = np.random.default_rng(0)
    rows = g.integers(0, 9, 100)
    for target in (np.zeros((9, 8)), np.zeros((8, 9)).T):
        wanted = target.copy()
        row = g.normal(size=(8,))
        np.add.at(wanted, (rows,), row)
        numpy_adding.reduce_at(np.add, target, (rows,), np.broadcast_to(row, (100, 8)))
        np.testing.assert_allclose(target, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    "key",
    [
        (np.full(300, 9),),
        (np.full(300, -10),),
        (np.zeros(300, int), np.full(300, 8)),
        (np.zeros(300, int), np.full(300, -9)),
        (np.full(300, 9), np.zeros(300, int)),
        (np.full(300, -10), np.zeros(300, int)),
    ],
)
def test_indices_out_of_range_are_refused(key: Any) -> None:
    target = np.zeros((9, 8, 7))
    with pytest.raises(IndexError):
        numpy_adding.reduce_at(np.add, target, key, np.ones((300, *target.shape[len(key) :])))
    assert not target.any()


def test_an_embedding_bag_and_its_gradient_add_rows_one_after_the_other() -> None:
    """Large enough for the quick way; the truth is a loop."""
    g = np.random.default_rng(0)
    indices = g.integers(0, 20, (30, 12))
    weight = g.normal(size=(20, 40))
    table = torch.tensor(weight, requires_grad=True)
    bags = torch.nn.functional.embedding_bag(torch.tensor(indices), table, mode="sum")
    factors = g.normal(size=(30, 40))
    (bags * torch.tensor(factors)).sum().backward()
    wanted = np.zeros_like(weight)
    for bag, row in zip(indices, factors):
        for index in bag:
            wanted[index] += row
    np.testing.assert_allclose(bags.detach().numpy(), weight[indices].sum(1), rtol=1e-12)
    np.testing.assert_allclose(table.grad.numpy(), wanted, rtol=1e-12, atol=1e-12)
