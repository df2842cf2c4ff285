"""A network exported and run by onnxruntime, next to what it gives here."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnxruntime

import flambeau as torch
from flambeau.onnx import export


def tensors(item: Any) -> list[Any]:
    """The tensors in nested arguments or results."""
    if isinstance(item, torch.Tensor):
        return [item]
    if isinstance(item, dict):
        item = list(item.values())
    if isinstance(item, (tuple, list)):
        return [found for part in item for found in tensors(part)]
    return []


def exported(model: Any, args: tuple[Any, ...], kwargs: Any = None, **options: Any) -> Any:
    """The ONNX model, and a session that runs it."""
    buffer = io.BytesIO()
    proto = export(model, args, buffer, kwargs=kwargs, **options)
    # A size that the checker cannot follow is no concern of a user's log.
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        buffer.getvalue(), settings, providers=["CPUExecutionProvider"]
    )
    return proto, session


def compare(
    session: Any, proto: Any, model: Any, args: Any, kwargs: Any = None, tolerance: float = 1e-5
) -> None:
    """Assert that a session gives what the model gives, to the tolerance."""
    names = [value.name for value in proto.graph.input]
    given = [tensor.detach().numpy().copy() for tensor in tensors([list(args), kwargs or {}])]
    taken = {value.name for value in session.get_inputs()}
    feed = {name: array for name, array in zip(names, given, strict=True) if name in taken}
    found = session.run(None, feed)
    with torch.no_grad():
        expected = tensors(model(*args, **(kwargs or {})))
    for one, other in zip(found, expected, strict=True):
        other = other.numpy()
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
