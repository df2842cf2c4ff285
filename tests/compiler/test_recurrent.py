"""Compiled training steps of recurrent networks and transformers follow the eager ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch

pytest.importorskip("llvmlite")
nn = torch.nn
STEPS = 8


class FirstResult(nn.Module):
    """A module whose first result is meant."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Any) -> Any:
        return self.module(x)[0]


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(5, 6, 2, bidirectional=True)

    def forward(self, x: Any) -> Any:
        packed = nn.utils.rnn.pack_padded_sequence(x, [2, 7, 4], enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0])[0]


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(5, 6)

    def forward(self, x: Any) -> Any:
        state = None
        for element in x.unbind(0):
            state = self.cell(element, state)
        return state[0]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(5, 1, dropout=0.2, batch_first=True)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Any) -> Any:
        return self.dropout(self.attention(x, x, x, need_weights=False)[0])


MODELS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: FirstResult(nn.LSTM(5, 6)),
    "lstm, all options": lambda: FirstResult(
        nn.LSTM(5, 6, 2, bidirectional=True, dropout=0.3, proj_size=3)
    ),
    "gru": lambda: FirstResult(nn.GRU(5, 6, batch_first=True)),
    "rnn": lambda: FirstResult(nn.RNN(5, 6, nonlinearity="relu")),
    "packed": Packed,
    "cells": Cells,
    "attention": Attention,
    "encoder": lambda: nn.TransformerEncoderLayer(5, 1, 8, dropout=0.2, batch_first=True),
}


def losses(build: Callable[[], Any], compiled: bool) -> list[float]:
    torch.manual_seed(0)
    x = torch.randn(7, 3, 5)
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        result = model(x)
        loss = (result * result).mean() + result.sin().mean()
        loss.backward()
        optimizer.step()
        return loss

    run = torch.compile(step, fullgraph=True) if compiled else step
    return [run(x).item() for _ in range(STEPS)] + [torch.rand(1).item()]


@pytest.mark.parametrize("name", MODELS)
def test_compiled_losses_are_the_eager_ones(name: str) -> None:
    build = MODELS[name]
    assert losses(build, True) == pytest.approx(losses(build, False), rel=1e-4)
