"""Decision regions lie where the network decides; the confusion matrix counts."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("matplotlib").use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from flambeau.plots import (  # noqa: E402
    confusion_matrix,
    plot_classification_2d,
    plot_confusion_matrix,
)

X = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0, 1, 1])


class Halves(nn.Module):
    """Logits of the plane's right half."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x):
        right = 50 * x[:, :1]
        return right if self.outputs == 1 else torch.cat([-right, right], 1)


def test_points_are_drawn_by_class() -> None:
    axes = Figure().subplots()
    assert plot_classification_2d(X, Y, ax=axes, title="t", classes=["no", "yes"]) is axes
    assert [c.get_offsets().tolist() for c in axes.collections] == [
        [[-1, 0]],
        [[1, 0], [1, 1]],
    ]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["no", "yes"]


def test_one_output_has_its_boundary_where_the_probability_is_a_half() -> None:
    model = Halves(1)
    axes = plot_classification_2d(X, Y, model, transform="Sigmoid", ax=Figure().subplots())
    boundary = axes.collections[0].get_paths()[0].vertices
    assert np.abs(boundary[:, 0]).max() < 0.02
    assert model.training


@pytest.mark.parametrize("transform", ["Softmax", None, nn.Softmax, lambda t: t.softmax(1)])
def test_several_outputs_colour_the_plane_by_the_best(transform) -> None:
    axes = plot_classification_2d(X, Y, Halves(2), transform=transform, ax=Figure().subplots())
    picture = np.asarray(axes.images[0].get_array())
    blue, orange = picture[100, 5], picture[100, -5]
    assert blue[2] > blue[0] and orange[0] > orange[2]


def test_wrong_shapes_and_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, 2\), not \(3, 3\)"):
        plot_classification_2d(np.zeros((3, 3)), Y)
    with pytest.raises(ValueError, match="no such layer in nn"):
        plot_classification_2d(X, Y, Halves(1), transform="Sigmund", ax=Figure().subplots())


@pytest.mark.parametrize(
    ("X", "y", "classes", "message"),
    [
        (np.zeros((0, 2)), [], None, "no samples"),
        ([[np.nan, 1.0]], [0], None, "infinite or NaN"),
        ([[0.0, 1.0]], [-1], None, "numbered from 0, and there are -1 to -1"),
        ([[0.0, 1.0]], [2], ["a", "b"], "numbered from 0 to 1, and there are 2 to 2"),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(X, y, classes, message) -> None:
    with pytest.raises(ValueError, match=message):
        plot_classification_2d(np.array(X), y, classes=classes, ax=Figure().subplots())


def test_a_single_sample_has_room_around_it() -> None:
    axes = plot_classification_2d([[3.0, 0.0]], [0], ax=Figure().subplots())
    assert axes.get_xlim() == pytest.approx((2.76, 3.24))
    assert axes.get_ylim() == pytest.approx((-0.08, 0.08))


def test_long_names_leave_room_for_the_matrix() -> None:
    from matplotlib import pyplot

    axes = plot_confusion_matrix([0, 1], [0, 1], ["a name of thirty-eight characters or so", "b"])
    axes.figure.canvas.draw()
    frame = axes.get_window_extent()
    assert frame.width > 100 and axes.title.get_window_extent().x1 < axes.figure.bbox.x1
    pyplot.close(axes.figure)


def test_of_very_many_classes_every_few_have_their_name() -> None:
    axes = plot_confusion_matrix(range(50), range(50), ax=Figure().subplots())
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["0", "2", "4"]


def test_the_confusion_matrix_counts_as_scikit_learn_does() -> None:
    true, found = [0, 1, 2, 2, 1], [0, 2, 2, 1, 1]
    expected = [[1, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert confusion_matrix(true, found).tolist() == expected
    scores = torch.eye(3)[torch.tensor(found)]
    assert confusion_matrix(torch.tensor(true), scores).tolist() == expected
    assert confusion_matrix([0], [0], 2).tolist() == [[1, 0], [0, 0]]
    with pytest.raises(ValueError, match="numbered from 0 to 1, and there are 0 to 2"):
        confusion_matrix(true, found, 2)


def test_the_confusion_matrix_is_drawn_with_its_counts_and_accuracy() -> None:
    axes = Figure().subplots()
    assert plot_confusion_matrix([0, 0, 1], [0, 1, 1], ["cat", "dog"], ax=axes) is axes
    assert [text.get_text() for text in axes.texts] == ["1", "1", "1"]
    assert axes.get_title() == "66.7% right"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog"]
    axes = plot_confusion_matrix([0, 0, 1], [0, 1, 1], normalize=True, ax=Figure().subplots())
    assert [text.get_text() for text in axes.texts] == ["50%", "50%", "100%"]
