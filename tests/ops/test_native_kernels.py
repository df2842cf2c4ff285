"""Operations that move to compiled programs give what NumPy gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.ops import native

pytest.importorskip("llvmlite")

F = torch.nn.functional


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    return np.dtype(request.param)


def numbers(shape: tuple[int, ...], dtype: np.dtype, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def with_gradients(function: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """The result for ``arrays`` and their gradients."""
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    result = function(*inputs)
    weights = numbers(tuple(result.shape), arrays[0].dtype, 99)
    result.backward(torch.from_numpy(weights))
    return [result.detach().numpy(), *(x.grad.numpy() for x in inputs)]


def both_ways(monkeypatch: Any, function: Any, *arrays: np.ndarray, programs: int = 2) -> None:
    """The same numbers from NumPy and, with programs made at the first call, from these."""
    made = []
    make = native.Program.__init__

    def counted(self: Any, *arguments: Any) -> None:
        make(self, *arguments)
        made.append(self)

    monkeypatch.setattr(native, "WORTH", float("inf"))
    monkeypatch.setattr(native, "_CALLS", {})
    expected = with_gradients(function, *arrays)
    monkeypatch.setattr(native, "WORTH", 0.0)
    monkeypatch.setattr(native, "_made", 0)
    monkeypatch.setattr(native.Program, "__init__", counted)
    got = with_gradients(function, *arrays)
    assert len(made) == programs, "forward and backward have a program"
    for mine, numpys in zip(got, expected, strict=True):
        scale = np.abs(numpys).max() + 1e-30
        tolerance = 1e-5 if numpys.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(mine / scale, numpys / scale, rtol=0, atol=tolerance)


CONVOLUTIONS = [
    # input, weight, options
    ((64, 1, 28, 28), (10, 1, 5, 5), {}),
    ((64, 10, 12, 12), (20, 10, 5, 5), {}),
    ((33, 3, 8, 8), (8, 3, 3, 3), {"padding": 1}),
    ((16, 16, 9, 7), (8, 16, 3, 3), {"padding": 1}),
    ((2, 32, 9, 9), (32, 32, 3, 3), {"padding": 1}),
    ((3, 3, 17, 16), (5, 3, 3, 3), {"stride": 2, "padding": 1}),
    ((17, 4, 13, 11), (6, 4, 4, 2), {"stride": (3, 2), "padding": (2, 1)}),
    ((16, 4, 10, 10), (6, 4, 1, 1), {"stride": 2}),
    ((5, 6, 11, 12), (4, 3, 3, 2), {"dilation": 2, "groups": 2}),
    ((20, 8, 9, 9), (8, 1, 3, 3), {"groups": 8, "padding": 1, "stride": 2}),
    ((1, 1, 28, 28), (10, 1, 5, 5), {}),
    ((24, 3, 50), (7, 3, 5), {"stride": 2}),
    ((18, 2, 5, 6, 7), (3, 2, 2, 3, 2), {"stride": (1, 2, 1), "padding": (1, 0, 1)}),
]


@pytest.mark.parametrize(("input", "weight", "options"), CONVOLUTIONS)
def test_convolutions(
    monkeypatch: Any, dtype: np.dtype, input: Any, weight: Any, options: dict[str, Any]
) -> None:
    convolve = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[len(input)]
    arrays = (numbers(input, dtype, 0), numbers(weight, dtype, 1), numbers(weight[:1], dtype, 2))
    both_ways(monkeypatch, lambda x, w, b: convolve(x, w, b, **options), *arrays)


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((64, 10, 24, 24), (2,)),
        ((33, 8, 9, 8), (2,)),
        ((4, 4, 40, 40), ((3, 2),)),
        ((20, 30, 30), (3,)),
        ((16, 8, 14, 14), (3, 2, 1)),
        ((4, 5, 33, 30), ((3, 2), (1, 2), (1, 0), (2, 1))),
    ],
)
def test_maxima_of_windows_with_equal_elements(
    monkeypatch: Any, dtype: np.dtype, shape: tuple[int, ...], window: Any
) -> None:
    x = np.random.default_rng(0).integers(0, 3, shape).astype(dtype)  # many are equal
    pool = F.max_pool2d if len(shape) == 4 else F.max_pool1d
    both_ways(monkeypatch, lambda x: pool(x, *window), x)


TRANSPOSED = [
    ((16, 8, 7, 7), (8, 4, 4, 4), {"stride": 2, "padding": 1}),
    ((3, 4, 9, 8), (4, 3, 3, 3), {"stride": (3, 1), "output_padding": (2, 0), "groups": 2}),
    ((20, 6, 11), (6, 5, 3), {"dilation": 2}),
]


@pytest.mark.parametrize(("input", "weight", "options"), TRANSPOSED)
def test_transposed_convolutions(
    monkeypatch: Any, dtype: np.dtype, input: Any, weight: Any, options: dict[str, Any]
) -> None:
    convolve = {3: F.conv_transpose1d, 4: F.conv_transpose2d}[len(input)]
    filters = weight[1] * options.get("groups", 1)
    arrays = (numbers(input, dtype, 0), numbers(weight, dtype, 1), numbers((filters,), dtype, 2))
    both_ways(monkeypatch, lambda x, w, b: convolve(x, w, b, **options), *arrays)


LARGE: dict[str, tuple[Any, tuple[tuple[int, ...], ...]]] = {
    "relu": (F.relu, ((130, 700),)),
    "gelu": (F.gelu, ((130, 700),)),
    "gelu of tanh": (lambda x: F.gelu(x, approximate="tanh"), ((130, 700),)),
    "silu": (F.silu, ((130, 701),)),
    "sigmoid": (torch.sigmoid, ((130, 700),)),
    "softmax": (lambda x: F.softmax(x, -1), ((60, 301),)),
    "softmax of columns": (lambda x: F.softmax(x, 0), ((60, 301),)),
    "log_softmax": (lambda x: F.log_softmax(x, 1), ((20, 65, 17),)),
    "cross_entropy": (lambda x: F.cross_entropy(x, torch.arange(300) % 65), ((300, 65),)),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
                   ((32, 6, 9, 11), (6,), (6,))),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (65,), w, b), ((300, 65), (65,), (65,))),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), ((32, 6, 9, 11), (6,), (6,))),
    "rms_norm": (lambda x: F.rms_norm(x, (65,)), ((300, 65),)),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_large_calls(monkeypatch: Any, dtype: np.dtype, name: str) -> None:
    function, shapes = LARGE[name]
    arrays = [numbers(shape, dtype, i) for i, shape in enumerate(shapes)]
    both_ways(monkeypatch, function, *arrays)


PRODUCTS = [
    # linear: input, weight, bias
    (F.linear, ((600, 64), (20, 64), (20,)), 3),
    (F.linear, ((4, 300, 33), (17, 33)), 3),
    (F.linear, ((70, 300), (400, 300), (400,)), 3),
    (torch.matmul, ((300, 64), (64, 33)), 3),
    (lambda x, y: x.t() @ y, ((65, 300), (65, 40)), 3),
]


@pytest.mark.parametrize(("function", "shapes", "programs"), PRODUCTS)
def test_products(
    monkeypatch: Any, dtype: np.dtype, function: Any, shapes: Any, programs: int
) -> None:
    arrays = [numbers(shape, dtype, i) for i, shape in enumerate(shapes)]
    both_ways(monkeypatch, function, *arrays, programs=programs)


def test_a_wrong_target_is_refused_by_its_name(monkeypatch: Any) -> None:
    monkeypatch.setattr(native, "WORTH", 0.0)
    x, target = torch.zeros(300, 65), torch.arange(300) % 65
    F.cross_entropy(x, target)
    with pytest.raises(IndexError, match="Target 65 is out of bounds"):
        F.cross_entropy(x, target + 1)
    target[:10] = -100
    assert F.cross_entropy(x, target).item() == pytest.approx(np.log(65))


def test_an_input_written_over_is_noticed_by_the_pooling_that_looks_again(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(native, "WORTH", 0.0)
    x = torch.ones(16, 4, 32, 32, requires_grad=True) * 1
    y = F.max_pool2d(x, 2)
    x += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_programs_change_over_at_the_same_call(monkeypatch: Any) -> None:
    """Two runs give the same numbers to the last bit."""

    def run() -> bytes:
        monkeypatch.setattr(native, "_CALLS", {})
        monkeypatch.setattr(native, "WORTH", 2e-3)
        x = torch.from_numpy(numbers((16, 3, 20, 20), np.dtype(np.float32), 0))
        w = torch.from_numpy(numbers((8, 3, 3, 3), np.dtype(np.float32), 1))
        return b"".join(F.conv2d(x, w).numpy().tobytes() for _ in range(12))

    assert run() == run()
