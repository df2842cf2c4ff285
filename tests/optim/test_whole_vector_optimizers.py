"""LBFGS, Adafactor and Muon: optimizers that look at more than one element at a time."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.optim.muon import orthogonalise

LBFGS_OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.01},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 5},
    {"lr": 0.5, "line_search_fn": "strong_wolfe", "max_eval": 7},
]


def fit(lib: Any, options: dict[str, Any], steps: int = 4, resume: bool = False) -> Any:
    """A regression with a quartic penalty; returns the losses and the optimizer."""
    rng = np.random.RandomState(0)
    x, y = (
        lib.from_numpy(rng.standard_normal((40, 6))),
        lib.from_numpy(rng.standard_normal((40, 1))),
    )
    weight = lib.zeros(6, 1, dtype=lib.float64).requires_grad_()
    scale = lib.full((1,), 1.5, dtype=lib.float64).requires_grad_()
    optimizer = lib.optim.LBFGS([weight, scale], **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((x @ weight * scale - y) ** 2).sum() + (weight**4).sum() + (scale - 2) ** 2 * 10
        loss = loss.sum()
        loss.backward()
        return loss

    losses = []
    for step in range(steps):
        if resume and step == 2:
            saved = copy.deepcopy(optimizer.state_dict())
            optimizer = lib.optim.LBFGS([weight, scale], **options)
            optimizer.load_state_dict(saved)
        losses.append(optimizer.step(closure).item())
    return losses, optimizer


@pytest.mark.parametrize("options", LBFGS_OPTIONS)
def test_lbfgs_is_pytorchs(options):
    torch = pytest.importorskip("torch")
    expected, theirs = fit(torch, options)
    losses, ours = fit(flambeau, options)
    assert losses == pytest.approx(expected, rel=1e-10)
    their_state, our_state = (o.state_dict()["state"][0] for o in (theirs, ours))
    assert list(our_state) == list(their_state)
    for key in ("func_evals", "n_iter"):
        assert our_state[key] == their_state[key]
    assert len(our_state["old_dirs"]) == len(their_state["old_dirs"])


@pytest.mark.parametrize("options", LBFGS_OPTIONS)
def test_lbfgs_goes_on_from_its_state(options):
    assert fit(flambeau, options, resume=True)[0] == fit(flambeau, options)[0]


def test_lbfgs_finds_the_minimum_of_a_banana():
    point = flambeau.tensor([-1.5, 2.0], dtype=flambeau.float64, requires_grad=True)
    optimizer = flambeau.optim.LBFGS([point], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        x, y = point[0], point[1]
        loss = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    assert point.tolist() == pytest.approx([1, 1], abs=1e-5)


def test_lbfgs_refusals():
    param = flambeau.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        flambeau.optim.LBFGS([{"params": [param]}, {"params": [flambeau.zeros(1)]}])
    with pytest.raises(TypeError, match="closure"):
        flambeau.optim.LBFGS([param]).step()


MATRIX_CASES: list[tuple[str, dict[str, Any]]] = [
    ("Adafactor", {}),
    ("Adafactor", {"weight_decay": 0.1, "d": 2.0, "eps": (1e-6, 1e-2), "maximize": True}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}),
]


@pytest.mark.parametrize("name, options", MATRIX_CASES)
def test_adafactor_and_muon_are_pytorchs(name, options):
    torch = pytest.importorskip("torch")
    shapes = [(8, 5), (3, 7)] if name == "Muon" else [(8, 5), (2, 3, 4), (6,), ()]

    def run(lib: Any) -> Any:
        rng = np.random.RandomState(0)
        arrays = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
        params = [lib.from_numpy(array).requires_grad_() for array in arrays]
        optimizer = getattr(lib.optim, name)(params, **options)
        for _ in range(20):
            for param in params:
                grad = np.asarray(rng.standard_normal(tuple(param.shape)), np.float32)
                param.grad = lib.from_numpy(grad)
            optimizer.step()
        return arrays, optimizer

    expected, theirs = run(torch)
    arrays, ours = run(flambeau)
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, other, atol=2e-5)
    assert repr(ours) == repr(theirs)
    for index, state in theirs.state_dict()["state"].items():
        found = ours.state_dict()["state"][index]
        assert {k: tuple(v.shape) for k, v in found.items()} == {
            k: tuple(v.shape) for k, v in state.items()
        }


def test_orthogonalised_matrices_have_singular_values_near_one():
    matrix = flambeau.from_numpy(np.random.RandomState(0).standard_normal((30, 12)))
    result = orthogonalise(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7)
    values = np.linalg.svd(result.numpy(), compute_uv=False)
    assert result.shape == (30, 12)
    assert 0.5 < values.min() < values.max() < 1.5


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda p: flambeau.optim.Muon([p, flambeau.zeros(3)]), "only supports 2D parameters"),
        (lambda p: flambeau.optim.Muon([p], adjust_lr_fn="x"), "function x is not supported"),
        (lambda p: flambeau.optim.Adafactor([p], d=0.5), "d should be >= 1 but is: 0.5"),
        (lambda p: flambeau.optim.Adafactor([p], beta2_decay=1), "should be <= 0 but is: 1"),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(flambeau.zeros(2, 2, requires_grad=True))
