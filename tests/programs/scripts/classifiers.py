"""Two circles with BCEWithLogitsLoss, four blobs with CrossEntropyLoss, both under Adam."""

import json

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(input_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, output_size),
        )

    def forward(self, x):
        return self.main(x)


def train(model, criterion, loader, lr, epochs, flat):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    history = []
    for _ in range(epochs):
        total = 0
        for X, y in loader:
            optimizer.zero_grad()
            prediction = model(X).flatten() if flat else model(X)
            loss = criterion(prediction, y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        history.append(total / len(loader))
    return history


rng = np.random.default_rng(2020)
torch.manual_seed(2020)

# circles
label = np.repeat([0, 1], 150)
angle = rng.uniform(0, 2 * np.pi, 300)
radius = np.where(label == 0, 1.0, 0.5)
points = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
points += 0.1 * rng.standard_normal((300, 2))
X = torch.tensor(points, dtype=torch.float32)
y = torch.tensor(label, dtype=torch.float32)
loader = DataLoader(TensorDataset(X, y), batch_size=50, shuffle=True)
model = Classifier(2, 5, 1)
circles = train(model, nn.BCEWithLogitsLoss(), loader, lr=0.1, epochs=20, flat=True)
prediction = model(torch.tensor([[0, 0], [-1, -1]], dtype=torch.float32)).detach()
probability = nn.Sigmoid()(prediction)
classes = np.where(probability > 0.5, 1, 0)
squashed = nn.Sequential(model, nn.Sigmoid())
plain = nn.BCELoss()(squashed(X).flatten(), y).item()
stable = nn.BCEWithLogitsLoss()(model(X).flatten(), y).item()

# blobs
centres = np.array([[-1, -1], [0, 0.3], [1, -0.6], [0.9, 0.9]])
label = np.repeat(np.arange(4), 50)
points = centres[label] + 0.15 * rng.standard_normal((200, 2))
X = torch.tensor(points, dtype=torch.float32)
y = torch.tensor(label, dtype=torch.int64)
loader = DataLoader(TensorDataset(X, y), batch_size=50, shuffle=True)
model = Classifier(2, 5, 4)
blobs = train(model, nn.CrossEntropyLoss(), loader, lr=0.2, epochs=10, flat=False)
prediction = model(torch.tensor([[-1, -1], [1, 1]], dtype=torch.float32)).detach()
probability = nn.Softmax(dim=1)(prediction)

print(
    json.dumps(
        {
            "circles": circles,
            "circle_classes": classes.tolist(),
            "loss_with_sigmoid": plain,
            "loss_with_logits": stable,
            "blobs": blobs,
            "blob_classes": probability.argmax(dim=1).tolist(),
            "blob_sums": probability.sum(dim=1, keepdim=True).tolist(),
            "blob_accuracy": (model(X).argmax(1) == y).float().mean().item(),
        }
    )
)
