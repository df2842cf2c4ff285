"""Three spiral arms: a linear classifier and one hidden layer, gradients derived by hand in NumPy,
by hand on tensors, and by autograd."""

import json

import numpy as np
import torch

N, D, K = 100, 2, 3
rng = np.random.RandomState(12)
X = np.zeros((N * K, D))
y = np.zeros(N * K, dtype="uint8")
for j in range(K):
    rows = range(N * j, N * (j + 1))
    r = np.linspace(0.0, 1, N)
    t = np.linspace(j * 4, (j + 1) * 4, N) + rng.randn(N) * 0.2
    X[rows] = np.c_[r * np.sin(t), r * np.cos(t)]
    y[rows] = j

decay, rate = 1e-3, 1.0
inputs, targets = torch.from_numpy(X), torch.from_numpy(y).long()


def numpy_linear(steps):
    """Softmax cross-entropy and its gradient written out."""
    W, b = np.zeros((D, K)), np.zeros((1, K))
    for _ in range(steps):
        scores = np.exp(X @ W + b)
        p = scores / scores.sum(axis=1, keepdims=True)
        loss = -np.log(p[range(N * K), y]).mean() + 0.5 * decay * np.sum(W * W)
        p[range(N * K), y] -= 1
        p /= N * K
        W -= rate * (X.T @ p + decay * W)
        b -= rate * p.sum(axis=0, keepdims=True)
    return loss


def autograd_linear(steps):
    W = torch.zeros((D, K), dtype=torch.float64, requires_grad=True)
    b = torch.zeros((1, K), dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        scores = torch.exp(inputs @ W + b)
        p = scores / torch.sum(scores, axis=1, keepdims=True)
        loss = -torch.log(p[range(N * K), targets]).mean() + 0.5 * decay * torch.sum(W * W)
        loss.backward()
        with torch.no_grad():
            W -= rate * W.grad
            b -= rate * b.grad
        W.grad = None
        b.grad = None
    return loss.item()


start = [0.01 * rng.randn(D, 100), np.zeros((1, 100)), 0.01 * rng.randn(100, K), np.zeros((1, K))]


def tensors_by_hand(steps):
    W, b, W2, b2 = (torch.tensor(p) for p in start)
    for _ in range(steps):
        hidden = torch.maximum(torch.mm(inputs, W) + b, torch.zeros(1, dtype=torch.float64))
        scores = torch.exp(hidden @ W2 + b2)
        p = scores / scores.sum(dim=1, keepdim=True)
        data_loss = -torch.log(p[range(N * K), targets]).mean()
        loss = data_loss + 0.5 * decay * ((W * W).sum() + torch.sum(W2 * W2))
        p[range(N * K), targets] -= 1
        p /= N * K
        back = p @ W2.T
        back[hidden <= 0] = 0
        W2 += -rate * (hidden.T @ p + decay * W2)
        b2 += -rate * torch.sum(p, dim=0, keepdim=True)
        W += -rate * (inputs.T @ back + decay * W)
        b += -rate * back.sum(0, keepdim=True)
    return loss.item()


def autograd_hidden(steps):
    parameters = [torch.from_numpy(p.copy()).requires_grad_() for p in start]
    W, b, W2, b2 = parameters
    for _ in range(steps):
        scores = torch.relu(inputs @ W + b) @ W2 + b2
        loss = torch.nn.functional.cross_entropy(scores, targets)
        loss = loss + 0.5 * decay * (W.pow(2).sum() + (W2**2).sum())
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data.sub_(p.grad.data * rate)
    accuracy = np.mean(np.argmax(scores.detach().numpy(), axis=1) == y)
    return loss.item(), float(accuracy)


loss, accuracy = autograd_hidden(1500)
print(
    json.dumps(
        {
            "linear_numpy": numpy_linear(201),
            "linear_autograd": autograd_linear(201),
            "hidden_by_hand": tensors_by_hand(300),
            "hidden_autograd": autograd_hidden(300)[0],
            "hidden_loss": loss,
            "hidden_accuracy": accuracy,
        }
    )
)
