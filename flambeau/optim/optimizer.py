"""The base class of all optimizers: parameter groups, state, hooks and state dicts.

Source: https://docs.pytorch.org/docs/2.13/optim.html
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, TypeAlias

from flambeau.autograd.grad_mode import enable_grad, no_grad, set_grad_enabled
from flambeau.dtypes import float32
from flambeau.modes import MODES, STRUCTURE
from flambeau.optim.hyperparameter import type_name
from flambeau.tensor import Tensor
from flambeau.utils.hooks import RemovableHandle

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]

_global_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()

_HOOK_DICTIONARIES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class _Required:
    """Marks a default that every parameter group has to give itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer.

    The optimizer is the first of ``args``.  The hook may return ``(new_args, new_kwargs)`` to
    replace the arguments of ``step``, the optimizer among them.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    handle = RemovableHandle(_global_pre_hooks)
    _global_pre_hooks[handle.id] = hook
    return handle


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    handle = RemovableHandle(_global_post_hooks)
    _global_post_hooks[handle.id] = hook
    return handle


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """``step`` with the step hooks around it.

    A subclass whose ``step`` calls ``super().step()`` runs the hooks once: only the outermost
    definition does.
    """

    @functools.wraps(step)
    def hooked_step(*args: Any, **kwargs: Any) -> Any:
        self: Optimizer = args[0]
        before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        if not (before or after or _global_pre_hooks or _global_post_hooks) or (
            getattr(type(self), "step", None) is not hooked_step
        ):
            return step(*args, **kwargs)
        for hook in [*_global_pre_hooks.values(), *before.values()]:
            replaced = hook(self, args, kwargs)
            if replaced is None:
                continue
            if not isinstance(replaced, tuple) or len(replaced) != 2:
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {replaced}."
                )
            args, kwargs = replaced
        result = step(*args, **kwargs)
        for hook in [*after.values(), *_global_post_hooks.values()]:
            hook(self, args, kwargs)
        return result

    hooked_step.hooked = True  # type: ignore[attr-defined]
    return hooked_step


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for ``step``: gradients are recorded if the default ``differentiable`` says so."""

    @functools.wraps(step)
    def guarded_step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **kwargs)

    return guarded_step


class Optimizer:
    """Keeps parameters in groups, with the state and the hyperparameters of their updates.

    A subclass calls ``super().__init__(params, defaults)`` and defines ``step``.

    Args:
        params: tensors to optimize, or ``(name, tensor)`` pairs (``named_parameters()``), or
            dictionaries, each a parameter group: ``{"params": ..., "lr": ...}``.
        defaults: the value of each option for groups that do not give it.

    Raises:
        TypeError: ``params`` is a single tensor or a set, or holds something not a tensor.
        ValueError: no parameters, a non-leaf parameter, one in two groups, a missing option.
        RuntimeError: in ``step``, a step pre-hook returns something else than a pair.

    Source: ``torch.optim.Optimizer``.
    """

    # A subclass that wraps another optimizer may never call this class's constructor: no hooks.
    _optimizer_step_pre_hooks: Mapping[int, Callable[..., Any]] = MappingProxyType({})
    _optimizer_step_post_hooks: Mapping[int, Callable[..., Any]] = MappingProxyType({})
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if callable(step) and not hasattr(step, "hooked"):
            cls.step = _with_hooks(step)  # type: ignore[method-assign]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        for name in _HOOK_DICTIONARIES:
            setattr(self, name, OrderedDict())
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {type_name(params)}"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            # The iterable itself says whether it is ordered: a set is refused as such.
            groups = [{"params": params if isinstance(params, set) else groups}]
        for group in groups:
            self.add_param_group(group)

    # -- description and pickling

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in _HOOK_DICTIONARIES:
            self.__dict__.setdefault(name, OrderedDict())
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = []
        for index, group in enumerate(self.param_groups):
            lines.append(f"\nParameter Group {index}\n")
            lines += [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
        return f"{type(self).__name__} ({''.join(lines)})"

    # -- parameter groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, for instance layers that were frozen until now.

        Args:
            param_group: ``"params"`` (as in the constructor) and the group's own options; options
                that it does not give are filled in from the defaults.

        Raises:
            TypeError: not a dictionary; parameters in a set; something not a tensor.
            ValueError: a non-leaf tensor, a required option missing, names for some parameters
                only, or a parameter that another group holds already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        STRUCTURE.version += 1
        given = param_group["params"]
        if isinstance(given, Tensor):
            given = [given]
        elif isinstance(given, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but "
                "the ordering of tensors in sets will change between runs. "
                "Please use a list instead."
            )
        given = list(given)
        names = [item[0] for item in given if isinstance(item, tuple)]
        params = [item[1] if isinstance(item, tuple) else item for item in given]
        param_group["params"] = params
        if names:
            if len(names) != len(params):
                raise ValueError(
                    "all optimizer params should be with/without names. "
                    "Some param names are missing"
                )
            param_group["param_names"] = names

        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + type_name(param)
                )
            if not self.defaults.get("differentiable") and not (
                param.is_leaf or param.retains_grad
            ):
                raise ValueError("can't optimize a non-leaf Tensor")

        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization "
                    f"parameter {name}"
                )
            param_group.setdefault(name, default)

        own = {id(param) for param in params}
        if len(own) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; "
                "in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                kind = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {kind} to the optimizer"
                )
            if any(id(param) in own for param in group["params"]):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: set ``.grad`` to None (the default; such parameters are skipped by
                ``step`` until they get a gradient), rather than filling it with zeros.
        """
        if set_to_none:
            capture = MODES.capture
            for group in self.param_groups:
                for param in group["params"]:
                    if capture is not None:
                        capture.note_grad(param, replaced=True)
                    param._grad = None
            return
        for group in self.param_groups:
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                if grad.grad_fn is not None:
                    grad.detach_()
                else:
                    grad.requires_grad_(False)
                with no_grad():
                    grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters from their gradients.

        Args:
            closure: computes the loss anew (forward and backward) and returns it.

        Returns:
            What the closure returned, or None without one.

        Raises:
            NotImplementedError: a subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define step(): a subclass of Optimizer has to"
        )

    @staticmethod
    def _evaluate(closure: Callable[[], Any] | None) -> Any:
        """The closure's loss, computed with gradients recorded; None without a closure."""
        if closure is None:
            return None
        with enable_grad():
            return closure()

    # -- hooks

    def _register(self, hooks: Any, hook: Any, prepend: bool = False) -> RemovableHandle:
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step.

        The optimizer is the first of ``args``.  The hook may return ``(new_args, new_kwargs)`` to
        replace the arguments of ``step``, the optimizer among them.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[[Optimizer], None], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict`` gathers; ``prepend`` puts it first.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)``, which may return another, after gathering.

        ``prepend`` puts it before this optimizer's other hooks of the kind.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)``, which may return another, before loading.

        ``prepend`` puts it before this optimizer's other hooks of the kind.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[[Optimizer], None], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict``; ``prepend`` puts it first.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # -- state dicts

    def state_dict(self) -> dict[str, Any]:
        """The state as a dictionary that can be saved, in PyTorch's layout.

        Returns:
            ``{"state": {index: state}, "param_groups": [...]}``, where each group's ``"params"``
            are indices: parameters are numbered in the order of the groups.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        index_of: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                index_of.setdefault(id(param), len(index_of))
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [index_of[id(param)] for param in group["params"]]
            groups.append(packed)
        result: dict[str, Any] = {
            "state": {
                index_of[id(key)] if isinstance(key, Tensor) else key: value
                for key, value in self.state.items()
            },
            "param_groups": groups,
        }
        for hook in self._optimizer_state_dict_post_hooks.values():
            replaced = hook(self, result)
            if replaced is not None:
                result = replaced
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the options that :meth:`state_dict` returned.

        Floating state is cast to its parameter's dtype; step counts keep theirs (float32 for
        capturable and fused groups). The groups keep their parameters.

        Args:
            state_dict: what :meth:`state_dict` returned, here or in PyTorch.

        Raises:
            ValueError: another number of groups, or of parameters in a group.
        """
        STRUCTURE.version += 1
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = hook(self, state_dict)
            if replaced is not None:
                state_dict = replaced

        groups = self.param_groups
        saved_groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for group, saved in zip(groups, saved_groups, strict=True):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group "
                    "that doesn't match the size of optimizer's group"
                )

        owner: dict[Any, tuple[Any, dict[str, Any]]] = {}
        for group, saved in zip(groups, saved_groups, strict=True):
            for index, param in zip(saved["params"], group["params"], strict=True):
                owner[index] = (param, saved)
        state: defaultdict[Any, Any] = defaultdict(dict)
        for index, value in state_dict["state"].items():
            if index in owner:
                param, saved = owner[index]
                state[param] = _cast_state(param, value, saved)
            else:
                state[index] = value

        for group, saved in zip(groups, saved_groups, strict=True):
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": list(saved_groups)})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)


def _cast_state(param: Any, value: Any, group: dict[str, Any], key: Any = None) -> Any:
    """A copy of a loaded state whose tensors fit ``param``."""
    if isinstance(value, Tensor):
        if key == "step":
            if group.get("capturable") or group.get("fused"):
                return value.to(dtype=float32, device=param.device)
            return value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {name: _cast_state(param, item, group, name) for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        items: Any = (_cast_state(param, item, group) for item in value)
        return type(value)(items)  # type: ignore[call-arg]
    return value
