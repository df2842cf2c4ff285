"""The Tensor: an array, and its place on the tape.

The class here holds what a tensor *is*: its array, gradient, views and versions, and the ways in
and out of Python and NumPy.  What can be *done* with it (``add``, ``sum``, ``view``, ...) are the
operations of :mod:`flambeau.ops`, which add themselves as methods.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import GRAD_MODE
from ..autograd.node import Node, VersionCounter, next_sequence
from ..device import device as Device
from ..device import device_of
from ..modes import MODES, STRUCTURE, ConcreteValueNeeded
from ..namespaces import namespace_of
from ..size import Size

if TYPE_CHECKING:
    from ..ops.operation import Operation

ndarray = np.ndarray
new_object = object.__new__


class _TensorMeta(type):
    """Prints the classes by PyTorch's names, as tensors and dtypes are printed."""

    def __repr__(cls) -> str:
        if cls is Tensor:
            return "<class 'torch.Tensor'>"
        if cls.__module__.startswith("flambeau."):
            return f"<class 'torch{cls.__module__[len('flambeau') :]}.{cls.__qualname__}'>"
        return super().__repr__()


class Tensor(metaclass=_TensorMeta):
    """A multi-dimensional array of one dtype that operations record gradients for.

    ``Tensor(2, 3)`` makes an uninitialised float32 tensor of that shape and ``Tensor(data)`` a
    float32 tensor of ``data``; prefer :func:`flambeau.tensor` and :func:`flambeau.empty`.

    Source: https://pytorch.org/docs/stable/tensors.html
    """

    # Instance attributes and, here, their values in a fresh tensor: making one sets only _array.
    _array: Any
    _requires_grad: bool = False
    _node: Node | None = None
    _grad: Tensor | None = None
    _base: Tensor | None = None
    _view: tuple[Operation, Tensor, tuple[Any, ...]] | None = None
    _versions: VersionCounter | None = None
    _hooks: OrderedDict[int, Callable[..., Any]] | None = None
    _post_accumulate_hooks: OrderedDict[int, Callable[..., Any]] | None = None
    _sequence = 0  # as an edge of the tape, a tensor is a leaf: below every node
    _inference: bool = False
    _rebased: int = 0  # when an in-place write last gave it, as the base of views, a new history
    _seen: int = 0  # the ``_rebased`` of its base that a view has taken note of
    _made_in: str | None = None  # of a view of what requires grad: the mode that let it be a leaf
    _part_of: tuple[str, int] | None = None  # the function that gave it along with other views

    if TYPE_CHECKING:  # the methods that operations add (see flambeau.ops.methods)

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, key: Any) -> Tensor: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...

    __array_priority__ = 1000  # so that ``array * tensor`` asks the tensor
    __hash__ = object.__hash__

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        from .legacy_types import legacy_constructor

        return legacy_constructor(cls, dtypes.get_default_dtype(), *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    # -- what it is ---------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each dim."""
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or (an int) the size of dim ``dim``.

        Raises:
            IndexError: ``dim`` is out of range.
        """
        shape = self._array.shape
        if dim is None:
            return Size(shape)
        n = len(shape)
        if not -n <= dim < n:
            from ..ops.dims import out_of_range

            raise out_of_range(dim, n)
        return shape[dim]

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return self._array.ndim

    def dim(self) -> int:
        """The number of dims."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return dtypes.from_numpy_dtype(self._array.dtype)

    @property
    def device(self) -> Device:
        """Where the elements are."""
        return device_of(self._array)

    @property
    def layout(self) -> Any:
        """How the elements lie in memory: ``torch.strided``."""
        from ..layout import strided

        return strided

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self._array.dtype.itemsize)

    def element_size(self) -> int:
        """Bytes of one element."""
        return int(self._array.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel() * self.itemsize

    def is_floating_point(self) -> bool:
        """Whether the dtype is a floating-point one."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is a complex one."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the dtype has negative numbers."""
        return self.dtype.is_signed

    is_cuda = property(lambda self: self.device.type == "cuda", doc="Whether it is on a GPU.")
    is_cpu = property(lambda self: self.device.type == "cpu", doc="Whether it is on the CPU.")
    is_mps = is_meta = is_sparse = is_quantized = is_mkldnn = is_xla = is_nested = property(
        lambda self: False, doc="False: there are no such tensors here."
    )
    is_xpu = is_ipu = is_mtia = is_maia = is_vulkan = is_sparse_csr = is_mps

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return self._inference

    def get_device(self) -> int:
        """The device's index; -1 on the CPU."""
        device = self.device
        return -1 if device.type == "cpu" else device.index or 0

    # -- its place on the tape ----------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are recorded for it; may be set on leaves.

        Raises:
            RuntimeError: set False on what an operation computed, or True on whole numbers or
                (outside inference mode) an inference tensor.
        """
        if self._base is not None:
            self._refresh()
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        value = bool(value)
        if self._node is not None:
            if not value:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to "
                    "use a computed variable in a subgraph that doesn't require differentiation "
                    "use var_no_grad = var.detach()."
                )
            return
        if value and self._inference and not GRAD_MODE.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed."
            )
        if value and self._array.dtype.kind not in "fcV":
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients (this one "
                f"is {self.dtype})"
            )
        if value is not self._requires_grad:
            if MODES.capture is not None:
                MODES.capture.note_requires_grad(self)
            STRUCTURE.note_tensor(self)
            self._requires_grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set :attr:`requires_grad`, to the bool ``requires_grad``, and return this tensor.

        Raises:
            RuntimeError: as setting :attr:`requires_grad` does.
        """
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user rather than by a recorded operation."""
        return self.grad_fn is None

    @property
    def grad_fn(self) -> Node | None:
        """The node of the tape that computed it; None for a leaf."""
        if self._base is not None:
            self._refresh()
        return self._node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here; None before the first.

        Raises:
            TypeError: set to something else than a tensor or None.
            RuntimeError: set to a tensor of another shape or dtype, or this one.
        """
        if self._grad is None and self._node is not None and not self._retains_grad:
            import warnings

            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed "
                "want the .grad field to be populated for a non-leaf Tensor, use .retain_grad() "
                "on the non-leaf Tensor.",
                UserWarning,
                stacklevel=2,
            )
        if MODES.capture is not None:
            MODES.capture.note_grad(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    "assigned grad expected to be a Tensor or None but got grad of type "
                    f"{type(value).__name__}"
                )
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            if value._array.shape != self._array.shape:
                raise RuntimeError(
                    f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of "
                    f"size '{list(self.shape)}'. Please ensure that the gradient and the tensor "
                    "are the same size"
                )
            if value._array.dtype != self._array.dtype:
                raise RuntimeError(
                    f"attempting to assign a gradient with dtype '{value.dtype.name}' to a tensor "
                    f"with dtype '{self.dtype.name}'. Please ensure that the gradient and the "
                    "tensor have the same dtype"
                )
        if MODES.capture is not None:
            MODES.capture.note_grad(self, replaced=True)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    _retains_grad = False
    backward: Callable[..., None]  # see flambeau.autograd.backward

    @property
    def retains_grad(self) -> bool:
        """Whether a non-leaf keeps its gradient."""
        return self._retains_grad

    def retain_grad(self) -> None:
        """Let a backward pass keep the gradient of this non-leaf in :attr:`grad`.

        Raises:
            RuntimeError: this tensor does not require grad.
        """
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._node is None or self._retains_grad:
            return
        self._retains_grad = True
        self._keep_grad()

    def _keep_grad(self) -> None:
        """Let this tensor's node, and no earlier one, keep the gradient."""
        import weakref

        assert self._node is not None
        earlier = self.__dict__.pop("_keeper", None)
        if earlier is not None:
            earlier.remove()
        this = weakref.ref(self)

        def keep(grads: Any) -> None:
            tensor = this()
            if tensor is not None:
                (grad,) = grads
                kept = tensor._grad
                tensor._grad = grad.clone() if kept is None else kept + grad

        self._keeper = self._node.keeper = self._node.register_prehook(keep)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Call ``hook(grad)`` whenever a gradient for this tensor has been computed.

        Args:
            hook: returns None, or the tensor that replaces the gradient.

        Returns:
            a handle whose ``remove()`` takes the hook away.

        Raises:
            RuntimeError: this tensor does not require grad.
        """
        from ..utils.hooks import RemovableHandle

        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._node is not None:
            return self._node.register_prehook(
                lambda grads: None if (new := hook(grads[0])) is None else (new,)
            )
        if self._hooks is None:
            self._hooks = OrderedDict()
        handle = RemovableHandle(self._hooks)
        self._hooks[handle.id] = hook
        return handle

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Any:
        """Call ``hook(tensor)`` after a backward pass has added to this leaf's :attr:`grad`.

        Args:
            hook: what it returns is not looked at.

        Returns:
            a handle whose ``remove()`` takes the hook away.

        Raises:
            RuntimeError: this tensor does not require grad, or is no leaf.
        """
        from ..utils.hooks import RemovableHandle

        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._node is not None:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        if self._post_accumulate_hooks is None:
            self._post_accumulate_hooks = OrderedDict()
        handle = RemovableHandle(self._post_accumulate_hooks)
        self._post_accumulate_hooks[handle.id] = hook
        return handle

    # -- versions and views -------------------------------------------------------------------

    def _version_counter(self) -> VersionCounter:
        """The counter shared by everything that shares this tensor's memory."""
        root = self if self._base is None else self._base
        versions = root._versions
        if versions is None:
            versions = root._versions = VersionCounter()
            if root._node is not None:
                root._node.out_versions = versions
        return versions

    def _bump_version(self) -> None:
        """Note that this tensor's memory was written in place."""
        versions = self._version_counter()
        versions.count += 1
        versions.stamp = next_sequence()

    @property
    def _version(self) -> int:
        """How often this memory was written in place.

        Raises:
            RuntimeError: this is an inference tensor, whose writes are not counted.
        """
        if self._inference:
            raise RuntimeError("Inference tensors do not track version counter.")
        root = self if self._base is None else self._base
        return 0 if root._versions is None else root._versions.count

    def _refresh(self) -> None:
        """Bring a view up to date after its base, or another view of it, was written in place."""
        if self._view is not None:
            from .views import refresh

            refresh(self)

    def _is_view(self) -> bool:
        return self._base is not None

    @property
    def data(self) -> Tensor:
        """This tensor's memory, outside the tape: writes here are not noticed by autograd.

        Raises:
            TypeError: set to something else than a tensor.
        """
        return _alias(self)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if MODES.capture is not None:
            MODES.capture.replace_data(self, value)
            return
        self._array = value._array

    def detach(self) -> Tensor:
        """The same memory as a tensor without history; in-place writes are noticed by autograd."""
        if self._base is not None:
            self._refresh()
        result = _alias(self)
        result._versions = self._version_counter()
        return result

    def detach_(self) -> Tensor:
        """Cut this tensor off from its history, in place, and return it.

        Raises:
            RuntimeError: it is a view.
        """
        if self._base is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set "
                "as True, gradients are views of DDP buckets, and hence detach_() cannot be "
                "called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution."
            )
        self._node = None
        self._requires_grad = False
        STRUCTURE.note_tensor(self)
        return self

    # -- into and out of Python and NumPy -----------------------------------------------------

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises:
            RuntimeError: there is not exactly one element.
        """
        array = self._array
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        if MODES.capture is not None and not hasattr(array, "batch_memory"):
            return MODES.capture.item(self)
        if array.__class__ is not ndarray:
            array = self._concrete("item()")
        return array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers (a number for a 0-d tensor)."""
        return self._concrete("tolist()").tolist()

    def _concrete(self, wanted: str) -> ndarray:
        """The elements as a NumPy array on the host, whatever holds them."""
        if self._base is not None:
            self._refresh()
        array = self._array
        if MODES.capture is not None and not hasattr(array, "batch_memory"):
            return MODES.capture.concrete(array, wanted)
        if array.__class__ is ndarray:
            return array
        namespace = namespace_of(array)
        if getattr(namespace, "OUTERMOST", False):
            namespace.refuse_concrete(wanted)
        to_host = getattr(namespace, "to_host", None)
        if to_host is not None:
            return to_host(array)
        raise ConcreteValueNeeded(wanted)

    def numpy(self, *, force: bool = False) -> ndarray:
        """A NumPy array that shares this tensor's memory.

        Args:
            force: detach and copy to the CPU first where that is needed.

        Returns:
            an array of its shape and dtype.

        Raises:
            RuntimeError: the tensor requires grad.
            TypeError: it is not on the CPU, or NumPy has no such dtype.
        """
        if self.requires_grad and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        if self._array.__class__ is not ndarray and not force and self.device.type != "cpu":
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        if self._array.dtype.kind == "V":
            raise TypeError("Got unsupported ScalarType " + self.dtype.name.capitalize())
        return self._concrete("numpy()")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        array = self.numpy()
        if dtype is None or array.dtype == dtype:
            return array.copy() if copy else array
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return array.astype(dtype)

    def to_numpy(self) -> ndarray:
        """:meth:`numpy`, by the name under which plotting and data frames ask any array for it."""
        return self.numpy()

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        array = np.asarray(array)
        # PyTorch makes uint8 of the truth values that NumPy's functions give
        return wrap(array.astype(np.uint8) if array.dtype == np.bool_ else array)

    def __bool__(self) -> bool:
        size = self._array.size
        if size == 1:
            if self._array.__class__ is ndarray and MODES.capture is None:
                return bool(self._array)
            return bool(self._concrete("bool()").item())
        if size == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError(
            f"Boolean value of Tensor with more than one value is ambiguous (its shape is "
            f"{list(self._array.shape)}; use .any() or .all())"
        )

    def __float__(self) -> float:
        return float(self.item() if self._array.size == 1 else self._only_element())

    def __int__(self) -> int:
        return int(self.item() if self._array.size == 1 else self._only_element())

    def _only_element(self) -> Any:
        raise ValueError(
            "only one element tensors can be converted to Python scalars (this one's shape is "
            f"{list(self._array.shape)})"
        )

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __len__(self) -> int:
        shape = self._array.shape
        if not shape:
            raise TypeError("len() of a 0-d tensor")
        return shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))  # type: ignore[attr-defined]

    def __delitem__(self, key: Any) -> None:
        raise TypeError("Tensor does not support deleting items")

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, (Tensor, int, float, bool, complex)):
            return bool((self == element).any())  # type: ignore[attr-defined]
        raise RuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        from .printing import tensor_repr

        return tensor_repr(self)

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0 and self._array.__class__ is ndarray:
            return self.item().__format__(spec) if spec or type(self) is Tensor else str(self)
        return object.__format__(self, spec)

    def __dir__(self) -> list[str]:
        return sorted(set(object.__dir__(self)))

    def __copy__(self) -> Tensor:
        result = _alias(self)
        result.__class__ = type(self)
        result.__dict__.update(self.__dict__)
        if not GRAD_MODE.inference:
            result._inference = False
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.grad_fn is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.  If you were attempting to deepcopy a module, this may "
                "be because of a torch.nn.utils.weight_norm usage, see "
                "https://github.com/pytorch/pytorch/pull/103001"
            )
        if id(self) in memo:
            return memo[id(self)]
        import copy

        result = new_object(type(self))
        memo[id(self)] = result
        result._array = self._copied_memory(memo)
        if self._requires_grad:
            result._requires_grad = True
        if self._grad is not None:
            result._grad = copy.deepcopy(self._grad, memo)
        for name, value in self.__dict__.items():
            if name not in _OWN_ATTRIBUTES:
                result.__dict__[name] = copy.deepcopy(value, memo)
        return result

    def _copied_memory(self, memo: dict[int, Any]) -> Any:
        """A copy of the array; of a view, the same part of the one copy of its base."""
        array, base = self._array, self._base
        if array.__class__ is not ndarray:
            return array
        if base is not None and type(base) is Tensor and base._array.__class__ is ndarray:
            import copy

            whole = copy.deepcopy(base if base._node is None else base.detach(), memo)._array
            offset = array.ctypes.data - base._array.ctypes.data
            if whole.strides == base._array.strides and 0 <= offset <= whole.nbytes:
                flat = whole if whole.flags.c_contiguous else whole.T
                if flat.flags.c_contiguous:
                    return ndarray(array.shape, array.dtype, flat, offset, array.strides)
        return array.copy(order="K")

    def __reduce_ex__(self, protocol: Any) -> Any:
        extra = {k: v for k, v in self.__dict__.items() if k not in _OWN_ATTRIBUTES}
        array = self._concrete("pickling")
        kind = None if type(self) is Tensor else type(self)
        return _rebuild, (kind, array, self.requires_grad, extra)


_OWN_ATTRIBUTES = frozenset(name for name in Tensor.__annotations__ if name.startswith("_")) | {
    "_retains_grad", "_detached",
}  # fmt: skip


def _rebuild(
    cls: type[Tensor] | None, array: ndarray, requires_grad: bool, extra: dict[str, Any]
) -> Tensor:
    """Make the tensor (or one of the subclass ``cls``) that ``pickle`` took apart."""
    result = new_object(Tensor if cls is None else cls)
    result._array = array
    if requires_grad:
        result._requires_grad = True
    result.__dict__.update(extra)
    return result


def wrap(array: Any) -> Tensor:
    """A tensor without history that shares ``array`` (a NumPy scalar becomes a 0-d array)."""
    tensor = new_object(Tensor)
    tensor._array = np.asarray(array) if isinstance(array, np.generic) else array
    return tensor


def _alias(tensor: Tensor) -> Tensor:
    """Another tensor on the same memory, with nothing of the tape.

    Arrays that cannot be written in place are rebound by in-place operations; there the alias is
    a view in the bookkeeping as well, so that a write through it reaches ``tensor``.
    """
    if MODES.capture is not None:
        MODES.capture.array_of(tensor)  # what the alias is read or written for is the tensor's
    result = new_object(Tensor)
    result._array = tensor._array
    if tensor._inference:
        result._inference = True
    if tensor._array.__class__ is not ndarray and not hasattr(tensor._array, "batch_memory"):
        from .views import record_alias

        record_alias(result, tensor)
    return result


TENSORS = {Tensor}
"""The classes whose instances take an operation's direct path (Parameter adds itself)."""

__all__ = ["GRAD_MODE", "TENSORS", "Tensor", "wrap"]
