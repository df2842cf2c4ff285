"""Grad-CAM, saliency, adversarial examples, checkpoints, and Hessian-vector products."""

import torch, torch.nn as nn, torch.nn.functional as F
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(16, 5),
).eval()
x = torch.randn(2, 3, 16, 16, requires_grad=True)
acts, grads = {}, {}


def fh(name):
    def h(m, i, o):
        acts[name] = o.detach()

    return h


h1 = net[4].register_forward_hook(fh("conv"))
h2 = net[4].register_full_backward_hook(lambda m, gi, go: grads.__setitem__("conv", go[0]))
out = net(x)
c = out.argmax(1)
out.gather(1, c.view(-1, 1)).squeeze().backward(torch.ones(2))
w = grads["conv"].mean(dim=[2, 3], keepdim=True)
cam = F.relu((w * acts["conv"]).sum(1, keepdim=True))
cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)
cam -= cam.amin((1, 2, 3), keepdim=True)
cam /= cam.amax((1, 2, 3), keepdim=True)
print(c, cam.mean((1, 2, 3)))
sal, _ = torch.max(x.grad.data.abs(), dim=1)
print(sal.shape, sal.mean())
h1.remove()
h2.remove()
print(len(net[4]._forward_hooks))


def fgsm(x, y, eps):
    x = x.clone().detach().requires_grad_(True)
    l = F.cross_entropy(net(x), y)
    g = torch.autograd.grad(l, x)[0]
    return torch.clamp(x + eps * g.sign(), -3, 3).detach(), l


def pgd(x, y, eps=0.3, a=0.1, n=5):
    d = torch.zeros_like(x).uniform_(-eps, eps).requires_grad_(True)
    for _ in range(n):
        l = F.cross_entropy(net(x + d), y)
        l.backward()
        d.data = (d + a * d.grad.detach().sign()).clamp(-eps, eps)
        d.grad.zero_()
    return (x + d).detach(), l


y = torch.tensor([1, 2])
a, l0 = fgsm(x, y, 0.1)
b, l1 = pgd(x.detach(), y)
print(l0, F.cross_entropy(net(a), y), l1, (b - x).abs().max())
ig = torch.zeros_like(x)
for k in torch.linspace(0, 1, 8):
    z = (k * x.detach()).requires_grad_()
    net(z)[:, 0].sum().backward()
    ig += z.grad / 8
print((ig * x).sum((1, 2, 3)))


class Guided(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        ctx.save_for_backward(i)
        return i.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        (i,) = ctx.saved_tensors
        return g * (g > 0).type_as(g) * (i > 0).type_as(g)


def rep(m):
    for n, c in m._modules.items():
        if c.__class__.__name__ == "ReLU":
            m._modules[n] = type("G", (nn.Module,), {"forward": lambda s, x: Guided.apply(x)})()


rep(net)
z = x.detach().requires_grad_()
net(z).sum().backward()
print(z.grad.norm())
seq = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.2)) for _ in range(4)])
i = torch.randn(4, 8, requires_grad=True)
torch.manual_seed(1)
o = checkpoint_sequential(seq, 2, i, use_reentrant=False)
o.sum().backward()
g = seq[0][0].weight.grad.clone()
seq.zero_grad()
torch.manual_seed(1)
seq(i).sum().backward()
print(
    torch.allclose(g, seq[0][0].weight.grad),
    checkpoint(seq[0], i, use_reentrant=True, preserve_rng_state=False).shape,
)
print(
    torch.autograd.gradcheck(
        nn.functional.gelu, torch.randn(3, dtype=torch.double, requires_grad=True)
    ),
    torch.autograd.gradgradcheck(
        torch.tanh, (torch.randn(3, dtype=torch.double, requires_grad=True),)
    ),
)


def hvp(loss, ps, v):
    g = torch.autograd.grad(loss, ps, create_graph=True)
    return torch.autograd.grad(sum((a * b).sum() for a, b in zip(g, v)), ps)


torch.manual_seed(2)
lin = nn.Linear(3, 2)
X = torch.randn(10, 3)
Y = torch.randint(0, 2, (10,))
ps = list(lin.parameters())
v = [torch.ones_like(p) for p in ps]
h = hvp(F.cross_entropy(lin(X), Y), ps, v)
print([k.norm().item() for k in h])
est = [a.clone() for a in v]
for _ in range(10):
    hv = hvp(F.cross_entropy(lin(X), Y) + 0.01 * sum(p.pow(2).sum() for p in ps), ps, est)
    est = [(a + (1 - 0.01) * e - k / 10).detach() for a, e, k in zip(v, est, hv)]
print(est[1])
H = torch.autograd.functional.hessian(
    lambda w: F.cross_entropy(F.linear(X, w), Y), lin.weight.detach()
)
print(H.shape, torch.linalg.eigvalsh(H.reshape(6, 6))[-1])
t = torch.ones(3, requires_grad=True)
t.register_hook(lambda g: g * 2)
(t * 3).sum().backward()
print(t.grad)
