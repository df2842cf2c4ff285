"""Code for other CPUs than the one at hand: the same results with shorter vectors."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau.compiler.symbolic as xp
from flambeau.compiler import runtime
from flambeau.compiler.graph import Value

from .graphs import check

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
    monkeypatch.setattr(runtime, "cpu", lambda: (name, features))
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
