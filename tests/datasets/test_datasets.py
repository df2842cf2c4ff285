"""The data sets are the ones of the lessons."""

from __future__ import annotations

import pytest

import flambeau as torch
from flambeau import datasets

pytest.importorskip("sklearn")


def test_digits_are_split_as_in_the_lesson() -> None:
    train, test = datasets.digits()
    assert train.tensors[0].shape == (1437, 64) and test.tensors[0].shape == (360, 64)
    assert train.tensors[0].dtype == torch.float32 and train.tensors[1].dtype == torch.int64
    # The first row that the course document prints begins so.
    assert train.tensors[0][0, :8].tolist() == [0, 0, 0, 10, 11, 0, 0, 0]
    assert test.tensors[0].max() == 16


def test_irises_are_standardized_by_the_training_rows() -> None:
    train, test = datasets.iris()
    assert train.tensors[0].shape == (100, 4) and test.tensors[0].shape == (50, 4)
    assert train.tensors[0].mean().item() == pytest.approx(0, abs=1e-5)
    assert train.tensors[0].std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert sorted(set(train.tensors[1].tolist())) == [0, 1, 2]


def test_circles_have_two_radii() -> None:
    train, test = datasets.circles()
    points, inner = train.tensors
    radius = (points**2).sum(dim=1).sqrt()
    assert points.shape == (300, 2) and inner.dtype == torch.float32
    assert radius[inner == 1].mean().item() == pytest.approx(0.5, abs=0.05)
    assert radius[inner == 0].mean().item() == pytest.approx(1.0, abs=0.05)
    assert not torch.equal(points, test.tensors[0])


def test_without_scikit_learn_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"flambeau\[train\]"):
        datasets.iris()
