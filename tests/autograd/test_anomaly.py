"""Anomaly detection names the line of the forward pass."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import flambeau as torch


def _wrong_line(x: Any) -> Any:
    return torch.sqrt(x)  # the line to be named


def test_a_nan_gradient_is_traced_to_its_forward_line() -> None:
    x = torch.zeros(2, requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = _wrong_line(x) * 0
        with pytest.raises(RuntimeError, match="SqrtBackward0.* returned nan values") as caught:
            y.sum().backward()
    assert "the line to be named" in str(caught.value)
    assert "test_anomaly.py" in str(caught.value)


def test_an_error_in_a_backward_pass_is_traced_too() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = x * 1
        z = torch.exp(y)  # saved here
        z.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
            z.sum().backward()
    assert "saved here" in str(caught.value)


def test_without_it_the_error_says_how_to_turn_it_on() -> None:
    x = torch.ones(2, requires_grad=True)
    z = torch.exp(x * 1)
    z.mul_(2)
    with pytest.raises(RuntimeError, match="set_detect_anomaly"):
        z.sum().backward()


def test_nan_are_let_through_when_not_asked_about() -> None:
    x = torch.zeros(2, requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=False):
        (_wrong_line(x) * 0).sum().backward()
    assert x.grad.isnan().all()


def test_it_is_off_by_default_and_afterwards(m: Any) -> None:
    assert not m.is_anomaly_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with m.autograd.detect_anomaly():
            assert m.is_anomaly_enabled() and m.is_anomaly_check_nan_enabled()
    assert not m.is_anomaly_enabled()
    m.autograd.set_detect_anomaly(True)
    assert m.is_anomaly_enabled()
    m.autograd.set_detect_anomaly(False)
    with m.autograd.set_detect_anomaly(True):
        assert m.is_anomaly_enabled()
    assert not m.is_anomaly_enabled()


def test_results_are_the_same_with_it() -> None:
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    with torch.autograd.detect_anomaly():
        loss = ((x @ x.T).relu() + x[0, 1] * x.max(1)[0]).sum()
        loss.backward()
    found, x.grad = x.grad, None
    ((x @ x.T).relu() + x[0, 1] * x.max(1)[0]).sum().backward()
    assert torch.equal(found, x.grad)
