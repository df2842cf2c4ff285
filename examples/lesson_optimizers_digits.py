"""Optimizers and networks, from a cubic polynomial to a convolution.

    flambeau run examples/lesson_optimizers_digits.py [--steps 1000] [--pictures FOLDER]

A PyTorch program: `python examples/lesson_optimizers_digits.py` runs it under PyTorch.
"""

import argparse
import math
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--pictures", type=Path, help="draw the curves into this folder")
options = parser.parse_args()


def draw(curves, file, quantity):
    """One line for each named list of values."""
    if options.pictures is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    plt.figure(figsize=(7, 4.5), layout="constrained")
    for name, values in curves.items():
        steps = range(1, len(values) + 1)
        if quantity == "accuracy":  # that of every tenth step
            steps = [10 * step for step in steps]
        plt.plot(steps, values, label=name)
    if quantity == "loss":
        plt.yscale("log")
    plt.xlabel("step")
    plt.ylabel(quantity)
    plt.legend()
    options.pictures.mkdir(parents=True, exist_ok=True)
    plt.savefig(options.pictures / file)
    plt.close()


print("1. A model is what computes, and the parameters it computes with")


class Cubic(nn.Module):
    def __init__(self):
        super().__init__()
        # A Parameter is a tensor that the module hands to an optimizer.
        self.beta = nn.Parameter(torch.zeros(4))

    def forward(self, powers):
        return powers @ self.beta


x = torch.linspace(-math.pi, math.pi, 200)
powers = torch.stack([x**0, x, x**2, x**3], dim=1)
target = torch.sin(x)


def fit_sine(make_optimizer, steps=options.steps):
    model = Cubic()
    optimizer = make_optimizer(model.parameters())
    losses = []
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(powers), target)
        loss.backward()  # adds to the gradients ...
        optimizer.step()
        optimizer.zero_grad()  # ... so they are cleared before the next step
        losses.append(loss.item())
    return model, losses


model, losses = fit_sine(lambda p: torch.optim.SGD(p, lr=1e-3), 10 * options.steps)
print(f"   loss {losses[0]:.4f} -> {losses[-1]:.4f}, beta {model.beta.detach()}")

print("2. The learning rate, the momentum and the rule of the step decide how fast it goes")
sweeps = {
    "learning rates": {
        f"lr {lr:g}": lambda p, lr=lr: torch.optim.SGD(p, lr=lr) for lr in (1e-3, 1e-4, 1e-5, 1e-6)
    },
    "momenta": {
        f"momentum {m:g}": lambda p, m=m: torch.optim.SGD(p, lr=1e-4, momentum=m)
        for m in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    },
    "optimizers": {
        rule.__name__: lambda p, rule=rule: rule(p, lr=1e-4)
        for rule in (torch.optim.SGD, torch.optim.Adam, torch.optim.Adagrad)
    },
}
for name, sweep in sweeps.items():
    curves = {label: fit_sine(make)[1] for label, make in sweep.items()}
    print(f"   {name}: " + ", ".join(f"{label} {c[-1]:.3g}" for label, c in curves.items()))
    draw(curves, f"sine-{name.replace(' ', '-')}.png", "loss")

print("3. Handwritten digits: 64 numbers in, 10 scores out")
images, labels = load_digits(return_X_y=True)
parts = train_test_split(images, labels, test_size=0.2, shuffle=True, random_state=1234)
x_train, x_test = (torch.from_numpy(part).float() for part in parts[:2])
y_train, y_test = (torch.from_numpy(part) for part in parts[2:])
print(f"   {tuple(x_train.shape)} for training, {tuple(x_test.shape)} for testing")


def accuracy(model, inputs, classes):
    with torch.no_grad():
        return (model(inputs).argmax(dim=1) == classes).float().mean().item()


def fit_digits(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    criterion = nn.CrossEntropyLoss()  # takes scores: softmax is part of it
    curve = []
    for step in range(options.steps):
        optimizer.zero_grad()
        loss = criterion(model(x_train), y_train)
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            curve.append(accuracy(model, x_test, y_test))
    return curve


class Logistic(nn.Module):
    """Logistic regression by hand; large random weights make it start badly."""

    def __init__(self):
        super().__init__()
        self.beta = nn.Parameter(torch.randn(64, 10))
        self.intercept = nn.Parameter(torch.randn(10))

    def forward(self, rows):
        return rows @ self.beta + self.intercept


def one_hidden_layer(activation):
    return nn.Sequential(nn.Linear(64, 64), activation, nn.Linear(64, 10))


print("4. The same loop for every model")
torch.manual_seed(1234)
models = {
    "logistic": Logistic(),
    "linear": nn.Linear(64, 10),
    "ReLU": one_hidden_layer(nn.ReLU()),
    "tanh": one_hidden_layer(nn.Tanh()),
    "sigmoid": one_hidden_layer(nn.Sigmoid()),
    "two layers": nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    ),
    # A convolution needs the image back: one channel of 8 by 8 pixels.
    "convolution": nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 10),
    ),
}
curves = {}
for name, model in models.items():
    curves[name] = fit_digits(model)
    count = sum(parameter.numel() for parameter in model.parameters())
    trained, tested = accuracy(model, x_train, y_train), accuracy(model, x_test, y_test)
    print(f"   {name:<12} {count:6d} parameters  train {trained:.4f}  test {tested:.4f}")
draw(curves, "digits.png", "accuracy")

print("5. What a convolution sees, and what pooling keeps")
convolution = nn.Conv2d(in_channels=1, out_channels=4, kernel_size=3, stride=1, padding=1)
try:
    convolution(x_train[:1])
except RuntimeError as error:
    print(f"   a row of 64 numbers: {str(error)[:75]}")
print(f"   as an image: {tuple(convolution(x_train[:1].view(1, 8, 8)).shape)}")
small = torch.tensor([[[0.0, 0, 0, 0], [0, 1, 2, 0], [0, 3, 4, 0], [0, 0, 0, 0]]])
print(f"   greatest of each 2x2, stride 1: {nn.MaxPool2d(2, stride=1)(small).tolist()}")
print(f"   mean of each 2x2: {nn.AvgPool2d(2)(small).tolist()}")
