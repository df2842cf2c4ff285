"""A convolutional network on MNIST, and why a hidden layer helps: a spiral, gradients by hand.

    flambeau run examples/lesson_mnist_cnn_and_spiral.py [--epochs 1] [--steps 10000]
                 [--data data] [--pictures FOLDER]

A PyTorch program. MNIST is downloaded into the data folder unless it is there.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1, help="on MNIST")
parser.add_argument("--steps", type=int, default=10_000, help="on the spiral")
parser.add_argument("--data", default="data")
parser.add_argument("--pictures", type=Path, help="draw into this folder")
options = parser.parse_args()

print("1. The data: images become tensors, a loader shuffles them into batches")
torch.manual_seed(1234)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
train_set, test_set = (
    datasets.MNIST(options.data, train=train, download=True, transform=transforms.ToTensor())
    for train in (True, False)
)
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)
images, labels = next(iter(train_loader))
print(f"   a batch {tuple(images.shape)}, mean {images.mean():.3f}, labels {labels[:5].tolist()}")

print("2. The network: two convolutions, each halved by pooling, and a linear layer")


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 10, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2))
        self.second = nn.Sequential(nn.Conv2d(10, 20, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2))
        self.scores = nn.Linear(20 * 4 * 4, 10)

    def forward(self, images):
        features = self.second(self.first(images))
        return self.scores(features.flatten(start_dim=1))


model = Network().to(device)
print(f"   {sum(parameter.numel() for parameter in model.parameters())} parameters")

print("3. Training: a step for each batch; testing: no gradients")
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(options.epochs):
    model.train()
    seen = 0
    for number, (images, labels) in enumerate(train_loader, 1):
        optimizer.zero_grad()
        loss = criterion(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        seen += len(labels)
        if number % 300 == 0 or number == len(train_loader):
            print(f"   epoch {epoch + 1}, {seen} images: loss {loss.item():.3f}")
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(images.to(device)).argmax(dim=1) == labels.to(device)).sum().item()
            for images, labels in test_loader
        )
    print(f"   test accuracy {right / len(test_set):.4f}")

print("4. What the optimizer does, by hand: against the gradient, times the learning rate")
loss = criterion(model(images.to(device)), labels.to(device))
model.zero_grad()
loss.backward()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.sub_(0.01 * parameter.grad)
    after = criterion(model(images.to(device)), labels.to(device))
print(f"   the loss of one batch goes from {loss.item():.4f} to {after.item():.4f}")

print("5. A spiral of three arms")
rng = np.random.default_rng(0)
arm = np.repeat(np.arange(3), 100)
radius = np.tile(np.linspace(0, 1, 100), 3)
angle = 4 * (arm + radius) + 0.2 * rng.standard_normal(300)
points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
x, y = torch.from_numpy(points).float(), torch.from_numpy(arm)
DECAY = 1e-3


def accuracy(scores):
    return (scores.argmax(dim=1) == y).float().mean().item()


print("6. A linear classifier, its gradient worked out on paper")
torch.manual_seed(0)
weight, bias = 0.01 * torch.randn(2, 3), torch.zeros(3)
for step in range(201):
    scores = x @ weight + bias
    shares = torch.softmax(scores, dim=1)
    loss = -shares[range(300), y].log().mean() + DECAY / 2 * (weight**2).sum()
    if step % 50 == 0:
        print(f"   step {step:3d}  loss {loss.item():.4f}")
    # Softmax and cross-entropy together: the probabilities, less one at the right class.
    of_scores = (shares - nn.functional.one_hot(y, 3)) / 300
    weight = weight - 1.0 * (x.T @ of_scores + DECAY * weight)
    bias = bias - 1.0 * of_scores.sum(dim=0)
print(f"   {accuracy(x @ weight + bias):.2f} right: straight lines cut across the arms")

print("7. The same with a hidden layer, and the gradient from backward()")
network = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 3))
weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
for step in range(options.steps + 1):
    optimizer.zero_grad()
    penalty = DECAY / 2 * sum((weight**2).sum() for weight in weights)
    loss = criterion(network(x), y) + penalty
    loss.backward()
    optimizer.step()
    if step % max(1, options.steps // 5) == 0:
        print(f"   step {step:5d}  loss {loss.item():.4f}")
with torch.no_grad():
    print(f"   {accuracy(network(x)):.2f} right: the boundary follows the arms")

if options.pictures is not None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    options.pictures.mkdir(parents=True, exist_ok=True)
    side = torch.linspace(-1.1, 1.1, 250)
    grid = torch.stack((side.expand(250, 250), side.view(-1, 1).expand(250, 250)), dim=-1)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
    with torch.no_grad():
        for ax, scores, name in (
            (axes[0], grid @ weight + bias, "linear"),
            (axes[1], network(grid), "one hidden layer"),
        ):
            regions = scores.argmax(dim=-1).numpy()
            ax.imshow(regions, origin="lower", extent=(-1.1, 1.1) * 2, cmap="Spectral", alpha=0.5)
            ax.scatter(points[:, 0], points[:, 1], c=arm, cmap="Spectral", edgecolors="k", s=18)
            ax.set_title(name)
    figure.savefig(options.pictures / "spiral.png")

    figure, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained")
    with torch.no_grad():
        answers = model(images[:10].to(device)).argmax(dim=1)
    for ax, image, answer in zip(axes.flat, images, answers):
        ax.imshow(image[0], cmap="gray")
        ax.set_title(f"taken for {answer.item()}", fontsize=9)
        ax.axis("off")
    figure.savefig(options.pictures / "mnist.png")
