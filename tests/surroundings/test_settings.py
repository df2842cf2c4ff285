"""Settings that programs make are kept, and wrong ones are refused in PyTorch's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import flambeau as torch


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    torch.set_default_dtype(torch.float32)


def test_determinism_is_read_back() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.get_deterministic_debug_mode() == 1
    torch.set_deterministic_debug_mode("error")
    assert torch.get_deterministic_debug_mode() == 2


def test_wrong_settings_of_determinism_are_refused() -> None:
    with pytest.raises(TypeError, match="must be bool, not int"):
        torch.use_deterministic_algorithms(1)
    with pytest.raises(RuntimeError, match="expected 0, 1, or 2, but got 5"):
        torch.set_deterministic_debug_mode(5)
    with pytest.raises(RuntimeError, match="`default`, `warn`, `error`, but got x"):
        torch.set_deterministic_debug_mode("x")


def test_precision_of_products_is_read_back_and_a_wrong_one_warned_of() -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    torch.set_float32_matmul_precision("high")
    with pytest.warns(UserWarning, match="x is not one of"):
        torch.set_float32_matmul_precision("x")
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.parametrize("kind", ["torch.DoubleTensor", torch.DoubleTensor])
def test_a_tensor_type_sets_the_default_dtype(kind: object) -> None:
    torch.set_default_tensor_type(kind)
    assert torch.zeros(1).dtype is torch.float64


def test_only_floating_types_can_be_the_default() -> None:
    for kind in (torch.LongTensor, "LongTensor", "torch.cuda.FloatTensor"):
        with pytest.raises(TypeError):
            torch.set_default_tensor_type(kind)


def test_cudnn_s_switches_hold_within_their_context() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark
    with cudnn.flags(enabled=False, benchmark=True):
        assert not cudnn.enabled and cudnn.benchmark
    assert (cudnn.enabled, cudnn.benchmark) == before


def test_kernels_of_attention_are_switched_within_their_context() -> None:
    from flambeau.nn.attention import SDPBackend, sdpa_kernel

    cuda = torch.backends.cuda
    with sdpa_kernel(SDPBackend.MATH):
        assert cuda.math_sdp_enabled() and not cuda.flash_sdp_enabled()
    assert cuda.flash_sdp_enabled()
    with pytest.raises(AssertionError, match="SDPBackend"), sdpa_kernel("math"):
        pass
