"""What a tensor looks like: PyTorch's ``repr``, to the letter, and the options that shape it.

All numbers of a tensor get one format (whole, decimal or scientific) and one width, chosen from
those that are shown; lines are filled up to the line width; of a large tensor the corners show.

Source: `torch.set_printoptions
<https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html>`_.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau import dtypes

if TYPE_CHECKING:
    from flambeau.tensor.tensor import Tensor

__all__ = [
    "get_printoptions", "printoptions", "set_printoptions", "tensor_format", "tensor_repr",
]  # fmt: skip


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed. An option that is not given stays, but for ``sci_mode``.

    Args:
        precision: digits after the decimal point (4 at first).
        threshold: number of elements above which only the corners are shown (1000).
        edgeitems: elements shown at either end of a dim that is cut short (3).
        linewidth: characters per line (80).
        profile: ``"default"``, ``"short"`` or ``"full"``: values for all of the above, which those
            given here override.
        sci_mode: True for scientific notation, False for none, None to choose by the numbers.
    """
    given = {
        "precision": precision, "threshold": threshold, "edgeitems": edgeitems,
        "linewidth": linewidth,
    }  # fmt: skip
    for name, value in _PROFILES.get(profile or "", {}).items():
        setattr(_options, name, value)
    for name, option in given.items():
        if option is not None:
            setattr(_options, name, option)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the print options, as a dict that can be passed to `set_printoptions`."""
    return asdict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set print options, those of `set_printoptions`, for the length of a block."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_format(tensor: Tensor, specification: str) -> str:
    """``format(tensor, specification)``: that of the number, for a tensor that is one.

    Raises:
        TypeError: if the tensor has dims and ``specification`` is not empty.
    """
    from flambeau.tensor.tensor import Tensor

    if tensor._array.ndim == 0 and type(tensor) is Tensor:
        return format(tensor.item(), specification)
    return object.__format__(tensor, specification)


def tensor_repr(tensor: Tensor) -> str:
    """Return the ``repr`` of a tensor; a parameter's heading is its class's own business."""
    from flambeau.tensor.tensor import Tensor

    array = tensor._array
    kind, parameter = type(tensor), _parameter_class()
    name = "tensor" if kind is Tensor or kind is parameter else kind.__name__
    prefix = name + "("
    dtype, device = tensor.dtype, tensor.device
    default = dtypes.get_default_dtype()

    suffixes = []
    if device.type != "cpu":
        suffixes.append(f"device='{device}'")
    if array.size == 0:
        contents = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        dtype_is_plain = dtype == default
    else:
        contents = _contents(np.asarray(array), len(prefix))
        if not _options.edgeitems:
            suffixes.append(f"size={tuple(array.shape)}")
        dtype_is_plain = dtype in (
            default, default.to_complex(), dtypes.int64, dtypes.bool
        )  # fmt: skip
    if not dtype_is_plain:
        suffixes.append(f"dtype={dtype}")
    node = tensor.grad_fn
    if node is not None:
        suffixes.append(f"grad_fn=<{node.name().rpartition(':')[2]}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")

    text = _joined(prefix + contents, suffixes, len(prefix))
    if name != "tensor" and parameter is not None and isinstance(tensor, parameter):
        return f"Parameter({text})"
    return text


def _parameter_class() -> Any:
    """``nn.Parameter``, which is made a tensor of in a layer above this one; None before that."""
    return getattr(sys.modules.get("flambeau.nn.parameter"), "Parameter", None)


def _joined(text: str, suffixes: list[str], indent: int) -> str:
    """``text`` with the suffixes after it, on new lines where they would be too long."""
    # PyTorch counts the last line two characters longer than it is.
    column = len(text) - text.rfind("\n") + 1
    parts = [text]
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            column = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            column += len(suffix) + 2
    return "".join(parts) + ")"


# -- the numbers --------------------------------------------------------------------------------


def _contents(array: np.ndarray, indent: int) -> str:
    """The numbers in their brackets; lines after the first are indented by ``indent``."""
    if array.dtype.name.startswith("float8"):
        array = array.astype(np.float16)
    summarize = array.size > _options.threshold
    shown = _corners(array) if summarize else array
    if array.dtype.kind == "c":
        formats = [_NumberFormat(shown.real), _NumberFormat(shown.imag)]
    else:
        formats = [_NumberFormat(shown)]
    return _Layout(formats, summarize).lines(array, indent)


def _corners(array: np.ndarray) -> np.ndarray:
    """The elements that a summary shows."""
    edge = _options.edgeitems
    if not edge:
        return array if array.ndim == 1 else array.reshape(-1)[:0]
    for dim, size in enumerate(array.shape):
        if size > 2 * edge:
            array = np.take(array, [*range(edge), *range(size - edge, size)], axis=dim)
    return array


class _NumberFormat:
    """The format that the numbers of one tensor share."""

    def __init__(self, array: np.ndarray) -> None:
        self.floating = array.dtype.kind in "fV"  # V: what NumPy calls bfloat16
        self.pattern = ""
        self.whole = True
        self.width = 1
        if not self.floating:
            self.width = max(map(len, map(str, array.reshape(-1).tolist())), default=1)
            return
        values = array.reshape(-1).astype(np.float64)
        values = values[np.isfinite(values) & (values != 0)]
        if values.size == 0:
            self.pattern = ".0f"
            return
        size = np.abs(values)
        smallest, largest = float(size.min()), float(size.max())
        self.whole = bool((values == np.ceil(values)).all())
        scientific = _options.sci_mode
        if scientific is None:
            scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        if scientific:
            self.whole = False
            self.pattern = f".{_options.precision}e"
        else:
            self.pattern = ".0f" if self.whole else f".{_options.precision}f"
        self.width = max(len(format(v, self.pattern)) for v in values.tolist()) + self.whole

    def __call__(self, value: float) -> str:
        text = format(value, self.pattern) if self.floating else str(value)
        if self.floating and self.whole and math.isfinite(value):
            text += "."
        return text.rjust(self.width)


class _Layout:
    """Where the numbers go: in lines of at most the line width, in nested brackets."""

    def __init__(self, formats: list[_NumberFormat], summarize: bool) -> None:
        self.formats = formats
        self.summarize = summarize
        self.element_width = sum(f.width for f in formats) + len(formats) + 1

    def number(self, value: Any) -> str:
        if len(self.formats) == 1:
            return self.formats[0](value)
        real = self.formats[0](value.real)
        imaginary = (self.formats[1](value.imag) + "j").lstrip()
        return real + ("" if imaginary[0] in "+-" else "+") + imaginary

    def lines(self, array: np.ndarray, indent: int) -> str:
        if array.ndim == 0:
            return self.number(array.item())
        edge = _options.edgeitems
        cut = self.summarize and array.shape[0] > 2 * edge
        if array.ndim == 1:
            return self.row(array, indent, cut)
        first, last = (array[:edge], array[array.shape[0] - edge :]) if cut else (array, array[:0])
        inner = [self.lines(a, indent + 1) for a in first]
        if cut:
            inner.append("...")
        inner += [self.lines(a, indent + 1) for a in last]
        separator = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
        return "[" + separator.join(inner) + "]"

    def row(self, array: np.ndarray, indent: int, cut: bool) -> str:
        edge = _options.edgeitems
        if self.summarize and not edge:
            items = ["..."]
        elif cut:
            items = [self.number(v) for v in array[:edge].tolist()]
            items += [" ...", *(self.number(v) for v in array[-edge:].tolist())]
        else:
            items = [self.number(v) for v in array.tolist()]
        per_line = max(1, math.floor((_options.linewidth - indent) / self.element_width))
        lines = (", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line))
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
