"""Pictures of training, drawn with matplotlib (the extra `plots`)."""

from __future__ import annotations

from flambeau.plots.curves import plot_accuracy, plot_loss, training_curves

__all__ = ["plot_accuracy", "plot_loss", "training_curves"]
