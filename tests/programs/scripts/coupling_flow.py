import torch
from torch import nn, optim
import torch.distributions as D
from torch.distributions import transforms as T, constraints
import math

torch.manual_seed(0)


class Coupling(T.Transform):
    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, net, mask):
        super().__init__(cache_size=1)
        self.net, self.mask = (net, mask)

    def _st(self, x):
        s, t = self.net(x * self.mask).chunk(2, -1)
        return (torch.tanh(s) * (1 - self.mask), t * (1 - self.mask))

    def _call(self, x):
        s, t = self._st(x)
        return x * s.exp() + t

    def _inverse(self, y):
        s, t = self._st(y)
        return (y - t) * (-s).exp()

    def log_abs_det_jacobian(self, x, y):
        return self._st(x)[0].sum(-1)


masks = torch.tensor([[0, 1], [1, 0]] * 3).float()
nets = nn.ModuleList(
    [
        nn.Sequential(
            nn.Linear(2, 32), nn.LeakyReLU(), nn.Linear(32, 32), nn.LeakyReLU(), nn.Linear(32, 4)
        )
        for _ in masks
    ]
)
prior = D.MultivariateNormal(torch.zeros(2), torch.eye(2))
flow = D.TransformedDistribution(prior, [Coupling(n, m) for n, m in zip(nets, masks)])
th = torch.rand(512) * math.pi
s = torch.randint(0, 2, (512,)) * 2 - 1
data = torch.stack(
    [s * th.cos() + (s < 0) * 1.0, s * th.sin() + (s < 0) * 0.5], 1
) + 0.05 * torch.randn(512, 2)
opt = optim.Adam(nets.parameters(), lr=0.001)
for i in range(100):
    opt.zero_grad()
    loss = -flow.log_prob(data[torch.randperm(512)[:256]]).mean()
    loss.backward()
    opt.step()
    if i % 20 == 0:
        print(i, loss.item())
print(flow.sample((1000,)).std(0))
base = D.Normal(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.5]))
ind = D.Independent(base, 1)
print(ind, ind.log_prob(torch.zeros(3, 2)), ind.entropy())
tn = D.TransformedDistribution(ind, [T.TanhTransform(cache_size=1)])
a = tn.rsample((4,))
print(a, tn.log_prob(a))
mix = D.MixtureSameFamily(
    D.Categorical(torch.ones(3)), D.Normal(torch.randn(3), torch.rand(3) + 0.1)
)
print(mix.mean, mix.variance, mix.log_prob(torch.linspace(-1, 1, 3)), mix.sample((2,)))
print(
    D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 2.0)),
    D.kl_divergence(D.Beta(2.0, 3.0), D.Beta(1.0, 1.0)),
)
print(
    D.Dirichlet(torch.tensor([0.5, 1.0, 2.0])).log_prob(torch.tensor([0.2, 0.3, 0.5])),
    D.Poisson(3.0).sample((5,)),
    D.Gamma(2.0, 3.0).mean,
)
try:
    D.Normal(0.0, -1.0)
except ValueError as e:
    print(e)
try:
    D.Categorical(probs=torch.tensor([0.5, 0.5])).log_prob(torch.tensor(3))
except ValueError as e:
    print(e)
print(
    D.Normal(torch.zeros(2), 1.0).expand((3, 2)),
    D.Bernoulli(logits=torch.tensor(0.3)),
    D.RelaxedOneHotCategorical(torch.tensor(0.5), torch.ones(3)).rsample(),
)
print(
    T.StickBreakingTransform()(torch.tensor([0.1, 0.2])),
    T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1.0, 2.0)])(torch.tensor(0.0)),
)
lk = D.LKJCholesky(3, 1.0)
print(lk.sample().shape, D.Wishart(torch.tensor(4.0), torch.eye(2)).mean)
