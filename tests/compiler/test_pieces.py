"""A program whose machine code is made in pieces is the program."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.compiler import module, object_file, runtime
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import evaluate

from .agreement import training_step
from .graphs import assert_close
from .random_graphs import GraphMaker, float_arrays


@pytest.fixture(autouse=True)
def one_kernel_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 1)
    monkeypatch.setenv("FLAMBEAU_CACHE", "0")


@pytest.fixture(params=["own loader", "LLVM's loader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "LLVM's loader":
        monkeypatch.setattr(object_file, "supported", lambda: False)
    elif not object_file.supported():
        pytest.skip("not Linux on x86-64")


@pytest.mark.parametrize("seed", range(4))
def test_random_programs(seed: int, loader: None) -> None:
    rng = np.random.default_rng(seed)
    graph = GraphMaker(rng, np.dtype(np.float32)).grow(14)
    arrays = float_arrays(rng, graph.inputs, special=False)
    outputs, _ = evaluate(graph, [a.copy() for a in arrays])
    for result, expected in zip(compile_graph(graph)(arrays), outputs, strict=True):
        assert_close(result, expected, 1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_step_on_several_threads(
    threads: int, loader: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flambeau.compiler import lowering

    monkeypatch.setattr(lowering, "THREADED_FROM", 0.0 if threads > 1 else 1e9)
    monkeypatch.setattr(lowering, "DIVIDED_FROM", 0.0)
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(21, 33), nn.Tanh(), nn.Linear(33, 5))
        optimizer = torch.optim.Adam(model.parameters(), 0.05)
        step = training_step(model, optimizer)
        call = torch.compile(step, fullgraph=True) if compiled else step
        x, y = torch.randn(37, 21), torch.randn(37, 5)
        losses.append([call(x, y).item() for _ in range(8)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_loops_over_time_and_numpy_are_called_from_other_pieces(loader: None) -> None:
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        lstm = nn.LSTM(5, 9, batch_first=True)
        optimizer = torch.optim.SGD(lstm.parameters(), 0.1)

        def step(x: torch.Tensor, lstm: Any = lstm, optimizer: Any = optimizer) -> torch.Tensor:
            optimizer.zero_grad()
            out, _ = lstm(x)
            loss = torch.linalg.svdvals(out).sum() + torch.tan(out * 0.3).mean()
            loss.backward()
            optimizer.step()
            return loss

        call = torch.compile(step, fullgraph=True) if compiled else step
        x = torch.randn(3, 11, 5)
        losses.append([call(x).item() for _ in range(6)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_what_llvm_refuses_is_raised() -> None:
    with pytest.raises(RuntimeError, match="parsing"), runtime.ObjectWriter() as objects:
        objects.add("define void @good() {\nret void\n}\n")
        objects.add("define void @bad() {\nret i64 1\n}\n")
        objects.finish()


def test_pieces_come_back_in_their_order() -> None:
    with runtime.ObjectWriter() as objects:
        for i in range(12):
            objects.add(f"define i64 @number{i}() {{\nret i64 {i}\n}}\n")
        files = objects.finish()
    assert [f"number{i}".encode() in code for i, code in enumerate(files)] == [True] * 12


def test_a_writer_that_is_given_up_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), runtime.ObjectWriter() as objects:
        objects.add("define void @f() {\nret void\n}\n")
        raise KeyboardInterrupt
    for thread in set(threading.enumerate()) - before:
        thread.join(10.0)
        assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_compiles_although_its_parent_was_at_it() -> None:
    source = "define i64 @f() {\nret i64 7\n}\n"
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            runtime.object_code(source)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if not child:
                os._exit(0 if runtime.object_code(source) else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
