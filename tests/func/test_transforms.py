"""``grad``, ``vjp``, ``jvp`` and Jacobians: values, nesting, structures, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.func import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)


def double(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def close(found: Any, expected: Any) -> bool:
    return tuple(found.shape) == tuple(expected.shape) and torch.allclose(
        found, expected, rtol=1e-9, atol=1e-10
    )


def smooth(x: Any) -> Any:
    """A function of three numbers with all derivatives; of two results."""
    return torch.stack([x[0] * x[1].sin() * x[2], (x * x).sum().exp() * 0.1 + x[2] ** 3])


def scalar(x: Any) -> Any:
    return smooth(x).prod()


def numerical_jacobian(function: Any, x: torch.Tensor) -> torch.Tensor:
    columns = []
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = 1e-6
        columns.append(((function(x + step) - function(x - step)) / 2e-6).reshape(-1))
    return torch.stack(columns, 1).reshape((*function(x).shape, *x.shape))


# -- single transforms ----


def test_grad_is_the_derivative() -> None:
    x = double(3)
    assert torch.allclose(grad(scalar)(x), numerical_jacobian(scalar, x), atol=1e-7)


def test_grad_of_several_arguments_and_trees() -> None:
    def function(tree: Any, factor: Any, power: int) -> Any:
        return (tree["a"] * tree["b"][0]).sum() * factor**power

    a, b, factor = double(3), double(3, seed=1), torch.tensor(2.0, dtype=torch.float64)
    found, of_factor = grad(function, argnums=(0, 1))({"a": a, "b": [b]}, factor, 2)
    assert close(found["a"], b * 4)
    assert close(found["b"][0], a * 4)
    assert close(of_factor, (a * b).sum() * 4)
    assert close(grad(function, argnums=-2)({"a": a, "b": [b]}, factor, 2), of_factor)


def test_value_and_aux_come_along() -> None:
    x = double(3)
    gradient, (value, aux) = grad_and_value(lambda t: (scalar(t), {"t": t * 2}), has_aux=True)(x)
    assert close(value, scalar(x)) and close(aux["t"], x * 2)
    assert not value.requires_grad and not aux["t"].requires_grad and not gradient.requires_grad
    assert grad(lambda t: (scalar(t), 5), has_aux=True)(x)[1] == 5


def test_an_argument_that_does_not_matter_has_gradient_zero() -> None:
    assert grad(lambda x, y: x * 2, argnums=1)(*double(2)).item() == 0
    assert grad(lambda x: torch.ones(()))(double(3)).tolist() == [0, 0, 0]


def test_vjp_and_jvp_are_products_with_the_jacobian() -> None:
    x = double(3)
    jacobian = numerical_jacobian(smooth, x)
    u, t = double(2, seed=1), double(3, seed=2)
    value, pull = vjp(smooth, x)
    assert close(value, smooth(x))
    (pulled,) = pull(u)
    assert torch.allclose(pulled, u @ jacobian, atol=1e-7)
    value, pushed = jvp(smooth, (x,), (t,))
    assert close(value, smooth(x))
    assert torch.allclose(pushed, jacobian @ t, atol=1e-7)
    value, push = linearize(smooth, x)
    assert close(value, smooth(x))
    for direction in (t, double(3, seed=3)):
        assert torch.allclose(push(direction), jacobian @ direction, atol=1e-7)


def test_vjp_of_trees() -> None:
    def function(a: Any, b: Any) -> Any:
        return {"product": a * b["x"], "sum": a.sum() + b["x"].sum()}

    a, b = double(3), {"x": double(3, seed=1)}
    value, pull, aux = vjp(lambda *t: (function(*t), "aux"), a, b, has_aux=True)
    assert aux == "aux"
    ones = {"product": torch.ones(3).double(), "sum": torch.ones(()).double()}
    of_a, of_b = pull(ones)
    assert close(of_a, b["x"] + 1) and close(of_b["x"], a + 1)
    assert close(pull(ones)[0], of_a)  # as often as one likes
    with pytest.raises(RuntimeError, match="Expected pytree structure of cotangents"):
        pull((ones["product"],))


def test_a_jvp_along_what_does_not_matter_is_zero() -> None:
    x = double(3)
    value, pushed = jvp(lambda t: (torch.ones(2), t * 3), (x,), (x,))
    assert pushed[0].tolist() == [0, 0]
    assert close(pushed[1], x * 3)
    with pytest.raises(RuntimeError, match="independent of the inputs"):
        jvp(lambda t: torch.ones(2), (x,), (x,), strict=True)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians(jacobian: Any) -> None:
    x = double(3)
    assert torch.allclose(jacobian(smooth)(x), numerical_jacobian(smooth, x), atol=1e-7)
    found = jacobian(lambda a, b: {"y": (a[:, None] * b).sum(0), "z": a.sin()}, argnums=(0, 1))(
        x, double(3, 2, seed=1)
    )
    assert tuple(found["y"][1].shape) == (2, 3, 2)
    assert close(found["z"][0], x.cos().diag())
    assert not found["z"][1].any()
    matrix, aux = jacobian(lambda t: (t * t, t + 1), has_aux=True)(x)
    assert close(matrix, (2 * x).diag()) and close(aux, x + 1)


def test_jacrev_in_chunks() -> None:
    x = double(5)
    whole = jacrev(lambda t: t.sin() * t.sum())(x)
    for size in (1, 2, 5, 9):
        assert close(jacrev(lambda t: t.sin() * t.sum(), chunk_size=size)(x), whole)


# -- nested ----


def test_derivatives_of_any_order() -> None:
    x = torch.tensor(0.7, dtype=torch.float64)
    derivative, wave = torch.sin, torch.sin
    waves = [torch.cos, lambda t: -t.sin(), lambda t: -t.cos(), torch.sin, torch.cos]
    for expected in waves:
        derivative = grad(derivative)
        assert close(derivative(x), expected(x))
    assert wave is torch.sin


def test_inner_transforms_do_not_see_the_outer_variable_as_theirs() -> None:
    # d/dx [x * d/dy (x + y)] = d/dx x = 1, not 2
    three = torch.tensor(3.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(torch.tensor(1.0)))(three).item() == 1
    # d/dx [x * d/dy (x * y)] = d/dx x^2 = 6
    assert grad(lambda x: x * grad(lambda y: x * y)(torch.tensor(1.0)))(three).item() == 6
    assert grad(lambda x: grad(lambda y: x * x * y)(x))(three).item() == 6
    # the same with forward derivatives: d/dx [x * d/dy (x + y)]
    one = torch.ones(())
    pushed = jvp(lambda x: x * jvp(lambda y: x + y, (one,), (one,))[1], (three,), (one,))[1]
    assert pushed.item() == 1


SECOND = {
    "hessian": hessian,
    "jacfwd of jacrev": lambda f: jacfwd(jacrev(f)),
    "jacrev of jacfwd": lambda f: jacrev(jacfwd(f)),
    "jacrev of jacrev": lambda f: jacrev(jacrev(f)),
    "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f)),
    "jacrev of grad": lambda f: jacrev(grad(f)),
    "jacfwd of grad": lambda f: jacfwd(grad(f)),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_however_nested(name: str) -> None:
    x = double(3)
    expected = numerical_jacobian(grad(scalar), x)
    assert torch.allclose(SECOND[name](scalar)(x), expected, atol=1e-6)


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_of_a_batch(name: str) -> None:
    x = double(4, 3)
    found = vmap(SECOND[name](scalar))(x)
    for row, matrix in zip(x, found):
        assert close(matrix, hessian(scalar)(row))


def test_third_derivative_of_a_batch() -> None:
    x = double(5)
    assert close(vmap(grad(grad(grad(lambda t: t**5))))(x), 60 * x**2)


def test_grad_through_vmap_of_grad() -> None:
    # sum over members of (d/dx sin(w x))^2, differentiated by w
    w, x = torch.tensor(0.3, dtype=torch.float64), double(6)

    def loss(w: Any) -> Any:
        slopes = vmap(grad(lambda t: (w * t).sin()))(x)
        return (slopes * slopes).sum()

    expected = (2 * w * (w * x).cos() ** 2 - 2 * w**2 * (w * x).cos() * (w * x).sin() * x).sum()
    assert close(grad(loss)(w), expected)
    assert close(grad(loss)(w), numerical_jacobian(loss, w))
    assert torch.allclose(grad(grad(loss))(w), numerical_jacobian(grad(loss), w), atol=1e-5)


def test_vjp_inside_and_outside_vmap() -> None:
    x, rows = double(3), double(4, 2, seed=1)
    _, pull = vjp(smooth, x)
    jacobian = jacrev(smooth)(x)
    assert close(vmap(pull)(rows)[0], rows @ jacobian)
    several = double(4, 3, seed=2)
    found = vmap(lambda t, u: vjp(smooth, t)[1](u)[0])(several, rows)
    for t, u, row in zip(several, rows, found):
        assert close(row, u @ jacrev(smooth)(t))
    pushed = vmap(lambda t: jvp(smooth, (t,), (x,))[1])(several)
    for t, column in zip(several, pushed):
        assert close(column, jacfwd(smooth)(t) @ x)


def test_hessian_vector_products_three_ways() -> None:
    x, v = double(3), double(3, seed=1)
    expected = hessian(scalar)(x) @ v
    assert close(jvp(grad(scalar), (x,), (v,))[1], expected)
    assert close(vjp(grad(scalar), x)[1](v)[0], expected)
    assert close(grad(lambda t: (grad(scalar)(t) * v).sum())(x), expected)
    assert close(linearize(grad(scalar), x)[1](v), expected)


# -- with the tape outside ----


def test_results_are_on_the_tape_where_something_outside_requires_grad() -> None:
    x = double(3)
    w = double(3, seed=1).requires_grad_()
    plain = grad(lambda t: (t**3).sum())(x)
    assert not plain.requires_grad
    found = grad(lambda t: (t * t * w).sum())(x)
    found.sum().backward()
    assert w.grad is not None and close(w.grad, 2 * x)
    y = x.clone().requires_grad_()
    grad(lambda t: (t**3).sum())(y).sum().backward()
    assert y.grad is not None and close(y.grad, 6 * x)


def test_no_grad_outside_does_not_matter_inside() -> None:
    x = double(3).requires_grad_()
    with torch.no_grad():
        found = grad(grad(lambda t: t**3))(x[0])
        assert not found.requires_grad
        assert close(found, 6 * x[0].detach())
        assert not torch.is_grad_enabled()
    with_no_grad = grad(lambda t: (t * torch.no_grad()(lambda: t * t)()).sum())(x.detach())
    assert close(with_no_grad, x.detach() ** 2)


def test_a_leaf_keeps_its_grad() -> None:
    w = double(3).requires_grad_()
    grad(lambda t: (t * w).sum())(double(3, seed=1))
    assert w.grad is None


def test_nothing_is_kept_after_a_transform() -> None:
    import gc
    import weakref

    x = double(3)
    made: list[Any] = []

    def function(t: Any) -> Any:
        y = t.sin()
        made.append(weakref.ref(y))
        return (y * y).sum()

    grad(function)(x)
    gc.collect()
    assert made[0]() is None


# -- refusals ----


def test_refusals_are_pytorchs() -> None:
    x = double(3)
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: grad(torch.sin)(x), RuntimeError, "a scalar Tensor, got tensor with 1 dims"),
        (lambda: grad(lambda t: 3.0)(x), RuntimeError, "to return a Tensor, got <class 'float'>"),
        (lambda: grad(scalar, argnums=1)(x), RuntimeError, "but only 1 positional inputs"),
        (lambda: grad(scalar, argnums=(0, 0))(x), RuntimeError, "argnums elements must be unique"),
        (lambda: grad(scalar, argnums=())(x), RuntimeError, "argnums must be non-empty"),
        (lambda: grad(scalar, argnums="a")(x), RuntimeError, "argnums must be int or Tuple"),
        (lambda: grad(scalar)(3.0), ValueError, "Thing passed to transform API must be Tensor"),
        (lambda: grad(lambda t: t.sum().float())(torch.arange(3)), RuntimeError,
         "floating point"),
        (lambda: grad(lambda t: t.sum(), has_aux=True)(x), RuntimeError, r"\(output, aux\)"),
        (lambda: vjp(lambda t: t.argmax(), x), RuntimeError, "floating-point or complex Tensors"),
        (lambda: jvp(smooth, x, (x,)), RuntimeError, "Expected primals to be a tuple"),
        (lambda: jvp(smooth, (x,), (x, x)), RuntimeError, "same python structure"),
        (lambda: jvp(smooth, (x,), (3.0,)), RuntimeError, "only contain Tensors"),
        (lambda: linearize(smooth, x)[1](x, x), RuntimeError, "same argspec as the primals"),
        (lambda: jacrev(smooth, chunk_size=0), ValueError, "should be greater than 0"),
    ]  # fmt: skip
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()


# -- beside PyTorch ----


def _network(library: Any, x: Any, w: Any) -> Any:
    hidden = library.tanh(x @ w)
    return library.nn.functional.softmax(hidden, -1)


@pytest.mark.parametrize(
    "name", ["grad", "jacrev", "jacfwd", "hessian", "vmap(jacrev)", "vmap(hessian)", "jvp", "vjp"]
)
def test_transforms_give_pytorchs_results(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((3, 2)).astype(np.float32)
    results = []
    for library in (pytorch, torch):
        func = library.func
        a, b = library.from_numpy(x), library.from_numpy(w)

        def out(p: Any, q: Any, lib: Any = library) -> Any:
            return _network(lib, p, q)

        def total(p: Any, q: Any, lib: Any = library) -> Any:
            return (_network(lib, p, q) ** 2).sum()

        found = {
            "grad": lambda f=func, t=total: f.grad(t, argnums=(0, 1))(a, b),  # noqa: B023
            "jacrev": lambda f=func, o=out: f.jacrev(o, argnums=(0, 1))(a, b),  # noqa: B023
            "jacfwd": lambda f=func, o=out: f.jacfwd(o, argnums=1)(a, b),  # noqa: B023
            "hessian": lambda f=func, t=total: f.hessian(t, argnums=(0, 1))(a, b),  # noqa: B023
            "vmap(jacrev)": lambda f=func, o=out: f.vmap(  # noqa: B023
                f.jacrev(o, argnums=1), in_dims=(0, None)
            )(a, b),  # noqa: B023
            "vmap(hessian)": lambda f=func, t=total: f.vmap(  # noqa: B023
                f.hessian(t), in_dims=(0, None)
            )(a, b),  # noqa: B023
            "jvp": lambda f=func, o=out: f.jvp(o, (a, b), (a * 2, b)),  # noqa: B023
            "vjp": lambda f=func, o=out: (lambda p: p[1](p[0]))(f.vjp(o, a, b)),  # noqa: B023
        }[name]()
        results.append(library.utils._pytree.tree_leaves(found))
    for expected, got in zip(*results, strict=True):
        assert tuple(got.shape) == tuple(expected.shape)
        assert got.requires_grad == expected.requires_grad
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
