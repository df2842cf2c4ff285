import copy, torch, torch.nn as nn, torch.nn.functional as F
from torch.distributions import Categorical, Normal, MixtureSameFamily, Independent
from torch.optim.swa_utils import AveragedModel, SWALR, update_bn, get_ema_multi_avg_fn

torch.manual_seed(0)


class MDN(nn.Module):
    def __init__(self, h, k):
        super().__init__()
        self.z = nn.Sequential(nn.Linear(1, h), nn.Tanh())
        self.pi, self.mu, self.sigma = nn.Linear(h, k), nn.Linear(h, k), nn.Linear(h, k)

    def forward(self, x):
        z = self.z(x)
        return F.softmax(self.pi(z), -1), self.mu(z), torch.exp(self.sigma(z))


def mdn_loss(y, mu, sigma, pi):
    m = torch.distributions.Normal(loc=mu, scale=sigma)
    return -torch.logsumexp(torch.log(pi) + m.log_prob(y.expand_as(mu)), dim=1).mean()


y = torch.rand(200, 1) * 20 - 10
x = 7 * torch.sin(0.75 * y) + 0.5 * y + torch.randn(200, 1)
net = MDN(20, 5)
opt = torch.optim.RAdam(net.parameters(), lr=1e-2)
for i in range(10):
    pi, mu, sigma = net(x)
    loss = mdn_loss(y, mu, sigma, pi)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("mdn", i, loss.item())
k = Categorical(net(x[:5])[0]).sample().view(5, 1)
print(
    net(x[:5])[1].gather(1, k).sum().item(),
    MixtureSameFamily(Categorical(pi), Normal(mu, sigma)).log_prob(y[:, 0]).mean().item(),
)


class EMA:
    def __init__(self, model, decay):
        self.shadow = {n: p.data.clone() for n, p in model.named_parameters() if p.requires_grad}
        self.decay, self.model, self.backup = decay, model, {}

    def update(self):
        for n, p in self.model.named_parameters():
            if p.requires_grad:
                self.shadow[n] = ((1.0 - self.decay) * p.data + self.decay * self.shadow[n]).clone()

    def apply(self):
        for n, p in self.model.named_parameters():
            self.backup[n] = p.data
            p.data = self.shadow[n]


model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
ema_copy = copy.deepcopy(model).eval()
for p in ema_copy.parameters():
    p.requires_grad_(False)
ema = EMA(model, 0.9)
swa_model = AveragedModel(model)
ema_model = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
X, Y = torch.randn(64, 4), torch.randn(64, 1)
loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(X, Y), batch_size=16, shuffle=True
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
swa_scheduler = SWALR(optimizer, anneal_strategy="linear", anneal_epochs=2, swa_lr=0.02)
for epoch in range(8):
    for a, b in loader:
        optimizer.zero_grad()
        F.huber_loss(model(a), b, delta=0.5).backward()
        optimizer.step()
        ema.update()
        ema_model.update_parameters(model)
        with torch.no_grad():
            for e, p in zip(ema_copy.parameters(), model.parameters()):
                e.mul_(0.99).add_(p, alpha=0.01)
    if epoch > 4:
        swa_model.update_parameters(model)
        swa_scheduler.step()
    else:
        scheduler.step()
    print(epoch, optimizer.param_groups[0]["lr"])
update_bn(loader, swa_model)
swa_model.eval()
ema_model.eval()
model.eval()
with torch.no_grad():
    print([F.mse_loss(m(X), Y).item() for m in (model, swa_model, ema_model, ema_copy)])
ema.apply()
print(F.mse_loss(model(X), Y).item(), swa_model.n_averaged.item())
