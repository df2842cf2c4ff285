"""Counting, averaging and tabulating."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.training.metrics import (
    History,
    RunningMean,
    count_correct,
    count_correct_binary,
    evaluate,
)


def test_the_largest_output_is_the_answer() -> None:
    outputs = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert count_correct(outputs, torch.tensor([1, 0, 0])) == 2


def test_a_logit_answers_by_its_sign() -> None:
    logits = torch.tensor([2.0, -1.0, 0.5, -3.0])
    assert count_correct_binary(logits, torch.tensor([1.0, 1.0, 0.0, 0.0])) == 2


def test_a_mean_weighs_batches_by_their_rows() -> None:
    mean = RunningMean()
    assert math.isnan(mean.mean_loss) and math.isnan(mean.accuracy)
    mean.add(1.0, 1, 2)
    mean.add(4.0, 1, 1)
    assert mean.mean_loss == pytest.approx(2.0)
    assert mean.accuracy == pytest.approx(2 / 3)


def test_evaluation_leaves_the_mode_and_records_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    batch = (torch.ones(4, 2), torch.tensor([0, 1, 0, 1]))
    for mode in (True, False):
        model.train(mode)
        loss, accuracy = evaluate(model, [batch, batch], nn.CrossEntropyLoss(), count_correct)
        assert model.training is mode
        assert math.isfinite(loss) and accuracy == 0.5
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_table_has_a_row_for_each_and_nothing_where_nothing_was_measured(
    tmp_path: Path,
) -> None:
    history = History()
    history.append(epoch=1, train_loss=0.5)
    history.append(epoch=2, train_loss=0.1 + 0.2, test_accuracy=1.0)
    history.write(tmp_path / "metrics.csv")
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "epoch": "1",
        "train_loss": "0.5",
        "train_accuracy": "",
        "test_loss": "",
        "test_accuracy": "",
    }
    assert float(rows[1]["train_loss"]) == 0.1 + 0.2
    assert len(history) == 2 and history.last("test_accuracy") == 1.0
