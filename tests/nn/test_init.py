"""Initialisers: the values that PyTorch draws from the same seed, gains, fans and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau import nn

CALLS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("uniform_", (4, 5), {}),
    ("uniform_", (4, 5), {"a": -2.0, "b": 3.0}),
    ("normal_", (4, 5), {"mean": 1.0, "std": 2.0}),
    ("normal_", (3,), {}),
    ("trunc_normal_", (20, 5), {}),
    ("trunc_normal_", (20, 5), {"a": 1.0, "b": 4.0}),
    ("trunc_normal_", (20, 5), {"mean": 0.5, "std": 0.2, "a": 0.3, "b": 0.6}),
    ("constant_", (4, 5), {"val": 3.5}),
    ("ones_", (4, 5), {}),
    ("zeros_", (4, 5), {}),
    ("eye_", (4, 5), {}),
    ("dirac_", (4, 3, 3), {}),
    ("dirac_", (4, 2, 3, 3), {"groups": 2}),
    ("dirac_", (4, 2, 3, 2, 3), {}),
    ("xavier_uniform_", (4, 5), {}),
    ("xavier_uniform_", (4, 5, 3, 3), {"gain": 1.5}),
    ("xavier_normal_", (4, 5), {"gain": 0.3}),
    ("kaiming_uniform_", (4, 5), {}),
    ("kaiming_uniform_", (4, 5, 3), {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", (4, 5), {"a": 0.1}),
    ("kaiming_normal_", (4, 5, 2), {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("sparse_", (10, 4), {"sparsity": 0.3}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "options"), CALLS)
def test_values_are_pytorchs(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    results = []
    for library in (flambeau, torch):
        library.manual_seed(11)
        tensor = library.empty(shape)
        returned = getattr(library.nn.init, name)(tensor, **options)
        assert returned is tensor
        results.append((tensor.numpy(), library.get_rng_state().numpy()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=2e-6, atol=2e-6)
    assert (results[0][1] == results[1][1]).all()


def test_recorded_values() -> None:
    """What PyTorch 2.13 draws from seed 0 for ``nn.Linear(2, 2)``."""
    flambeau.manual_seed(0)
    layer = nn.Linear(2, 2)
    np.testing.assert_allclose(
        layer.weight.detach().numpy(),
        [[-0.00529398, 0.37932289], [-0.58198076, -0.52038747]],
        atol=1e-6,
    )
    np.testing.assert_allclose(layer.bias.detach().numpy(), [-0.27234524, 0.18961589], atol=1e-6)


def test_gains() -> None:
    gain = nn.init.calculate_gain
    assert gain("linear") == gain("conv2d") == gain("sigmoid") == 1
    assert gain("tanh") == 5 / 3
    assert gain("relu") == math.sqrt(2)
    assert gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert gain("leaky_relu", 0.2) == math.sqrt(2 / (1 + 0.2**2))
    assert gain("selu") == 0.75
    with pytest.raises(ValueError, match="Unsupported nonlinearity foo"):
        gain("foo")
    with pytest.raises(ValueError, match="negative_slope a not a valid number"):
        gain("leaky_relu", "a")


def test_initialised_parameters_record_nothing() -> None:
    layer = nn.Linear(3, 4)
    nn.init.xavier_normal_(layer.weight)
    assert layer.weight.requires_grad and layer.weight.grad_fn is None


def test_orthogonal_rows_or_columns() -> None:
    if not hasattr(flambeau, "linalg"):
        pytest.skip("no QR decomposition")
    for shape in ((4, 4), (3, 5), (5, 3), (4, 2, 3)):
        flat = nn.init.orthogonal_(flambeau.empty(shape), gain=2).flatten(1).numpy() / 2
        product = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
        np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        (
            "xavier_uniform_",
            (3,),
            {},
            "Fan in and fan out can not be computed for tensor with fewe",
        ),
        ("kaiming_uniform_", (3, 3), {"mode": "x"}, "Mode x not supported, please use one of "),
        ("eye_", (3,), {}, "Only tensors with 2 dimensions are supported"),
        ("dirac_", (3, 3), {}, "Only tensors with 3, 4, or 5 dimensions are supported"),
        ("dirac_", (3, 3, 3), {"groups": 2}, "dim 0 must be divisible by groups"),
        ("sparse_", (3,), {"sparsity": 0.1}, "Only tensors with 2 dimensions are supported"),
    ],
)
def test_refusals(name: str, shape: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(nn.init, name)(flambeau.empty(shape), **options)


def test_empty_tensors_are_left_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        nn.init.kaiming_uniform_(flambeau.empty(0, 3))


def test_old_names_warn() -> None:
    with pytest.warns(FutureWarning, match="`nn.init.normal` is now deprecated in favor of"):
        nn.init.normal(flambeau.empty(3))
