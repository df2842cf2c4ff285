"""Activation functions and derivatives are drawn as they are."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("matplotlib").use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from flambeau.plots import ACTIVATIONS, plot_activation_table, plot_activations  # noqa: E402


def _values(line):
    y = np.asarray(line.get_ydata())
    return y[~np.isnan(y)]


def test_each_function_has_a_panel_with_its_derivative() -> None:
    x = torch.linspace(-6, 6, 101)
    panels = list(Figure().subplots(1, 3))
    assert plot_activations(x, [nn.Sigmoid, nn.ReLU(), "Tanh"], ax=panels) is panels
    assert [axes.get_title() for axes in panels] == ["Sigmoid", "ReLU", "Tanh"]
    z = x.numpy().astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-z))
    function, slope = panels[0].get_lines()
    np.testing.assert_allclose(_values(function), sigmoid, rtol=1e-6)
    np.testing.assert_allclose(_values(slope), sigmoid * (1 - sigmoid), rtol=1e-6)
    np.testing.assert_allclose(_values(panels[2].get_lines()[1]), 1 - np.tanh(z) ** 2, atol=1e-6)


def test_one_axes_takes_all_functions() -> None:
    axes = Figure().subplots()
    found = plot_activations(
        torch.linspace(-1, 1, 60), [torch.tanh, nn.ReLU], derivatives=False, ax=axes
    )
    assert found is axes
    assert [line.get_label() for line in axes.get_lines()] == ["tanh", "ReLU"]


def test_new_panels_are_made_where_none_are_given() -> None:
    assert len(plot_activations(torch.linspace(-6, 6, 100), [nn.Sigmoid] * 4)) == 4


def test_no_line_is_drawn_across_a_jump() -> None:
    axes = Figure().subplots()
    plot_activations(torch.linspace(-4, 4, 800), [torch.sign], ax=axes, derivatives=False)
    y = np.asarray(axes.get_lines()[0].get_ydata())
    steps = np.abs(np.diff(y))
    assert np.isnan(y).any() and np.nanmax(steps) == 0


def test_the_table_holds_the_seven_functions_of_the_lesson() -> None:
    at = torch.tensor([-2.0, -0.25, 0.0, 0.25, 2.0])
    found = {row.name: row.function(at).tolist() for row in ACTIVATIONS}
    assert found["unit step"] == [0, 0, 0.5, 1, 1]
    assert found["sign"] == [-1, -1, 0, 1, 1]
    assert found["linear"] == at.tolist()
    assert found["piecewise linear"] == [0, 0.25, 0.5, 0.75, 1]
    assert found["ReLU"] == [0, 0, 0, 0.25, 2]
    assert set(found) == {
        "unit step", "sign", "linear", "piecewise linear", "logistic (sigmoid)",
        "hyperbolic tangent", "ReLU",
    }  # fmt: skip
    panels = plot_activation_table()
    assert panels[0].get_title().startswith("unit step\n")
    panels[0].figure.canvas.draw()  # the formulas are ones that matplotlib can set


def test_what_is_no_function_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="'flambeau.nn' is a module, not an activation"):
        plot_activations(torch.linspace(-1, 1, 3), [nn.ReLU, nn])
    with pytest.raises(TypeError, match="no layer nn.Relu"):
        plot_activations(torch.linspace(-1, 1, 3), ["Relu"])
    with pytest.raises(ValueError, match="2 functions, but 1 axes"):
        plot_activations(torch.ones(3), [nn.ReLU, nn.Tanh], ax=[Figure().subplots()])
