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
  none is given.  Kinds are ``bool``; ``int64``, ``uint8`` (from 0 up to the limit, 5); ``float32``;
  ``index`` (int64 below the limit; ``index4`` has shape (4,)); ``permutation`` (the same, without
  repetition along the last dim); ``probability`` (positive, sums to 1
  over the last dim); ``symmetric``, ``positive`` (definite) and ``lower`` (triangular) matrices;
* anything else: itself (a Python number, None).

For a sequence of tensors stands a tuple of these; for any other parameter its literal value, in
which strings that begin with ``index``, ``permutation`` or ``bool(`` are such tensors as well.
'''

from __future__ import annotations

import inspect
import linecache
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import GRAD_MODE
from ..autograd.node import Node, next_sequence
from ..modes import DIRECT, MODES
from ..namespaces import namespace_of
from ..namespaces import numpy as numpy_namespace
from ..tensor import TENSORS, Tensor, wrap
from .dims import broadcast_error

Array = Any
Number = Any
Indices = Any

OPERATIONS: dict[str, Operation] = {}
"""Every operation by name."""

COMPOSITES: dict[str, Callable[..., Any]] = {}
"""Functions made of operations, by name."""


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"

    def __bool__(self) -> bool:
        return False


MISSING: Any = _Missing()


class Parameter:
    """One parameter of an operation: its name, default, and whether it is a tensor."""

    __slots__ = ("name", "kind", "default", "keyword_only")

    def __init__(self, parameter: inspect.Parameter) -> None:
        self.name = parameter.name
        self.default = parameter.default
        self.keyword_only = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        annotation = str(parameter.annotation).replace(" ", "")
        if annotation.startswith("Array"):
            self.kind = {"Array|Number": "operand", "Array|None": "optional"}.get(
                annotation, "array"
            )
        elif annotation.startswith("Sequence[Array"):
            self.kind = "arrays"
        elif annotation == "Indices":
            self.kind = "indices"
        else:
            self.kind = "plain"

    @property
    def is_tensor(self) -> bool:
        return self.kind != "plain" and self.kind != "indices"


class Vjp:
    """The gradient for one parameter, or jointly for several: function and what it needs."""

    __slots__ = ("targets", "function", "needs", "kernel")

    def __init__(self, targets: tuple[str, ...], function: Callable[..., Any]) -> None:
        self.targets = targets
        self.function = function
        names = tuple(inspect.signature(function).parameters)
        if names[:2] != ("xp", "grad"):
            raise TypeError(f"a vjp takes xp and grad first, got {names}")
        self.needs = names[2:]
        self.kernel: Callable[..., Any] | None = None


def _positional(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its keyword-only parameters as positional ones, which are faster to pass."""
    code = function.__code__
    if not code.co_kwonlyargcount:
        return function
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[code.co_argcount : count]
    defaults = (function.__defaults__ or ()) + tuple((function.__kwdefaults__ or {})[n] for n in names)
    return types.FunctionType(
        code.replace(co_argcount=count, co_kwonlyargcount=0), function.__globals__,
        function.__name__, defaults, function.__closure__,
    )  # fmt: skip


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
    ) -> None:
        self.name = name or forward.__name__
        self.forward = _positional(forward)
        self.signature = inspect.signature(forward)
        self.description = forward.__doc__
        names = list(self.signature.parameters)
        if names[0] != "xp":
            raise TypeError(f"{self.name}: the first parameter of a definition is xp")
        self.parameters = [Parameter(self.signature.parameters[n]) for n in names[1:]]
        self.promote = promote
        self.dtypes = dtypes
        self.outputs = outputs
        self.differentiable = differentiable or (True,) * max(1, len(outputs))
        self.aux = aux
        self.view = view
        self.inplace = inplace
        self.public = public
        self.method = public if method is None else method
        self.varargs = varargs
        self.takes_out = out and not view
        self.same_dtype = same_dtype
        self.samples = samples
        self.domain = domain
        self.vjps: list[Vjp] = []
        self.numpy_kernel: Callable[..., Any] | None = None
        self.check: Callable[..., None] | None = None
        self.check_operands: Callable[..., None] | None = None
        self.underivable = False
        camel = "".join(part.capitalize() for part in self.name.strip("_").split("_"))
        self.node_name = node_name or f"{camel}Backward0"
        self._node_class: type[Node] | None = None
        self._result_type: Any = None
        self.function = _make_stub(self, dunder=False)
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
        self.numpy_kernel = _positional(function)
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
        self.check = _positional(function)
        return function

    def checked_operands(self, function: Callable[..., None]) -> Callable[..., None]:
        """Decorator: the same for the operands as given, before they get a common dtype."""
        self.check_operands = _positional(function)
        return function

    def refuse_derivative(self) -> Operation:
        """Let a backward pass through this operation raise PyTorch's error."""

        def refuse(xp: Any, grad: Any) -> Any:
            raise RuntimeError(f"derivative for aten::{self.name} is not implemented")

        for parameter in self.parameters:
            if parameter.is_tensor:
                self.vjps.append(Vjp((parameter.name,), refuse))
        self.underivable = True
        self.node_name = "NotImplemented"
        return self

    def scattered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: for a view, ``(xp, base, values, ...)``: base with the view's part replaced."""
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
        override = _find_override(arguments)
        if override is not None:
            return _call_override(self, override, arguments)
        values = list(arguments)
        for position, parameter in enumerate(self.parameters):
            if not parameter.is_tensor:
                continue
            problem = _operand_problem(parameter, values[position])
            if problem is None:
                continue
            if values[position] is MISSING:
                raise _missing_arguments(self, values)
            if dunder and self.name == "eq" and isinstance(values[position], np.ndarray):
                values[position] = wrap(values[position])  # as PyTorch does for ``==`` alone
                continue
            if dunder:
                return NotImplemented
            raise TypeError(
                f"{self.name}(): argument '{parameter.name}' (position {position + 1}) must be "
                f"{'tuple of Tensors' if parameter.kind == 'arrays' else 'Tensor'}, not {problem}"
            )
        if MODES.autocast is not None:
            values = MODES.autocast.cast(self, values)
        if self.check_operands is not None:
            self.check_operands(*values)
        if self.promote is not None:
            self._promote(values)
        result = self._apply(values)
        return result if out is None else _write_out(self, result, out)

    def _promote(self, values: list[Any]) -> None:
        """Bring all operands to the common dtype, recording the conversions."""
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
        if capture is not None:
            xp = capture.namespace
        if self.check is not None:
            self.check(*arrays)
        try:
            if xp is numpy_namespace:
                result = _run_numpy(self, arrays, found)
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
        node = new_object(self.node_class)
        node._sequence = next_sequence()
        edges: list[Any] = []
        for target in targets:
            value = named[target]
            if isinstance(value, (list, tuple)):
                edges.extend(_edge(v) for v in value)
            else:
                edges.append(_edge(value))
        node.edges = tuple(edges)
        if all(edge is None for edge in edges):
            return
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
        if self.promote is not None:
            node.shapes = tuple(tuple(np.shape(named[t])) if not isinstance(named[t], Tensor)
                                else tuple(named[t]._array.shape)
                                for t in targets if not isinstance(named[t], list)) or None  # fmt: skip
        if MODES.anomaly:
            from ..autograd.anomaly import note_traceback

            note_traceback(node)
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


def _missing_arguments(operation: Operation, values: Sequence[Any]) -> TypeError:
    names = [p.name for p, v in zip(operation.parameters, values) if v is MISSING]
    listed = ", ".join(f'"{name}"' for name in names)
    return TypeError(
        f"{operation.name}() missing {len(names)} required positional arguments: {listed}"
    )


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
    tensor._array = np.asarray(array) if isinstance(array, (np.generic, int, float)) else array
    return tensor


def _operand_problem(parameter: Parameter, value: Any) -> str | None:
    """None if ``value`` can stand for the tensor ``parameter``, else the name of its type."""
    if isinstance(value, Tensor):
        return None if parameter.kind != "arrays" else "Tensor"
    if parameter.kind == "optional" and value is None:
        return None
    if parameter.kind == "operand" and isinstance(value, (bool, int, float, complex, np.generic)):
        return None
    if parameter.kind == "arrays" and isinstance(value, (list, tuple)):
        if all(v is None or isinstance(v, Tensor) for v in value):
            return None
        wrong = next(v for v in value if v is not None and not isinstance(v, Tensor))
        return f"{type(value).__name__} with {type(wrong).__name__}"
    module = type(value).__module__
    name = type(value).__name__
    return f"numpy.{name}" if module == "numpy" else name


_HALF = frozenset(("float16", "bfloat16"))


def _run_numpy(operation: Operation, arrays: list[Any], found: Sequence[Any]) -> Any:
    """The definition, or its kernel, on NumPy arrays; half precision is computed in float32."""
    dtype = next((a.dtype for a in found if a.dtype.name in _HALF), None)
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


def _find_override(arguments: Sequence[Any]) -> Any:
    """The first argument whose class handles PyTorch functions itself."""
    for value in arguments:
        cls = type(value)
        if cls in TENSORS:
            continue
        handler = getattr(cls, "__torch_function__", None)
        if handler is not None and handler is not getattr(Tensor, "__torch_function__", None):
            return value
    return None


def _call_override(operation: Operation, override: Any, arguments: Sequence[Any]) -> Any:
    types_ = tuple({type(a) for a in arguments if hasattr(type(a), "__torch_function__")})
    names = [p.name for p in operation.parameters]
    kwargs = {
        p.name: a
        for p, a in zip(operation.parameters, arguments)
        if p.keyword_only and a is not p.default
    }
    positional = [a for p, a in zip(operation.parameters, arguments) if not p.keyword_only]
    while positional and operation.parameters[len(positional) - 1].default is positional[-1]:
        positional.pop()
    del names
    result = type(override).__torch_function__(
        operation.function, types_, tuple(positional), kwargs
    )
    if result is NotImplemented:
        raise TypeError(f"no implementation found for 'torch.{operation.name}' on types that "
                        f"implement __torch_function__: {list(types_)}")  # fmt: skip
    return result


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


# -- the generated functions ------------------------------------------------------------------


def _public_signature(operation: Operation) -> inspect.Signature:
    parameters = [p for n, p in operation.signature.parameters.items() if n != "xp"]
    if operation.takes_out and "out" not in operation.signature.parameters:
        parameters.append(
            inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None)
        )
    return inspect.Signature(parameters)


def _make_stub(operation: Operation, dunder: bool) -> Callable[..., Any]:
    """A function that builds the real one at its first call and turns into it.

    The function object stays the same, so whoever took hold of it before (a method of Tensor, an
    import) has the fast one from then on.
    """

    function = types.FunctionType(_STUB_CODE, DIRECT, operation.name)
    function.__kwdefaults__ = {"_operation": operation, "_dunder": dunder}
    function.__doc__ = operation.description
    function.__module__ = "flambeau"
    function.__qualname__ = operation.name
    function.__signature__ = _public_signature(operation)  # type: ignore[attr-defined]
    function.operation = operation  # type: ignore[attr-defined]
    return function


def _stub(*args, _operation, _dunder, **kwargs):  # type: ignore[no-untyped-def]
    function = BUILD(_operation, _dunder)  # type: ignore[name-defined] # noqa: F821
    return function(*args, **kwargs)


_STUB_CODE = _stub.__code__


def build(operation: Operation, dunder: bool = False) -> Callable[..., Any]:
    """Generate the operation's function and node class, and put them into place."""
    if operation._node_class is None:
        source = _node_source(operation)
        exec(_compiled(source, f"{operation.name} backward"), _node_globals(operation), DIRECT)
        operation._node_class = DIRECT[f"node_{operation.name}"]
        operation._node_class.operation = operation  # type: ignore[attr-defined]
    name = f"{operation.name}_dunder" if dunder else operation.name
    source = _function_source(operation, name, dunder)
    exec(_compiled(source, operation.name), DIRECT)
    built = DIRECT[f"call_{name}"]
    stub = operation.dunder if dunder else operation.function  # type: ignore[attr-defined]
    stub.__defaults__ = built.__defaults__
    stub.__kwdefaults__ = built.__kwdefaults__
    stub.__code__ = built.__code__
    return stub


def dunder_function(operation: Operation) -> Callable[..., Any]:
    """The operation as a Python operator: NotImplemented for an operand it does not know."""
    if not hasattr(operation, "dunder"):
        operation.dunder = _make_stub(operation, dunder=True)  # type: ignore[attr-defined]
    return operation.dunder  # type: ignore[attr-defined]


def _compiled(source: str, title: str) -> Any:
    filename = f"<flambeau operation {title}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    return compile(source, filename, "exec")


def _needs(operation: Operation) -> list[str]:
    """What the vjps need, each once."""
    names: dict[str, None] = {}
    for vjp in operation.vjps:
        names.update(dict.fromkeys(vjp.needs))
    if operation.aux and "aux" in names:  # a recorded backward pass computes aux anew
        names.update(dict.fromkeys(p.name for p in operation.parameters))
    return list(names)


def _function_source(operation: Operation, name: str, dunder: bool) -> str:
    """Python source of the operation's public function."""
    parameters = operation.parameters
    signature: list[str] = []
    starred = False
    for p in parameters:
        if p.keyword_only and not starred:
            signature.append("*")
            starred = True
        if p.default is inspect.Parameter.empty:
            signature.append(p.name)
        else:
            DIRECT[f"default_{operation.name}_{p.name}"] = p.default
            signature.append(f"{p.name}=default_{operation.name}_{p.name}")
    aliases = {"dim": "axis", "keepdim": "keepdims"}
    aliased = [(p.name, aliases[p.name]) for p in parameters if p.name in aliases]
    extra = [f"{alias}=MISSING" for _, alias in aliased]
    if operation.takes_out:
        extra.append("out=None")
    if extra:
        signature += extra if starred else ["*", *extra]
    every = "".join(f"{p.name}, " for p in parameters)
    tail = f"({every}), {'out' if operation.takes_out else 'None'}, {dunder}"
    lines = [f"def call_{name}({', '.join(signature)}):"]
    for parameter_name, alias in aliased:
        lines += [f"    if {alias} is not MISSING:", f"        {parameter_name} = {alias}"]
        default = next(p for p in parameters if p.name == parameter_name).default
        if default is inspect.Parameter.empty:
            # given by its NumPy name only: PyTorch's name, and what follows, is then not required
            for k in range(signature.index(parameter_name), len(signature)):
                if "=" not in signature[k] and signature[k] != "*":
                    signature[k] += "=MISSING"
            lines[0] = f"def call_{name}({', '.join(signature)}):"
    body, direct = _direct_path(operation)
    if direct:
        lines += ["    " + line for line in body]
    lines.append(f"    return general_{operation.name}({tail})")
    DIRECT[f"general_{operation.name}"] = operation.general
    DIRECT[f"forward_{operation.name}"] = operation.forward
    if operation.numpy_kernel is not None:
        DIRECT[f"kernel_{operation.name}"] = operation.numpy_kernel
    return "\n".join(lines) + "\n"


def _direct_path(operation: Operation) -> tuple[list[str], bool]:
    """The lines of the direct path, and whether there is one."""
    parameters = operation.parameters
    tensors = [p for p in parameters if p.is_tensor]
    if not tensors or any(p.kind == "arrays" for p in tensors):
        return [], False
    if sum(operation.differentiable) > 1:
        return [], False
    first, rest = tensors[0], tensors[1:]
    if first.kind == "optional":
        return [], False
    lines: list[str] = []
    conditions: list[str] = []
    guard = f"{first.name}.__class__ in TENSORS"
    if operation.takes_out:
        guard += " and out is None"
    same_dtype = operation.promote is not None or operation.same_dtype
    lines.append(f"if {guard}:")
    lines += [f"    if {first.name}._base is not None:", f"        {first.name}._refresh()"]
    lines.append(f"    a_{first.name} = {first.name}._array")
    lines.append(f"    dtype_ = a_{first.name}.dtype")
    conditions.append(f"a_{first.name}.__class__ is ARRAY")
    if operation.dtypes == "inexact":
        conditions.append("(dtype_ is FLOAT32 or dtype_ is FLOAT64)")
    elif operation.dtypes == "number":
        conditions.append("(dtype_ is FLOAT32 or dtype_ is FLOAT64 or dtype_ is INT64)")
    else:
        conditions.append("dtype_.kind != 'V'")
    for p in rest:
        n = p.name
        tests = f"a_{n}.__class__ is ARRAY" + (f" and a_{n}.dtype is dtype_" if same_dtype else "")
        if p.kind == "operand":
            lines += [
                f"    class_{n} = {n}.__class__",
                f"    if class_{n} in TENSORS:",
                f"        if {n}._base is not None:",
                f"            {n}._refresh()",
                f"        a_{n} = {n}._array",
                f"        ok_{n} = {tests}",
                f"        grad_{n} = {n}._requires_grad",
                "    else:",
                f"        a_{n} = {n}",
                f"        ok_{n} = (class_{n} is float or class_{n} is int) and dtype_ is not INT64",
                f"        grad_{n} = False",
            ]
            conditions.append(f"ok_{n}")
        elif p.kind == "optional":
            lines += [
                f"    if {n} is None:",
                f"        a_{n} = None",
                f"        ok_{n} = True",
                f"        grad_{n} = False",
                f"    elif {n}.__class__ in TENSORS:",
                f"        if {n}._base is not None:",
                f"            {n}._refresh()",
                f"        a_{n} = {n}._array",
                f"        ok_{n} = {tests}",
                f"        grad_{n} = {n}._requires_grad",
                "    else:",
                f"        ok_{n} = False",
            ]
            conditions.append(f"ok_{n}")
        else:
            lines += [
                f"    if {n}.__class__ in TENSORS:",
                f"        if {n}._base is not None:",
                f"            {n}._refresh()",
                f"        a_{n} = {n}._array",
                f"        ok_{n} = {tests}",
                f"        grad_{n} = {n}._requires_grad",
                "    else:",
                f"        ok_{n} = False",
            ]
            conditions.append(f"ok_{n}")
    lines.append(f"    if {' and '.join(conditions)}:")
    inner: list[str] = []
    passed = ", ".join(f"a_{p.name}" if p.is_tensor else p.name for p in parameters)
    call = (
        f"kernel_{operation.name}({passed})"
        if operation.numpy_kernel is not None
        else f"forward_{operation.name}(NUMPY, {passed})"
    )
    every = "".join(f"{p.name}, " for p in parameters)
    inner += [
        "try:",
        f"    result = {call}",
        "except Exception:",
        f"    return general_{operation.name}(({every}))",
    ]
    targets = [t for vjp in operation.vjps for t in vjp.targets]
    named = {p.name: p for p in parameters}
    if operation.aux and operation.outputs:
        inner += ["aux = result[-1]", "result = result[:-1]"]
    elif operation.aux:
        inner.append("result, aux = result")
    if operation.outputs:
        inner += [
            "tensors = []",
            "for array in result:",
            "    tensor = new(Tensor)",
            "    tensor._array = array if array.__class__ is ARRAY else asarray(array)",
            "    tensors.append(tensor)",
            f"tensor = tensors[{operation.differentiable.index(True) if True in operation.differentiable else 0}]",
        ]
        if "out" in _needs(operation):
            inner.append("result = [t._array for t in tensors]")
    else:
        inner += [
            "if result.__class__ is not ARRAY:",
            "    result = asarray(result)",
            "tensor = new(Tensor)",
            "tensor._array = result",
        ]
    if operation.view:
        inner += _view_lines(operation, first, every)
    if targets:
        grads = [
            f"{p.name}._requires_grad" if p is first else f"grad_{p.name}"
            for p in tensors
            if p.name in targets
        ]
        inner.append(f"if ({' or '.join(grads)}) and GRAD_MODE.enabled:")
        record = ["node = new(node_{0})".format(operation.name),
                  "node._sequence = next_sequence()"]  # fmt: skip
        edge_names = []
        for target in targets:
            p = named[target]
            condition = f"{target}._requires_grad" if p is first else f"grad_{target}"
            if len(targets) == 1 and len(grads) == 1:
                record.append(f"edge_{target} = {target}._node or {target}")
            else:
                record.append(
                    f"edge_{target} = ({target}._node or {target}) if {condition} else None"
                )
            edge_names.append(f"edge_{target}")
        record.append(f"node.edges = ({', '.join(edge_names)},)")
        record += _save_lines(operation, named)
        if operation.promote is not None and len(targets) > 1:
            shapes = [f"a_{t}.shape" if named[t].kind == "array" else f"getattr(a_{t}, 'shape', ())"
                      for t in targets]  # fmt: skip
            if len(targets) == 2 and all(named[t].kind != "optional" for t in targets):
                second = targets[1]
                if named[second].kind == "operand":
                    record.append(f"if grad_{second} or a_{second}.__class__ is ARRAY:")
                else:
                    record.append("if True:")
                record += [
                    f"    if a_{targets[0]}.shape != a_{second}.shape:",
                    f"        node.shapes = (a_{targets[0]}.shape, a_{second}.shape)",
                ]
            else:
                record.append(f"node.shapes = ({', '.join(shapes)},)")
        record += ["tensor._node = node", "tensor._requires_grad = True"]
        inner += ["    " + line for line in record]
    inner.append(
        "return tensor" if not operation.outputs else f"return result_type_{operation.name}(tensors)"
    )
    if operation.outputs:
        DIRECT[f"result_type_{operation.name}"] = operation.result_type
    lines += ["        " + line for line in inner]
    return lines, True


def _view_lines(operation: Operation, first: Parameter, every: str) -> list[str]:
    DIRECT[f"operation_{operation.name}"] = operation
    arguments = every.split(", ", 1)[1]
    return [
        f"base = a_{first.name}.base",
        f"if result.base is (a_{first.name} if base is None else base)"
        f" or result.base is a_{first.name}:",
        f"    if result is a_{first.name}:",
        "        tensor._array = result = result[...]",
        f"    tensor._base = {first.name} if {first.name}._base is None else {first.name}._base",
        f"    tensor._view = (operation_{operation.name}, {first.name}, ({arguments}))",
    ]


def _save_lines(operation: Operation, named: dict[str, Parameter]) -> list[str]:
    lines = []
    for need in _needs(operation):
        if need == "out":
            lines.append("node.out = result")
        elif need == "aux":
            lines.append("node.aux = aux")
        elif need == "needs":
            continue
        elif need in named:
            line = f"node.{need} = {need}"
            if named[need].is_tensor and not operation.aux:
                # a tensor is kept only for the gradients that will be asked for
                users = [v for v in operation.vjps if need in v.needs]
                edges = [f"edge_{t} is not None" for v in users for t in v.targets]
                if len(edges) < sum(len(v.targets) for v in operation.vjps):
                    lines.append(f"if {' or '.join(edges)}:")
                    line = "    " + line
            lines.append(line)
        elif need.endswith("_dtype"):
            lines.append(f"node.{need} = a_{need.removesuffix('_dtype')}.dtype")
        else:
            base = need.removesuffix("_shape")
            if named[base].kind == "optional":
                lines.append(f"node.{need} = None if {base} is None else a_{base}.shape")
            else:
                lines.append(f"node.{need} = a_{base}.shape")
    return lines


def _node_globals(operation: Operation) -> dict[str, Any]:
    scope = DIRECT
    for i, vjp in enumerate(operation.vjps):
        scope[f"vjp_{operation.name}_{i}"] = vjp.function
        if vjp.kernel is not None:
            scope[f"vjp_kernel_{operation.name}_{i}"] = vjp.kernel
    return scope


def _node_source(operation: Operation) -> str:
    """Python source of the operation's Node subclass."""
    parameters = {p.name: p for p in operation.parameters}
    needs = _needs(operation)
    saved = [n for n in needs if n in ("out", "aux") or (n in parameters and parameters[n].is_tensor)]
    camel = operation.node_name if isinstance(operation.node_name, str) else "Node"
    head = [
        f"class node_{operation.name}(Node):",
        f"    needs = {tuple(needs)!r}",
        f"    saved_names = {tuple(saved)!r}",
        "    shapes = None",
    ]
    head += [f"    {n} = None" for n in needs if n != "needs"]
    lists = any(parameters[t].kind == "arrays" for v in operation.vjps for t in v.targets)
    arrays = _backward_method(operation, parameters, needs, saved, lists, recorded=False)
    recorded = _backward_method(operation, parameters, needs, saved, lists, recorded=True)
    tail = [f"node_{operation.name}.__name__ = node_{operation.name}.__qualname__ = {camel!r}"]
    return "\n".join([*head, *arrays, *recorded, *tail]) + "\n"


def _backward_method(
    operation: Operation,
    parameters: dict[str, Parameter],
    needs: Sequence[str],
    saved: Sequence[str],
    lists: bool,
    recorded: bool,
) -> list[str]:
    name = operation.name
    if recorded:
        lines = ["    def backward_recorded(self, grad):", "        xp = RECORDED"]
    else:
        lines = ["    def backward(self, xp, grad):"]
    body: list[str] = []
    if saved:
        body += ["if self.released:", "    raise_released(self)"]
    tensors = [n for n in needs if n in parameters and parameters[n].is_tensor]
    for n in tensors:
        p = parameters[n]
        body.append(f"{n} = self.{n}")
        if p.kind == "arrays":
            body.append(f"check_saved_list(self, {n})")
            if not recorded:
                body.append(f"{n} = [arrays_of(t) for t in {n}]")
            continue
        test = f"{n} is not None" if p.kind == "array" else f"isinstance({n}, Tensor)"
        body += [
            f"if {test}:",
            f"    if {n}._base is not None or {n}._versions is not None:",
            f"        check_saved(self, {n})",
        ]
        if not recorded:
            body.append(f"    {n} = {n}._array")
    if "out" in needs:
        body += [
            "if self.out_versions is not None and self.out_versions.stamp > self._sequence:",
            "    raise_modified(self, 'out')",
            "out = self.out" if not recorded else "out = recorded_out(self)",
        ]
    if "aux" in needs:
        if recorded:
            passed = ", ".join(p if parameters[p].is_tensor else f"self.{p}" for p in parameters)
            body.append(f"aux = forward_{name}(RECORDED, {passed})[-1]")
        else:
            body.append("aux = self.aux")
    edges = [t for v in operation.vjps for t in v.targets]
    if not edges:
        return [*lines, "        return ()"]
    if not lists:
        body.append(f"{', '.join('edge_' + t for t in edges)}, = self.edges")
        body.append(" = ".join(f"grad_{t}" for t in edges) + " = None")
    else:
        for t in edges:
            body.append(f"edge_{t} = True")
    multiple = sum(operation.differentiable) > 1
    if multiple:
        body.append("xp, grad = grad.unpack(self)" if not recorded else "_, grad = grad.unpack(self)")
    for i, vjp in enumerate(operation.vjps):
        passed = []
        for need in vjp.needs:
            if need in ("out", "aux") or (need in parameters and parameters[need].is_tensor):
                passed.append(need)
            elif need == "needs":
                flags = ", ".join(f"edge_{t} is not None" for t in vjp.targets)
                passed.append(f"({flags},)")
            else:
                passed.append(f"self.{need}")
        call = f"vjp_{name}_{i}(xp, grad{''.join(', ' + p for p in passed)})"
        if vjp.kernel is not None and not recorded:
            kernel = f"vjp_kernel_{name}_{i}(grad{''.join(', ' + p for p in passed)})"
            call = f"{kernel} if xp is NUMPY else {call}"
        assigned = ", ".join(f"grad_{t}" for t in vjp.targets)
        wanted = " or ".join(f"edge_{t} is not None" for t in vjp.targets)
        body += [f"if {wanted}:", f"    {assigned} = {call}"]
    if operation.promote is not None and not lists and len(edges) > 1:
        body.append("if self.shapes is not None:")
        for k, t in enumerate(edges):
            body += [
                f"    if grad_{t} is not None and grad_{t}.shape != self.shapes[{k}]:",
                f"        grad_{t} = sum_to(xp, grad_{t}, self.shapes[{k}])",
            ]
    if lists:
        body.append(f"return tuple(grad_{edges[0]})")
    else:
        body.append(f"return ({', '.join('grad_' + t for t in edges)},)")
    return lines + ["        " + line for line in body]


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
    """
    if forward is not None:
        return Operation(forward)

    def define(forward: Callable[..., Any]) -> Operation:
        return Operation(forward, **options)

    return define


def composite(
    function: Callable[..., Any] | None = None,
    *,
    method: bool = True,
    varargs: str | None = None,
    name: str | None = None,
) -> Any:
    """Decorator: a public function made of operations, a method of Tensor too unless told not."""

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        function.varargs = varargs  # type: ignore[attr-defined]
        function.is_method = method  # type: ignore[attr-defined]
        COMPOSITES[name or function.__name__] = function
        return function

    return define(function) if function is not None else define


# -- what the generated code calls ------------------------------------------------------------


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


def _raise_modified(node: Node, what: str, tensor: Any = None) -> None:
    from ..autograd.anomaly import hint

    described = "" if tensor is None else f" [{_type_name(tensor)} {list(tensor.shape)}]"
    if tensor is None:
        out = node.out  # type: ignore[attr-defined]
        described = f" {list(getattr(out, 'shape', ()))}, which is output 0 of {node.name()},"
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation:{described} was written after {type(node).operation.name}() had kept it for its "  # type: ignore[attr-defined]
        f"gradient. {hint(node)}"
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

        return [_with_node(array, OutputSlot(node, i)) for i, array in enumerate(out)]
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
    BUILD=build,
    FLOAT32=np.dtype(np.float32),
    FLOAT64=np.dtype(np.float64),
    INT64=np.dtype(np.int64),
    GRAD_MODE=GRAD_MODE,
    MISSING=MISSING,
    NUMPY=numpy_namespace,
    Node=Node,
    RECORDED=_Recorded(),
    TENSORS=TENSORS,
    Tensor=Tensor,
    arrays_of=lambda t: t._array if isinstance(t, Tensor) else t,
    asarray=np.asarray,
    check_saved=_check_saved,
    check_saved_list=_check_saved_list,
    new=new_object,
    next_sequence=next_sequence,
    raise_modified=_raise_modified,
    raise_released=_raise_released,
    recorded_out=_recorded_out,
    sum_to=sum_to,
    __name__="flambeau.ops.generated",
    __builtins__=__builtins__,
)
