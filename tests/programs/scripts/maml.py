import torch, torch.nn as nn, torch.nn.functional as F, math
from torch.func import (
    functional_call,
    vmap,
    grad,
    jacrev,
    jacfwd,
    hessian,
    vjp,
    jvp,
    stack_module_state,
)
from collections import OrderedDict
import copy

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
meta = torch.optim.Adam(net.parameters(), lr=1e-2)


def task():
    A, phi = torch.rand(1) * 4.9 + 0.1, torch.rand(1) * math.pi
    x = torch.rand(20, 1) * 10 - 5
    y = A * torch.sin(x + phi)
    return x[:10], y[:10], x[10:], y[10:]


for it in range(6):
    meta.zero_grad()
    outer = 0.0
    for _ in range(4):
        xs, ys, xq, yq = task()
        fast = OrderedDict((n, p) for n, p in net.named_parameters())
        for _ in range(2):
            loss = F.mse_loss(functional_call(net, fast, (xs,)), ys)
            g = torch.autograd.grad(loss, fast.values(), create_graph=True)
            fast = OrderedDict((n, p - 0.01 * gg) for (n, p), gg in zip(fast.items(), g))
        outer = outer + F.mse_loss(functional_call(net, fast, (xq,)), yq)
    outer = outer / 4
    outer.backward()
    meta.step()
    print("maml", it, outer.item())
# per-sample gradients
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
params = {k: v.detach() for k, v in model.named_parameters()}
buffers = {k: v.detach() for k, v in model.named_buffers()}
x, y = torch.randn(6, 1, 8, 8), torch.randint(0, 3, (6,))


def compute_loss(params, buffers, sample, target):
    batch, targets = sample.unsqueeze(0), target.unsqueeze(0)
    return F.cross_entropy(functional_call(model, (params, buffers), (batch,)), targets)


ft = vmap(grad(compute_loss), in_dims=(None, None, 0, 0))
per = ft(params, buffers, x, y)
print({k: tuple(v.shape) for k, v in per.items()})
norms = torch.stack([g.flatten(1).norm(dim=1) for g in per.values()]).norm(dim=0)
print(norms)
# ensembles
models = [nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)) for _ in range(5)]
p, b = stack_module_state(models)
base = copy.deepcopy(models[0])
out = vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), in_dims=(0, 0, None))(
    p, b, torch.randn(3, 4)
)
print(out.shape, out.sum().item())
f = lambda x: (x**3).sum() + x.prod()
v = torch.tensor([1.0, 2.0, 3.0])
print(jacrev(lambda x: x.sin() * x.sum())(v))
print(jacfwd(lambda x: x.sin() * x.sum())(v))
print(hessian(f)(v))
o, vf = vjp(f, v)
print(o, vf(torch.tensor(1.0)))
print(jvp(f, (v,), (torch.ones(3),)))
print(
    torch.autograd.functional.hessian(f, v), torch.autograd.functional.jacobian(lambda x: x**2, v)
)
