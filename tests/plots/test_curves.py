"""Curves show what the history holds."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("matplotlib").use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from flambeau.plots import plot_accuracy, plot_loss, training_curves  # noqa: E402

HISTORY = {
    "epoch": [1.0, 2.0, 3.0],
    "train_loss": [4.0, 1.0, 0.1],
    "test_loss": [5.0, 2.0, 1.0],
    "train_accuracy": [0.5, 0.7, 0.9],
    "test_accuracy": [0.4, math.nan, 0.8],
}


def test_loss_is_drawn_on_the_axes_given() -> None:
    axes = Figure().subplots()
    assert plot_loss(HISTORY, ax=axes, title="a title") is axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["train"].get_ydata()) == HISTORY["train_loss"]
    assert list(lines["test"].get_xdata()) == HISTORY["epoch"]
    assert axes.get_xlabel() == "epoch" and axes.get_title() == "a title"
    assert axes.get_yscale() == "log"


def test_values_that_were_not_measured_are_left_out() -> None:
    axes = plot_accuracy(HISTORY, ax=Figure().subplots())
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["test"].get_xdata()) == [1.0, 3.0]


def test_smoothed_curves_show_their_values_behind() -> None:
    panels = training_curves(HISTORY, ax=list(Figure().subplots(1, 2)), smoothing=0.5)
    behind, smooth, *_ = panels[0].get_lines()
    assert list(behind.get_ydata()) == HISTORY["train_loss"]
    # (0.5 * 4 + 1) / 1.5 and (0.25 * 4 + 0.5 * 1 + 0.1) / 1.75
    assert list(smooth.get_ydata()) == pytest.approx([4.0, 2.0, 1.6 / 1.75])
    assert smooth.get_label() == "train" and len(panels[1].get_lines()) == 5
    with pytest.raises(ValueError, match="less than 1, not 1"):
        plot_loss(HISTORY, ax=Figure().subplots(), smoothing=1.0)


def test_a_history_without_epochs_or_numbers_gives_empty_axes() -> None:
    nothing = {"epoch": [], "train_loss": []}
    assert not plot_loss(nothing, ax=Figure().subplots()).get_lines()
    nan = {"epoch": [1, 2], "train_loss": [math.nan, math.nan]}
    assert not plot_loss(nan, ax=Figure().subplots()).get_lines()


def test_without_axes_there_is_a_new_figure() -> None:
    from matplotlib import pyplot

    axes = plot_loss(HISTORY)
    assert axes.figure.number in pyplot.get_fignums()
    pyplot.close(axes.figure)


def test_the_figure_has_a_panel_for_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    drawn = training_curves(HISTORY, title="run", path=path)
    assert [axes.get_ylabel() for axes in drawn] == ["loss", "accuracy"]
    assert path.read_bytes().startswith(b"\x89PNG")
    loss_only = {name: HISTORY[name] for name in ("epoch", "train_loss")}
    assert len(training_curves(loss_only)) == 1


def test_the_figure_takes_axes() -> None:
    both = list(Figure().subplots(1, 2))
    assert training_curves(HISTORY, ax=both) is both and all(axes.get_lines() for axes in both)
    with pytest.raises(ValueError, match="2 panels to draw, but 1 axes"):
        training_curves(HISTORY, ax=both[:1])


def test_a_history_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no column 'train_loss'"):
        plot_loss({"epoch": [1.0]})
    with pytest.raises(ValueError, match="3 epochs, but 2 of train_loss"):
        plot_loss({"epoch": [1.0, 2.0, 3.0], "train_loss": [1.0, 2.0]}, ax=Figure().subplots())
