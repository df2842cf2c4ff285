"""``torch.onnx.export``: a network into an ONNX file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

import flambeau

from ..compiler.capture import capture
from ..compiler.captured import Program
from ..modes import ConcreteValueNeeded
from ..serialization.atomic import replacing
from ..tensor import Tensor, wrap
from .errors import OnnxExporterError
from .sizes import Sizes, variation

DEFAULT_OPSET = 18
LEAST_OPSET = 13


class _Running(threading.local):
    """What the calling thread is doing."""

    export = False


_RUNNING = _Running()


def is_in_onnx_export() -> bool:
    """Whether the network runs because it is being exported, in the calling thread.

    Source: https://docs.pytorch.org/docs/2.13/onnx_export.html
    """
    return _RUNNING.export


def export(
    model: Any,
    args: Any = (),
    f: str | os.PathLike[str] | BinaryIO | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    verbose: bool = False,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int | None = None,
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None = None,
    do_constant_folding: bool = True,
) -> Any:
    """Write a network into an ONNX file.

    The network runs in evaluation mode, without gradients, on arguments like ``args``. What it
    does besides computing on tensors (a print, a branch on a size) is not part of the file.

    Args:
        model: the network, or a function of tensors.
        args: its arguments, a tuple, or the only one. The tensors among them, and those in
            tuples, lists and dictionaries, are the inputs of the ONNX graph, in this order; other
            values are built in.
        f: the file's name, or a binary file open for writing; None writes nothing.
        kwargs: its keyword arguments; tensors among them are inputs after the others.
        verbose: print the graph.
        input_names: names of the inputs; by default ``input_0`` and so on.
        output_names: names of the outputs, which are the tensors in the network's result, in
            order; by default ``output_0`` and so on.
        opset_version: of ONNX's operators, 13 or later; by default 18.
        dynamic_axes: sizes to be left open: the name of an input (or output) -> dims, each with a
            name for its size or not. Sizes with one name are the same. Without it all sizes are
            those of ``args``.
        do_constant_folding: compute beforehand what depends on parameters alone (the scale of a
            batch normalization in evaluation mode).

    Returns:
        The ONNX model (``onnx.ModelProto``).

    Raises:
        ImportError: the package ``onnx`` is not installed.
        OnnxExporterError: the network does something that has no counterpart in ONNX (a draw of
            random numbers, complex numbers), branches on values, or depends on an open size in
            a way that cannot be written down.
        ValueError: there are too many names, or ``opset_version`` is too old or unknown.

    Source: https://docs.pytorch.org/docs/2.13/onnx_export.html
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "ONNX files are written with the package onnx, which is not installed: "
            "pip install 'flambeau[onnx]' (or pip install onnx)"
        ) from error
    opset = DEFAULT_OPSET if opset_version is None else opset_version
    if not LEAST_OPSET <= opset <= onnx.defs.onnx_opset_version():
        raise ValueError(
            f"opset_version={opset}: versions from {LEAST_OPSET} to "
            f"{onnx.defs.onnx_opset_version()} (that of the installed onnx) can be written"
        )
    from .builder import serialized
    from .writing import written

    positional = args if isinstance(args, (tuple, list)) else (args,)
    call = _Call(model, tuple(positional), dict(kwargs or {}))
    names = _named(input_names, len(call.tensors), "input")
    open_sizes, output_sizes = _open_sizes(call, names, dynamic_axes or {})
    _RUNNING.export = True
    try:
        program, sizes = call.traced(names, open_sizes)
    finally:
        _RUNNING.export = False
    proto = written(
        call, program, sizes, names, output_names, open_sizes, output_sizes, opset,
        do_constant_folding,
    )  # fmt: skip
    data = serialized(proto)
    if verbose:
        print(onnx.printer.to_text(proto))
    if f is not None:
        if isinstance(f, (str, os.PathLike)):
            with replacing(f) as file:
                file.write(data)
        else:
            f.write(data)
    return proto


def _named(given: Sequence[str] | None, count: int, what: str) -> list[str]:
    names = list(given or ())
    if len(names) > count:
        raise ValueError(f"{what}_names has {len(names)} names, and there are {count} {what}s")
    if len(set(names)) < len(names):
        raise ValueError(f"{what}_names has a name twice: {', '.join(names)}")
    return names + [f"{what}_{i}" for i in range(len(names), count)]


OpenSizes = dict[tuple[str, int], str]
"""Name of an input or output and dim -> name of the size."""


def _open_sizes(
    call: _Call, names: list[str], dynamic_axes: Mapping[str, Any]
) -> tuple[OpenSizes, OpenSizes]:
    """Those of the inputs and those of the outputs."""
    of_inputs: OpenSizes = {}
    of_outputs: OpenSizes = {}
    for name, dims in dynamic_axes.items():
        labelled = (
            dict(dims)
            if isinstance(dims, Mapping)
            else {dim: f"{name}_dynamic_axes_{i + 1}" for i, dim in enumerate(dims)}
        )
        for dim, label in labelled.items():
            if name not in names:
                of_outputs[name, dim] = str(label)
                continue
            rank = call.tensors[names.index(name)].dim()
            if not -rank <= dim < rank:
                raise ValueError(
                    f"dynamic_axes: {name!r} has {rank} dims, and {dim} is none of them"
                )
            of_inputs[name, dim % rank] = str(label)
    return of_inputs, of_outputs


def _replaced(item: Any, replacement: Callable[[Tensor], Any]) -> Any:
    """Nested arguments with something in the place of each tensor."""
    if isinstance(item, Tensor):
        return replacement(item)
    if isinstance(item, tuple):
        parts = [_replaced(part, replacement) for part in item]
        return type(item)(*parts) if hasattr(item, "_fields") else tuple(parts)
    if isinstance(item, list):
        return [_replaced(part, replacement) for part in item]
    if isinstance(item, dict):
        return {key: _replaced(part, replacement) for key, part in item.items()}
    return item


class _Call:
    """A network with its arguments, which it can be captured with in several sizes."""

    def __init__(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.model = model
        self.args = args
        self.kwargs = kwargs
        self.tensors: list[Tensor] = []
        _replaced((args, kwargs), self._noted)

    def _noted(self, tensor: Tensor) -> Tensor:
        self.tensors.append(tensor)
        return tensor

    def captured(self, arrays: list[np.ndarray]) -> Program:
        """The program that the network is on arguments with these values.

        Raises:
            OnnxExporterError: it cannot be captured.
        """
        tensors = [wrap(array) for array in arrays]
        following = iter(tensors)
        args, kwargs = _replaced((self.args, self.kwargs), lambda _: next(following))
        training = [(m, m.training) for m in (self.model.modules() if self._is_module() else ())]
        for module, _ in training:
            module.training = False
        try:
            with flambeau.no_grad():
                program, _ = capture(self.model, args, kwargs, tensors, views=True)
        except ConcreteValueNeeded as error:
            raise OnnxExporterError(
                f"the program depends on values, which an ONNX graph cannot: {error}"
            ) from error
        except Exception as error:
            if type(error).__name__ != "CaptureError":
                raise
            raise OnnxExporterError(str(error)) from error
        finally:
            for module, mode in training:
                module.training = mode
        return program

    def _is_module(self) -> bool:
        return isinstance(self.model, flambeau.nn.Module)

    def traced(self, names: list[str], open_sizes: OpenSizes) -> tuple[Program, Sizes]:
        """The program, and how the numbers in it depend on the open sizes."""
        arrays = [tensor.detach().cpu()._array for tensor in self.tensors]
        bases: dict[str, int] = {}
        for (name, dim), symbol in open_sizes.items():
            length = arrays[names.index(name)].shape[dim]
            if bases.setdefault(symbol, length) != length:
                raise ValueError(
                    f"dynamic_axes: {symbol!r} is {bases[symbol]} in one input and {length} in "
                    f"another ({name!r})"
                )

        def sized(lengths: dict[str, int]) -> list[np.ndarray]:
            result = list(arrays)
            for (name, dim), symbol in open_sizes.items():
                place = names.index(name)
                old = result[place]
                if not old.shape[dim]:
                    raise ValueError(f"dynamic_axes: {name!r} is empty along dim {dim}")
                index = np.arange(lengths[symbol]) % old.shape[dim]
                result[place] = old.take(index, axis=dim)
            return result

        # A size of 1 is special (it broadcasts), so programs are looked at with others.
        lengths = {symbol: max(base, 2) for symbol, base in bases.items()}
        program = self.captured(sized(lengths))
        variations = []
        for symbol, base in lengths.items():
            for other in (base + 1, 2 * base + 3):
                again = self.captured(sized({**lengths, symbol: other}))
                variations.append(variation(symbol, base, other, program.graph, again.graph))
        return program, Sizes(variations)

    def parameter_names(self) -> dict[int, str]:
        """The names of the network's parameters and buffers, by their ids."""
        if not self._is_module():
            return {}
        named = [*self.model.named_parameters(), *self.model.named_buffers()]
        return {id(tensor): name for name, tensor in named}
