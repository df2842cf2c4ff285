"""Training programs of the kinds that people write, compiled: twenty steps as in eager mode."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import functional as F
from flambeau.utils.data import DataLoader, TensorDataset

from .agreement import check, data, net, training_step

N = 20


def of_closure_lists(compiled: Any, log: Any) -> None:
    ws = [torch.randn(3, 3, requires_grad=True) for _ in range(3)]

    @compiled
    def step(x):
        h = x
        for w in ws:
            h = torch.tanh(h @ w)
        loss = h.pow(2).mean()
        loss.backward()
        with torch.no_grad():
            for w in ws:
                w -= 0.1 * w.grad
                w.grad = None
        return loss

    for i in range(N):
        if i == 9:
            ws.append(torch.eye(3, requires_grad=True))
        if i == 14:
            ws[0] = torch.ones(3, 3, requires_grad=True)
        log(step(torch.ones(2, 3)), ws)


def of_dataclass_state(compiled: Any, log: Any) -> None:

    @dataclasses.dataclass
    class S:
        w: object
        v: object
        scale: float = 1.0
        n: int = 0

    s = S(torch.ones(3, requires_grad=True), torch.zeros(3))

    @compiled
    def step(x):
        loss = ((s.w * x) ** 2).sum() * s.scale
        (g,) = torch.autograd.grad(loss, s.w)
        with torch.no_grad():
            s.v.mul_(0.9).add_(g)
            s.w.sub_(0.01 * s.v)
        return loss

    for i in range(N):
        if i == 8:
            s.scale = 2.0
        if i == 12:
            s.v = torch.ones(3)
        log(step(torch.arange(3.0)), s.w, s.v)


def of_polyak_targets(compiled: Any, log: Any) -> None:
    q, t = (net(), net())
    t.load_state_dict(q.state_dict())
    opt = torch.optim.Adam(q.parameters(), lr=0.01)

    @compiled
    def step(s, r, s2):
        with torch.no_grad():
            y = r + 0.9 * t(s2)
        loss = F.smooth_l1_loss(q(s), y)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(q.parameters(), 1.0)
        opt.step()
        return loss

    for i in range(N):
        log(step(torch.randn(4, 3), torch.randn(4, 1), torch.randn(4, 3)), q, t)
        if i % 5 == 4:
            t.load_state_dict(q.state_dict())
        if i == 13:
            t = copy.deepcopy(q)


def of_module_list_mutated(compiled: Any, log: Any) -> None:

    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.ls = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
            s.py = [nn.Linear(3, 3)]
            s.ws = nn.ParameterList([nn.Parameter(torch.ones(3))])

        def forward(s, x):
            for loss in s.ls:
                x = loss(x)
            return s.py[0](x) * s.ws[0]

    m = M()
    c = compiled(m)
    for i in range(N):
        if i == 5:
            m.ls.append(nn.Linear(3, 3))
        if i == 9:
            m.py[0] = nn.Linear(3, 3)
        if i == 12:
            m.py[0].weight.requires_grad_(False)
        if i == 15:
            m.ws[0] = nn.Parameter(torch.zeros(3))
        o = c(torch.ones(2, 3))
        log(o)
        o.sum().backward()
        log([p.grad for p in m.py[0].parameters() if p.grad is not None], m)


def of_prune_mask(compiled: Any, log: Any) -> None:
    m = net()
    masks = {n: torch.ones_like(p) for n, p in m.named_parameters()}
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        with torch.no_grad():
            for n, p in m.named_parameters():
                p.mul_(masks[n])
        return loss

    for i in range(N):
        if i == 6:
            masks["0.weight"][0] = 0
        if i == 12:
            masks["2.weight"] = torch.zeros(1, 5)
        log(step(*data()), m)


def of_ema_by_hand(compiled: Any, log: Any) -> None:
    m = net()
    ema = copy.deepcopy(m).requires_grad_(False)
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        with torch.no_grad():
            for a, b in zip(ema.parameters(), m.parameters()):
                a.mul_(0.9).add_(b, alpha=0.1)
        return loss

    for _i in range(N):
        log(step(x, y), m, ema)


def of_gan_two_steps(compiled: Any, log: Any) -> None:
    G, D = (nn.Linear(2, 3), nn.Linear(3, 1))
    og = torch.optim.SGD(G.parameters(), lr=0.01)
    od = torch.optim.SGD(D.parameters(), lr=0.01)

    @compiled
    def dstep(real):
        od.zero_grad()
        loss = D(real).mean() - D(G(torch.randn(4, 2)).detach()).mean()
        loss.backward()
        od.step()
        return loss.item()

    @compiled
    def gstep():
        og.zero_grad()
        loss = -D(G(torch.randn(4, 2))).mean()
        loss.backward()
        og.step()
        return loss.item()

    for _i in range(N):
        log(dstep(torch.randn(4, 3)), gstep(), G, D)


def of_scheduler_in_and_out(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.AdamW(m.parameters(), lr=0.1)
    s = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)

    step = compiled(training_step(m, opt))

    for _i in range(N):
        log(step(x, y), m, opt)
        s.step()
        log(s.get_last_lr())


def of_one_cycle(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)
    s = torch.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=30)

    step = compiled(training_step(m, opt))

    for _i in range(N):
        log(step(x, y), m, opt)
        s.step()


def of_param_groups(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.AdamW(
        [
            {"params": m[0].parameters(), "lr": 0.01},
            {"params": m[2].parameters(), "weight_decay": 0.0},
        ],
        lr=0.1,
    )

    step = compiled(training_step(m, opt))

    for i in range(N):
        if i == 8:
            opt.param_groups[1]["weight_decay"] = 0.3
        if i == 12:
            opt.param_groups[0]["lr"] = 0.0
        log(step(x, y), m, opt)


def of_buffers_inplace(compiled: Any, log: Any) -> None:

    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(3, 3)
            self.register_buffer("mean", torch.zeros(3))
            self.register_buffer("bank", torch.zeros(5, 3))
            self.register_buffer("ptr", torch.zeros(1, dtype=torch.long))

        def forward(self, x):
            h = self.l(x)
            with torch.no_grad():
                self.mean.mul_(0.9).add_(h.mean(0), alpha=0.1)
                self.bank[0] = h[0]
                self.bank[1:3] += h[:2]
            return h

    m = M()
    c = compiled(m)
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    for _i in range(N):
        opt.zero_grad()
        loss = c(torch.randn(8, 3)).pow(2).mean()
        loss.backward()
        opt.step()
        log(loss, m)


def of_tied(compiled: Any, log: Any) -> None:
    e = nn.Embedding(7, 4)
    o = nn.Linear(4, 7, bias=False)
    o.weight = e.weight
    opt = torch.optim.Adam(e.parameters(), lr=0.1)

    @compiled
    def step(t):
        opt.zero_grad()
        loss = F.cross_entropy(o(e(t)), t)
        loss.backward()
        opt.step()
        return loss

    for i in range(N):
        if i == 10:
            o.weight = nn.Parameter(e.weight.detach().clone())
        log(step(torch.randint(7, (5,))), e, o)


def of_clipping(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        n = nn.utils.clip_grad_norm_(m.parameters(), 0.1)
        nn.utils.clip_grad_value_(m.parameters(), 0.05)
        opt.step()
        return (loss, n)

    for _i in range(N):
        log(step(*data()), m)


def of_grad_penalty(compiled: Any, log: Any) -> None:
    D = net()
    opt = torch.optim.Adam(D.parameters(), lr=0.01)

    @compiled
    def step(x):
        opt.zero_grad()
        x = x.clone().requires_grad_()
        o = D(x).sum()
        (g,) = torch.autograd.grad(o, x, create_graph=True)
        loss = ((g.norm(dim=1) - 1) ** 2).mean() + o
        loss.backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step(data()[0]), D, opt)


def of_lbfgs(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.LBFGS(m.parameters(), lr=0.5, max_iter=3)

    @compiled
    def closure():
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        return loss

    for _i in range(8):
        log(opt.step(closure), m)


def of_replaced_modules(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        opt.step()
        return loss

    c = compiled(m)
    for i in range(N):
        if i == 6:
            m[2] = nn.Linear(5, 1)
        if i == 10:
            m.append(nn.Tanh())
        if i == 14:
            m = net()
            opt = torch.optim.SGD(m.parameters(), lr=0.1)
        log(step(x, y), m, c(x))


def of_loader_loop(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data(21)
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    dl = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True)

    step = compiled(training_step(m, opt))

    for _e in range(4):
        for b in dl:
            log(step(*b))
        log(m)


def of_random_batch_inside(compiled: Any, log: Any) -> None:
    m = net()
    X, Y = data(50)
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step():
        i = torch.randint(50, (8,))
        opt.zero_grad()
        loss = F.mse_loss(m(X[i]), Y[i])
        loss.backward()
        opt.step()
        return loss

    for e in range(N):
        if e == 10:
            X.mul_(2)
        log(step(), m)


def of_dropout_and_modes(compiled: Any, log: Any) -> None:
    m = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))
    c = compiled(m)
    for i in range(N):
        if i == 6:
            m.eval()
        if i == 10:
            m[1].train()
        if i == 14:
            m.train()
        log(c(torch.ones(4, 3)))


def of_changing_batch(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    step = compiled(training_step(m, opt))

    for i in range(25):
        log(step(*data(1 + i % 5)), m)


def of_amp(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)

    @compiled
    def step(x, y):
        opt.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            o = m(x)
            loss = F.mse_loss(o.float(), y)
        loss.backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step(*data()))


def of_no_grad_tricks(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)

    @compiled
    def step(x):
        with torch.no_grad():
            t = (w * x).sum()
        loss = (w * x).sum() - t.detach() + (w.detach() * w).sum()
        w.grad = None
        loss.backward()
        w.data.sub_(0.01 * w.grad)
        return (loss, t)

    for _i in range(N):
        log(step(torch.ones(3)), w)


def of_tbptt(compiled: Any, log: Any) -> None:
    cell = nn.RNNCell(3, 4)
    opt = torch.optim.SGD(cell.parameters(), lr=0.1)

    @compiled
    def step(xs, h):
        h = h.detach()
        loss = 0
        for x in xs:
            h = cell(x, h)
            loss = loss + h.pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return (loss, h)

    h = torch.zeros(2, 4)
    for _i in range(N):
        loss, h = step(torch.randn(3, 2, 3), h)
        log(loss, h, cell)


def of_args_with_history(compiled: Any, log: Any) -> None:
    enc, dec = (nn.Linear(3, 2), nn.Linear(2, 3))
    opt = torch.optim.SGD([*enc.parameters(), *dec.parameters()], lr=0.1)
    c = compiled(dec)
    e = compiled(enc)
    for _i in range(N):
        x = torch.randn(4, 3)
        opt.zero_grad()
        loss = F.mse_loss(c(e(x) * 2), x)
        loss.backward()
        opt.step()
        log(loss, enc, dec)


def of_closure_with_history(compiled: Any, log: Any) -> None:
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    c = compiled(lambda x: (h * x).sum())
    for i in range(N):
        if i % 5 == 0:
            h = w * (2 + i)
        w.grad = None
        o = c(torch.ones(3))
        o.backward(retain_graph=True)
        log(o, w.grad)


def of_input_grads(compiled: Any, log: Any) -> None:
    m = net()

    @compiled
    def attack(x, y):
        x = x.detach().requires_grad_()
        loss = F.mse_loss(m(x), y)
        (g,) = torch.autograd.grad(loss, x)
        return (x + 0.1 * g.sign()).detach()

    c = compiled(m)
    for _i in range(N):
        log(attack(*data()))
        x = torch.randn(2, 3, requires_grad=True)
        c(x).sum().backward()
        log(x.grad, m)


def of_kwargs_and_nested_args(compiled: Any, log: Any) -> None:

    def f(batch, *, scale=1.0, extra=None):
        return ((batch["x"] * scale).sum() + (0 if extra is None else extra[0].sum()), batch["y"])

    c = compiled(f)
    for i in range(N):
        log(
            c(
                {"x": torch.ones(2) * i, "y": torch.ones(1)},
                scale=float(1 + i // 8),
                extra=[torch.ones(3)] if i > 12 else None,
            )
        )


def of_grad_mode_outside(compiled: Any, log: Any) -> None:
    m = net()
    c = compiled(m)
    for i in range(N):
        with torch.set_grad_enabled(i % 3 != 0):
            o = c(torch.ones(2, 3))
        log(o.requires_grad, o)
        with torch.inference_mode(i % 4 == 0):
            o = c(torch.ones(2, 3))
            log(o.is_inference())


def of_swa_and_copy(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    swa = torch.optim.swa_utils.AveragedModel(m)

    step = compiled(training_step(m, opt))

    for i in range(N):
        log(step(*data()), m)
        if i % 4 == 3:
            swa.update_parameters(m)
            log(swa)
        if i == 12:
            m.load_state_dict(swa.module.state_dict())


def of_grad_scaler(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    sc = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(m(x), y)
        sc.scale(loss).backward()
        sc.step(opt)
        sc.update()
        return loss

    for _i in range(N):
        log(step(*data()), m, sc.get_scale())


def of_two_compiled_share(compiled: Any, log: Any) -> None:
    m = net()
    opt = torch.optim.Adam(m.parameters(), lr=0.1)

    @compiled
    def fwd(x):
        return m(x)

    @compiled
    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(fwd(x), y)
        loss.backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step(*data()), fwd(torch.ones(1, 3)), m)


def of_data_writes(compiled: Any, log: Any) -> None:
    m = net()
    x, y = data()

    @compiled
    def step(x, y):
        m.zero_grad()
        loss = F.mse_loss(m(x), y)
        loss.backward()
        for p in m.parameters():
            p.data -= 0.1 * p.grad.data
        return loss

    for i in range(N):
        if i == 8:
            m[0].weight.data = torch.ones(5, 3)
        if i == 12:
            m[0].weight.data.fill_(0.5)
        log(step(x, y), m)


def of_hidden_state(compiled: Any, log: Any) -> None:
    cell = nn.GRUCell(3, 4)
    st = {"h": torch.zeros(2, 4)}

    def step(x):
        st["h"] = cell(x, st["h"]).detach()
        return st["h"].sum()

    c = compiled(step)
    for _i in range(N):
        log(c(torch.ones(2, 3)), st["h"])
    h = torch.zeros(2, 4)
    f = compiled(cell)
    for _i in range(N):
        h = f(torch.ones(2, 3), h.detach())
        log(h)


def of_policy_gradient(compiled: Any, log: Any) -> None:
    policy, value = nn.Linear(3, 2), nn.Linear(3, 1)
    opt = torch.optim.Adam([*policy.parameters(), *value.parameters()], 1e-2)

    @compiled
    def step(states, rewards):
        chances = torch.distributions.Categorical(logits=policy(states))
        actions = chances.sample()
        values = value(states).squeeze(-1)
        gain = rewards - values.detach()
        loss = -(chances.log_prob(actions) * gain).mean() - 0.01 * chances.entropy().mean()
        opt.zero_grad()
        (loss + F.mse_loss(values, rewards)).backward()
        opt.step()
        return actions, loss

    for _i in range(N):
        log(step(torch.randn(8, 3), torch.randn(8)), policy, value)


def of_variational_autoencoder(compiled: Any, log: Any) -> None:
    encoder, decoder = nn.Linear(6, 4), nn.Linear(2, 6)
    opt = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()])

    @compiled
    def step(x):
        mean, spread = encoder(x).chunk(2, -1)
        posterior = torch.distributions.Normal(mean, spread.exp())
        found = torch.distributions.Bernoulli(logits=decoder(posterior.rsample()))
        prior = torch.distributions.Normal(0.0, 1.0)
        loss = torch.distributions.kl_divergence(posterior, prior).sum()
        loss = loss - found.log_prob(x).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step((torch.rand(8, 6) > 0.5).float()), encoder, decoder)


def of_mixed_examples(compiled: Any, log: Any) -> None:
    model = nn.Linear(6, 3)
    opt = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True)
    shares = torch.distributions.Beta(0.4, 0.4)

    @compiled
    def step(x, y):
        share, other = shares.sample(), torch.randperm(x.size(0))
        found = model(share * x + (1 - share) * x[other])
        loss = share * F.cross_entropy(found, y, label_smoothing=0.1)
        loss = loss + (1 - share) * F.cross_entropy(found, y[other])
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step(torch.randn(8, 6), torch.randint(3, (8,))), model)


def of_sharpness_awareness(compiled: Any, log: Any) -> None:
    class Sharp(torch.optim.Optimizer):
        def __init__(self, parameters, **options):
            super().__init__(parameters, options)
            self.base = torch.optim.SGD(self.param_groups, **options)
            self.param_groups = self.base.param_groups

        @torch.no_grad()
        def climb(self):
            every = [p for g in self.param_groups for p in g["params"]]
            norm = torch.stack([p.grad.norm() for p in every]).norm()
            for p in every:
                self.state[p]["before"] = p.data.clone()
                p.add_(p.grad * (0.05 / (norm + 1e-12)))
            self.zero_grad()

        @torch.no_grad()
        def step(self, closure=None):
            for g in self.param_groups:
                for p in g["params"]:
                    p.data = self.state[p]["before"]
            self.base.step()
            self.zero_grad()

    model = net()
    opt = Sharp(model.parameters(), lr=0.1, momentum=0.9)

    @compiled
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        loss.backward()
        opt.climb()
        F.mse_loss(model(x), y).backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step(*data()), model)


def of_balanced_losses(compiled: Any, log: Any) -> None:
    class Balance:
        def __init__(self):
            self.weights, self.before = torch.ones(2), torch.ones(2)

        def __call__(self, losses):
            with torch.no_grad():
                self.weights = 2 * F.softmax(losses.detach() / self.before, 0)
                self.before = losses.detach()
            return (self.weights * losses).sum()

    model, balance = net(), Balance()
    opt = torch.optim.SGD(model.parameters(), 0.1)

    @compiled
    def step(x, y):
        found = model(x)
        loss = balance(torch.stack([F.mse_loss(found, y), found.square().mean()]))
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    for _i in range(N):
        log(step(*data()), model, balance.weights, balance.before)


def of_temperature_that_falls(compiled: Any, log: Any) -> None:
    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores, self.book = nn.Linear(3, 4), nn.Linear(4, 1, bias=False)
            self.register_buffer("temperature", torch.tensor(1.0))

        def forward(self, x):
            chosen = F.gumbel_softmax(self.scores(x), tau=self.temperature, hard=True)
            self.temperature = (self.temperature * 0.99).clamp(min=0.5)
            return self.book(chosen)

    model = Codes()
    step = compiled(training_step(model, torch.optim.SGD(model.parameters(), 0.1)))
    for _i in range(N):
        log(step(*data()), model)


def of_private_gradients(compiled: Any, log: Any) -> None:
    model = nn.Linear(6, 3)
    opt = torch.optim.SGD(model.parameters(), 0.1)

    def loss_of(parameters, x, y):
        found = torch.func.functional_call(model, parameters, (x[None],))
        return F.cross_entropy(found, y[None])

    @compiled
    def step(x, y):
        parameters = {name: p.detach() for name, p in model.named_parameters()}
        grads = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0, 0))(parameters, x, y)
        norms = sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt()
        scale = (1 / (norms + 1e-6)).clamp(max=1.0)
        for name, p in model.named_parameters():
            each = grads[name] * scale.reshape(-1, *[1] * (p.dim()))
            p.grad = each.mean(0) + 0.01 * torch.randn_like(p)
        opt.step()
        return norms

    for _i in range(N):
        log(step(torch.randn(8, 6), torch.randint(3, (8,))), model)


PROGRAMS = [value for name, value in list(globals().items()) if name.startswith("of_")]
NOT_CAPTURED: set[Callable[..., None]] = set()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__[3:])
def test_a_compiled_step_does_as_the_eager_one(program: Callable[..., None]) -> None:
    check(program, captured=program not in NOT_CAPTURED)
