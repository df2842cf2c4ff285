"""einops' torch backend and layers, with flambeau under PyTorch's name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("einops")

PROGRAM = """
import torch
from einops import asnumpy, einsum, pack, parse_shape, rearrange, reduce, repeat, unpack
from einops.layers.torch import EinMix, Rearrange, Reduce

x = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
assert torch.equal(rearrange(x, "a b c -> (c a) b"), x.permute(2, 0, 1).reshape(8, 3))
for name in ("min", "max", "sum", "mean", "prod"):
    reduced = reduce(x, "a b c -> b", name)
    wanted = {"min": x.amin, "max": x.amax, "sum": x.sum, "mean": x.mean}.get(name)
    assert wanted is None or torch.equal(reduced, wanted(dim=(0, 2)))
assert reduce(x > 22, "a b c -> a", "any").tolist() == [False, True]
assert reduce(x > -1, "a b c -> a", "all").tolist() == [True, True]
assert torch.equal(repeat(x, "a b c -> a b c d", d=2)[..., 1], x)
assert repeat(x, "a b c -> a (b r) c", r=2).shape == (2, 6, 4)
packed, shapes = pack([x, x[..., :2]], "a b *")
assert torch.equal(unpack(packed, shapes, "a b *")[1], x[..., :2])
assert parse_shape(x, "a _ c") == {"a": 2, "c": 4}
assert asnumpy(x).shape == (2, 3, 4)
assert rearrange([x, x], "n a b c -> (n a) b c").shape == (4, 3, 4)
patches = rearrange(torch.randn(2, 3, 8, 8), "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=4, p2=4)
assert patches.shape == (2, 4, 48)
model = torch.nn.Sequential(
    Rearrange("a b c -> a (b c)"), torch.nn.Linear(12, 2), Reduce("a b -> a", "sum")
)
assert "Rearrange('a b c -> a (b c)')" in str(model)
model(x).sum().backward()
assert x.grad.shape == x.shape
if hasattr(torch, "einsum"):
    assert torch.allclose(einsum(x, x, "a b c, a d c -> a b d"), x @ x.mT)
    mixed = EinMix("a b c -> a b d", weight_shape="c d", bias_shape="d", c=4, d=5)
    assert len(list(mixed.parameters())) == 2
    assert torch.allclose(mixed(x), x @ mixed.weight + mixed.bias)
print("ok")
"""


def test_a_program_that_uses_einops_runs(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, "-m", "flambeau", "run", str(script)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert ran.stdout.strip().endswith("ok"), ran.stderr
