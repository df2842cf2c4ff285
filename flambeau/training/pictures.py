"""What a trained model looks like: its fit, its regions, its answers; and runs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flambeau as torch

if TYPE_CHECKING:
    from flambeau.training.loop import Run

__all__ = [
    "Picture",
    "classes_of_rows",
    "comparison_curves",
    "digit_answers",
    "draw_picture",
    "fitted_curve",
    "fitted_curve_and_nodes",
    "fitted_polynomial",
    "iteration_curves",
    "predicted_against_true",
    "regions",
]

IMAGES_SHOWN = 40


@dataclass(frozen=True)
class Picture:
    """A picture of a trained model.

    Attributes:
        name: of the file, without its ending.
        draw: draws on the axes; takes them and the run.
        panels: how many axes, side by side.
        size: of a panel, width and height in inches.
    """

    name: str
    draw: Callable[[Sequence[Any], Any], None]
    panels: int = 1
    size: tuple[float, float] = (5.2, 4.2)


def draw_picture(picture: Picture, run: Run, path: Path) -> None:
    """Draw the picture of a run's model into a file.

    Arguments:
        picture: what to draw.
        run: whose model.
        path: the file, PNG, SVG or PDF by its ending.

    Raises:
        ImportError: matplotlib is not installed.
    """
    width, height = picture.size
    figure, axes = _figure(1, picture.panels, (width * picture.panels, height))
    picture.draw(axes, run)
    figure.savefig(path, dpi=120)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    """A figure that belongs to no window and needs no display, and its axes."""
    from flambeau.plots.axes import require_matplotlib

    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def _outputs(run: Run, inputs: torch.Tensor) -> torch.Tensor:
    run.model.eval()
    with torch.no_grad():
        return torch.cat([run.model(part) for part in inputs.split(1000)])


# --- one run --------------------------------------------------------------------------------------


def regions(axes: Sequence[Any], run: Run) -> None:
    """On one of `axes`, training points of `run`, and where its model puts each class."""
    from flambeau.plots import plot_classification_2d

    points, classes = run.train_rows.tensors
    plot_classification_2d(points, classes, run.model, title=run.recipe.name, ax=axes[0])


def fitted_curve(axes: Sequence[Any], run: Run) -> None:
    """On one of `axes`, rows of one feature of `run`, and its model's line through them."""
    from flambeau.plots import plot_regression

    x, y = run.train_rows.tensors
    plot_regression(x, y, _outputs(run, x), title=run.recipe.name, ax=axes[0])


def fitted_curve_and_nodes(axes: Sequence[Any], run: Run) -> None:
    """On two `axes`, the fit of `run` and what each node of the last hidden layer contributes."""
    from flambeau.plots import plot_nodes

    fitted_curve(axes, run)
    x, _ = run.train_rows.tensors
    network: Any = run.model
    # The nodes are those of the network without the layer that flattens its output.
    plot_nodes(x, _outputs(run, x), network[:-1], title="nodes", ax=axes[1])


def fitted_polynomial(axes: Sequence[Any], run: Run) -> None:
    """On one of `axes`, the sine and the polynomial of `run`, over the powers' first: x."""
    from flambeau.plots import plot_regression

    powers, y = run.train_rows.tensors
    plot_regression(powers[:, 1], y, _outputs(run, powers), title=run.recipe.name, ax=axes[0])


def predicted_against_true(axes: Sequence[Any], run: Run) -> None:
    """On one of `axes`, predictions of `run` over targets: on the diagonal they agree."""
    from flambeau.plots.axes import colour, tidy

    inputs, targets = run.train_rows.tensors
    true, predicted = targets.numpy(), _outputs(run, inputs).numpy()
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    axes[0].scatter(true, predicted, s=16, color=colour(0), alpha=0.55, linewidths=0)
    axes[0].plot([low, high], [low, high], color=colour(1), linewidth=1.5, label="equal")
    axes[0].set_xlabel("target")
    axes[0].set_ylabel("prediction")
    axes[0].legend(frameon=False)
    tidy(axes[0], run.recipe.name)


def digit_answers(axes: Sequence[Any], run: Run) -> None:
    """On two `axes`, test images with the answers of `run`, and all their confusion matrix."""
    from flambeau.plots import plot_confusion_matrix, plot_images

    assert run.test_rows is not None
    inputs, targets = run.test_rows.tensors
    answers = _outputs(run, inputs).argmax(dim=1)
    # Those that are wrong come first: they say the most.
    order = (answers == targets).long().argsort(stable=True)[:IMAGES_SHOWN]
    side = math.isqrt(inputs[0].numel())
    images = inputs[order].view(-1, side, side)
    images = images - images.min()
    plot_images(
        images / images.max(),
        targets[order],
        answers[order],
        title="test images, predicted (true): mistakes first",
        ax=axes[0],
    )
    plot_confusion_matrix(targets, answers, ax=axes[1])


def classes_of_rows(names: Sequence[str], axes: Sequence[Any], run: Run) -> None:
    """On one of `axes`, the confusion matrix of the test rows of `run`, with `names` of classes."""
    from flambeau.plots import plot_confusion_matrix

    assert run.test_rows is not None
    inputs, targets = run.test_rows.tensors
    plot_confusion_matrix(targets, _outputs(run, inputs), names, ax=axes[0])


# --- several runs ---------------------------------------------------------------------------------

ITERATION_SMOOTHING = 0.95
"""Weight of the past in a mean over about twenty iterations."""

QUANTITIES = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")


def comparison_curves(
    runs: Mapping[str, Sequence[Mapping[str, Sequence[float]]]],
    path: Path,
    *,
    title: str | None = None,
    legend: str | None = None,
    look: Mapping[str, tuple[int, str]] | None = None,
    smoothing: float = 0.0,
) -> None:
    """Draw runs over each other: a panel for each quantity that was measured.

    Arguments:
        runs: by label the histories of its runs, one for each seed.
        path: the file to write.
        title: above the panels.
        legend: above the labels.
        look: by label the number of its colour and the style of its line.
        smoothing: as in `flambeau.plots.plot_runs`.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: nothing was measured.
    """
    from flambeau.plots import plot_runs
    from flambeau.plots.axes import colour, require_matplotlib

    require_matplotlib()
    measured = [
        quantity
        for quantity in QUANTITIES
        if any(
            math.isfinite(value)
            for histories in runs.values()
            for history in histories
            for value in history.get(quantity, ())
        )
    ]
    if not measured:
        raise ValueError("there is nothing to draw: no run has come to the end of an epoch")
    rows, columns = (2, 2) if len(measured) == 4 else (1, len(measured))
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure, axes = _figure(rows, columns, (4.6 * columns + 1.6, 3.4 * rows))
    for ax, quantity in zip(axes, measured):
        plot_runs(dict(runs), quantity, smoothing=smoothing, ax=ax)
        ax.get_legend().remove()
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if quantity.endswith("accuracy"):
            ax.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
        bands = list(ax.collections) if len(ax.collections) == len(runs) else []
        lines = [line for line in ax.get_lines() if line.get_label() in runs]
        for index, line in enumerate(lines):
            hue, style = (look or {}).get(str(line.get_label()), (index, "-"))
            line.set(color=colour(hue), linestyle=style)
            if bands:
                bands[index].set_facecolor(colour(hue))
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside right upper",
        title=legend,
        frameon=False,
        fontsize="small",
    )
    if title is not None:
        figure.suptitle(title)
    figure.savefig(path, dpi=120)


def iteration_curves(
    rows: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    path: Path,
    *,
    title: str | None = None,
    legend: str | None = None,
) -> None:
    """Draw loss and accuracy over the iterations: a row of panels for each group of runs.

    Arguments:
        rows: by the row's title and the run's label what the run recorded at each iteration:
            `train_loss` and `train_accuracy`.
        path: the file to write.
        title: above the panels.
        legend: above the labels.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from flambeau.plots import plot_runs

    figure, axes = _figure(len(rows), 2, (10.8, 3.4 * len(rows)))
    labels: dict[str, Any] = {}
    for row, (name, runs) in enumerate(rows.items()):
        for column, quantity in enumerate(("train_loss", "train_accuracy")):
            ax = axes[2 * row + column]
            values = {label: record[quantity] for label, record in runs.items()}
            plot_runs(values, quantity, smoothing=ITERATION_SMOOTHING, title=name, ax=ax)
            ax.set_xlabel("iteration")
            ax.get_legend().remove()
            drawn = [line for line in ax.get_lines() if line.get_label() in runs]
            for index, line in enumerate(drawn):
                # Dashes, so that runs that coincide show through each other.
                line.set_linestyle(("-", "--", ":", "-.")[index % 4])
                labels.setdefault(str(line.get_label()), line)
    figure.legend(
        labels.values(), labels, loc="outside right upper", title=legend, frameon=False,
        fontsize="small",
    )  # fmt: skip
    if title is not None:
        figure.suptitle(title)
    figure.savefig(path, dpi=120)
