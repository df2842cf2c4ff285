"""Results and gradients of every module, as PyTorch 2.13 computed them (it need not be there)."""

from __future__ import annotations

import json

import pytest

import flambeau

from .module_cases import CASES, ModuleCase
from .record_values import FILE, values_of

RECORDED = json.loads(FILE.read_text())


def test_every_case_is_recorded() -> None:
    called = [str(case) for case in CASES if case.inputs != (None,)]
    assert set(called) == set(RECORDED), "run: python -m tests.nn.record_values"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [case for case in CASES if str(case) in RECORDED], ids=str)
def test_values_are_the_recorded_ones(case: ModuleCase) -> None:
    wanted = RECORDED[str(case)]
    tolerance = max(case.tolerance, 1e-4)
    assert values_of(flambeau, case) == pytest.approx(wanted, rel=tolerance, abs=tolerance)
