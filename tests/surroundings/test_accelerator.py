"""Programs that look for a device find the CPU."""

from __future__ import annotations

import pytest

import flambeau
from flambeau import accelerator, cuda, mps, xpu


def test_no_accelerator_is_available() -> None:
    assert not accelerator.is_available()
    assert accelerator.current_accelerator() is None
    assert [accelerator.device_count(), cuda.device_count(), xpu.device_count()] == [0, 0, 0]
    assert not any(device.is_available() for device in (cuda, mps, xpu))


@pytest.mark.parametrize("name", ["synchronize", "current_device_index", "memory_allocated"])
def test_questions_to_an_absent_accelerator_are_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="Cannot access accelerator device when none"):
        getattr(accelerator, name)()


def test_a_context_for_no_device_changes_nothing() -> None:
    with accelerator.device_index(None), cuda.device(None), cuda.stream(None):
        pass
    with pytest.raises(RuntimeError), accelerator.device_index(0):
        pass
    with pytest.raises(AssertionError, match="not compiled with CUDA"):
        cuda.device(0)


def test_states_of_cuda_generators_are_none() -> None:
    assert cuda.get_rng_state_all() == []
    cuda.set_rng_state_all([])
    cuda.manual_seed_all(1)


def test_out_of_memory_can_be_caught_by_both_its_names() -> None:
    assert flambeau.OutOfMemoryError is cuda.OutOfMemoryError
    assert issubclass(flambeau.OutOfMemoryError, RuntimeError)


def test_streams_and_events_need_cuda() -> None:
    for kind in (cuda.Stream, cuda.Event):
        with pytest.raises(RuntimeError, match=f"torch.cuda.{kind.__name__} requires CUDA"):
            kind()
