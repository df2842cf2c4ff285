"""A cubic polynomial fitted to the sine by gradient descent on a module's parameter."""

import json
import math

import torch


class Cubic(torch.nn.Module):
    def __init__(self):
        super().__init__()
        start = torch.zeros(4)
        start.requires_grad = True
        self.coefficients = torch.nn.Parameter(start)

    def forward(self, powers):
        return powers @ self.coefficients


x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
powers = torch.vstack((torch.ones_like(x), x, x**2, x**3)).T


def fit(steps, optimizer_class=torch.optim.SGD, **options):
    model = Cubic()
    optimizer = optimizer_class(model.parameters(), **options)
    criterion = torch.nn.MSELoss()
    losses = []
    for _ in range(steps):
        loss = criterion(model(powers).squeeze(), y.squeeze())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return model, losses


model, losses = fit(10000, lr=1e-3)
facts = {"coefficients": model.coefficients.detach().tolist(), "losses": losses[::1000]}
facts["learning rates"] = [fit(500, lr=rate)[1][-1] for rate in (1e-4, 1e-5)]
facts["momenta"] = [fit(500, lr=1e-4, momentum=m)[1][-1] for m in (0.25, 0.9)]
optimizers = (torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad, torch.optim.RMSprop)
facts["optimizers"] = [fit(100, optimizer, lr=1e-2)[1][-1] for optimizer in optimizers]
print(json.dumps(facts))
