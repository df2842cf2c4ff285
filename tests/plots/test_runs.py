"""Several runs in one picture: what is drawn is what was recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib").use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from flambeau.plots import plot_runs, smoothed  # noqa: E402


def test_smoothing_is_the_corrected_moving_average() -> None:
    assert smoothed([4.0, 0.0, 8.0], 0.0).tolist() == [4.0, 0.0, 8.0]
    found = smoothed([4.0, 0.0, 8.0], 0.5)
    # 2 / 0.5, 1 / 0.75, 4.5 / 0.875
    np.testing.assert_allclose(found, [4.0, 4 / 3, 36 / 7])
    assert smoothed([2.0] * 5, 0.9).tolist() == pytest.approx([2.0] * 5)
    gaps = smoothed([1.0, math.nan, 1.0], 0.9)
    assert math.isnan(gaps[1]) and gaps[2] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="less than 1, not 1"):
        smoothed([1.0], 1.0)


def test_every_run_is_drawn_under_its_name_on_the_axes_given() -> None:
    axes = Figure().subplots()
    history = {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0]}
    assert plot_runs({"a": history, "b": [5.0, 4.0]}, ax=axes, title="t") is axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["a"].get_xdata()) == [1, 2, 3]
    assert list(lines["a"].get_ydata()) == [3.0, 2.0, 1.0]
    assert list(lines["b"].get_ydata()) == [5.0, 4.0]
    assert axes.get_ylabel() == "train loss" and axes.get_title() == "t"


def test_smoothed_runs_show_their_values_behind() -> None:
    axes = plot_runs({"a": [4.0, 0.0]}, smoothing=0.5, ax=Figure().subplots())
    behind, front = axes.get_lines()
    assert list(behind.get_ydata()) == [4.0, 0.0]
    assert list(front.get_ydata()) == pytest.approx([4.0, 4 / 3])


def test_repetitions_are_drawn_as_their_mean_and_spread() -> None:
    axes = plot_runs({"a": [[1.0, 2.0], [3.0, 6.0]]}, ax=Figure().subplots())
    assert list(axes.get_lines()[0].get_ydata()) == [2.0, 4.0]
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == 1.0 and heights.max() == 6.0


def test_a_loss_that_spreads_wide_gets_a_logarithmic_scale() -> None:
    assert plot_runs({"a": [100.0, 1.0]}, ax=Figure().subplots()).get_yscale() == "log"
    assert plot_runs({"a": [100.0, 0.0]}, ax=Figure().subplots()).get_yscale() == "linear"
    assert plot_runs({"a": [100.0, 1.0]}, ax=Figure().subplots(), log=False).get_yscale() == (
        "linear"
    )


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="'a' has no column 'test_loss'; it has epoch"):
        plot_runs({"a": {"epoch": [1]}}, "test_loss", ax=Figure().subplots())
    with pytest.raises(ValueError, match="no run"):
        plot_runs({})


def test_a_single_epoch_is_drawn_as_a_point_over_a_whole_number():
    axes = plot_runs(
        {"a": {"epoch": [1], "train_loss": [0.5]}}, "train_loss", ax=Figure().subplots()
    )
    (line,) = axes.get_lines()
    assert line.get_marker() == "o"
    left, right = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
    assert ticks == [round(tick) for tick in ticks]


@pytest.mark.parametrize(
    ("names", "place"),
    [(["a", "b"], "inside"), ([str(i) for i in range(20)], "right"), (["long " * 12], "below")],
)
def test_a_legend_covers_no_curves(names: list[str], place: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure).draw()
    axes = plot_runs({name: [1.0, 2.0] for name in names}, ax=figure.subplots())
    figure.canvas.draw()
    legend, frame = axes.get_legend().get_window_extent(), axes.get_window_extent()
    found = "right" if legend.x0 >= frame.x1 else "below" if legend.y1 <= frame.y0 else "inside"
    assert found == place
    assert legend.x1 <= figure.bbox.x1 and legend.y0 >= 0


def test_steps_are_counted_in_whole_numbers() -> None:
    axes = plot_runs({"a": [3.0, 2.0, 1.0]}, ax=Figure().subplots())
    assert all(place == round(place) for place in axes.get_xticks())
