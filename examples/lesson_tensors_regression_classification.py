"""Tensors, gradients, and first networks for numbers and for classes.

    flambeau run examples/lesson_tensors_regression_classification.py [--epochs 1000]
                 [--pictures FOLDER]

A PyTorch program, but for the pictures: those are `flambeau.plots`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_blobs, make_circles, make_regression
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1000, help="of the longest trainings")
parser.add_argument("--pictures", type=Path, help="draw into this folder")
options = parser.parse_args()


def picture(file, name, *arguments, **words):
    """Draw with one of flambeau's plots."""
    if options.pictures is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    from flambeau import plots

    axes = getattr(plots, name)(*arguments, **words)
    options.pictures.mkdir(parents=True, exist_ok=True)
    (axes[0] if isinstance(axes, (list, np.ndarray)) else axes).figure.savefig(
        options.pictures / file
    )


print("1. Tensors")
for values in ([1, 2, 3.0], [1, 2, 3]):
    print(f"   {torch.tensor(values)} is of {torch.tensor(values).dtype}")
print(f"   NumPy's floats are {np.array([3.14]).dtype}, tensors' are {torch.tensor([3.14]).dtype}")
column, row = torch.ones(3, 1), torch.arange(4.0)
print(f"   (3, 1) + (4,) broadcasts to {tuple((column + row).shape)}")
print(f"   (3, 1) @ (1, 4) multiplies to {tuple((column @ row.view(1, 4)).shape)}")
shared = torch.zeros(3)
shared.numpy()[0] = 7  # no copy: the same memory
print(f"   written through NumPy: {shared}")
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(f"   a tensor lives on a device: {torch.zeros(1, device=device).device}")

print("2. Gradients")
x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0])
w = torch.ones(1, requires_grad=True)
((w * x - y) ** 2).mean().backward()
print(f"   by backward {w.grad.item():.4f}, by hand {(2 / 3 * x @ (w * x - y)).item():.4f}")


def train(model, criterion, optimizer, loader, epochs):
    """The loop: predict, measure, differentiate, step. Gives the last epoch's mean loss."""
    for _ in range(epochs):
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return total / len(loader)


def loader_of(x, y):
    return DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)


print("3. A line is a network without hidden nodes")
torch.manual_seed(0)
for features, lr, epochs in ((1, 0.02, 30), (3, 0.05, 100)):
    X, y = make_regression(n_samples=500, n_features=features, noise=10.0, random_state=0)
    least_squares = np.linalg.lstsq(np.c_[X, np.ones(500)], y, rcond=None)[0]
    x_t, y_t = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    model = nn.Sequential(nn.Linear(features, 1), nn.Flatten(0))
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss = train(model, nn.MSELoss(), optimizer, loader_of(x_t, y_t), epochs)
    found = [*model[0].weight.detach()[0].tolist(), model[0].bias.item()]
    print(f"   loss {loss:.2f}")
    print("     network       " + "  ".join(f"{value:8.3f}" for value in found))
    print("     least squares " + "  ".join(f"{value:8.3f}" for value in least_squares))
    if features == 1:
        picture("line.png", "plot_regression", X, y, model(x_t).detach())

print("4. A curve needs nodes that bend: hidden layers with an activation")
X = np.sort(np.random.RandomState(2020).randn(500))
y = X**2 + 15 * np.sin(X) ** 3
x_t, y_t = torch.from_numpy(X[:, None]).float(), torch.from_numpy(y).float()
for sizes, lr in (((1, 3, 1), 0.01), ((1, 5, 3, 1), 0.3), ((1, 20, 20, 1), 0.2)):
    torch.manual_seed(0)
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.Sigmoid()]
    model = nn.Sequential(*layers[:-1])  # no activation after the last: any number may come out
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loader = loader_of(x_t, y_t.view(-1, 1))
    loss = train(model, nn.MSELoss(), optimizer, loader, options.epochs)
    print(f"   {'-'.join(map(str, sizes))}: loss {loss:.3f}")
    name = "-".join(map(str, sizes))
    picture(f"curve-{name}.png", "plot_regression", X, y, model(x_t).detach(), title=name)
    picture(f"nodes-{name}.png", "plot_nodes", X, model(x_t).detach(), model, title=name)
functions = [nn.Sigmoid, nn.Tanh, nn.Softplus, nn.ReLU, nn.LeakyReLU]
picture("activations.png", "plot_activations", torch.linspace(-6, 6, 100), functions)

print("5. Two classes: one logit, above zero for the second class")
X, y = make_circles(n_samples=300, factor=0.5, noise=0.1, random_state=2020)
x_t, y_t = torch.from_numpy(X).float(), torch.from_numpy(y).float()
torch.manual_seed(2020)
model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1), nn.Flatten(0))
# BCEWithLogitsLoss has the sigmoid in it: exact where sigmoid and log apart would overflow.
optimizer = optim.Adam(model.parameters(), lr=0.1)
loss = train(model, nn.BCEWithLogitsLoss(), optimizer, loader_of(x_t, y_t), 20)
with torch.no_grad():
    logits = model(torch.tensor([[0.0, 0.0], [-1.0, -1.0]]))
    right = ((model(x_t) > 0) == (y_t > 0.5)).float().mean().item()
inside, outside = torch.sigmoid(logits).tolist()
print(f"   loss {loss:.3f}, right {right:.3f}; the centre {inside:.3f}, a corner {outside:.3f}")
picture("circles.png", "plot_classification_2d", X, y, model, transform="Sigmoid")

print("6. Several classes: a logit for each, softmax makes them probabilities")
X, y = make_blobs(
    n_samples=200, centers=4, center_box=(-1.2, 1.2), cluster_std=0.15, random_state=148
)
x_t, y_t = torch.from_numpy(X).float(), torch.from_numpy(y).long()
torch.manual_seed(2020)
model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 4))
optimizer = optim.Adam(model.parameters(), lr=0.2)
loss = train(model, nn.CrossEntropyLoss(), optimizer, loader_of(x_t, y_t), 10)
with torch.no_grad():
    shares = torch.softmax(model(torch.tensor([[-1.0, -1.0], [0.0, 0.0]])), dim=1)
    right = (model(x_t).argmax(dim=1) == y_t).float().mean().item()
print(f"   loss {loss:.3f}, right {right:.3f}; classes {shares.argmax(dim=1).tolist()}")
print(f"   each row of probabilities sums to {[round(s, 4) for s in shares.sum(dim=1).tolist()]}")
picture("blobs.png", "plot_classification_2d", X, y, model, transform="Softmax")
