"""Names with an underscore, and modules behind the public ones, that programs take from PyTorch."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import flambeau as torch

NAMES = """
distributions.multivariate_normal _batch_mahalanobis _batch_mv _precision_to_scale_tril
distributions.transforms _InverseTransform
distributions.utils _standard_normal
nn _reduction grad
nn.common_types _size_1_t _size_2_t _size_3_t _size_any_t _ratio_any_t
nn.functional _in_projection _in_projection_packed _Reduction
nn.init _no_grad_fill_ _no_grad_normal_ _no_grad_trunc_normal_ _no_grad_uniform_ _no_grad_zero_
nn.modules.conv _ConvNd _ConvTransposeNd
nn.modules.module _addindent
nn.modules.transformer _detect_is_causal_mask _generate_square_subsequent_mask _get_seq_len
nn.modules.transformer _get_activation_fn _get_clones
onnx is_in_onnx_export
optim.optimizer ParamsT _use_grad_for_differentiable required
serialization default_restore_location
utils.checkpoint get_device_states set_device_states
"""


@pytest.mark.parametrize("line", NAMES.strip().splitlines())
def test_programs_find_them(line: str) -> None:
    module, *names = line.split()
    found = importlib.import_module(f"flambeau.{module}")
    assert [name for name in names if not hasattr(found, name)] == []


def test_assert_raises_its_message() -> None:
    torch._assert(True, "not this")
    with pytest.raises(AssertionError, match="sizes differ"):
        torch._assert(False, "sizes differ")


def test_reductions_have_numbers() -> None:
    reduction = torch.nn.functional._Reduction
    assert [reduction.get_enum(word) for word in ("none", "mean", "sum")] == [0, 1, 2]
    with pytest.raises(ValueError, match="max is not a valid value for reduction"):
        reduction.get_enum("max")
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert reduction.legacy_get_enum(False, None) == 2
    assert reduction.legacy_get_string(None, False, emit_warning=False) == "none"


def test_projections_of_attention_agree() -> None:
    F = torch.nn.functional
    x, y = torch.randn(5, 2, 4), torch.randn(3, 2, 4)
    weight, bias = torch.randn(12, 4), torch.randn(12)
    for q, k, v in ((x, x, x), (x, y, y), (x, y, y + 1)):
        packed = F._in_projection_packed(q, k, v, weight, bias)
        apart = F._in_projection(q, k, v, *weight.chunk(3), *bias.chunk(3))
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(packed, apart))


def test_mahalanobis_lengths_of_a_standard_normal_are_euclidean() -> None:
    from flambeau.distributions.multivariate_normal import _batch_mahalanobis

    vectors = torch.randn(4, 3, 2)
    found = _batch_mahalanobis(torch.eye(2).expand(3, 2, 2), vectors)
    assert torch.allclose(found, vectors.square().sum(-1))


def test_a_step_records_gradients_if_the_optimizer_is_differentiable() -> None:
    from flambeau.optim.optimizer import _use_grad_for_differentiable

    class Recording(torch.optim.Optimizer):
        @_use_grad_for_differentiable
        def step(self, closure: Any = None) -> bool:
            return torch.is_grad_enabled()

    for differentiable in (False, True):
        optimizer = Recording([torch.ones(1)], {"differentiable": differentiable})
        assert optimizer.step() is differentiable


def test_states_of_other_devices_are_none() -> None:
    from flambeau.utils.checkpoint import get_device_states, set_device_states

    devices, states = get_device_states(torch.ones(2))
    assert (devices, states) == ([], [])
    set_device_states(devices, states)
    with pytest.raises(RuntimeError, match="only the CPU"):
        set_device_states([0], [torch.ones(2)])


def test_storages_can_be_put_by_hand(tmp_path: Any) -> None:
    from flambeau.serialization import default_restore_location

    torch.save(torch.arange(3), tmp_path / "x.pt")
    found = torch.load(
        tmp_path / "x.pt", map_location=lambda s, _: default_restore_location(s, "cpu")
    )
    assert found.tolist() == [0, 1, 2]


def test_either_sharing_strategy_can_be_chosen() -> None:
    from flambeau import multiprocessing

    assert multiprocessing.get_all_sharing_strategies() == {"file_descriptor", "file_system"}
    multiprocessing.set_sharing_strategy("file_system")
    try:
        assert multiprocessing.get_sharing_strategy() == "file_system"
        with pytest.raises(ValueError, match="no sharing strategy 'net'"):
            multiprocessing.set_sharing_strategy("net")
    finally:
        multiprocessing.set_sharing_strategy("file_descriptor")


def test_networks_see_that_they_are_exported() -> None:
    pytest.importorskip("onnx")
    seen = []

    class Net(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            seen.append(torch.onnx.is_in_onnx_export())
            return x + 1

    torch.onnx.export(Net(), torch.ones(2))
    assert seen and all(seen)
    assert not torch.onnx.is_in_onnx_export()
