"""``Module``: the base class of every layer and model (``torch.nn.Module``).

A module owns parameters, buffers and submodules, which it finds by attribute assignment.  What it
can do with them is spread over four files: here registration, look-up, iteration, modes and
``repr``; in ``module_call`` the call and its hooks; in ``module_state`` saving and loading; in
``module_conversion`` changes of dtype and device; in ``module_path`` the place that an error names.

The private attributes (``_parameters``, ``_forward_hooks``, ...) are PyTorch's, in its order,
because pickles of whole modules are exchanged in both directions.

Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Module.html
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Self

from flambeau.modes import STRUCTURE
from flambeau.nn.modules.module_call import (
    ModuleCall,
    register_module_backward_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from flambeau.nn.modules.module_conversion import ModuleConversion
from flambeau.nn.modules.module_state import ModuleState, type_name
from flambeau.nn.parameter import Buffer, Parameter
from flambeau.tensor import Tensor
from flambeau.utils.hooks import RemovableHandle

__all__ = [
    "register_module_forward_pre_hook",
    "register_module_forward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_backward_hook",
    "register_module_full_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
    "Module",
]

_buffer_registration_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_module_registration_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_parameter_registration_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()


def _register_global(hooks: OrderedDict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` whenever any module registers a buffer.

    What the hook returns, unless None, is registered in the buffer's place.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    return _register_global(_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` whenever any module registers a submodule.

    What the hook returns, unless None, is registered in the submodule's place.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    return _register_global(_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` whenever any module registers a parameter.

    What the hook returns, unless None, is registered in the parameter's place.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    return _register_global(_parameter_registration_hooks, hook)


def _through_hooks(hooks: OrderedDict[int, Any], module: Any, name: str, value: Any) -> Any:
    for hook in hooks.values():
        replacement = hook(module, name, value)
        if replacement is not None:
            value = replacement
    return value


def _addindent(s_: str, numSpaces: int) -> str:
    """The text ``s_`` with its lines after the first moved in, for descriptions of modules."""
    return s_.replace("\n", "\n" + numSpaces * " ")


class Module(ModuleCall, ModuleState, ModuleConversion):
    """Base class of all neural network modules.

    A subclass calls ``super().__init__()``, assigns parameters (:class:`Parameter`) and other
    modules as attributes, and defines ``forward``::

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(4, 16)
                self.output = nn.Linear(16, 3)

            def forward(self, x):
                return self.output(torch.relu(self.hidden(x)))

    ``model(x)`` runs ``forward`` with the hooks around it. An error raised on the way names the
    path to the module it came from.

    Args:
        args, kwargs: none, unless a class sets ``call_super_init``: then those of the next base.

    Attributes:
        training: whether the module is in training mode (dropout and batch normalization differ).

    Raises:
        TypeError: there are any other arguments.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Module.html
    """

    dump_patches: bool = False
    _version: int = 1
    call_super_init: bool = False

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Module | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            name = type(self).__name__
            if kwargs:
                unexpected = next(iter(kwargs))
                raise TypeError(
                    f"{name}.__init__() got an unexpected keyword argument '{unexpected}'"
                )
            if args:
                raise TypeError(
                    f"{name}.__init__() takes 1 positional argument but {len(args) + 1} were given"
                )
        # Straight into __dict__: __setattr__ would ask for the dictionaries made here.
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _backward_pre_hooks=OrderedDict(),
            _backward_hooks=OrderedDict(),
            _is_full_backward_hook=None,
            _forward_hooks=OrderedDict(),
            _forward_hooks_with_kwargs=OrderedDict(),
            _forward_hooks_always_called=OrderedDict(),
            _forward_pre_hooks=OrderedDict(),
            _forward_pre_hooks_with_kwargs=OrderedDict(),
            _state_dict_hooks=OrderedDict(),
            _state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_post_hooks=OrderedDict(),
            _modules={},
        )
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # -- registration ---------------------------------------------------------------------------

    def _check_new_name(self, kind: str, name: str, registered: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type_name(name)}")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in registered and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register ``param`` under ``name``; it is then also the attribute of that name.

        Args:
            name: a name without dots that no other attribute has.
            param: the parameter, or None for one that is absent (it is left out of state dicts).

        Raises:
            TypeError: ``param`` is no :class:`Parameter`.
            KeyError: the name is taken, empty or has a dot.
            ValueError: ``param`` is the result of a computation, not a leaf.
            AttributeError: ``Module.__init__`` has not been called yet.
        """
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_new_name("parameter", name, self._parameters)
        if param is None:
            self._parameters[name] = None
            STRUCTURE.version += 1
            return
        if not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type_name(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, compute "
                "the value in the forward() method."
            )
        STRUCTURE.version += 1
        self._parameters[name] = _through_hooks(_parameter_registration_hooks, self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register ``tensor`` under ``name`` as state that no optimizer changes.

        Args:
            name: a name without dots that no other attribute has.
            tensor: the buffer, or None for one that is absent (it is left out of state dicts).
            persistent: whether the buffer is part of the module's ``state_dict``.

        Raises:
            TypeError: ``tensor`` is no tensor.
            KeyError: the name is taken, empty or has a dot.
            AttributeError: ``Module.__init__`` has not been called yet.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_new_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        STRUCTURE.version += 1
        self._buffers[name] = _through_hooks(_buffer_registration_hooks, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Register ``module`` as the submodule ``name``; it is then also an attribute.

        Args:
            name: a name without dots that no other attribute has.
            module: the submodule, or None for one that is absent.

        Raises:
            TypeError: ``module`` is no :class:`Module`, or ``name`` no string.
            KeyError: the name is taken, empty or has a dot.
        """
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{type_name(module)} is not a Module subclass")
        self._check_new_name("module", name, self._modules)
        STRUCTURE.version += 1
        self._modules[name] = _through_hooks(_module_registration_hooks, self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Another name of :meth:`add_module`."""
        self.add_module(name, module)

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        if state.get(name, STRUCTURE) is not value:
            STRUCTURE.version += 1
        parameters = state.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, state, self._buffers, self._modules)
            self.register_parameter(name, value)
            return
        if parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
            return
        modules = state.get("_modules")
        if isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, state, self._parameters, self._buffers)
            modules[name] = _through_hooks(_module_registration_hooks, self, name, value)
            return
        if modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            modules[name] = _through_hooks(_module_registration_hooks, self, name, value)
            return
        if isinstance(value, Tensor) and isinstance(value, Buffer):
            if "_buffers" not in state:
                raise AttributeError("cannot assign buffer before Module.__init__() call")
            self._forget(name, state, self._parameters, self._modules)
            self.register_buffer(name, value, value.persistent)
            return
        buffers = state.get("_buffers")
        if buffers is not None and name in buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            buffers[name] = _through_hooks(_buffer_registration_hooks, self, name, value)
            return
        super().__setattr__(name, value)

    def _forget(self, name: str, *dictionaries: dict[str, Any]) -> None:
        """Delete ``name`` wherever else it is registered: the new value takes its place."""
        for dictionary in dictionaries:
            dictionary.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __getattr__(self, name: str) -> Any:
        # Reached only for names that are no plain attributes; submodules are asked for most.
        state = self.__dict__
        for kind in ("_modules", "_parameters", "_buffers"):
            registered = state.get(kind)
            if registered is not None and name in registered:
                return registered[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        STRUCTURE.version += 1
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {
            *dir(type(self)),
            *self.__dict__,
            *self._parameters,
            *self._modules,
            *self._buffers,
        }
        # Names that are no identifiers (the "0" of a Sequential) cannot be completed.
        return sorted(name for name in names if not name[:1].isdigit())

    # -- look-up by path ------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """The submodule at the dotted path ``target`` ("" is the module itself).

        Raises:
            AttributeError: the path leads nowhere, or to something that is no module.
        """
        module = self
        if target == "":
            return module
        for name in target.split("."):
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put ``module`` at the dotted path ``target``.

        Args:
            target: the path; all but its last name must exist.
            module: the new submodule.
            strict: whether the last name must exist too.

        Raises:
            ValueError: the path is empty or ``module`` is no module.
            AttributeError: the path leads nowhere, or to something that is no module.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the dotted path ``target``.

        Raises:
            AttributeError: the path leads nowhere, or to something that is no parameter.
        """
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        parameter = getattr(module, name)
        if not isinstance(parameter, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the dotted path ``target``.

        Raises:
            AttributeError: the path leads nowhere, or to something that is no buffer.
        """
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return getattr(module, name)

    # -- iteration ------------------------------------------------------------------------------

    def _named_members(
        self,
        get_members_fn: Callable[[Module], Any],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for module_prefix, module in modules:
            for name, member in get_members_fn(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield (f"{module_prefix}.{name}" if module_prefix else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Iterate over ``(name, parameter)``.

        Args:
            prefix: put in front of every name.
            recurse: whether to include the parameters of all submodules.
            remove_duplicate: whether a parameter that is reached twice is given once.
        """
        yield from self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Iterate over the parameters, each once; of all submodules too if ``recurse``."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Iterate over ``(name, buffer)``.

        Args:
            prefix, recurse, remove_duplicate: as for :meth:`named_parameters`.
        """
        yield from self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over the buffers, each once; of all submodules too if ``recurse``."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over ``(name, submodule)`` of the direct submodules, each module once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Iterate over the direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Iterate over ``(path, module)`` of this module ("") and all below it, parents first.

        Args:
            memo: modules that are left out; those that are given are added to it.
            prefix: put in front of every path.
            remove_duplicate: whether a module that is reached twice is given once.
        """
        if memo is None:
            memo = set()
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Iterate over this module and all below it, parents first.

        Args:
            remove_duplicate: whether a module that is reached twice is given once.
        """
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    # -- modes ----------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode (or evaluation mode, ``mode=False``) here and in all submodules.

        Returns:
            The module.

        Raises:
            ValueError: ``mode`` is no bool.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: dropout is off, batch normalization uses its running statistics."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set, for every parameter, whether its gradient is computed: ``requires_grad``.

        Returns:
            The module.

        Raises:
            RuntimeError: a parameter of integers is to have one.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters, to None or (``set_to_none=False``) to zeros."""
        for parameter in self.parameters():
            gradient = parameter.grad
            if gradient is None:
                continue
            if set_to_none:
                parameter.grad = None
                continue
            if gradient.grad_fn is not None:
                gradient.detach_()
            else:
                gradient.requires_grad_(False)
            gradient.zero_()

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call ``fn`` with every submodule, children first, and at last with the module itself."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # -- text -----------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of ``repr``: subclasses override it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [
            f"({name}): {_addindent(repr(module), 2)}" for name, module in self._modules.items()
        ]
        if len(extra_lines) == 1 and not child_lines:
            return f"{self._get_name()}({extra_lines[0]})"
        lines = extra_lines + child_lines
        if not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"
