"""Whoever asks ``help()`` for a public name is told what its arguments are and what it raises."""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from typing import Any

import pytest

import flambeau as torch

NAMESPACES = (
    "flambeau", "flambeau.accelerator", "flambeau.amp", "flambeau.autograd",
    "flambeau.autograd.forward_ad", "flambeau.autograd.functional",
    "flambeau.autograd.profiler", "flambeau.backends",
    "flambeau.cli", "flambeau.compat", "flambeau.compiler", "flambeau.cpu", "flambeau.cuda",
    "flambeau.datasets", "flambeau.distributed", "flambeau.distributions", "flambeau.fft",
    "flambeau.func", "flambeau.hub", "flambeau.jit", "flambeau.linalg", "flambeau.mps",
    "flambeau.multiprocessing", "flambeau.nn", "flambeau.nn.attention", "flambeau.nn.functional",
    "flambeau.nn.grad", "flambeau.nn.init", "flambeau.nn.parallel", "flambeau.nn.utils",
    "flambeau.nn.utils.parametrizations", "flambeau.nn.utils.parametrize",
    "flambeau.nn.utils.prune", "flambeau.nn.utils.rnn", "flambeau.nn.utils.stateless",
    "flambeau.onnx", "flambeau.optim", "flambeau.optim.lr_scheduler", "flambeau.optim.swa_utils",
    "flambeau.plots", "flambeau.profiler", "flambeau.random", "flambeau.serialization",
    "flambeau.signal.windows", "flambeau.special", "flambeau.testing", "flambeau.training",
    "flambeau.types",
    "flambeau.utils.benchmark", "flambeau.utils.checkpoint", "flambeau.utils.data",
    "flambeau.utils.dlpack", "flambeau.utils.hooks", "flambeau.utils.model_zoo",
    "flambeau.utils.tensorboard",
    "flambeau.vision.datasets", "flambeau.vision.io", "flambeau.vision.models",
    "flambeau.vision.ops", "flambeau.vision.transforms", "flambeau.vision.transforms.functional",
    "flambeau.vision.transforms.v2", "flambeau.vision.transforms.v2.functional",
    "flambeau.vision.utils", "flambeau.xpu",
)  # fmt: skip

_OUT = re.compile(r"^ *out: .*$", re.MULTILINE)
"""What is said of an argument ``out``, which says what it cannot hold."""

_ERROR = re.compile(r"\b(\w*Error|\w*Exception|StopIteration|NotYet|ConcreteValueNeeded)\b")


def _names(namespace: Any) -> list[str]:
    """The public names, those that are imported when they are first used among them."""
    listed = getattr(namespace, "__all__", None)
    names = listed or [*dir(namespace), *(torch._LAZY if namespace is torch else ())]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _ours(value: Any) -> bool:
    """Whether flambeau defines the function or class."""
    return (
        inspect.isroutine(value)
        or isinstance(value, type)
        and bool(str(value.__module__).partition(".")[0] == "flambeau")
    )


def _public(namespace: str) -> Iterator[tuple[str, Any, type | None]]:
    """Each function, class, method and property: its name, itself, and a method's class."""
    module = importlib.import_module(namespace)
    listed = module is torch or hasattr(module, "__all__")
    for name in _names(module):
        value = getattr(module, name)
        if not _ours(value) or isinstance(value, types.BuiltinFunctionType):
            continue
        module_of = str(getattr(inspect.unwrap(value), "__module__", "") or "")
        if module_of.partition(".")[0] != "flambeau" or not (listed or module_of == namespace):
            continue  # what the module imports for itself
        yield name, value, None
        if isinstance(value, type):
            for attribute, member in vars(value).items():
                if attribute.startswith("_") or attribute == "rule":
                    continue  # an optimizer's rule is a formula of its named state
                if isinstance(member, (staticmethod, classmethod)):
                    member = member.__func__
                if isinstance(member, (types.FunctionType, property)) or hasattr(member, "forward"):
                    yield f"{name}.{attribute}", member, value


def _doc(name: str, value: Any, cls: type | None) -> str:
    """What ``help()`` of the function or class says, or of the method that it overrides."""
    if isinstance(value, type):
        made = value.__init__ if value.__init__ is not object.__init__ else None
        return "\n".join(d for d in (value.__doc__, getattr(made, "__doc__", "")) if d)
    if value.__doc__ or cls is None:
        return value.__doc__ or ""
    attribute = name.rpartition(".")[2]
    found = (vars(base).get(attribute) for base in cls.__mro__[1:])
    return next((d for d in (getattr(f, "__doc__", None) for f in found) if d), "")


def _with_class(name: str, value: Any, cls: type | None) -> str:
    """The same, and what the class says: there a layer tells the shapes that go in and out."""
    return _doc(name, value, cls) + (_doc(name, cls, None) if cls is not None else "")


def _parameters(value: Any) -> list[str]:
    if isinstance(value, property) or isinstance(value, type) and issubclass(value, enum.Enum):
        return []
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        p.name.rstrip("_")
        for p in signature.parameters.values()
        if p.kind not in variable and p.name not in ("self", "cls") and not p.name.startswith("_")
    ]


@functools.cache
def _raising(filename: str) -> dict[int, bool]:
    """By the first line of every function of a file: whether errors are raised in its body."""
    with open(filename, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    return {
        min([node.lineno, *(d.lineno for d in node.decorator_list)]): _raises_errors(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def _raises_errors(function: ast.FunctionDef) -> bool:
    """Whether it raises what it names: not an abstract method, nor an error that it has caught."""
    body = [n for n in function.body if not isinstance(n, ast.Expr)]
    if len(body) == 1 and isinstance(body[0], ast.Raise):
        return False
    return any(isinstance(n, ast.Raise) and n.exc is not None and not isinstance(n.exc, ast.Name)
               for n in ast.walk(function))  # fmt: skip


def _raises(value: Any) -> bool:
    if isinstance(value, type):
        value = vars(value).get("__init__")
    functions = [value]
    if isinstance(value, property):
        functions = [value.fget, value.fset]
    operation = getattr(value, "operation", None)
    if operation is not None:
        functions = [operation.definition, operation.check, operation.check_operands]
    for function in functions:
        code = getattr(inspect.unwrap(function), "__code__", None) if function else None
        if code is not None and not code.co_filename.startswith("<"):
            if _raising(code.co_filename).get(code.co_firstlineno):
                return True
    return False


def _example(size: int, *rest: int, index_: int = 0) -> int:
    """Nothing of its arguments."""
    if size < 0:
        raise ValueError("negative")
    return index_


def test_the_checks_find_what_there_is_to_say() -> None:
    assert _parameters(_example) == ["size", "index"]
    assert _raises(_example) and not _raises(_parameters)
    assert _raises(torch.stack) and not _raises(torch.exp)
    found = {name for name, _, _ in _public("flambeau")}
    assert {"exp", "hann_window", "Tensor.add_", "Tensor.grad", "Generator.seed"} <= found
    assert "Any" not in found


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_everything_public_says_what_it_is(namespace: str) -> None:
    silent = [name for name, value, cls in _public(namespace) if not _doc(name, value, cls)]
    assert not silent, f"without a docstring: {', '.join(silent)}"


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_argument_is_told_of(namespace: str) -> None:
    missing = []
    for name, value, cls in _public(namespace):
        doc = _with_class(name, value, cls)
        given = _parameters(value)[1 if name.endswith(".forward") else 0 :]
        left_out = [p for p in given if not re.search(rf"\b{p}_?\b", doc)]
        if left_out:
            missing.append(f"{name}: {', '.join(left_out)}")
    assert not missing, "arguments not in the docstring:\n" + "\n".join(missing)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_what_is_raised_is_told(namespace: str) -> None:
    told = lambda name: _with_class if name.endswith(".forward") else _doc  # noqa: E731
    untold = [
        name
        for name, value, cls in _public(namespace)
        if _raises(value) and not _ERROR.search(_OUT.sub("", told(name)(name, value, cls)))
    ]
    assert not untold, f"raise errors that their docstrings do not name: {', '.join(untold)}"


_OWN = ("cli", "compat", "compiler", "datasets", "plots", "training")
_OF_PYTORCH = [name for name in NAMESPACES if name.removeprefix("flambeau.") not in _OWN]


@pytest.mark.parametrize("namespace", _OF_PYTORCH)
def test_the_source_is_named(namespace: str) -> None:
    """The paper or the page of the API: of a function itself, of its class, or of its file."""
    unnamed = []
    for name, value, cls in _public(namespace):
        if cls is not None:
            continue
        operation = getattr(value, "operation", None)
        defined = inspect.unwrap(value) if operation is None else operation.definition
        code = getattr(defined, "__code__", None)
        file = code.co_filename if code else inspect.getsourcefile(defined)
        if "Source" not in _doc(name, value, cls) and "Source" not in _module_doc(str(file)):
            unnamed.append(f"{name} ({str(file).partition('flambeau/')[2]})")
    assert not unnamed, f"no source is named of: {', '.join(unnamed)}"


@functools.cache
def _module_doc(filename: str) -> str:
    with open(filename, encoding="utf-8") as file:
        return ast.get_docstring(ast.parse(file.read())) or ""
