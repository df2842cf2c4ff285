"""DLPack: tensors handed to other libraries, and taken from them, without a copy.

Source: `torch.utils.dlpack <https://docs.pytorch.org/docs/stable/dlpack.html>`_ and the Python
array API's `data interchange
<https://data-apis.org/array-api/latest/design_topics/data_interchange.html>`_.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .tensor import Tensor, wrap


class _Capsule:
    """A bare DLPack capsule, as something that NumPy asks for one."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **request: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def _exported(tensor: Tensor) -> Any:
    """The array to hand out."""
    if tensor.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if tensor._base is not None:
        tensor._refresh()
    return tensor._array


def export(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[Any, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A DLPack capsule of this tensor's memory (``Tensor.__dlpack__``).

    Args:
        stream: the consumer's stream, an int or None; without meaning on the CPU.
        max_version: the newest DLPack version that the consumer knows.
        dl_device: the device type and number on which the consumer wants the elements.
        copy: True for memory of its own, False to refuse one.
    Raises:
        BufferError: the tensor requires grad, or DLPack has no such dtype or device.
        TypeError: ``stream`` is no int.
    """
    if stream is not None and type(stream) is not int:
        raise TypeError("stream must be ``int`` or ``none``")
    array = _exported(self)
    if isinstance(array, np.ndarray):
        if not array.flags.writeable and max_version is None:
            array = np.asarray(_Memory(_described(array), array))  # an old consumer cannot be told
        if array.dtype.kind == "V":
            raise BufferError(f"NumPy exports no {self.dtype} through DLPack; convert it first")
        return array.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)
    return array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def device_of_export(self: Tensor) -> tuple[Any, int]:
    """The DLPack device type and number of this tensor (``Tensor.__dlpack_device__``)."""
    return self._array.__dlpack_device__()


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of the tensor's memory, to be consumed once.

    Source: https://docs.pytorch.org/docs/stable/dlpack.html
    """
    return export(tensor)


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's.

    Args:
        ext_tensor: an object with ``__dlpack__`` (an array of NumPy, JAX, PyTorch, ...), or a
            DLPack capsule.
        device: where the elements are wanted; where they are by default.
        copy: True for memory of its own, False to refuse one.
    Returns:
        the tensor.
    Raises:
        RuntimeError: ``ext_tensor`` is neither.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.from_dlpack.html
    """
    if isinstance(ext_tensor, Tensor):
        array: Any = _exported(ext_tensor)
        result = wrap(array.copy() if copy else array[...])
    elif hasattr(ext_tensor, "__dlpack__"):
        result = wrap(_imported(ext_tensor, copy))
    elif type(ext_tensor).__name__ == "PyCapsule":
        try:
            result = wrap(_imported(_Capsule(ext_tensor), None))
        except (ValueError, BufferError, RuntimeError) as error:
            raise _invalid(ext_tensor) from error
        if copy:
            result = wrap(result._array.copy())
    else:
        raise _invalid(ext_tensor)
    return result if device is None else result.to(device)


def _imported(source: Any, copy: bool | None) -> Any:
    """The array of what has a ``__dlpack__``, writable where its memory is."""
    if isinstance(source, np.ndarray):
        return source.copy() if copy else source.view()
    if type(source).__module__.partition(".")[0] in ("jax", "jaxlib"):
        return source
    array = np.from_dlpack(source) if copy is None else np.from_dlpack(source, copy=copy)
    if not array.flags.writeable:
        # Capsules of before DLPack 1.0 do not say; PyTorch writes to what it is given, and so do
        # the arrays that are made here from the same address.
        return np.asarray(_Memory(_described(array), array))
    return array


def _described(array: np.ndarray) -> dict[str, Any]:
    """Where the elements of ``array`` lie, to be written to."""
    address = array.__array_interface__["data"][0]
    return {
        "shape": array.shape, "strides": array.strides, "typestr": array.dtype.str,
        "data": (address, False), "version": 3,
    }  # fmt: skip


class _Memory:
    """Memory that ``owner`` keeps, described as NumPy wants it."""

    def __init__(self, interface: dict[str, Any], owner: Any) -> None:
        self.__array_interface__ = interface
        self.owner = owner


def _invalid(source: Any) -> RuntimeError:
    return RuntimeError(
        "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only "
        "once, so you might have already constructed a tensor from it. (It was given a "
        f"{type(source).__name__}; wanted is an object with __dlpack__, or a capsule.)"
    )


def attach() -> None:
    """Give Tensor its side of the protocol."""
    Tensor.__dlpack__ = export  # type: ignore[attr-defined]
    Tensor.__dlpack_device__ = device_of_export  # type: ignore[attr-defined]


__all__ = ["from_dlpack", "to_dlpack"]
