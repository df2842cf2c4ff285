"""Saving a module to a state dict and loading it from one; copying and pickling.

Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Module.html
"""

from __future__ import annotations

import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import flambeau
from flambeau.nn.parameter import Parameter, is_lazy
from flambeau.tensor import Tensor
from flambeau.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from flambeau.nn.modules.module import Module

__all__ = ["ModuleState", "type_name"]

_EXTRA_STATE_KEY = "_extra_state"


def type_name(value: Any) -> str:
    """What PyTorch's messages call the type of ``value``: ``torch.FloatTensor``, ``int``.

    Returns:
        A string.
    """
    if isinstance(value, Tensor):
        return value.type()
    kind = type(value)
    module = kind.__module__
    return (
        kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    )


class _IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` returns: keys that were missing, keys that nothing asked for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )

    def __str__(self) -> str:
        return repr(self)


class _HookWithModule:
    """A load hook that also gets its module; it can be copied and pickled with the module."""

    def __init__(self, hook: Callable[..., Any], module: Any = None) -> None:
        self.hook = hook
        self.with_module = module is not None
        self.module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.with_module:
            return self.hook(self.module, *args, **kwargs)
        return self.hook(*args, **kwargs)


class ModuleState:
    """The part of :class:`Module` that is its state: ``state_dict`` and ``load_state_dict``."""

    _version: int
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Module | None]
    _state_dict_hooks: OrderedDict[int, Callable[..., Any]]
    _state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]

    # -- saving ---------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """State beyond parameters and buffers, to be saved with them: a subclass defines it.

        Returns:
            Anything that ``torch.save`` takes.

        Raises:
            RuntimeError: the class does not define it.
        """
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called: a module "
            "with extra state defines get_extra_state() and set_extra_state()."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back the ``state`` that :meth:`get_extra_state` returned: a subclass defines it.

        Raises:
            RuntimeError: the class does not define it.
        """
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called: a module "
            "with extra state defines get_extra_state() and set_extra_state()."
        )

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put this module's own parameters, buffers and extra state into ``destination``."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if type(self).get_extra_state is not ModuleState.get_extra_state:
            destination[prefix + _EXTRA_STATE_KEY] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """All parameters and persistent buffers, of submodules too, by their dotted names.

        Args:
            destination: a dictionary to put them into (by default a new ``OrderedDict``).
            prefix: put in front of every name.
            keep_vars: whether the tensors are the module's own instead of detached ones, which
                share their memory.
            args: the three by position, which is deprecated.

        Returns:
            The dictionary; its attribute ``_metadata`` holds each module's version.

        Raises:
            RuntimeError: a hook of :meth:`register_state_dict_post_hook` returned something.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            given = dict(zip(("destination", "prefix", "keep_vars"), args))
            destination = given["destination"] if destination is None else destination
            prefix = given.get("prefix", prefix) if prefix == "" else prefix
            keep_vars = given.get("keep_vars", keep_vars) if keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            replaced = hook(self, destination, prefix, local_metadata)
            if replaced is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = replaced
        return destination

    # -- loading --------------------------------------------------------------------------------

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own parameters and buffers, not those of its submodules.

        What went wrong is added to the three lists. A subclass that saves more, or that reads
        older versions (``local_metadata["version"]``), overrides this.
        """
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        assign = local_metadata.get("assign_to_params_buffers", False)
        persistent = (
            item
            for item in self._buffers.items()
            if item[0] not in self._non_persistent_buffers_set
        )
        own = {
            name: tensor
            for name, tensor in itertools.chain(self._parameters.items(), persistent)
            if tensor is not None
        }
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_tensor(name, tensor, key, state_dict[key], assign)
                if error:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        self._load_extra_state(state_dict, prefix, strict, missing_keys, unexpected_keys)
        if strict:
            extra_state_key = prefix + _EXTRA_STATE_KEY
            for key in state_dict:
                if not key.startswith(prefix) or key == extra_state_key:
                    continue
                name, *rest = key[len(prefix) :].split(".", 1)
                if name not in (self._modules if rest else own):
                    unexpected_keys.append(key)

    def _load_tensor(
        self, name: str, tensor: Tensor, key: str, value: Any, assign: bool
    ) -> str | None:
        """Copy ``value`` into the parameter or buffer ``name``; the message if it cannot be."""
        if not isinstance(value, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(value)}"
            )
        if not is_lazy(tensor):
            if tensor.dim() == 0 and value.dim() == 1 and len(value) > 0:
                value = value[0]  # checkpoints of PyTorch 0.3 saved scalars with one dimension
            if value.shape != tensor.shape:
                return (
                    f"size mismatch for {key}: copying a param with shape {value.shape} from "
                    f"checkpoint, the shape in current model is {tensor.shape}."
                )
            if tensor.is_meta and not value.is_meta and not assign:
                warnings.warn(
                    f"for {key}: copying from a non-meta parameter in the checkpoint to a meta "
                    "parameter in the current model, which is a no-op. (Did you mean to pass "
                    "`assign=True` to assign items in the state dictionary to their corresponding "
                    "key in the module instead of copying them in place?)",
                    stacklevel=6,
                )
        try:
            with flambeau.no_grad():
                if assign:
                    self._assign_tensor(name, tensor, value)
                else:
                    tensor.copy_(value)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{tensor.size()} and whose dimensions in the checkpoint are {value.size()}, an "
                f"exception occurred : {error.args}."
            )
        return None

    def _assign_tensor(self, name: str, tensor: Tensor, value: Tensor) -> None:
        if isinstance(tensor, Parameter):
            if isinstance(value, Parameter):
                value.requires_grad_(tensor.requires_grad)
            else:
                value = Parameter(value, requires_grad=tensor.requires_grad)
        setattr(self, name, value)

    def _load_extra_state(
        self,
        state_dict: Any,
        prefix: str,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
    ) -> None:
        key = prefix + _EXTRA_STATE_KEY
        if type(self).set_extra_state is not ModuleState.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy parameters and buffers from ``state_dict`` into this module and its submodules.

        Args:
            state_dict: as :meth:`state_dict` returns it.
            strict: whether the keys must match exactly.
            assign: whether the tensors of ``state_dict`` become the module's own, with their dtype
                and device, instead of being copied into those there are.

        Returns:
            A pair of lists, ``missing_keys`` and ``unexpected_keys``.

        Raises:
            TypeError: ``state_dict`` is no mapping.
            RuntimeError: a key is missing or unexpected (if ``strict``), or a shape differs; all
                that is wrong is listed.
            AssertionError: a hook of :meth:`register_load_state_dict_post_hook` returned something.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing_keys: list[str] = []
        unexpected_keys: list[str] = []
        error_msgs: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata  # type: ignore[attr-defined]

        def load(module: Any, state: Any, prefix: str = "") -> None:
            local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local_metadata["assign_to_params_buffers"] = assign
            module._load_from_state_dict(
                state, prefix, local_metadata, True, missing_keys, unexpected_keys, error_msgs
            )
            for name, child in module._modules.items():
                if child is not None:
                    start = f"{prefix}{name}."
                    below = {key: value for key, value in state.items() if key.startswith(start)}
                    load(child, below, start)
            incompatible = _IncompatibleKeys(missing_keys, unexpected_keys)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, incompatible) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                        "expected to return new values, if incompatible_keys need to be modified, "
                        "it should be done inplace."
                    )

        load(self, state_dict)
        if strict:
            for title, keys in (("Unexpected", unexpected_keys), ("Missing", missing_keys)):
                if keys:
                    names = ", ".join(f'"{key}"' for key in keys)
                    error_msgs.insert(0, f"{title} key(s) in state_dict: {names}. ")
        if error_msgs:
            listed = "\n\t".join(error_msgs)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}"
            )
        return _IncompatibleKeys(missing_keys, unexpected_keys)

    # -- hooks ----------------------------------------------------------------------------------

    @staticmethod
    def _add_hook(hooks: OrderedDict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)``; it may return another dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously "
                "registered via register_state_dict_post_hook"
            )
        return self._add_hook(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict()``.

        The hook changes ``state_dict`` in place and returns None.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        hook._from_public_api = True  # type: ignore[attr-defined]
        return self._add_hook(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict()`` collects anything.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._add_hook(self._state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        wrapped = _HookWithModule(hook, self if with_module else None)
        return self._add_hook(self._load_state_dict_pre_hooks, wrapped)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook`` before this module's own parameters are loaded.

        It is called as ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)`` and may change all of these in place.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after this module and those below are loaded.

        The hook changes ``incompatible_keys.missing_keys`` and ``.unexpected_keys`` in place and
        returns None.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._add_hook(self._load_state_dict_post_hooks, hook)

    # -- pickling and copying ---------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_compiled_call_impl", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickles of older versions lack what was added since.
        defaults: dict[str, Any] = {
            "_forward_pre_hooks": OrderedDict,
            "_forward_pre_hooks_with_kwargs": OrderedDict,
            "_forward_hooks_with_kwargs": OrderedDict,
            "_forward_hooks_always_called": OrderedDict,
            "_state_dict_hooks": OrderedDict,
            "_state_dict_pre_hooks": OrderedDict,
            "_load_state_dict_pre_hooks": OrderedDict,
            "_load_state_dict_post_hooks": OrderedDict,
            "_non_persistent_buffers_set": set,
            "_is_full_backward_hook": lambda: None,
            "_backward_pre_hooks": OrderedDict,
        }
        self.__dict__.update(state)
        for name, default in defaults.items():
            if name not in self.__dict__:
                self.__dict__[name] = default()

    def _replicate_for_data_parallel(self) -> Any:
        """A shallow copy without parameters, for a replica that gets its own."""
        replica: Any = type(self).__new__(type(self))
        replica.__dict__ = self.__dict__.copy()
        replica._parameters = {}
        replica._buffers = self._buffers.copy()
        replica._modules = self._modules.copy()
        replica._is_replica = True
        return replica
