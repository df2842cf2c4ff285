"""Recurrent modules and what they are called with, for a comparison and for recorded values.

Run as ``python -m tests.nn.recurrent_cases`` where PyTorch is installed to write
``recorded_recurrent.json`` anew: per case, every result and gradient as one number (its product
with the cosines of 0, 1, 2, ...), and the number that the generator gives next.
"""

from __future__ import annotations

import itertools
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("recorded_recurrent.json")
SEED = 11
STEPS, BATCH, FEATURES, HIDDEN = 5, 4, 3, 4
LENGTHS = {"sorted": [5, 4, 2, 2], "unsorted": [2, 5, 4, 2]}


@dataclass(frozen=True)
class Case:
    """A module of ``cls`` with ``options``, called with a padded, packed or single sequence."""

    cls: str
    options: dict[str, Any] = field(default_factory=dict)
    packed: str | None = None
    given_states: bool = False
    batched: bool = True

    def __str__(self) -> str:
        options = ",".join(f"{k}={v}" for k, v in self.options.items())
        flags = [self.packed or "", "states" * self.given_states, "single" * (not self.batched)]
        return f"{self.cls}({options})" + "".join(f" {f}" for f in flags if f)


def _cases() -> list[Case]:
    variants = [
        {}, {"bias": False}, {"batch_first": True}, {"bidirectional": True}, {"num_layers": 2},
        {"num_layers": 3, "bidirectional": True, "dropout": 0.5, "batch_first": True},
    ]  # fmt: skip
    found = []
    for cls in ("RNN", "LSTM", "GRU"):
        for options, packed in itertools.product(variants, (None, "sorted", "unsorted")):
            found.append(Case(cls, options, packed, bool(options)))
        found.append(Case(cls, {"num_layers": 2, "bidirectional": True}, None, True, False))
        found.append(Case(cls, {"batch_first": True}, None, False, False))
    found.append(Case("RNN", {"nonlinearity": "relu"}, "unsorted", True))
    found.append(Case("LSTM", {"proj_size": 2, "num_layers": 2}, "unsorted", True))
    found.append(Case("LSTM", {"proj_size": 3, "bidirectional": True}, None, False))
    cells = ("RNNCell", "LSTMCell", "GRUCell")
    for cls, options in itertools.product(cells, ({}, {"bias": False})):
        for given in (False, True):
            found.append(Case(cls, options, None, given))
        found.append(Case(cls, options, None, True, False))
    found.append(Case("RNNCell", {"nonlinearity": "relu"}))
    return found


CASES = _cases()


def run(library: Any, case: Case) -> tuple[Any, list[Any], list[Any], list[Any]]:
    """The module, the tensors that need gradients, the results, and those that have gradients."""
    library.manual_seed(SEED)
    module = getattr(library.nn, case.cls)(FEATURES, HIDDEN, **case.options)
    random = np.random.default_rng(1)

    def tensor(*shape: int) -> Any:
        return library.from_numpy(random.normal(size=shape).astype(np.float32)).requires_grad_()

    cell = case.cls.endswith("Cell")
    batch = (BATCH,) if case.batched else ()
    batch_first = case.options.get("batch_first", False)
    if cell:
        input, leading = tensor(*batch, FEATURES), ()
    else:
        shape = (*batch, STEPS, FEATURES) if batch_first else (STEPS, *batch, FEATURES)
        input = tensor(*shape)
        directions = 2 if case.options.get("bidirectional") else 1
        leading = (case.options.get("num_layers", 1) * directions,)
    states = None
    inputs = [input]
    if case.given_states:
        width = case.options.get("proj_size") or HIDDEN
        inputs.append(tensor(*leading, *batch, width))
        states = inputs[1]
        if case.cls.startswith("LSTM"):
            inputs.append(tensor(*leading, *batch, HIDDEN))
            states = (inputs[1], inputs[2])
    given: Any = input
    if case.packed:
        given = library.nn.utils.rnn.pack_padded_sequence(
            input, LENGTHS[case.packed], batch_first, enforce_sorted=case.packed == "sorted"
        )
    returned = module(given, states)
    results: list[Any] = []

    def gather(item: Any) -> None:
        if isinstance(item, library.nn.utils.rnn.PackedSequence):
            gather(library.nn.utils.rnn.pad_packed_sequence(item, batch_first, 0.25)[0])
        elif isinstance(item, tuple):
            for part in item:
                gather(part)
        else:
            results.append(item)

    gather(returned)
    total = sum((r * library.from_numpy(_weights(r))).sum() for r in results)
    total.backward()
    return module, inputs, results, [t.grad for t in (*inputs, *module.parameters())]


def _weights(tensor: Any) -> np.ndarray:
    shape = tuple(tensor.shape)
    return np.cos(np.arange(int(np.prod(shape)))).astype(np.float32).reshape(shape)


def numbers(library: Any, case: Case) -> list[float]:
    """A case's results and gradients, each as one number, and the generator's next number."""
    _, _, results, gradients = run(library, case)
    arrays = [t.detach().numpy().astype(np.float64) for t in (*results, *gradients)]
    found = [float(a.reshape(-1) @ np.cos(np.arange(a.size))) for a in arrays]
    return [*found, float(library.rand(1))]


# -- training -------------------------------------------------------------------------------------

TRAINING_STEPS = 30


def train(library: Any) -> list[float]:
    """The losses of an LSTM with attention, dropout and Adam, and the generator's next number."""
    nn = library.nn
    library.manual_seed(SEED)

    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 16)
            self.lstm = nn.LSTM(
                16, 24, num_layers=2, batch_first=True, bidirectional=True, dropout=0.2
            )
            self.attention = nn.MultiheadAttention(48, 4, dropout=0.1, batch_first=True)
            self.head = nn.Linear(48, 5)

        def forward(self, tokens: Any) -> Any:
            states, _ = self.lstm(self.embedding(tokens))
            mixed, _ = self.attention(states, states, states)
            return self.head((states + mixed).mean(1))

    model = Model()
    optimizer = library.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(TRAINING_STEPS):
        tokens = library.randint(0, 20, (8, 12))
        loss = nn.functional.cross_entropy(model(tokens), tokens.sum(1) % 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return [*losses, float(library.rand(1))]


if __name__ == "__main__":
    import torch

    warnings.simplefilter("ignore")
    recorded = {str(case): numbers(torch, case) for case in CASES} | {"training": train(torch)}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(v)}" for name, v in recorded.items())
    FILE.write_text("{\n" + lines + "\n}\n")
