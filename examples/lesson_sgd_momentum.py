"""Stochastic gradient descent and momentum, by hand and by torch.optim, laid over each other.

    flambeau run examples/lesson_sgd_momentum.py [--epochs 20] [--data data] [--pictures FOLDER]

A PyTorch program. MNIST is downloaded into the data folder unless it is there.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--data", default="data")
parser.add_argument("--pictures", type=Path, help="draw the four plots into this folder")
options = parser.parse_args()
LR, MOMENTUM = 0.01, 0.9

normalized = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
train_set, test_set = (
    datasets.MNIST(options.data, train=train, download=True, transform=normalized)
    for train in (True, False)
)
test_loader = DataLoader(test_set, batch_size=256)


def fresh_parameters():
    """Weights with deviation 1 / sqrt(inputs), so that layers neither blow up nor fade."""
    torch.manual_seed(0)
    parameters = {}
    for number, (inputs, outputs) in enumerate(((784, 100), (100, 100), (100, 10))):
        parameters[f"W{number}"] = torch.randn(inputs, outputs) / inputs**0.5
        parameters[f"b{number}"] = torch.zeros(outputs)
    for parameter in parameters.values():
        parameter.requires_grad_()
    return parameters


def network(images, p):
    """Scores `(N, 10)` of images `(N, 1, 28, 28)`."""
    hidden = torch.relu(images.flatten(start_dim=1) @ p["W0"] + p["b0"])
    hidden = torch.relu(hidden @ p["W1"] + p["b1"])
    return hidden @ p["W2"] + p["b2"]


def test(p):
    """Mean loss and accuracy over the test set."""
    loss = right = 0.0
    with torch.no_grad():
        for images, labels in test_loader:
            scores = network(images, p)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += (scores.argmax(dim=1) == labels).sum().item()
    return loss / len(test_set), right / len(test_set)


def by_hand(p, momentum):
    """A step that needs no optimizer: v <- momentum v + gradient; w <- w - lr v."""
    velocity = {name: torch.zeros_like(parameter) for name, parameter in p.items()}

    def step():
        with torch.no_grad():
            for name, parameter in p.items():
                velocity[name] = momentum * velocity[name] + parameter.grad
                parameter -= LR * velocity[name]
                parameter.grad = None

    return step


def by_optim(p, momentum):
    optimizer = torch.optim.SGD(p.values(), lr=LR, momentum=momentum)

    def step():
        optimizer.step()
        optimizer.zero_grad()

    return step


def train(make_step, momentum):
    """Loss and accuracy of each minibatch, and what the test says after each epoch."""
    p = fresh_parameters()
    step = make_step(p, momentum)
    loader = DataLoader(train_set, batch_size=128, shuffle=True)
    record = {"train loss": [], "train accuracy": [], "test loss": [], "test accuracy": []}
    for _ in range(options.epochs):
        for images, labels in loader:
            scores = network(images, p)
            loss = F.cross_entropy(scores, labels)  # takes scores: the softmax is in it
            loss.backward()
            step()
            record["train loss"].append(loss.item())
            record["train accuracy"].append((scores.argmax(dim=1) == labels).float().mean().item())
        loss, accuracy = test(p)
        record["test loss"].append(loss)
        record["test accuracy"].append(accuracy)
    return record


loss, accuracy = test(fresh_parameters())
print(f"untrained: test loss {loss:.3f}, accuracy {accuracy:.3f}")
records = {}
for method, momentum in (("SGD", 0.0), ("momentum", MOMENTUM)):
    for name, make_step in (("by hand", by_hand), ("torch.optim", by_optim)):
        record = records[method, name] = train(make_step, momentum)
        print(
            f"{method:<8} {name:<11} train loss {record['train loss'][-1]:.4f}  "
            f"test loss {record['test loss'][-1]:.4f}  "
            f"test accuracy {record['test accuracy'][-1]:.4f}"
        )
    apart = max(
        abs(a - b) for a, b in zip(records[method, "by hand"]["train loss"], record["train loss"])
    )
    print(f"{method:<8} losses differ by at most {apart:.1e}")


def smooth(values, window=50):
    """The mean of the last `window` values."""
    sums = torch.cumsum(torch.tensor([0.0, *values], dtype=torch.float64), dim=0)
    end = torch.arange(1, len(values) + 1)
    start = (end - window).clamp(min=0)
    return (sums[end] - sums[start]) / (end - start)


if options.pictures is not None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    options.pictures.mkdir(parents=True, exist_ok=True)
    steps = len(record["train loss"]) / options.epochs
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    for row, method in zip(axes, ("SGD", "momentum")):
        for ax, quantity in zip(row, ("loss", "accuracy")):
            for (name, style), hue in zip((("by hand", "-"), ("torch.optim", "--")), ("C0", "C1")):
                record = records[method, name]
                ax.plot(smooth(record[f"train {quantity}"]), style, color=hue, label=name)
                ends = [steps * (epoch + 1) for epoch in range(options.epochs)]
                label = "test" if name == "by hand" else None
                ax.plot(ends, record[f"test {quantity}"], ".", color="0.4", label=label)
            ax.set(title=f"{method}: {quantity}", xlabel="iteration", ylabel=quantity)
            ax.grid(alpha=0.3)
            ax.legend()
    figure.savefig(options.pictures / "sgd-momentum.png")
