"""Iris with a small classifier; the whole model and its parameters saved, loaded and compared."""

import json
import os
import pickle
import sys
import tempfile

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.layer1 = nn.Linear(input_size, hidden_size)
        self.layer2 = nn.Linear(hidden_size, output_size)

    def forward(self, x):
        x = nn.Sigmoid()(self.layer1(x))
        return nn.Softmax(dim=1)(self.layer2(x))


torch.manual_seed(1)
iris = load_iris()
X_train, X_test, y_train, y_test = train_test_split(
    iris.data, iris.target, test_size=1.0 / 3, random_state=1
)
mean, deviation = np.mean(X_train), np.std(X_train)
inputs = torch.from_numpy((X_train - mean) / deviation).float()
loader = DataLoader(TensorDataset(inputs, torch.from_numpy(y_train)), 2, shuffle=True)

model = Model(inputs.shape[1], 16, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
epochs = int(sys.argv[1])
losses, accuracies = [0] * epochs, [0] * epochs
for epoch in range(epochs):
    for x, y in loader:
        prediction = model(x)
        loss = criterion(prediction, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses[epoch] += loss.item() * y.size(0)
        correct = (torch.argmax(prediction, dim=1) == y).float()
        accuracies[epoch] += correct.sum()
    losses[epoch] /= len(loader.dataset)
    accuracies[epoch] /= len(loader.dataset)

test_inputs = torch.from_numpy((X_test - mean) / deviation).float()
test_targets = torch.from_numpy(y_test)


def test_accuracy(model):
    correct = (torch.argmax(model(test_inputs), dim=1) == test_targets).float()
    return f"{correct.mean():.4f}"


with tempfile.TemporaryDirectory() as folder:
    whole, parameters = os.path.join(folder, "iris.pt"), os.path.join(folder, "state.pt")
    torch.save(model, whole)
    try:
        torch.load(whole)
        refused = False
    except pickle.UnpicklingError:
        refused = True
    loaded = torch.load(whole, weights_only=False)
    loaded.eval()
    torch.save(model.state_dict(), parameters)
    fresh = Model(inputs.shape[1], 16, 3)
    message = str(fresh.load_state_dict(torch.load(parameters)))

print(
    json.dumps(
        {
            "losses": losses,
            "accuracy": accuracies[-1].item(),
            "test": [test_accuracy(m) for m in (model, loaded, fresh)],
            "refused": refused,
            "message": message,
            "loaded": repr(loaded),
        }
    )
)
