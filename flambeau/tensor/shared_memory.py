"""Tensors whose memory several processes see.

:meth:`Tensor.share_memory_` moves the elements into a block of ``multiprocessing``'s heap of shared
memory.  A child process that inherits such a tensor, or gets it through a queue or a pipe, writes
to the same elements.  Any other tensor is copied on its way to another process.

Source: https://pytorch.org/docs/stable/multiprocessing.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .tensor import Tensor, new_object


class _Block:
    """A block of shared memory, described as NumPy wants it; freed with the last array on it."""

    def __init__(self, buffer: Any, nbytes: int) -> None:
        self.buffer = buffer
        address = np.frombuffer(buffer.create_memoryview(), np.uint8).ctypes.data
        self.__array_interface__: dict[str, Any] = {
            "shape": (nbytes,), "typestr": "|u1", "data": (address, False), "version": 3,
        }  # fmt: skip

    def array(self, shape: tuple[int, ...], dtype: Any, strides: Any, offset: int) -> np.ndarray:
        """An array in this block."""
        return np.ndarray(shape, dtype, np.asarray(self), offset, strides)


def block_of(array: Any) -> _Block | None:
    """The block that ``array`` lies in, if its memory is shared."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, _Block) else None


def share(tensor: Tensor) -> None:
    """Move the elements of ``tensor`` to shared memory, unless they are there."""
    array = tensor._concrete("share_memory_()")
    register_reductions()
    if not array.nbytes or block_of(array) is not None:
        return
    from multiprocessing.heap import BufferWrapper

    block = _Block(BufferWrapper(array.nbytes), array.nbytes)
    dense = array.flags.f_contiguous and not array.flags.c_contiguous
    strides = array.strides if dense else None
    shared = block.array(array.shape, array.dtype, strides, 0)
    shared[...] = array
    tensor._array = shared


def rebuild_shared(
    cls: type[Tensor] | None, block: _Block, layout: tuple[Any, ...], requires_grad: bool
) -> Tensor:
    """The tensor that another process sent, on the same memory."""
    result = new_object(Tensor if cls is None else cls)
    result._array = block.array(*layout)
    if requires_grad:
        result._requires_grad = True
    return result


def _rebuild_block(buffer: Any, nbytes: int) -> _Block:
    return _Block(buffer, nbytes)


def _reduce(tensor: Tensor) -> Any:
    """How a tensor crosses to another process."""
    if tensor.grad_fn is not None:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries.  If you just want to transfer the "
            "data, call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )
    array = tensor._array
    block = block_of(array)
    if block is None:
        return tensor.__reduce_ex__(2)
    interface = block.__array_interface__
    offset = array.ctypes.data - interface["data"][0]
    cls = None if type(tensor) is Tensor else type(tensor)
    layout = (array.shape, array.dtype, array.strides, offset)
    return rebuild_shared, (cls, block, layout, tensor.requires_grad)


def _reduce_block(block: _Block) -> Any:
    return _rebuild_block, (block.buffer, block.__array_interface__["shape"][0])


def register_reductions() -> None:
    """Let ``multiprocessing`` send tensors as :func:`_reduce` says."""
    from multiprocessing.reduction import ForkingPickler

    from .tensor import TENSORS

    ForkingPickler.register(_Block, _reduce_block)
    for cls in TENSORS:
        ForkingPickler.register(cls, _reduce)


__all__ = ["block_of", "rebuild_shared", "register_reductions", "share"]
