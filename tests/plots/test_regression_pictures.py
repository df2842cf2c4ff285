"""Regressions: the calls of the lessons, and contributions that add up to the prediction."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("matplotlib").use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from flambeau.plots import plot_nodes, plot_regression  # noqa: E402

X = np.array([2.0, 0.0, 1.0])
Y = np.array([4.0, 0.0, 1.0])


def test_points_and_a_line_in_the_order_of_the_feature() -> None:
    axes = Figure().subplots()
    prediction = torch.tensor([[5.0], [3.0], [4.0]], requires_grad=True)
    assert (
        plot_regression(X[:, None], Y, prediction.detach(), y_range=[-25, 25], dy=5, ax=axes)
        is axes
    )
    assert axes.collections[0].get_offsets().tolist() == [[2, 4], [0, 0], [1, 1]]
    (line,) = axes.get_lines()
    assert list(line.get_xdata()) == [0, 1, 2] and list(line.get_ydata()) == [3, 4, 5]
    assert axes.get_ylim() == (-25, 25)
    assert np.diff(axes.get_yticks()).tolist() == [5.0] * (len(axes.get_yticks()) - 1)


def test_without_predictions_there_is_no_line() -> None:
    assert not plot_regression(X, Y, ax=Figure().subplots()).get_lines()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"X should hold one value .* \(3, 2\)"):
        plot_regression(np.zeros((3, 2)), Y)
    with pytest.raises(ValueError, match="X has 3, y has 2"):
        plot_regression(X, Y[:2])


def test_contributions_of_nodes_and_the_bias_add_up_to_the_prediction() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 1))
    x = np.linspace(-1, 1, 11)
    inputs = torch.tensor(x[:, None], dtype=torch.float32)
    predicted = model(inputs).detach().numpy().squeeze()
    axes = Figure().subplots()
    assert plot_nodes(x, predicted, model, ax=axes) is axes
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
    total = sum(lines[f"node {i}"] for i in (1, 2, 3)) + lines["bias"][0]
    np.testing.assert_allclose(total, predicted, rtol=1e-5)
    np.testing.assert_allclose(lines["sum of all: the prediction"], predicted)
    assert model.training


def test_a_network_that_does_not_end_in_one_output_is_refused() -> None:
    with pytest.raises(ValueError, match="it ends in Linear"):
        plot_nodes(X, Y, nn.Linear(1, 2))
    with pytest.raises(ValueError, match="it has no nn.Linear"):
        plot_nodes(X, Y, nn.Sigmoid())
