"""Averaged weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.optim import SGD
from flambeau.optim.swa_utils import (
    SWALR,
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    update_bn,
)


@pytest.mark.parametrize(
    "options, expected",
    [
        (dict, 2.0),
        (lambda: {"avg_fn": get_ema_avg_fn(0.5)}, 2.25),
        (lambda: {"multi_avg_fn": get_ema_multi_avg_fn(0.5)}, 2.25),
    ],
)
def test_averages(options, expected):
    model = flambeau.nn.Linear(1, 1)
    averaged = AveragedModel(model, **options())
    for value in (1.0, 2.0, 3.0):
        with flambeau.no_grad():
            model.weight.fill_(value)
        averaged.update_parameters(model)
    assert averaged.module.weight.item() == expected
    assert averaged.n_averaged.item() == 3
    assert list(averaged.state_dict()) == ["n_averaged", "module.weight", "module.bias"]


@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages_of_a_model_with_statistics_are_pytorchs(use_buffers):
    torch = pytest.importorskip("torch")

    def run(lib: Any) -> dict[str, np.ndarray]:
        lib.manual_seed(0)
        model = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4))
        averaged = lib.optim.swa_utils.AveragedModel(model, use_buffers=use_buffers)
        for _ in range(4):
            with lib.no_grad():
                for param in model.parameters():
                    param.add_(lib.randn(param.shape))
            model(lib.randn(6, 3))
            averaged.update_parameters(model)
        if not use_buffers:
            lib.optim.swa_utils.update_bn([lib.randn(5, 3) for _ in range(3)], averaged)
        return {name: value.numpy() for name, value in averaged.state_dict().items()}

    expected = run(torch)
    for name, value in run(flambeau).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6)


def test_statistics_are_those_of_the_data():
    model = flambeau.nn.BatchNorm1d(2).eval()
    batches = [flambeau.randn(50, 2) + 3 for _ in range(4)]
    update_bn([(batch, None) for batch in batches], model)
    mean = flambeau.stack([batch.mean(0) for batch in batches]).mean(0)
    assert model.running_mean.tolist() == pytest.approx(mean.tolist(), rel=1e-5)
    assert model.momentum == 0.1
    assert not model.training


@pytest.mark.parametrize(
    "strategy, expected",
    [
        ("linear", [0.1, 0.08, 0.06, 0.04, 0.02, 0.02]),
        ("cos", [0.1, 0.0882842712474619, 0.06, 0.0317157287525381, 0.02, 0.02]),
    ],
)
def test_rates(strategy, expected):
    optimizer = SGD([flambeau.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = SWALR(optimizer, 0.02, anneal_epochs=4, anneal_strategy=strategy)
    found = []
    for _ in range(6):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert found == pytest.approx(expected)


def test_wrong_arguments_are_refused():
    optimizer = SGD([flambeau.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match="anneal_strategy must be one of"):
        SWALR(optimizer, 0.1, anneal_strategy="up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="anneal_epochs must be equal or greater than 0"):
        SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="Invalid decay value 2"):
        get_ema_avg_fn(2)
    with pytest.raises(AssertionError, match="Only one of"):
        AveragedModel(flambeau.nn.Linear(1, 1), None, get_ema_avg_fn(), get_ema_multi_avg_fn())
