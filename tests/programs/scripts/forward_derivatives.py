import torch
import torch.autograd.forward_ad as fwAD
import torch.nn as nn

torch.manual_seed(0)
primal = torch.randn(10, 10)
tangent = torch.randn(10, 10)


def fn(x, y):
    return x**2 + y**2


with fwAD.dual_level():
    dual_input = fwAD.make_dual(primal, tangent)
    assert fwAD.unpack_dual(dual_input).tangent is tangent
    dual_input_alt = fwAD.make_dual(primal, tangent.T.clone())
    plain = torch.randn(10, 10)
    dual_output = fn(dual_input, plain)
    jvp = fwAD.unpack_dual(dual_output).tangent
    print(jvp.sum().item())
assert fwAD.unpack_dual(dual_output).tangent is None
model = nn.Linear(5, 5)
input = torch.randn(16, 5)
params = {name: p for name, p in model.named_parameters()}
tangents = {name: torch.rand_like(p) for name, p in params.items()}
with fwAD.dual_level():
    for name, p in params.items():
        delattr(model, name)
        setattr(model, name, fwAD.make_dual(p, tangents[name]))
    out = model(input)
    jvp = fwAD.unpack_dual(out).tangent
    print(jvp.shape, jvp.sum().item())
from torch.func import functional_call

model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
with fwAD.dual_level():
    dual = {n: fwAD.make_dual(p, torch.ones_like(p)) for n, p in model.named_parameters()}
    o = functional_call(model, dual, input)
    print(fwAD.unpack_dual(o).tangent.mean(0))


class Fn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, foo):
        result = torch.exp(foo)
        ctx.result = result
        return result

    @staticmethod
    def jvp(ctx, gI):
        gO = gI * ctx.result
        del ctx.result
        return gO


f = Fn.apply
p = torch.randn(10, 10, dtype=torch.double, requires_grad=True)
t = torch.randn(10, 10, dtype=torch.double)
with fwAD.dual_level():
    d = fwAD.make_dual(p, t)
    o = f(d)
    print(fwAD.unpack_dual(o).tangent.sum().item())
print(
    torch.autograd.gradcheck(
        Fn.apply,
        (p,),
        check_forward_ad=True,
        check_backward_ad=False,
        check_undefined_grad=False,
        check_batched_grad=False,
    )
)
import torch.func as ft

primal0, primal1 = (torch.randn(10, 10), torch.randn(10, 10))
t0, t1 = (torch.randn(10, 10), torch.randn(10, 10))
o, jv = ft.jvp(fn, (primal0, primal1), (t0, t1))
print(jv.norm().item())


def loss(x):
    return (x.sin() * x.cumsum(0)).sum()


x, v = (torch.randn(6), torch.randn(6))
_, hvp = ft.jvp(ft.grad(loss), (x,), (v,))
_, hvp2 = torch.autograd.functional.hvp(loss, x, v)
print(hvp, torch.allclose(hvp, hvp2, atol=1e-05))
g, aux = ft.grad_and_value(loss)(x)
print(g.sum().item(), aux.item())
lin_out, lin = ft.linearize(loss, x)
print(lin(v).item())
