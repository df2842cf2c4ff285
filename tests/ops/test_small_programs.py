"""Small calls of operations that move to compiled programs give the same results."""

from __future__ import annotations

import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.ops import small_programs
from flambeau.ops.operation import OPERATIONS

from .samples import Case, all_cases

pytest.importorskip("llvmlite")

F = flambeau.nn.functional
MOVING = [name for name, operation in OPERATIONS.items() if operation.small is not None]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every program is made at the second call of its kind, and none is there before."""
    forget()
    monkeypatch.setattr(small_programs, "WORTH", 1e-9)
    monkeypatch.setattr(small_programs, "_made", 0)
    yield
    forget()


def forget() -> None:
    for table in small_programs.TABLES.values():
        table.clear()
        table.layouts.clear()


def programs(name: Any) -> list[bool]:
    """For each key of a table whether there is a program."""
    return [f.__name__ == "compiled" for f in small_programs.TABLES[name].values()]


def called(case: Case, dtype: str) -> list[np.ndarray]:
    """Results and gradients of one call."""
    tensors = [flambeau.tensor(a.astype(dtype) if a.dtype.kind == "f" else a) for a in case.arrays]
    for number in case.differentiable:
        tensors[number].requires_grad_()
    arguments, keywords = case.filled(tensors)
    results = case.operation(*arguments, **keywords)
    results = results if isinstance(results, tuple) else (results,)
    found = [r.detach().numpy() for r in results]
    derived = [r for r in results if r.requires_grad]
    if derived:
        wanted = [tensors[n] for n in case.differentiable]
        shift = np.random.default_rng(0)
        grads = [flambeau.tensor(shift.standard_normal(r.shape).astype(dtype)) for r in derived]
        gradients = flambeau.autograd.grad(derived, wanted, grads, allow_unused=True)
        found += [g.numpy() for g in gradients if g is not None]
    return found


def test_some_operations_move() -> None:
    assert {"softmax_along", "cross_entropy_classes", "batch_norm_training"} <= set(MOVING)


CASES = [c for c in all_cases() if c.operation.name in MOVING]


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(c, d) for c in CASES for d in ("float32", "float64") if d == "float32" or c.number == 0],
    ids=str,
)
def test_results_stay(case: Case, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_programs, "WORTH", 1e9)
    expected = called(case, dtype)
    forget()
    monkeypatch.setattr(small_programs, "WORTH", 1e-9)
    for _ in range(2):
        found = called(case, dtype)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
            tolerance = 2e-5 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    first = case.arrays[0]
    assert first.ndim == 0 or first.dtype.kind == "c" or any(programs(case.operation.name))


def test_nan_and_infinities_are_as_in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    x = flambeau.tensor([[1.0, np.inf], [-np.inf, -np.inf], [np.nan, 1.0], [500.0, 1000.0]])
    calls: list[Callable[[], Any]] = [
        lambda: F.softmax(x, 1), lambda: F.log_softmax(x, 1), lambda: x.logsumexp(1),
        lambda: x.max(1).values, lambda: x.max(1).indices, lambda: x.var(1),
    ]  # fmt: skip
    monkeypatch.setattr(small_programs, "WORTH", 1e9)
    with np.errstate(all="ignore"):
        expected = [call().numpy() for call in calls]
    forget()
    monkeypatch.setattr(small_programs, "WORTH", 1e-9)
    for call, theirs in zip(calls, expected, strict=True):
        np.testing.assert_allclose(call().numpy(), theirs, rtol=1e-6)


def test_wrong_classes_are_refused_by_programs_too() -> None:
    scores = flambeau.randn(4, 3, requires_grad=True)
    good = flambeau.tensor([0, 2, -100, 1])
    expected = F.cross_entropy(scores, good).item()
    assert programs("cross_entropy_classes") == [True]
    for bad in ([0, 3, 1, 1], [0, -1, 1, 1]):
        with pytest.raises(IndexError, match="out of bounds"):
            F.cross_entropy(scores, flambeau.tensor(bad))
    assert F.cross_entropy(scores, good).item() == expected
    assert np.isnan(F.cross_entropy(scores, flambeau.tensor([-100] * 4)).item())


def test_probabilities_outside_0_and_1_are_refused_by_programs_too() -> None:
    target = flambeau.tensor([0.0, 1.0])
    F.binary_cross_entropy(flambeau.tensor([0.25, 1.0]), target)
    assert programs("binary_cross_entropy") == [True]
    for bad in ([0.5, 1.5], [-0.5, 1.0], [np.nan, 1.0]):
        with pytest.raises(RuntimeError, match="between 0 and 1"):
            F.binary_cross_entropy(flambeau.tensor(bad), target)


def test_what_a_program_does_not_take_goes_to_numpy() -> None:
    x = flambeau.randn(3, 3)
    F.softmax(x, 1)
    assert programs("softmax_along") == [True]
    turned = F.softmax(x.t(), 1)
    np.testing.assert_allclose(turned.numpy(), F.softmax(x, 0).t().numpy(), rtol=1e-6)
    double = F.softmax(x.double(), 1)
    assert double.dtype == flambeau.float64
    np.testing.assert_allclose(double.numpy(), F.softmax(x, 1).numpy(), rtol=1e-6)
    weight = flambeau.randn(3)
    first = F.layer_norm(x, (3,), weight, weight)
    np.testing.assert_allclose(
        F.layer_norm(x, [3], weight, weight).detach().numpy(), first.numpy(), rtol=1e-6
    )
    with pytest.raises(RuntimeError, match="normalized_shape"):
        F.layer_norm(x, (3,), flambeau.randn(4), weight)


def test_gradients_that_are_not_in_rows() -> None:
    x = flambeau.randn(3, 4, requires_grad=True)
    weights = flambeau.randn(4, 3)
    expected = flambeau.autograd.grad(F.softmax(x, 1), x, weights.t().contiguous())[0]
    for grad in (weights.t(), weights.t().contiguous()):
        found = flambeau.autograd.grad(F.softmax(x, 1), x, grad)[0]
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        flambeau.autograd.grad(F.softmax(x, 1).sum(), x)[0].numpy(), np.zeros((3, 4)), atol=1e-6
    )


def test_a_node_made_before_the_program_is_differentiated_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = flambeau.randn(4, 3, requires_grad=True)
    target = flambeau.tensor([0, 2, 1, 1])
    monkeypatch.setattr(small_programs, "WORTH", 1e9)
    early = F.cross_entropy(scores, target)
    forget()
    monkeypatch.setattr(small_programs, "WORTH", 1e-9)
    late = F.cross_entropy(scores, target)
    found = [flambeau.autograd.grad(loss, scores)[0].numpy() for loss in (early, late)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert programs(("cross_entropy_classes", "backward")) == [True]


def test_second_derivatives() -> None:
    def curvature() -> np.ndarray:
        x = flambeau.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
        loss = F.cross_entropy(x, flambeau.tensor([0, 2])) + F.softmax(x, 1).square().sum()
        (slope,) = flambeau.autograd.grad(loss, x, create_graph=True)
        return flambeau.autograd.grad((slope * slope).sum(), x)[0].numpy()

    np.testing.assert_allclose(curvature(), curvature(), rtol=1e-4)


def test_the_call_of_the_change_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_programs, "WORTH", 20e-6)
    x = flambeau.randn(5, 5)
    seen = []
    for _ in range(2):
        forget()
        seen.append([F.softmax(x, 1) is not None and programs("softmax_along")[0]
                     for _ in range(12)])  # fmt: skip
    assert seen[0] == seen[1]
    assert seen[0] == sorted(seen[0]) and not seen[0][7] and seen[0][9]


def test_large_and_empty_arrays_stay() -> None:
    F.softmax(flambeau.randn(200, 100), 1)
    F.softmax(flambeau.randn(0, 4), 1)
    assert programs("softmax_along") == [False, False]


def test_calls_leave_nothing_behind() -> None:
    x = flambeau.randn(4, 5, requires_grad=True)
    norm = flambeau.nn.BatchNorm1d(5)
    target = flambeau.tensor([0, 4, 1, 1])

    def step() -> None:
        F.cross_entropy(norm(x), target).backward()
        x.max(1)

    for _ in range(5):
        step()
    kept = np.dtype(np.float32), None
    before = [sys.getrefcount(thing) for thing in kept]
    tracemalloc.start()
    try:
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            step()
        grown = tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    after = [sys.getrefcount(thing) for thing in kept]
    assert all(abs(a - b) < 100 for a, b in zip(after, before, strict=True))


def test_threads_share_programs() -> None:
    x = flambeau.randn(6, 7)
    expected = F.log_softmax(x, 1).numpy()
    wrong: list[int] = []

    def work(number: int) -> None:
        mine = x + number
        for _ in range(500):
            if not np.allclose(F.log_softmax(mine, 1).numpy(), expected, atol=1e-5):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_llvmlite_nothing_is_counted() -> None:
    program = (
        "import sys; sys.modules['llvmlite'] = None\n"
        "import flambeau, flambeau.ops.small_programs as small_programs\n"
        "x = flambeau.randn(3, 4, requires_grad=True)\n"
        "flambeau.nn.functional.softmax(x, 1).sum().backward()\n"
        "assert not any(small_programs.TABLES.values())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_running_averages_are_written_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    x = flambeau.randn(6, 3) * 2 + 1
    found = []
    for worth in (1e9, 1e-9):
        forget()
        monkeypatch.setattr(small_programs, "WORTH", worth)
        norm = flambeau.nn.BatchNorm1d(3, momentum=0.3)
        mean, version = norm.running_mean, norm.running_mean._version
        view = mean.numpy()
        for _ in range(3):
            norm(x)
        assert norm.running_mean is mean and mean._version == version + 3
        assert norm.num_batches_tracked.item() == 3
        found.append([view.copy(), norm.running_var.numpy().copy()])
    assert programs("batch_norm averages") == [True]
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_averages_that_must_not_be_written_are_refused() -> None:
    x = flambeau.randn(6, 3)
    F.batch_norm(x, flambeau.zeros(3), flambeau.ones(3), training=True)
    assert programs("batch_norm averages") == [True]
    fixed = flambeau.zeros(3)
    fixed._array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        F.batch_norm(x, fixed, flambeau.ones(3), training=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_and_bernoulli_draw_the_same_bits(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = flambeau.ones(30, 7, dtype=getattr(flambeau, dtype))
    found = []
    for worth in (1e9, 1e-9):
        forget()
        monkeypatch.setattr(small_programs, "WORTH", worth)
        flambeau.manual_seed(7)
        found.append([F.dropout(x, p).numpy() for p in (0.0, 0.1, 0.5, 0.9, 1.0)])
        found[-1] += [x.clone().bernoulli_(p).numpy() for p in (0.0, 0.3, 1.0)]
        found[-1].append(flambeau.rand(3).numpy())
    assert len(programs("trials")) >= 3 and all(programs("trials"))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_writes_into_indices_that_are_kept_are_noticed() -> None:
    x = flambeau.randn(3, 4, requires_grad=True)
    for call in (lambda: x.max(1), lambda: x.topk(2)):
        values, indices = call()
        values.sum().backward()
        values, indices = call()
        indices.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            values.sum().backward()
    assert programs("max_dim") == programs("topk_values") == [True]
