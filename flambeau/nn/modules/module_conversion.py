"""Changing the dtype or device of all of a module's parameters and buffers.

Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Module.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import flambeau
from flambeau.nn.parameter import Parameter, UninitializedBuffer, is_lazy
from flambeau.tensor import Tensor

if TYPE_CHECKING:
    from flambeau.nn.modules.module import Module

__all__ = ["ModuleConversion"]


class ModuleConversion:
    """The part of :class:`Module` that converts parameters and buffers."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every parameter's data and gradient and every buffer by what ``fn`` returns.

        The parameters stay the same objects: an optimizer that holds them goes on working.
        """
        if recurse:
            for module in self._modules.values():
                if module is not None:
                    module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            with flambeau.no_grad():
                converted = fn(parameter)
            if converted is not parameter:
                parameter.data = converted
            gradient = parameter.grad
            if gradient is not None:
                with flambeau.no_grad():
                    converted = fn(gradient)
                if converted is not gradient:
                    needs_grad = gradient.requires_grad
                    parameter.grad = converted.requires_grad_(needs_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                moved = fn(buffer)
                if isinstance(buffer, UninitializedBuffer) and type(moved) is Tensor:
                    moved = UninitializedBuffer(
                        device=moved.device, dtype=moved.dtype, persistent=buffer.persistent
                    )
                self._buffers[name] = moved
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move or cast the parameters and buffers, in place; return the module.

        Called as ``to(device)``, ``to(dtype)``, ``to(device, dtype)`` or ``to(tensor)``, also with
        ``non_blocking``, ``copy`` and ``memory_format``.

        Args:
            args, kwargs: these, by position or by name:
            device: where parameters and buffers go.
            dtype: a floating point or complex dtype, for those that are floating point or complex.
            tensor: one whose device and dtype are taken.
            memory_format: that of parameters and buffers with four or five dims.

        Raises:
            TypeError: the dtype is neither floating point nor complex, or the arguments are others.
        """
        device, dtype, non_blocking, memory_format = _conversion_of(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            target = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            options: dict[str, Any] = {}
            if device is not None:
                options["device"] = device
            if target is not None:
                options["dtype"] = target
            if memory_format is not None and tensor.dim() in (4, 5):
                options["memory_format"] = memory_format
            if not options:
                return tensor
            try:
                return tensor.to(**options, non_blocking=non_blocking)
            except NotImplementedError as error:
                if str(error).startswith("Cannot copy out of meta tensor; no data!"):
                    raise NotImplementedError(
                        "Cannot copy out of meta tensor; no data! Please use "
                        "torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving "
                        "module from meta to a different device."
                    ) from None
                raise

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to ``device`` without copying: parameters and buffers are then uninitialised.

        Args:
            device: where they go.
            recurse: whether submodules go with it.

        Returns:
            The module.
        """
        return self._apply(lambda tensor: flambeau.empty_like(tensor, device=device), recurse)

    def cpu(self) -> Self:
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Move all parameters and buffers to the GPU (``device``: which one)."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def type(self, dst_type: Any) -> Self:
        """Cast all parameters and buffers to ``dst_type``."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _cast(self, dtype: Any) -> Self:
        return self._apply(
            lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor
        )

    def float(self) -> Self:
        """Cast all floating point parameters and buffers to float32."""
        return self._cast(flambeau.float32)

    def double(self) -> Self:
        """Cast all floating point parameters and buffers to float64."""
        return self._cast(flambeau.float64)

    def half(self) -> Self:
        """Cast all floating point parameters and buffers to float16."""
        return self._cast(flambeau.float16)

    def bfloat16(self) -> Self:
        """Cast all floating point parameters and buffers to bfloat16."""
        return self._cast(flambeau.bfloat16)

    def share_memory(self) -> Self:
        """Move all parameters and buffers to memory that other processes can map."""
        return self._apply(lambda tensor: tensor if is_lazy(tensor) else tensor.share_memory_())


def _conversion_of(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """``(device, dtype, non_blocking, memory_format)`` of the arguments of ``Module.to``."""
    known = {"device", "dtype", "non_blocking", "copy", "memory_format", "tensor"}
    positional = list(args)
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    tensor = kwargs.get("tensor")
    ok = set(kwargs) <= known and len(positional) <= 4
    if positional and isinstance(positional[0], Tensor):
        tensor = positional.pop(0)
    elif positional and isinstance(positional[0], flambeau.dtype):
        dtype = positional.pop(0)
    elif positional and (
        positional[0] is None
        or (isinstance(positional[0], (str, int, flambeau.device)))
        and not isinstance(positional[0], bool)
    ):
        device = positional.pop(0)
        if positional and (positional[0] is None or isinstance(positional[0], flambeau.dtype)):
            dtype = positional.pop(0)
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    ok = ok and all(isinstance(flag, bool) for flag in positional)
    ok = ok and (dtype is None or isinstance(dtype, flambeau.dtype))
    if not ok or not (args or kwargs):
        got = ", ".join(
            [type(value).__name__ for value in args]
            + [f"{name}={type(value).__name__}" for name, value in kwargs.items()]
        )
        flags = (
            "bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)"
        )
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({got}), but expected one "
            f"of:\n * (torch.device device = None, torch.dtype dtype = None, {flags}\n"
            f" * (torch.dtype dtype, {flags}\n * (Tensor tensor, {flags}\n"
        )
    if device is not None:
        device = flambeau.device(device)
    non_blocking = kwargs.get("non_blocking", positional[0] if positional else False)
    return device, dtype, non_blocking, kwargs.get("memory_format")
