"""Every optimizer takes PyTorch's steps."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import flambeau

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"betas": (0.5, 0.999)}),
    ("Adam", {"betas": (0.0, 0.99), "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "eps": 1e-3}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "alpha": 0.4, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"betas": (0.9, 0.5), "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("ASGD", {}),
    ("ASGD", {"t0": 5, "weight_decay": 0.1, "lambd": 0.1}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.05), "maximize": True}),
]
IDS = [f"{name}-{'-'.join(map(str, options)) or 'default'}" for name, options in CASES]
SHAPES = [(4, 16), (16,), (3, 16), (), (300, 200), (0, 3)]

# The sum and the sum of squares of all parameters after `train(torch, *case)` in PyTorch 2.13.
RECORDED: dict[str, tuple[float, float]] = {
    "SGD-default": (-145.79323485376733, 59773.52759349),
    "SGD-momentum": (-158.44067528808066, 59874.449708846136),
    "SGD-momentum-dampening-weight_decay": (-157.2273988768731, 59625.66243627586),
    "SGD-momentum-nesterov-maximize": (-130.10150839404827, 59880.04972837471),
    "Adam-default": (-147.5348298718078, 59776.57688250618),
    "Adam-weight_decay-amsgrad": (-147.15955613199165, 59433.67766633976),
    "Adam-betas": (-146.1262708341035, 59774.13824547765),
    "Adam-betas-maximize": (-142.8418182988532, 59775.18025279336),
    "AdamW-default": (-147.49089865056516, 59740.72225755188),
    "AdamW-amsgrad-eps": (-147.4975150029456, 59740.72421444013),
    "Adagrad-default": (-153.32836814855926, 59802.98537823778),
    "Adagrad-lr_decay-weight_decay-initial_accumulator_value": (
        -150.410494420711,
        59223.92735180825,
    ),
    "RMSprop-default": (-234.81111675238026, 62295.44383901515),
    "RMSprop-momentum-weight_decay": (-682.1581254786936, 118097.62008065704),
    "RMSprop-centered-momentum-alpha-maximize": (98.61059611308497, 103608.99832303164),
    "Adadelta-default": (-147.80589612220928, 59791.18981765442),
    "Adadelta-weight_decay-maximize": (-139.79623214106033, 58743.3572215537),
    "Adamax-default": (-148.05767006424867, 59779.061955762474),
    "Adamax-weight_decay-maximize": (-140.18404272156454, 59409.61872260497),
    "NAdam-default": (-147.78639027084404, 59778.114562848044),
    "NAdam-weight_decay-decoupled_weight_decay": (-146.9076574408221, 59065.02112668399),
    "RAdam-default": (-145.85432822068822, 59774.57786801545),
    "RAdam-betas-decoupled_weight_decay-weight_decay": (-147.02553732875327, 59419.13698262513),
    "ASGD-default": (-159.16133910856018, 59938.8772931256),
    "ASGD-t0-weight_decay-lambd": (-150.04956160280233, 53232.248393543705),
    "Rprop-default": (-159.61755223494137, 59934.178008290284),
    "Rprop-etas-step_sizes-maximize": (-121.75552896602574, 60123.4019623622),
}


def train(lib: Any, name: str, options: dict[str, Any], dtype: str = "float64") -> Any:
    """Thirty steps along fixed gradients; at two of them the vectors have none."""
    rng = np.random.RandomState(0)
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    params = [lib.from_numpy(array).requires_grad_() for array in arrays]
    optimizer = getattr(lib.optim, name)(params, **options)
    for step in range(30):
        for param in params:
            if step in (7, 8) and param.dim() == 1:
                param.grad = None
            else:
                grad = np.asarray(rng.standard_normal(tuple(param.shape)), dtype)
                param.grad = lib.from_numpy(grad)
        optimizer.step()
    return optimizer, arrays


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_steps_as_recorded(name, options, request):
    _, arrays = train(flambeau, name, options)
    flat = np.concatenate([array.reshape(-1) for array in arrays])
    # NAdam: PyTorch keeps the product of its momenta in single precision.
    tolerance = 1e-9 if name == "NAdam" else 1e-12
    assert (flat.sum(), (flat**2).sum()) == pytest.approx(
        RECORDED[request.node.callspec.id], rel=tolerance, abs=1e-9
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_steps_and_state_are_those_of_pytorch(name, options, dtype):
    torch = pytest.importorskip("torch")
    theirs, their_arrays = train(torch, name, options, dtype)
    ours, our_arrays = train(flambeau, name, options, dtype)
    # Centered RMSprop divides by differences; NAdam's momenta are single precision in PyTorch.
    tolerance = 1e-6 if dtype == "float32" else 1e-9
    tolerance *= 1000 if options.get("centered") or name == "NAdam" else 1
    close = {"rtol": tolerance, "atol": tolerance}
    for expected, array in zip(their_arrays, our_arrays, strict=True):
        np.testing.assert_allclose(array, expected, **close)
    expected_state = theirs.state_dict()["state"]
    state = ours.state_dict()["state"]
    assert list(state) == list(expected_state)
    for index, entry in expected_state.items():
        assert list(state[index]) == list(entry)
        for key, expected in entry.items():
            value = state[index][key]
            assert str(value.dtype) == str(expected.dtype)
            assert tuple(value.shape) == tuple(expected.shape)
            largest = expected.abs().max().item() if expected.numel() else 0.0
            np.testing.assert_allclose(
                value.numpy(), expected.numpy(), rtol=0, atol=close["rtol"] * largest
            )


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_rule_in_tensor_operations_agrees_with_the_numpy_program(name, options):
    def run(differentiable: bool) -> list[np.ndarray]:
        rng = np.random.RandomState(1)
        params = [
            flambeau.from_numpy(rng.standard_normal(shape)).requires_grad_()
            for shape in [(5, 7), (7,)]
        ]
        targets = [param.clone() for param in params] if differentiable else params
        optimizer = getattr(flambeau.optim, name)(targets, **options, differentiable=differentiable)
        for _ in range(8):
            for target in targets:
                target.grad = flambeau.from_numpy(rng.standard_normal(tuple(target.shape)))
            optimizer.step()
        return [target.detach().numpy() for target in targets]

    for expected, value in zip(run(True), run(False), strict=True):
        # The step count and what follows from it are single precision tensors there.
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_parameters(name, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    values = np.linspace(-1, 1, 50, dtype=np.float32)
    single = flambeau.from_numpy(values.copy()).requires_grad_()
    half = single.detach().to(getattr(flambeau, dtype)).requires_grad_()
    for param in (single, half):
        optimizer = getattr(flambeau.optim, name)([param], lr=0.1)
        for _ in range(3):
            param.grad = param.detach() * 2
            optimizer.step()
    assert half.dtype is getattr(flambeau, dtype)
    np.testing.assert_allclose(half.detach().float().numpy(), single.detach().numpy(), atol=0.05)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "RMSprop"])
def test_complex_parameters_move_as_pairs_of_real_ones(name):
    rng = np.random.RandomState(0)
    pairs = rng.standard_normal((6, 2)).astype(np.float32)
    grad = rng.standard_normal((6, 2)).astype(np.float32)
    as_pairs = flambeau.from_numpy(pairs.copy()).requires_grad_()
    as_complex = flambeau.from_numpy(pairs.copy().view(np.complex64)[:, 0]).requires_grad_()
    for param, gradient in ((as_pairs, grad), (as_complex, grad.view(np.complex64)[:, 0])):
        optimizer = getattr(flambeau.optim, name)([param], lr=0.1)
        for _ in range(4):
            param.grad = flambeau.from_numpy(gradient.copy())
            optimizer.step()
    moved = as_complex.detach().numpy().view(np.float32).reshape(6, 2)
    np.testing.assert_allclose(moved, as_pairs.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("layout", ["transposed", "strided"])
def test_any_strides_of_parameters_and_gradients(layout):
    rng = np.random.RandomState(0)
    base = rng.standard_normal((40, 60))
    grad = rng.standard_normal((30, 40))
    if layout == "transposed":
        array = base[:, :30].copy().T
    else:
        array = base[:, ::2].T
    plain = flambeau.from_numpy(array.copy(order="C")).requires_grad_()
    other = flambeau.from_numpy(array).requires_grad_()
    for param, gradient in ((plain, grad), (other, np.asfortranarray(grad))):
        optimizer = flambeau.optim.Adam([param], lr=0.1)
        for _ in range(3):
            param.grad = flambeau.from_numpy(gradient)
            optimizer.step()
    np.testing.assert_allclose(other.detach().numpy(), plain.detach().numpy(), rtol=1e-12)
    np.testing.assert_array_equal(array, other.detach().numpy())  # written in place


def test_changed_options_count_from_the_next_step():
    def run(lib: Any) -> Any:
        param = lib.from_numpy(np.ones((3,))).requires_grad_()
        optimizer = lib.optim.SGD([param], lr=0.1, momentum=0.9)
        for step in range(6):
            optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
            if step == 3:
                optimizer.param_groups[0]["momentum"] = 0.5
                optimizer.param_groups[0]["weight_decay"] = 0.1
            param.grad = lib.ones(3, dtype=lib.float64) * (step + 1)
            optimizer.step()
        return param.detach().numpy()

    value, expected = 1.0, 0.0
    velocity = None
    for step in range(6):
        grad = (step + 1) + (0.1 * value if step >= 3 else 0)
        velocity = grad if velocity is None else (0.5 if step >= 3 else 0.9) * velocity + grad
        value -= 0.1 / (step + 1) * velocity
    expected = value
    np.testing.assert_allclose(run(flambeau), expected, rtol=1e-12)


def test_a_tensor_learning_rate_is_read_at_every_step():
    lr = flambeau.tensor(0.5)
    param = flambeau.zeros(2, requires_grad=True)
    optimizer = flambeau.optim.SGD([param], lr=lr)
    for _ in range(2):
        param.grad = flambeau.ones(2)
        optimizer.step()
        lr.mul_(0.5)
    assert param.tolist() == [-0.75, -0.75]


def test_gradients_with_respect_to_the_learning_rate():
    lr = flambeau.tensor(0.1, requires_grad=True)
    start = flambeau.tensor([1.0, 2.0], requires_grad=True)
    param = start.clone()
    optimizer = flambeau.optim.SGD([param], lr=lr, momentum=0.5, differentiable=True)
    param.grad = flambeau.tensor([0.5, 0.25])
    optimizer.step()
    (param * param).sum().backward()
    # d/dlr (p - lr g)^2 = -2 (p - lr g) g
    expected = -2 * ((1 - 0.05) * 0.5 + (2 - 0.025) * 0.25)
    assert lr.grad.item() == pytest.approx(expected, rel=1e-6)


def test_replaced_data_and_state_are_noticed():
    param = flambeau.ones(3, requires_grad=True)
    other = flambeau.ones(2, requires_grad=True)
    optimizer = flambeau.optim.Adam([param, other], lr=0.1)

    def step() -> None:
        for p in (param, other):
            p.grad = flambeau.ones_like(p)
        optimizer.step()

    step()
    param.data = flambeau.full((3,), 5.0)
    step()
    assert param.tolist() == pytest.approx([4.9] * 3, rel=1e-6)
    optimizer.state[param]["exp_avg"] = flambeau.zeros(3)
    before = param.tolist()[0]
    step()
    # The average is 0.1 rather than 0.271 now, over the same bias correction.
    assert before - param.tolist()[0] == pytest.approx(0.1 * 0.1 / 0.271, rel=1e-4)
    optimizer.state.clear()
    step()
    assert optimizer.state[param]["step"].item() == 1


def test_the_update_is_in_place_and_seen_by_autograd():
    array = np.ones(3, np.float32)
    param = flambeau.from_numpy(array).requires_grad_()
    loss = (param * param).sum()
    param.grad = flambeau.ones(3)
    flambeau.optim.SGD([param], lr=0.5).step()
    assert array.tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_closure_runs_with_gradients_and_gives_the_loss():
    param = flambeau.tensor([3.0], requires_grad=True)
    optimizer = flambeau.optim.SGD([param], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (param * param).sum()
        loss.backward()
        return loss

    with flambeau.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 9.0
    assert param.item() == pytest.approx(2.4)


def test_small_and_large_parameters_in_one_step_match_separate_optimizers():
    def make() -> list[Any]:
        rng = np.random.RandomState(3)
        return [
            flambeau.from_numpy(rng.standard_normal(shape)).requires_grad_()
            for shape in [(3,), (2, 2), (70000,), (5,)]
        ]

    together, apart = make(), make()
    joint = flambeau.optim.AdamW(together, lr=0.01)
    separate = [flambeau.optim.AdamW([param], lr=0.01) for param in apart]
    rng = np.random.RandomState(4)
    for _ in range(4):
        for a, b in zip(together, apart, strict=True):
            a.grad = flambeau.from_numpy(rng.standard_normal(tuple(a.shape)))
            b.grad = a.grad.clone()
        joint.step()
        for optimizer in separate:
            optimizer.step()
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_a_copy_of_an_optimizer_shares_nothing():
    param = flambeau.ones(2, requires_grad=True)
    optimizer = flambeau.optim.Adam([param, flambeau.ones(3, requires_grad=True)], lr=0.1)
    for p in optimizer.param_groups[0]["params"]:
        p.grad = flambeau.ones_like(p)
    optimizer.step()
    clone = copy.deepcopy(optimizer)
    clone.step()
    assert param.tolist() == pytest.approx([0.9, 0.9])
    assert optimizer.state[param]["step"].item() == 1
    assert math.isclose(clone.param_groups[0]["params"][0].tolist()[0], 0.8, rel_tol=1e-5)
