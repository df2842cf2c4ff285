"""bfloat16 and float16 in compiled programs: the bits that NumPy and eager mode give."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
import flambeau.compiler.symbolic as xp
from flambeau.compiler import lowering, runtime
from flambeau.compiler.executable import Executable, compile_graph
from flambeau.compiler.graph import Value, evaluate

from .graphs import graph_of
from .test_targets import KNOWN, arm, target, undefined_symbols

__all__ = ["arm", "target"]

F = torch.nn.functional
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT32 = np.dtype(np.float32)
EVERY = np.arange(1 << 16, dtype=np.uint16).view(BFLOAT16)
"""All numbers of bfloat16."""


def same_bits(function: Callable[..., Any], *arrays: np.ndarray) -> Executable:
    """Compile ``function`` and compare its results bit by bit; NaN is NaN."""
    graph = graph_of(function, arrays)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected, _ = evaluate(graph, arrays)
    executable = compile_graph(graph)
    for number, (actual, wanted) in enumerate(zip(executable(arrays), expected, strict=True)):
        assert actual.dtype == wanted.dtype
        if wanted.dtype.kind in "fV":
            nan = np.isnan(wanted.astype(np.float32))
            np.testing.assert_array_equal(np.isnan(actual.astype(np.float32)), nan)
            bits = f"u{wanted.dtype.itemsize}"
            actual, wanted = actual.view(bits)[~nan], np.asarray(wanted).view(bits)[~nan]
        np.testing.assert_array_equal(actual, wanted, err_msg=f"result {number}")
    assert not executable.calls_python
    return executable


def test_rounding_to_bfloat16(target: str) -> None:
    rng = np.random.default_rng(0)
    singles = rng.integers(0, 1 << 32, 20001, dtype=np.uint32).view(np.float32)
    ties = (np.arange(1 << 16, dtype=np.uint32) << 16 | 0x8000).view(np.float32)
    above = (np.arange(1 << 16, dtype=np.uint32) << 16 | 0x8001).view(np.float32)
    for values in (singles, ties, above):
        same_bits(lambda x: xp.astype(x, BFLOAT16), values)
        with np.errstate(all="ignore"):
            same_bits(lambda x: xp.astype(x, BFLOAT16), values.astype(np.float64))
    same_bits(lambda x: xp.astype(x, BFLOAT16), rng.integers(-(2**40), 2**40, 1001))
    same_bits(lambda x: xp.astype(x, BFLOAT16), np.arange(300) % 3 == 0)
    same_bits(lambda x: xp.astype(x, BFLOAT16), np.arange(256).astype(np.uint8))


def test_bfloat16_in_all_dtypes(target: str) -> None:
    small = np.arange(-300, 300).astype(BFLOAT16)
    same_bits(lambda x: [xp.astype(x, np.dtype(d)) for d in ("f4", "f8", "?")], EVERY)
    same_bits(lambda x: [xp.astype(x, np.dtype(d)) for d in ("i8", "i4", "i2")], small)


def test_arithmetic_and_comparisons(target: str) -> None:
    def program(x: Value, y: Value) -> list[Value]:
        return [
            x + y, x * y, x - y, x / y, -x, xp.abs(x), xp.sqrt(x), xp.maximum(x, y), x > y,
            xp.eq(x, y), xp.isnan(x), xp.floor(x), xp.logical_not(x),
            xp.where(x < 1, x, xp.full((), 2.5, BFLOAT16)), xp.signbit(x),
        ]  # fmt: skip

    same_bits(program, EVERY, np.roll(EVERY, 12345))


def test_moving_elements(target: str) -> None:
    x = np.arange(2 * 3 * 40).astype(BFLOAT16).reshape(2, 3, 40)
    index = np.array([1, 0, 1])

    def program(a: Value, i: Value) -> list[Value]:
        return [
            xp.permute(a, (2, 0, 1)), xp.reshape(a, (6, 40)), xp.flip(a, (2,)),
            xp.cat([a, a * 2], dim=1), xp.pad(a, ((0, 0), (1, 2), (3, 0)), value=1.5),
            xp.slice(a, (1, slice(0, 2))), xp.index(a, (i,)), xp.expand(a, (4, 2, 3, 40)),
            xp.slice_scatter(a, (slice(None), 1), xp.full((2, 40), 3, BFLOAT16)),
            xp.index_put(a, (i,), xp.full((), 7, BFLOAT16), False), xp.arange(0, 9, 1, BFLOAT16),
            xp.full((3, 3), 0.1, BFLOAT16), xp.amax(a, dim=(2,)), xp.argmax(a, dim=2),
        ]  # fmt: skip

    same_bits(program, x, index)


def test_products_are_rounded_once(target: str) -> None:
    """Terms are exact in float32, which adds them; in which order NumPy does is its matter."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((37, 50)).astype(BFLOAT16)
    y = rng.standard_normal((50, 19)).astype(BFLOAT16)

    def product(a: Value, b: Value) -> Value:
        return xp.astype(xp.matmul(xp.astype(a, FLOAT32), xp.astype(b, FLOAT32)), BFLOAT16)

    graph = graph_of(product, [x, y])
    (found,) = compile_graph(graph)([x, y])
    exact = x.astype(np.float64) @ y.astype(np.float64)
    np.testing.assert_allclose(found.astype(np.float64), exact, rtol=2**-8, atol=1e-6)


def test_code_for_arm_is_made(arm: tuple[str, bytes]) -> None:
    def program(a: Value) -> list[Value]:
        wide = xp.astype(a, FLOAT32)
        return [xp.astype(xp.tanh(wide), BFLOAT16), a + a, xp.sum(wide), xp.permute(a, (1, 0))]

    graph = graph_of(program, [np.ones((7, 30), BFLOAT16)])
    code = runtime.object_code(lowering.lower(graph, 16).source)
    assert code.startswith(arm[1])
    if arm[0] == "Linux":
        assert undefined_symbols(code) <= KNOWN


# -- training -----------------------------------------------------------------------------------


@pytest.fixture
def nothing_runs_eagerly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def perceptron() -> tuple[Any, Any]:
    layers = torch.nn.Sequential(
        torch.nn.Linear(20, 33), torch.nn.GELU(), torch.nn.LayerNorm(33), torch.nn.Linear(33, 10)
    )
    return layers, torch.randn(19, 20)


def convolutions() -> tuple[Any, Any]:
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3), torch.nn.BatchNorm2d(6), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Dropout(0.2), torch.nn.Flatten(), torch.nn.Linear(54, 10),
    )  # fmt: skip
    return layers, torch.randn(19, 1, 8, 8)


class Recurrent(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.LSTM(8, 10, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0][:, -1]


class Attentive(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Linear(8, 20)
        self.layer = torch.nn.TransformerEncoderLayer(20, 4, 30, dropout=0.0, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.layer(self.embedding(x))[:, 0, :10]


MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "perceptron": perceptron,
    "convolutions": convolutions,
    "recurrent": lambda: (Recurrent(), torch.randn(19, 6, 8)),
    "attentive": lambda: (Attentive(), torch.randn(19, 6, 8)),
}


def training(model: str, dtype: Any, autocast: bool, optimizer: str) -> tuple[Any, Any]:
    torch.manual_seed(0)
    network, x = MODELS[model]()
    if not autocast:
        network, x = network.to(dtype), x.to(dtype)
    labels = torch.randint(0, 10, (19,))
    update = getattr(torch.optim, optimizer)(network.parameters(), lr=0.01)

    def step() -> Any:
        update.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=autocast):
            loss = F.cross_entropy(network(x), labels)
        loss.backward()
        update.step()
        return loss

    return step, network


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_training_in_bfloat16(model: str, autocast: bool, nothing_runs_eagerly: None) -> None:
    optimizer = "SGD" if model in ("recurrent", "convolutions") else "AdamW"
    eager, plain = training(model, torch.bfloat16, autocast, optimizer)
    step, network = training(model, torch.bfloat16, autocast, optimizer)
    compiled = torch.compile(step, fullgraph=True)
    torch.manual_seed(5)
    expected = [eager().item() for _ in range(6)]
    torch.manual_seed(5)
    found = [compiled().item() for _ in range(6)]
    np.testing.assert_allclose(found, expected, rtol=2**-8)
    (runner,) = compiled.runners()
    assert not runner.executable.calls_python
    for mine, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.grad.dtype == theirs.grad.dtype
        np.testing.assert_allclose(
            mine.detach().float(), theirs.detach().float(), rtol=2**-6, atol=2**-7
        )


def test_training_in_float16_rounds_where_eager_mode_does(nothing_runs_eagerly: None) -> None:
    if not runtime.has_half_precision():
        pytest.skip("this CPU does not convert half precision")
    eager, _ = training("perceptron", torch.float16, False, "SGD")
    step, _ = training("perceptron", torch.float16, False, "SGD")
    compiled = torch.compile(step, fullgraph=True)
    expected = [eager().item() for _ in range(6)]
    np.testing.assert_allclose([compiled().item() for _ in range(6)], expected, rtol=2**-11)


def test_half_precision_without_its_instructions_runs_in_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "FORCED_CPU", ("x86-64", ""))
    x = np.linspace(-3, 3, 50).astype(np.float16)
    graph = graph_of(lambda a: [a * 2, xp.exp(xp.astype(a, FLOAT32))], [x])
    executable = compile_graph(graph)
    assert executable.calls_python
    for actual, wanted in zip(executable([x]), evaluate(graph, [x])[0], strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6)


def in_a_region(parts: Callable[[Any], Any]) -> list[list[np.ndarray]]:
    """Losses and gradients of steps whose autocast region begins outside of what is compiled."""
    torch.manual_seed(0)
    first, last = (
        torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU()),
        torch.nn.Linear(16, 4),
    )
    parameters = [*first.parameters(), *last.parameters()]
    x, labels = torch.randn(12, 8), torch.randint(0, 4, (12,))
    begin, end = parts(first), parts(last)
    update = torch.optim.SGD(parameters, lr=0.1)
    seen = []
    for _ in range(5):
        update.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(end(begin(x)) + end(begin(-x)), labels)
        loss.backward()
        seen.append(
            [t.detach().float().numpy().copy() for t in (loss, *(p.grad for p in parameters))]
        )
        update.step()
    return seen


def test_modules_compiled_within_an_autocast_region_train(nothing_runs_eagerly: None) -> None:
    """The region keeps its parameters' casts; those of a capture have no history."""
    for mine, theirs in zip(in_a_region(torch.compile), in_a_region(lambda part: part)):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=2**-5, atol=2**-7)


@pytest.mark.filterwarnings("ignore:flambeau.compile")
def test_what_cannot_be_captured_leaves_no_casts_in_an_autocast_region() -> None:
    def branching(part: Any) -> Any:
        return torch.compile(lambda x: part(x) if part(x).sum() > -1e9 else x)

    for mine, theirs in zip(in_a_region(branching), in_a_region(lambda part: part)):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
