"""Fidelity: a CNN under SGD with momentum, 30 steps from one seed."""

import json

import torch
from torch import nn

torch.manual_seed(20)
model = nn.Sequential(
    nn.Conv2d(1, 8, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, stride=2, bias=False),
    nn.Tanh(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(16 * 9, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
images = torch.randn(256, 1, 28, 28)
labels = torch.randint(0, 10, (256,))
images += 2 * torch.nn.functional.one_hot(labels, 28).float()[:, None, None, :]
data = torch.utils.data.TensorDataset(images, labels)
loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
losses = []
while len(losses) < 30:
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if len(losses) == 30:
            break
print(json.dumps({"losses": losses, "next": torch.rand(4).tolist()}))
