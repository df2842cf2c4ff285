"""Full backward hooks: two identity functions around a module, which see its gradients pass.

One takes the module's outputs: in the backward pass it receives ``grad_output``, before the
module's own backward. The other takes its inputs and receives ``grad_input``, after it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from flambeau.autograd import Function, is_grad_enabled
from flambeau.tensor import Tensor

__all__ = ["BackwardHook"]


class BackwardHookFunction(Function):
    """The identity on its tensors; ``seen(gradients)`` may replace them on the way back."""

    @staticmethod
    def forward(ctx: Any, seen: Callable[[tuple[Any, ...]], tuple[Any, ...]], *tensors: Any) -> Any:
        ctx.seen = seen
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(tensor for tensor in tensors if not tensor.requires_grad))
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return (None, *ctx.seen(gradients))


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


class BackwardHook:
    """The backward hooks of one call of a module.

    Args:
        module: the module that the hooks are called with.
        hooks: called as ``hook(module, grad_input, grad_output)`` after the module's backward.
        pre_hooks: called as ``hook(module, grad_output)`` before it.
    """

    def __init__(self, module: Any, hooks: list[Any], pre_hooks: list[Any]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: tuple[Any, ...] | None = None
        self.n_inputs = 0
        self.input_places: list[int] | None = None
        self.n_outputs = 0
        self.output_places: list[int] = []

    def setup_input_hook(self, args: Any) -> Any:
        """``args`` with the tensors in it led through the function that sees ``grad_input``."""
        args = _as_tuple(args)
        self.n_inputs = len(args)
        wrapped, places = self._lead_through(self._inputs_seen, args)
        self.input_places = places or None
        return wrapped

    def setup_output_hook(self, result: Any) -> Any:
        """The module's result led through the function that sees ``grad_output``."""
        outputs = _as_tuple(result)
        self.n_outputs = len(outputs)
        wrapped, self.output_places = self._lead_through(self._outputs_seen, outputs)
        return wrapped if isinstance(result, tuple) else wrapped[0]

    def _lead_through(self, seen: Any, values: tuple[Any, ...]) -> tuple[Any, list[int]]:
        places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        tensors = [values[i] for i in places]
        if not (is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)):
            return values, []
        led = list(values)
        for place, tensor in zip(places, BackwardHookFunction.apply(seen, *tensors)):
            led[place] = tensor
        if type(values) is not tuple and hasattr(values, "_fields"):
            return type(values)(*led), places
        return tuple(led), places

    def _inputs_seen(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_outputs is None:
            # The gradient reached an input without passing the output: no backward of this module.
            return gradients
        assert self.input_places is not None
        grad_input = self._spread(gradients, self.input_places, self.n_inputs)
        for hook in self.hooks:
            replaced = hook(self.module, grad_input, self.grad_outputs)
            if replaced is None:
                continue
            replaced = _as_tuple(replaced)
            if len(replaced) != len(grad_input):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, got "
                    f"{len(replaced)}, but expected {len(grad_input)}"
                )
            grad_input = replaced
        self.grad_outputs = None
        return tuple(grad_input[i] for i in self.input_places)

    def _outputs_seen(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        grad_output = self._spread(gradients, self.output_places, self.n_outputs)
        for hook in self.pre_hooks:
            replaced = hook(self.module, grad_output)
            if replaced is None:
                continue
            replaced = _as_tuple(replaced)
            if len(replaced) != len(grad_output):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, got "
                    f"{len(replaced)}, but expected {len(grad_output)}"
                )
            grad_output = replaced
        self.grad_outputs = grad_output
        if self.input_places is None and self.hooks:
            self._hooks_without_inputs(grad_output)
        return tuple(grad_output[i] for i in self.output_places)

    def _hooks_without_inputs(self, grad_output: tuple[Any, ...]) -> None:
        """No input needs a gradient: the hooks are called now, and can only look."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See "
            "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=5,
        )
        grad_input = (None,) * self.n_inputs
        for hook in self.hooks:
            replaced = hook(self.module, grad_input, grad_output)
            if replaced is not None and any(g is not None for g in _as_tuple(replaced)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None

    @staticmethod
    def _spread(gradients: tuple[Any, ...], places: list[int], size: int) -> tuple[Any, ...]:
        spread: list[Any] = [None] * size
        for place, gradient in zip(places, gradients):
            spread[place] = gradient
        return tuple(spread)
