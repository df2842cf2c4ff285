"""A program for PyTorch, not a word of it changed: run it with either.

flambeau run examples/pytorch_program.py
python examples/pytorch_program.py          # with PyTorch installed: the same numbers
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 16)
        self.norm = nn.BatchNorm1d(16)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(16, 2)

    def forward(self, x):
        x = self.dropout(F.relu(self.norm(self.hidden(x))))
        return self.output(x)


torch.manual_seed(42)
points = torch.randn(400, 2)
labels = (points.norm(dim=1) > 1.1).long()
loader = DataLoader(TensorDataset(points, labels), batch_size=40, shuffle=True)

model = Network()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
print(model)
for epoch in range(10):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(points).argmax(1) == labels).float().mean()
    print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, accuracy {accuracy:.3f}")
