"""A small convolutional network on scikit-learn's digits, saved and loaded again.

    python examples/digits_cnn.py [--epochs 15] [--compile]

About 97 % of the test images are right after 15 epochs. With `--compile` the whole training step
(forward, backward, update) becomes one native call.
"""

import argparse
import tempfile
import time
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import flambeau as torch
from flambeau import nn
from flambeau.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--compile", action="store_true", help="compile the training step")
options = parser.parse_args()

images, labels = load_digits(return_X_y=True)
images = torch.from_numpy(images).float().view(-1, 1, 8, 8) / 16
split = train_test_split(images.numpy(), labels, test_size=0.2, random_state=0)
train_images, test_images, train_labels, test_labels = (torch.from_numpy(part) for part in split)

torch.manual_seed(0)
loader = DataLoader(TensorDataset(train_images, train_labels), batch_size=32, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 16, kernel_size=3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(16 * 4 * 4, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
criterion = nn.CrossEntropyLoss()


def step(images, labels):
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def accuracy():
    with torch.no_grad():
        return (model(test_images).argmax(dim=1) == test_labels).float().mean().item()


if options.compile:
    step = torch.compile(step)

for epoch in range(1, options.epochs + 1):
    start = time.perf_counter()
    losses = [step(images, labels).item() for images, labels in loader]
    seconds = time.perf_counter() - start
    mean = sum(losses) / len(losses)
    print(f"epoch {epoch:2d}  loss {mean:.4f}  test accuracy {accuracy():.4f}  {seconds:.2f} s")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.pt"
    torch.save(model.state_dict(), path)
    before = model(test_images[:1])
    for parameter in model.parameters():
        parameter.data.zero_()
    print(model.load_state_dict(torch.load(path)))
    assert torch.equal(before, model(test_images[:1]))
