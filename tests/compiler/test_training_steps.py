"""Compiled training steps leave what eager ones do: every optimizer, schedule and layer.

Each is asked not to run eagerly (``fullgraph=True``), and for as few programs as it needs.
"""

from __future__ import annotations

import copy
import gc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.optim import lr_scheduler, swa_utils
from tests.nn import module_cases

Steps = tuple[list[float], list[np.ndarray], int]

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": torch.tensor(0.1), "momentum": 0.9, "dampening": 0.5, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "fused": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True, "foreach": True}),
    ("Adam", {"lr": torch.tensor(0.1), "capturable": True, "betas": (0.4, 0.9)}),
    ("AdamW", {"lr": 0.1, "maximize": True, "fused": True}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adadelta", {"lr": 1.0, "rho": 0.95, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.5, "initial_accumulator_value": 0.1}),
    ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.1, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 5, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.01, "etas": (0.5, 1.5)}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "d": 1.5}),
    ("Adafactor", {"lr": torch.tensor(0.1), "maximize": True, "beta2_decay": -1.0}),
    ("Muon", {"lr": 0.01, "weight_decay": 0.1}),
]

SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=4),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, threshold=0.9),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1), lr_scheduler.ExponentialLR(o, 0.9)], milestones=[4]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(o), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "SWALR": lambda o: swa_utils.SWALR(o, 0.01, anneal_epochs=5),
}


def train(
    make: Callable[[Any], tuple[Callable[[Any, Any], Any], list[Any]]], compiled: bool, steps: int
) -> Steps:
    """Losses, what is left behind, and the number of programs of some steps.

    Args:
        make: from a small network to a step and to more tensors that it changes.
    """
    torch.manual_seed(0)
    model = nn.Linear(4, 3, bias=False, dtype=torch.float64)
    step, more = make(model)
    x, y = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    call = torch.compile(step, fullgraph=True) if compiled else step
    losses = [float(call(x, y)) for _ in range(steps)]
    left = [t.detach().numpy().astype(np.float64) for t in (*model.parameters(), *more)]
    return losses, left, len(call.runners()) if compiled else 0


def check(make: Any, steps: int = 12, programs: int = 1) -> None:
    losses, left, _ = train(make, False, steps)
    found, found_left, count = train(make, True, steps)
    np.testing.assert_allclose(found, losses, rtol=1e-10)
    for actual, wanted in zip(found_left, left, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-8, atol=1e-12)
    assert count == programs


def plain_step(model: Any, optimizer: Any, then: Callable[[Any], Any] = lambda loss: None) -> Any:
    def step(x, y):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        then(loss)
        return loss

    return step


@pytest.mark.parametrize("name, options", OPTIMIZERS, ids=lambda v: v if isinstance(v, str) else "")
def test_every_optimizer(name: str, options: dict[str, Any]) -> None:
    def make(model):
        optimizer = getattr(torch.optim, name)(model.parameters(), **copy.deepcopy(options))
        return plain_step(model, optimizer), []

    check(make)


def test_groups_with_options_of_their_own() -> None:
    def make(model):
        bias = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        groups = [
            {"params": model.parameters(), "lr": 0.1, "amsgrad": True},
            {"params": [bias], "weight_decay": 0.3, "betas": (0.3, 0.9)},
        ]
        optimizer = torch.optim.AdamW(groups, lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            loss = ((model(x) + bias - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step, [bias]

    check(make)


@pytest.mark.parametrize("inside", [False, True], ids=["after the step", "in the step"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name: str, inside: bool) -> None:
    """One program for all learning rates, momenta and betas."""
    cycles = name in ("OneCycleLR", "CyclicLR")

    def make(model):
        if cycles and not inside:
            optimizer: Any = torch.optim.NAdam(model.parameters(), lr=0.1)
        else:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        schedule = SCHEDULES[name](optimizer)
        takes_loss = name == "ReduceLROnPlateau"

        def then(loss):
            schedule.step(loss) if takes_loss else schedule.step()

        if inside:
            return plain_step(model, optimizer, then), []
        step = plain_step(model, optimizer)
        compiled: list[Any] = []

        def both(x, y):
            loss = compiled[0](x, y)
            then(loss)
            return loss

        both.step, both.compiled = step, compiled  # type: ignore[attr-defined]
        return both, []

    if inside:
        check(make)
        return

    def run(native: bool) -> tuple[list[float], int]:
        torch.manual_seed(0)
        both, _ = make(nn.Linear(4, 3, bias=False, dtype=torch.float64))
        step = torch.compile(both.step, fullgraph=True) if native else both.step
        both.compiled.append(step)
        x, y = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
        return [both(x, y).item() for _ in range(12)], len(step.runners()) if native else 1

    losses, _ = run(False)
    found, programs = run(True)
    np.testing.assert_allclose(found, losses, rtol=1e-10)
    assert programs == 1


def test_a_momentum_that_begins_to_change_makes_one_more_program() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = torch.compile(plain_step(model, optimizer), fullgraph=True)
    x, y = torch.randn(6, 4), torch.randn(6, 3)
    for i in range(30):
        step(x, y)
        if i >= 6:
            optimizer.param_groups[0]["momentum"] = 0.9 - 0.01 * i
    assert len(step.runners()) == 2


def test_a_momentum_of_zero_is_another_program() -> None:
    """The rule leaves the momentum out where it is zero: a branch of the program."""

    def run(compiled):
        torch.manual_seed(0)
        model = nn.Linear(4, 3, dtype=torch.float64)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        step: Any = plain_step(model, optimizer)
        step = torch.compile(step, fullgraph=True) if compiled else step
        x, y = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
        losses = []
        for i in range(24):
            losses.append(step(x, y).item())
            optimizer.param_groups[0]["momentum"] = (0.5 + 0.01 * i) if i % 12 < 8 else 0.0
        return losses

    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


def test_a_schedule_of_the_users_in_the_step() -> None:
    class Halving(lr_scheduler.LRScheduler):
        def get_lr(self):
            return [group["lr"] / 2 if self.last_epoch else group["lr"]
                    for group in self.optimizer.param_groups]  # fmt: skip

        def step(self, epoch=None):
            super().step(epoch)

    def make(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = Halving(optimizer)
        return plain_step(model, optimizer, lambda loss: schedule.step()), []

    check(make, 8)


def test_an_optimizer_that_steps_after_its_schedule_runs_eagerly() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = lr_scheduler.StepLR(optimizer, 2)

    @torch.compile
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        schedule.step()
        optimizer.step()

    with pytest.warns(UserWarning, match="after its schedule's step"):
        for _ in range(3):
            step(torch.ones(2, 4))
    assert schedule.last_epoch == 3


AVERAGES: dict[str, Callable[[Any], Any]] = {
    "swa": lambda model: swa_utils.AveragedModel(model),
    "ema": lambda model: swa_utils.AveragedModel(
        model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9)
    ),
    "one by one, with buffers": lambda model: swa_utils.AveragedModel(
        model, avg_fn=swa_utils.get_ema_avg_fn(0.9), use_buffers=True
    ),
}


@pytest.mark.parametrize("name", AVERAGES)
def test_averaged_models(name: str) -> None:
    def make(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        average = AVERAGES[name](model)
        step = plain_step(model, optimizer, lambda loss: average.update_parameters(model))
        return step, [*average.parameters(), average.n_averaged]

    check(make)


@pytest.mark.parametrize("scale", [2.0**16, 2.0**127], ids=["finite", "infinite at first"])
@pytest.mark.parametrize("clip", [False, True])
def test_grad_scaler(scale: float, clip: bool) -> None:
    """Steps with infinite gradients are left out, and the scale falls and grows."""

    def make(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=3)

        def step(x, y):
            optimizer.zero_grad()
            loss = (1e3 * (model(x) - y) ** 2).float().mean()
            scaler.scale(loss).backward()
            if clip:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            scaler.step(optimizer)
            scaler.update()
            return torch.stack([loss, scaler._scale.detach()]).log().sum()

        return step, []

    losses, left, _ = train(make, False, 24)
    found, found_left, count = train(make, True, 24)
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    np.testing.assert_allclose(found_left[0], left[0], rtol=1e-5)
    assert count == 1


def _accumulating(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        total = 0
        for part, target in zip(x.chunk(3), y.chunk(3)):
            loss = ((model(part) - target) ** 2).mean() / 3
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    return step


def _clipping(kind):
    def build(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            if kind == "value":
                nn.utils.clip_grad_value_(model.parameters(), 0.01)
                norm = 0.0
            else:
                norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1, norm_type=float(kind))
            optimizer.step()
            return loss + norm

        return step

    return build


def _closure(model, optimizer):
    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            return loss

        return optimizer.step(closure)

    return step


def _zeroing(model, optimizer):
    def step(x, y):
        optimizer.zero_grad(set_to_none=False)
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize(
    "build",
    [_accumulating, _clipping("2"), _clipping("inf"), _clipping("value"), _closure, _zeroing],
    ids=["accumulation", "norm", "largest", "value", "closure", "zeroed gradients"],
)
def test_forms_of_a_step(build: Any) -> None:
    def make(model):
        return build(model, torch.optim.Adam(model.parameters(), lr=0.1)), []

    check(make)


def test_two_optimizers_with_a_schedule_between_them() -> None:
    def make(model):
        other = nn.Parameter(torch.ones(3, dtype=torch.float64))
        first = torch.optim.SGD(model.parameters(), lr=0.1)
        second = torch.optim.Adam([other], lr=0.1)
        schedule = lr_scheduler.ExponentialLR(first, 0.9)

        def step(x, y):
            first.zero_grad()
            second.zero_grad()
            loss = ((model(x) * other - y) ** 2).mean()
            loss.backward()
            first.step()
            schedule.step()
            second.step()
            return loss

        return step, [other]

    check(make)


def test_lbfgs_takes_a_compiled_closure() -> None:
    def run(compiled):
        torch.manual_seed(0)
        model = nn.Linear(4, 3, dtype=torch.float64)
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5)
        x, y = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)

        def closure():
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            return loss

        call = torch.compile(closure, fullgraph=True) if compiled else closure
        losses = [optimizer.step(call).item() for _ in range(30)]
        assert not compiled or len(call.runners()) == 1
        return losses

    np.testing.assert_allclose(run(True), run(False), rtol=1e-9)
    optimizer = torch.optim.LBFGS([nn.Parameter(torch.ones(2))])
    step = torch.compile(lambda: optimizer.step(lambda: torch.ones(())))
    with pytest.warns(UserWarning, match="compile the closure instead"):
        for _ in range(3):
            step()


def test_a_step_by_another_name_has_the_optimizers_state_guarded() -> None:
    def run(compiled):
        weight = nn.Parameter(torch.ones(3))
        optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        update = optimizer.step

        def function(x):
            optimizer.zero_grad()
            (weight * x).sum().backward()
            update()

        call = torch.compile(function) if compiled else function
        for i in range(8):
            if i == 5:
                for state in optimizer.state.values():
                    state["momentum_buffer"] = torch.full((3,), 7.0)
            call(torch.ones(3))
        return weight.detach().numpy()

    np.testing.assert_allclose(run(True), run(False), rtol=1e-6)


def test_a_capture_that_fails_by_itself_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from flambeau.compiler.recording import Capture

    def broken(*_: Any) -> Any:
        raise KeyError("what the program has not done")

    monkeypatch.setattr(Capture, "argument", broken)
    weight = torch.ones(3)
    step = torch.compile(lambda x: x * weight)
    with pytest.warns(UserWarning, match="its capture raised KeyError"):
        for _ in range(3):
            assert step(torch.ones(3)).sum() == 3


# -- layers -------------------------------------------------------------------------------------


def _first_of_each_class() -> list[Any]:
    found: dict[str, Any] = {}
    for case in module_cases.CASES:
        name = re.match(r"\w+", case.name)
        is_called = not any(x is None for x in case.inputs)
        if name is not None and is_called and "inplace" not in case.name:
            found.setdefault(name.group(), case)
    more = (
        "BatchNorm1d(4, momentum=None)", "LeakyReLU(inplace=True)", "SELU(True)",
        "Embedding(5, 3, max_norm=1.0, norm_type=1.0)",
        "EmbeddingBag(5, 3, mode='sum', padding_idx=2)",
    )  # fmt: skip
    return [*found.values(), *(c for c in module_cases.CASES if c.name in more)]


def layer_steps(case: Any, training: bool, compiled: bool) -> Steps:
    torch.manual_seed(1)
    module = case.build(torch).double().train(training)
    inputs = []
    for i, description in enumerate(case.inputs):
        array = module_cases.array_of(description, i)
        inputs.append(torch.from_numpy(np.array(array)))
    inputs = [t.double() if t.is_floating_point() else t for t in inputs]
    scales = [nn.Parameter(torch.ones((), dtype=torch.float64)) for _ in inputs]
    module(*(t.clone() for t in inputs))  # lazy modules learn their shapes
    parameters = [*module.parameters(), *scales]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.5)

    def step(*tensors):
        optimizer.zero_grad()
        scaled = [t * s if t.is_floating_point() else t for t, s in zip(tensors, scales)]
        out = module(*scaled)
        loss = ((out - 0.1) ** 2).mean()
        if loss.requires_grad:
            loss.backward()
            optimizer.step()
        return loss

    call = torch.compile(step, fullgraph=True) if compiled else step
    losses = [call(*inputs).item() for _ in range(6)]
    left = [t.detach().numpy().astype(np.float64) for t in (*parameters, *module.buffers())]
    return losses, left, len(call.runners()) if compiled else 0


@pytest.mark.parametrize("case", _first_of_each_class(), ids=str)
def test_every_layer(case: Any) -> None:
    differs = any(word in case.name for word in ("Norm", "Dropout", "RReLU"))
    for training in (True, False) if differs else (True,):
        losses, left, _ = layer_steps(case, training, False)
        found, found_left, count = layer_steps(case, training, True)
        np.testing.assert_allclose(found, losses, rtol=1e-10)
        for actual, wanted in zip(found_left, left, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)
        assert count == 1


# -- memory -------------------------------------------------------------------------------------


def _loops() -> dict[str, Callable[[], None]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.2))
    optimizer = torch.optim.Adam(model.parameters())
    step = torch.compile(plain_step(model, optimizer))
    batches = [(torch.randn(n, 4), torch.randn(n, 3)) for n in (6, 5)]
    dataset = torch.utils.data.TensorDataset(*batches[0])
    loader = torch.utils.data.DataLoader(dataset, batch_size=2, shuffle=True)
    compiled = torch.compile(model)

    @torch.compile
    def accumulate(x, y):
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    def accumulating():
        optimizer.zero_grad()
        for _ in range(3):
            accumulate(*batches[0])
        optimizer.step()

    def by_module():
        optimizer.zero_grad()
        ((compiled(batches[0][0]) - batches[0][1]) ** 2).mean().backward()
        optimizer.step()

    return {
        "two sizes": lambda: [step(*batch).item() for batch in batches] and None,
        "a loader": lambda: [step(*batch).item() for batch in loader] and None,
        "keywords": lambda: step(x=batches[0][0], y=batches[0][1]).item(),
        "accumulation": accumulating,
        "a module": by_module,
    }


@pytest.mark.parametrize("name", ["two sizes", "a loader", "keywords", "accumulation", "a module"])
def test_loops_leave_nothing_for_the_garbage_collector(name: str) -> None:
    loop = _loops()[name]
    for _ in range(8):
        loop()
    gc.collect()
    gc.disable()
    left = []
    try:
        for _ in range(3):  # what an earlier test has left may go in one of them
            for _ in range(20):
                loop()
            left.append(gc.collect())
        assert 0 in left
    finally:
        gc.enable()


def test_epochs_of_many_steps_keep_their_memory() -> None:
    """What a native call of many steps binds, checks of indices too, is bound once."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    dataset = torch.utils.data.TensorDataset(torch.randn(40, 4), torch.randint(3, (40,)))
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True)
    loss_fn = nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    epoch = torch.compile(step, steps=len(loader))
    for _ in range(5):
        epoch(loader)
    tables = [len(e._machinery.tables) for r in epoch.step.runners() for e in _executables(r)]
    for _ in range(5):
        epoch(loader)
    now = [len(e._machinery.tables) for r in epoch.step.runners() for e in _executables(r)]
    assert now == tables


def _executables(runner: Any) -> list[Any]:
    return list(runner.executables().values())
