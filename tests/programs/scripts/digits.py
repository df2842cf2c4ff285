"""Handwritten digits, 8x8, classified by a logistic model, two-layer networks or a small CNN."""

import argparse
import json

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument(
    "model", choices=["logistic", "linear", "relu", "tanh", "sigmoid", "deep", "cnn"]
)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--runs", type=int, default=1)
options = parser.parse_args()

digits = load_digits()
split = train_test_split(digits.data, digits.target, test_size=0.2, shuffle=True, random_state=1234)
X_train, X_test = (torch.from_numpy(part).float() for part in split[:2])
y_train, y_test = (torch.from_numpy(part) for part in split[2:])


class Logistic(nn.Module):
    """Weights straight from the normal distribution, as many a first example has them."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, classes, requires_grad=True))
        self.bias = nn.Parameter(torch.randn(classes, requires_grad=True))

    def forward(self, X):
        return (X @ self.weight + self.bias).squeeze()


class Feedforward(nn.Module):
    def __init__(self, activation, layers=2):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.activation = activation
        self.middle = nn.Linear(64, 64) if layers == 3 else None
        self.last = nn.Linear(64, 10)

    def forward(self, X):
        out = self.activation(self.first(X))
        if self.middle is not None:
            out = self.activation(self.middle(out))
        return self.last(out)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(
            in_channels=1, out_channels=8, kernel_size=3, stride=1, padding=1
        )
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(kernel_size=2)
        self.linear = nn.Linear(8 * 4 * 4, 10)

    def forward(self, X):
        out = self.pool(self.relu(self.convolution(X.view(-1, 1, 8, 8))))
        return self.linear(out.view(-1, 8 * 4 * 4))


MODELS = {
    "logistic": lambda: Logistic(64, 10),
    "linear": lambda: nn.Linear(64, 10),
    "relu": lambda: Feedforward(nn.ReLU()),
    "tanh": lambda: Feedforward(nn.Tanh()),
    "sigmoid": lambda: Feedforward(nn.Sigmoid()),
    "deep": lambda: Feedforward(nn.ReLU(), layers=3),
    "cnn": Convolutional,
}


def accuracy(model, X, y):
    _, index = torch.max(model(X), dim=1)
    return (index == y).sum() / len(y)


accuracies, first_losses = [], []
for seed in range(options.runs):
    torch.manual_seed(seed)
    model = MODELS[options.model]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    losses = []
    for _ in range(options.steps):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(X_train), y_train)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    accuracies.append(accuracy(model, X_test, y_test).item())
    first_losses.append(losses[:5])

print(json.dumps({"accuracies": accuracies, "first_losses": first_losses}))
