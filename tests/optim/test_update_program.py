"""The program made of a rule does what the rule says, in as little memory as it can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flambeau.optim.update_program import compile_rule


class NumPyNamespace:
    sqrt = staticmethod(np.sqrt)
    abs = staticmethod(np.abs)
    sign = staticmethod(np.sign)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    where = staticmethod(np.where)


def momentum(xp, *, param, grad, velocity, lr, share):
    velocity = share * velocity + grad
    return {"param": param - lr * velocity, "velocity": velocity}


def first(xp, *, param, grad, velocity, lr, share):
    return {"param": param - lr * grad, "velocity": grad}


def swapped(xp, *, param, grad, velocity, lr, share):
    # Each new value is made of the other's old one.
    return {"param": velocity * lr, "velocity": param + share}


def branching(xp, *, param, grad, velocity, lr, share):
    masked = xp.where(grad > 0, xp.sqrt(xp.abs(grad)), velocity * 2)
    clipped = xp.minimum(xp.maximum(masked, -0.5), 0.5)
    rate = xp.where(lr > 0.05, lr, 0.0)
    return {"param": param + rate * clipped * xp.sign(velocity), "velocity": masked}


def unchanged(xp, *, param, grad, velocity, lr, share):
    return {"param": param, "velocity": velocity}


@pytest.mark.parametrize("rule", [momentum, first, swapped, branching, unchanged])
@pytest.mark.parametrize("subtract_param", [False, True])
def test_programs_agree_with_their_rules(rule, subtract_param):
    rng = np.random.RandomState(0)
    arrays: dict[str, Any] = {
        name: rng.standard_normal(9) for name in ("param", "grad", "velocity")
    }
    scalars = {"lr": 0.1, "share": 0.9}
    expected = rule(NumPyNamespace, **{k: v.copy() for k, v in arrays.items()}, **scalars)
    program = compile_rule(
        rule, tuple(arrays), tuple(scalars), (), {}, subtract_param=subtract_param
    )
    coefficients, states = program.coefficients(*scalars.values())
    assert states == ()
    param = arrays["param"].copy()
    grad = arrays["grad"].copy()
    program.apply(
        *arrays.values(),
        *(np.array(value) for value in coefficients),
        *(np.empty(9) for _ in range(program.scratch)),
        *(np.empty(9, bool) for _ in range(program.masks)),
    )
    result = param - arrays["param"] if program.subtracts_param else arrays["param"]
    np.testing.assert_allclose(result, expected["param"], rtol=1e-12)
    np.testing.assert_allclose(arrays["velocity"], expected["velocity"], rtol=1e-12)
    np.testing.assert_array_equal(arrays["grad"], grad)  # gradients are not written to


def test_momentum_is_four_calls_and_one_buffer():
    program = compile_rule(momentum, ("param", "grad", "velocity"), ("lr", "share"), (), {})
    assert program.calls == 4
    assert program.scratch == 1


def test_scalars_are_computed_once_in_double_precision():
    def rule(xp, *, param, grad, step, lr, beta):
        step = step + 1
        return {"param": param - lr / (1 - beta**step) * grad, "step": step}

    program = compile_rule(rule, ("param", "grad"), ("step", "lr", "beta"), ("step",), {})
    assert program.coefficients(2.0, 0.1, 0.9) == ((0.1 / (1 - 0.9**3),), (3.0,))
