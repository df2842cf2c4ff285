"""Measuring: right answers, running means, and the table of a run (`metrics.csv`)."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau.nn import Module

__all__ = ["COLUMNS", "History", "RunningMean", "count_correct", "count_correct_binary", "evaluate"]

COLUMNS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


def count_correct(outputs: torch.Tensor, targets: torch.Tensor) -> int:
    """How many rows have their largest output at the target.

    Arguments:
        outputs: `(N, C)`.
        targets: `(N,)`, classes.

    Returns:
        An int.
    """
    return int(outputs.argmax(dim=1).eq(targets).sum().item())


def count_correct_binary(outputs: torch.Tensor, targets: torch.Tensor) -> int:
    """How many logits are on the target's side of zero.

    Arguments:
        outputs: `(N,)`, logits.
        targets: `(N,)`, 0 and 1.

    Returns:
        An int.
    """
    return int((outputs > 0).eq(targets > 0.5).sum().item())


class RunningMean:
    """Loss and share of right answers over the batches seen so far, weighted by their rows.

    Arguments:
        loss: the sum over the rows to begin with.
        correct: their right answers.
        rows: their number.
    """

    __slots__ = ("correct", "loss", "rows")

    def __init__(self, loss: float = 0.0, correct: int = 0, rows: int = 0) -> None:
        self.loss = loss
        self.correct = correct
        self.rows = rows

    def add(self, loss: float, correct: int, rows: int) -> None:
        """Take in a batch: its mean `loss`, its `correct` answers and its number of `rows`."""
        self.loss += loss * rows
        self.correct += correct
        self.rows += rows

    @property
    def mean_loss(self) -> float:
        """The mean loss; NaN before the first batch."""
        return self.loss / self.rows if self.rows else math.nan

    @property
    def accuracy(self) -> float:
        """The share of right answers; NaN before the first batch."""
        return self.correct / self.rows if self.rows else math.nan


def evaluate(
    model: Module, batches: Iterable[Any], loss_function: Module, metric: Any
) -> tuple[float, float]:
    """Mean loss and accuracy of a model over batches, in evaluation mode, without gradients.

    Arguments:
        model: the model; it is left in the mode that it was in.
        batches: pairs of inputs and targets.
        loss_function: of outputs and targets, the mean over the rows.
        metric: counts right answers, of outputs and targets; None for no accuracy.

    Returns:
        The mean loss over all rows, and the share of right answers (NaN without a metric).
    """
    training = model.training
    mean = RunningMean()
    model.eval()
    try:
        with torch.no_grad():
            for inputs, targets in batches:
                outputs = model(inputs)
                loss = loss_function(outputs, targets).item()
                mean.add(loss, metric(outputs, targets) if metric else 0, len(targets))
    finally:
        model.train(training)
    return mean.mean_loss, mean.accuracy if metric else math.nan


class History:
    """The rows of a run's metrics, in memory and in a file.

    A value that was not measured is NaN in memory and empty in the file. Nothing in the file
    depends on when or how fast the run was, so that equal runs leave equal files.

    Arguments:
        columns: the values to begin with, by column; None for none.
    """

    def __init__(self, columns: Mapping[str, Iterable[float]] | None = None) -> None:
        columns = columns or {}
        self.columns: dict[str, list[float]] = {
            name: [float(value) for value in columns.get(name, ())] for name in COLUMNS
        }

    def __len__(self) -> int:
        return len(self.columns["epoch"])

    def append(self, **values: float) -> None:
        """Add a row of `values` by column; columns that are not given were not measured."""
        for name, column in self.columns.items():
            column.append(float(values.get(name, math.nan)))

    def last(self, name: str) -> float:
        """The latest value of the column `name`, NaN if there is none.

        Raises:
            KeyError: there is no such column.
        """
        column = self.columns[name]
        return column[-1] if column else math.nan

    def row(self, index: int) -> list[str]:
        """The row `index` as the file has it.

        Returns:
            A text for each column.
        """
        texts = []
        for name, column in self.columns.items():
            value = column[index]
            if math.isnan(value):
                texts.append("")
            else:
                texts.append(str(int(value)) if name == "epoch" else repr(value))
        return texts

    def write(self, path: Path) -> None:
        """Write the whole table as CSV to the file `path`, replacing it in one go."""
        partial = path.with_name(path.name + ".partial")
        with open(partial, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(self.row(index) for index in range(len(self)))
        os.replace(partial, path)
