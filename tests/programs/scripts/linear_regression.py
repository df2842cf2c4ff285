"""Linear regression with a module, a DataLoader and SGD, beside the least-squares solution."""

import json

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regression(nn.Module):
    def __init__(self, input_size, output_size):
        super().__init__()
        self.linear = nn.Linear(input_size, output_size)

    def forward(self, x):
        return self.linear(x)


def train(model, criterion, optimizer, loader, epochs):
    history = []
    for _ in range(epochs):
        total = 0
        for X, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(X).flatten(), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        history.append(total / len(loader))
    return history


def compare(slopes, intercept, lr, epochs):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, len(slopes)))
    y = X @ np.array(slopes) + intercept + 10 * rng.standard_normal(500)
    exact = np.linalg.lstsq(np.c_[np.ones(500), X], y, rcond=None)[0]

    dataset = TensorDataset(
        torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    )
    loader = DataLoader(dataset, batch_size=50, shuffle=True)
    assert len(loader) == 10 and len(loader.dataset) == 500
    batch, targets = next(iter(loader))
    assert batch.shape == torch.Size([50, len(slopes)]) and targets.shape == (50,)

    model = Regression(len(slopes), 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    history = train(model, nn.MSELoss(), optimizer, loader, epochs)
    state = model.state_dict()
    found = [state["linear.bias"].item(), *state["linear.weight"][0].tolist()]
    return {"exact": exact.tolist(), "found": found, "history": history}


torch.manual_seed(0)
print(
    json.dumps(
        {
            "one": compare([45.5], -0.8, lr=0.02, epochs=30),
            "three": compare([0.6, 56.0, 11.1], 0.4, lr=0.05, epochs=50),
        }
    )
)
