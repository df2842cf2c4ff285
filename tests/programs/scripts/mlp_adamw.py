"""Fidelity: an MLP with batch norm and dropout under AdamW, 30 steps from one seed."""

import json

import torch
from torch import nn

torch.manual_seed(30)
model = nn.Sequential(
    nn.Linear(20, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(64, 32),
    nn.BatchNorm1d(32),
    nn.GELU(),
    nn.Dropout(),
    nn.Linear(32, 5),
)
inputs = torch.randn(400, 20)
labels = (inputs[:, :5] + 0.3 * torch.randn(400, 5)).argmax(dim=1)
data = torch.utils.data.TensorDataset(inputs, labels)
loader = torch.utils.data.DataLoader(data, batch_size=40, shuffle=True, drop_last=True)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.05)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
criterion = nn.CrossEntropyLoss()
losses = []
for _ in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
model.eval()
with torch.no_grad():
    evaluated = criterion(model(inputs), labels).item()
# The bias before a batch norm moves by rounding noise, and the running mean with it, not this:
variance = model[1].running_var.tolist()
following = torch.randn(4).tolist()
print(
    json.dumps({"losses": losses, "evaluated": evaluated, "variance": variance, "next": following})
)
