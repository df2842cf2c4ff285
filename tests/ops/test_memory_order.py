"""Results whose elements lie row by row in memory, as PyTorch's do: `view` works on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau

INPUTS: dict[str, Callable[[Any], Any]] = {
    "a row for all": lambda t: t.arange(6.0).expand(4, 6),
    "in the middle": lambda t: t.arange(6.0).view(2, 1, 3).expand(2, 4, 3),
    "transposed": lambda t: t.arange(12.0).view(3, 4).T,
    "permuted": lambda t: t.arange(24.0).view(2, 3, 4).permute(1, 2, 0),
}
# Of an expanded tensor everything new is in rows; of a permuted one only the last of these.
OF_EXPANDED: dict[str, Callable[[Any, Any], Any]] = {
    "double": lambda t, x: x.double(),
    "int": lambda t, x: x.int(),
    "clone": lambda t, x: x.clone(),
    "rand_like": lambda t, x: t.rand_like(x),
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.5),
}
OF_ALL: dict[str, Callable[[Any, Any], Any]] = {
    "repeat": lambda t, x: x.repeat(*(2,) * x.dim()),
    "repeat once": lambda t, x: x.repeat(*(1,) * x.dim()),
    "tile": lambda t, x: x.tile(2, 1),
    "softmax": lambda t, x: x.softmax(-1),
    "log_softmax": lambda t, x: x.log_softmax(0),
    "cumsum": lambda t, x: x.cumsum(0),
    "cumprod": lambda t, x: x.cumprod(-1),
    "masked_fill": lambda t, x: x.masked_fill(x > 2, 0.0),
    "tril": lambda t, x: x.tril(),
    "scatter": lambda t, x: x.scatter(0, t.zeros(x.shape, dtype=t.int64), 1.0),
    "scatter_add": lambda t, x: x.scatter_add(0, t.zeros(x.shape, dtype=t.int64), x),
    "sum": lambda t, x: x.sum(0),
    "mean": lambda t, x: x.mean(0, keepdim=True),
    "amax": lambda t, x: x.amax(0),
    "std": lambda t, x: x.std(0),
    "all": lambda t, x: (x > 1).all(0),
}


@pytest.mark.parametrize("given", INPUTS)
@pytest.mark.parametrize("call", [*OF_EXPANDED, *OF_ALL])
def test_view_works_on_what_pytorch_gives_in_rows(call: str, given: str) -> None:
    if call in OF_EXPANDED and given not in ("a row for all", "in the middle"):
        pytest.skip("keeps the order of its input")
    function = OF_EXPANDED.get(call) or OF_ALL[call]
    found = function(flambeau, INPUTS[given](flambeau))
    assert found.is_contiguous()
    assert found.view(-1).tolist() == found.flatten().tolist()


def test_copies_keep_the_order_of_elements_that_are_not_shared() -> None:
    columns = flambeau.ones(4, 6).T[:, ::2]
    for copied in (columns.clone(), columns.double(), flambeau.rand_like(columns)):
        assert copied.stride() == (1, 6)


@pytest.mark.parametrize("given", INPUTS)
def test_these_are_in_rows_in_pytorch(given: str) -> None:
    torch = pytest.importorskip("torch")
    x = INPUTS[given](torch)
    assert all(function(torch, x).is_contiguous() for function in OF_ALL.values())
