"""Learning-rate schedules: PyTorch's rates, state and warnings."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import pytest

import flambeau
from flambeau.optim import lr_scheduler

CASES: list[tuple[str, dict[str, Any]]] = [
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.9**epoch}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.9}),
    ("StepLR", {"step_size": 3}),
    ("MultiStepLR", {"milestones": [2, 4, 4]}),
    ("ConstantLR", {}),
    ("LinearLR", {}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("PolynomialLR", {"power": 2.0}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "step_size_down": 3}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "triangular2"}),
    (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9},
    ),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": 30}),
    (
        "OneCycleLR",
        {
            "max_lr": 0.2,
            "epochs": 3,
            "steps_per_epoch": 10,
            "three_phase": True,
            "anneal_strategy": "linear",
        },
    ),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
]

# The learning rates of epochs 0 to 7 in PyTorch 2.13 (SGD with momentum, lr=0.1).
# fmt: off
RECORDED: list[list[float]] = [
    [0.1, 0.09000000000000001, 0.08100000000000002, 0.0729,
     0.06561, 0.05904900000000001, 0.05314410000000001, 0.04782969000000001],
    [0.1, 0.09000000000000001, 0.08100000000000002, 0.07290000000000002,
     0.06561000000000002, 0.05904900000000002, 0.05314410000000002, 0.04782969000000002],
    [0.1, 0.1, 0.1, 0.010000000000000002,
     0.010000000000000002, 0.010000000000000002, 0.0010000000000000002, 0.0010000000000000002],
    [0.1, 0.1, 0.010000000000000002, 0.010000000000000002,
     0.00010000000000000005, 0.00010000000000000005, 0.00010000000000000005,
     0.00010000000000000005],
    [0.03333333333333333, 0.03333333333333333, 0.03333333333333333, 0.03333333333333333,
     0.03333333333333333, 0.1, 0.1, 0.1],
    [0.03333333333333333, 0.04666666666666667, 0.060000000000000005, 0.07333333333333335,
     0.08666666666666668, 0.1, 0.1, 0.1],
    [0.1, 0.09000000000000001, 0.08100000000000002, 0.07290000000000002,
     0.06561000000000002, 0.05904900000000002, 0.05314410000000002, 0.04782969000000002],
    [0.1, 0.09140576474687263, 0.06890576474687263, 0.04109423525312736,
     0.018594235253127367, 0.01, 0.018594235253127367, 0.04109423525312739],
    [0.1, 0.06400000000000002, 0.036000000000000004, 0.016000000000000004,
     0.003999999999999999, 0.0, 0.0, 0.0],
    [0.01, 0.032499999999999994, 0.054999999999999986, 0.07750000000000001,
     0.1, 0.06999999999999998, 0.03999999999999999, 0.01],
    [0.01, 0.0325, 0.05500000000000001, 0.0775,
     0.1, 0.0775, 0.05500000000000001, 0.0325],
    [0.01, 0.030250000000000006, 0.046450000000000005, 0.05920750000000001,
     0.06904900000000001, 0.04985807500000001, 0.033914845000000006, 0.020761680250000004],
    [0.008000000000000007, 0.015307564878916491, 0.036117749006091465, 0.06726239049295138,
     0.10400000000000001, 0.1407376095070486, 0.17188225099390858, 0.19269243512108353],
    [0.008, 0.032, 0.056, 0.08000000000000002,
     0.10400000000000001, 0.128, 0.15200000000000002, 0.17600000000000002],
    [0.1, 0.07500000000000001, 0.025000000000000012, 0.1,
     0.09330127018922195, 0.07500000000000001, 0.05, 0.025000000000000012],
]
# fmt: on


def make(lib: Any, name: str, options: dict[str, Any], optimizer: str = "SGD") -> Any:
    param = lib.zeros(2, requires_grad=True)
    extra = {"momentum": 0.9} if optimizer == "SGD" else {}
    made = getattr(lib.optim, optimizer)([param], lr=0.1, **extra)
    return getattr(lib.optim.lr_scheduler, name)(made, **options)


def rates(scheduler: Any, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        assert scheduler.get_last_lr() == [found[-1]]
        scheduler.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("index", range(len(CASES)), ids=[name for name, _ in CASES])
def test_rates_as_recorded(index):
    name, options = CASES[index]
    assert rates(make(flambeau, name, options), 8) == pytest.approx(RECORDED[index], rel=1e-12)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("name, options", CASES, ids=[name for name, _ in CASES])
def test_rates_momenta_and_state_are_those_of_pytorch(name, options, optimizer):
    torch = pytest.importorskip("torch")
    theirs, ours = (make(lib, name, options, optimizer) for lib in (torch, flambeau))
    for _ in range(25):
        for scheduler in (theirs, ours):
            scheduler.optimizer.step()
            scheduler.step()
        expected, found = (s.optimizer.param_groups[0] for s in (theirs, ours))
        assert list(found) == list(expected)
        for key in ("lr", "initial_lr", "momentum" if optimizer == "SGD" else "betas"):
            assert found[key] == pytest.approx(expected[key], rel=1e-12)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    if hasattr(theirs, "_get_closed_form_lr"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.step(7)
            ours.step(7)
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12)


@pytest.mark.parametrize("name, options", CASES, ids=[name for name, _ in CASES])
def test_a_schedule_goes_on_from_its_state(name, options):
    expected = rates(make(flambeau, name, options), 9)
    scheduler = make(flambeau, name, options)
    found = rates(scheduler, 4)
    resumed = make(flambeau, name, options)
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    resumed.optimizer.load_state_dict(copy.deepcopy(scheduler.optimizer.state_dict()))
    assert found + rates(resumed, 5) == pytest.approx(expected, rel=1e-12)


def test_plateau_follows_the_metric():
    optimizer = flambeau.optim.SGD([flambeau.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=1, factor=0.1, cooldown=1, min_lr=0.05
    )
    found = []
    for metric in [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]:
        scheduler.step(flambeau.tensor(metric))
        found.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.05, 0.05])


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"mode": "max", "patience": 1, "cooldown": 2, "threshold_mode": "abs", "threshold": 0.5},
        {"patience": 0, "factor": 0.5, "threshold": 0.1},
    ],
)
def test_plateau_is_pytorchs(options):
    torch = pytest.importorskip("torch")
    theirs, ours = (make(lib, "ReduceLROnPlateau", options) for lib in (torch, flambeau))
    for epoch in range(60):
        metric = math.sin(epoch / 3) + math.cos(epoch * 1.7)
        theirs.step(metric)
        ours.step(metric)
        assert ours.state_dict() == theirs.state_dict()


def test_one_schedule_after_another():
    def run(lib: Any) -> list[float]:
        optimizer = lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=0.1)
        schedules = lib.optim.lr_scheduler
        parts = [
            schedules.LinearLR(optimizer, total_iters=3),
            schedules.ExponentialLR(optimizer, 0.9),
            schedules.StepLR(optimizer, 2),
        ]
        return rates(schedules.SequentialLR(optimizer, parts, [3, 7]), 12)

    # fmt: off
    assert run(flambeau) == pytest.approx([
        0.1 / 3, 0.1 / 3 + 0.2 / 9, 0.1 / 3 + 0.4 / 9, 0.1, 0.09, 0.081, 0.0729, 0.1, 0.1, 0.01,
        0.01, 0.001,
    ])
    # fmt: on
    torch = pytest.importorskip("torch")
    assert run(flambeau) == pytest.approx(run(torch), rel=1e-12)


def test_schedules_at_once():
    optimizer = flambeau.optim.SGD([flambeau.zeros(1, requires_grad=True)], lr=1.0)
    parts = [
        lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2),
        lr_scheduler.ExponentialLR(optimizer, 0.9),
    ]
    scheduler = lr_scheduler.ChainedScheduler(parts)
    assert rates(scheduler, 4) == pytest.approx([0.5, 0.45, 0.81, 0.729])
    state = copy.deepcopy(scheduler.state_dict())
    assert [part["last_epoch"] for part in state["_schedulers"]] == [4, 4]
    scheduler.load_state_dict(state)


def test_a_tensor_learning_rate_stays_the_same_tensor():
    lr = flambeau.tensor(0.1)
    optimizer = flambeau.optim.SGD([flambeau.zeros(1, requires_grad=True)], lr=lr)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == pytest.approx(0.05)


class TestWarnings:
    def test_of_the_order_of_steps(self):
        scheduler = make(flambeau, "StepLR", {"step_size": 1})
        with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
            scheduler.step()

    def test_of_a_replaced_step(self):
        scheduler = make(flambeau, "StepLR", {"step_size": 1})
        scheduler.optimizer.step = lambda: None
        with pytest.warns(UserWarning, match="has been overridden"):
            scheduler.step()

    def test_of_asking_for_the_next_rate(self):
        scheduler = make(flambeau, "StepLR", {"step_size": 1})
        with pytest.warns(UserWarning, match="please use `get_last_lr"):
            scheduler.get_lr()

    def test_none_in_the_usual_loop(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rates(make(flambeau, "StepLR", {"step_size": 1}), 4)


@pytest.mark.parametrize(
    "make_one, kind, message",
    [
        (lambda o: lr_scheduler.StepLR(3, 1), TypeError, "int is not an Optimizer"),
        (lambda o: lr_scheduler.StepLR(o, 1, last_epoch=3), KeyError, "initial_lr"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "Expected 1 lr_lambdas"),
        (lambda o: lr_scheduler.MultiplicativeLR(o, [3]), TypeError, "should be a function"),
        (lambda o: lr_scheduler.ConstantLR(o, 2), ValueError, "between 0 and 1"),
        (lambda o: lr_scheduler.LinearLR(o, 0), ValueError, "greater than 0"),
        (lambda o: lr_scheduler.LinearLR(o, 1, 2), ValueError, "Ending multiplicative"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1), ValueError, "< 1.0"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "up"), ValueError, "mode up is unknown!"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, mode="x"), ValueError, "mode is invalid"),
        (lambda o: lr_scheduler.CyclicLR(o, [0.1, 0.2], 1.0), ValueError, "same length"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0), ValueError, "You must define either"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 5, pct_start=2), ValueError, "pct_start"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ValueError, "positive integer"),
        (lambda o: lr_scheduler.SequentialLR(o, [], []), ValueError, "at least one scheduler"),
    ],
)
def test_wrong_arguments_are_refused(make_one, kind, message):
    optimizer = flambeau.optim.SGD([flambeau.zeros(1, requires_grad=True)], lr=1.0)
    with pytest.raises(kind, match=message):
        make_one(optimizer)
