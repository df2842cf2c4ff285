"""From a line by hand to a trained, saved and loaded network: torch.nn and torch.optim.

    flambeau run examples/lesson_linear_model_iris.py [--epochs 100] [--pictures FOLDER]

A PyTorch program: `python examples/lesson_linear_model_iris.py` runs it under PyTorch.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=100, help="on the irises; twice that on the line")
parser.add_argument("--pictures", type=Path, help="draw into this folder")
options = parser.parse_args()


def draw(file, *panels, xlabel):
    """A panel for each list of lines: pairs of values and a label, or triples with a style."""
    if options.pictures is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 3.6), squeeze=False)
    for ax, lines in zip(axes[0], panels):
        for across, values, label, *style in lines:
            ax.plot(across, values, *style, label=label)
        ax.set_xlabel(xlabel)
        ax.legend()
    options.pictures.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(options.pictures / file)
    plt.close(figure)


print("1. Ten points, standardized, one at a time")
x = np.arange(10, dtype=np.float32)[:, None]
y = np.array([1.0, 1.3, 3.1, 2.0, 5.0, 6.3, 6.6, 7.4, 8.0, 9.0], dtype=np.float32)
mean, deviation = x.mean(), x.std()
line_set = TensorDataset(torch.from_numpy((x - mean) / deviation), torch.from_numpy(y))
torch.manual_seed(1)
loader = DataLoader(line_set, batch_size=1, shuffle=True)

print("2. By hand: the parameters are two tensors, the step is two subtractions")
weight, bias = torch.randn(1, requires_grad=True), torch.zeros(1, requires_grad=True)
for _ in range(2 * options.epochs):
    for inputs, target in loader:
        loss = (inputs @ weight + bias - target).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            for parameter in (weight, bias):
                parameter -= 1e-3 * parameter.grad
                parameter.grad.zero_()
print(f"   weight {weight.item():.3f}, bias {bias.item():.3f}")

print("3. The same with a layer, a loss and an optimizer")
model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for _ in range(2 * options.epochs):
    for inputs, target in loader:
        loss = criterion(model(inputs)[:, 0], target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
print(f"   weight {model.weight.item():.3f}, bias {model.bias.item():.3f}")
new = (torch.tensor([[4.5]]) - mean) / deviation  # scaled as the training data were
print(f"   at x = 4.5: {model(new).item():.2f}")
with torch.no_grad():
    line = model(line_set.tensors[0])[:, 0]
draw("line.png", [(x[:, 0], y, "points", "o"), (x[:, 0], line, "the layer's line")], xlabel="x")

print("4. Irises: four measurements, three species")
iris = load_iris()
x_train, x_test, y_train, y_test = train_test_split(
    iris.data, iris.target, test_size=1.0 / 3, random_state=1
)
mean, deviation = x_train.mean(), x_train.std()
x_train, x_test = (
    torch.from_numpy((part - mean) / deviation).float() for part in (x_train, x_test)
)
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)


class Species(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, x):
        x = torch.sigmoid(self.hidden(x))
        return torch.softmax(self.output(x), dim=1)


torch.manual_seed(1)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=2, shuffle=True)
model = Species(4, 16, 3)
# CrossEntropyLoss has a softmax of its own: on top of the model's, the loss ends above 0.55.
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
losses, shares = [], []
for epoch in range(1, options.epochs + 1):
    total = right = 0.0
    for inputs, species in loader:
        scores = model(inputs)
        loss = criterion(scores, species)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item() * len(species)
        right += (scores.argmax(dim=1) == species).sum().item()
    losses.append(total / len(x_train))
    shares.append(right / len(x_train))
    if epoch % max(1, options.epochs // 5) == 0:
        print(f"   epoch {epoch:3d}  loss {losses[-1]:.3f}  accuracy {shares[-1]:.3f}")
epochs = range(1, options.epochs + 1)
draw("iris.png", [(epochs, losses, "loss")], [(epochs, shares, "accuracy")], xlabel="epoch")


def test_accuracy(model):
    with torch.no_grad():
        return (model(x_test).argmax(dim=1) == y_test).float().mean().item()


print(f"   test accuracy {test_accuracy(model):.4f}")

print("5. Saved whole, saved as parameters, loaded again")
with tempfile.TemporaryDirectory() as folder:
    whole, state = Path(folder) / "species.pt", Path(folder) / "species-state.pt"
    torch.save(model, whole)
    loaded = torch.load(whole, weights_only=False)  # runs code: only files that one trusts
    loaded.eval()
    print(f"   the whole module:  {test_accuracy(loaded):.4f}")
    torch.save(model.state_dict(), state)
    loaded = Species(4, 16, 3)
    loaded.load_state_dict(torch.load(state))
    print(f"   the parameters:    {test_accuracy(loaded):.4f}")

print("6. Activations: how they bend, and where their slope vanishes")
bends, slopes = [], []
z = torch.linspace(-5, 5, 201, requires_grad=True)
for name in ("sigmoid", "tanh", "relu"):
    values = getattr(torch, name)(z)
    bends.append((z.tolist(), values.tolist(), name))
    slopes.append((z.tolist(), torch.autograd.grad(values.sum(), z)[0].tolist(), f"{name}'"))
draw("activations.png", bends, slopes, xlabel="z")
z = torch.tensor([-5.0, -1.0, 0.0, 1.0, 5.0], requires_grad=True)
print("   z        " + "  ".join(f"{value:7.3f}" for value in z.tolist()))
for name in ("sigmoid", "tanh", "relu"):
    values = getattr(torch, name)(z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    print(f"   {name:<8} " + "  ".join(f"{value:7.3f}" for value in values.tolist()))
    print("     slope  " + "  ".join(f"{value:7.3f}" for value in slopes.tolist()))
shares = torch.softmax(torch.tensor([1.77, 1.61, 1.46]), dim=0)
print(f"   softmax: {[round(share, 3) for share in shares.tolist()]}, together {shares.sum():.3f}")
