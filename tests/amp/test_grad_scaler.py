"""``GradScaler``: scaling, skipping steps, growth, state, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau as torch
from flambeau import nn


def setting(library: Any = torch) -> tuple[Any, Any, Any]:
    weight = library.nn.Parameter(library.ones(2))
    optimizer = library.optim.SGD([weight], lr=0.1)
    scaler = library.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
    return weight, optimizer, scaler


def test_a_scaled_step_is_the_plain_step() -> None:
    weight, optimizer, scaler = setting()
    scaler.scale((weight * weight).sum()).backward()
    assert weight.grad.tolist() == [8, 8]
    scaler.unscale_(optimizer)
    assert weight.grad.tolist() == [2, 2]
    scaler.step(optimizer)
    assert torch.allclose(weight, torch.full((2,), 0.8))
    scaler.update()
    assert scaler.get_scale() == 4.0


def test_a_step_with_infinite_gradients_is_left_out_and_the_scale_shrinks() -> None:
    weight, optimizer, scaler = setting()
    scaler.scale((weight / 0).sum()).backward()
    assert scaler.step(optimizer) is None
    assert weight.tolist() == [1, 1]
    scaler.update()
    assert scaler.get_scale() == 2.0


def test_the_scale_grows_after_finite_steps() -> None:
    weight, optimizer, scaler = setting()
    scales = []
    for _ in range(5):
        optimizer.zero_grad()
        scaler.scale(weight.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [4, 8, 8, 16, 16]
    scaler.update(3.0)
    assert scaler.get_scale() == 3.0


def test_several_tensors_are_scaled() -> None:
    _, _, scaler = setting()
    found = scaler.scale([torch.ones(1), (torch.ones(2),)])
    assert found[0].item() == 4 and found[1][0].tolist() == [4, 4]


def test_state_goes_over() -> None:
    weight, optimizer, scaler = setting()
    scaler.scale(weight.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    state = scaler.state_dict()
    assert state == {
        "scale": 4.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2,
        "_growth_tracker": 1,
    }  # fmt: skip
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(state)
    assert other.state_dict() == state
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        other.load_state_dict({})


def test_misuse_is_refused() -> None:
    weight, optimizer, scaler = setting()
    with pytest.raises(AssertionError, match="_scale is None"):
        scaler.unscale_(optimizer)
    scaler.scale(weight.sum()).backward()
    with pytest.raises(AssertionError, match="No inf checks were recorded"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) is being called after step"):
        scaler.unscale_(optimizer)
    half = nn.Parameter(torch.ones(2, dtype=torch.float16))
    half.grad = torch.ones(2, dtype=torch.float16)
    scaler.update()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.unscale_(torch.optim.SGD([half], lr=0.1))


def test_without_its_device_a_scaler_is_disabled() -> None:
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = torch.amp.GradScaler()
    weight, optimizer, _ = setting()
    loss = weight.sum()
    assert scaler.scale(loss) is loss and not scaler.is_enabled()
    assert scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert torch.allclose(weight, torch.full((2,), 0.9))


def test_a_training_run_is_pytorchs() -> None:
    pytorch = pytest.importorskip("torch")
    runs = []
    for library in (pytorch, torch):
        weight, optimizer, scaler = setting(library)
        history = []
        for step in range(8):
            optimizer.zero_grad()
            factor = float("inf") if step in (2, 5) else 1.0
            scaler.scale((weight * weight).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            history += [scaler.get_scale(), *weight.tolist()]
        runs.append(history)
    assert runs[0] == pytest.approx(runs[1])
