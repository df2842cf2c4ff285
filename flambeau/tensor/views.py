"""Views and in-place writes: which tensors share memory, and how the tape follows a write.

A view remembers its *base* (the tensor at the root of the memory) and its *view record*: the view
operation, the tensor it was taken of, and the operation's other arguments.  The records from a
view up to its base are its *chain*.

An in-place operation computes its result like any other, then makes it the tensor's value:

* the memory is overwritten (NumPy), or the array is replaced (arrays that cannot be written);
* the version counter of the memory is raised, so that a backward pass that needs the old value is
  refused;
* the tensor's history becomes the result's.  If it is a view, its base's history becomes "the old
  base with the view's part replaced", and every view of that base takes its history anew from the
  base when it is next used (:func:`refresh`).
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import GRAD_MODE
from ..autograd.node import VersionsSince, next_sequence
from ..modes import DIRECT, MODES, STRUCTURE
from ..namespaces import namespace_of
from .tensor import Tensor

ndarray = np.ndarray
new_object = object.__new__


def note_view(operation: Any, result: Tensor, values: Any) -> None:
    """Record ``result`` as the view ``operation(*values)``, if it is one."""
    source = values[0]
    if MODES.capture is not None and MODES.capture.surely_copies(operation, source, result):
        return
    a, r = _memory(source._array), _memory(result._array)
    if a.__class__ is ndarray and r.__class__ is ndarray:
        owner = a if a.base is None else a.base
        if r.base is not owner and r.base is not a and r is not a:
            return  # the operation had to copy
        if r is a and result._array is a:
            result._array = a[...]
    result._base = source if source._base is None else source._base
    result._seen = result._base._rebased
    result._view = (operation, source, tuple(values[1:]))
    if DIRECT["INFERRED"]:  # in inference mode too, a view of a normal tensor is a normal one
        result._inference = source._inference
    if not GRAD_MODE.enabled and source._requires_grad:
        result._requires_grad = True
        result._made_in = "inference" if GRAD_MODE.inference else "no_grad"


def _memory(array: Any) -> Any:
    """``array``, or what lies under a batched one."""
    return array if array.__class__ is ndarray else getattr(array, "batch_memory", array)


class _Alias:
    """The view record's operation of ``.data`` and ``.detach()`` on arrays without memory."""

    name = "alias"
    numpy_kernel = None

    @staticmethod
    def forward(xp: Any, array: Any) -> Any:
        return array


def is_alias(operation: Any) -> bool:
    """Whether a view record's operation is that of ``.data`` and ``.detach()``."""
    return operation is _Alias


def record_alias(result: Tensor, source: Tensor) -> None:
    """Let writes to ``result`` reach ``source``, outside the tape."""
    result._base = source if source._base is None else source._base
    result._view = (_Alias, source, ())  # type: ignore[assignment]
    result._detached = True  # type: ignore[attr-defined]
    result._seen = next_sequence()


def chain_of(view: Tensor) -> list[tuple[Any, tuple[Any, ...]]]:
    """The view operations, with their arguments, that lead from the base to ``view``."""
    chain = []
    tensor = view
    while tensor is not view._base:
        if tensor._view is None:
            raise RuntimeError(
                f"a view of a {view._base.dtype if view._base is not None else ''} tensor as "
                f"{view.dtype} is written: gradients cannot be led through that; use "
                "torch.no_grad() or clone()"
            )
        operation, parent, arguments = tensor._view
        chain.append((operation, arguments))
        tensor = parent
    return chain[::-1]


def replay(chain: Any, array: Any) -> Any:
    """The view of ``array`` that ``chain`` leads to."""
    xp = namespace_of(array)
    for operation, arguments in chain:
        if operation.numpy_kernel is not None and array.__class__ is ndarray:
            array = operation.numpy_kernel(array, *arguments)  # a view where the definition copies
        else:
            array = operation.forward(xp, array, *arguments)
    return array


def refresh(view: Tensor) -> None:
    """Take ``view``'s history (and array, if arrays are replaced) anew if its base was written."""
    base = view._base
    assert base is not None
    rebased = base._rebased
    if not rebased or view._seen >= rebased:
        if base._requires_grad and not view._requires_grad:
            # made before requires_grad_() of its base
            view._requires_grad = not view.__dict__.get("_detached")
        return
    if view._part_of is not None and base._requires_grad:
        raise _part_error(view, "its base or another view of its base has been")
    view._seen = rebased
    assert view._view is not None
    operation, parent, arguments = view._view
    if parent is not base:
        refresh(parent)
    if operation is _Alias or view.__dict__.get("_detached"):
        view._array = replay([(operation, arguments)], parent._array)
        return
    with _grad_enabled():
        again = operation.function(parent, *arguments)
    if view._array.__class__ is not ndarray:
        view._array = again._array
    if MODES.capture is None or view._node is not None or again._node is not None:
        view._requires_grad = again._requires_grad  # in a capture a leaf stays one
    view._node = again._node
    if view._node is not None:
        view._node.renamed = "AsStridedBackward0"  # PyTorch makes such a view anew by strides


class _grad_enabled:
    def __enter__(self) -> None:
        self.previous = GRAD_MODE.enabled
        GRAD_MODE.enabled = True

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled = self.previous


def _part_error(view: Tensor, what: str) -> RuntimeError:
    assert view._part_of is not None
    function, number = view._part_of
    return RuntimeError(
        f"Output {number} of {function} is a view and {what} modified inplace. This view "
        "is the output of a function that returns multiple views. Such functions do not allow the "
        "output views to be modified inplace. You should replace the inplace operation by an "
        "out-of-place one."
    )


def _refuse_parts(view: Tensor) -> None:
    """Raise if ``view``, or what it is a view of, came along with other views."""
    tensor = view
    while tensor._view is not None:
        if tensor._part_of is not None:
            raise _part_error(tensor, "is being")
        tensor = tensor._view[1]


# -- in-place writes --------------------------------------------------------------------------


def _overlaps_itself(array: Any) -> bool:
    """Whether two elements of ``array`` are the same memory (an expanded dim)."""
    return any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape))


def _made_elsewhere(mode: str) -> RuntimeError:
    where = "normal mode" if mode == "inference" else "with grad mode enabled"
    block = "inference_mode" if mode == "inference" else "no_grad"
    return RuntimeError(
        f"A view was created in {mode} mode and is being modified inplace "
        f"{'in ' if mode == 'inference' else ''}{where}. Given that this use case is ambiguous and "
        "error-prone, it is forbidden. You can clarify your code by moving both the view and the "
        f"inplace either both inside the {block} block (if you don't want the inplace to be "
        "tracked) or both outside (if you want the inplace to be tracked)."
    )


def _inference_write(name: str) -> RuntimeError:
    return RuntimeError(
        "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a "
        "clone to get a normal tensor before doing inplace update.See "
        f"https://github.com/pytorch/rfcs/pull/17 for more details. (The operation is {name}().)"
    )


def check_writable(tensor: Tensor, name: str, overlap: bool = False) -> None:
    """Raise what PyTorch raises for an in-place operation on ``tensor``.

    Args:
        name: the operation's.
        overlap: whether it may write to one element's memory more than once.
    """
    if tensor._base is not None:
        tensor._refresh()
    if tensor._inference and not GRAD_MODE.inference:
        raise _inference_write(name)
    if GRAD_MODE.enabled and tensor._requires_grad:
        if tensor._made_in is not None:
            raise _made_elsewhere(tensor._made_in)
        if tensor._node is None:
            part = "a view of " if name == "__setitem__" else ""
            raise RuntimeError(
                f"{part}a leaf Variable that requires grad is being used in an in-place operation. "
                f"(The operation is {name}(); wrap it in torch.no_grad() to change the value "
                "outside the tape.)"
            )
        base = tensor._base
        if base is not None:
            _refuse_parts(tensor)
        if base is not None and base._node is None and base._requires_grad:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                f"operation. (The operation is {name}(); wrap it in torch.no_grad() to change the "
                "value outside the tape.)"
            )
    array = _memory(tensor._array)
    if array.__class__ is ndarray:
        if not overlap and array.size and _overlaps_itself(array):
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location. Please clone() the tensor before performing the "
                "operation."
            )
        if not array.flags.writeable:
            raise RuntimeError(
                f"{name}(): the tensor's memory is read-only (it shares that of a read-only NumPy "
                "array); clone() it before writing to it"
            )


def refuse_partial_overlap(tensor: Tensor, operand: Tensor) -> None:
    """Raise PyTorch's error if ``tensor`` is to be written from memory that is partly its own."""
    root = tensor if tensor._base is None else tensor._base
    if (operand if operand._base is None else operand._base) is not root:
        return
    a, b = tensor._array, operand._array
    if (
        a.__class__ is not ndarray
        or b.__class__ is not ndarray
        or not (a.flags.c_contiguous and b.flags.c_contiguous)
    ):
        return
    begin, other = a.ctypes.data, b.ctypes.data
    same = begin == other and a.nbytes == b.nbytes
    if not same and begin < other + b.nbytes and other < begin + a.nbytes:
        raise _shared_elements("some elements of the input tensor and the written-to tensor refer")


def write_in_place(
    tensor: Tensor, function: Callable[..., Tensor], args: Any, kwargs: Any, name: str
) -> Tensor:
    """Make ``function(tensor, *args, **kwargs)`` the value of ``tensor``."""
    check_writable(tensor, name, overlap=name in ("fill_", "zero_"))
    before = tensor
    if GRAD_MODE.enabled and (
        tensor._requires_grad or _require_grad(args) or _require_grad(kwargs.values())
    ):
        before = _before(tensor)  # what the tape keeps must not be the tensor that changes
        if not hasattr(function, "operation"):  # one of several operations may keep the memory
            _let_go(before)
    result = function(before, *args, **kwargs)
    if result is before:
        return tensor
    for operand in args:
        if operand.__class__ is Tensor:
            refuse_partial_overlap(tensor, operand)
    if before is not tensor and getrefcount(before) > _UNSHARED:
        _let_go(before)
    return assign(tensor, result, name)


_UNSHARED = 2
"""The reference count of a local that nothing else refers to, as ``getrefcount`` sees it."""


def _require_grad(values: Any) -> bool:
    return any(isinstance(v, Tensor) and v._requires_grad for v in values)


def _let_go(before: Tensor) -> None:
    """Give what the tape kept of a tensor memory of its own, before the tensor's is written."""
    if _memory(before._array).__class__ is ndarray:
        before._array = before._array.copy()
    before._versions = None  # arrays of other kinds are never written: the tensor gets another


def _before(tensor: Tensor) -> Tensor:
    """The tensor as it is now: its array, versions and history, under another identity."""
    before = new_object(Tensor)
    before._array = tensor._array
    before._node = tensor._node
    before._requires_grad = tensor._requires_grad
    before._versions = tensor._version_counter()
    return before


def assign(tensor: Tensor, result: Tensor, name: str) -> Tensor:
    """Make the value of ``result``, and its history, those of ``tensor``."""
    target, source = tensor._array, result._array
    if tuple(target.shape) != tuple(source.shape):
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(source.shape)}"
        )
    if target.dtype != source.dtype:
        found, wanted = dtypes.from_numpy_dtype(source.dtype), tensor.dtype
        if not dtypes.can_cast(found, wanted):
            raise RuntimeError(
                f"result type {_type_word(found)} can't be cast to the desired output type "
                f"{_type_word(wanted)}"
            )
        result = result.to(wanted)  # type: ignore[attr-defined]
        source = result._array
    rebasing = (
        result._requires_grad
        and GRAD_MODE.enabled
        or (GRAD_MODE.enabled and tensor._requires_grad and tensor._node is not None)
    )
    if rebasing and tensor._base is not None:
        _refuse_parts(tensor)
    base = tensor._base
    chain = chain_of(tensor) if rebasing and base is not None else None
    base_before = _before(base) if rebasing and base is not None else None
    if target.__class__ is ndarray and source.__class__ is ndarray and MODES.capture is None:
        np.copyto(target, source)
    elif not _written_in_batch(target, source, name):
        _replace_array(tensor, source, chain)
    tensor._bump_version()
    if rebasing:
        node = result._node
        if target.__class__ is ndarray and getattr(node, "out", None) is source:
            # the result that the node kept is now the tensor's memory
            node.out = target  # type: ignore[union-attr]
            node.out_versions = VersionsSince(tensor._version_counter())  # type: ignore[union-attr]
        if base is None or tensor.__dict__.get("_detached"):
            tensor._node = result._node
            tensor._requires_grad = result._requires_grad
            STRUCTURE.note_tensor(tensor)
            tensor._rebased = next_sequence()
            if tensor._retains_grad:
                tensor._keep_grad()
        else:
            assert base_before is not None and chain is not None
            from ..ops.view_writes import record_view_write

            record_view_write(base, base_before, result, chain)
            base._rebased = next_sequence()
            refresh(tensor)
    return tensor


def _written_in_batch(target: Any, source: Any, name: str) -> bool:
    """Whether a ``vmap``'s array was among the two, and ``source`` is in ``target``'s memory."""
    xp = namespace_of(target, source)
    return getattr(xp, "OUTERMOST", False) and xp.write(target, source, name)


def _type_word(dtype: dtypes.dtype) -> str:
    names = {
        "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16",
        "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
        "bool": "Bool", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    }  # fmt: skip
    return names.get(dtype.name, dtype.name)


def type_name(tensor: Tensor) -> str:
    """PyTorch's name of the tensor's type, such as ``torch.FloatTensor``."""
    return f"torch.{_type_word(tensor.dtype)}Tensor"


def _replace_array(tensor: Tensor, source: Any, chain: Any) -> None:
    """Rebind the array of ``tensor``, or of its base with the viewed part replaced."""
    capture = MODES.capture
    base = tensor._base
    if base is None:
        if capture is not None:
            capture.array_of(tensor)  # from now on a state that the program updates
        tensor._array = source
        root = tensor
    else:
        if capture is not None:
            capture.note_write(tensor)
        old = base._array if capture is None else capture.array_of(base)
        leading = chain_of(tensor) if chain is None else chain
        base._array = scatter_view(namespace_of(old, source), old, source, leading)
        tensor._array = source
        root = base
    # other views of this memory hold an array that is no longer the base's
    root._rebased = next_sequence()
    if base is not None:
        tensor._seen = root._rebased


def scatter_view(xp: Any, base: Any, values: Any, chain: Any) -> Any:
    """``base`` with the part that ``chain`` views replaced by ``values``; nothing is written."""
    if base.__class__ is ndarray and values.__class__ is ndarray:
        result = base.copy()
        replay(chain, result)[...] = values
        return result
    if not chain:
        return values
    (operation, arguments), rest = chain[0], chain[1:]
    if operation is _Alias:
        return scatter_view(xp, base, values, rest)
    part = operation.forward(xp, base, *arguments)
    if rest:
        values = scatter_view(xp, part, values, rest)
    return operation.scatter(xp, base, values, *arguments)


_JOINED = frozenset(("cat", "stack", "hstack", "vstack", "dstack", "column_stack"))
_OF_ONE_DTYPE = frozenset(
    "all aminmax any argmax argmin bitwise_not bucketize gather hash_tensor isin isneginf isposinf "
    "multinomial neg nonzero searchsorted signbit".split()
)
"""Functions whose ``out`` has the result's dtype, or for truth values uint8."""
_RESIZES = frozenset(
    "addbmm bernoulli logsigmoid multinomial narrow_copy out rand randint randn randperm".split()
)
"""Functions that give ``out`` another shape without a warning."""


def _check_out_dtype(name: str, found: Any, wanted: Any) -> None:
    if not dtypes.can_cast(found, wanted):
        if name in _JOINED:
            raise TypeError(
                "torch.cat(): input types can't be cast to the desired output type "
                f"{_type_word(wanted)}"
            )
        raise RuntimeError(
            f"result type {_type_word(found)} can't be cast to the desired output type "
            f"{_type_word(wanted)}"
        )
    if name in _OF_ONE_DTYPE and not (name in ("all", "any") and wanted is dtypes.uint8):
        raise RuntimeError(
            f"{name}(): Expected out tensor to have dtype {_type_word(found)}, but got "
            f"{_type_word(wanted)} instead"
        )


def _shared_elements(what: str) -> RuntimeError:
    return RuntimeError(
        f"unsupported operation: {what} to a single memory location. Please clone() the tensor "
        "before performing the operation."
    )


_APART = frozenset("gather index_select kthvalue masked_select take".split())
"""Functions whose ``out`` must not share memory with their operands."""


def refuse_shared_out(name: str, operands: Any, out: Any) -> None:
    """Raise PyTorch's error if ``out`` shares memory that it must not share."""
    if name not in _APART:
        return
    for target in out if isinstance(out, (tuple, list)) else (out,):
        for operand in operands:
            if (
                isinstance(operand, Tensor)
                and isinstance(target, Tensor)
                and operand._array.__class__ is ndarray
                and target._array.__class__ is ndarray
                and np.may_share_memory(operand._array, target._array)
            ):
                raise _shared_elements(
                    "some elements of the input tensor and the written-to tensor refer"
                )


def write_out(name: str, result: Tensor, out: Tensor) -> Tensor:
    """Put ``result`` into the tensor given as ``out=``, which takes on its shape."""
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if GRAD_MODE.enabled and (result._requires_grad or out._requires_grad):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if out._inference and not GRAD_MODE.inference:
        raise _inference_write(name)
    found, wanted = result.dtype, out.dtype
    if found is not wanted:
        _check_out_dtype(name, found, wanted)
    source = result._array
    if source.dtype != out._array.dtype:
        source = namespace_of(source).astype(source, out._array.dtype)
    if tuple(out._array.shape) == tuple(source.shape):
        if out._array.__class__ is ndarray and out._array.size and _overlaps_itself(out._array):
            raise _shared_elements("more than one element of the written-to tensor refers")
        if out._array.__class__ is ndarray and source.__class__ is ndarray:
            np.copyto(out._array, source)
        else:
            _replace_array(out, source, chain_of(out) if out._base is not None else None)
    else:
        if out._array.size and name not in _RESIZES:
            import warnings

            warnings.warn(
                f"An output with one or more elements was resized since it had shape "
                f"{list(out._array.shape)}, which does not match the required output shape "
                f"{list(source.shape)}.",
                UserWarning,
                stacklevel=4,
            )
        out._array = np.array(source) if source.__class__ is ndarray else source
    out._bump_version()
    return out
