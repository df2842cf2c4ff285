"""Programs that a team of threads runs: the same results, from any number of threads."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler import runtime, team
from flambeau.compiler.executable import Executable, compile_graph
from flambeau.compiler.fixed_code import kept_object
from flambeau.compiler.graph import Graph, Value, evaluate
from flambeau.compiler.program import Call, dependencies

from .graphs import graph_of

pytestmark = pytest.mark.skipif(not team.supported(), reason="no team on this system")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = team.team().limit
    team.set_count(2)
    yield
    team.team().limit = before
    team.team().grow(len(team.team().workers) if before is None else before - 1)


RNG = np.random.default_rng(0)
ROWS, FEATURES, HIDDEN, CLASSES = 701, 64, 70, 10


def network() -> tuple[Graph, list[np.ndarray]]:
    """A training step that is large enough to be divided."""
    arrays = [
        RNG.standard_normal((ROWS, FEATURES)).astype(np.float32),
        (RNG.standard_normal((HIDDEN, FEATURES)) / 8).astype(np.float32),
        RNG.standard_normal(HIDDEN).astype(np.float32),
        (RNG.standard_normal((CLASSES, HIDDEN)) / 8).astype(np.float32),
        RNG.integers(0, CLASSES, (ROWS, 1)),
    ]
    parts: dict[int, Value] = {}

    def program(x: Value, w: Value, b: Value, v: Value, y: Value) -> list[Value]:
        hidden = xp.relu(xp.matmul(x, xp.permute(w, (1, 0))) + b)
        scores = xp.matmul(hidden, xp.permute(v, (1, 0)))
        shifted = scores - xp.amax(scores, dim=(1,), keepdim=True)
        log_sum = xp.log(xp.sum(xp.exp(shifted), dim=(1,), keepdim=True))
        logs = shifted - log_sum
        loss = xp.sum(xp.gather(logs, dim=1, index=y)) * (-1 / ROWS)
        ones = xp.full((ROWS, 1), 1 / ROWS, np.dtype(np.float32))
        zeros = xp.full((ROWS, CLASSES), 0, np.dtype(np.float32))
        grad = xp.exp(logs) * ones - xp.scatter_add(zeros, dim=1, index=y, src=ones)
        back = xp.where(hidden > 0, xp.matmul(grad, v), 0)
        parts[1] = w - 0.1 * xp.matmul(xp.permute(back, (1, 0)), x)
        parts[2] = b - 0.1 * xp.sum(back, dim=(0,))
        parts[3] = v - 0.1 * xp.matmul(xp.permute(grad, (1, 0)), hidden)
        return [loss]

    graph = graph_of(program, arrays)
    return Graph(graph.inputs, graph.outputs, parts), arrays


def test_a_team_computes_what_one_thread_computes() -> None:
    graph, arrays = network()
    executable = compile_graph(graph)
    assert executable._program.divided > 2
    alone = [a.copy() for a in arrays]
    together = [a.copy() for a in arrays]
    reference = [a.copy() for a in arrays]
    for _ in range(60):
        team.set_count(1)
        (first,) = executable(alone)
        team.set_count(2)
        (second,) = executable(together)
        np.testing.assert_array_equal(first, second)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)
    for _ in range(60):
        (wanted,), updates = evaluate(graph, reference)
        for i, array in updates.items():
            reference[i] = np.array(array)
    np.testing.assert_allclose(first, wanted, rtol=1e-3)


def test_programs_that_go_away_while_workers_spin() -> None:
    graph, arrays = network()
    expected = None
    for _ in range(8):
        executable: Executable = compile_graph(graph)
        state = [a.copy() for a in arrays]
        for _ in range(5):
            (loss,) = executable(state)
        expected = loss if expected is None else expected
        np.testing.assert_array_equal(loss, expected)
        del executable
        gc.collect()


def test_two_programs_in_turns() -> None:
    graph, arrays = network()
    one, two = compile_graph(graph), compile_graph(graph)
    first, second = [a.copy() for a in arrays], [a.copy() for a in arrays]
    for _ in range(40):
        np.testing.assert_array_equal(one(first)[0], two(second)[0])


def test_a_forked_child_has_a_team_of_its_own() -> None:
    graph, arrays = network()
    executable = compile_graph(graph)
    (wanted,) = executable([a.copy() for a in arrays])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            (loss,) = executable([a.copy() for a in arrays])
            again = compile_graph(graph)
            (other,) = again([a.copy() for a in arrays])
            status = 0 if loss == wanted == other else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_process_with_a_team_ends() -> None:
    program = """
import numpy as np
import flambeau.compiler.symbolic as xp
from flambeau.compiler import runtime, team
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, input_value
team.set_count(2)
x = input_value((700, 300), np.dtype(np.float32))
executable = compile_graph(Graph([x], [xp.matmul(x, xp.permute(x, (1, 0)))]))
assert executable._program.divided
executable([np.ones((700, 300), np.float32)])
print("done")
"""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def runs_alone(a_team: team.Team, waited: float, took: float) -> int:
    """How many runs without workers follow one of ``took`` ms, of which ``waited`` were waiting."""
    judge = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_bool)(
        team.code().address("flambeau_judge")
    )
    a_team.memory[team.ALONE] = 0
    a_team.memory[team.WAITED] = int(waited * 1e6)
    a_team.memory[team.STARTED] = time.monotonic_ns() - int(took * 1e6)
    judge(a_team.address, True)
    assert a_team.memory[team.WAITED] == 0
    return int(a_team.memory[team.ALONE])


def test_runs_alone_follow_a_run_that_was_mostly_waiting() -> None:
    assert runs_alone(team.Team(), 0, 1000) == 0
    assert runs_alone(team.Team(), 400, 1000) == 0, "alone it would have taken longer"
    assert runs_alone(team.Team(), 30_000, 50_000) == 1, "one that is longer than all may be"
    assert 1 < runs_alone(team.Team(), 50, 60) <= 50 / (60 - 50)


def test_more_runs_alone_follow_where_the_disturbance_lasts() -> None:
    a_team, at_first = team.Team(), 5 / (6 - 5)
    assert runs_alone(a_team, 5, 6) <= at_first
    in_the_end = [runs_alone(a_team, 5, 6) for _ in range(6)][-1]
    assert in_the_end > 8 * at_first
    while a_team.memory[team.CALM] < 4 * at_first:
        assert runs_alone(a_team, 0, 1) == 0
    assert runs_alone(a_team, 5, 6) <= at_first


def test_dependencies_are_hazards_that_others_do_not_imply() -> None:
    def call(reads: str, writes: str) -> Call:
        place = lambda name: ("slot", ord(name), ord(name) + 1)  # noqa: E731
        return Call("k", "", 1, 1.0, [place(r) for r in reads], [place(w) for w in writes])

    calls = [
        call("a", "b"),  # 0
        call("a", "c"),  # 1: nothing in common but reading
        call("b", "d"),  # 2: reads what 0 wrote
        call("d", "e"),  # 3: 0 is implied by 2
        call("e", "b"),  # 4: overwrites what 0 wrote and 2 read, both implied by 3
        call("cb", "a"),  # 5
    ]
    assert dependencies(calls) == [[], [], [0], [2], [3], [4, 1]]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_divided_by_rows(reverse: bool) -> None:
    rng = np.random.default_rng(1)
    steps, rows, hidden = 20, 64, 48
    start = [rng.standard_normal((rows, hidden)).astype(np.float32) for _ in range(2)]
    xs = rng.standard_normal((steps, rows, 2 * hidden)).astype(np.float32)
    weight = (rng.standard_normal((hidden, 2 * hidden)) / 7).astype(np.float32)

    def step(xp: object, carries: list, elements: list, constants: list) -> list:
        h, c = carries
        both = elements[0] + xp.matmul(h, constants[0])
        gate = xp.sigmoid(xp.slice(both, (slice(None), slice(0, hidden))))
        new = xp.tanh(xp.slice(both, (slice(None), slice(hidden, 2 * hidden))))
        c = gate * c + new
        return [xp.tanh(c), c, xp.cat([gate, new], 1)]

    def program(h: Value, c: Value, x: Value, w: Value) -> list[Value]:
        found = xp.scan(step, [h, c], [x], [w], reverse)
        return [found[0], found[2]]

    arrays = [*start, xs, weight]
    graph = graph_of(program, arrays)
    executable = compile_graph(graph)
    assert executable._program.divided
    expected, _ = evaluate(graph, arrays)
    for threads in (1, 2):
        team.set_count(threads)
        for actual, wanted in zip(executable(arrays), expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5)


def test_a_scan_whose_rows_meet_is_not_divided() -> None:
    from flambeau.compiler.graph import input_value
    from flambeau.compiler.scan_division import divided_body

    def graph(function: object) -> Graph:
        state = input_value((64, 8), np.dtype(np.float32))
        element = input_value((64, 8), np.dtype(np.float32))
        weight = input_value((8, 8), np.dtype(np.float32))
        return Graph([state, element, weight], [function(state, element, weight)])

    assert divided_body(graph(lambda s, x, w: xp.matmul(s, w) + x), 2, 2) is not None
    for meeting in (
        lambda s, x, w: s - xp.sum(x, dim=(0,), keepdim=True),
        lambda s, x, w: xp.matmul(s, xp.matmul(xp.permute(x, (1, 0)), x)),
        lambda s, x, w: s + xp.flip(x, (0,)),
        lambda s, x, w: s + xp.cumsum(x, 0),
        lambda s, x, w: xp.cat([xp.slice(s, (slice(1, 64),)), xp.slice(x, (slice(0, 1),))], 0),
    ):
        assert divided_body(graph(meeting), 2, 2) is None


def test_the_workers_code_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    source = team.source()
    first = kept_object(source)
    monkeypatch.setattr(runtime, "object_code", lambda source: pytest.fail("compiled again"))
    assert kept_object(source) == first
