"""Settings of the process are not constants of compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau.compiler.process_settings import _GETTERS, _SETTERS, SETTINGS


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    torch.set_warn_always(False)


def test_every_setting_can_be_read() -> None:
    assert set(dict(SETTINGS)) == set(_GETTERS) and set(_SETTERS.values()) <= set(_GETTERS)
    for name in _SETTERS:
        assert hasattr(torch, name) or hasattr(torch.autograd, name), name


@pytest.mark.parametrize(
    ("ask", "change"),
    [
        (torch.get_num_threads, lambda: torch.set_num_threads(torch.get_num_threads() % 2 + 1)),
        (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
        (
            torch.are_deterministic_algorithms_enabled,
            lambda: torch.use_deterministic_algorithms(True),
        ),
        (
            torch.get_float32_matmul_precision,
            lambda: torch.set_float32_matmul_precision("high"),
        ),
        (torch.is_warn_always_enabled, lambda: torch.set_warn_always(True)),
    ],
)
def test_a_setting_that_changes_between_calls_is_noticed(
    ask: Callable[[], Any], change: Callable[[], None]
) -> None:
    def plain(x: Any) -> Any:
        return x + (
            torch.get_num_threads() * 10
            + (torch.get_default_dtype() is torch.float64)
            + 2 * torch.are_deterministic_algorithms_enabled()
            + 3 * (torch.get_float32_matmul_precision() == "high")
            + 5 * torch.is_warn_always_enabled()
        )

    getter, function = torch.compile(ask), torch.compile(plain)
    x = torch.ones(2)
    for _ in range(5):
        assert getter() == ask() and torch.equal(function(x), plain(x))
    assert getter.runners() and function.runners()
    before = plain(x)
    change()
    assert not torch.equal(before, plain(x))
    for _ in range(5):
        assert getter() == ask() and torch.equal(function(x), plain(x))


def test_a_program_that_makes_a_setting_runs_eagerly() -> None:
    @torch.compile
    def program(x: Any) -> Any:
        torch.set_num_threads(1)
        return x * 2

    torch.set_num_threads(1)
    for _ in range(4):
        program(torch.ones(2))
    torch.set_num_threads(2)
    with pytest.warns(UserWarning, match="get_num_threads"):
        for _ in range(4):
            program(torch.ones(2))
            assert torch.get_num_threads() == 1
            torch.set_num_threads(2)


def test_anomalies_are_looked_for() -> None:
    weight = torch.nn.Parameter(torch.tensor([4.0]))

    @torch.compile
    def step(x: Any) -> Any:
        weight.grad = None
        loss = torch.sqrt(weight - x).sum()
        loss.backward()
        return loss

    for _ in range(5):
        step(torch.ones(1))
    assert step.runners()
    bad = torch.tensor([5.0])
    with torch.autograd.detect_anomaly():
        with pytest.raises(RuntimeError, match="SqrtBackward0.*nan"):
            step(bad)
        step(torch.ones(1))
    assert step(bad).isnan()
