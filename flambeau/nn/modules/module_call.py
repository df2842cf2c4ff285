"""Calling a module: ``forward`` with the hooks that are registered around it.

Hooks are PyTorch's: forward pre-hooks, forward hooks, full backward (pre-)hooks, on one module or
on all modules, with keyword arguments, in front of the others, or called even when ``forward``
raised.  A module without hooks pays for one test.

Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Module.html
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from flambeau.nn.modules.module_path import name_path
from flambeau.tensor import Tensor
from flambeau.utils.hooks import RemovableHandle

__all__ = [
    "ModuleCall",
    "register_module_backward_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]


class _GlobalHook(NamedTuple):
    kind: str
    hook: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


# One dictionary for all kinds: the hot path then asks one question for every global hook.
_global_hooks: OrderedDict[int, _GlobalHook] = OrderedDict()


def _register_global(hook: _GlobalHook) -> RemovableHandle:
    handle = RemovableHandle(_global_hooks)
    _global_hooks[handle.id] = hook
    return handle


def _global(kind: str) -> list[tuple[int, _GlobalHook]]:
    return [(key, hook) for key, hook in _global_hooks.items() if hook.kind == kind]


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before every module's ``forward``.

    What the hook returns, unless None, replaces the positional arguments.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    return _register_global(_GlobalHook("forward_pre", hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after every module's ``forward``.

    Args:
        hook: what it returns, unless None, replaces the output.
        with_kwargs: whether the hook is called as ``hook(module, args, kwargs, output)``.
        always_call: whether the hook is called even if ``forward`` raised.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    return _register_global(_GlobalHook("forward", hook, with_kwargs, always_call))


def _check_global_backward_kind(full: bool) -> None:
    other = "backward" if full else "full_backward"
    if _global(other):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module "
            "hook. Please use only one of them."
        )


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Deprecated form of :func:`register_module_full_backward_hook`, with the same ``hook``.

    Returns:
        A handle whose ``remove()`` takes the hook away.

    Raises:
        RuntimeError: there are full backward hooks on all modules.
    """
    _check_global_backward_kind(full=False)
    return _register_global(_GlobalHook("backward", hook))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before every module's backward pass.

    What the hook returns, unless None, replaces ``grad_output``.

    Returns:
        A handle whose ``remove()`` takes the hook away.
    """
    return _register_global(_GlobalHook("full_backward_pre", hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` after every module's backward pass.

    What the hook returns, unless None, replaces ``grad_input``.

    Returns:
        A handle whose ``remove()`` takes the hook away.

    Raises:
        RuntimeError: there are deprecated backward hooks on all modules.
    """
    _check_global_backward_kind(full=True)
    return _register_global(_GlobalHook("full_backward", hook))


def _forward_unimplemented(self: Any, *input: Any) -> Any:
    """What the module computes: every subclass defines it."""
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
    )


class ModuleCall:
    """The part of :class:`Module` that runs ``forward`` and keeps the hooks around it."""

    _backward_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _backward_hooks: OrderedDict[int, Callable[..., Any]]
    _is_full_backward_hook: bool | None
    _forward_hooks: OrderedDict[int, Callable[..., Any]]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _compiled_call_impl: Callable[..., Any] | None = None

    forward: Callable[..., Any] = _forward_unimplemented

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or _global_hooks
            or self._compiled_call_impl is not None
        ):
            return self._wrapped_call_impl(*args, **kwargs)
        try:
            return self.forward(*args, **kwargs)
        except Exception as error:
            name_path(error, self)
            raise

    def _wrapped_call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if self._compiled_call_impl is not None:
            return self._compiled_call_impl(*args, **kwargs)
        return self._call_impl(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` with every hook; if it raises, the hooks that are always called."""
        called: set[int] = set()
        try:
            return self._call_with_hooks(args, kwargs, called)
        except Exception as error:
            self._call_remaining_hooks(args, kwargs, called)
            name_path(error, self)
            raise

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile this module's calls.

        Args:
            args, kwargs: those of :func:`torch.compile` behind the function.
        """
        import flambeau

        self._compiled_call_impl = flambeau.compile(self._call_impl, *args, **kwargs)

    # -- running the hooks ------------------------------------------------------------------------

    def _call_with_hooks(self, args: Any, kwargs: dict[str, Any], called: set[int]) -> Any:
        args, kwargs = self._run_forward_pre_hooks(args, kwargs)
        backward_pre_hooks = self._get_backward_pre_hooks()
        full_backward_hooks, backward_hooks = self._get_backward_hooks()
        backward = None
        if full_backward_hooks or backward_pre_hooks:
            from flambeau.nn.modules.backward_hook import BackwardHook

            backward = BackwardHook(self, full_backward_hooks, backward_pre_hooks)
            args = backward.setup_input_hook(args)
        result = self.forward(*args, **kwargs)
        result = self._run_forward_hooks(args, kwargs, result, called)
        if backward is not None:
            if not isinstance(result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple "
                    f"of Tensors but received {type(result)}",
                    stacklevel=4,
                )
            result = backward.setup_output_hook(result)
        if backward_hooks:
            self._register_on_grad_fn(backward_hooks, result)
        return result

    def _run_forward_pre_hooks(self, args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
        hooks = [(hook.hook, False) for _, hook in _global("forward_pre")]
        with_kwargs = self._forward_pre_hooks_with_kwargs
        hooks += [(hook, key in with_kwargs) for key, hook in self._forward_pre_hooks.items()]
        for hook, takes_kwargs in hooks:
            if takes_kwargs:
                replaced = hook(self, args, kwargs)
                if replaced is None:
                    continue
                if not isinstance(replaced, tuple) or len(replaced) != 2:
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {replaced}."
                    )
                args, kwargs = replaced
            else:
                replaced = hook(self, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        return args, kwargs

    def _all_forward_hooks(self) -> list[tuple[int, _GlobalHook]]:
        with_kwargs = self._forward_hooks_with_kwargs
        always = self._forward_hooks_always_called
        return _global("forward") + [
            (key, _GlobalHook("forward", hook, key in with_kwargs, key in always))
            for key, hook in self._forward_hooks.items()
        ]

    def _run_forward_hooks(
        self, args: Any, kwargs: dict[str, Any], result: Any, called: set[int]
    ) -> Any:
        for key, (_, hook, with_kwargs, always_call) in self._all_forward_hooks():
            if always_call:
                called.add(key)
            if with_kwargs:
                replaced = hook(self, args, kwargs, result)
            else:
                replaced = hook(self, args, result)
            if replaced is not None:
                result = replaced
        return result

    def _call_remaining_hooks(self, args: Any, kwargs: dict[str, Any], called: set[int]) -> None:
        """After an error: the hooks that must be called anyway; theirs are only warned about."""
        for key, (_, hook, with_kwargs, always_call) in self._all_forward_hooks():
            if not always_call or key in called:
                continue
            try:
                if with_kwargs:
                    hook(self, args, kwargs, None)
                else:
                    hook(self, args, None)
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error}",
                    stacklevel=5,
                )

    def _get_backward_hooks(self) -> tuple[list[Any], list[Any]]:
        """The full and the deprecated backward hooks, global ones first."""
        full = [hook.hook for _, hook in _global("full_backward")]
        deprecated = [hook.hook for _, hook in _global("backward")]
        own = self._backward_hooks.values()
        if self._is_full_backward_hook is True:
            full += own
        elif self._is_full_backward_hook is False:
            deprecated += own
        return full, deprecated

    def _get_backward_pre_hooks(self) -> list[Any]:
        hooks = [hook.hook for _, hook in _global("full_backward_pre")]
        return hooks + list(self._backward_pre_hooks.values())

    def _register_on_grad_fn(self, hooks: list[Any], result: Any) -> None:
        """Deprecated backward hooks: they see the gradients of the last operation only."""
        while not isinstance(result, Tensor):
            if isinstance(result, dict):
                result = next(value for value in result.values() if isinstance(value, Tensor))
            else:
                result = result[0]
        node = result.grad_fn
        if node is not None:
            for hook in hooks:
                node.register_hook(functools.wraps(hook)(functools.partial(hook, self)))

    # -- registering them -------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``.

        Args:
            hook: what it returns, unless None, replaces the positional arguments (a value that is
                no tuple becomes the only argument).
            prepend: whether it is called before this module's other forward pre-hooks.
            with_kwargs: whether it is called as ``hook(module, args, kwargs)``; it then returns
                None or a pair of new args and kwargs.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        handle = RemovableHandle(
            self._forward_pre_hooks, extra_dict=self._forward_pre_hooks_with_kwargs
        )
        self._forward_pre_hooks[handle.id] = hook
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        if prepend:
            self._forward_pre_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``.

        Args:
            hook: what it returns, unless None, replaces the output.
            prepend: whether it is called before this module's other forward hooks.
            with_kwargs: whether it is called as ``hook(module, args, kwargs, output)``.
            always_call: whether it is called (with output None) even if ``forward`` raised.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        handle = RemovableHandle(
            self._forward_hooks,
            extra_dict=[self._forward_hooks_with_kwargs, self._forward_hooks_always_called],
        )
        self._forward_hooks[handle.id] = hook
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        if prepend:
            self._forward_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward pass.

        Args:
            hook: what it returns, unless None, replaces ``grad_output`` (a tuple of tensors).
            prepend: whether it is called before this module's other backward pre-hooks.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        handle = RemovableHandle(self._backward_pre_hooks)
        self._backward_pre_hooks[handle.id] = hook
        if prepend:
            self._backward_pre_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` after the module's backward pass.

        Args:
            hook: gets the gradients of the positional inputs (None for those that need none) and
                of the outputs, as tuples; what it returns, unless None, replaces ``grad_input``.
            prepend: whether it is called before this module's other backward hooks.

        Returns:
            A handle whose ``remove()`` takes the hook away.

        Raises:
            RuntimeError: the module has hooks of the deprecated ``register_backward_hook``.
        """
        return self._register_backward_hook(hook, full=True, prepend=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Deprecated: use :meth:`register_full_backward_hook`.

        The hook sees the gradients of the last operation in ``forward``, not the module's.

        Returns:
            A handle whose ``remove()`` takes the hook away.

        Raises:
            RuntimeError: the module has full backward hooks.
        """
        return self._register_backward_hook(hook, full=False, prepend=False)

    def _register_backward_hook(
        self, hook: Callable[..., Any], full: bool, prepend: bool
    ) -> RemovableHandle:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self._is_full_backward_hook = full
        handle = RemovableHandle(self._backward_hooks)
        self._backward_hooks[handle.id] = hook
        if prepend:
            self._backward_hooks.move_to_end(handle.id, last=False)
        return handle
