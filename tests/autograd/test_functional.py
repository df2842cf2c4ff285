"""Jacobians, Hessians and their products, against PyTorch's and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch

FUNCTIONS: dict[str, Any] = {
    "one to one": (lambda m, x: x.sin() * x, 1),
    "matrix": (lambda m, x: x[:, None] * x.exp(), 1),
    "two inputs": (lambda m, x, y: x * y.sum() + y[:3] ** 2, 2),
    "two outputs": (lambda m, x, y: (x * 2, (x.sum() * y).cos()), 2),
    "partly independent": (lambda m, x, y: (x.exp(), y * 3, m.ones(2, dtype=m.float64)), 2),
    "scalar": (lambda m, x: (x**3).sum(), 1),
    "scalar of two": (lambda m, x, y: (x**3).sum() * (y**2).sum() + x[0], 2),
    "linear": (lambda m, x: x.sum() * 2, 1),
}


def _inputs(module: Any, count: int) -> Any:
    values = [np.linspace(0.5, 1.5, 3), np.linspace(-1.0, 1.0, 4)][:count]
    tensors = tuple(module.tensor(v) for v in values)
    return tensors[0] if count == 1 else tensors


def _plain(result: Any) -> Any:
    if isinstance(result, tuple):
        return [_plain(r) for r in result]
    return result.detach().numpy().tolist()


def _same(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for f, e in zip(found, expected):
            _same(f, e)
    else:
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "options",
    [{}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"},
     {"create_graph": True}],
    ids=str,
)  # fmt: skip
def test_jacobian_is_pytorchs(name: str, options: dict[str, Any]) -> None:
    reference = pytest.importorskip("torch")
    function, count = FUNCTIONS[name]
    results = []
    for module in (reference, torch):
        given = dict(options)
        if module is reference and "strategy" in given:
            given = {}  # PyTorch needs forward formulas for it; the values are the same
        results.append(
            _plain(
                module.autograd.functional.jacobian(
                    lambda *x: function(module, *x),
                    _inputs(module, count),
                    **given,  # noqa: B023
                )
            )
        )
    _same(results[1], results[0])


@pytest.mark.parametrize("name", ["scalar", "scalar of two", "linear"])
@pytest.mark.parametrize("vectorize", [False, True])
def test_hessian_is_pytorchs(name: str, vectorize: bool) -> None:
    reference = pytest.importorskip("torch")
    function, count = FUNCTIONS[name]
    results = [
        _plain(
            module.autograd.functional.hessian(
                lambda *x: function(module, *x),
                _inputs(module, count),
                vectorize=vectorize,  # noqa: B023
            )
        )
        for module in (reference, torch)
    ]
    _same(results[1], results[0])


@pytest.mark.parametrize("product", ["vhp", "hvp"])
@pytest.mark.parametrize("name", ["scalar", "scalar of two", "linear"])
def test_products_with_a_hessian_are_pytorchs(product: str, name: str) -> None:
    reference = pytest.importorskip("torch")
    function, count = FUNCTIONS[name]
    results = []
    for module in (reference, torch):
        inputs = _inputs(module, count)
        vectors = inputs * 2 if count == 1 else tuple(i * 2 for i in inputs)
        call = getattr(module.autograd.functional, product)
        results.append(_plain(call(lambda *x: function(module, *x), inputs, vectors)))  # noqa: B023
    _same(results[1], results[0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_with_a_jacobian_are_pytorchs(name: str) -> None:
    reference = pytest.importorskip("torch")
    function, count = FUNCTIONS[name]
    for product in ("vjp", "jvp"):
        results = []
        for module in (reference, torch):
            inputs = _inputs(module, count)
            outputs = function(module, *(inputs if count > 1 else (inputs,)))
            like = outputs if product == "vjp" else inputs
            vectors = (
                tuple(t.detach() + 1 for t in like)
                if isinstance(like, tuple)
                else like.detach() + 1
            )
            call = getattr(module.autograd.functional, product)
            results.append(_plain(call(lambda *x: function(module, *x), inputs, vectors)))  # noqa: B023
        _same(results[1], results[0])


def test_jacobian_by_hand() -> None:
    x = torch.tensor([2.0, 3.0])
    found = torch.autograd.functional.jacobian(lambda x: torch.stack([x[0] * x[1], x[0] ** 2]), x)
    assert found.tolist() == [[3.0, 2.0], [4.0, 0.0]]
    assert not found.requires_grad


def test_hessian_by_hand() -> None:
    x = torch.tensor([2.0, 3.0])
    found = torch.autograd.functional.hessian(lambda x: x[0] ** 2 * x[1], x)
    assert found.tolist() == [[6.0, 4.0], [4.0, 0.0]]


def test_create_graph_gives_a_result_that_has_a_gradient() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    found = torch.autograd.functional.jacobian(lambda x: x**3, x, create_graph=True)
    found.sum().backward()
    assert x.grad.tolist() == [12.0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f, x: f.vjp(lambda x: x * 2, [x]), TypeError, "The inputs given to vjp must be"),
        (lambda f, x: f.jacobian(lambda x: 3, x), TypeError, "The outputs of the user-provided"),
        (lambda f, x: f.vjp(lambda x: x * 2, x), RuntimeError, "The vector v can only be None"),
        (lambda f, x: f.jvp(lambda x: x * 2, x, x[:1]), RuntimeError, "v has invalid size"),
        (lambda f, x: f.hessian(lambda x: x * 2, x), RuntimeError, "contain a single element"),
        (lambda f, x: f.jacobian(lambda x: torch.ones(2), x, strict=True), RuntimeError,
         "does not require gradients"),
        (lambda f, x: f.jacobian(lambda x: x, x, strict=True, vectorize=True), RuntimeError,
         "not supported together"),
        (lambda f, x: f.hvp(lambda x: x.sum(), x, x, strict=True), RuntimeError, "independent"),
    ],
)  # fmt: skip
def test_wrong_calls_are_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call(torch.autograd.functional, torch.ones(2))
