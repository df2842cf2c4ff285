"""Compiled functions do what the functions do: values, state, gradients, and falling back."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import flambeau as torch


def problem(dtype=torch.float32):
    """Parameters of a small network and a batch for it."""
    torch.manual_seed(0)
    shapes = [(4, 16), (16,), (16, 3), (3,)]
    parameters = [torch.randn(*s, dtype=dtype) for s in shapes]
    for p in parameters:
        p.requires_grad_()
    return parameters, torch.randn(20, 4, dtype=dtype), torch.randint(0, 3, (20,))


def network_loss(parameters, x, y):
    w, b, v, c = parameters
    scores = (x @ w + b).tanh() @ v + c
    log_sum = scores.exp().sum(1).log()
    return (log_sum - scores.gather(1, y.unsqueeze(1)).squeeze(1)).mean()


def make_step(optimizer, item=True, dtype=torch.float32, **options):
    parameters, x, y = problem(dtype)
    opt = getattr(torch.optim, optimizer)(parameters, **options)

    def step(x, y):
        opt.zero_grad()
        loss = network_loss(parameters, x, y)
        loss.backward()
        opt.step()
        return loss.item() if item else loss

    return step, parameters, opt, x, y


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
    ("Adam", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5}),
    ("Adagrad", {"lr": 0.1}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_a_compiled_step_trains_as_the_eager_one_for_100_steps(name, options):
    eager, _, _, x, y = make_step(name, **options)
    compiled = torch.compile(make_step(name, **options)[0])
    for _ in range(100):
        np.testing.assert_allclose(compiled(x, y), eager(x, y), rtol=1e-4)
    assert "eager" not in compiled.explain()


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_a_compiled_step_leaves_the_state_that_the_eager_one_leaves(name, options):
    options = {**options, "dtype": torch.float64}
    eager, parameters, opt, x, y = make_step(name, **options)
    plain, compiled_parameters, compiled_opt, _, _ = make_step(name, **options)
    compiled = torch.compile(plain)
    for _ in range(30):
        np.testing.assert_allclose(compiled(x, y), eager(x, y), rtol=1e-10)
    for p, q in zip(parameters, compiled_parameters):
        np.testing.assert_allclose(q.detach(), p.detach(), rtol=1e-8)
        np.testing.assert_allclose(q.grad, p.grad, rtol=1e-8, atol=1e-12)
        for key, value in opt.state[p].items():
            np.testing.assert_allclose(compiled_opt.state[q][key], value, rtol=1e-8, atol=1e-12)


def test_a_tensor_result_is_not_overwritten_by_the_next_call():
    step, _, _, x, y = make_step("SGD", item=False, lr=0.1)
    compiled = torch.compile(step)
    losses = [compiled(x, y) for _ in range(8)]
    values = [loss.item() for loss in losses]
    assert len(set(values)) == 8
    assert values == sorted(values, reverse=True)


def test_gradients_of_an_earlier_step_are_not_overwritten():
    step, parameters, _, x, y = make_step("SGD", lr=0.1)
    compiled = torch.compile(step)
    for _ in range(5):
        compiled(x, y)
    kept = parameters[0].grad
    before = kept.clone()
    compiled(x, y)
    assert torch.equal(kept, before)
    assert not torch.equal(parameters[0].grad, before)


def test_the_learning_rate_is_read_at_each_call():
    step, parameters, opt, x, y = make_step("SGD", lr=0.1)
    compiled = torch.compile(step)
    for _ in range(4):
        compiled(x, y)
    opt.param_groups[0]["lr"] = 0.0
    before = parameters[0].detach().clone()
    compiled(x, y)
    assert torch.equal(parameters[0].detach(), before)
    assert compiled.explain().count("operations") == 1


@pytest.mark.parametrize(
    "function",
    [
        torch.tanh,
        torch.softmax,
        torch.nn.functional.gelu,
        torch.nn.functional.cross_entropy,
        torch.add,
    ],
    ids=lambda f: f.__name__,
)
def test_a_function_of_the_framework_itself(function):
    arguments = {
        "softmax": (torch.randn(20, 30), 1),
        "cross_entropy": (torch.randn(20, 5), torch.arange(20) % 5),
        "add": (torch.randn(3, 4), torch.randn(4)),
    }.get(function.__name__, (torch.randn(300, 40),))
    compiled = torch.compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(6):
            torch.testing.assert_close(compiled(*arguments), function(*arguments))
    assert compiled.runners()


def test_other_shapes_make_another_program():
    eager, *_ = make_step("SGD", lr=0.1)
    plain, _, _, x, y = make_step("SGD", lr=0.1)
    compiled = torch.compile(plain)
    for i in range(12):
        n = 20 if i % 2 else 7
        np.testing.assert_allclose(compiled(x[:n], y[:n]), eager(x[:n], y[:n]), rtol=1e-4)
    assert compiled.explain().count("operations") == 2


def test_gradients_accumulate_when_nobody_clears_them():
    parameters, x, y = problem()

    @torch.compile
    def step(x, y):
        loss = network_loss(parameters, x, y)
        loss.backward()
        return loss

    for _ in range(6):
        step(x, y)
    total = parameters[0].grad.clone()
    parameters[0].grad = None
    network_loss(parameters, x, y).backward()
    np.testing.assert_allclose(total, 6 * parameters[0].grad, rtol=1e-4)


def test_a_step_by_hand_through_data():
    def run(compiled):
        parameters, x, y = problem()

        def step(x, y):
            loss = network_loss(parameters, x, y)
            loss.backward()
            for p in parameters:
                p.data.sub_(p.grad.data * 0.1)
                p.grad = None
            return loss.item()

        if compiled:
            step = torch.compile(step)
        return [step(x, y) for _ in range(10)]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-5)


def test_a_step_by_hand_under_no_grad():
    def run(compiled):
        parameters, x, y = problem()

        def step(x, y):
            loss = network_loss(parameters, x, y)
            loss.backward()
            with torch.no_grad():
                for p in parameters:
                    p -= 0.1 * p.grad
                    p.grad.zero_()
            return loss.item()

        if compiled:
            step = torch.compile(step)
        return [step(x, y) for _ in range(10)]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-5)


def test_a_result_that_requires_grad_can_be_differentiated():
    parameters, x, y = problem()
    loss_of = torch.compile(lambda x, y: network_loss(parameters, x, y))
    for _ in range(5):
        for p in parameters:
            p.grad = None
        loss = loss_of(x, y)
        loss.backward()
    got = [p.grad.clone() for p in parameters]
    for p in parameters:
        p.grad = None
    network_loss(parameters, x, y).backward()
    for p, grad in zip(parameters, got):
        np.testing.assert_allclose(grad, p.grad, rtol=1e-4, atol=1e-6)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_arguments_get_gradients_too():
    def function(a, b):
        return (a * b).sin(), a.sum()

    compiled = torch.compile(function)
    a = torch.randn(5, requires_grad=True)
    b = torch.randn(5)
    for _ in range(5):
        u, v = compiled(a, b)
    (grad,) = torch.autograd.grad([u.sum(), v], [a])
    np.testing.assert_allclose(grad, (a * b).cos().detach() * b + 1, rtol=1e-5)


def test_random_numbers_come_from_the_same_stream():
    def noisy(x):
        return x + torch.randn(x.shape) * torch.rand(3)

    compiled = torch.compile(noisy)
    x = torch.zeros(4, 3)
    torch.manual_seed(3)
    expected = [noisy(x) for _ in range(6)]
    state = torch.get_rng_state()
    torch.manual_seed(3)
    got = [compiled(x) for _ in range(6)]
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert torch.equal(torch.get_rng_state(), state)


def test_branching_on_a_value_runs_eagerly_with_one_warning_that_names_the_line():
    def function(x):
        if x.sum() > 0:
            return x + 1
        return x - 1

    compiled = torch.compile(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in (1.0, 1.0, -1.0, 1.0, -1.0):
            x = torch.full((3,), value)
            assert torch.equal(compiled(x), function(x))
    (warning,) = [w for w in caught if "flambeau.compile" in str(w.message)]
    assert "x.sum() > 0" in str(warning.message)


def test_fullgraph_raises_where_capture_fails():
    compiled = torch.compile(lambda x: x + 1 if x.sum() > 0 else x, fullgraph=True)
    x = torch.ones(3)
    compiled(x)
    with pytest.raises(RuntimeError, match="captured"):
        compiled(x)


def test_a_function_that_keeps_python_state_runs_eagerly():
    history = []

    def function(x):
        y = x * 2
        history.append(y)
        return y.sum()

    compiled = torch.compile(function)
    with pytest.warns(UserWarning, match="history"):
        for i in range(6):
            compiled(torch.full((2,), float(i)))
    assert [h[0].item() for h in history] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_a_changed_global_number_is_seen():
    scale = 2.0

    def function(x):
        return x * scale

    compiled = torch.compile(function)
    x = torch.ones(2)
    for _ in range(5):
        assert compiled(x)[0].item() == 2.0
    scale = 3.0
    for _ in range(5):
        assert compiled(x)[0].item() == 3.0


def test_replaced_data_is_seen():
    w = torch.ones(3, requires_grad=True)
    compiled = torch.compile(lambda x: (w * x).sum())
    x = torch.ones(3)
    for _ in range(5):
        compiled(x)
    w.data = torch.full((3,), 5.0)
    assert compiled(x).item() == 15.0


def test_tied_weights_are_updated_once():
    def run(compiled):
        w = torch.full((3, 3), 0.1, requires_grad=True)
        opt = torch.optim.SGD([w], lr=0.1)

        def step(x):
            opt.zero_grad()
            loss = ((x @ w).tanh() @ w.T).pow(2).sum()
            loss.backward()
            opt.step()
            return loss.item()

        if compiled:
            step = torch.compile(step)
        x = torch.ones(2, 3)
        return [step(x) for _ in range(8)]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-5)


def test_arguments_that_are_not_contiguous():
    compiled = torch.compile(lambda x: x.sum(0) + x[0])
    x = torch.arange(12.0).reshape(3, 4).T
    for _ in range(5):
        assert torch.equal(compiled(x), x.sum(0) + x[0])


def test_an_argument_written_in_place_is_written():
    @torch.compile
    def double(x):
        x.mul_(2)
        return x

    x = torch.ones(3)
    for i in range(6):
        assert double(x) is x
        assert x[0].item() == 2.0 ** (i + 1)


def test_memory_known_under_two_names_runs_eagerly():
    base = torch.zeros(4)
    view = base[:2]

    def function(x):
        view.add_(x)
        return base.sum()

    compiled = torch.compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(6):
            assert compiled(torch.ones(2)).item() == 2.0 * (i + 1)


def test_without_a_tensor_argument_and_with_a_dict_result():
    w = torch.ones(2)
    compiled = torch.compile(lambda: {"twice": w * 2, "name": "w"})
    for _ in range(5):
        result = compiled()
    assert result["name"] == "w"
    assert result["twice"].tolist() == [2.0, 2.0]


def test_targets_out_of_range_are_refused_before_anything_is_written():
    model = torch.nn.Linear(4, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of = torch.nn.CrossEntropyLoss()

    @torch.compile
    def step(x, y):
        opt.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        opt.step()
        return loss.item()

    x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, -100, 0])
    for _ in range(5):
        step(x, y)
    before = model.weight.detach().clone()
    for wrong in (3, -1):
        with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds"):
            step(x, torch.tensor([0, 1, wrong, 2, 0]))
    assert torch.equal(model.weight.detach(), before)
    step(x, y)


def test_indices_out_of_range_are_refused():
    table = torch.randn(6, 2, requires_grad=True)
    compiled = torch.compile(lambda i: (table[i] * 2).sum())
    for _ in range(5):
        compiled(torch.tensor([0, 5, -1]))
    with pytest.raises(IndexError, match="index 6 is out of bounds"):
        compiled(torch.tensor([0, 6, 1]))


def test_an_embedding_of_an_unknown_word_is_refused_before_anything_is_written() -> None:
    torch.manual_seed(0)
    words = torch.nn.Embedding(10, 4)
    optimizer = torch.optim.SGD(words.parameters(), 0.1)

    @torch.compile
    def step(x: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = (words(x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    x = torch.arange(6)
    for _ in range(5):
        step(x)
    before = words.weight.detach().clone()
    for wrong in (10, -1):
        with pytest.raises(IndexError, match=f"out of range in self: .* index {wrong} for 10"):
            step(torch.tensor([0, 1, 2, wrong, 4, 5]))
        assert torch.equal(words.weight, before)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
@pytest.mark.parametrize("kept", [False, True])
def test_a_target_out_of_range_is_refused_at_any_call(
    call: int, kept: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))

    def run(bad: int | None) -> None:
        weight = torch.nn.Parameter(torch.ones(2, 3))

        @torch.compile
        def step(target: torch.Tensor) -> torch.Tensor:
            weight.grad = None
            loss = torch.nn.functional.cross_entropy(weight, target)
            loss.backward()
            return loss

        for number in range(6):
            if number == bad:
                with pytest.raises(IndexError, match="Target 7 is out of bounds"):
                    step(torch.tensor([0, 7]))
            else:
                step(torch.tensor([0, 2]))

    if kept:
        run(None)
    run(call)


def test_what_only_a_gradient_reads_is_noticed() -> None:
    class Scaled(torch.autograd.Function):
        scale = 2.0

        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 1

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            return grad * Scaled.scale

    compiled = torch.compile(lambda x: Scaled.apply(x))
    for scale in (2.0,) * 5 + (3.0,) * 5 + (2.0,) * 2:
        Scaled.scale = scale
        x = torch.ones(2, requires_grad=True)
        compiled(x).sum().backward()
        assert x.grad.tolist() == [scale, scale]
