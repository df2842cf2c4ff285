"""The usual CNN on MNIST: torchvision's dataset and transforms, a DataLoader with a worker."""

import argparse
import itertools
import json

import torch
from torchvision import datasets, transforms

parser = argparse.ArgumentParser()
parser.add_argument("root")
parser.add_argument("--steps", type=int, default=None)
parser.add_argument("--epochs", type=int, default=1)
options = parser.parse_args()

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.benchmark = False


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Sequential(
            torch.nn.Conv2d(in_channels=1, out_channels=10, kernel_size=5, stride=1, padding=0),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(kernel_size=2),
        )
        self.second = torch.nn.Sequential(
            torch.nn.Conv2d(in_channels=10, out_channels=20, kernel_size=5),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(kernel_size=2),
        )
        self.output = torch.nn.Linear(320, 10)

    def forward(self, x):
        x = self.second(self.first(x))
        return self.output(x.view(x.size(0), -1))


if __name__ == "__main__":
    to_tensor = transforms.Compose([transforms.ToTensor()])
    train_data = datasets.MNIST(options.root, train=True, download=False, transform=to_tensor)
    test_data = datasets.MNIST(options.root, train=False, download=False)
    test_data.transform = to_tensor

    torch.manual_seed(1234)
    train_loader = torch.utils.data.DataLoader(
        train_data, batch_size=64, shuffle=True, num_workers=True
    )
    test_loader = torch.utils.data.DataLoader(
        test_data, batch_size=64, shuffle=False, num_workers=True
    )
    images, labels = next(iter(train_loader))
    facts = {
        "shape": list(images.shape),
        "mean": images.mean().item(),
        "std": images.std().item(),
        "labels": labels[:10].tolist(),
    }

    model = Network().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    losses = []
    for _ in range(options.epochs):
        model.train()
        for image, label in itertools.islice(train_loader, options.steps):
            image, label = image.to(device), label.to(device)
            optimizer.zero_grad()
            loss = torch.nn.CrossEntropyLoss()(model(image), label)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    facts["losses"] = losses[:30]

    if options.steps is None:
        model.eval()
        correct = 0
        with torch.no_grad():
            for image, label in test_loader:
                prediction = model(image.to(device)).data.max(1, keepdim=True)[1]
                correct += prediction.eq(label.data.view_as(prediction)).sum().item()
        facts["accuracy"] = correct / len(test_loader.dataset)
    print(json.dumps(facts))
