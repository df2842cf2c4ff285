"""Calls with the numbers before the operands: PyTorch 1.4's order, which 2.13 still takes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import flambeau as torch

pytestmark = pytest.mark.filterwarnings("ignore:.*numbers before its operands:UserWarning")


def counting(*shape: int) -> Any:
    return torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)


@pytest.mark.parametrize(
    ("name", "shapes", "numbers"),
    [
        ("add", [(3,), (3,)], {"alpha": 2}),
        ("sub", [(3,), (3,)], {"alpha": 0.5}),
        ("addcmul", [(3,), (3,), (3,)], {"value": 2}),
        ("addcdiv", [(3,), (3,), (3,)], {"value": -0.1}),
        ("addmm", [(2, 2), (2, 3), (3, 2)], {"beta": 2}),
        ("addmm", [(2, 2), (2, 3), (3, 2)], {"beta": 1, "alpha": -2}),
        ("addmv", [(2,), (2, 3), (3,)], {"beta": 2, "alpha": 3}),
        ("addr", [(2, 3), (2,), (3,)], {"beta": 2, "alpha": 3}),
        ("addbmm", [(2, 2), (4, 2, 3), (4, 3, 2)], {"beta": 2, "alpha": 3}),
        ("baddbmm", [(4, 2, 2), (4, 2, 3), (4, 3, 2)], {"beta": 2, "alpha": 3}),
    ],
)
def test_functions_methods_and_in_place_methods_take_it(
    name: str, shapes: list[Any], numbers: dict[str, float]
) -> None:
    tensors = [counting(*shape) for shape in shapes]
    first, rest = tensors[0], tensors[1:]
    wanted = getattr(torch, name)(*tensors, **numbers)
    values = list(numbers.values())
    assert torch.equal(getattr(first, name)(*values, *rest), wanted)
    if "beta" in numbers:
        ordered = [values[0], first, *values[1:], *rest]
    else:
        ordered = [first, *values, *rest]
    assert torch.equal(getattr(torch, name)(*ordered), wanted)
    assert getattr(first, f"{name}_")(*values, *rest) is first
    assert torch.equal(first, wanted)


def test_gradients_go_through() -> None:
    x = counting(3).requires_grad_()
    y = counting(3).requires_grad_()
    torch.add(x, 3, y).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]
    assert y.grad.tolist() == [3, 3, 3]


def test_out_and_numbers_as_tensors() -> None:
    out = torch.empty(3)
    assert torch.add(counting(3), torch.tensor(2.0), counting(3), out=out) is out
    assert out.tolist() == [3, 6, 9]


def test_a_warning_says_how_to_write_it() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.add(counting(2), 2, counting(2))
        counting(2).add_(3, counting(2))
    warning, other = caught
    assert warning.category is UserWarning
    assert "(alpha=...)" in str(warning.message)
    assert str(other.message) == str(warning.message), "Python shows it once, whatever the number"
    assert warning.filename == other.filename == __file__


@pytest.mark.parametrize(
    "call",
    [
        lambda t: torch.add(t, t, 2),
        lambda t: t.addcmul(t, t, 2),
        lambda t: torch.addmm(t, t, 2, t, t),
        lambda t: t.addmm(1, 2, 3, t, t),
        lambda t: t.add_(2, t, alpha=3),
        lambda t: torch.add(t, "2", t),
    ],
)
def test_other_orders_are_refused(call: Any) -> None:
    with pytest.raises(TypeError, match=r"positional arguments but \d were given"):
        call(counting(2, 2))


def test_compiled_steps_take_it() -> None:
    def step(p: Any, grad: Any) -> Any:
        return p.add(-0.5, grad).addcdiv(2, grad, p)

    p, grad = counting(3), counting(3) + 1
    compiled = torch.compile(step)
    for _ in range(3):
        assert torch.allclose(compiled(p, grad), step(p, grad))
