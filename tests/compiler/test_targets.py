"""Code for other CPUs than the one at hand: the same results with shorter vectors."""

from __future__ import annotations

import platform
import re
import struct
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler import entry, lowering, runtime, team
from flambeau.compiler.codegen.math_functions import LIBM_FUNCTIONS
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, Value, evaluate

from .graphs import assert_close, check, graph_of
from .random_graphs import GraphMaker, float_arrays, integer_arrays

TARGETS = {
    "AVX-512": ("x86-64-v4", "+avx512f,+avx512vl,+avx512dq,+avx2,+fma,+f16c"),
    "AVX2": ("x86-64-v3", "+avx2,+fma,+f16c"),
    "SSE2": ("x86-64", ""),
}


@pytest.fixture(params=sorted(TARGETS))
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("not an x86 CPU")
    present = set(runtime.cpu()[1].split(","))
    name, features = TARGETS[request.param]
    if not {f for f in features.split(",") if f} <= present:
        pytest.skip(f"this CPU has no {request.param}")
    monkeypatch.setattr(runtime, "FORCED_CPU", (name, features))
    return str(request.param)


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def test_vectors_have_the_targets_length(target: str) -> None:
    expected = {"AVX-512": 64, "AVX2": 32, "SSE2": 16}[target]
    assert runtime.vector_bytes() == expected
    executable = check(lambda a: a * 2 + 1, floats(100))
    assert f"<{expected // 4} x float>" in executable.source


def test_elementwise_and_reductions(target: str) -> None:
    def program(a: Value, b: Value) -> list[Value]:
        shifted = xp.exp(a - xp.amax(a, dim=(1,), keepdim=True))
        soft = shifted / xp.sum(shifted, dim=(1,), keepdim=True)
        return [soft, xp.tanh(a) * b, xp.sum(a, dim=(0,)), xp.argmax(a, dim=1), xp.log(soft)]

    check(program, floats(77, 10), floats(10))
    check(program, floats(77, 10).astype(np.float64), floats(10).astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m, n, k", [(37, 50, 20), (5, 3, 100), (64, 10, 64)])
def test_contractions(target: str, m: int, n: int, k: int, dtype: Any) -> None:
    def program(a: Value, b: Value) -> list[Value]:
        product = xp.matmul(a, xp.permute(b, (1, 0)))
        return [xp.relu(product), xp.matmul(xp.permute(product, (1, 0)), a)]

    check(program, floats(m, k).astype(dtype), floats(n, k).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [8, 15, 16, 17, 40, 203])
@pytest.mark.parametrize("width", [2, 3, 4, 5, 7, 9])
def test_short_rows_are_taken_apart(target: str, width: int, rows: int, dtype: Any) -> None:
    """Features of a few columns, for loops over the rows in vectors."""

    def program(x: Value, w: Value) -> list[Value]:
        hidden = xp.tanh(xp.matmul(x, w))
        return [xp.sum(hidden), xp.matmul(xp.permute(x, (1, 0)), hidden)]

    # behind and before the rows are numbers that nobody reads
    around = np.full((rows + 4, width), np.nan, dtype)
    around[2:-2] = floats(rows, width)
    executable = check(program, around[2:-2], floats(width, 3).astype(dtype))
    copies = [k for k in executable.kernels if k.computes == "relayout"]
    assert copies or rows < 200 or width not in (2, 4)


def test_convolution_and_pooling(target: str) -> None:
    x, weight, grad = floats(19, 3, 8, 8), floats(5, 3, 3, 3), floats(19, 5, 8, 8)
    options = ((1, 1), (1, 1), (1, 1), 1)

    def program(x: Value, w: Value, g: Value) -> list[Value]:
        hidden = xp.relu(xp.conv(x, w, *options))
        places = xp.max_pool_indices(hidden, (2, 2), (2, 2), (0, 0), (1, 1), (4, 4))
        flat = xp.reshape(hidden, (19, 5, 64))
        pooled = xp.gather(flat, dim=2, index=xp.reshape(places, (19, 5, 16)))
        return [
            pooled,
            xp.conv_input(g, w, x.shape, *options),
            xp.conv_weight(g, x, w.shape, *options),
        ]

    check(program, x, weight, grad)


def test_mathematical_functions_and_special_values(target: str) -> None:
    names = "exp expm1 log log1p tanh sigmoid erf sin cos atan sqrt rsqrt".split()

    def program(a: Value) -> list[Value]:
        return [getattr(xp, name)(a) for name in names]

    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 88.0, -104.0, 3.4e38]
    for dtype in (np.float32, np.float64):
        values = np.concatenate([floats(93), np.array(special, np.float32)]).astype(dtype)
        check(program, values, tolerance=3e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
def test_integers(target: str, dtype: Any) -> None:
    info = np.iinfo(dtype)
    rng = np.random.default_rng(1)
    a = rng.integers(info.min, info.max, 101, dtype, endpoint=True)
    b = rng.integers(-3 if info.min else 0, 4, 101).astype(dtype)
    a[:4], b[:4] = [info.min, info.min, info.max, 0], np.array([-1, 0, 0, 0]).astype(dtype)

    def program(a: Value, b: Value) -> list[Value]:
        return [a + b, a * b, xp.floor_divide(a, b), xp.remainder(a, b), xp.maximum(a, b),
                xp.bitwise_left_shift(a, xp.abs(b)), xp.sum(a, dim=(0,)),
                xp.astype(a, np.dtype(np.float32)), xp.argmax(a, dim=0)]  # fmt: skip

    check(program, a, b)


@pytest.mark.parametrize("source", [np.int32, np.int64, np.float32])
@pytest.mark.parametrize("width", [17, 33, 65])
def test_rows_that_end_in_one_narrowed_element(target: str, width: int, source: Any) -> None:
    """LLVM stores too much of a single narrowed lane: the first element of the next row."""
    x = np.arange(9 * width).reshape(9, width).astype(source)
    y = np.ones((9, 7), source)

    def program(a: Value, b: Value) -> list[Value]:
        product = xp.matmul(xp.permute(b, (1, 0)), a)
        kinds = [np.dtype(k) for k in (np.int8, np.int16, np.int32)]
        return [xp.astype(v, k) for v in (a + 1, product) for k in kinds]

    check(program, x, y)


def test_looking_up_and_adding_up_by_index(target: str) -> None:
    rng = np.random.default_rng(2)
    index = rng.integers(0, 11, (37,))

    def program(table: Value, index: Value, source: Value) -> list[Value]:
        looked = xp.index(table, (index,))
        return [looked, xp.index_put(table, (index,), source, True), xp.cumsum(source, dim=0)]

    check(program, floats(11, 9), index, floats(37, 9))


def test_a_recurrent_network(target: str) -> None:
    def step(xp: Any, carries: Any, elements: Any, constants: Any) -> list[Any]:
        new = xp.tanh(xp.matmul(carries[0], constants[0]) + elements[0])
        return [new, new]

    def program(h: Value, xs: Value, w: Value) -> list[Value]:
        return list(xp.scan(step, [h], [xs], [w]))

    check(program, floats(9, 20), floats(6, 9, 20), floats(20, 20) / 5)


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(target: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dtype = np.dtype([np.float32, np.float64, np.int32][seed % 3])
    graph = GraphMaker(rng, dtype).grow(14)
    if dtype.kind == "f":
        arrays = float_arrays(rng, graph.inputs, special=True)
    else:
        arrays = integer_arrays(rng, graph.inputs)
    with np.errstate(all="ignore"):
        expected, updates = evaluate(graph, [a.copy() for a in arrays])
    state = [a.copy() for a in arrays]
    tolerance = 3e-4 if dtype == np.float32 else 1e-10
    for actual, wanted in zip(compile_graph(graph)(state), expected, strict=True):
        assert_close(actual, np.asarray(wanted), tolerance)
    for i, before in enumerate(arrays):
        assert_close(state[i], np.asarray(updates.get(i, before)), tolerance)


# -- ARM ----------------------------------------------------------------------------------------

ARM = {
    "Linux": ("aarch64-unknown-linux-gnu", "cortex-a72", b"\x7fELF"),
    "macOS": ("arm64-apple-darwin", "apple-m1", b"\xcf\xfa\xed\xfe"),
}


KNOWN = {"PyLong_FromLong", "memcpy", "memset", "fma", "fmaf", "fmod", "fmodf", "pow", "powf"} | {
    name + suffix for name in LIBM_FUNCTIONS.values() for suffix in ("", "f")
}
"""Functions of Python and of C's library, which are in every process."""


def undefined_symbols(code: bytes) -> set[str]:
    """The names that an object file of ELF takes from elsewhere."""
    (sections_at,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, sections_at + i * size)
                for i in range(count)]  # fmt: skip
    found = set()
    for section in sections:
        if section[1] != 2:  # the table of symbols
            continue
        names_at = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], 24):
            name, _, _, home = struct.unpack_from("<IBBH", code, at)
            if home == 0 and name:
                start = names_at + name
                found.add(code[start : code.index(b"\0", start)].decode())
    return found


@pytest.fixture(params=sorted(ARM))
def arm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bytes]:
    """A target that code can be made for, but not run."""
    import llvmlite.binding as llvm

    triple, cpu, magic = ARM[request.param]
    try:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip("this LLVM makes no code for ARM")
    monkeypatch.setattr(runtime, "FORCED_CPU", (cpu, "+neon,+fp-armv8"))
    monkeypatch.setattr(
        runtime, "_target_machine",
        lambda: target.create_target_machine(
            cpu=cpu, features="+neon,+fp-armv8", opt=1, reloc="pic", codemodel="small"
        ),
    )  # fmt: skip
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    return str(request.param), magic


def step_graph() -> Graph:
    """A training step of a small convolutional network."""
    options = ((1, 1), (1, 1), (1, 1), 1)

    def program(x: Value, w: Value, v: Value, labels: Value) -> list[Value]:
        hidden = xp.relu(xp.conv(x, w, *options))
        places = xp.max_pool_indices(hidden, (2, 2), (2, 2), (0, 0), (1, 1), (4, 4))
        flat = xp.reshape(hidden, (19, 5, 64))
        pooled = xp.gather(flat, dim=2, index=xp.reshape(places, (19, 5, 16)))
        scores = xp.matmul(xp.reshape(pooled, (19, 80)), v)
        shifted = scores - xp.amax(scores, dim=(1,), keepdim=True)
        logs = shifted - xp.log(xp.sum(xp.exp(shifted), dim=(1,), keepdim=True))
        loss = xp.gather(logs, dim=1, index=xp.reshape(labels, (19, 1)))
        return [xp.sum(loss), xp.tanh(scores), xp.conv_weight(hidden, x, w.shape, *options)]

    labels = np.zeros(19, np.int64)
    return graph_of(program, [floats(19, 3, 8, 8), floats(5, 3, 3, 3), floats(80, 10), labels])


@pytest.mark.parametrize("profiled", [False, True])
@pytest.mark.parametrize("threads", [False, True])
def test_code_for_arm_is_made(
    arm: tuple[str, bytes], threads: bool, profiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, magic = arm
    assert runtime.vector_bytes() == 16
    monkeypatch.setattr(lowering, "THREADED_FROM", 0.0)
    monkeypatch.setattr(lowering, "DIVIDED_FROM", 0.0)
    program = lowering.lower(step_graph(), 16, profiled, threads)
    assert "<4 x float>" in program.source
    assert bool(program.divided) == (threads and not profiled)
    code = runtime.object_code(program.source)
    assert code.startswith(magic)
    if system == "Linux":
        assert struct.unpack_from("<H", code, 18) == (183,)  # AArch64
        assert undefined_symbols(code) <= KNOWN | team_functions() | {"clock_gettime"}
        if threads and not profiled:
            fixed = undefined_symbols(runtime.object_code(team.source()))
            assert fixed <= {"syscall", "sched_yield", "clock_gettime"}
            assert undefined_symbols(runtime.object_code(entry.SOURCE)) <= KNOWN
    if profiled:  # what counts cycles is not for programs to read
        assert "call i32 @clock_gettime" in program.source
        assert "call i64 @llvm.readcyclecounter" not in program.source


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8])
def test_random_programs_are_compiled_for_arm(arm: tuple[str, bytes], dtype: Any) -> None:
    for seed in range(2):
        graph = GraphMaker(np.random.default_rng(seed), np.dtype(dtype)).grow(14)
        code = runtime.object_code(lowering.lower(graph, 16).source)
        assert code.startswith(arm[1])
        if arm[0] == "Linux":
            assert undefined_symbols(code) <= KNOWN


def team_functions() -> set[str]:
    """What threaded programs call of the team's code."""
    return set(re.findall(r"flambeau_\w+", team.HELPERS))


def test_baseline_code_needs_no_other_library(monkeypatch: pytest.MonkeyPatch) -> None:
    if platform.machine() not in ("x86_64", "AMD64") or not sys.platform.startswith("linux"):
        pytest.skip("not an x86 CPU with ELF")
    monkeypatch.setattr(runtime, "FORCED_CPU", TARGETS["SSE2"])
    code = runtime.object_code(lowering.lower(step_graph(), 16).source)
    assert undefined_symbols(code) <= KNOWN
