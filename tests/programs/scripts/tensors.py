"""Tensors as a first lesson shows them; what is printed is the result."""

import numpy as np
import torch
from torch import nn

for tensor in (torch.tensor([1, 2, 3.0]), torch.tensor([1, 2, 3])):
    print(f"{tensor}, dtype: {tensor.dtype}")
print(torch.zeros(2, 2), torch.ones(2, 3))
print(torch.rand(2, 3, 2, 2).shape, torch.rand(2, 3, 2, 2).ndim)
print(torch.tensor([3.14159]).dtype, torch.tensor([3.14159], dtype=torch.float64).dtype)

torch.manual_seed(2020)
a, b = torch.rand(1, 3), torch.rand(3, 1)
print(a + b)
print(a * b, a @ b, a.mean(), a.sum())
print((torch.rand(4, 5), torch.randn(1, 5)))
X = torch.rand(5, 2)
print(X[0, :], X[0], X[:, 0], X[[0]].shape, sep="\n")
print(type(X), type(X.numpy()))
print(torch.cuda.is_available(), torch.backends.mps.is_available())
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(repr(device), torch.rand(2, 2, device=device).to("cpu").device)

X = torch.tensor([1.0, 2.0, 3.0])
w = torch.tensor([1.0], requires_grad=True)
y = torch.tensor([2.0, 4.0, 6.0], requires_grad=False)
((X * w - y) ** 2).mean().backward()
print(w, w.grad)
print(X @ (X * w - y) * (2 / 3))

z = np.arange(-5, 5, 0.005)
tensor_z = torch.from_numpy(z)
print(torch.sigmoid(tensor_z), torch.nn.Tanh()(tensor_z), torch.relu(tensor_z), sep="\n")
print("Probabilities:\n", torch.softmax(torch.from_numpy(np.array([1.4, 0.4, 1.9])), dim=0))
print(torch.tensor([[9.9336e-01], [2.0213e-08]]))
print(torch.tensor([1, 2]) == torch.tensor([1, 3]), (torch.arange(6).view(2, 3) > 2).sum())

x = torch.tensor([[[0, 0, 0, 0], [0, 1, 2, 0], [0, 3, 4, 0], [0, 0, 0, 0]]], dtype=torch.float)
print(nn.MaxPool2d(kernel_size=2, stride=1)(x))
print(nn.MaxPool2d(kernel_size=3, stride=1, padding=1)(x))
print(nn.AvgPool2d(kernel_size=2)(x), nn.AvgPool2d(kernel_size=2, padding=1)(x))

torch.manual_seed(0)
layer = nn.Linear(2, 1)
print(layer, layer.state_dict(), list(layer.parameters()), sep="\n")
print(layer(torch.ones(2)), layer(torch.ones(3, 2)), layer(torch.ones(1, 2)).squeeze(), sep="\n")
print(layer.load_state_dict(layer.state_dict()))
convolution = nn.Conv2d(in_channels=1, out_channels=2, kernel_size=3, stride=1, padding=1)
print(convolution, convolution(torch.ones(1, 3, 3)))
try:
    convolution(torch.zeros(1, 64))
except RuntimeError as error:
    print("RuntimeError:", str(error).splitlines()[0])
print(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Sigmoid()))
loss = nn.CrossEntropyLoss()(layer(torch.ones(2, 2)).expand(2, 2), torch.tensor([0, 1]))
print(loss, type(loss.grad_fn).__name__)
