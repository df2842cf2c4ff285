"""What is let go of: nothing grows over many steps, with the cycle collector off."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import flambeau as torch


@pytest.fixture(autouse=True)
def _no_cycle_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _objects_made_by(step: Callable[[], Any], times: int) -> int:
    """How many more objects the collector knows after ``times`` steps than after a few."""
    for _ in range(50):
        step()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(times):
        step()
    return len(gc.get_objects()) - before


def _training_step() -> Callable[[], Any]:
    weight = torch.randn(8, 4, requires_grad=True)
    bias = torch.zeros(8, requires_grad=True)
    x = torch.randn(16, 4)

    def step() -> None:
        weight.grad = bias.grad = None
        loss = ((x @ weight.t() + bias).relu() ** 2).mean()
        loss.backward()
        with torch.no_grad():
            weight.sub_(weight.grad, alpha=0.01)
            bias.sub_(bias.grad, alpha=0.01)

    return step


def _inplace_and_views() -> Callable[[], Any]:
    x = torch.randn(4, 4, requires_grad=True)

    def step() -> None:
        y = x * 2
        row = y[0]
        row.mul_(3)
        y[1] = row
        y.exp_()
        (y.view(-1).sum() + row.sum()).backward()
        x.grad = None

    return step


def _second_order() -> Callable[[], Any]:
    x = torch.randn(4, requires_grad=True)

    def step() -> None:
        (slope,) = torch.autograd.grad((x.sin() * x.exp()).sum(), x, create_graph=True)
        torch.autograd.grad((slope**2).sum(), x)

    return step


def _hooks() -> Callable[[], Any]:
    x = torch.randn(4, requires_grad=True)

    def step() -> None:
        y = x * 2
        y.register_hook(lambda g: g * 2)
        y.retain_grad()
        handle = x.register_hook(lambda g: None)
        (y**2).sum().backward()
        handle.remove()
        x.grad = None

    return step


def _several_results() -> Callable[[], Any]:
    x = torch.randn(4, 3, requires_grad=True)

    def step() -> None:
        values, _ = x.max(1)
        ordered, _ = x.sort(0)
        (values.sum() + ordered[0].sum() + torch.stack(x.unbind(0)).sum()).backward()
        x.grad = None

    return step


STEPS = {
    "training": _training_step, "in-place": _inplace_and_views, "second order": _second_order,
    "hooks": _hooks, "several results": _several_results,
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_no_step_leaves_objects_behind(name: str) -> None:
    assert _objects_made_by(STEPS[name](), 300) <= 10


def test_memory_does_not_grow_over_ten_thousand_steps() -> None:
    step = _training_step()
    for _ in range(100):
        step()
    tracemalloc.start()
    for _ in range(500):
        step()
    early = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for _ in range(8_900):
        step()
    tracemalloc.start()
    for _ in range(500):
        step()
    late = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert late - early < 10_000


def test_the_graph_dies_with_its_result() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    dead = weakref.ref(y)
    node = weakref.ref(y.grad_fn)
    z = y.exp().sum()
    del y
    assert dead() is not None or node() is not None  # the tape needs it
    del z
    assert dead() is None and node() is None


def test_a_backward_pass_lets_go_of_what_was_saved() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    dead = weakref.ref(y)
    del y
    z.backward()
    assert dead() is None


def test_views_do_not_keep_their_siblings_alive() -> None:
    x = torch.ones(3)
    first, second = x[0], x[1]
    dead = weakref.ref(first)
    del first
    assert dead() is None and second.item() == 1.0


def test_a_long_chain_is_let_go_of_without_recursion() -> None:
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    dead = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert x.grad.item() == 1.0
    del y
    assert dead() is None


def test_a_long_chain_of_views_and_writes() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 1
    for _ in range(5_000):
        y[0] += 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
