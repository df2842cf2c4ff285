import torch, torch.nn as nn, numpy as np
from torch.autograd import grad

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


class PINN(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.act = nn.Tanh()
        self.linears = nn.ModuleList(
            [nn.Linear(layers[i], layers[i + 1]) for i in range(len(layers) - 1)]
        )
        for l in self.linears:
            nn.init.xavier_normal_(l.weight.data, gain=1.0)
            nn.init.zeros_(l.bias.data)
        self.iter = 0

    def forward(self, x, t):
        a = torch.cat([x, t], dim=1)
        for l in self.linears[:-1]:
            a = self.act(l(a))
        return self.linears[-1](a)


net = PINN([2, 16, 16, 1])
lam = nn.Parameter(torch.tensor(0.5))


def residual(x, t):
    u = net(x, t)
    u_t = grad(u, t, torch.ones_like(u), create_graph=True, retain_graph=True)[0]
    u_x = grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True, retain_graph=True)[0]
    u_xx = grad(u_x, x, grad_outputs=torch.ones_like(u_x), create_graph=True)[0]
    return u_t + lam * u * u_x - (0.01 / np.pi) * u_xx


x0 = torch.linspace(-1, 1, 40).view(-1, 1)
t0 = torch.zeros_like(x0)
u0 = -torch.sin(np.pi * x0)
xf = (torch.rand(100, 1) * 2 - 1).requires_grad_()
tf = torch.rand(100, 1, requires_grad=True)
mse = nn.MSELoss()
params = list(net.parameters()) + [lam]
opt = torch.optim.Adam(params, lr=1e-3)
for i in range(10):
    opt.zero_grad()
    f = residual(xf, tf)
    loss = mse(net(x0, t0), u0) + mse(f, torch.zeros_like(f))
    loss.backward()
    opt.step()
    print("adam", i, loss.item())
lb = torch.optim.LBFGS(
    params, lr=1, max_iter=15, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-9
)


def closure():
    lb.zero_grad()
    f = residual(xf, tf)
    loss = mse(net(x0, t0), u0) + f.pow(2).mean()
    loss.backward()
    net.iter += 1
    if net.iter % 5 == 0:
        print("lbfgs", net.iter, loss.item(), lam.item())
    return loss


lb.step(closure)
