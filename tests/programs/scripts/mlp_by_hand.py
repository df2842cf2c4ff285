"""A network of NumPy-made float64 weights in a dictionary, trained by hand-made SGD and momentum
and by torch.optim, on MNIST if its folder is given, else on random images."""

import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.RandomState(0)
if len(sys.argv) > 1:
    from torchvision import datasets, transforms

    normalize = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    data = datasets.MNIST(sys.argv[1], train=True, transform=normalize)
    batches = [
        [torch.stack(images), torch.tensor(labels)]
        for images, labels in (
            zip(*[data[i] for i in range(k, k + 128)]) for k in range(0, 128 * 40, 128)
        )
    ]
else:
    batches = [
        [torch.FloatTensor(rng.rand(128, 1, 28, 28)), torch.from_numpy(rng.randint(0, 10, 128))]
        for _ in range(40)
    ]


def xavier(rows, columns):
    return rng.randn(rows, columns) * math.sqrt(1 / rows)


WEIGHTS = {
    "W0": xavier(784, 100),
    "W1": xavier(100, 100),
    "W2": xavier(100, 10),
    "B0": np.zeros(100),
    "B1": np.zeros(100),
    "B2": np.zeros(10),
}


def network(images, p):
    features = torch.flatten(images, 1)
    hidden = torch.relu_((features.double() @ p["W0"]) + p["B0"])
    hidden = torch.relu_((hidden @ p["W1"]) + p["B1"])
    return hidden @ p["W2"] + p["B2"]


def fresh():
    return {name: torch.tensor(array, requires_grad=True) for name, array in WEIGHTS.items()}


def train(momentum, by_optim):
    parameters = fresh()
    optimizer = torch.optim.SGD(parameters.values(), lr=0.01, momentum=momentum)
    velocity = {name: torch.zeros_like(p) for name, p in parameters.items()}
    losses, accuracies = [], []
    for images, labels in batches:
        scores = network(images, parameters)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        if by_optim:
            optimizer.step()
        else:
            for name, param in parameters.items():
                velocity[name] = momentum * velocity[name] + param.grad
                param.data -= 0.01 * velocity[name]
        for _, param in parameters.items():
            if param.grad is not None:
                param.grad.detach_()
                param.grad.zero_()
        losses.append(loss.detach())
        accuracies.append((scores.argmax(1) == labels).float().mean())
    assert F.log_softmax(scores, dim=1).exp().sum(1).allclose(torch.ones(128).double())
    return np.array(losses).tolist(), np.convolve(np.array(accuracies), np.ones(10) / 10)[-10]


facts = {}
for momentum in (0, 0.9):
    for by_optim in (False, True):
        losses, accuracy = train(momentum, by_optim)
        key = f"momentum {momentum} {'optim' if by_optim else 'by hand'}"
        facts[key] = losses
        facts[key + " accuracy"] = float(accuracy)

# NumPy weights as they are: a tensor times an array is a tensor of the array's precision
features = torch.flatten(batches[0][0][0])
mixed = torch.relu_((features @ WEIGHTS["W0"]) + WEIGHTS["B0"])
facts["mixed"] = [type(mixed).__name__, str(mixed.dtype), mixed.sum().item()]
print(json.dumps(facts))
