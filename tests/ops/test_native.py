"""Operations that change over from NumPy to compiled programs give the same results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.ops import native

pytest.importorskip("llvmlite")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(native, "_CALLS", {})
    monkeypatch.setattr(native, "_made", 0)
    yield


def step(module: Any, x: Any, states: Any) -> list[np.ndarray]:
    """Results and gradients of one call."""
    output, last = module(x, states)
    last = last if isinstance(last, tuple) else (last,)
    module.zero_grad()
    x.grad = None
    sum((t * t).sum() for t in (output, *last)).backward()
    tensors = [output, *last, x.grad, *(p.grad for p in module.parameters())]
    return [t.detach().numpy().copy() for t in tensors]


def programs() -> list[bool]:
    return [calls.program is not None for calls in native._CALLS.values()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "build",
    [
        lambda n, d: n.RNN(3, 5, nonlinearity="relu", dtype=d),
        lambda n, d: n.GRU(3, 5, dtype=d),
        lambda n, d: n.LSTM(3, 5, dtype=d),
        lambda n, d: n.LSTM(3, 5, proj_size=2, bidirectional=True, dtype=d),
    ],
    ids=["rnn", "gru", "lstm", "projected"],
)
def test_results_stay(build: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = getattr(flambeau, dtype)
    module = build(flambeau.nn, kind)
    x = flambeau.randn(6, 2, 3, dtype=kind, requires_grad=True)
    on_numpy = step(module, x, None)
    assert not any(programs())
    monkeypatch.setattr(native, "WORTH", 0.0)
    compiled = step(module, x, None)
    assert programs() and all(programs())
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for a, b in zip(on_numpy, compiled, strict=True):
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)


def test_it_changes_over_at_the_same_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "WORTH", 5 * 6 * 15e-6)
    found = []
    for _ in range(2):
        native._CALLS.clear()
        gru = flambeau.nn.GRU(3, 4)
        x = flambeau.randn(6, 2, 3)
        calls = 0
        while not any(programs()):
            gru(x)
            calls += 1
        found.append(calls)
    assert found[0] == found[1] > 1


def test_calls_without_gradients_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "WORTH", 0.0)
    lstm = flambeau.nn.LSTM(3, 4)
    x = flambeau.randn(6, 2, 3)
    with flambeau.no_grad():
        first, _ = lstm(x)
    second, _ = lstm(x)
    assert programs() == [True, True]
    np.testing.assert_allclose(first.numpy(), second.detach().numpy(), atol=1e-6)


def test_numpy_goes_on_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ImportError("no llvmlite")

    monkeypatch.setattr(native, "WORTH", 0.0)
    monkeypatch.setattr(native, "Program", refuse)
    lstm = flambeau.nn.LSTM(3, 4)
    x = flambeau.randn(6, 2, 3, requires_grad=True)
    assert len(step(lstm, x, None)) == 8
    assert programs() and not any(programs())


def test_uneven_batches_stay_on_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would need a program of its own."""
    monkeypatch.setattr(native, "WORTH", 1e-9)
    pack = flambeau.nn.utils.rnn.pack_padded_sequence
    flambeau.nn.GRU(3, 4)(pack(flambeau.randn(6, 2, 3), [6, 2]))
    assert not any(programs())


def test_the_number_of_programs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "WORTH", 0.0)
    monkeypatch.setattr(native, "MOST", 1)
    gru = flambeau.nn.GRU(3, 4)
    with flambeau.no_grad():
        for length in (2, 3, 4):
            gru(flambeau.randn(length, 2, 3))
    assert sum(programs()) == 1
