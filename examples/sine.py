"""The first model: four coefficients of a cubic, fitted to the sine by gradient descent.

    python examples/sine.py

Prints the polynomial as it moves; it ends at y = 0.8545 x - 0.0928 x^3.
"""

import math

import flambeau as torch

x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
powers = torch.stack([torch.ones_like(x), x, x**2, x**3], dim=1)

coefficients = torch.zeros(4, requires_grad=True)
optimizer = torch.optim.SGD([coefficients], lr=1e-3)

for step in range(10001):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(powers @ coefficients, y)
    loss.backward()
    optimizer.step()
    if step % 2000 == 0:
        a, b, c, d = coefficients.tolist()
        print(f"step {step:5d}  loss {loss:.5f}  y ={a:+.4f} {b:+.4f} x {c:+.4f} x^2 {d:+.4f} x^3")
