import math
import torch, torch.nn as nn
import torch.distributions as D

torch.manual_seed(0)


class Coupling(nn.Module):
    def __init__(self, dim, mask):
        super().__init__()
        self.s = nn.Sequential(nn.Linear(dim, 24), nn.Tanh(), nn.Linear(24, dim), nn.Tanh())
        self.t = nn.Sequential(nn.Linear(dim, 24), nn.Tanh(), nn.Linear(24, dim))
        self.register_buffer("mask", mask)

    def inverse(self, x):
        xm = x * self.mask
        s, t = self.s(xm) * (1 - self.mask), self.t(xm) * (1 - self.mask)
        z = (1 - self.mask) * (x - t) * torch.exp(-s) + xm
        return z, -s.sum(-1)

    def forward(self, z):
        zm = z * self.mask
        s, t = self.s(zm) * (1 - self.mask), self.t(zm) * (1 - self.mask)
        return zm + (1 - self.mask) * (z * torch.exp(s) + t)


class RealNVP(nn.Module):
    def __init__(self, masks, prior):
        super().__init__()
        self.prior = prior
        self.layers = nn.ModuleList(Coupling(2, m) for m in masks)

    def log_prob(self, x):
        ld = x.new_zeros(x.shape[0])
        for l in reversed(self.layers):
            x, d = l.inverse(x)
            ld = ld + d
        return self.prior.log_prob(x) + ld

    @torch.no_grad()
    def sample(self, n):
        z = self.prior.sample((n,))
        for l in self.layers:
            z = l(z)
        return z


masks = torch.tensor([[0, 1], [1, 0]] * 2, dtype=torch.float32)
flow = RealNVP(masks, D.Independent(D.Normal(torch.zeros(2), torch.ones(2)), 1))
opt = torch.optim.Adam(flow.parameters(), lr=5e-3)
th = torch.rand(128) * math.pi
data = torch.stack([torch.cos(th), torch.sin(th)], -1) + 0.1 * torch.randn(128, 2)
for i in range(12):
    loss = -flow.log_prob(data).mean()
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    print(i, f"{loss.item():.5f}")
print(flow.sample(5).sum().item())
mix = D.MixtureSameFamily(
    D.Categorical(torch.ones(3) / 3),
    D.Independent(D.Normal(torch.randn(3, 2), torch.rand(3, 2) + 0.1), 1),
)
print(mix.log_prob(data[:4]), mix.sample((2,)).shape)
td = D.TransformedDistribution(D.Normal(0.0, 1.0), [D.AffineTransform(1.0, 2.0), D.ExpTransform()])
print(
    td.log_prob(torch.tensor([0.5, 2.0])), D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 2.0))
)
