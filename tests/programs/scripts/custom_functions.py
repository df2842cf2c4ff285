import torch, math, torch.nn as nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


dtype = torch.float
device = torch.device("cpu")
x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
y = torch.sin(x)
a, b, c, d = (
    torch.full((), v, device=device, dtype=dtype, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3)
)
learning_rate = 5e-6
for t in range(300):
    P3 = LegendrePolynomial3.apply
    y_pred = a + b * P3(c + d * x)
    loss = (y_pred - y).pow(2).sum()
    if t % 100 == 99:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        for p in (a, b, c, d):
            p -= learning_rate * p.grad
            p.grad = None
print(
    f"Result: y = {a.item():.4f} + {b.item():.6f} * P3({c.item():.4f} + {d.item():.6f} x)".replace(
        "-0.0000", "0.0000"
    )
)


class GradReverse(Function):
    @staticmethod
    def forward(ctx, x, lamb):
        ctx.lamb = lamb
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return g.neg() * ctx.lamb, None


class STE(Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).float()

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return torch.clamp(g, -1, 1)


class Linear(Function):
    @staticmethod
    def forward(input, weight, bias):
        out = input.mm(weight.t())
        return out + bias.unsqueeze(0).expand_as(out) if bias is not None else out

    @staticmethod
    def setup_context(ctx, inputs, output):
        input, weight, bias = inputs
        ctx.save_for_backward(input, weight, bias)

    @staticmethod
    def backward(ctx, go):
        input, weight, bias = ctx.saved_tensors
        gi = gw = gb = None
        if ctx.needs_input_grad[0]:
            gi = go.mm(weight)
        if ctx.needs_input_grad[1]:
            gw = go.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            gb = go.sum(0)
        return gi, gw, gb


torch.manual_seed(0)
print(
    torch.autograd.gradcheck(
        Linear.apply,
        (
            torch.randn(4, 3, dtype=torch.double, requires_grad=True),
            torch.randn(2, 3, dtype=torch.double, requires_grad=True),
            None,
        ),
        eps=1e-6,
        atol=1e-4,
    )
)
feat, cls, dom = nn.Linear(5, 8), nn.Linear(8, 2), nn.Linear(8, 2)
opt = torch.optim.Adamax([*feat.parameters(), *cls.parameters(), *dom.parameters()], lr=0.05)
xs, ys, ds = torch.randn(30, 5), torch.randint(0, 2, (30,)), torch.randint(0, 2, (30,))
for i in range(6):
    h = torch.tanh(feat(xs))
    loss = (
        nn.functional.cross_entropy(cls(h), ys)
        + nn.functional.cross_entropy(dom(GradReverse.apply(h, 0.3)), ds)
        + STE.apply(h).mean()
    )
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(i, loss.item())


class MyReLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.string_a = nn.Parameter(torch.randn(()))

    def forward(self, x):
        return x.clamp(min=0) * self.string_a

    def string(self):
        return f"a={self.string_a.item()}"


m = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1), MyReLU())
p = torch.tensor([1, 2, 3])
xx = x.unsqueeze(-1).pow(p)
opt = torch.optim.RMSprop(m.parameters(), lr=1e-3)
loss_fn = torch.nn.MSELoss(reduction="sum")
for t in range(20):
    loss = loss_fn(m(xx), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), m[2].string())
