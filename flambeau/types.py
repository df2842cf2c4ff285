"""``torch.types``: names for what PyTorch's functions take."""

from __future__ import annotations

import os
from builtins import bool as _bool
from builtins import bytes as _bytes
from builtins import complex as _complex
from builtins import float as _float
from builtins import int as _int
from builtins import str as _str
from collections.abc import Sequence
from typing import IO, Any

from flambeau.device import device as _device_type
from flambeau.dtypes import dtype as _dtype
from flambeau.layout import layout as _layout
from flambeau.size import Size
from flambeau.tensor import Tensor

Number = _int | _float | _bool
Device = _device_type | _str | _int | None
FileLike = _str | os.PathLike[_str] | IO[_bytes]
PySymType = _int | _float | _bool
_TensorOrTensors = Tensor | Sequence[Tensor]
_TensorOrTensorsOrGradEdge = _TensorOrTensors
_size = Size | list[_int] | tuple[_int, ...]
_dispatchkey = _str | Any
_symsize = _size

__all__ = ["Number", "Device", "FileLike", "PySymType"]

# PyTorch's module also has the builtins and its own types under private names.
_PRIVATE = (_complex, _dtype, _layout)
