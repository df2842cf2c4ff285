"""Attributes, buffers, items and variables that a step gives another tensor."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F

from .agreement import check, data, net, shares, training_step

CALLS = 6


class Centred(nn.Module):
    """A layer whose input is centred by a running mean, a buffer that is replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.register_buffer("running", torch.zeros(3))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.running = 0.9 * self.running + 0.1 * x.detach().mean(0)
            self.count = self.count + 1
        return self.layer(x - self.running)


def optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), 0.1)


def test_buffers_that_are_replaced() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = Centred()
        step = compiled(training_step(model, optimizer(model)))
        for i in range(CALLS):
            log(step(*data()), model, model.state_dict())
            if i == 3:
                model.running = torch.ones(3)
            if i == 4:
                model.eval()

    check(program)


def test_buffers_that_a_module_alone_replaces() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = Centred()
        forward = compiled(model)
        opt = optimizer(model)
        for _ in range(CALLS):
            x, y = data()
            opt.zero_grad()
            loss = F.mse_loss(forward(x), y)
            loss.backward()
            opt.step()
            log(loss, model)

    check(program)


def test_another_program_sees_the_new_buffer() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = Centred()
        step = compiled(training_step(model, optimizer(model)))
        look = compiled(lambda x: x - model.running)
        for _ in range(CALLS):
            x, y = data()
            log(step(x, y), look(x))

    check(program)


@pytest.mark.parametrize("kind", [dict, list])
def test_averages_in_a_container(kind: type) -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()
        opt = optimizer(model)
        names: list[Any] = [n for n, _ in model.named_parameters()]
        average: Any = {n: p.detach().clone() for n, p in model.named_parameters()}
        if kind is list:
            names, average = list(range(len(names))), list(average.values())

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            opt.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            opt.step()
            for name, p in zip(names, model.parameters()):
                average[name] = 0.9 * average[name] + 0.1 * p.detach()
            return loss

        for _ in range(CALLS):
            log(step(*data()), model, average)

    check(program)


class Kept:
    """An object with a tensor."""

    def __init__(self, value: Any) -> None:
        self.value = value


def test_an_attribute_of_an_object() -> None:
    def program(compiled: Any, log: Any) -> None:
        total = Kept(torch.zeros(()))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            total.value = total.value + x.sum()
            return total.value * 2

        for _ in range(CALLS):
            before = total.value
            kept = before.clone()
            log(step(torch.randn(4)), total.value)
            assert torch.equal(before, kept)  # it is a new tensor at each call

    check(program)


def test_what_is_returned_and_kept_is_one_tensor() -> None:
    def program(compiled: Any, log: Any) -> None:
        kept = Kept(torch.zeros(4))

        @compiled
        def step(x: torch.Tensor) -> list[torch.Tensor]:
            kept.value = x + kept.value
            return [kept.value, kept.value[1:]]

        for _ in range(CALLS):
            whole, part = step(torch.randn(4))
            assert whole is kept.value
            assert shares(whole, part)
            part.mul_(0.5)
            log(whole, part, kept.value)

    check(program)


def test_a_variable_of_a_closure() -> None:
    def program(compiled: Any, log: Any) -> None:
        mean = torch.zeros(())

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            nonlocal mean
            mean = 0.9 * mean + 0.1 * x.mean()
            return x - mean

        for _ in range(CALLS):
            log(step(torch.randn(4)), mean)

    check(program)


def test_hidden_states_that_go_on() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)
            self.out = nn.Linear(4, 1)
            self.state = (torch.zeros(1, 8, 4), torch.zeros(1, 8, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out, state = self.lstm(x.unsqueeze(1), self.state)
            self.state = tuple(s.detach() for s in state)
            return self.out(out[:, -1])

    def program(compiled: Any, log: Any) -> None:
        model = Reader()
        step = compiled(training_step(model, optimizer(model)))
        for i in range(CALLS):
            log(step(*data()), model, model.state)
            if i == 3:
                model.state = (torch.ones(1, 8, 4), torch.zeros(1, 8, 4))

    check(program)


class Looked(nn.Module):
    """A network that keeps its hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 1)
        self.hidden: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.hidden = torch.tanh(self.first(x))
        return self.last(self.hidden)


def test_a_hidden_layer_that_is_kept_with_its_history() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = Looked()
        opt = optimizer(model)

        @compiled
        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            opt.zero_grad()
            loss = F.mse_loss(model(x), y) + 0.1 * model.hidden.square().mean()
            loss.backward()
            opt.step()
            return loss

        for _ in range(CALLS):
            log(step(*data()), model, model.hidden)
            assert model.hidden.grad_fn is not None
            with pytest.raises(RuntimeError, match="second time"):
                model.hidden.sum().backward()

    check(program)


def test_a_hidden_layer_of_a_module_alone_has_a_gradient() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = Looked()
        forward = compiled(model)
        for _ in range(CALLS):
            x, y = data()
            model.zero_grad()
            loss = F.mse_loss(forward(x), y) + model.hidden.square().mean()
            loss.backward()
            log(loss, model, model.hidden)

    check(program)


def test_what_hooks_keep() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()
        kept: dict[str, torch.Tensor] = {}
        model[0].register_forward_hook(lambda m, i, o: kept.__setitem__("out", o.detach()))
        step = compiled(training_step(model, optimizer(model)))
        for _ in range(CALLS):
            log(step(*data()), model, kept["out"])

    check(program)


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_norms_of_weights_by_hooks(norm: str, training: bool) -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()
        getattr(nn.utils, norm)(model[0])
        model.train(training)
        step = compiled(training_step(model, optimizer(model)))
        for _ in range(CALLS):
            log(step(*data()), model, model[0].weight, model.state_dict())

    check(program)


def test_an_optimizers_state_that_is_replaced() -> None:
    class Momentum(torch.optim.Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {"lr": 0.1})

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    if "speed" not in state:
                        state["speed"] = torch.zeros_like(p)
                    state["speed"] = 0.9 * state["speed"] + p.grad
                    p -= group["lr"] * state["speed"]

    def program(compiled: Any, log: Any) -> None:
        model = net()
        opt = Momentum(model.parameters())
        step = compiled(training_step(model, opt))
        for i in range(CALLS):
            log(step(*data()), model, opt)
            if i == 3:
                opt.load_state_dict(copy.deepcopy(opt.state_dict()))

    check(program)


def test_an_argument_or_a_parameter_that_is_kept() -> None:
    def program(compiled: Any, log: Any) -> None:
        model = net()
        last, weight = Kept(torch.zeros(8, 3)), Kept(torch.zeros(5, 3))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            change = (x - last.value).square().sum()
            last.value, weight.value = x, model[0].weight.detach()
            return change

        for _ in range(CALLS):
            x = torch.randn(8, 3)
            log(step(x), last.value, weight.value)
            assert last.value is x
            assert shares(weight.value, model[0].weight)

    check(program)


def test_what_is_put_into_a_slot_between_the_calls() -> None:
    def program(compiled: Any, log: Any) -> None:
        total = Kept(torch.zeros(3))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            total.value = total.value + x
            return total.value.sum()

        for i in range(16):
            log(step(torch.randn(3)), total.value)
            if i == 5:
                total.value = torch.zeros(3)
            if i == 6:
                total.value = torch.zeros(3, dtype=torch.float64)
            if i == 10:
                total.value = torch.arange(12.0).reshape(3, 4)[:, 1]
            if i == 12:
                total.value = torch.zeros(3).requires_grad_()
            if i == 13:
                total.value = torch.zeros(())

    def whole(compiled: Any, log: Any) -> None:
        program(compiled, log)

    check(whole)


def test_what_is_in_a_slot_may_share_memory_with_what_is_written() -> None:
    def program(compiled: Any, log: Any) -> None:
        weight, kept = torch.ones(3), Kept(torch.zeros(3))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            weight.add_(x)
            kept.value = kept.value * 2 + x
            return kept.value.sum()

        for i in range(8):
            log(step(torch.randn(3)), weight, kept.value)
            if i >= 4:
                kept.value = weight.detach()

    with np.errstate(all="ignore"):
        torch.manual_seed(0)
        expected: list[Any] = []
        program(lambda f: f, lambda *v: expected.extend(t.detach().numpy().copy() for t in v))
        torch.manual_seed(0)
        found: list[Any] = []
        program(torch.compile, lambda *v: found.extend(t.detach().numpy().copy() for t in v))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def eagerly(make: Callable[[], tuple[Callable[..., Any], Callable[[], Any]]]) -> None:
    def program(compiled: Any, log: Any) -> None:
        function, look = make()
        step = compiled(function)
        for _ in range(CALLS):
            log(step(torch.randn(3)), look())

    check(program, captured=False)


def test_a_tensor_with_two_names_runs_eagerly() -> None:
    def make() -> Any:
        first = Kept(torch.zeros(3))
        second = Kept(first.value)

        def step(x: torch.Tensor) -> torch.Tensor:
            first.value = first.value + x
            return second.value + first.value

        def look() -> Any:
            second.value = first.value
            return first.value, second.value

        return step, look

    eagerly(make)


def test_two_slots_that_change_places_run_eagerly() -> None:
    def make() -> Any:
        kept = [torch.zeros(3), torch.ones(3)]

        def step(x: torch.Tensor) -> torch.Tensor:
            kept[0], kept[1] = kept[1], kept[0] + x
            return kept[1].sum()

        return step, lambda: kept

    eagerly(make)


def test_what_was_in_a_slot_as_a_result_runs_eagerly() -> None:
    def make() -> Any:
        kept = Kept(torch.zeros(3))

        def step(x: torch.Tensor) -> torch.Tensor:
            before = kept.value
            kept.value = x + before
            return before

        return step, lambda: kept.value

    eagerly(make)


def test_a_slot_that_is_written_and_replaced_runs_eagerly() -> None:
    def make() -> Any:
        kept = Kept(torch.zeros(3))

        def step(x: torch.Tensor) -> torch.Tensor:
            before = kept.value
            before.add_(1)
            kept.value = x + before
            return kept.value.sum()

        return step, lambda: kept.value

    eagerly(make)


def test_a_history_that_goes_on_runs_eagerly() -> None:
    def make() -> Any:
        weight, kept = torch.ones(3, requires_grad=True), Kept(torch.zeros(3))

        def step(x: torch.Tensor) -> torch.Tensor:
            kept.value = kept.value * 0.5 + weight * x
            return kept.value.sum().detach()

        return step, lambda: kept.value

    eagerly(make)


def test_a_parameter_in_a_slot_runs_eagerly() -> None:
    def make() -> Any:
        layer = nn.Linear(3, 3)

        def step(x: torch.Tensor) -> torch.Tensor:
            layer.weight = nn.Parameter(layer.weight.detach() + 1)
            return layer(x)

        return step, lambda: layer.weight

    eagerly(make)


def test_many_steps_replace_as_single_steps_do() -> None:
    def run(many: bool) -> list[Any]:
        torch.manual_seed(0)
        model = Centred()
        step = training_step(model, optimizer(model))
        x, y = data()
        if many:
            losses = torch.compile(step, steps=20)(x, y)
        else:
            losses = torch.stack([step(x, y).detach() for _ in range(20)])
        return [losses.numpy(), model.running.numpy(), model.layer.weight.detach().numpy()]

    for a, b in zip(run(True), run(False), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_an_explanation_names_what_is_read_at_each_call() -> None:
    model = Centred()
    step = torch.compile(training_step(model, optimizer(model)))
    for _ in range(4):
        step(*data())
    assert "what is at 'running'" in str(step.explain())


def test_what_a_distribution_holds_too_runs_eagerly() -> None:
    def make() -> Any:
        kept = Kept(torch.zeros(3))
        prior = torch.distributions.Normal(kept.value, 1.0)

        def step(x: torch.Tensor) -> torch.Tensor:
            kept.value = kept.value + x
            return prior.log_prob(x)

        def look() -> Any:
            nonlocal prior
            prior = torch.distributions.Normal(kept.value, 1.0)
            return kept.value

        return step, look

    eagerly(make)


def test_what_a_method_of_a_distribution_holds_stays() -> None:
    def program(compiled: Any, log: Any) -> None:
        kept = Kept(torch.zeros(3))
        density = torch.distributions.Normal(kept.value, torch.ones(3)).log_prob

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            kept.value = kept.value + x
            return density(x)

        for _ in range(CALLS):
            log(step(torch.randn(3)), kept.value)

    check(program)


def test_code_that_asks_which_tensor_it_is() -> None:
    def program(compiled: Any, log: Any) -> None:
        first = torch.zeros(3)
        kept = Kept(first)

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            new = kept.value is first
            kept.value = kept.value + x
            return kept.value * (2 if new else 1)

        for i in range(14):
            log(step(torch.randn(3)), kept.value)
            if i in (4, 8):
                kept.value = first

    check(program, captured=False)


def test_code_that_remembers_its_argument() -> None:
    def program(compiled: Any, log: Any) -> None:
        last, result = Kept(torch.zeros(3)), Kept(torch.zeros(3))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            if last.value is not x:
                last.value, result.value = x, torch.rand(3)
            return result.value + x

        for _ in range(5):
            log(step(torch.randn(3)))
        x = torch.randn(3)
        log(step(x), result.value)
        log(step(x), result.value)

    torch.manual_seed(0)
    expected: list[Any] = []
    program(lambda f: f, lambda *v: expected.extend(t.numpy().copy() for t in v))
    torch.manual_seed(0)
    found: list[Any] = []
    program(torch.compile, lambda *v: found.extend(t.numpy().copy() for t in v))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_tensor_that_somebody_replaces_between_the_calls_is_read_at_each_call() -> None:
    def program(compiled: Any, log: Any) -> None:
        kept, mask = Kept(torch.ones(3)), {"mask": torch.ones(3)}

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            return x * kept.value * mask["mask"]

        for _ in range(30):
            kept.value, mask["mask"] = torch.rand(3), torch.rand(3)
            log(step(torch.randn(3)))

    check(program)


def test_a_replaced_tensor_that_is_written_makes_new_programs() -> None:
    def program(compiled: Any, log: Any) -> None:
        kept = Kept(torch.zeros(3))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            kept.value.add_(x)
            return kept.value.sum()

        for i in range(10):
            log(step(torch.randn(3)), kept.value)
            if i == 5:
                kept.value = torch.zeros(3)

    check(program)


def _of_default(tensor: torch.Tensor) -> Callable[..., Any]:
    def add(x: torch.Tensor, other: torch.Tensor = tensor) -> torch.Tensor:
        return x + other

    return add


def _of_tuple(tensor: torch.Tensor) -> Callable[..., Any]:
    both = (tensor, 1)
    return lambda x: x + both[0]


@pytest.mark.parametrize(
    "other", [_of_default, _of_tuple, lambda t: functools.partial(torch.add, t)]
)
def test_who_has_the_first_tensor_keeps_it(other: Callable[..., Any]) -> None:
    def program(compiled: Any, log: Any) -> None:
        kept = Kept(torch.zeros(3))
        add = other(kept.value)

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            kept.value = kept.value + x
            return add(x)

        for _ in range(CALLS):
            log(step(torch.randn(3)), kept.value)

    check(program)


def test_what_a_gradient_needs_of_a_slot_is_kept_for_it() -> None:
    def program(compiled: Any, log: Any) -> None:
        kept, weight = Kept(torch.zeros(3)), torch.ones(3, requires_grad=True)

        @compiled
        def forward(x: torch.Tensor) -> torch.Tensor:
            found = (kept.value * weight * x).sum()
            kept.value = kept.value + x
            return found

        for _ in range(CALLS):
            weight.grad = None
            (forward(torch.randn(3)) + forward(torch.randn(3))).backward()
            log(weight.grad, kept.value)

    check(program)


def test_what_code_asks_of_the_shape_in_a_slot() -> None:
    def program(compiled: Any, log: Any) -> None:
        kept = Kept(torch.zeros(1))

        @compiled
        def step(x: torch.Tensor) -> torch.Tensor:
            if kept.value.shape != x.shape:
                kept.value = torch.zeros_like(x)
            kept.value = kept.value + x
            return kept.value.sum()

        for i in range(16):
            log(step(torch.randn(3 if i < 6 else 4)), kept.value)

    check(program)
