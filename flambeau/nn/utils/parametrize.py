"""Parameters computed from others whenever they are read (``torch.nn.utils.parametrize``).

``register_parametrization(layer, "weight", Symmetric())`` makes ``layer.weight`` a property:
``Symmetric()`` of ``layer.parametrizations.weight.original``, which is what is trained.

Source: https://docs.pytorch.org/docs/2.13/nn.html (parametrizations)
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import flambeau
from flambeau.nn.modules.container import ModuleDict, ModuleList
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache_enabled = 0
_cache: dict[tuple[int, str], Tensor | None] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Within it, a parametrized tensor is computed once, not at every reading.

    Returns:
        The context manager.
    """
    global _cache_enabled
    _cache_enabled += 1
    try:
        yield
    finally:
        _cache_enabled -= 1
        if not _cache_enabled:
            _cache.clear()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and the tensor(s) that it is computed from.

    Args:
        modules: the parametrizations, applied in this order.
        original: the tensor that is parametrized.
        unsafe: leave out the checks that shapes and dtypes stay.

    Raises:
        ValueError: no module, or one whose result (or whose ``right_inverse``'s) is no tensor or
            changes dtype or shape.
    """

    def __init__(self, modules: Sequence[Module], original: Any, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new: Any = original
        with flambeau.no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    try:
                        new = module.right_inverse(new)
                    except NotImplementedError:
                        pass
        if not isinstance(new, Tensor) and not isinstance(new, Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            with flambeau.no_grad():
                original.data = new
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                        f"tuple...). Got element {i} of the sequence with type "
                        f"{type(part).__name__}."
                    )
                if isinstance(original, Parameter):
                    part = Parameter(part.detach(), original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", part)
        if not unsafe:
            result = self()
            if not isinstance(result, Tensor):
                raise ValueError(
                    f"A parametrization must return a tensor. Got {type(result).__name__}."
                )
            if result.dtype != dtype:
                raise ValueError(
                    "Registering a parametrization may not change the dtype of the tensor, unless "
                    f"`unsafe` flag is enabled.\nunparametrized dtype: {dtype}\n"
                    f"parametrized dtype: {result.dtype}"
                )
            if result.shape != shape:
                raise ValueError(
                    "Registering a parametrization may not change the shape of the tensor, unless "
                    f"`unsafe` flag is enabled.\nunparametrized shape: {shape}\n"
                    f"parametrized shape: {result.shape}"
                )

    def right_inverse(self, value: Tensor) -> None:
        """Make the parametrized tensor ``value`` by writing what it is computed from.

        Raises:
            RuntimeError: a parametrization has no ``right_inverse``.
            ValueError: it returns something else than tensors of the right number and dtype.
        """
        with flambeau.no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = module.right_inverse(new)
            if self.is_tensor:
                if not isinstance(new, Tensor):
                    raise ValueError(
                        f"`right_inverse` should return a tensor. Got {type(new).__name__}"
                    )
                if new.dtype != self.original.dtype:
                    raise ValueError(
                        f"The tensor returned by `right_inverse` has dtype {new.dtype} while "
                        f"`original` has dtype {self.original.dtype}"
                    )
                self.original.data = new
                return
            if not isinstance(new, Sequence) or len(new) != self.ntensors:
                raise ValueError(
                    f"'right_inverse' must return a sequence of {self.ntensors} tensors, got "
                    f"{type(new).__name__}"
                )
            for i, part in enumerate(new):
                getattr(self, f"original{i}").data = part

    def forward(self) -> Tensor:  # type: ignore[override]
        modules = list(self)
        if self.is_tensor:
            value = modules[0](self.original)
        else:
            value = modules[0](*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in modules[1:]:
            value = module(value)
        return value


def _inject_class(module: Module) -> None:
    """Give ``module`` a class of its own, which properties can be added to."""
    cls = type(module)

    def getstate(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    def deepcopied(self: Any, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is not None:
            return known
        copied = self.__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__ = copy.deepcopy(self.__dict__, memo)
        return copied

    members: dict[str, Any] = {"__getstate__": getstate}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = deepcopied
    made = type(f"Parametrized{cls.__name__}", (cls,), members)
    made.__module__ = cls.__module__
    module.__class__ = made


def _inject_property(module: Module, name: str) -> None:
    def read(self: Any) -> Tensor:
        if not _cache_enabled:
            return self.parametrizations[name]()
        key = (id(self), name)
        value = _cache.get(key)
        if value is None:
            value = _cache[key] = self.parametrizations[name]()
        return value

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(read, write))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make ``module``'s tensor the result of ``parametrization``, computed when it is read.

    Args:
        module: whose parameter or buffer.
        tensor_name: its name.
        parametrization: a module from the trained tensor to the one that is read; with a method
            ``right_inverse`` the tensor can be assigned to.
        unsafe: let it change shape and dtype.

    Returns:
        ``module``.

    Raises:
        ValueError: there is no such tensor, or ``parametrization`` changes its shape or dtype.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.parametrize.register_parametrization.html
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        entry: Any = module.parametrizations[tensor_name]  # type: ignore[index, union-attr]
        if not unsafe:
            before = getattr(module, tensor_name)
            after = parametrization(before)
            if not isinstance(after, Tensor):
                raise ValueError(
                    f"A parametrization must return a tensor. Got {type(after).__name__}."
                )
            for what in ("dtype", "shape"):
                if getattr(before, what) != getattr(after, what):
                    raise ValueError(
                        f"Registering a parametrization may not change the {what} of the tensor, "
                        "unless the `unsafe` flag is enabled.\n"
                        f"module.{tensor_name}.{what}: {getattr(before, what)}\n"
                        f"parametrization(module.{tensor_name}).{what}: {getattr(after, what)}"
                    )
            if hasattr(parametrization, "right_inverse"):
                back = parametrization.right_inverse(after)
                if isinstance(back, Tensor) and back.shape != before.shape:
                    raise ValueError(
                        "parametrization.right_inverse may not change the shape of the tensor, "
                        "unless the `unsafe` flag is enabled."
                    )
        entry.append(parametrization)
        entry.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original: Any = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = made  # type: ignore[index, operator]
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether ``module`` (or its tensor ``tensor_name``, if given) has a parametrization.

    Returns:
        A bool.
    """
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    if found is None or not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make ``module``'s tensor an ordinary one again.

    Args:
        module: whose tensor.
        tensor_name: its name.
        leave_parametrized: whether it keeps its present value, not that of the original.

    Returns:
        ``module``.

    Raises:
        ValueError: there is none, or the original is several tensors and ``leave_parametrized``
            False.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    entries: Any = module.parametrizations
    entry = entries[tensor_name]
    if entry.is_tensor:
        original = entry.original
        if leave_parametrized:
            with flambeau.no_grad():
                value = getattr(module, tensor_name)
            if type(original) is Tensor or original.dtype == value.dtype:
                original.data = value.detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name).detach()
        first = entry.original0
        original = Parameter(value, first.requires_grad) if isinstance(first, Parameter) else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del entries[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that ``module`` had before its tensors were parametrized.

    Returns:
        A class.
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give a module the parametrizations of another, with their tensors.

    Args:
        from_module: whose.
        to_module: which gets them.
        tensor_name: of which tensor; None: of all.

    Returns:
        ``to_module``.
    """
    if not is_parametrized(from_module):
        return to_module
    entries: Any = from_module.parametrizations
    for name in [tensor_name] if tensor_name is not None else list(entries):
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in entries[name]:
            register_parametrization(to_module, name, parametrization)
        target: Any = to_module.parametrizations[name]  # type: ignore[index, union-attr]
        if entries[name].is_tensor:
            target.original = entries[name].original
        else:
            for i in range(entries[name].ntensors):
                setattr(target, f"original{i}", getattr(entries[name], f"original{i}"))
    return to_module
