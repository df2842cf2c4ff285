"""The base class: groups, messages, hooks, state dicts, description, pickling."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

import flambeau
from flambeau.optim import SGD, Adam, AdamW, Optimizer
from flambeau.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


def parameter(*shape: int, value: float = 1.0) -> Any:
    return flambeau.full(shape, value).requires_grad_()


def step(optimizer: Any) -> None:
    for group in optimizer.param_groups:
        for param in group["params"]:
            param.grad = flambeau.ones_like(param)
    optimizer.step()


class TestGroups:
    def test_options_of_groups_come_before_defaults(self):
        a, b = parameter(2), parameter(3)
        optimizer = SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1, momentum=0.9)
        assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
        step(optimizer)
        assert a.tolist() == pytest.approx([0.9] * 2)
        assert b.tolist() == pytest.approx([0.5] * 3)

    def test_a_group_added_later_takes_part(self):
        a, b = parameter(2), parameter(2)
        optimizer = Adam([a], lr=0.1)
        step(optimizer)
        optimizer.add_param_group({"params": b, "lr": 0.01})
        step(optimizer)
        assert b.tolist() == pytest.approx([0.99] * 2)
        assert optimizer.state[a]["step"].item() == 2
        assert optimizer.state[b]["step"].item() == 1

    def test_named_parameters_keep_their_names(self):
        optimizer = SGD([("weight", parameter(2)), ("bias", parameter(1))], lr=0.1)
        assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
        assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]

    @pytest.mark.parametrize(
        "params, kind, message",
        [
            (lambda: parameter(2), TypeError, "iterable of Tensors or dicts"),
            (list, ValueError, "optimizer got an empty parameter list"),
            (lambda: {parameter(2)}, TypeError, "ordering of tensors in sets"),
            (lambda: [1], TypeError, "one of the params is int"),
            (lambda: [parameter(2) * 2], ValueError, "can't optimize a non-leaf Tensor"),
            (lambda: [("a", parameter(1)), parameter(1)], ValueError, "names are missing"),
        ],
    )
    def test_wrong_parameters_are_refused(self, params, kind, message):
        with pytest.raises(kind, match=message):
            SGD(params(), lr=0.1)

    def test_a_parameter_cannot_be_in_two_groups(self):
        a = parameter(2)
        with pytest.raises(ValueError, match="more than one parameter group"):
            SGD([{"params": [a]}, {"params": [a]}], lr=0.1)
        with pytest.raises(TypeError, match="param_group must be a dict"):
            SGD([a], lr=0.1).add_param_group([a])  # type: ignore[arg-type]
        with pytest.warns(UserWarning, match="duplicate parameters"):
            SGD([a, a], lr=0.1)

    def test_names_for_all_groups_or_for_none(self):
        optimizer = SGD([("a", parameter(1))], lr=0.1)
        with pytest.raises(ValueError, match="cannot add param group without names"):
            optimizer.add_param_group({"params": parameter(1)})

    def test_parameters_without_gradient_are_left_alone(self):
        a, b = parameter(2), parameter(2)
        optimizer = AdamW([a, b], lr=0.1)
        a.grad = flambeau.ones(2)
        optimizer.step()
        assert b.tolist() == [1, 1]
        assert b not in optimizer.state

    def test_zero_grad(self):
        a = parameter(2)
        optimizer = SGD([a], lr=0.1)
        (a * 2).sum().backward()
        optimizer.zero_grad(set_to_none=False)
        assert a.grad.tolist() == [0, 0]
        optimizer.zero_grad()
        assert a.grad is None


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda p: SGD(p, lr=-1), "Invalid learning rate: -1"),
        (lambda p: SGD(p, momentum=-1), "Invalid momentum value: -1"),
        (lambda p: SGD(p, weight_decay=-1), "Invalid weight_decay value: -1"),
        (lambda p: SGD(p, nesterov=True), "Nesterov momentum requires a momentum"),
        (lambda p: SGD(p, lr=flambeau.ones(2)), "Tensor lr must be 1-element"),
        (lambda p: Adam(p, betas=(1.0, 0.9)), "Invalid beta parameter at index 0: 1.0"),
        (lambda p: Adam(p, betas=(0.9, 1.0)), "Invalid beta parameter at index 1: 1.0"),
        (lambda p: Adam(p, betas=(0, 0.9)), "both floats or both Tensors"),
        (lambda p: Adam(p, eps=-1), "Invalid epsilon value: -1"),
        (lambda p: Adam(p, lr=flambeau.ones(()), foreach=True), "capturable=False and foreach"),
        (lambda p: flambeau.optim.Rprop(p, etas=(1.5, 2)), "Invalid eta values: 1.5, 2"),
        (lambda p: flambeau.optim.Adadelta(p, rho=2), "Invalid rho value: 2"),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make([parameter(2)])


def test_implementation_selectors_change_nothing_and_exclude_each_other():
    results = []
    for options in ({}, {"foreach": True}, {"fused": True}):
        a = parameter(3)
        optimizer = Adam([a], lr=0.1, **options)
        step(optimizer)
        results.append(a.tolist())
    assert results[0] == results[1] == results[2]
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together."):
        Adam([parameter(1)], fused=True, foreach=True)
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        Adam([parameter(1)], fused=True, differentiable=True)


def test_repr_is_pytorchs():
    assert repr(SGD([parameter(1)], lr=0.1)) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n"
        "    foreach: None\n    fused: None\n    lr: 0.1\n    maximize: False\n"
        "    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


class TestHooks:
    def test_order_and_removal(self):
        seen = []
        optimizer = SGD([parameter(1)], lr=0.1)
        handles = [
            register_optimizer_step_pre_hook(lambda *_: seen.append("global before")),
            register_optimizer_step_post_hook(lambda *_: seen.append("global after")),
            optimizer.register_step_pre_hook(lambda *_: seen.append("before")),
            optimizer.register_step_post_hook(lambda *_: seen.append("after")),
        ]
        step(optimizer)
        assert seen == ["global before", "before", "after", "global after"]
        for handle in handles:
            handle.remove()
        step(optimizer)
        assert len(seen) == 4

    def test_a_pre_hook_may_replace_the_arguments(self):
        optimizer = SGD([parameter(1)], lr=0.1)
        optimizer.register_step_pre_hook(lambda o, args, kwargs: ((*args, lambda: 7), {}))
        assert optimizer.step() == 7
        optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
        with pytest.raises(RuntimeError, match="must return None or a tuple"):
            optimizer.step()

    def test_the_optimizer_is_the_first_of_the_arguments(self):
        optimizer = SGD([parameter(1)], lr=0.1)
        seen = []
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append((args, kwargs)))
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append((args, kwargs)))
        closure = lambda: 7  # noqa: E731
        optimizer.step(closure=closure)
        assert seen == [((optimizer,), {"closure": closure})] * 2

    def test_a_wrapper_that_never_calls_the_constructor_steps(self):
        class Lookahead(Optimizer):
            def __init__(self, optimizer):
                self.optimizer = optimizer
                self.param_groups = optimizer.param_groups

            def step(self, closure=None):
                return self.optimizer.step(closure)

        optimizer = Lookahead(SGD([parameter(1)], lr=0.1))
        assert optimizer.step(lambda: 7) == 7

    def test_a_subclass_that_calls_super_runs_them_once(self):
        class Doubled(SGD):
            def step(self, closure=None):
                super().step(closure)
                return super().step(closure)

        optimizer = Doubled([parameter(1)], lr=0.1)
        seen = []
        optimizer.register_step_post_hook(lambda *_: seen.append(1))
        step(optimizer)
        assert seen == [1]

    def test_around_state_dicts(self):
        optimizer = SGD([parameter(1)], lr=0.1)
        seen = []
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("pre"))
        optimizer.register_state_dict_post_hook(lambda o, s: {**s, "extra": 1})
        optimizer.register_state_dict_post_hook(lambda o, s: seen.append("first"), prepend=True)
        state = optimizer.state_dict()
        assert seen == ["pre", "first"]
        assert state["extra"] == 1
        optimizer.register_load_state_dict_pre_hook(lambda o, s: seen.append(s["extra"]))
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("post"))
        optimizer.load_state_dict(state)
        assert seen[2:] == [1, "post"]


class TestStateDicts:
    def test_continuing_from_one_gives_the_same_steps(self):
        def run(interrupted: bool) -> list[float]:
            flambeau.manual_seed(0)
            a, b = parameter(3), parameter(2, 2)
            optimizer: Any = Adam([a, b], lr=0.1, amsgrad=True)
            for index in range(6):
                if interrupted and index == 3:
                    saved = copy.deepcopy(optimizer.state_dict())
                    optimizer = Adam([a, b], lr=0.5)
                    optimizer.load_state_dict(saved)
                a.grad, b.grad = flambeau.randn(3), flambeau.randn(2, 2)
                optimizer.step()
            return [*a.tolist(), *b.flatten().tolist()]

        assert run(True) == run(False)

    def test_layout(self):
        optimizer = Adam([{"params": [parameter(1), parameter(2)]}, {"params": parameter(3)}])
        step(optimizer)
        state = optimizer.state_dict()
        assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
        assert list(state["state"]) == [0, 1, 2]
        assert list(state["state"][0]) == ["step", "exp_avg", "exp_avg_sq"]
        assert list(state["param_groups"][0])[-1] == "params"

    def test_state_is_cast_to_the_parameters_dtype_but_steps_are_not(self):
        optimizer = Adam([parameter(2)])
        step(optimizer)
        saved = optimizer.state_dict()
        double = Adam([parameter(2).detach().double().requires_grad_()])
        double.load_state_dict(saved)
        state = double.state_dict()["state"][0]
        assert state["exp_avg"].dtype is flambeau.float64
        assert state["step"].dtype is flambeau.float32
        step(double)

    def test_mismatches_are_refused(self):
        one, two = SGD([parameter(1)]), SGD([parameter(1), parameter(1)])
        with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
            one.load_state_dict(two.state_dict())
        two.add_param_group({"params": parameter(1)})
        with pytest.raises(ValueError, match="different number of parameter groups"):
            one.load_state_dict(two.state_dict())

    def test_exchange_with_pytorch(self):
        torch = pytest.importorskip("torch")
        from flambeau import serialization

        theirs_param = torch.ones(3, requires_grad=True)
        theirs = torch.optim.AdamW([theirs_param], lr=0.1)
        theirs_param.grad = torch.tensor([1.0, 2.0, 3.0])
        theirs.step()
        file = io.BytesIO()
        torch.save(theirs.state_dict(), file)
        file.seek(0)
        loaded = serialization.load(file)
        ours_param = flambeau.tensor(theirs_param.tolist(), requires_grad=True)
        ours = AdamW([ours_param], lr=0.5)
        ours.load_state_dict(loaded)
        for lib, param, optimizer in (
            (torch, theirs_param, theirs),
            (flambeau, ours_param, ours),
        ):
            param.grad = lib.tensor([3.0, 1.0, 2.0])
            optimizer.step()
        assert ours_param.tolist() == pytest.approx(theirs_param.tolist(), rel=1e-6)
        file = io.BytesIO()
        serialization.save(ours.state_dict(), file)
        file.seek(0)
        theirs.load_state_dict(torch.load(file))
        assert theirs.state[theirs_param]["step"].item() == 2

    def test_pickle_and_deepcopy(self):
        optimizer = SGD([parameter(2)], lr=0.1, momentum=0.9)
        step(optimizer)
        for clone in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
            step(clone)
            assert clone.param_groups[0]["params"][0].tolist() == pytest.approx([0.71] * 2)
        assert optimizer.param_groups[0]["params"][0].tolist() == pytest.approx([0.9] * 2)


def test_an_optimizer_of_ones_own():
    class Halving(Optimizer):
        def __init__(self, params, factor=0.5):
            super().__init__(params, {"factor": factor})

        @flambeau.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for param in group["params"]:
                    param.mul_(group["factor"])

    a = parameter(2)
    optimizer = Halving([a])
    optimizer.step()
    assert a.tolist() == [0.5, 0.5]
    with pytest.raises(NotImplementedError):
        Optimizer([a], {}).step()


def test_a_step_count_that_parameters_share_counts_for_each() -> None:
    parameters = [flambeau.nn.Parameter(flambeau.ones(3)) for _ in range(3)]
    optimizer = Adam(parameters)

    def step() -> None:
        for parameter in parameters:
            parameter.grad = flambeau.ones(3)
        optimizer.step()

    step()
    shared = flambeau.tensor(1.0)
    for parameter in parameters:
        optimizer.state[parameter]["step"] = shared
    step()
    step()
    assert shared.item() == 7.0
