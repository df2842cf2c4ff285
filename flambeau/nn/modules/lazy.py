"""``LazyModuleMixin``: layers that learn the size of their input from the first one."""

from __future__ import annotations

import itertools
from typing import Any

from flambeau.nn.parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """A module whose parameters get their shapes in the first call, and whose class changes then.

    A subclass names in ``cls_to_become`` the class it turns into, makes its parameters
    ``UninitializedParameter`` and defines ``initialize_parameters``, which gets the first input.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.modules.lazy.LazyModuleMixin.html

    Args:
        args, kwargs: what the class behind it is made with.
    """

    cls_to_become: type[Any] | None = None

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _save_to_state_dict(self: Any, destination: Any, prefix: str, keep_vars: bool) -> None:
        # An uninitialised parameter has nothing to detach; it is saved as what it is.
        for name, tensor in self._parameters.items():
            if tensor is not None:
                as_is = keep_vars or is_lazy(tensor)
                destination[prefix + name] = tensor if as_is else tensor.detach()
        for name, tensor in self._buffers.items():
            if tensor is not None and name not in self._non_persistent_buffers_set:
                as_is = keep_vars or is_lazy(tensor)
                destination[prefix + name] = tensor if as_is else tensor.detach()

    def _lazy_load_hook(self: Any, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Before loading: take the shapes from a state dict whose parameters are initialised."""
        for name, tensor in itertools.chain(self._parameters.items(), self._buffers.items()):
            loaded = state_dict.get(prefix + name)
            if loaded is not None and tensor is not None and is_lazy(tensor):
                if not is_lazy(loaded):
                    tensor.materialize(loaded.shape)

    def initialize_parameters(self: Any, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that the first call's arguments ask for.

        Args:
            args, kwargs: those of the first call.

        Raises:
            NotImplementedError: a subclass does not define it.
        """
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self: Any) -> bool:
        """Whether any parameter or buffer of this module itself has no shape yet."""
        tensors = itertools.chain(self._parameters.values(), self._buffers.values())
        return any(is_lazy(tensor) for tensor in tensors)

    def _infer_parameters(self: Any, module: Any, args: Any, kwargs: Any = None) -> None:
        """The forward pre-hook: initialise, then become the ordinary class."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        delattr(module, "_initialize_hook")
        delattr(module, "_load_hook")
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self: Any) -> Any:
        raise RuntimeError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy "
            "forward pass to correctly initialize the modules"
        )
