"""Pictures of data, training and networks, drawn with matplotlib (the extra `plots`)."""

from __future__ import annotations

from flambeau.plots.activations import ACTIVATIONS, plot_activation_table, plot_activations
from flambeau.plots.classification import (
    confusion_matrix,
    plot_classification_2d,
    plot_confusion_matrix,
)
from flambeau.plots.curves import plot_accuracy, plot_loss, training_curves
from flambeau.plots.images import plot_feature_maps, plot_filters, plot_images
from flambeau.plots.regression import plot_nodes, plot_regression
from flambeau.plots.runs import plot_runs, smoothed

__all__ = [
    "ACTIVATIONS",
    "confusion_matrix",
    "plot_accuracy",
    "plot_activation_table",
    "plot_activations",
    "plot_classification_2d",
    "plot_confusion_matrix",
    "plot_feature_maps",
    "plot_filters",
    "plot_images",
    "plot_loss",
    "plot_nodes",
    "plot_regression",
    "plot_runs",
    "smoothed",
    "training_curves",
]
