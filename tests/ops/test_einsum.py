"""``einsum``, ``tensordot`` and products like them, beside NumPy and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau

EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("i,i->", (3,), (3,)),
    ("i,j->ij", (2,), (3,)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ij->j", (2, 3)),
    ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (2, 2, 3)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("...ij,...jk->...ik", (2, 3, 4), (4, 5)), ("...i->...", (2, 3)),
    ("abc,cd,def->abf", (2, 3, 4), (4, 2), (2, 3, 2)), ("ij,ij->ij", (2, 3), (2, 3)),
    ("ij,kl->ijkl", (2, 2), (3, 2)), ("i...,j...->ij...", (2, 3), (4, 3)), ("ba", (2, 3)),
    ("aij,jk->iak", (2, 3, 4), (4, 2)), ("ij,j,i->", (2, 3), (3,), (2,)), ("xii->xi", (2, 3, 3)),
]  # fmt: skip


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda c: c[0])
def test_sums_of_products_and_their_gradients(case: Any) -> None:
    equation, *shapes = case
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(s) for s in shapes]
    tensors = [flambeau.tensor(a, requires_grad=True) for a in arrays]
    found = flambeau.einsum(equation, *tensors)
    np.testing.assert_allclose(found.detach().numpy(), np.einsum(equation, *arrays), atol=1e-12)
    assert flambeau.autograd.gradcheck(lambda *t: flambeau.einsum(equation, *t), tensors)


def test_subscripts_as_lists() -> None:
    a, b = flambeau.ones(2, 3), flambeau.ones(3, 4)
    assert flambeau.einsum(a, [0, 1], b, [1, 2], [2, 0]).shape == (4, 2)
    assert flambeau.einsum(a, [0, 1], b, [1, 2]).shape == (2, 4)
    assert flambeau.einsum(a, [..., 0], [0]).shape == (3,)


def test_sizes_of_one_broadcast() -> None:
    found = flambeau.einsum("ij,jk->ik", flambeau.ones(2, 1), flambeau.ones(3, 4))
    assert found.tolist() == [[3.0] * 4] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: m.einsum("ij,jk", m.ones(2, 3), m.ones(4, 5)),
        lambda m: m.einsum("ij,jk", m.ones(2, 3)),
        lambda m: m.einsum("ij", m.ones(2, 3), m.ones(2, 3)),
        lambda m: m.einsum("i$", m.ones(2, 3)),
        lambda m: m.einsum("ijk", m.ones(2, 3)),
        lambda m: m.einsum("ij->k", m.ones(2, 3)),
        lambda m: m.einsum("ij->ii", m.ones(2, 3)),
        lambda m: m.einsum("i..j", m.ones(2, 3)),
        lambda m: m.einsum("ii", m.ones(2, 3)),
    ],
)
def test_wrong_equations_are_refused(wrong: Any) -> None:
    with pytest.raises(RuntimeError, match=r"einsum\(\)"):
        wrong(flambeau)
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError, match=r"einsum\(\)"):
        wrong(torch)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, a, b: m.tensordot(a, b, 1),
        lambda m, a, b: m.tensordot(a, a, ([0, 1], [0, 1])),
        lambda m, a, b: m.kron(a, b),
        lambda m, a, b: m.inner(a, a),
        lambda m, a, b: m.cross(a, a + m.ones(3, dtype=m.float64), dim=1),
        lambda m, a, b: m.chain_matmul(a, b),
        lambda m, a, b: m.addr(a, a[:, 0], a[0]),
    ],
)
def test_other_products_are_pytorchs(call: Any) -> None:
    reference = pytest.importorskip("torch")
    found = []
    for module in (reference, flambeau):
        a = module.arange(6.0, dtype=module.float64).reshape(2, 3) + 1
        b = module.arange(12.0, dtype=module.float64).reshape(3, 4) - 4
        found.append(call(module, a, b).numpy())
    np.testing.assert_allclose(found[1], found[0])
