"""Weight and spectral norm, parametrizations, pruning and fusion, beside PyTorch's."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")

pytestmark = pytest.mark.filterwarnings("ignore")


def _prune_global(t: Any, m: Any) -> None:
    prune = t.nn.utils.prune
    prune.global_unstructured(
        [(m, "weight"), (m, "bias")], pruning_method=prune.L1Unstructured, amount=0.4
    )


def _pruned_twice(t: Any, m: Any) -> None:
    t.nn.utils.prune.ln_structured(m, "weight", amount=1, n=2, dim=0)
    t.nn.utils.prune.l1_unstructured(m, "weight", amount=3)


CHANGES = {
    "weight_norm hook": lambda t, m: t.nn.utils.weight_norm(m),
    "weight_norm hook, whole": lambda t, m: t.nn.utils.weight_norm(m, dim=None),
    "weight_norm": lambda t, m: t.nn.utils.parametrizations.weight_norm(m),
    "spectral_norm hook": lambda t, m: t.nn.utils.spectral_norm(m),
    "spectral_norm": lambda t, m: t.nn.utils.parametrizations.spectral_norm(m),
    "identity": lambda t, m: t.nn.utils.prune.identity(m, "weight"),
    "random_unstructured": lambda t, m: t.nn.utils.prune.random_unstructured(m, "weight", 0.5),
    "l1_unstructured": lambda t, m: t.nn.utils.prune.l1_unstructured(m, "weight", 5),
    "random_structured": lambda t, m: t.nn.utils.prune.random_structured(m, "weight", 2, 0),
    "ln_structured": lambda t, m: t.nn.utils.prune.ln_structured(m, "weight", 0.5, 2, 0),
    "twice": _pruned_twice,
    "global": _prune_global,
}


@pytest.mark.parametrize("change", CHANGES)
def test_reparametrized_layers_are_pytorchs(change: str) -> None:
    found = []
    for library in (flambeau, torch):
        library.manual_seed(5)
        layer = library.nn.Linear(4, 6)
        CHANGES[change](library, layer)
        values = [layer(library.ones(2, 4)), layer(library.ones(2, 4))]
        values[1].sum().backward()
        grads = [p.grad for p in layer.parameters()]
        found.append((dict(layer.state_dict()), values + grads, repr(layer)))
    (ours, our_values, our_words), (theirs, their_values, their_words) = found
    assert list(ours) == list(theirs)
    assert our_words == their_words
    for a, b in zip([*ours.values(), *our_values], [*theirs.values(), *their_values]):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


REMOVALS = {
    "weight_norm": (lambda u, m: u.weight_norm(m), lambda u, m: u.remove_weight_norm(m)),
    "spectral_norm": (lambda u, m: u.spectral_norm(m), lambda u, m: u.remove_spectral_norm(m)),
    "prune": (
        lambda u, m: u.prune.l1_unstructured(m, "weight", 3),
        lambda u, m: u.prune.remove(m, "weight"),
    ),
    "parametrization": (
        lambda u, m: u.parametrizations.weight_norm(m),
        lambda u, m: u.parametrize.remove_parametrizations(m, "weight"),
    ),
}


@pytest.mark.parametrize("name", REMOVALS)
def test_removing_keeps_the_value(name: str) -> None:
    utils = flambeau.nn.utils
    layer = flambeau.nn.Linear(3, 4)
    put, taken = REMOVALS[name]
    put(utils, layer)
    value = layer.eval()(flambeau.ones(3)).detach()
    taken(utils, layer)
    assert sorted(dict(layer.named_parameters())) == ["bias", "weight"]
    assert type(layer) is flambeau.nn.Linear
    np.testing.assert_allclose(layer(flambeau.ones(3)).detach().numpy(), value.numpy(), rtol=1e-5)


class Symmetric(flambeau.nn.Module):
    calls = 0

    def forward(self, x: Any) -> Any:
        Symmetric.calls += 1
        return x.triu() + x.triu(1).transpose(-1, -2)

    def right_inverse(self, x: Any) -> Any:
        return x.triu()


def test_a_parametrized_tensor_is_computed_when_read_and_can_be_assigned() -> None:
    parametrize = flambeau.nn.utils.parametrize
    layer = flambeau.nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert flambeau.equal(layer.weight, layer.weight.T)
    wanted = flambeau.tensor([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]])
    layer.weight = wanted
    assert flambeau.equal(layer.weight, wanted)
    before = Symmetric.calls
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert Symmetric.calls == before + 1
    copied = copy.deepcopy(layer)
    copied.weight = flambeau.eye(3)
    assert flambeau.equal(layer.weight, wanted)
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(layer, "nothing", Symmetric())


def test_fused_batch_norm_computes_the_same() -> None:
    nn = flambeau.nn
    conv, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    norm(flambeau.randn(8, 4, 5, 5))
    conv.eval(), norm.eval()
    x = flambeau.randn(2, 3, 6, 6)
    fused = nn.utils.fuse_conv_bn_eval(conv, norm)
    np.testing.assert_allclose(
        fused(x).detach().numpy(), norm(conv(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_skip_init_draws_nothing() -> None:
    flambeau.manual_seed(1)
    flambeau.nn.utils.skip_init(flambeau.nn.Linear, 3, 4)
    drawn = flambeau.rand(3)
    flambeau.manual_seed(1)
    assert flambeau.equal(drawn, flambeau.rand(3))


def test_pruning_refuses_wrong_amounts() -> None:
    layer = flambeau.nn.Linear(2, 2)
    for amount, error in ((-1, ValueError), (1.5, ValueError), ("a", TypeError), (9, ValueError)):
        with warnings.catch_warnings(), pytest.raises(error):
            flambeau.nn.utils.prune.l1_unstructured(layer, "weight", amount)
