"""Steps with operations that have no code are compiled as a whole, and raise as eager ones do."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
import flambeau.compiler.symbolic as xp
from flambeau.compiler import lowering, team
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, Value, evaluate

from .graphs import graph_of

Step = Callable[[], Any]


@pytest.fixture(autouse=True)
def nothing_runs_eagerly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def trained(loss: Callable[..., Any], optimizer: str, *shapes: Any, **kinds: Any) -> Step:
    """A training step of parameters of ``shapes``."""
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(*s, **kinds)) for s in shapes]
    update = getattr(torch.optim, optimizer)(parameters, lr=0.01)

    def step() -> Any:
        update.zero_grad()
        value = loss(*parameters)
        value.backward()
        update.step()
        return value

    return step


def spectrum(w: Any) -> Any:
    half = torch.fft.rfft(w * torch.arange(12.0))
    return (half.abs() ** 2).mean() + torch.fft.ifft(torch.fft.fft(w) * half.sum()).real.sum()


def matrices(w: Any) -> Any:
    square = w @ w.mT + torch.eye(4)
    sign, log = torch.linalg.slogdet(square)
    return (
        sign * log
        + torch.linalg.solve(square, w).sum()
        + torch.linalg.inv(square).sum()
        + torch.linalg.cholesky(square).sum()
        + torch.linalg.matrix_exp(w / 8).sum()
        + torch.linalg.eigh(square)[0].sum()
        + torch.linalg.svdvals(w).sum()
        + torch.linalg.qr(w)[1].abs().sum()
    )


def special(w: Any) -> Any:
    x = w.abs() + 0.5
    return (
        torch.special.bessel_j0(x.detach()) * torch.special.i0(x)
        + torch.polygamma(1, x)
        + torch.special.gammainc(x.detach(), x)
        + torch.special.zeta(x.detach() + 2, x)
        + torch.special.erfcx(x)
    ).sum()


def sorted_numbers(w: Any) -> Any:
    values, places = torch.sort(w)
    return (values * torch.arange(5000.0)).mean() + places[0]


def complex_product(w: Any, v: Any) -> Any:
    y = torch.cat([w @ v, v])[1:].mT
    return (y.abs() ** 2).mean() + y.real.tanh().sum() + torch.view_as_real(y * y.conj()).sum()


STEPS: dict[str, Callable[[], Step]] = {
    "fft": lambda: trained(spectrum, "Adam", (12,)),
    "matrices": lambda: trained(matrices, "SGD", (4, 4)),
    "special functions": lambda: trained(special, "SGD", (30,)),
    "a long sort": lambda: trained(sorted_numbers, "SGD", (5000,)),
    "complex parameters, SGD": lambda: trained(
        complex_product, "SGD", (3, 3), (3, 2), dtype=torch.complex64
    ),
    "complex parameters, Adam": lambda: trained(
        complex_product, "Adam", (3, 3), (3, 2), dtype=torch.complex128
    ),
    "complex parameters, RMSprop": lambda: trained(
        complex_product, "RMSprop", (3, 3), (3, 2), dtype=torch.complex64
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_training_step_is_compiled_with_the_losses_of_eager_mode(name: str) -> None:
    eager, other = STEPS[name](), STEPS[name]()
    compiled = torch.compile(other, fullgraph=True)
    expected = [eager().item() for _ in range(7)]
    found = [compiled().item() for _ in range(7)]
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    (runner,) = compiled.runners()
    computed = [k.computes for k in runner.executable.kernels]
    assert any(c.endswith("in NumPy") for c in computed)
    assert any(not c.endswith("in NumPy") for c in computed)


def test_many_steps_in_one_call() -> None:
    expected = [s().item() for s in [STEPS["matrices"]()] for _ in range(30)]
    found = torch.compile(STEPS["matrices"](), steps=30, fullgraph=True)()
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=2e-5)


def test_a_compiled_module_differentiates_through_numpy() -> None:
    class Spectral(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 9, dtype=torch.float64))

        def forward(self, x: Any) -> Any:
            return torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(self.weight), n=9).tanh()

    plain = Spectral()
    compiled = torch.compile(Spectral(), fullgraph=True)
    x = torch.arange(18.0, dtype=torch.float64).reshape(2, 9)
    for _ in range(5):
        plain.zero_grad()
        compiled.zero_grad()
        expected, found = plain(x), compiled(x)
        expected.sum().backward()
        found.sum().backward()
        np.testing.assert_allclose(found.detach(), expected.detach(), rtol=1e-12)
        np.testing.assert_allclose(compiled.weight.grad, plain.weight.grad, rtol=1e-10, atol=1e-13)


def test_explain_says_what_runs_in_numpy() -> None:
    step = torch.compile(STEPS["fft"]())
    for _ in range(4):
        step()
    text = str(step.explain(measure=False))
    assert "numpy.rfft" in text
    assert "fft runs in NumPy" in text


# -- errors -------------------------------------------------------------------------------------

FAILING = {
    "solve": (lambda a: torch.linalg.solve(a, torch.eye(3)), 0.0),
    "inv": (torch.linalg.inv, 0.0),
    "cholesky": (torch.linalg.cholesky, -1.0),
    "lu_factor": (lambda a: torch.linalg.lu_factor(a)[0], 0.0),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_singular_matrix_raises_as_in_eager_mode_and_changes_nothing(name: str) -> None:
    function, wrong = FAILING[name]
    weight = torch.nn.Parameter(torch.ones(3))
    update = torch.optim.SGD([weight], lr=0.1, momentum=0.9)

    @torch.compile(fullgraph=True)
    def step(a: Any) -> Any:
        update.zero_grad()
        loss = (function(a) @ weight).sum()
        loss.backward()
        update.step()
        return loss

    good, bad = torch.eye(3) * 2, torch.eye(3)
    bad[1, 1] = wrong
    for _ in range(5):
        step(good)
    with pytest.raises(RuntimeError) as eager:
        function(bad)
    state = [weight, update.state[weight]["momentum_buffer"]]
    before = [t.detach().clone() for t in state]
    for _ in range(2):
        with pytest.raises(type(eager.value)) as compiled:
            step(bad)
        assert str(compiled.value) == str(eager.value)
    for tensor, old in zip(state, before, strict=True):
        assert torch.equal(tensor.detach(), old)
    step(good)
    assert not torch.equal(weight.detach(), before[0])


def test_failures_are_reported_by_the_functions_that_report_them() -> None:
    @torch.compile(fullgraph=True)
    def info(a: Any) -> Any:
        return torch.linalg.inv_ex(a)[1], torch.linalg.cholesky_ex(a)[1]

    good, bad = torch.eye(3), torch.eye(3)
    bad[2, 2] = 0
    for _ in range(4):
        assert [i.item() for i in info(good)] == [0, 0]
    assert [i.item() for i in info(bad)] == [3, 3]


def test_a_failure_ends_many_steps() -> None:
    a = torch.eye(2)

    def step(x: Any) -> Any:
        return torch.linalg.inv(a * x).sum()

    steps = torch.compile(step, steps=40, fullgraph=True)
    batches = [torch.tensor(1.0)] * 40
    np.testing.assert_allclose(steps(batches), 2.0)
    batches[30] = torch.tensor(0.0)
    with pytest.raises(torch.linalg.LinAlgError, match="diagonal element 1 is zero"):
        steps(batches)


# -- teams and threads --------------------------------------------------------------------------


def divided(rows: int = 400) -> tuple[Graph, list[np.ndarray]]:
    """A program whose kernels a team divides, around one that runs in NumPy."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((rows, 90)), rng.standard_normal((90, 90))]

    def program(x: Value, w: Value) -> list[Value]:
        hidden = xp.tanh(xp.matmul(x, w))
        gram = xp.matmul(xp.permute(hidden, (1, 0)), hidden)
        solved = xp.solve(gram, xp.permute(hidden, (1, 0)))
        return [xp.exp(xp.matmul(solved, x) * 1e-3), xp.sum(xp.tanh(x) * 2)]

    return graph_of(program, arrays, {1: lambda x, w: w * 0.5 + xp.sum(program(x, w)[0])}), arrays


@pytest.fixture
def team_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not team.supported():
        pytest.skip("no team on this system")
    monkeypatch.setattr(lowering, "THREADED_FROM", 0.0)
    monkeypatch.setattr(lowering, "DIVIDED_FROM", 0.0)
    before = team.team().limit
    team.set_count(2)
    yield
    team.team().limit = before
    team.team().grow(len(team.team().workers) if before is None else before - 1)


def test_a_team_waits_for_numpy(team_of_two: None) -> None:
    graph, arrays = divided()
    executable = compile_graph(graph)
    assert executable._program.divided > 2
    for _ in range(50):
        state = [a.copy() for a in arrays]
        expected, updates = evaluate(graph, arrays)
        found = executable(state)
        for actual, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-9)
        np.testing.assert_allclose(state[1], updates[1], rtol=1e-9)


def test_a_team_ends_a_run_that_raises(team_of_two: None) -> None:
    from flambeau.compiler.requirements import required, singular_places

    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((300, 90)), np.eye(90)]

    def program(x: Value, w: Value) -> list[Value]:
        inverse = xp.inverse(w)
        infos = required(singular_places(w, inverse), "inv", "of {info}", ValueError)
        return [xp.tanh(xp.matmul(x, inverse)), infos, xp.sum(xp.exp(x), dim=(0,))]

    updates = {1: lambda x, w: w * 0.5 + xp.sum(x) * 0, 0: lambda x, w: xp.tanh(x) + 1}
    executable = compile_graph(graph_of(program, arrays, updates))
    assert executable._program.divided > 2
    for _ in range(50):
        state = [a.copy() for a in arrays]
        executable(state)
        assert (state[1] == arrays[1] * 0.5).all()
        state[1][3] = 0
        before = [a.copy() for a in state]
        with pytest.raises(ValueError, match="of 4"):
            executable(state)
        for now, old in zip(state, before, strict=True):
            np.testing.assert_array_equal(now, old)


def test_threads_that_call_one_program_take_turns() -> None:
    graph, arrays = divided(200)
    executable = compile_graph(Graph(graph.inputs, graph.outputs))
    scales = [1.0, 1.5, 2.0, 2.5]
    wanted = {s: evaluate(executable.graph, [arrays[0] * s, arrays[1]])[0] for s in scales}
    wrong: list[float] = []

    def call(scale: float) -> None:
        given = [arrays[0] * scale, arrays[1]]
        for _ in range(30):
            for actual, expected in zip(executable(given), wanted[scale], strict=True):
                if not np.allclose(actual, expected, rtol=1e-8):
                    wrong.append(scale)

    threads = [threading.Thread(target=call, args=(s,)) for s in scales]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -- the disk cache -----------------------------------------------------------------------------

SCRIPT = """
import flambeau as torch
from flambeau.compiler.executable import Executable
w = torch.nn.Parameter(torch.eye(4) * 2)
update = torch.optim.SGD([w], lr=0.1)
z = torch.nn.Parameter(torch.ones(3, dtype=torch.complex64))
def step():
    update.zero_grad()
    x = torch.linalg.solve(w, torch.eye(4))
    s = torch.fft.fft(x[0] * 2j, dim=0)[1:3].abs().sum()
    loss = (x ** 2).sum() + s + (z * (1 + 2j)).real.sum() + w.bfloat16().exp().sum()
    loss.backward()
    update.step()
    return loss.item()
compiled = torch.compile(step, fullgraph=True)
print([compiled() for _ in range(6)])
print(compiled.runners()[0].executable.cached)
"""


def test_another_process_finds_the_program_on_the_disk(tmp_path: Path) -> None:
    import os

    environment = {**os.environ, "FLAMBEAU_CACHE": str(tmp_path), "PYTHONWARNINGS": "error"}
    root = Path(torch.__file__).parents[1]
    lines = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, cwd=root, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        lines.append(run.stdout.splitlines())
    assert lines[0][0] == lines[1][0]
    assert [made[1] for made in lines] == ["False", "True"]


def test_all_kinds_of_attributes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    x = (np.arange(24.0) * (1 - 0.5j)).reshape(2, 3, 4)
    index = np.array([1, 0, 1])

    def step(xp: Any, carries: Any, elements: Any, consts: Any) -> list[Any]:
        new = carries[0] * consts[0] + elements[0]
        return [new, xp.abs(new)]

    def program(a: Value, i: Value) -> list[Value]:
        return [
            xp.slice(a, (slice(None), 1, slice(0, 4, 2))),
            xp.pad(a, ((0, 0), (1, 0), (0, 2)), value=1j),
            xp.index(a, (i, None)),
            xp.astype(a, np.dtype(np.complex64)),
            xp.full((3,), 2 - 1j, a.dtype) * 2,
            xp.factor(xp.real(xp.slice(a, (slice(None), slice(0, 2), slice(0, 2)))), "lu", 1),
            xp.cumsum(a, dim=1),
            *xp.scan(step, [xp.slice(a, (0, 0))], [xp.slice(a, (0,))], [xp.slice(a, (1, 1))]),
        ]

    graph = graph_of(program, [x, index])
    first, second = compile_graph(graph), compile_graph(graph)
    assert second.cached
    expected, _ = evaluate(graph, [x, index])
    for executable in (first, second):
        for actual, wanted in zip(executable([x, index]), expected, strict=True):
            assert actual.dtype == wanted.dtype
            np.testing.assert_allclose(actual, wanted, rtol=1e-12)


def test_values_are_refused_by_compiled_steps_as_by_eager_ones() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 5)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    @torch.compile(fullgraph=True)
    def step(x: torch.Tensor, y: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        target = torch.nn.functional.one_hot(y, 5).float()
        loss = torch.nn.functional.gaussian_nll_loss(model(x), target, variance)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        return loss

    x, y, variance = torch.randn(3, 4), torch.tensor([0, 4, 2]), torch.rand(3, 5) + 0.1
    for _ in range(4):
        assert step(x, y, variance).isfinite()
    before = model.weight.clone()
    for wrong, error, words in (
        ((x, torch.tensor([0, 5, 2]), variance), RuntimeError, "smaller than num_classes"),
        ((x, torch.tensor([0, -1, 2]), variance), RuntimeError, "non-negative"),
        ((x, y, variance - 1), ValueError, "negative entry"),
        ((x * float("inf"), y, variance), RuntimeError, "non-finite"),
    ):
        with pytest.raises(error, match=words):
            step(*wrong)
        assert torch.equal(model.weight, before)
    assert step(x, y, variance).isfinite()
