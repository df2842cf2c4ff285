"""A WaveNet of layers written by hand, with the statistics of its activations."""

import torch, torch.nn.functional as F

torch.manual_seed(42)


class Linear:
    def __init__(self, i, o, bias=True):
        self.weight = torch.randn((i, o)) / i**0.5
        self.bias = torch.zeros(o) if bias else None

    def __call__(self, x):
        self.out = x @ self.weight
        if self.bias is not None:
            self.out += self.bias
        return self.out

    def parameters(self):
        return [self.weight] + ([] if self.bias is None else [self.bias])


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps = eps
        self.momentum = momentum
        self.training = True
        self.gamma = torch.ones(dim)
        self.beta = torch.zeros(dim)
        self.running_mean = torch.zeros(dim)
        self.running_var = torch.ones(dim)

    def __call__(self, x):
        if self.training:
            dim = 0 if x.ndim == 2 else (0, 1)
            xm = x.mean(dim, keepdim=True)
            xv = x.var(dim, keepdim=True)
        else:
            xm, xv = self.running_mean, self.running_var
        xh = (x - xm) / torch.sqrt(xv + self.eps)
        self.out = self.gamma * xh + self.beta
        if self.training:
            with torch.no_grad():
                self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * xm
                self.running_var = (1 - self.momentum) * self.running_var + self.momentum * xv
        return self.out

    def parameters(self):
        return [self.gamma, self.beta]


class Tanh:
    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def parameters(self):
        return []


class Embedding:
    def __init__(self, n, d):
        self.weight = torch.randn((n, d))

    def __call__(self, IX):
        self.out = self.weight[IX]
        return self.out

    def parameters(self):
        return [self.weight]


class FlattenConsecutive:
    def __init__(self, n):
        self.n = n

    def __call__(self, x):
        B, T, C = x.shape
        x = x.view(B, T // self.n, C * self.n)
        if x.shape[1] == 1:
            x = x.squeeze(1)
        self.out = x
        return x

    def parameters(self):
        return []


class Sequential:
    def __init__(self, l):
        self.layers = l

    def __call__(self, x):
        for l in self.layers:
            x = l(x)
        self.out = x
        return x

    def parameters(self):
        return [p for l in self.layers for p in l.parameters()]


V = 27
n = 24
h = 32
m = Sequential(
    [
        Embedding(V, n),
        FlattenConsecutive(2),
        Linear(n * 2, h, bias=False),
        BatchNorm1d(h),
        Tanh(),
        FlattenConsecutive(2),
        Linear(h * 2, h, bias=False),
        BatchNorm1d(h),
        Tanh(),
        FlattenConsecutive(2),
        Linear(h * 2, h, bias=False),
        BatchNorm1d(h),
        Tanh(),
        Linear(h, V),
    ]
)
with torch.no_grad():
    m.layers[-1].weight *= 0.1
ps = m.parameters()
print(sum(p.nelement() for p in ps))
for p in ps:
    p.requires_grad = True
X = torch.randint(0, V, (500, 8))
Y = (X[:, 0] + X[:, -1]) % V
lossi = []
ud = []
for i in range(100):
    ix = torch.randint(0, 500, (32,))
    loss = F.cross_entropy(m(X[ix]), Y[ix])
    for p in ps:
        p.grad = None
    loss.backward()
    for p in ps:
        p.data += -0.1 * p.grad
    lossi.append(loss.log10().item())
    with torch.no_grad():
        ud.append([((0.1 * p.grad).std() / p.data.std()).log10().item() for p in ps if p.ndim == 2])
print(torch.tensor(lossi).view(-1, 20).mean(1))
print(torch.tensor(ud)[-1])
for l in m.layers:
    print(l.__class__.__name__, ":", tuple(l.out.shape))
for i, l in enumerate(m.layers):
    if isinstance(l, Tanh):
        t = l.out
        print(
            "layer %d: mean %+.2f, std %.2f, saturated: %.2f%%"
            % (i, t.mean(), t.std(), (t.abs() > 0.97).float().mean() * 100)
        )
        hy, hx = torch.histogram(t, density=True)
        print(hy.shape, hx[:-1].detach()[:3])
for l in m.layers:
    l.training = False


@torch.no_grad()
def split_loss(x, y):
    return F.cross_entropy(m(x), y).item()


print(split_loss(X, Y))
