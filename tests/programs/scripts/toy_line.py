"""Ten points and a line, one point at a time: written out with tensors, then with nn and optim."""

import json

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
x = np.arange(10, dtype="float32").reshape((10, 1))
y = np.array([1.0, 1.3, 3.1, 2.0, 5.0, 6.3, 6.6, 7.4, 8.0, 9.0], dtype="float32")
standardized = torch.from_numpy((x - np.mean(x)) / np.std(x))
loader = DataLoader(TensorDataset(standardized, torch.from_numpy(y)), 1, shuffle=True)
rate = 0.001

weight = torch.randn(1)
weight.requires_grad_()
bias = torch.zeros(1, requires_grad=True)
printed = []
for epoch in range(200):
    for inputs, targets in loader:
        loss = (inputs @ weight + bias - targets).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            weight -= weight.grad * rate
            bias -= bias.grad * rate
            weight.grad.zero_()
            bias.grad.zero_()
        if epoch % 100 == 0:
            printed.append(f"{loss.item():.4f}")

model = nn.Linear(1, 1)
criterion = nn.MSELoss(reduction="mean")
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
for _ in range(200):
    for inputs, targets in loader:
        loss = criterion(model(inputs)[:, 0], targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

print(
    json.dumps(
        {
            "losses": printed,
            "by_hand": [weight.item(), bias.item()],
            "by_optim": [model.weight.item(), model.bias.item()],
        }
    )
)
