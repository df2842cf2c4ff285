"""What a step keeps in memory: less than everything, and to the same results."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import flambeau as torch
import flambeau.compiler.symbolic as xp
from flambeau import nn
from flambeau.compiler import lowering, recomputation
from flambeau.compiler.graph import Graph, Value, input_value

from .agreement import squares_step
from .random_graphs import GraphMaker, float_arrays
from .test_random_agreement import SEEDS, check_compiled, examples


@pytest.fixture
def small_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of hundreds of bytes are treated as those of megabytes."""
    monkeypatch.setattr(recomputation, "_LEAST", 64)
    monkeypatch.setattr(recomputation, "_FAR", 512)
    monkeypatch.setattr(recomputation, "_TIMES", 2)


def _copies(graph: Graph) -> list[str]:
    again = recomputation.recomputed(graph)
    return [v.primitive for v in again.values() if recomputation.AGAIN in v.attributes]


def _arena(graph: Graph) -> int:
    return lowering.lower(graph, 32).arena_bytes


def test_random_programs_give_the_same(small_is_far: None) -> None:
    made = []

    @examples(40)
    @given(SEEDS, st.integers(10, 40), st.sampled_from(["float32", "float64"]))
    def agree(seed: int, steps: int, dtype: str) -> None:
        rng = np.random.default_rng(seed)
        graph = GraphMaker(rng, np.dtype(dtype), (16, 33)).grow(steps)
        made.append(len(_copies(graph)))
        check_compiled(graph, float_arrays(rng, graph.inputs, special=False), dtype)

    agree()
    assert sum(count > 0 for count in made) > 5


def _chain(x: Value, layers: int, function: Any) -> Graph:
    """``function`` after each of many products, and the same backwards, as a gradient has it."""
    weights = [input_value((x.shape[1], x.shape[1]), x.dtype) for _ in range(layers)]
    kept = []
    y = x
    for w in weights:
        h = xp.matmul(y, w)
        y = function(h)
        kept.append((h, y))
    for (h, y), w in zip(reversed(kept), reversed(weights), strict=True):
        x = xp.matmul(x * h * function(h), w) + y * 0.5
    return Graph([kept[0][0].operands[0], *weights], [xp.sum(x)])


def test_a_function_of_what_is_kept_is_not_kept(
    small_is_far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = input_value((64, 32), np.dtype(np.float32))
    graph = _chain(x, 6, lambda h: h * 2.0)
    assert "mul" in _copies(graph)
    with_copies = _arena(graph)
    monkeypatch.setattr(recomputation, "_FAR", 1 << 40)
    assert _copies(graph) == []
    # half of the layers keep their product, and not what is made of it
    assert with_copies <= _arena(graph) - 3 * 64 * 32 * 4
    arrays = [np.full((64, 32), 0.5, np.float32), *[np.eye(32, dtype=np.float32)] * 6]
    check_compiled(graph, arrays, "float32")


def test_an_expensive_function_is_computed_again_for_one_reader_only(small_is_far: None) -> None:
    x = input_value((64, 32), np.dtype(np.float32))

    def graph(readers: int) -> Graph:
        h = xp.matmul(x, xp.permute(x, (1, 0)))
        bent = xp.tanh(h) + 1.0
        near = xp.matmul(bent * 2.0, x)
        for _ in range(8):
            near = xp.matmul(xp.matmul(near, xp.permute(near, (1, 0))), x) * 0.01
        far = xp.matmul(near, xp.permute(x, (1, 0))) * h
        total = xp.sum(far * bent)
        return Graph([x], [total] if readers == 1 else [total, xp.matmul(far, far * bent)])

    assert "tanh" in _copies(graph(1)) and "tanh" not in _copies(graph(2))
    array = np.linspace(-0.1, 0.1, 64 * 32, dtype=np.float32).reshape(64, 32)
    for readers in (1, 2):
        check_compiled(graph(readers), [array], "float32")


def test_a_bent_layer_keeps_its_product_alone() -> None:
    """Its gradient needs the error function; beside that, what the next layer reads is cheap."""
    rows, width, layers = 1024, 64, 12
    layer = lambda: [nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)]  # noqa: E731
    net = nn.Sequential(*[m for _ in range(layers) for m in layer()], nn.Tanh())

    @torch.compile
    def step(x):
        for p in net.parameters():
            p.grad = None
        loss = net(x).square().mean()
        loss.backward()
        return loss

    x = torch.randn(rows, width)
    for _ in range(4):
        loss = step(x).item()
    (runner,) = step.runners()
    wide, narrow = 4 * rows * 4 * width, 4 * rows * width
    # of each layer the product and the input; and a few to work with
    assert runner.executable.arena_bytes <= (layers + 3) * wide + (layers + 3) * narrow
    grads = [p.grad.clone() for p in net.parameters()]
    for p in net.parameters():
        p.grad = None
    eager = net(x).square().mean()
    eager.backward()
    assert loss == pytest.approx(eager.item(), rel=1e-5)
    for p, grad in zip(net.parameters(), grads, strict=True):
        torch.testing.assert_close(grad, p.grad, rtol=1e-4, atol=1e-6)


def test_what_is_updated_is_read_before(small_is_far: None) -> None:
    """A copy that would have to be made of the old state is not made."""
    old = input_value((64, 32), np.dtype(np.float32))
    x = input_value((64, 32), np.dtype(np.float32))
    moved = old * 0.9
    y = xp.matmul(moved, xp.permute(x, (1, 0)))
    for _ in range(8):
        y = xp.matmul(y, y) * 0.01
    graph = Graph([old, x], [xp.matmul(y, moved)], {0: old + 1.0})
    assert _copies(graph) == []
    rng = np.random.default_rng(0)
    check_compiled(
        graph, [rng.standard_normal((64, 32), np.float32) * 0.1 for _ in "ab"], "float32"
    )


def test_in_small_programs_nothing_is_computed_twice() -> None:
    x = input_value((64, 32), np.dtype(np.float32))
    assert _copies(_chain(x, 6, lambda h: h * 2.0)) == []


def test_gradients_of_weights_do_not_wait_for_the_whole_backward_pass() -> None:
    """Else every layer's gradient and input are in memory at the end of it."""
    rows, width, layers = 256, 32, 8
    net = nn.Sequential(*[m for _ in range(layers) for m in (nn.Linear(width, width), nn.Tanh())])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    step, x = torch.compile(squares_step(net, optimizer)), torch.randn(rows, width)
    for _ in range(4):
        step(x)
    (runner,) = step.runners()
    arena = runner.executable.arena_bytes
    # the results of the layers, and three such arrays to work with
    assert arena <= (layers + 3) * rows * width * 4


def test_a_step_of_wide_layers_needs_its_gradients_and_little_else() -> None:
    """No copies of weights; and the activations lie where the gradients will."""
    net = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    rows = 64
    step, x = torch.compile(squares_step(net, optimizer)), torch.randn(rows, 512)
    for _ in range(4):
        step(x)
    (runner,) = step.runners()
    assert runner.executable.arena_bytes < 1.1 * rows * 512 * 4


# -- gradients that a step replaces --------------------------------------------------------------


def _step(clears: str, wide: bool = True) -> tuple[Any, nn.Module]:
    net = nn.Linear(512 if wide else 8, 512 if wide else 8)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    seen: list[Any] = []

    def step(x):
        if clears == "first":
            optimizer.zero_grad()
        if clears == "after a look":
            seen[:] = [float(net.weight.grad.shape[0])]
            norm = net.weight.grad.square().sum()
            optimizer.zero_grad()
            loss = net(x).square().mean() + 0 * norm
        else:
            loss = net(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(step), net


def _peak(step: Any, x: torch.Tensor) -> int:
    step(x)
    tracemalloc.start()
    try:
        step(x)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step(x)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("clears", ["first", "never"])
def test_old_gradients_make_room_for_new_ones(clears: str) -> None:
    step, net = _step(clears)
    x = torch.randn(4, 512)
    for _ in range(4):
        step(x)
    # a gradient that is added to is updated in place; one that is replaced goes first
    assert _peak(step, x) < 512 * 512 * 4 / 2
    assert net.weight.grad is not None and net.weight.grad.isfinite().all()


def test_gradients_that_are_looked_at_or_held_stay() -> None:
    step, net = _step("after a look")
    net.weight.grad, net.bias.grad = torch.zeros(512, 512), torch.zeros(512)
    x = torch.randn(4, 512)
    for _ in range(4):
        step(x)
    held = net.weight.grad
    copy = held.clone()
    step(x)
    assert net.weight.grad is not held and torch.equal(held, copy)
    (runner,) = step.runners()
    assert runner.forgotten_gradients == []


def test_small_gradients_are_replaced_as_they_are() -> None:
    step, _ = _step("first", wide=False)
    for _ in range(4):
        step(torch.randn(2, 8))
    (runner,) = step.runners()
    assert runner.program.grads and runner.forgotten_gradients == []
