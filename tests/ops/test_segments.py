"""Reductions of segments, against PyTorch and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau

DATA = np.linspace(-1.5, 2.0, 24)


def test_segments_are_summed_and_empty_ones_are_named() -> None:
    data, lengths = flambeau.tensor([1.0, 2.0, 3.0, 4.0]), flambeau.tensor([1, 0, 3])
    reduced = {
        how: flambeau.segment_reduce(data, how, lengths=lengths).tolist()
        for how in ("sum", "prod", "max", "min")
    }
    assert reduced["sum"] == [1.0, 0.0, 9.0] and reduced["prod"] == [1.0, 1.0, 24.0]
    assert reduced["max"] == [1.0, -np.inf, 4.0] and reduced["min"] == [1.0, np.inf, 2.0]
    mean = flambeau.segment_reduce(data, "mean", lengths=lengths)
    assert mean[[0, 2]].tolist() == [1.0, 3.0] and mean[1].isnan()


@pytest.mark.parametrize("how", ["sum", "mean", "prod", "max", "min"])
@pytest.mark.parametrize("initial", [None, 0.5])
@pytest.mark.parametrize("kind", ["lengths", "offsets", "batches", "vector"])
def test_results_and_gradients_are_pytorchs(how: str, initial: float | None, kind: str) -> None:
    pytorch = pytest.importorskip("torch")
    found: list[list[Any]] = []
    for t in (flambeau, pytorch):
        shape = {"batches": (2, 4, 3), "vector": (24,)}.get(kind, (6, 2, 2))
        data = t.tensor(DATA.reshape(shape), requires_grad=True)
        where: dict[str, Any] = {
            "lengths": {"lengths": t.tensor([2, 0, 3, 1])},
            "offsets": {"offsets": t.tensor([0, 2, 2, 5, 6])},
            "batches": {"lengths": t.tensor([[1, 3], [4, 0]]), "axis": 1},
            "vector": {"lengths": t.tensor([20, 4])},
        }[kind]
        reduced = t.segment_reduce(data, how, initial=initial, **where)
        reduced[reduced.isfinite()].square().sum().backward()
        found.append([np.asarray(reduced.detach()), np.asarray(data.grad)])
    for mine, theirs in zip(*found):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)


def test_lengths_that_do_not_fit_are_refused() -> None:
    data = flambeau.ones(3)
    with pytest.raises(RuntimeError, match="Either lengths or offsets must be defined"):
        flambeau.segment_reduce(data, "sum")
    with pytest.raises(RuntimeError, match="Expected all rows of lengths along axis to sum to"):
        flambeau.segment_reduce(data, "sum", lengths=flambeau.tensor([1, 1]))
    with pytest.raises(RuntimeError, match="lengths contains negative value!"):
        flambeau.segment_reduce(data, "sum", lengths=flambeau.tensor([-1, 4]))
    with pytest.raises(RuntimeError, match="Expected axis to be the last dimension of lengths"):
        flambeau.segment_reduce(data, "sum", lengths=flambeau.tensor([3]), axis=1)
    with pytest.raises(RuntimeError, match="reduce argument must be"):
        flambeau.segment_reduce(data, "median", lengths=flambeau.tensor([3]))
    with pytest.raises(NotImplementedError, match="not implemented for 'Int'"):
        flambeau.segment_reduce(data.int(), "sum", lengths=flambeau.tensor([3]))
