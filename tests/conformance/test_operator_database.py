"""PyTorch's database of operators: what differs is listed, and the lists only become shorter.

``python -m tests.conformance.operator_database`` lists what differs by hand, on as many samples as
wanted.
"""

from __future__ import annotations

import functools

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")
pytest.importorskip("scipy")
pytest.importorskip("ml_dtypes")

from .expected_differences import EXPECTED
from .operator_database import ASPECTS, DTYPES, differences, entries, name_of

OF_ONE_RUN = [aspect for aspect in ASPECTS if aspect not in DTYPES]
"""Aspects of calls on the same samples, which are made only once."""
FLOOR = 600
"""How many entries are asked at least."""


@functools.cache
def found_in_one_run() -> dict[str, dict[str, str]]:
    return differences(OF_ONE_RUN)


def expected(aspect: str) -> dict[str, str]:
    """Entry -> why it differs."""
    return {
        name: reason
        for reason, aspects in EXPECTED.items()
        for name in aspects.get(aspect, "").split()
    }


def test_the_database_is_asked_for_all_that_is_in_scope() -> None:
    assert len(entries()) >= FLOOR


def test_only_entries_of_the_database_are_expected_to_differ() -> None:
    names = {name_of(op) for op in entries()}
    for reason, aspects in EXPECTED.items():
        assert set(aspects) <= set(ASPECTS), reason
        for listed in aspects.values():
            assert set(listed.split()) <= names, reason


@pytest.mark.parametrize("aspect", ASPECTS)
def test_operators_are_those_of_pytorch(aspect: str) -> None:
    found = found_in_one_run()[aspect] if aspect in OF_ONE_RUN else differences([aspect])[aspect]
    known = expected(aspect)
    new = [f"{name}: {text}" for name, text in found.items() if name not in known]
    assert not new, "these differ from PyTorch:\n" + "\n".join(new)
    gone = [name for name in known if name not in found]
    assert not gone, (
        f"these are PyTorch's now: remove them from {aspect!r} in expected_differences.py: "
        + " ".join(gone)
    )
