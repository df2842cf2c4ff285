"""Writes ``recorded_values.json``: what PyTorch computes for the cases of ``module_cases``.

Run as ``python -m tests.nn.record_values`` where PyTorch is installed. A result or gradient is
recorded as one number: its product with the cosines of 0, 1, 2, ...
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .module_cases import CASES, ModuleCase, array_of

FILE = Path(__file__).with_name("recorded_values.json")
SEED = 20260


def _number(tensor: Any) -> float:
    values = tensor.detach().numpy().astype(np.float64).reshape(-1)
    return float(values @ np.cos(np.arange(values.size)))


def values_of(library: Any, case: ModuleCase) -> list[float]:
    """The numbers of a case: result, gradients of inputs and parameters, buffers."""
    library.manual_seed(SEED)
    module = case.build(library)
    inputs = []
    for number, description in enumerate(case.inputs):
        tensor = library.from_numpy(array_of(description, number))
        if tensor.is_floating_point() and not (number and "Loss" in case.name):
            tensor.requires_grad_()
        inputs.append(tensor)
    inplace = "inplace=True" in case.name or "True)" in case.name
    result = module(*([tensor * 1 for tensor in inputs] if inplace else inputs))
    numbers = [_number(result)]
    if result.requires_grad:
        weights = np.cos(np.arange(result.numel())).astype(np.float32)
        result.backward(library.from_numpy(weights.reshape(tuple(result.shape))))
        gradients = [tensor.grad for tensor in (*inputs, *module.parameters())]
        numbers += [_number(gradient) for gradient in gradients if gradient is not None]
    return numbers + [_number(buffer) for buffer in module.buffers()]


if __name__ == "__main__":
    import torch

    warnings.simplefilter("ignore")
    recorded = {str(case): values_of(torch, case) for case in CASES if case.inputs != (None,)}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(v)}" for name, v in recorded.items())
    FILE.write_text("{\n" + lines + "\n}\n")
