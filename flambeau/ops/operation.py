'''What an operation is, and how its definition becomes a fast function.

An operation is defined once::

    @operation(inplace=True)
    def tanh(xp, input: Array):
        """Hyperbolic tangent of each element."""
        return xp.tanh(input)

    @tanh.vjp("input")
    def _(xp, grad, out):
        return grad * (1 - out * out)

The body runs on the arrays of any namespace ``xp`` (:mod:`flambeau.namespaces`): NumPy's, the
compiler's symbolic ones, JAX's, and, when a gradient is itself to be differentiated, on Tensors.
Result, shape and dtype follow from it; a *vjp* (vector-Jacobian product) says what becomes of the
gradient of the result.  Its parameters name what it needs, and only that is kept for the backward
pass: a parameter of the operation, ``out`` (the result), ``aux`` (see ``aux=True``), and
``<parameter>_shape``, ``<parameter>_dtype``.

Annotations tell which parameters are tensors: ``Array``, ``Array | Number`` (a Python number will
do), ``Array | None``, ``Sequence[Array]``; ``Indices`` is a tuple of index arrays (or None) that
has no gradient.

From the definition a flat Python function and a :class:`~flambeau.autograd.node.Node` subclass are
generated when the operation is first called.  The function has a *direct path*, for operands that
are NumPy arrays of one common dtype with no mode on, and leaves everything else (promotion, other
namespaces, ``out=``, modes, errors) to the *general path*, :meth:`Operation.general`.

``samples`` are example calls, each a tuple of arguments in the definition's order; every operation
is tested with its own.  For a tensor parameter stands

* a tuple of ints: a float64 tensor of that shape, uniform within ``domain``;
* a string ``kind``, ``kind(shape)`` or ``kind(shape)limit``: a tensor of that kind, shape (3, 4) if
  none is given.  Kinds are ``bool``; ``complex`` (complex128);
  ``int64``, ``uint8`` (from 0 up to the limit, 5); ``float32``;
  ``index`` (int64 below the limit; ``index4`` has shape (4,)); ``permutation`` (the same, without
  repetition along the last dim); ``probability`` (positive, sums to 1
  over the last dim); ``rising`` (along the last dim); ``symmetric``, ``positive`` (definite) and
  ``lower`` (triangular) matrices;
* anything else: itself (a Python number, None).

For a sequence of tensors stands a tuple of these; for any other parameter its literal value, in
which strings that begin with ``index``, ``permutation`` or ``bool(`` are such tensors as well.
'''

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.conjugation import conjugating
from ..autograd.grad_mode import GRAD_MODE
from ..autograd.half_precision import rounding
from ..autograd.node import Node, next_sequence
from ..modes import DIRECT, MODES
from ..namespaces import namespace_of
from ..namespaces import numpy as numpy_namespace
from ..tensor import Tensor, wrap
from .call_errors import missing_arguments, no_such_call, operand_problem, refuse_numbers
from .composites import COMPOSITES, composite, renamed
from .dims import broadcast_error
from .documentation import completed
from .dtype_checks import RESTRICTED, TAKEN, refuse_dtypes
from .generate import build, dunder_function, kept_results, make_stub
from .generated_calls import MISSING, check_no_inference, keep_versions, sum_to
from .overrides import call_override, find_override
from .parameters import Vjp, parameters_of, positional
from .small_programs import Small

Array = Any
Number = Any
Indices = Any

OPERATIONS: dict[str, Operation] = {}
"""Every operation by name."""


class Operation:
    """A definition and everything that is made of it.  See the module's description."""

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        promote: str | None = None,
        dtypes: str = "any",
        outputs: tuple[str, ...] = (),
        differentiable: tuple[bool, ...] = (),
        aux: bool = False,
        view: bool = False,
        inplace: bool = False,
        public: bool = True,
        method: bool | None = None,
        varargs: str | None = None,
        node_name: str | Callable[..., str] | None = None,
        name: str | None = None,
        samples: Sequence[Any] = (),
        domain: tuple[float, float] = (-2.0, 2.0),
        out: bool = True,
        same_dtype: bool = False,
        holomorphic: bool = True,
        older: tuple[str, ...] = (),
    ) -> None:
        self.name = name or forward.__name__
        self.forward = positional(forward)
        self.definition = forward
        self.parameters = parameters_of(forward)
        self.promote = promote
        # what takes few dtypes leaves the others to the general path, which refuses them
        self.dtypes = "inexact" if dtypes == "any" and self.name in TAKEN else dtypes
        self.outputs = outputs
        self.differentiable = differentiable or (True,) * max(1, len(outputs))
        self.aux = aux
        self.view = view
        self.inplace = inplace
        self.public = public
        self.method = public if method is None else method
        self.varargs = varargs
        self.takes_out = out and not view
        self.description = completed(self, forward.__doc__)
        self.same_dtype = same_dtype
        self.holomorphic = holomorphic
        self.older = older
        self.samples = samples
        self.domain = domain
        self.vjps: list[Vjp] = []
        self.numpy_kernel: Callable[..., Any] | None = None
        self.small_kernel: tuple[int, Callable[..., Any] | None] | None = None
        self.small: Small | None = None
        self.check: Callable[..., None] | None = None
        self.check_operands: Callable[..., None] | None = None
        self.underivable: set[str] = set()
        camel = "".join(part.capitalize() for part in self.name.strip("_").split("_"))
        self.node_name = node_name or f"{camel}Backward0"
        self.naming: Callable[[Any], str] | None = None
        self.naming_shape: str | None = None
        self._node_class: type[Node] | None = None
        self._result_type: Any = None
        self.function = make_stub(self, dunder=False)
        OPERATIONS[self.name] = self

    # -- completing the definition ------------------------------------------------------------

    def vjp(self, *targets: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: the gradient for the parameter(s) ``targets`` (a tuple if several)."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.vjps.append(Vjp(targets, function))
            return function

        return register

    def kernel(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: a faster forward for NumPy arrays, of the definition's signature less xp."""
        self.numpy_kernel = positional(function)
        return function

    def vjp_kernel(self, *targets: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: a faster vjp for NumPy arrays, with the parameters of the plain one."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            for vjp in self.vjps:
                if vjp.targets == targets:
                    vjp.kernel = function
                    return function
            raise ValueError(f"{self.name} has no vjp for {targets}")

        return register

    def checked(self, function: Callable[..., None]) -> Callable[..., None]:
        """Decorator: raises what PyTorch raises for bad arguments; called on the general path."""
        self.check = positional(function)
        return function

    def checked_operands(self, function: Callable[..., None]) -> Callable[..., None]:
        """Decorator: the same for the operands as given, before they get a common dtype."""
        self.check_operands = positional(function)
        return function

    def refuse_derivative(self, *names: str, message: str | None = None) -> Operation:
        """Let a backward pass to the parameters ``names`` (by default all) raise an error."""
        message = message or f"derivative for aten::{self.name} is not implemented"

        def refuse(xp: Any, grad: Any) -> Any:
            raise NotImplementedError(message)

        refused = names or tuple(p.name for p in self.parameters if p.is_tensor)
        self.vjps.extend(Vjp((name,), refuse) for name in refused)
        self.underivable |= set(refused)
        if not names:
            self.node_name = "NotImplemented"
        return self

    def scattered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: for a view, ``(xp, base, values, ...)``: base with its part replaced."""
        self.scatter = function  # type: ignore[method-assign]
        return function

    def scatter(self, xp: Any, base: Any, values: Any, *arguments: Any) -> Any:
        """``base`` with the part that this view shows replaced by ``values``.

        A view of all elements is a bijection; its vjp takes values back to their places.
        """
        (vjp,) = self.vjps
        given = dict(zip((p.name for p in self.parameters[1:]), arguments))
        given["input_shape"] = base.shape
        return vjp.function(xp, values, *(given[need] for need in vjp.needs))

    # -- calling ------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self.function, instance)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.description

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    @property
    def node_class(self) -> type[Node]:
        if self._node_class is None:
            build(self)
        assert self._node_class is not None
        return self._node_class

    @property
    def result_type(self) -> Any:
        """The named tuple of an operation with several results, as ``torch.return_types``."""
        if self._result_type is None:
            from .return_types import return_type

            self._result_type = return_type(self.name, self.outputs)
        return self._result_type

    def general(self, arguments: tuple[Any, ...], out: Any = None, dunder: bool = False) -> Any:
        """The general path: any operands, any mode."""
        override = find_override(arguments)
        if override is not None:
            return call_override(self, override, arguments)
        values = list(arguments)
        for position, parameter in enumerate(self.parameters):
            if not parameter.is_tensor:
                continue
            problem = operand_problem(parameter, values[position])
            if problem is None:
                continue
            if values[position] is MISSING:
                raise missing_arguments(self, values)
            if dunder and self.name == "eq" and isinstance(values[position], np.ndarray):
                values[position] = wrap(values[position])  # as PyTorch does for ``==`` alone
                continue
            if dunder:
                return NotImplemented
            if isinstance(values[position], (int, float, complex)) and any(
                p.kind == "operand" for p in self.parameters
            ):
                raise no_such_call(self, values)
            if parameter.kind == "arrays" and isinstance(values[position], (list, tuple)):
                place = next(
                    i
                    for i, v in enumerate(values[position])
                    if v is not None and not isinstance(v, Tensor)
                )
                raise TypeError(
                    f"expected Tensor as element {place} in argument {position}, but got "
                    f"{type(values[position][place]).__name__} (in {self.name}())"
                )
            raise TypeError(
                f"{self.name}(): argument '{parameter.name}' (position {position + 1}) must be "
                f"{'tuple of Tensors' if parameter.kind == 'arrays' else 'Tensor'}, not {problem}"
            )
        if self.promote is not None and not any(isinstance(v, Tensor) for v in values):
            refuse_numbers(self, values)
        if MODES.autocast is not None:
            values = MODES.autocast.cast(self, values)
        if self.name in RESTRICTED:
            refuse_dtypes(self.name, values)
        if self.check_operands is not None:
            self.check_operands(*values)
        if self.promote is not None:
            self._promote(values)
        result = self._apply(values)
        if out is None:
            return result
        from ..tensor.views import refuse_shared_out

        refuse_shared_out(self.name, values, out)
        return _write_out(self, result, out)

    def _promote(self, values: list[Any]) -> None:
        """Bring all operands to the common dtype, recording the conversions."""
        if self._agree(values):
            return
        promotion = dtypes.Promotion()
        operands: list[tuple[int, int | None]] = []
        for position, parameter in enumerate(self.parameters):
            if not parameter.is_tensor:
                continue
            value = values[position]
            if parameter.kind == "arrays":
                values[position] = value = list(value)
                operands.extend((position, i) for i in range(len(value)))
            elif value is not None:
                operands.append((position, None))
        if not operands:
            return
        skip = self.promote == "where"
        for position, i in operands:
            if skip and position == 0:
                continue
            value = values[position] if i is None else values[position][i]
            if isinstance(value, Tensor):
                promotion.add_array(value.dtype, value._array.ndim)
            else:
                promotion.add_number(value)
        common = promotion.result()
        if self.promote == "float" and common._kind < dtypes.FLOATING:
            common = dtypes.get_default_dtype()
        wanted = common.numpy
        for position, i in operands:
            if skip and position == 0:
                continue
            value = values[position] if i is None else values[position][i]
            if isinstance(value, Tensor):
                if value._array.dtype != wanted:
                    value = OPERATIONS["astype"].function(value, wanted)
            else:
                value = np.asarray(value).astype(wanted)
            if i is None:
                values[position] = value
            else:
                values[position][i] = value

    def _agree(self, values: list[Any]) -> bool:
        """Whether all operands are tensors of one floating dtype; numbers beside them become it."""
        common: Any = None
        numbers: list[int] = []
        for position, parameter in enumerate(self.parameters):
            if not parameter.is_tensor or position == 0 and self.promote == "where":
                continue
            value = values[position]
            if isinstance(value, Tensor):
                dtype = value._array.dtype
                if common is None and dtype.kind == "f":
                    common = dtype
                elif dtype != common:
                    return False
            elif value.__class__ is float or value.__class__ is int:
                numbers.append(position)
            elif value is not None:
                return False
        if common is None:
            return False
        for position in numbers:
            values[position] = np.asarray(values[position]).astype(common)
        return True

    def _apply(self, values: Sequence[Any]) -> Any:
        """Run the definition on operands of their final dtypes, and record it."""
        arrays: list[Any] = []
        found: list[Any] = []
        capture = MODES.capture
        for parameter, value in zip(self.parameters, values):
            if parameter.kind == "plain" or value is None:
                arrays.append(value)
            elif parameter.kind == "indices":
                arrays.append(tuple(_array_of(v, capture) for v in value))
                found.extend(a for a in arrays[-1] if a is not None)
            elif parameter.kind == "arrays":
                arrays.append([None if v is None else _array_of(v, capture) for v in value])
                found.extend(a for a in arrays[-1] if a is not None)
            else:
                arrays.append(_array_of(value, capture))
                found.append(arrays[-1])
        xp = namespace_of(*found)
        batched = xp is not numpy_namespace and getattr(xp, "OUTERMOST", False)
        if batched:
            if GRAD_MODE.enabled:
                raised = xp.lift_operands(self, values, found)
                if raised is not values:
                    return self._apply(raised)
        elif capture is not None:
            xp = capture.namespace
        if self.check is not None:
            self.check(*arrays)
        try:
            if xp is numpy_namespace:
                result = _run_numpy(self, arrays, found)
            elif batched:
                result = xp.run(self, arrays)
            elif capture is not None:
                with capture.one_place():
                    result = _run_captured(self, xp, arrays, found)
            else:
                result = self.forward(xp, *arrays)
        except ValueError as error:
            raise self._refusal(error, found) from None
        aux = None
        if self.aux:
            result, aux = result[:-1] if self.outputs else result[0], result[-1]
        if self.outputs:
            results = [_tensor_of(array) for array in result]
        else:
            results = [_tensor_of(result)]
        if self.view:
            from ..tensor.views import note_view

            note_view(self, results[0], values)
        if GRAD_MODE.enabled and self._differentiable_input(values):
            self._record(values, arrays, results, aux)
        if not self.outputs:
            return results[0]
        return self.result_type(results)

    def _refusal(self, error: ValueError, arrays: Sequence[Any]) -> Exception:
        """PyTorch's error for operands that the namespace refused."""
        shapes = [a.shape for a in arrays if hasattr(a, "shape")]
        if self.promote is not None:
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                return broadcast_error(shapes)
        listed = ", ".join(str(list(s)) for s in shapes)
        return RuntimeError(f"{self.name}(): {error} (operands of shape {listed})")

    def _differentiable_input(self, values: Sequence[Any]) -> bool:
        for parameter, value in zip(self.parameters, values):
            if isinstance(value, Tensor):
                if value.requires_grad and parameter.is_tensor:
                    return True
            elif parameter.kind == "arrays":
                if any(isinstance(v, Tensor) and v.requires_grad for v in value):
                    return True
        return False

    def _record(
        self, values: Sequence[Any], arrays: Sequence[Any], results: list[Tensor], aux: Any
    ) -> None:
        """Put the call on the tape: what the direct path does, for any kind of operands."""
        targets = [t for vjp in self.vjps for t in vjp.targets]
        if not targets:
            return
        differentiable = [
            tensor
            for tensor, wanted in zip(results, self.differentiable)
            if wanted and tensor._array.dtype.kind in "fcV"
        ]
        if not differentiable:
            return
        named = {p.name: v for p, v in zip(self.parameters, values)}
        node_class = self.node_class
        if self.holomorphic and differentiable[0]._array.dtype.kind == "c":
            node_class = conjugating(node_class)
        half = differentiable[0]._array.dtype.itemsize == 2
        node = new_object(rounding(node_class) if half else node_class)
        if hasattr(results[0]._array, "adapt_node"):
            results[0]._array.adapt_node(node)
        node._sequence = next_sequence()
        edges: list[Any] = []
        inputs: list[Any] = []
        for target in targets:
            value = named[target]
            inputs.extend(value if isinstance(value, (list, tuple)) else (value,))
            if isinstance(value, (list, tuple)):
                edges.extend(_edge(v) for v in value)
            else:
                edges.append(_edge(value))
        node.edges = tuple(edges)
        if all(edge is None for edge in edges):
            return
        if half:
            node.edge_dtypes = tuple(  # type: ignore[attr-defined]
                v._array.dtype if isinstance(v, Tensor) else None for v in inputs
            )
        for need in node.needs:  # type: ignore[attr-defined]
            if need == "out":
                node.out = results[0]._array if len(results) == 1 else [t._array for t in results]
            elif need == "aux":
                node.aux = aux
            elif need == "needs":
                continue
            elif need in named:
                value = named[need]
                if value.__class__ is np.ndarray and value.ndim == 0:
                    value = value.item()  # a Python number, as on the direct path
                if DIRECT["INFERRED"]:
                    check_no_inference(value)
                setattr(node, need, value)
            elif need.endswith("_dtype"):
                setattr(node, need, named[need.removesuffix("_dtype")]._array.dtype)
            else:
                value = named[need.removesuffix("_shape")]
                if isinstance(value, (list, tuple)):
                    setattr(node, need, [tuple(v.shape) for v in value])
                else:
                    shape = None if value is None else tuple(getattr(value, "shape", ()))
                    setattr(node, need, shape)
        kept = kept_results(self)
        if kept is not None and results[0]._array.__class__ is np.ndarray:
            keep_versions(node, results, aux if kept == "aux" else node.out)
        if self.promote is not None:
            node.shapes = (
                tuple(
                    tuple(np.shape(named[t]))
                    if not isinstance(named[t], Tensor)
                    else tuple(named[t]._array.shape)
                    for t in targets
                    if not isinstance(named[t], list)
                )
                or None
            )
        if MODES.anomaly:
            from ..autograd.anomaly import note_traceback

            note_traceback(node)
        if MODES.capture is not None:
            MODES.capture.note_call(node)
        if len(differentiable) == 1 and self.differentiable[0] and len(self.outputs) < 2:
            differentiable[0]._node = node
        elif sum(self.differentiable) == 1:
            differentiable[0]._node = node
        else:
            from ..autograd.slots import OutputSlot

            for index, tensor in enumerate(results):
                if self.differentiable[index]:
                    tensor._node = OutputSlot(node, index)
        for tensor in differentiable:
            tensor._requires_grad = True


new_object = object.__new__


def _edge(value: Any) -> Any:
    if not isinstance(value, Tensor) or not value._requires_grad:
        return None
    return value._node if value._node is not None else value


def _array_of(value: Any, capture: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value._base is not None:
        value._refresh()
    if capture is not None:
        return capture.array_of(value)
    return value._array


def _tensor_of(array: Any) -> Tensor:
    tensor = new_object(Tensor)
    if GRAD_MODE.inference:
        tensor._inference = True
    tensor._array = np.asarray(array) if isinstance(array, (np.generic, int, float)) else array
    return tensor


_HALF = frozenset(("float16", "bfloat16"))
_COMMON = "fdlqi?B"  # dtypes that are known at a glance; to ask for a name takes longer


def _run_numpy(operation: Operation, arrays: list[Any], found: Sequence[Any]) -> Any:
    """The result on NumPy arrays, also where somebody made errors of NumPy's warnings."""
    try:
        return _compute(operation, arrays, found)
    except (RuntimeWarning, FloatingPointError):
        with np.errstate(all="ignore"):
            return _compute(operation, arrays, found)


def _compute(operation: Operation, arrays: list[Any], found: Sequence[Any]) -> Any:
    """The definition, or its kernel, on NumPy arrays; half precision is computed in float32."""
    dtype = next(
        (a.dtype for a in found if a.dtype.char not in _COMMON and a.dtype.name in _HALF), None
    )
    forward = operation.numpy_kernel
    if dtype is None or operation.view or operation.name == "astype":
        if forward is not None:
            return forward(*arrays)
        return operation.forward(numpy_namespace, *arrays)
    wide = [_widen(a) for a in arrays]
    result = operation.forward(numpy_namespace, *wide)
    if isinstance(result, tuple):
        return tuple(_narrow(r, dtype) for r in result)
    return _narrow(result, dtype)


def _run_captured(operation: Operation, xp: Any, arrays: list[Any], found: Sequence[Any]) -> Any:
    """The definition on symbolic arrays; half precision is rounded where it is in NumPy."""
    dtype = next(
        (a.dtype for a in found if a.dtype.char not in _COMMON and a.dtype.name in _HALF), None
    )
    if dtype is None or operation.view or operation.name == "astype":
        return operation.forward(xp, *arrays)

    def widened(value: Any) -> Any:
        if isinstance(value, list):
            return [widened(v) for v in value]
        if getattr(value, "dtype", None) is not None and value.dtype.name in _HALF:
            return xp.astype(value, np.dtype(np.float32))
        return value

    def narrowed(value: Any) -> Any:
        if getattr(value, "dtype", None) == np.float32:
            return xp.astype(value, dtype)
        return value

    result = operation.forward(xp, *[widened(a) for a in arrays])
    if isinstance(result, tuple):
        return tuple(narrowed(r) for r in result)
    return narrowed(result)


def _widen(value: Any) -> Any:
    if isinstance(value, list):
        return [_widen(v) for v in value]
    if isinstance(value, np.ndarray) and value.dtype.name in _HALF:
        return value.astype(np.float32)
    return value


def _narrow(value: Any, dtype: np.dtype) -> Any:
    if getattr(value, "dtype", None) == np.float32:
        return np.asarray(value).astype(dtype)
    return value


def _write_out(operation: Operation, result: Any, out: Any) -> Any:
    """Put ``result`` into the tensor(s) the caller gave."""
    from ..tensor.views import write_out

    if operation.outputs:
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise TypeError(f"{operation.name}(): out must be a tuple of {len(result)} Tensors")
        for source, target in zip(result, out):
            write_out(operation.name, source, target)
        return operation.result_type(out)
    if isinstance(out, (tuple, list)) and len(out) == 1:
        out = out[0]
    return write_out(operation.name, result, out)


# -- decorators -------------------------------------------------------------------------------


def operation(forward: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Decorator: define an operation.

    Args:
        promote: bring the tensor operands to a common dtype: "number" by PyTorch's rules,
            "float" and then from integers to the default dtype, "where" all but the first.
        dtypes: which dtypes the direct path takes: "any", "number" (float32, float64, int64),
            "inexact" (float32, float64).
        outputs: names of the results, if there are several.
        differentiable: which of the results have a gradient.
        aux: the definition returns its result(s) and a value kept for the vjps.
        view: the result shares the input's memory.
        inplace: there is an in-place variant ``<name>_``.
        public, method: whether it is a function of the package, a method of Tensor.
        varargs: the parameter that a method call may give as several arguments.
        node_name: the name of its node, if not ``<Name>Backward0``.
        samples: example arguments, for tests: shapes for tensors, values for the rest.
        domain: the range of random sample values.
        out: whether there is an ``out=`` argument.
        same_dtype: the tensors must have one dtype, which is not brought about.
        holomorphic: False if complex gradients are not those of a complex derivative: the vjps are
            then in PyTorch's convention themselves (see :mod:`flambeau.autograd.conjugation`).
        older: the numbers that a call may give before its operands (:mod:`.older_calls`).
    """
    if forward is not None:
        return Operation(forward)

    def define(forward: Callable[..., Any]) -> Operation:
        return Operation(forward, **options)

    return define


__all__ = [
    "renamed", "COMPOSITES", "MISSING", "OPERATIONS", "Array", "Number", "Operation", "composite",
    "dunder_function", "operation", "sum_to",
]  # fmt: skip
