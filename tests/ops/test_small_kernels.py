"""Small arrays have ways of their own, with few calls of NumPy: they agree with the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.namespaces import numpy as xp
from flambeau.ops.operation import OPERATIONS

F = flambeau.nn.functional


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


WINDOWS = [
    # shape, kernel, stride, padding, dilation, size
    ((2, 3, 6, 6), (2, 2), (2, 2), (0, 0), (1, 1), (3, 3)),
    ((2, 1, 7, 6), (3, 2), (2, 1), (1, 1), (1, 2), (4, 6)),
    ((1, 2, 5, 5), (2, 2), (2, 2), (0, 0), (1, 1), (3, 3)),
    ((2, 9), (3,), (1,), (1,), (1,), (9,)),
]


@pytest.mark.parametrize(("shape", "window"), [(w[0], w[1:]) for w in WINDOWS])
def test_maxima_of_small_windows(shape: tuple[int, ...], window: tuple[Any, ...]) -> None:
    pool = OPERATIONS["max_pool"]
    x = np.round(values(*shape))  # many are equal
    x.reshape(-1)[3] = np.nan
    found, aux = pool.numpy_kernel(x, *window)  # type: ignore[misc]
    expected, places = pool.forward(xp, x, *window)
    np.testing.assert_array_equal(found, expected)
    grad = values(*found.shape)
    np.testing.assert_allclose(
        pool.vjps[0].kernel(grad, x, *window, aux),  # type: ignore[misc]
        pool.vjps[0].function(xp, grad, x, *window, places),
        atol=1e-12,
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_small_convolutions_are_those_of_a_larger_batch(
    stride: int, padding: int, dilation: int
) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    weight, bias = (flambeau.tensor(a, requires_grad=True) for a in (values(4, 3, 3, 2), values(4)))
    large = flambeau.tensor(values(64, 3, 7, 8), requires_grad=True)
    small = large.detach()[:2].clone().requires_grad_()
    expected = F.conv2d(large, weight, bias, **options)[:2]
    grad = flambeau.tensor(values(*expected.shape))
    wanted = flambeau.autograd.grad(expected, (large, weight, bias), grad)
    result = F.conv2d(small, weight, bias, **options)
    got = flambeau.autograd.grad(result, (small, weight, bias), grad)
    np.testing.assert_allclose(result.detach().numpy(), expected.detach().numpy(), atol=1e-12)
    for mine, other in zip(got, (wanted[0][:2], *wanted[1:]), strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-12)


def test_a_bias_of_another_size_is_refused() -> None:
    x, weight = flambeau.ones(1, 1, 4, 4), flambeau.ones(2, 1, 2, 2)
    with pytest.raises(RuntimeError, match="expected bias to be 1-dimensional with 2 elements"):
        F.conv2d(x, weight, flambeau.ones(1))


DEFINITIONS = [
    ("batch_norm_training", (values(5, 3), values(3), values(3), 1e-5)),
    ("batch_norm_training", (values(2, 3, 4), None, None, 1e-3)),
    ("batch_norm_inference", (values(2, 3, 2), values(3), values(3) ** 2, values(3), None, 1e-5)),
    ("layer_norm_affine", (values(2, 3, 4), (4,), values(4), None, 1e-5)),
    ("group_norm_affine", (values(2, 4, 3), 2, values(4), values(4), 1e-5)),
    ("mean_pool", (values(2, 5, 6), (2, 3), (2, 3), (0, 0), (2, 2), True, None)),
    ("mean_pool", (values(2, 5, 6), (2, 2), (1, 1), (0, 0), (4, 5), True, 3)),
    ("variance", (values(3, 4), 1, 0.5, True)),
    ("variance", (values(3, 4), None, 1, True)),
    ("variance", (values(3, 4), 1, 1, True)),
    ("variance", (values(20, 7), -1)),
    ("layer_norm_affine", (values(5, 7), (7,), values(7), values(7), 1e-5)),
    ("batch_norm_training", (values(9, 30), None, values(30), 1e-5)),
    ("softmax_along", (values(5, 4), 1)),
    ("softmax_along", (values(5, 4) * 500, -1)),
    ("softmax_along", (values(5, 4), 0)),
    ("softmax_along", (np.array([[np.nan, 1], [np.inf, 2], [-np.inf, 1]]), 1)),
    ("log_softmax_along", (values(5, 4) * 500, 1)),
    ("log_softmax_along", (values(4, 5).T, 1)),
    ("logsumexp", (values(3, 4) * 500, 1, True)),
    ("topk_values", (values(3, 8), 3)),
    ("topk_values", (np.round(values(6, 4)), 2, 0)),
    ("topk_values", (np.array([1, np.nan, np.inf, -np.inf, 1]), 4, 0)),
    ("topk_values", (np.round(values(3, 8)), 3, 1, False)),
    (
        "scaled_dot_product_attention_weighted",
        (values(2, 3, 5, 4), values(2, 3, 6, 4), values(2, 3, 6, 2)),
    ),
    ("scaled_dot_product_attention_weighted", (values(5, 4) * 40, values(6, 4), values(6, 2))),
    (
        "scaled_dot_product_attention_weighted",
        (values(5, 4), values(5, 4), values(5, 2), None, None, True),
    ),
    ("logsumexp", (values(3, 4), 0)),
    ("logsumexp", (np.array([[np.inf, 1], [-np.inf, -np.inf]]), 1)),
    ("cross_entropy_classes", (values(4, 3), np.array([0, 2, 1, 1]))),
    ("nll_loss", (values(4, 3), np.array([0, 2, 1, 1]), None, -100, "sum")),
    ("binary_cross_entropy", (np.array([0.0, 0.3, 1.0]), np.array([0.2, 0.0, 1.0]))),
    ("binary_cross_entropy_with_logits", (values(3, 4) * 60, (values(3, 4) > 0) * 1.0)),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "arguments"), DEFINITIONS, ids=lambda v: v if v is str else None)
def test_a_small_call_gives_what_the_definition_says(name: str, arguments: Any) -> None:
    operation = OPERATIONS[name]
    found = operation.numpy_kernel(*arguments)  # type: ignore[misc]
    expected = operation.forward(xp, *arguments)
    results = slice(0, -1 if operation.aux else None)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for mine, other in zip(found[results], expected[results], strict=True):
        assert np.shape(mine) == np.shape(other)
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_gradients_of_small_cross_entropies(scale: float) -> None:
    operation = OPERATIONS["cross_entropy_classes"]
    x, target = values(7, 5) * scale, np.array([0, 2, 1, 1, 4, 4, 3])
    _, aux = operation.numpy_kernel(x, target)  # type: ignore[misc]
    _, kept = operation.forward(xp, x, target)
    rest = (x, target, None, -100, "mean", 0.0)
    found = operation.vjps[0].kernel(np.float64(1.5), *rest, aux)  # type: ignore[misc]
    again = operation.vjps[0].kernel(np.float64(1.5), *rest, aux)  # type: ignore[misc]
    expected = operation.vjps[0].function(xp, np.float64(1.5), *rest, kept)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found, again)


def test_a_wrong_class_is_refused_also_among_few() -> None:
    for wrong in (-1, 3):
        with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds"):
            F.cross_entropy(flambeau.zeros(2, 3), flambeau.tensor([0, wrong]))


@pytest.mark.parametrize("key", [slice(1, 3), (slice(None), 0), (1, slice(0, 5, 2)), -1, (2, -1)])
def test_plain_keys_select_what_they_select_of_an_array(key: Any) -> None:
    array = values(3, 5)
    part = flambeau.tensor(array)[key]
    np.testing.assert_array_equal(part.numpy(), array[key])
    assert part._is_view()


@pytest.mark.parametrize("key", [(0, 0, 0), (3, 0), (slice(None), 5), -4])
def test_plain_keys_outside_are_refused(key: Any) -> None:
    with pytest.raises(IndexError):
        flambeau.ones(3, 5)[key]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_small_convolutions_lie_in_order(batch: int) -> None:
    x = flambeau.randn(batch, 2, 6, 6, requires_grad=True)
    weight = flambeau.randn(3, 2, 3, 3, requires_grad=True)
    result = flambeau.nn.functional.conv2d(x, weight)
    assert result.is_contiguous()
    result.view(batch, -1).sum().backward()
    assert x.grad is not None and x.grad.is_contiguous()
    assert weight.grad is not None and weight.grad.is_contiguous()
