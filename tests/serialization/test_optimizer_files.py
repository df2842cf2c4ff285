"""Optimizer state, whose tensors here lie in common blocks of memory, is what PyTorch loads."""

from __future__ import annotations

import io

import numpy as np
import pytest

import flambeau as torch

OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.01},
    "AdamW": {"lr": 0.01, "amsgrad": True},
    "Adagrad": {"lr": 0.01},
    "RMSprop": {"lr": 0.01, "momentum": 0.5},
    "Adadelta": {},
    "NAdam": {},
    "RAdam": {},
}


def trained(torch, name, steps, model=None, optimizer=None):
    """A small network after some steps."""
    if model is None:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        optimizer = getattr(torch.optim, name)(model.parameters(), **OPTIMIZERS[name])
    inputs = torch.linspace(-1, 1, 15).reshape(5, 3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(inputs).square().sum().backward()
        optimizer.step()
    return model, optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_checkpoint_is_continued_in_pytorch_and_handed_back(name):
    real = pytest.importorskip("torch")
    model, optimizer = trained(torch, name, 3)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)

    file.seek(0)
    theirs = real.load(file, weights_only=True)
    other, continued = trained(real, name, 0)
    other.load_state_dict(theirs["model"])
    continued.load_state_dict(theirs["optimizer"])
    trained(real, name, 3, other, continued)
    back = io.BytesIO()
    real.save({"model": other.state_dict(), "optimizer": continued.state_dict()}, back)

    back.seek(0)
    returned = torch.load(back)
    model.load_state_dict(returned["model"])
    optimizer.load_state_dict(returned["optimizer"])
    trained(torch, name, 3, model, optimizer)

    straight, _ = trained(torch, name, 9)
    for one, two in zip(model.parameters(), straight.parameters(), strict=True):
        np.testing.assert_allclose(one.detach().numpy(), two.detach().numpy(), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_file_holds_each_byte_of_state_once(name):
    model, optimizer = trained(torch, name, 2)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    state = [
        value
        for entry in optimizer.state_dict()["state"].values()
        for value in entry.values()
        if isinstance(value, torch.Tensor)
    ]
    held = sum(value.numel() * value.element_size() for value in state)
    # Each record has a header and padding; nothing is there twice.
    assert len(file.getvalue()) < held + 400 * (len(state) + 8) + 2000
    del model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loading_gives_state_of_its_own(name):
    _, optimizer = trained(torch, name, 2)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    before = {
        (index, key): value.clone()
        for index, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
        if isinstance(value, torch.Tensor)
    }
    file.seek(0)
    loaded = torch.load(file)
    for entry in loaded["state"].values():
        for value in entry.values():
            if isinstance(value, torch.Tensor):
                value.add_(1)
    for (index, key), value in before.items():
        assert torch.equal(optimizer.state_dict()["state"][index][key], value)
        assert torch.equal(loaded["state"][index][key], value + 1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pytorchs_checkpoint_is_continued_here_and_then_there_to_the_same_losses(name):
    real = pytest.importorskip("torch")

    def losses_of(library, model, optimizer, steps):
        inputs = library.linspace(-1, 1, 15).reshape(5, 3)
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = model(inputs).square().sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def handed(giver, model, optimizer, taker):
        """The model and optimizer in the other library, through a file."""
        file = io.BytesIO()
        giver.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        state = taker.load(file, weights_only=True)
        other, continued = trained(taker, name, 0)
        other.load_state_dict(state["model"])
        continued.load_state_dict(state["optimizer"])
        return other, continued

    straight = losses_of(real, *trained(real, name, 0), 12)
    begun = trained(real, name, 0)
    found = losses_of(real, *begun, 4)
    here = handed(real, *begun, torch)
    found += losses_of(torch, *here, 4)
    there = handed(torch, *here, real)
    found += losses_of(real, *there, 4)
    np.testing.assert_allclose(found, straight, rtol=2e-5)
