"""Every module beside PyTorch's: parameters from one seed, attributes, words, results."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import flambeau

from .module_cases import CASES, ModuleCase, array_of

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.parametrize("case", CASES, ids=str),
    pytest.mark.filterwarnings("ignore"),
]

SEED = 20260
# PyTorch's CrossMapLRN2d is a function of its own with the same attributes
LAZY = ("Lazy",)


def built(library: Any, case: ModuleCase) -> Any:
    library.manual_seed(SEED)
    return case.build(library)


def called(library: Any, case: ModuleCase) -> tuple[Any, list[Any], Any]:
    """The module, its inputs as tensors, and its result."""
    module = built(library, case)
    inputs = []
    for number, description in enumerate(case.inputs):
        tensor = library.from_numpy(array_of(description, number))
        if tensor.is_floating_point() and not (number and "Loss" in case.name):
            tensor.requires_grad_()
        inputs.append(tensor)
    passed = inputs
    if "inplace=True" in case.name or "True)" in case.name:
        passed = [tensor * 1 for tensor in inputs]
    return module, inputs, module(*passed)


def close(found: Any, wanted: Any, tolerance: float) -> None:
    assert str(found.dtype) == str(wanted.dtype)
    assert tuple(found.shape) == tuple(wanted.shape)
    np.testing.assert_allclose(
        found.detach().numpy(), wanted.detach().numpy(), rtol=tolerance, atol=tolerance
    )


def test_words_and_attributes(case: ModuleCase) -> None:
    ours, theirs = built(flambeau, case), built(torch, case)
    assert repr(ours) == repr(theirs)
    assert str(ours.extra_repr()) == str(theirs.extra_repr())
    named = zip(ours.named_modules(), theirs.named_modules(), strict=True)
    for (name, module), (their_name, their_module) in named:
        assert name == their_name
        assert list(vars(module)) == list(vars(their_module))
        for key, value in vars(their_module).items():
            if isinstance(value, (int, float, str, tuple, list, bool, type(None))):
                assert vars(module)[key] == value, key
                assert type(vars(module)[key]).__name__ == type(value).__name__, key
        assert (
            type(module).__module__.split(".")[1:] == type(their_module).__module__.split(".")[1:]
        )
        assert module._version == their_module._version


def test_parameters_from_the_same_seed(case: ModuleCase) -> None:
    ours, theirs = built(flambeau, case), built(torch, case)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.state_dict()._metadata == theirs.state_dict()._metadata
    assert [name for name, _ in ours.named_parameters()] == [
        name for name, _ in theirs.named_parameters()
    ]
    if case.name.startswith(LAZY):
        return
    for ours_value, their_value in zip(ours.state_dict().values(), theirs.state_dict().values()):
        close(ours_value, their_value, 1e-6)
    assert (flambeau.get_rng_state().numpy() == torch.get_rng_state().numpy()).all()


def test_results_and_gradients(case: ModuleCase) -> None:
    if case.inputs == (None,):
        pytest.skip("a container that is not called")
    ours, our_inputs, our_result = called(flambeau, case)
    theirs, their_inputs, their_result = called(torch, case)
    close(our_result, their_result, case.tolerance)
    if not their_result.requires_grad:
        assert not our_result.requires_grad
        return
    weights = np.cos(np.arange(their_result.numel())).astype(np.float32)
    weights = weights.reshape(tuple(their_result.shape))
    our_result.backward(flambeau.from_numpy(weights))
    their_result.backward(torch.from_numpy(weights))
    for our_input, their_input in zip(our_inputs, their_inputs):
        if their_input.grad is not None:
            close(our_input.grad, their_input.grad, case.tolerance)
    for (name, our_parameter), (_, their_parameter) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert (our_parameter.grad is None) == (their_parameter.grad is None), name
        if their_parameter.grad is not None:
            close(our_parameter.grad, their_parameter.grad, case.tolerance)
    for (_, our_buffer), (_, their_buffer) in zip(ours.named_buffers(), theirs.named_buffers()):
        close(our_buffer, their_buffer, case.tolerance)
    assert (flambeau.get_rng_state().numpy() == torch.get_rng_state().numpy()).all()


def test_state_goes_both_ways(case: ModuleCase) -> None:
    ours, theirs = built(flambeau, case), built(torch, case)
    if case.name.startswith(LAZY):
        return
    state = {
        name: flambeau.from_numpy(value.numpy()) for name, value in theirs.state_dict().items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(ours.load_state_dict(state)) == "<All keys matched successfully>"
    state = {name: torch.from_numpy(value.numpy()) for name, value in ours.state_dict().items()}
    assert repr(theirs.load_state_dict(state)) == "<All keys matched successfully>"
