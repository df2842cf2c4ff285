"""Under one seed a program gives PyTorch's numbers: losses, random stream and printed words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def test_cnn_under_sgd_gives_pytorch_s_losses(facts: Run, reference: Run) -> None:
    found, torch = facts("cnn_sgd.py"), reference("cnn_sgd.py")
    assert len(found["losses"]) == 30
    assert found["losses"] == pytest.approx(torch["losses"], rel=1e-3)
    assert found["next"] == torch["next"], "the generator is not at the same place"


def test_mlp_with_batch_norm_and_dropout_under_adamw_gives_pytorch_s_losses(
    facts: Run, reference: Run
) -> None:
    found, torch = facts("mlp_adamw.py"), reference("mlp_adamw.py")
    assert len(found["losses"]) == 30
    for key in ("losses", "evaluated", "variance"):
        assert found[key] == pytest.approx(torch[key], rel=1e-3)
    assert found["next"] == pytest.approx(torch["next"], rel=1e-5), (
        "the generator is not at the same place"
    )


def test_what_a_first_lesson_prints_is_pytorch_s_to_the_letter(
    printed: Run, reference: Run
) -> None:
    assert printed("tensors.py").splitlines() == reference("tensors.py").splitlines()
