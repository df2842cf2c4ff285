"""The training steps that are measured, each written once for any module with PyTorch's API.

Every workload is a function of `torch`, which is PyTorch or flambeau: the same code, line by line,
runs on both. It returns a `Workload`, whose `step(*batch)` is one plain training step as a user
writes it (zero the gradients, forward, loss, backward, update) and returns the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SEED = 1234


@dataclass
class Workload:
    """One training step and the batches that it is called with in turn."""

    step: Callable[..., Any]
    """Takes the tensors of one batch, returns the loss, a tensor of one element."""
    batches: list[tuple[Any, ...]]
    """Inputs and targets, made before the clock starts."""
    flops: float
    """Multiplications and additions in one step's matrix products and convolutions."""
    bytes: float = 0.0
    """Bytes that one step must at least read or write: parameters and their update."""
    parameters: list[Any] = field(default_factory=list)
    """The trained tensors, for checks of what the step left."""


def training_step(
    torch: Any, model: Any, criterion: Any, optimizer: Any
) -> Callable[[Any, Any], Any]:
    """The loop's body: what every course teaches, in its order."""

    def step(inputs: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def dense_flops(rows: int, *sizes: int) -> float:
    """Forward and both gradients of a chain of linear layers; the first needs no input gradient."""
    products = [rows * a * b for a, b in zip(sizes, sizes[1:])]
    return 2.0 * (3 * sum(products) - products[0])


def workload(
    torch: Any,
    model: Any,
    criterion: Any,
    optimizer: Any,
    batches: list[tuple[np.ndarray, np.ndarray]],
    flops: float,
    updates: float,
) -> Workload:
    """`updates`: arrays of the parameters' size that the optimizer's update reads or writes."""
    parameters = list(model.parameters())
    size = sum(4 * p.numel() for p in parameters)
    return Workload(
        step=training_step(torch, model, criterion, optimizer),
        batches=[tuple(torch.from_numpy(array) for array in batch) for batch in batches],
        flops=flops,
        bytes=updates * size,
        parameters=parameters,
    )


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def images(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Like scanned digits: most pixels are zero, the others spread over (0, 1)."""
    pixels = rng.random(shape, dtype=np.float32)
    return np.where(rng.random(shape) < 0.8, np.float32(0), pixels)


def cubic_fit(torch: Any) -> Workload:
    """A cubic through 200 points of the sine: 4 coefficients, SGD."""
    x = np.linspace(-math.pi, math.pi, 200, dtype=np.float32)
    powers = np.stack([np.ones_like(x), x, x**2, x**3], axis=1)

    class Polynomial(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.coefficients = torch.nn.Parameter(torch.zeros(4))

        def forward(self, X: Any) -> Any:
            return X @ self.coefficients

    model = Polynomial()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    return workload(
        torch, model, torch.nn.MSELoss(), optimizer, [(powers, np.sin(x))], 2 * 2 * 200 * 4, 3
    )


def iris_mlp(torch: Any) -> Workload:
    """4-16-3 with sigmoid and softmax in the model, batches of 2, Adam."""
    rng = np.random.default_rng(SEED)
    nn = torch.nn

    class Classifier(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(4, 16)
            self.output = nn.Linear(16, 3)

        def forward(self, x: Any) -> Any:
            x = torch.sigmoid(self.hidden(x))
            return nn.Softmax(dim=1)(self.output(x))

    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    batches = [(normal(rng, 2, 4), rng.integers(0, 3, 2)) for _ in range(50)]
    return workload(
        torch, model, nn.CrossEntropyLoss(), optimizer, batches, dense_flops(2, 4, 16, 3), 7
    )


def circles_mlp(torch: Any) -> Workload:
    """2-5-2 on two noisy circles, batches of 50, Adam."""
    rng = np.random.default_rng(SEED)
    label = rng.integers(0, 2, 300)
    angle = rng.uniform(0, 2 * math.pi, 300)
    radius = np.where(label == 0, 1.0, 0.5)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    points = (points + 0.1 * rng.standard_normal((300, 2))).astype(np.float32)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    batches = [(points[i : i + 50], label[i : i + 50]) for i in range(0, 300, 50)]
    return workload(
        torch, model, nn.CrossEntropyLoss(), optimizer, batches, dense_flops(50, 2, 5, 2), 7
    )


def spiral_mlp(torch: Any) -> Workload:
    """2-100-3 on three spiral arms, all 300 rows at once, SGD with weight decay."""
    rng = np.random.default_rng(SEED)
    label = np.repeat(np.arange(3), 100)
    radius = np.tile(np.linspace(0, 1, 100), 3)
    angle = 4 * label + 4 * radius + 0.2 * rng.standard_normal(300)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=1e-3)
    batches = [(points.astype(np.float32), label)]
    return workload(
        torch, model, nn.CrossEntropyLoss(), optimizer, batches, dense_flops(300, 2, 100, 3), 3
    )


def digits_rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """1437 images of 8x8 with 17 grey levels, as scikit-learn's digits, and ten classes."""
    return np.round(16 * images(rng, 1437, 64)), rng.integers(0, 10, 1437)


def digits_mlp(torch: Any) -> Workload:
    """64-64-10, all 1437 rows at once, SGD with momentum."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    batches = [digits_rows(np.random.default_rng(SEED))]
    return workload(
        torch, model, nn.CrossEntropyLoss(), optimizer, batches, dense_flops(1437, 64, 64, 10), 5
    )


def digits_cnn(torch: Any) -> Workload:
    """8 filters of 3x3, pooling, linear, on all 1437 images at once, SGD with momentum."""
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(1, 8, kernel_size=3, padding=1)
            self.pool = nn.MaxPool2d(2)
            self.output = nn.Linear(8 * 4 * 4, 10)

        def forward(self, x: Any) -> Any:
            x = self.pool(torch.relu(self.convolution(x.view(-1, 1, 8, 8))))
            return self.output(x.view(-1, 8 * 4 * 4))

    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    flops = 2 * 2 * 1437 * 8 * 64 * 9 + 3 * 2 * 1437 * 128 * 10
    batches = [digits_rows(np.random.default_rng(SEED))]
    return workload(torch, model, nn.CrossEntropyLoss(), optimizer, batches, flops, 5)


def mnist_cnn(torch: Any) -> Workload:
    """The course's CNN on 28x28: 10 and 20 filters of 5x5 with pooling, batch 64, SGD."""
    rng = np.random.default_rng(SEED)
    nn = torch.nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(1, 10, 5), nn.ReLU(), nn.MaxPool2d(2))
            self.second = nn.Sequential(nn.Conv2d(10, 20, 5), nn.ReLU(), nn.MaxPool2d(2))
            self.output = nn.Linear(320, 10)

        def forward(self, x: Any) -> Any:
            x = self.second(self.first(x))
            return self.output(x.view(x.size(0), -1))

    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    first, second, output = 10 * 24 * 24 * 25, 20 * 8 * 8 * 250, 320 * 10
    flops = 2 * 64 * (2 * first + 3 * second + 3 * output)
    batches = [(images(rng, 64, 1, 28, 28), rng.integers(0, 10, 64)) for _ in range(8)]
    return workload(torch, model, nn.CrossEntropyLoss(), optimizer, batches, flops, 3)


def wide_mlp(torch: Any) -> Workload:
    """784-1024-1024-10, batch 256, SGD with momentum: arithmetic, not overhead."""
    rng = np.random.default_rng(SEED)
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    batches = [(images(rng, 256, 784), rng.integers(0, 10, 256)) for _ in range(4)]
    flops = dense_flops(256, 784, 1024, 1024, 10)
    return workload(torch, model, nn.CrossEntropyLoss(), optimizer, batches, flops, 5)


def character_gpt(torch: Any) -> Workload:
    """A character GPT: 4 layers of 128, 4 heads, 64 tokens, batch 32, AdamW."""
    rng = np.random.default_rng(SEED)
    nn, F = torch.nn, torch.nn.functional
    vocabulary, tokens, width, heads, layers, batch = 65, 64, 128, 4, 4, 32

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm_attention = nn.LayerNorm(width)
            self.norm_mlp = nn.LayerNorm(width)
            self.query_key_value = nn.Linear(width, 3 * width)
            self.projection = nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x: Any) -> Any:
            rows, length, _ = x.shape
            query, key, value = (
                part.view(rows, length, heads, width // heads).transpose(1, 2)
                for part in self.query_key_value(self.norm_attention(x)).split(width, dim=2)
            )
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + self.projection(mixed.transpose(1, 2).reshape(rows, length, width))
            return x + self.mlp(self.norm_mlp(x))

    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(vocabulary, width)
            self.position = nn.Embedding(tokens, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)

        def forward(self, index: Any) -> Any:
            x = self.token(index) + self.position(torch.arange(index.shape[1]))
            return self.head(self.norm(self.blocks(x))).view(-1, vocabulary)

    def text() -> tuple[np.ndarray, np.ndarray]:
        window = rng.integers(0, vocabulary, (batch, tokens + 1))
        return window[:, :-1].copy(), window[:, 1:].copy().reshape(-1)

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    rows = batch * tokens
    dense = layers * rows * 12 * width * width + rows * width * vocabulary
    attention = layers * batch * 2 * tokens * tokens * width
    flops = 3 * 2 * (dense + attention)
    batches = [text() for _ in range(4)]
    return workload(torch, model, nn.CrossEntropyLoss(), optimizer, batches, flops, 7)


def lstm(torch: Any) -> Workload:
    """An LSTM of 64 units over 50 steps of 8 features, batch 32, a linear head, Adam."""
    rng = np.random.default_rng(SEED)
    nn = torch.nn
    features, hidden, steps, batch = 8, 64, 50, 32

    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(features, hidden, batch_first=True)
            self.head = nn.Linear(hidden, 1)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(x)
            return self.head(output[:, -1]).squeeze(1)

    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    flops = 3 * 2 * batch * steps * 4 * hidden * (features + hidden)
    batches = [(normal(rng, batch, steps, features), normal(rng, batch)) for _ in range(4)]
    return workload(torch, model, nn.MSELoss(), optimizer, batches, flops, 7)


WORKLOADS: dict[str, Callable[[Any], Workload]] = {
    "cubic-fit": cubic_fit,
    "iris-mlp": iris_mlp,
    "circles-mlp": circles_mlp,
    "spiral-mlp": spiral_mlp,
    "digits-mlp": digits_mlp,
    "digits-cnn": digits_cnn,
    "mnist-cnn": mnist_cnn,
    "wide-mlp": wide_mlp,
    "character-gpt": character_gpt,
    "lstm": lstm,
}
"""By the name that `--only` takes; a workload's docstring is its description."""


def build(name: str, torch: Any) -> Workload:
    """The workload with freshly seeded parameters: the same numbers on every framework."""
    torch.manual_seed(SEED)
    return WORKLOADS[name](torch)
