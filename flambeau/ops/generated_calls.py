"""What generated functions and nodes call besides the definitions: checks and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..autograd.node import Node, next_sequence
from ..modes import DIRECT
from ..namespaces import numpy as numpy_namespace
from ..tensor import TENSORS, Tensor, wrap
from .older_calls import call_in_older_order

new_object = object.__new__


class _Missing:
    """The default of an argument that may be given under another name."""

    def __repr__(self) -> str:
        return "<missing>"

    def __bool__(self) -> bool:
        return False


MISSING: Any = _Missing()


def sum_to(xp: Any, grad: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``grad`` over the dims that broadcasting added to ``shape`` or stretched."""
    extra = grad.ndim - len(shape)
    dims = tuple(
        i for i, n in enumerate(grad.shape) if i < extra or (shape[i - extra] == 1 and n != 1)
    )
    if dims:
        grad = xp.sum(grad, dims, False)
    return grad if tuple(grad.shape) == tuple(shape) else xp.reshape(grad, shape)


def _raise_released(node: Node) -> None:
    raise RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        f"calling backward. (The node is {node.name()}.)"
    )


def refuse_inference() -> None:
    """Raise PyTorch's error for an inference tensor that a gradient would need."""
    raise RuntimeError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
        "inference mode in computation tracked by autograd. To work around this, you can make a "
        "clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
        "`torch.inference_mode()`."
    )


def check_no_inference(saved: Any) -> None:
    """Raise if ``saved`` is an inference tensor, or a sequence with one."""
    for value in saved if isinstance(saved, (list, tuple)) else (saved,):
        if getattr(value, "_inference", False):
            refuse_inference()


def keep_versions(node: Any, results: Sequence[Tensor], kept: Any) -> None:
    """Note those of an operation's ``results`` whose memory ``node`` keeps, or their versions.

    A result without a gradient is kept itself; one with a gradient would keep its node alive.
    """
    several = kept.__class__ is tuple or kept.__class__ is list
    owners = [_owner(array) for array in kept] if several else [_owner(kept)]
    found = []
    number = 0
    for tensor in results:
        owner = _owner(tensor._array)
        for other in owners:
            if owner is other:
                derived = node.__class__.operation.differentiable[number]
                found.append((number, tensor._version_counter() if derived else tensor))
                break
        number += 1
    node.kept_versions = found


def _owner(array: Any) -> Any:
    base = array.base if array.__class__ is np.ndarray else getattr(array, "base", None)
    return array if base is None else base


def _check_kept(node: Node) -> None:
    """Raise if a result that ``node`` kept was written in place."""
    for number, kept in node.kept_versions:
        versions = kept._versions if isinstance(kept, Tensor) else kept
        if versions is not None and versions.stamp > node._sequence:
            _raise_modified(node, f"output {number}")


def _raise_modified(node: Node, what: str, tensor: Any = None) -> None:
    from ..autograd.anomaly import hint

    described = "" if tensor is None else f" [{_type_name(tensor)} {list(tensor.shape)}]"
    if what.startswith("output"):
        described = f" {what} of {node.name()}"
    elif tensor is None:
        out = node.out  # type: ignore[attr-defined]
        described = f" {list(getattr(out, 'shape', ()))}, which is output 0 of {node.name()},"
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation:{described} was written after {node.name()} had kept it for its gradient. "
        f"{hint(node)}"
    )


def _type_name(tensor: Tensor) -> str:
    names = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int"}
    return f"torch.{names.get(tensor.dtype.name, tensor.dtype.name.capitalize())}Tensor"


def _check_saved(node: Node, tensor: Tensor) -> None:
    """Raise if ``tensor`` was written in place after ``node`` kept it."""
    root = tensor if tensor._base is None else tensor._base
    versions = root._versions
    if versions is not None and versions.stamp > node._sequence:
        _raise_modified(node, "input", tensor)


def _check_saved_list(node: Node, tensors: Sequence[Any]) -> None:
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            _check_saved(node, tensor)


def _recorded_out(node: Node) -> Any:
    """The result that ``node`` kept, as the Tensor that it was."""
    out = node.out  # type: ignore[attr-defined]
    if isinstance(out, list):
        from ..autograd.slots import OutputSlot

        flags = type(node).operation.differentiable  # type: ignore[attr-defined]
        alone = sum(flags) == 1
        return [
            _with_node(array, node if alone else OutputSlot(node, i)) if flag else wrap(array)
            for i, (array, flag) in enumerate(zip(out, flags, strict=True))
        ]
    return _with_node(out, node)


def _with_node(array: Any, node: Any) -> Tensor:
    tensor = new_object(Tensor)
    tensor._array = array
    tensor._node = node
    tensor._requires_grad = True
    return tensor


class _Recorded:
    """The namespace of Tensors: the primitives as recorded operations."""

    def __getattr__(self, name: str) -> Any:
        from ..namespaces import recorded

        function = getattr(recorded, name)
        setattr(self, name, function)
        return function


DIRECT.update(
    BOOL=np.dtype(bool),
    FLOAT32=np.dtype(np.float32),
    FLOAT64=np.dtype(np.float64),
    INT64=np.dtype(np.int64),
    GRAD_MODE=GRAD_MODE,
    MISSING=MISSING,
    NDARRAY=np.ndarray,
    NUMPY=numpy_namespace,
    Node=Node,
    RECORDED=_Recorded(),
    SEQUENCES=frozenset((list, tuple)),
    TENSORS=TENSORS,
    Tensor=Tensor,
    arrays_of=lambda t: t._array if isinstance(t, Tensor) else t,
    asarray=np.asarray,
    check_kept=_check_kept,
    check_saved=_check_saved,
    check_saved_list=_check_saved_list,
    check_no_inference=check_no_inference,
    in_older_order=call_in_older_order,
    keep_versions=keep_versions,
    new=new_object,
    next_sequence=next_sequence,
    raise_modified=_raise_modified,
    raise_released=_raise_released,
    recorded_out=_recorded_out,
    refuse_inference=refuse_inference,
    sum_to=sum_to,
    __name__="flambeau.ops.generated",
    __builtins__=__builtins__,
)
