"""Calls that PyTorch's operator database says are wrong are refused as PyTorch refuses them.

Floors: a count that falls below them is a fault; when it rises, raise them.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

TYPE_FLOOR = 576
"""How many wrong calls must raise PyTorch's exception type."""
WORDS_FLOOR = 550
"""How many of them must begin with PyTorch's words (20 characters)."""
ELSEWHERE = re.compile(r"^(_refs|ops\.|_|sparse|to_sparse|masked\.|torch\.|jiterator)")


def ours(value: Any, memory: dict[int, Any]) -> Any:
    """A value of PyTorch as flambeau's; what shares ``memory`` there shares it here."""
    if isinstance(value, torch.Tensor):
        storage, dtype = value.untyped_storage(), value.detach().reshape(-1)[:0].numpy().dtype
        if not value.numel():
            array = np.empty(tuple(value.shape), dtype)
        else:
            key = storage.data_ptr()
            if key not in memory:
                memory[key] = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().copy()
            strides = tuple(s * dtype.itemsize for s in value.stride())
            offset = value.storage_offset() * dtype.itemsize
            array = np.ndarray(tuple(value.shape), dtype, memory[key], offset, strides)
        return flambeau.from_numpy(array).requires_grad_(value.requires_grad)
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return getattr(flambeau, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return flambeau.device(str(value))
    if isinstance(value, dict):
        return {key: ours(v, memory) for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(ours(v, memory) for v in value)
    return value


def function_named(name: str) -> Any:
    found: Any = flambeau
    for part in name.split("."):
        found = getattr(found, part, None)
        if found is None:
            return getattr(flambeau.Tensor, name.split(".")[-1], None)
    return found


def raised_by(function: Any, *args: Any, **kwargs: Any) -> Exception | None:
    try:
        function(*args, **kwargs)
    except Exception as error:
        return error
    return None


def wrong_calls() -> Iterator[tuple[str, Exception, Exception | None]]:
    """For every wrong call what PyTorch raised and what flambeau raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        database = importlib.import_module(
            "torch.testing._internal.common_methods_invocations"
        ).op_db
        for info in database:
            if info.error_inputs_func is None or ELSEWHERE.match(info.name):
                continue
            function = function_named(info.name)
            if function is None:
                continue
            try:
                wrong = list(info.error_inputs("cpu"))
            except Exception:  # the database makes no such inputs here
                continue
            for item in wrong:
                sample = item.sample_input
                try:
                    memory: dict[int, Any] = {}
                    args = ours((sample.input, *sample.args), memory)
                    kwargs = ours(sample.kwargs, memory)
                except Exception:  # dtypes and layouts that flambeau does not have
                    continue
                theirs = raised_by(info.op, sample.input, *sample.args, **sample.kwargs)
                if theirs is not None:
                    yield info.name, theirs, raised_by(function, *args, **kwargs)


def test_wrong_calls_are_refused_as_in_pytorch() -> None:
    calls = list(wrong_calls())
    same_type = [(n, t, o) for n, t, o in calls if o is not None and isinstance(o, type(t))]
    words = [1 for _, t, o in same_type if str(o)[:20] == str(t)[:20]]
    others = "\n".join(
        f"{n}: {type(t).__name__} {str(t)[:100]!r}, here {o!r:.100}"
        for n, t, o in calls
        if o is None or not isinstance(o, type(t))
    )
    assert len(same_type) >= TYPE_FLOOR, f"{len(same_type)} of {len(calls)}\n{others}"
    assert len(words) >= WORDS_FLOOR, f"{len(words)} of {len(calls)}"
    print(len(same_type), len(words), len(calls))
