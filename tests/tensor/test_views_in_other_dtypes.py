"""Views of memory in another dtype: what is written through them."""

from __future__ import annotations

import pytest

import flambeau as torch


def test_views_in_another_dtype_are_written_in_place() -> None:
    x = torch.ones(3)
    bits = x.view(torch.int32)
    bits.add_(1 << 23)
    assert x.tolist() == [2.0, 2.0, 2.0]
    bits[0] = 0
    assert x.tolist() == [0.0, 2.0, 2.0]
    bits.zero_()
    assert x.tolist() == [0.0, 0.0, 0.0]
    assert x._version == bits._version == 3
    memory = torch.zeros(8, dtype=torch.uint8)
    memory.view(torch.float32).fill_(1.0)
    assert memory.tolist() == [0, 0, 128, 63] * 2
    with pytest.raises(RuntimeError, match="gradients cannot be led through"):
        memory.view(torch.float32).mul_(torch.ones(2, requires_grad=True))
