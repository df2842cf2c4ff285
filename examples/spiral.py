"""What a hidden layer is good for: three spiral arms, told apart by lines and by a network.

    python examples/spiral.py [PICTURE.png]

A linear classifier stops near half of the points; one hidden layer follows the arms. With a file
name (and matplotlib installed) the network's regions are drawn.
"""

import math
import sys

import flambeau as torch
from flambeau import nn


def spiral(points_per_arm=100, arms=3):
    """Points (300, 2) along the arms with noise in the angle, and the arm (300,) of each."""
    radius = torch.linspace(0, 1, points_per_arm).repeat(arms)
    arm = torch.arange(arms * points_per_arm) // points_per_arm
    angle = 4 * arm + 4 * radius + 0.2 * torch.randn(len(radius))
    return torch.stack([radius * torch.sin(angle), radius * torch.cos(angle)], dim=1), arm


def train(model, points, labels, steps=2000):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=1e-3)
    criterion = nn.CrossEntropyLoss()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(points), labels)
        loss.backward()
        optimizer.step()
    accuracy = (model(points).argmax(dim=1) == labels).float().mean()
    print(f"{model}\nloss {loss:.3f}, accuracy {accuracy:.2f}\n")
    return model


def draw(model, points, labels, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    side = torch.linspace(-1.2, 1.2, 200)
    grid = torch.stack([side.repeat(200), side.view(-1, 1).expand(200, 200).flatten()], dim=1)
    with torch.no_grad():
        regions = model(grid).argmax(dim=1).view(200, 200)
    plt.contourf(side, side, regions, alpha=0.4)
    plt.scatter(points[:, 0], points[:, 1], c=labels, s=12, edgecolor="black", linewidth=0.3)
    plt.axis("equal")
    plt.savefig(path, dpi=120)
    print(f"regions drawn in {path}")


torch.manual_seed(0)
points, labels = spiral()
assert math.isclose(points.norm(dim=1).max().item(), 1.0, rel_tol=1e-5)
train(nn.Linear(2, 3), points, labels)
network = train(nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 3)), points, labels)
if len(sys.argv) > 1:
    draw(network, points, labels, sys.argv[1])
