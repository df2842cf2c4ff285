"""Images of few samples and many channels lie in memory with their channels innermost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.compiler import lowering
from flambeau.compiler.layout import choose_layouts

LANES = 16


class Residual(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(filters) for _ in range(3)])
        self.skip = nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x: Any) -> Any:
        y = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(self.norms[1](self.second(y)) + self.norms[2](self.skip(x)))


NETWORKS: dict[str, Any] = {
    "residual": lambda: nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(16, 32, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5),
    ),
    "flattened": lambda: nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.GELU(), nn.AvgPool2d(2), nn.Conv2d(32, 24, 3, dilation=2),
        nn.Tanh(), nn.Flatten(), nn.LazyLinear(5),
    ),
    "depthwise": lambda: nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU6(), nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.SiLU(),
        nn.Conv2d(32, 16, 1), nn.GroupNorm(4, 16), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        nn.Linear(64, 5),
    ),
    "grouped": lambda: nn.Sequential(
        nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1, groups=4),
        nn.InstanceNorm2d(64), nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(64, 5),
    ),
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(16, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ),
    "volumes": lambda: nn.Sequential(
        nn.Unflatten(2, (5, 5)), nn.Conv3d(3, 16, 3), nn.ReLU(), nn.Conv3d(16, 32, (1, 3, 3)),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(32, 5),
    ),
    "sequences": lambda: nn.Sequential(
        nn.Flatten(2), nn.Conv1d(3, 32, 5, 2), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Conv1d(32, 16, 3, padding=1), nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(16, 5),
    ),
}  # fmt: skip


def _run(name: str, batch: int, compiled: bool, dtype: Any) -> list[np.ndarray]:
    torch.manual_seed(0)
    net = NETWORKS[name]()
    x = torch.randn(batch, 3, 25, 19)
    y = torch.randint(5, (batch,))
    net(x)  # lazy layers
    net, x = net.to(dtype), x.to(dtype)
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    function = torch.compile(step, fullgraph=True) if compiled else step
    losses = [function(x, y).item() for _ in range(5)]
    kept = [np.array(losses)]
    return kept + [t.detach().numpy().copy() for t in (*net.parameters(), *net.buffers())]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_what_eager_mode_gives(name: str, batch: int, dtype: Any) -> None:
    tolerance = 2e-3 if dtype == torch.float32 else 1e-9
    for eager, fast in zip(
        _run(name, batch, False, dtype), _run(name, batch, True, dtype), strict=True
    ):
        size = np.abs(eager).max(initial=0) + 1e-6
        np.testing.assert_allclose(fast, eager, rtol=tolerance, atol=tolerance * size)


@pytest.mark.parametrize(("batch", "innermost"), [(2, "channels"), (64, "batch")])
def test_the_dim_that_fills_vectors_lies_innermost(
    batch: int, innermost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    def noted(graph: Any, lanes: int) -> Any:
        result, layouts = choose_layouts(graph, LANES)
        for value in result.values():
            if value.primitive in ("conv", "conv_input"):
                order = layouts.orders.get(id(value))
                found.append(value.ndim - 1 if order is None else order[-1])
        return result, layouts

    monkeypatch.setenv("FLAMBEAU_CACHE", "0")
    monkeypatch.setattr(lowering, "choose_layouts", noted)
    net = Residual(16, 32, 2)

    @torch.compile
    def step(x: Any) -> Any:
        loss = net(x).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        step(torch.randn(batch, 16, 12, 12))
    assert step.runners() and set(found) == {1 if innermost == "channels" else 0}


def _operands_of_transposed(function: Any, x: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What transposed convolutions of the compiled ``function`` read their images from."""
    found: list[Any] = []

    def noted(graph: Any, lanes: int) -> Any:
        result, layouts = choose_layouts(graph, LANES)
        for value in result.values():
            if value.primitive == "conv_input":
                found.append((value.operands[0].primitive, layouts.strides(value.operands[0])))
        return result, layouts

    monkeypatch.setenv("FLAMBEAU_CACHE", "0")
    monkeypatch.setattr(lowering, "choose_layouts", noted)
    compiled = torch.compile(function, fullgraph=True)
    with torch.no_grad():
        for _ in range(4):
            result = compiled(x)
        expected = function(x)
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)
    assert compiled.runners() and found
    return found


@pytest.mark.parametrize(("size", "copied"), [(32, True), (64, True), (12, False)])
def test_channels_that_collide_in_the_cache_are_brought_together(
    size: int, copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels of 32 x 32 and 64 x 64 pixels begin whole multiples of 4 KiB apart."""
    weight = torch.randn(16, 16, 3, 3)
    found = _operands_of_transposed(
        lambda x: nn.functional.conv_transpose2d(x, weight, padding=1),
        torch.randn(8, 16, size, size),
        monkeypatch,
    )
    together = (16 * size * size, 1, 16 * size, 16)
    assert all((primitive == "relayout") is copied for primitive, _ in found)
    assert all((strides == together) is copied for _, strides in found)


@pytest.mark.parametrize("batch", [8, 64])
@pytest.mark.parametrize("stride", [1, 2])
def test_images_made_of_a_layers_rows_are_copied_for_a_transposed_convolution(
    stride: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows that reach beyond the images have no place in the rows."""
    rows, images = nn.Linear(10, 16 * 25), nn.ConvTranspose2d(16, 32, 4, stride, 1)
    found = _operands_of_transposed(
        lambda x: images(rows(x).view(-1, 16, 5, 5)), torch.randn(batch, 10), monkeypatch
    )
    assert {primitive for primitive, _ in found} == {"relayout"}
