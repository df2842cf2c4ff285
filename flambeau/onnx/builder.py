"""The ONNX graph while it is being written: names, nodes, constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..compiler.graph import Value
from .errors import OnnxExporterError
from .sizes import Size, Sizes


def element_type(dtype: np.dtype) -> int:
    """ONNX's number for a NumPy dtype.

    Returns:
        One of ``onnx.TensorProto``'s.

    Raises:
        OnnxExporterError: it has none.
    """
    try:
        return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    except (KeyError, ValueError) as error:
        raise OnnxExporterError(f"ONNX has no elements of type {dtype}") from error


class Builder:
    """Nodes in order, each with names for its results.

    Args:
        opset: the version of the operators.
        sizes: how numbers depend on the open sizes.
        symbols: open size -> the argument's name and dim that it is read from.
    """

    def __init__(self, opset: int, sizes: Sizes, symbols: dict[str, tuple[str, int]]) -> None:
        self.opset = opset
        self.sizes = sizes
        self.symbols = symbols
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self.open: dict[Size, str] = {}
        self._taken: set[str] = set()

    def fresh(self, hint: str) -> str:
        """A name that nothing has: ``hint``, with a number behind it if need be."""
        name, number = hint, 0
        while name in self._taken:
            number += 1
            name = f"{hint}_{number}"
        self._taken.add(name)
        return name

    def node(
        self,
        operator: str,
        inputs: list[str],
        outputs: int = 1,
        several: bool = False,
        **attributes: Any,
    ) -> Any:
        """Append a node.

        Args:
            operator: ONNX's name of it.
            inputs: the names of its inputs.
            outputs: how many results it has.
            several: whether the names come in a list even if there is one.
            attributes: the node's; None leaves one out.

        Returns:
            The name of its result, or a list of names.
        """
        attributes = {name: value for name, value in attributes.items() if value is not None}
        names = [self.fresh(operator.lower()) for _ in range(outputs)]
        label = self.fresh(f"/{operator}")
        self.nodes.append(helper.make_node(operator, inputs, names, name=label, **attributes))
        return names[0] if outputs == 1 and not several else names

    def constant(self, array: Any, hint: str = "constant") -> str:
        """The name of an initializer with the values of ``array``; ``hint`` is what the name begins
        with.

        Small ones with equal values are one.
        """
        array = np.asarray(array)
        key = (array.shape, array.dtype.str, array.tobytes()) if array.size <= 64 else None
        if key is not None and key in self._constants:
            return self._constants[key]
        name = self.fresh(hint)
        self.initializers[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        if key is not None:
            self._constants[key] = name
        return name

    def integers(self, values: Any) -> str:
        """The name of a constant with the whole numbers ``values``, ``(N,)``."""
        return self.constant(np.array(values, np.int64).reshape(-1))

    def size(self, size: Size) -> str:
        """The name of a whole number ``(1,)`` that depends on open sizes.

        Raises:
            OnnxExporterError: it is not always whole.
        """
        if size in self.open:
            return self.open[size]
        product = ""
        for symbol in size.symbols:
            source, dim = self.symbols[symbol]
            length = self.node("Gather", [self.node("Shape", [source]), self.integers([dim])])
            product = self.node("Mul", [product, length]) if product else length
        if size.offset.denominator != 1:
            raise OnnxExporterError(f"a size depends on {size.symbols} and is not always whole")
        if size.factor.numerator != 1:
            product = self.node("Mul", [product, self.integers([size.factor.numerator])])
        if size.factor.denominator != 1:
            product = self.node("Div", [product, self.integers([size.factor.denominator])])
        if size.offset:
            product = self.node("Add", [product, self.integers([size.offset.numerator])])
        self.open[size] = product
        return product

    def shape(self, numbers: list[Any]) -> str:
        """The name of a list of whole ``numbers``, some of which may be open: a :class:`Size`."""
        if not any(isinstance(number, Size) for number in numbers):
            return self.integers(numbers)
        parts: list[str] = []
        plain: list[int] = []
        for number in numbers:
            if isinstance(number, Size):
                if plain:
                    parts.append(self.integers(plain))
                    plain = []
                parts.append(self.size(number))
            else:
                plain.append(number)
        if plain:
            parts.append(self.integers(plain))
        return parts[0] if len(parts) == 1 else self.node("Concat", parts, axis=0)

    def scalar(self, size: Size, dtype: np.dtype) -> str:
        """The name of a number, 0-d, of a dtype, that depends on open sizes."""
        length = self.size(size)
        cast = self.node("Cast", [length], to=element_type(dtype))
        return self.node("Reshape", [cast, self.constant(np.array([], np.int64))])

    def of(self, value: Value) -> str:
        """The name of ``value``, which has been written.

        Raises:
            KeyError: it has not.
        """
        return self.names[id(value)]

    def reduced(self, operator: str, x: str, dims: Any, keepdim: bool) -> str:
        """A reduction, whose axes have moved from the attributes to the inputs over time.

        Args:
            operator: ONNX's name of it.
            x: the name of what is reduced.
            dims: over which dims; None: over all.
            keepdim: whether they stay, with size 1.

        Returns:
            The name of the result.
        """
        if dims is None:
            return self.node(operator, [x], keepdims=int(keepdim))
        if operator == "ReduceSum" or self.opset >= 18:
            return self.node(operator, [x, self.integers(dims)], keepdims=int(keepdim))
        return self.node(operator, [x], axes=list(dims), keepdims=int(keepdim))


def serialized(model: Any) -> bytes:
    """The file's bytes, checked.

    Args:
        model: the ``onnx.ModelProto``.

    Returns:
        The bytes.

    Raises:
        OnnxExporterError: the graph is not a valid one.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise OnnxExporterError(f"the exported graph is not valid: {error}") from error
    return model.SerializeToString()
