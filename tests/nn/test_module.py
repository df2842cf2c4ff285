"""What a Module keeps, finds, refuses and says."""

from __future__ import annotations

import copy
import io
import pickle

import pytest

import flambeau as torch
from flambeau import nn


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("cache", torch.zeros(1), persistent=False)
        self.inner = nn.Linear(2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x * self.scale)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Scaled()
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rest(self.first(x))


# -- registration ---------------------------------------------------------------------------------


def test_assignment_registers_by_kind() -> None:
    module = Scaled()
    assert [name for name, _ in module.named_parameters()] == [
        "scale", "inner.weight", "inner.bias",
    ]  # fmt: skip
    assert [name for name, _ in module.named_buffers()] == ["count", "cache"]
    assert [name for name, _ in module.named_children()] == ["inner"]
    assert list(module.state_dict()) == ["scale", "count", "inner.weight", "inner.bias"]


def test_a_parameter_takes_the_place_of_an_attribute() -> None:
    module = nn.Module()
    module.w = 3
    module.w = nn.Parameter(torch.ones(1))
    assert "w" not in vars(module)
    assert module.w is module._parameters["w"]
    del module.w
    assert not hasattr(module, "w")


def test_a_tensor_assigned_to_a_buffer_replaces_it() -> None:
    module = Scaled()
    module.count = torch.full((1,), 7.0)
    assert module._buffers["count"].item() == 7
    module.count = None
    assert module.count is None
    assert "count" not in module.state_dict()


def test_buffer_class_registers_a_buffer() -> None:
    module = nn.Module()
    module.kept = nn.Buffer(torch.ones(2))
    module.dropped = nn.Buffer(torch.ones(2), persistent=False)
    assert list(module.state_dict()) == ["kept"]
    assert isinstance(module.kept, nn.Buffer)
    assert type(module.kept) is torch.Tensor
    assert not isinstance(torch.ones(2), nn.Buffer)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("scale", torch.ones(2), TypeError,
         "cannot assign 'torch.FloatTensor' as parameter 'scale' "
         "(torch.nn.Parameter or None expected)"),
        ("inner", 3, TypeError,
         "cannot assign 'int' as child module 'inner' (torch.nn.Module or None expected)"),
        ("count", "x", TypeError,
         "cannot assign 'str' as buffer 'count' "
         "(torch.nn.Buffer, torch.Tensor or None expected)"),
    ],
)  # fmt: skip
def test_wrong_kinds_are_refused(name, value, error, message) -> None:
    with pytest.raises(error) as caught:
        setattr(Scaled(), name, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "name", "error", "message"),
    [
        ("parameter", 3, TypeError, "parameter name should be a string. Got int"),
        ("parameter", "a.b", KeyError, 'parameter name can\'t contain "."'),
        ("parameter", "", KeyError, 'parameter name can\'t be empty string ""'),
        ("parameter", "forward", KeyError, "attribute 'forward' already exists"),
        ("buffer", "scale", KeyError, "attribute 'scale' already exists"),
        ("module", "a.b", KeyError, 'module name can\'t contain ".", got: a.b'),
    ],
)
def test_wrong_names_are_refused(kind, name, error, message) -> None:
    module = Scaled()
    register = getattr(module, f"register_{kind}")
    with pytest.raises(error) as caught:
        register(name, None)
    assert caught.value.args[0] == message


def test_a_computed_tensor_is_no_parameter() -> None:
    module = nn.Module()
    with pytest.raises(TypeError, match="cannot assign 'torch.FloatTensor' object to parameter"):
        module.register_parameter("w", nn.Parameter(torch.ones(1)) * 2)
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype"):
        nn.Parameter(torch.zeros(2, dtype=torch.int64))


def test_registering_before_init_is_refused() -> None:
    class Early(nn.Module):
        def __init__(self, value: object) -> None:
            self.x = value

    for value, what in (
        (nn.Parameter(torch.ones(1)), "parameters"),
        (nn.Linear(1, 1), "module"),
        (nn.Buffer(torch.ones(1)), "buffer"),
    ):
        with pytest.raises(AttributeError) as caught:
            Early(value)
        assert str(caught.value) == f"cannot assign {what} before Module.__init__() call"


def test_unknown_constructor_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Module.__init__\(\) got an unexpected keyword .* 'a'"):
        nn.Module(a=1)
    with pytest.raises(TypeError, match=r"takes 1 positional argument but 3 were given"):
        nn.Module(1, 2)


def test_missing_attributes_say_pytorchs_words() -> None:
    with pytest.raises(AttributeError) as caught:
        nn.Linear(1, 1).foo  # noqa: B018
    assert str(caught.value) == "'Linear' object has no attribute 'foo'"
    with pytest.raises(NotImplementedError) as unimplemented:
        nn.Module()(1)
    assert str(unimplemented.value).startswith(
        'Module [Module] is missing the required "forward" function'
    )


def test_registration_hooks_see_and_replace() -> None:
    seen = []

    def hook(module: nn.Module, name: str, value: object) -> None:
        seen.append((type(module).__name__, name))

    handles = [
        nn.modules.module.register_module_parameter_registration_hook(hook),
        nn.modules.module.register_module_buffer_registration_hook(hook),
        nn.modules.module.register_module_module_registration_hook(hook),
    ]
    Scaled()
    for handle in handles:
        handle.remove()
    Scaled()
    assert seen == [
        ("Scaled", "scale"), ("Scaled", "count"), ("Scaled", "cache"),
        ("Linear", "weight"), ("Linear", "bias"), ("Scaled", "inner"),
    ]  # fmt: skip


# -- look-up and iteration ------------------------------------------------------------------------


def test_paths_lead_to_members() -> None:
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("first.inner") is net.first.inner
    assert net.get_parameter("rest.1.weight") is net.rest[1].weight
    assert net.get_buffer("first.count") is net.first.count
    net.set_submodule("rest.1", nn.Linear(3, 2))
    assert net.rest[1].out_features == 2
    for path, message in (
        ("first.nothing", "Scaled has no attribute `nothing`"),
        ("first.scale", "`scale` is not an nn.Module"),
    ):
        with pytest.raises(AttributeError) as caught:
            net.get_submodule(path)
        assert str(caught.value) == message
    with pytest.raises(AttributeError, match="`training` is not an nn.Parameter"):
        net.get_parameter("first.training")
    with pytest.raises(AttributeError, match="`scale` is not a buffer"):
        net.get_buffer("first.scale")


def test_shared_members_are_given_once_unless_asked() -> None:
    shared = nn.Linear(1, 1, bias=False)
    model = nn.Sequential(shared, shared)
    assert len(list(model.parameters())) == 1
    assert [name for name, _ in model.named_parameters(remove_duplicate=False)] == [
        "0.weight", "1.weight",
    ]  # fmt: skip
    assert [name for name, _ in model.named_modules()] == ["", "0"]
    assert [name for name, _ in model.named_modules(remove_duplicate=False)] == ["", "0", "1"]
    assert len(list(model.children())) == 1
    assert list(model.state_dict()) == ["0.weight", "1.weight"]


def test_dir_lists_members() -> None:
    names = dir(Net())
    assert "first" in names and "forward" in names
    assert "0" not in dir(Net().rest)


# -- modes and gradients --------------------------------------------------------------------------


def test_train_and_eval_reach_all_submodules() -> None:
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        net.train(1)


def test_zero_grad_forgets_or_zeros() -> None:
    net = Net()
    net(torch.ones(4, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all((parameter.grad == 0).all() for parameter in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_requires_grad_freezes() -> None:
    net = Net().requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net(torch.ones(1, 2)).requires_grad


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    Net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Scaled", "ReLU", "Linear", "Sequential", "Net"]


# -- conversion -----------------------------------------------------------------------------------


def test_conversion_keeps_the_parameter_objects() -> None:
    net = Net()
    before = list(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    net.double()
    assert all(a is b for a, b in zip(before, net.parameters()))
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    assert {p.grad.dtype for p in net.parameters()} == {torch.float64}
    assert net.first.count.dtype is torch.float64
    assert net(torch.ones(1, 2, dtype=torch.float64)).dtype is torch.float64
    assert net.to(torch.float32).first.scale.dtype is torch.float32
    assert net.to("cpu", torch.float64).first.scale.dtype is torch.float64
    assert net.to(torch.ones(1)).first.scale.dtype is torch.float32
    assert net.float().half().first.scale.dtype is torch.float16


def test_integer_buffers_keep_their_dtype() -> None:
    norm = nn.BatchNorm1d(2).double()
    assert norm.num_batches_tracked.dtype is torch.int64
    assert norm.running_mean.dtype is torch.float64


def test_wrong_conversions_are_refused() -> None:
    with pytest.raises(TypeError) as caught:
        nn.Linear(1, 1).to(torch.int32)
    assert str(caught.value) == (
        "nn.Module.to only accepts floating point or complex dtypes, but got desired "
        "dtype=torch.int32"
    )
    with pytest.raises(TypeError, match=r"to\(\) received an invalid combination of arguments"):
        nn.Linear(1, 1).to(3.0, 4)


# -- copies ---------------------------------------------------------------------------------------


def test_deepcopy_shares_nothing() -> None:
    net = Net()
    copied = copy.deepcopy(net)
    copied.first.scale.data.zero_()
    assert net.first.scale.sum().item() == 2
    assert isinstance(copied.first.scale, nn.Parameter)
    assert list(copied.state_dict()) == list(net.state_dict())


def test_deepcopy_keeps_ties() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    copied = copy.deepcopy(model)
    assert copied[0].weight is copied[1].weight


def test_pickle_brings_a_module_back() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    loaded = pickle.loads(pickle.dumps(model))
    x = torch.ones(4, 2)
    assert torch.equal(loaded.eval()(x), model.eval()(x))
    assert repr(loaded) == repr(model)


def test_old_pickles_get_the_newer_attributes() -> None:
    module = nn.Linear(1, 1)
    state = {
        name: value
        for name, value in vars(module).items()
        if name not in ("_backward_pre_hooks", "_forward_hooks_with_kwargs")
    }
    revived = nn.Linear.__new__(nn.Linear)
    revived.__setstate__(state)
    assert revived(torch.ones(1)).shape == (1,)


def test_saved_and_loaded_through_a_buffer() -> None:
    model = nn.Linear(2, 3)
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    stream.seek(0)
    other = nn.Linear(2, 3)
    other.load_state_dict(torch.load(stream))
    assert torch.equal(other.weight, model.weight)


# -- text -----------------------------------------------------------------------------------------


def test_repr_nests_and_indents() -> None:
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Scaled(\n"
        "    (inner): Linear(in_features=2, out_features=3, bias=True)\n"
        "  )\n"
        "  (rest): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Linear(in_features=3, out_features=1, bias=True)\n"
        "  )\n"
        ")"
    )


def test_repr_of_a_parameter() -> None:
    assert repr(nn.Parameter(torch.zeros(2))) == (
        "Parameter containing:\ntensor([0., 0.], requires_grad=True)"
    )


def test_private_attributes_are_pytorchs() -> None:
    assert list(vars(nn.Module())) == [
        "training", "_parameters", "_buffers", "_non_persistent_buffers_set",
        "_backward_pre_hooks", "_backward_hooks", "_is_full_backward_hook", "_forward_hooks",
        "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs", "_state_dict_hooks", "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks", "_modules",
    ]  # fmt: skip


# -- lazy modules ---------------------------------------------------------------------------------


def test_a_lazy_module_becomes_an_ordinary_one() -> None:
    lazy = nn.LazyLinear(3)
    assert repr(lazy.weight) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized"):
        lazy.weight.shape  # noqa: B018
    lazy(torch.ones(2, 5))
    assert type(lazy) is nn.Linear
    assert type(lazy.weight) is nn.Parameter
    assert lazy.weight.shape == (3, 5)
    assert "_load_hook" not in vars(lazy)


def test_a_lazy_module_loads_an_initialised_state() -> None:
    lazy, ready = nn.LazyLinear(3), nn.Linear(5, 3)
    lazy.load_state_dict(ready.state_dict())
    assert torch.equal(lazy.weight, ready.weight)
    assert torch.equal(lazy(torch.ones(1, 5)), ready(torch.ones(1, 5)))
