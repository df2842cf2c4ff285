"""Which arrays share memory with one that is written."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.compiler.overlap import overlaps

SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 8), st.integers(1, 3), st.booleans()), max_size=8
)


@settings(deadline=None)
@given(SPANS)
def test_pairs_are_those_that_numpy_finds(spans: list[tuple[int, int, int, bool]]) -> None:
    memory = np.zeros(64)
    arrays = {i: memory[low : low + n * step : step] for i, (low, n, step, _) in enumerate(spans)}
    written = {i for i, (*_, w) in enumerate(spans) if w}
    expected = {
        frozenset((i, j))
        for i in written
        for j in arrays
        if i != j and np.may_share_memory(arrays[i], arrays[j])
    }
    found = overlaps(arrays, written)
    assert {frozenset(pair) for pair in found} == expected
    assert len(found) == len(expected)
    assert all(i in written for i, _ in found)
