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


def test_blobs_keep_apart() -> None:
    train, test = datasets.blobs()
    points, classes = train.tensors
    assert points.shape == (200, 2) and classes.dtype == torch.int64
    centers = torch.stack([points[classes == c].mean(dim=0) for c in range(4)])
    others = torch.stack([test.tensors[0][test.tensors[1] == c].mean(dim=0) for c in range(4)])
    assert torch.allclose(centers, others, atol=0.1)  # new points of the same clouds
    distances = torch.cdist(centers, centers) + 9 * torch.eye(4)
    assert distances.min().item() > 0.9


def test_moons_reach_into_each_other() -> None:
    (points, moon), _ = (part.tensors for part in datasets.moons(noise=0.0))
    upper, lower = points[moon == 0], points[moon == 1]
    assert (upper**2).sum(dim=1).sqrt().tolist() == pytest.approx([1.0] * 150, abs=1e-5)
    assert lower[:, 1].min() < 0 < lower[:, 1].max()


def test_the_spiral_has_arms_four_radians_apart() -> None:
    (points, arm), (others, _) = (part.tensors for part in datasets.spiral(noise=0.0))
    assert points.shape == (300, 2) and arm.bincount().tolist() == [100, 100, 100]
    assert torch.equal(points, others)  # without noise there is but one spiral
    radius = (points**2).sum(dim=1).sqrt()
    assert radius[:100].tolist() == pytest.approx(torch.linspace(0, 1, 100).tolist(), abs=1e-5)
    last = torch.atan2(points[99::100, 0], points[99::100, 1])
    assert (last % (2 * torch.pi)).tolist() == pytest.approx(
        [4.0, 8 - 2 * torch.pi, 12 - 2 * torch.pi], abs=1e-4
    )


def test_regressions_have_the_features_asked_for() -> None:
    x, y = datasets.linear_regression(rows=20, features=3).tensors
    assert x.shape == (20, 3) and y.shape == (20,) and y.dtype == torch.float32
    # The first target that the course prints, of 500 rows with one feature.
    assert datasets.linear_regression().tensors[1][0].item() == pytest.approx(31.0760, abs=1e-3)
    x, y = datasets.cubed_sine().tensors
    assert bool((x[1:] >= x[:-1]).all())
    assert y[250].item() == pytest.approx(
        x[250, 0].item() ** 2 + 15 * torch.sin(x[250, 0]).item() ** 3, abs=1e-5
    )
    x, y = datasets.toy_line().tensors
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x[-1].item() == pytest.approx(4.5 / 8.25**0.5) and y.sum().item() == pytest.approx(49.7)


def test_without_scikit_learn_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"flambeau\[train\]"):
        datasets.iris()
