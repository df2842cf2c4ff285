"""``Parameter``, ``Buffer`` and their uninitialised forms (``torch.nn.parameter``).

Source: https://docs.pytorch.org/docs/2.13/nn.html (parameters and buffers)
"""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.tensor import TENSORS, Tensor

__all__ = [
    "Parameter",
    "UninitializedParameter",
    "is_lazy",
    "Buffer",
    "UninitializedBuffer",
    "UninitializedTensorMixin",
]


def _share(cls: type[Any], data: Tensor, requires_grad: bool) -> Any:
    """A tensor of class ``cls`` on the memory of ``data``, without its history."""
    tensor = object.__new__(cls)
    tensor._array = data.detach()._array
    if data._inference:
        tensor._inference = True
    if requires_grad:
        if data._inference and not flambeau.is_inference_mode_enabled():
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed."
            )
        if not (tensor.is_floating_point() or tensor.is_complex()):
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients, and a "
                f"parameter does unless requires_grad=False is given: this one is {tensor.dtype}"
            )
        tensor._requires_grad = True
    return tensor


class _ParameterMeta(type(Tensor)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        # A tensor subclass that was made a parameter keeps its own class and is marked.
        return (
            cls is Parameter
            and isinstance(instance, Tensor)
            and getattr(instance, "_is_param", False)
        )


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that, assigned as an attribute of a module, is one of its parameters.

    Args:
        data: the values; the parameter shares their memory.
        requires_grad: whether gradients are computed for it (not switched off by ``no_grad``).

    Raises:
        TypeError: ``data`` is no tensor.
        RuntimeError: a gradient of integers, or of an inference tensor, is asked for.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.parameter.Parameter.html
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = flambeau.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return _share(cls, data, requires_grad)
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter data must be a Tensor, not {type(data).__name__}: "
                "torch.tensor(...) makes one"
            )
        tensor = data.detach().requires_grad_(requires_grad)
        if type(tensor) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires "
                "that detach() returns an instance of the same type, but return type "
                f"{type(tensor).__name__} was found instead."
            )
        tensor._is_param = True  # type: ignore[attr-defined]
        return tensor

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        copied = type(self)(self.data.clone(), self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __repr__(self) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + super().__repr__()


# Operations take parameters on their direct path, like plain tensors.
TENSORS.add(Parameter)


class _BufferMeta(type(Tensor)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that, assigned as an attribute of a module, is one of its buffers.

    Args:
        data: the values; the buffer shares their memory. (What is made is a plain tensor that is
            marked as a buffer, as in PyTorch.)
        persistent: whether the buffer is part of the module's ``state_dict``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.parameter.Buffer.html
    """

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = flambeau.empty(0)
        tensor = data.detach().requires_grad_(data.requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor


class UninitializedTensorMixin:
    """A tensor whose shape is not known yet: only its dtype and device are.

    Lazy modules hold them until the first call shows them the shape of their input.
    """

    cls_to_become: type[Any]

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary parameter (or buffer) of ``shape``, with uninitialised values.

        Args:
            shape: the shape.
            device: by default the device that was given at construction.
            dtype: by default the dtype that was given at construction.
        """
        device = device if device is not None else self.data.device  # type: ignore[has-type]
        dtype = dtype if dtype is not None else self.data.dtype  # type: ignore[has-type]
        self.data = flambeau.empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        """Not known yet.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self) -> Any:
        """There is no memory to share yet.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc, metaclass]
    """A parameter whose shape is not known yet.

    Args:
        requires_grad: whether gradients will be computed for it.
        device: where it will be.
        dtype: what it will hold.

    Raises:
        RuntimeError: gradients of integers are asked for; or its shape, before it has one.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        data = flambeau.empty(0, device=device, dtype=dtype)
        return _share(cls, data, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        copied = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        memo[id(self)] = copied
        return copied


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc]
    """A buffer whose shape is not known yet.

    Args:
        requires_grad: whether gradients will be computed for it.
        device: where it will be.
        dtype: what it will hold.
        persistent: whether the buffer is part of the module's ``state_dict``.

    Raises:
        RuntimeError: gradients of integers are asked for; or its shape, before it has one.
    """

    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> Any:
        data = flambeau.empty(0, device=device, dtype=dtype)
        buffer = _share(cls, data, requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer


def is_lazy(param: Any) -> bool:
    """Whether ``param`` is an uninitialised parameter or buffer.

    Returns:
        A bool.
    """
    return isinstance(param, UninitializedTensorMixin)
