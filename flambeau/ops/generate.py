"""Flat Python functions and node classes, generated from operations' definitions.

The function of an operation starts as a stub.  At its first call the source of the real function,
and of its node class, is written, and the stub takes on the new code: whoever took hold of it
before (a method of Tensor, an import) has the fast one from then on.  The source is kept where
tracebacks and debuggers look for it.  Calls in a capture take the general path, for which nothing
has to be generated.
"""

from __future__ import annotations

import inspect
import linecache
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..modes import DIRECT, MODES
from . import (
    generated_calls,  # noqa: F401  fills in the names that the code refers to
    small_programs,
)

if TYPE_CHECKING:
    from .operation import Operation
    from .parameters import Parameter


class DeferredSignature(inspect.Signature):
    """The public signature of an operation, made when somebody asks for it.

    Building it for every operation would be a tenth of the package's import.
    """

    __slots__ = ("_operation", "_made")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._made: Any = None
        self._return_annotation = inspect.Signature.empty

    @property
    def _parameters(self) -> Any:
        if self._made is None:
            self._made = _public_signature(self._operation).parameters
        return self._made

    def replace(self, **changes: Any) -> Any:
        return inspect.Signature(list(self.parameters.values())).replace(**changes)

    def __reduce__(self) -> Any:
        return inspect.Signature, (list(self.parameters.values()),)


def _public_signature(operation: Operation) -> inspect.Signature:
    definition = inspect.signature(operation.definition).parameters
    parameters = [p for name, p in definition.items() if name != "xp"]
    if operation.takes_out and "out" not in definition:
        parameters.append(inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None))
    return inspect.Signature(parameters)


def make_stub(operation: Operation, dunder: bool) -> Callable[..., Any]:
    """A function that builds the real one at its first call outside captures and turns into it.

    The function object stays the same, so whoever took hold of it before (a method of Tensor, an
    import) has the fast one from then on.
    """

    function = types.FunctionType(_STUB_CODE, DIRECT, operation.name)
    function.__kwdefaults__ = {"_operation": operation, "_dunder": dunder}
    function.__doc__ = operation.description
    function.__module__ = "flambeau"
    function.__qualname__ = operation.name
    function.__signature__ = DeferredSignature(operation)  # type: ignore[attr-defined]
    function.operation = operation  # type: ignore[attr-defined]
    return function


def _stub(*args, _operation, _dunder, **kwargs):  # type: ignore[no-untyped-def]
    return FIRST_CALL(_operation, _dunder, args, kwargs)  # type: ignore[name-defined] # noqa: F821


_STUB_CODE = _stub.__code__


def _first_call(operation: Operation, dunder: bool, args: Any, kwargs: Any) -> Any:
    """A call of an operation whose function has not been generated."""
    if MODES.capture is not None and not kwargs:
        missing = operation.parameters[len(args) :]
        given = operation.parameters[: len(args)]
        if len(args) <= len(operation.parameters) and not any(p.keyword_only for p in given):
            if not any(p.default is inspect.Parameter.empty for p in missing):
                values = (*args, *(p.default for p in missing))
                return operation.general(values, None, dunder)
    return build(operation, dunder)(*args, **kwargs)


def build(operation: Operation, dunder: bool = False) -> Callable[..., Any]:
    """Generate the operation's function and node class, and put them into place."""
    if operation._node_class is None:
        source = _node_source(operation)
        exec(_compiled(source, f"{operation.name} backward"), _node_globals(operation), DIRECT)
        node_class: Any = DIRECT[f"node_{operation.name}"]
        node_class.operation = operation
        node_class.shape_kept = operation.naming_shape
        operation._node_class = node_class
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
        operation.dunder = make_stub(operation, dunder=True)  # type: ignore[attr-defined]
    return operation.dunder  # type: ignore[attr-defined]


def _compiled(source: str, title: str) -> Any:
    filename = f"<flambeau operation {title}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    return compile(source, filename, "exec")


def kept_results(operation: Operation) -> str | None:
    """What an operation with several results may keep some of them in: ``result`` or ``aux``."""
    if not operation.outputs:
        return None
    needs = _needs(operation)
    return "result" if "out" in needs else "aux" if "aux" in needs else None


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
    older = operation.older if not dunder else ()
    signature: list[str] = []
    starred = False
    for p in parameters:
        if p.keyword_only and not starred:
            signature.append("*older" if older else "*")
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
    if older:
        operands = [p.name for p in parameters if not p.keyword_only]
        given = f"({', '.join(operands)}, *older), ({', '.join(older)},), out"
        DIRECT[f"function_{name}"] = operation.function
        lines += [
            "    if older:",
            f"        return in_older_order(function_{name}, {older}, {len(operands)}, {given})",
        ]
    body, direct = _direct_path(operation)
    if direct:
        lines += ["    " + line for line in body]
    lines.append(f"    return general_{operation.name}({tail})")
    DIRECT[f"general_{operation.name}"] = operation.general
    DIRECT[f"forward_{operation.name}"] = operation.forward
    if has_small_programs(operation):
        DIRECT[f"programs_{operation.name}"] = small_programs.forward_table(operation)
    if operation.numpy_kernel is not None:
        DIRECT[f"kernel_{operation.name}"] = operation.numpy_kernel
    return "\n".join(lines) + "\n"


def _direct_path(operation: Operation) -> tuple[list[str], bool]:
    """The lines of the direct path, and whether there is one."""
    parameters = operation.parameters
    tensors = [p for p in parameters if p.is_tensor]
    if not tensors:
        return [], False
    if tensors[0].kind == "arrays" and len(tensors) == 1 and not operation.outputs:
        return _sequence_path(operation, tensors[0]), True
    if any(p.kind == "arrays" for p in tensors):
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
        conditions.append("dtype_.kind not in 'cV'")
    for p in rest:
        n = p.name
        tests = f"a_{n}.__class__ is ARRAY" + (f" and a_{n}.dtype is dtype_" if same_dtype else "")
        if operation.promote == "where" and p is rest[0]:  # the condition has no say in the dtype
            conditions[-1] = f"a_{first.name}.dtype is BOOL"
            tests = f"a_{n}.__class__ is ARRAY and (dtype_ := a_{n}.dtype).kind != 'V'"
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
                f"        ok_{n} = class_{n} in (float, int) and dtype_ is not INT64",
                f"        grad_{n} = False",
            ]
            if operation.promote == "where":
                lines[-4:] = ["    else:", f"        ok_{n} = False"]
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
    if operation.small_kernel is not None:
        least, small = operation.small_kernel  # from that size on a compiled program may do it
        DIRECT[f"small_{operation.name}"] = small
        quick = f"small_{operation.name}(" if small else f"forward_{operation.name}(NUMPY, "
        call = f"{quick}{passed}) if a_{first.name}.size < {least} else {call}"
    every = "".join(f"{p.name}, " for p in parameters)
    found = f"result = {call}"
    by_program = has_small_programs(operation)
    if by_program:
        key, given = _small_key(operation), [f"a_{p.name}" for p in tensors]
        lookup = _small_lines("result", f"programs_{operation.name}", key, given)
        operands = [f"a_{p.name}.__class__ is ARRAY" for p in tensors if p.kind == "operand"]
        if operands:
            lookup = ["result = None", f"if {' and '.join(operands)}:"] + [
                "    " + line for line in lookup
            ]
        inner += lookup
        found = f"if result is None: result = {call}"
        if kept_results(operation) is not None:
            inner.append("fresh = result is not None")
    inner += [
        "try:",
        f"    {found}",
        "except Exception:",
        f"    return general_{operation.name}(({every}))",
    ]
    targets = [t for vjp in operation.vjps for t in vjp.targets]
    named = {p.name: p for p in parameters}
    arrays = [f"array_{i}" for i in range(len(operation.outputs))]
    if operation.outputs:
        inner.append(f"{', '.join([*arrays, 'aux'] if operation.aux else arrays)}, = result")
    elif operation.aux:
        inner.append("result, aux = result")
    if operation.outputs:
        first_differentiable = (*operation.differentiable, True).index(True) % len(
            operation.outputs
        )
        for array in arrays:
            inner += [
                f"tensor_{array} = new(Tensor)",
                f"tensor_{array}._array = "
                f"{array} if {array}.__class__ is ARRAY else asarray({array})",
            ]
        inner += [
            f"tensors = ({', '.join(f'tensor_{array}' for array in arrays)},)",
            f"tensor = tensor_array_{first_differentiable}",
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
        kind = " and result.dtype.kind in 'fcV'" if operation.name == "astype" else ""
        inner.append(f"if ({' or '.join(grads)}) and GRAD_MODE.enabled{kind}:")
        record = [f"node = new(node_{operation.name})",
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
        kept = kept_results(operation)
        if kept is not None:
            line = f"keep_versions(node, tensors, {kept})"
            if by_program:
                # a program keeps either a result itself, or what shares no memory with any
                record += ["if not fresh:", f"    {line}"]
                for i, array in enumerate(arrays):
                    noted = f"node.kept_versions = (({i}, tensor_{array}),)"
                    record += [f"elif {kept} is {array}:",
                               f"    {line if operation.differentiable[i] else noted}"]  # fmt: skip
            else:
                record.append(line)
        if operation.promote is not None and len(targets) > 1:
            shapes = [f"a_{t}.shape" if named[t].kind == "array" else f"getattr(a_{t}, 'shape', ())"
                      for t in targets]  # fmt: skip
            if operation.promote == "where":
                record.append(f"if a_{targets[0]}.shape != result.shape"
                              f" or a_{targets[1]}.shape != result.shape:")  # fmt: skip
                record.append(f"    node.shapes = ({', '.join(shapes)},)")
            elif len(targets) == 2 and all(named[t].kind != "optional" for t in targets):
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
        if operation.view:  # PyTorch lets a view answer with its base's flag, recorded or not
            inner += [
                f"elif {first.name}._requires_grad and tensor._base is not None:",
                "    tensor._requires_grad = True",
                "    tensor._made_in = 'inference' if GRAD_MODE.inference else 'no_grad'",
            ]
    inner.append(
        "return tensor"
        if not operation.outputs
        else f"return result_type_{operation.name}(tensors)"
    )
    if operation.outputs:
        DIRECT[f"result_type_{operation.name}"] = operation.result_type
    lines += ["        " + line for line in inner]
    return lines, True


def has_small_programs(operation: Operation) -> bool:
    """Whether small calls of the operation may move to compiled programs here."""
    return operation.small is not None and small_programs.available()


def _small_key(operation: Operation) -> list[str]:
    """What a small call's program is looked up by, see :mod:`.small_programs`."""
    assert operation.small is not None
    key = []
    for i, p in enumerate(operation.parameters):
        if i == 0 or p.name in operation.small.shapes:
            key.append(f"a_{p.name}.shape")
        elif p.kind == "optional":
            key.append(f"{p.name} is None")
        elif not p.is_tensor:
            key.append(p.name)
    return key


def _small_lines(target: str, table: str, key: list[str], given: list[str]) -> list[str]:
    return [
        "try:",
        f"    {target} = {table}[{', '.join(key)},]({', '.join(given)})",
        "except TypeError:",  # a list among the arguments
        f"    {target} = None",
    ]


def _sequence_path(operation: Operation, first: Parameter) -> list[str]:
    """The direct path of an operation on a sequence of tensors."""
    name, others = first.name, [p.name for p in operation.parameters if p is not first]
    rest = "".join(f", {n}" for n in others)
    if operation.numpy_kernel is not None:
        call = f"kernel_{operation.name}(arrays{rest})"
    else:
        call = f"forward_{operation.name}(NUMPY, arrays{rest})"
    every = "".join(f"{p.name}, " for p in operation.parameters)
    guard = f"{name}.__class__ in SEQUENCES and {name}"
    if operation.takes_out:
        guard += " and out is None"
    edges = f"[(t._node or t) if t._requires_grad else None for t in {name}]"
    lines = [
        f"if {guard}:",
        "    arrays = []",
        "    dtype_ = None",
        "    recorded = False",
        f"    for item in {name}:",
        "        if item.__class__ not in TENSORS:",
        "            break",
        "        if item._base is not None:",
        "            item._refresh()",
        "        array = item._array",
        "        if array.__class__ is not ARRAY:",
        "            break",
        "        if dtype_ is not None and array.dtype is not dtype_:",
        "            break",
        "        dtype_ = array.dtype",
        "        if item._requires_grad:",
        "            recorded = True",
        "        arrays.append(array)",
        "    if dtype_ is not None and dtype_.kind != 'V' and dtype_.char != 'e'"
        f" and len(arrays) == len({name}):",
        "        try:",
        f"            result = {call}",
        "        except Exception:",
        f"            return general_{operation.name}(({every}))",
        "        tensor = new(Tensor)",
        "        tensor._array = result",
        "        if recorded and GRAD_MODE.enabled:",
        f"            node = new(node_{operation.name})",
        "            node._sequence = next_sequence()",
        f"            node.edges = tuple({edges})",
    ]
    for need in _needs(operation):
        if need == f"{name}_shape":
            value = "[a.shape for a in arrays]"
        elif need == "out":
            value = "result"
        else:
            value = need
        lines.append(f"            node.{need} = {value}")
    return [
        *lines,
        "            tensor._node = node",
        "            tensor._requires_grad = True",
        "        return tensor",
    ]


def _view_lines(operation: Operation, first: Parameter, every: str) -> list[str]:
    DIRECT[f"operation_{operation.name}"] = operation
    arguments = every.split(", ", 1)[1]
    return [
        f"base = a_{first.name}.base",
        f"if result.base is (a_{first.name} if base is None else base)"
        f" or result.base is a_{first.name}:",
        f"    if result is a_{first.name}:",
        "        tensor._array = result = result[...]",
        f"    root = {first.name}._base",
        f"    tensor._base = root = {first.name} if root is None else root",
        "    if root._rebased:",
        "        tensor._seen = root._rebased",
        f"    tensor._view = (operation_{operation.name}, {first.name}, ({arguments}))",
        "    if INFERRED:",
        f"        tensor._inference = {first.name}._inference",
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
            indent = line[: -len(line.lstrip())]
            if named[need].kind == "array":
                lines += [f"{indent}if INFERRED and {need}._inference:",
                          f"{indent}    refuse_inference()"]  # fmt: skip
            elif named[need].kind in ("operand", "optional"):
                lines += [f"{indent}if INFERRED and getattr({need}, '_inference', False):",
                          f"{indent}    refuse_inference()"]  # fmt: skip
            elif named[need].kind != "plain":
                lines += [f"{indent}if INFERRED:", f"{indent}    check_no_inference({need})"]
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
    if has_small_programs(operation):
        scope[f"vjp_programs_{operation.name}"] = small_programs.vjp_table(operation)
    for i, vjp in enumerate(operation.vjps):
        scope[f"vjp_{operation.name}_{i}"] = vjp.function
        if vjp.kernel is not None:
            scope[f"vjp_kernel_{operation.name}_{i}"] = vjp.kernel
    return scope


def _node_source(operation: Operation) -> str:
    """Python source of the operation's Node subclass."""
    parameters = {p.name: p for p in operation.parameters}
    needs = _needs(operation)
    saved = [
        n for n in needs if n in ("out", "aux") or (n in parameters and parameters[n].is_tensor)
    ]
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


def _small_vjp_lines(operation: Operation) -> list[str]:
    """What makes ``found`` the gradients by a program for small arrays, or None."""
    table = f"vjp_programs_{operation.name}"
    first, arrays, plain, with_aux = small_programs.vjp_arguments(operation)
    key = [f"{first}.shape"]
    for need in plain:
        key.append(f"{need} is None" if need in arrays else f"self.{need}")
    edges = [t for v in operation.vjps for t in v.targets]
    if len(edges) > 1:
        key.append(f"({', '.join(f'edge_{t} is not None' for t in edges)})")
    given = list(arrays)
    if with_aux:
        given.append("*(aux if aux.__class__ is tuple else (aux,))")
    lines = ["found = None", "if xp is NUMPY:"]
    lines += ["    " + line for line in _small_lines("found", table, key, ["grad", *given])]
    again = _small_lines("found", table, key, ["grad.copy()", *given])
    lines.append("    if found is None and not grad.flags.c_contiguous:")
    return [*lines, *("        " + line for line in again)]


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
    asked_for = {n for v in operation.vjps for n in v.needs}  # the others make aux anew
    if not recorded and operation.numpy_kernel is None:
        tensors = [n for n in tensors if n in asked_for]
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
            f"    if {'' if recorded or n in asked_for else 'xp is not NUMPY and '}"
            f"({n}._base is not None or {n}._versions is not None):",
            f"        check_saved(self, {n})",
        ]
        if not recorded:
            body.append(f"    {n} = {n}._array")
    body += [
        f"check_saved_list(self, self.{n})"
        for n in needs
        if n in parameters and parameters[n].kind == "indices"
    ]
    if kept_results(operation) is not None:
        body += ["if self.kept_versions:", "    check_kept(self)"]
        if "out" in needs:
            body.append("out = self.out" if not recorded else "out = recorded_out(self)")
    elif "out" in needs:
        users = [t for v in operation.vjps if "out" in v.needs for t in v.targets]
        asked = ""
        if not lists and len(users) < len([t for v in operation.vjps for t in v.targets]):
            every = [t for v in operation.vjps for t in v.targets]
            asked = " or ".join(f"self.edges[{every.index(t)}] is not None" for t in users)
            asked = f" and ({asked})"
        body += [
            "if self.out_versions is not None and self.out_versions.stamp > self._sequence"
            f"{asked}:",
            "    raise_modified(self, 'out')",
            "out = self.out" if not recorded else "out = recorded_out(self)",
        ]
    if sum(operation.differentiable) > 1:
        body.append(f"{'_' if recorded else 'xp'}, grad = grad.unpack(self)")
    if "aux" in needs:
        if recorded:
            passed = ", ".join(p if parameters[p].is_tensor else f"self.{p}" for p in parameters)
            body.append(f"aux = forward_{name}(RECORDED, {passed})[-1]")
        elif operation.numpy_kernel is not None and tensors:
            # what a kernel keeps is for its own vjps: a batch of gradients needs the definition's
            passed = ", ".join(p if parameters[p].is_tensor else f"self.{p}" for p in parameters)
            body.append(
                f"aux = self.aux if xp is NUMPY or {tensors[0]}.__class__ is not NDARRAY"
                f" else forward_{name}(xp, {passed})[-1]"
            )
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
    plainly: list[str] = []
    for i, vjp in enumerate(operation.vjps):
        given: list[str] = []
        for need in vjp.needs:
            if need in ("out", "aux") or (need in parameters and parameters[need].is_tensor):
                given.append(need)
            elif need == "needs":
                flags = ", ".join(f"edge_{t} is not None" for t in vjp.targets)
                given.append(f"({flags},)")
            else:
                given.append(f"self.{need}")
        call = f"vjp_{name}_{i}(xp, grad{''.join(', ' + p for p in given)})"
        if vjp.kernel is not None and not recorded:
            kernel = f"vjp_kernel_{name}_{i}(grad{''.join(', ' + p for p in given)})"
            call = f"{kernel} if xp is NUMPY else {call}"
        assigned = ", ".join(f"grad_{t}" for t in vjp.targets)
        wanted = " or ".join(f"edge_{t} is not None" for t in vjp.targets)
        plainly += [f"if {wanted}:", f"    {assigned} = {call}"]
    if recorded or not has_small_programs(operation):
        body += plainly
    else:
        body += _small_vjp_lines(operation)
        body += ["if found is not None:", f"    {', '.join('grad_' + t for t in edges)}, = found"]
        body += ["else:", *("    " + line for line in plainly)]
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


DIRECT["FIRST_CALL"] = _first_call
