"""Calls that go wrong in programs are refused with PyTorch's exception type and words.

The calls are run with both libraries; a floor counts those whose messages begin alike.
"""

# ruff: noqa: E501, E731  (a call on one line)

from __future__ import annotations

import copy
import io
import re
import warnings
from typing import Any

import numpy as np
import pytest

import flambeau
import flambeau.nn
import flambeau.optim
import flambeau.utils.data

CALLS: dict[str, Any] = {
    "matmul": lambda t: t.ones(2, 3) @ t.ones(2, 3),
    "matmul 1d": lambda t: t.ones(3) @ t.ones(4),
    "matmul batch": lambda t: t.ones(2, 3, 4) @ t.ones(3, 4, 5),
    "matmul mv": lambda t: t.ones(2, 3) @ t.ones(4),
    "matmul vm": lambda t: t.ones(2) @ t.ones(3, 4),
    "matmul 0d": lambda t: t.ones(2, 3) @ t.tensor(1.0),
    "mm 3d": lambda t: t.mm(t.ones(2, 3, 4), t.ones(4, 5)),
    "bmm": lambda t: t.bmm(t.ones(2, 3, 4), t.ones(2, 5, 6)),
    "bmm 2d": lambda t: t.bmm(t.ones(3, 4), t.ones(2, 5, 6)),
    "matmul dtype": lambda t: t.ones(2, 3) @ t.ones(3, 4).double(),
    "matmul int": lambda t: t.ones(2, 3) @ t.ones(3, 4).long(),
    "addmm": lambda t: t.addmm(t.ones(5), t.ones(2, 3), t.ones(3, 4)),
    "einsum": lambda t: t.einsum("ij,jk->ik", t.ones(2, 3), t.ones(4, 5)),
    "einsum dims": lambda t: t.einsum("ijk,jk->ik", t.ones(2, 3), t.ones(3, 5)),
    "linear": lambda t: t.nn.Linear(3, 4)(t.ones(2, 5)),
    "linear dtype": lambda t: t.nn.Linear(3, 4)(t.ones(2, 3).double()),
    "linear int": lambda t: t.nn.Linear(3, 4)(t.ones(2, 3).long()),
    "linear in seq": lambda t: t.nn.Sequential(t.nn.Linear(3, 4), t.nn.ReLU(), t.nn.Linear(5, 1))(
        t.ones(2, 3)
    ),
    "ce float target": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.ones(2)),
    "ce range": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 3])),
    "ce negative": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, -1])),
    "ce batch": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 1, 2])),
    "ce int32": lambda t: t.nn.functional.cross_entropy(
        t.ones(2, 3), t.tensor([0, 1], dtype=t.int32)
    ),
    "ce 2d long": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.zeros(2, 1).long()),
    "ce onehot long": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.zeros(2, 3).long()),
    "nll": lambda t: t.nn.functional.nll_loss(t.ones(2, 3), t.ones(2)),
    "nll range": lambda t: t.nn.functional.nll_loss(t.ones(2, 3), t.tensor([0, 7])),
    "bce shape": lambda t: t.nn.functional.binary_cross_entropy(t.ones(2), t.ones(2, 1)),
    "bce range": lambda t: t.nn.functional.binary_cross_entropy(t.ones(2) * 2, t.ones(2)),
    "bce logits shape": lambda t: t.nn.functional.binary_cross_entropy_with_logits(
        t.ones(2), t.ones(2, 1)
    ),
    "bce int": lambda t: t.nn.functional.binary_cross_entropy(t.ones(2), t.ones(2).long()),
    "mse": lambda t: t.nn.functional.mse_loss(t.ones(2), t.ones(3)),
    "inplace leaf": lambda t: t.ones(2, requires_grad=True).add_(1),
    "inplace leaf index": lambda t: t.ones(2, requires_grad=True).__setitem__(0, 1.0),
    "inplace view leaf": lambda t: t.ones(2, requires_grad=True)[0].mul_(2),
    "backward twice": lambda t: (lambda y: (y.backward(), y.backward()))(
        (t.ones(2, requires_grad=True) ** 2).sum()
    ),
    "backward nonscalar": lambda t: (t.ones(2, requires_grad=True) * 2).backward(),
    "backward no grad": lambda t: t.ones(1).backward(),
    "backward grad shape": lambda t: (t.ones(2, requires_grad=True) * 2).backward(t.ones(3)),
    "grad unused": lambda t: t.autograd.grad(
        t.ones(2, requires_grad=True).sum(), t.ones(2, requires_grad=True)
    ),
    "grad no req": lambda t: t.autograd.grad(t.ones(2, requires_grad=True).sum(), t.ones(2)),
    "modified": lambda t: (
        lambda x: (lambda y: (lambda z: (y.add_(1), z.backward()))((y * y).sum()))(x * 2)
    )(t.ones(2, requires_grad=True)),
    "numpy": lambda t: t.ones(2, requires_grad=True).numpy(),
    "requires_grad nonleaf": lambda t: setattr(
        (t.ones(2, requires_grad=True) * 2), "requires_grad", False
    ),
    "int requires_grad": lambda t: t.tensor([1, 2], requires_grad=True),
    "int requires_grad_": lambda t: t.tensor([1, 2]).requires_grad_(),
    "grad assign shape": lambda t: setattr(t.ones(2, requires_grad=True), "grad", t.ones(3)),
    "grad assign type": lambda t: setattr(t.ones(2, requires_grad=True), "grad", 3),
    "deepcopy nonleaf": lambda t: copy.deepcopy(t.ones(2, requires_grad=True) * 2),
    "emb range": lambda t: t.nn.Embedding(3, 4)(t.tensor([3])),
    "emb negative": lambda t: t.nn.Embedding(3, 4)(t.tensor([-1])),
    "emb float": lambda t: t.nn.Embedding(3, 4)(t.tensor([1.0])),
    "view": lambda t: t.ones(2, 3).t().view(6),
    "view size": lambda t: t.ones(2, 3).view(4),
    "view -1": lambda t: t.ones(2, 3).view(4, -1),
    "view two -1": lambda t: t.ones(2, 3).view(-1, -1),
    "reshape": lambda t: t.ones(2, 3).reshape(4, 2),
    "squeeze dim": lambda t: t.ones(2, 3).squeeze(2),
    "unsqueeze dim": lambda t: t.ones(2, 3).unsqueeze(4),
    "transpose": lambda t: t.ones(2, 3).transpose(0, 2),
    "permute": lambda t: t.ones(2, 3).permute(0, 1, 2),
    "permute rep": lambda t: t.ones(2, 3).permute(0, 0),
    "t 3d": lambda t: t.ones(2, 3, 4).t(),
    "expand": lambda t: t.ones(2, 3).expand(4, 3),
    "expand neg": lambda t: t.ones(2, 3).expand(-1, 2, 3),
    "repeat": lambda t: t.ones(2, 3).repeat(2),
    "broadcast": lambda t: t.ones(2, 3) + t.ones(2, 4),
    "broadcast inplace": lambda t: t.ones(3).add_(t.ones(2, 3)),
    "inplace dtype": lambda t: t.ones(3).long().add_(t.ones(3) * 0.5),
    "inplace div int": lambda t: t.ones(3).long().div_(2),
    "negative size": lambda t: t.zeros(-1, 2),
    "sum dim": lambda t: t.ones(2, 3).sum(2),
    "sum dim twice": lambda t: t.ones(2, 3).sum((0, 0)),
    "max empty": lambda t: t.ones(0).max(),
    "argmax empty": lambda t: t.ones(0).argmax(),
    "mean int": lambda t: t.tensor([1, 2]).mean(),
    "softmax int": lambda t: t.softmax(t.tensor([1, 2]), 0),
    "cat dim": lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)]),
    "cat ndim": lambda t: t.cat([t.ones(2, 3), t.ones(2)]),
    "cat empty": lambda t: t.cat([]),
    "cat type": lambda t: t.cat([t.ones(2), 3]),
    "stack": lambda t: t.stack([t.ones(2), t.ones(3)]),
    "stack empty": lambda t: t.stack([]),
    "split": lambda t: t.ones(5).split([2, 2]),
    "chunk": lambda t: t.ones(5).chunk(0),
    "index": lambda t: t.ones(3)[5],
    "index neg": lambda t: t.ones(3)[-4],
    "index many": lambda t: t.ones(3)[0, 0],
    "index list": lambda t: t.ones(3)[[0, 5]],
    "index bool": lambda t: t.ones(3)[t.tensor([True, False])],
    "index float": lambda t: t.ones(3)[t.tensor([1.0])],
    "index 0d": lambda t: t.tensor(1.0)[0],
    "index str": lambda t: t.ones(3)["a"],
    "setitem shape": lambda t: t.ones(3).__setitem__(slice(0, 2), t.ones(3)),
    "neg step": lambda t: t.ones(3)[::-1],
    "index_select": lambda t: t.ones(3).index_select(0, t.tensor([4])),
    "gather": lambda t: t.ones(2, 3).gather(1, t.tensor([[4]])),
    "gather dtype": lambda t: t.ones(2, 3).gather(1, t.tensor([[1.0]])),
    "scatter": lambda t: t.ones(2, 3).scatter_(1, t.tensor([[4]]), 1.0),
    "one_hot": lambda t: t.nn.functional.one_hot(t.tensor([0, 5]), 3),
    "one_hot float": lambda t: t.nn.functional.one_hot(t.tensor([0.0, 5])),
    "item": lambda t: t.ones(2).item(),
    "bool": lambda t: bool(t.ones(2)),
    "float": lambda t: float(t.ones(2)),
    "int index": lambda t: range(t.ones(2)),
    "iter 0d": lambda t: list(t.tensor(1.0)),
    "len 0d": lambda t: len(t.tensor(1.0)),
    "tensor ragged": lambda t: t.tensor([[1, 2], [3]]),
    "tensor str": lambda t: t.tensor(["a"]),
    "tensor none": lambda t: t.tensor(None),
    "tensor obj": lambda t: t.tensor([object()]),
    "from_numpy str": lambda t: t.from_numpy(np.array(["a"])),
    "from_numpy list": lambda t: t.from_numpy([1]),
    "as dtype": lambda t: t.ones(2, dtype="float32"),
    "device": lambda t: t.ones(2, device="gpu"),
    "cuda": lambda t: t.ones(2, device="cuda"),
    "cuda()": lambda t: t.ones(2).cuda(),
    "cuda to": lambda t: t.nn.Linear(2, 2).to("cuda"),
    "load_state": lambda t: t.nn.Linear(2, 3).load_state_dict(
        {"weight": t.ones(2, 2), "foo": t.ones(1)}
    ),
    "load_state type": lambda t: t.nn.Linear(2, 3).load_state_dict(3),
    "load_state size": lambda t: t.nn.Sequential(t.nn.Linear(2, 3)).load_state_dict(
        {"0.weight": t.ones(2, 2), "0.bias": t.ones(3)}
    ),
    "opt empty": lambda t: t.optim.SGD([], lr=0.1),
    "opt lr": lambda t: t.optim.SGD([t.ones(1, requires_grad=True)], lr=-1),
    "opt tensor": lambda t: t.optim.SGD(t.ones(1, requires_grad=True), lr=0.1),
    "opt nonleaf": lambda t: t.optim.SGD([t.ones(1, requires_grad=True) * 2], lr=0.1),
    "opt names": lambda t: t.optim.SGD([1], lr=0.1),
    "opt betas": lambda t: t.optim.Adam([t.ones(1, requires_grad=True)], betas=(1.0, 0.9)),
    "opt eps": lambda t: t.optim.Adam([t.ones(1, requires_grad=True)], eps=-1),
    "opt nesterov": lambda t: t.optim.SGD([t.ones(1, requires_grad=True)], lr=0.1, nesterov=True),
    "opt group": lambda t: t.optim.SGD([{"lr": 1}], lr=0.1),
    "opt twice": lambda t: (lambda p: t.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1))(
        t.ones(1, requires_grad=True)
    ),
    "opt unknown kw": lambda t: t.optim.SGD([t.ones(1, requires_grad=True)], lr=0.1, foo=1),
    "opt state": lambda t: t.optim.SGD([t.ones(1, requires_grad=True)], lr=0.1).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "sched": lambda t: t.optim.lr_scheduler.StepLR(3, 1),
    "conv channels": lambda t: t.nn.Conv2d(3, 4, 3)(t.ones(2, 1, 8, 8)),
    "conv ndim": lambda t: t.nn.Conv2d(3, 4, 3)(t.ones(2, 8)),
    "conv small": lambda t: t.nn.Conv2d(3, 4, 3)(t.ones(2, 3, 2, 2)),
    "conv groups": lambda t: t.nn.Conv2d(3, 4, 3, groups=2),
    "conv padmode": lambda t: t.nn.Conv2d(3, 4, 3, padding_mode="foo"),
    "conv dtype": lambda t: t.nn.Conv2d(3, 4, 3)(t.ones(2, 3, 8, 8).double()),
    "conv int": lambda t: t.nn.Conv2d(3, 4, 3)(t.ones(2, 3, 8, 8).to(t.uint8)),
    "conv1d": lambda t: t.nn.Conv1d(3, 4, 3)(t.ones(2, 5, 8)),
    "convT": lambda t: t.nn.ConvTranspose2d(3, 4, 3)(t.ones(2, 1, 8, 8)),
    "bn one": lambda t: t.nn.BatchNorm1d(3)(t.ones(1, 3)),
    "bn ndim": lambda t: t.nn.BatchNorm2d(3)(t.ones(2, 3)),
    "bn channels": lambda t: t.nn.BatchNorm1d(3)(t.ones(2, 4)),
    "ln": lambda t: t.nn.LayerNorm(3)(t.ones(2, 4)),
    "gn": lambda t: t.nn.GroupNorm(2, 3),
    "in": lambda t: t.nn.InstanceNorm1d(3)(t.ones(2, 3, 1)),
    "dropout p": lambda t: t.nn.Dropout(1.5),
    "pool": lambda t: t.nn.MaxPool2d(5)(t.ones(1, 1, 3, 3)),
    "lstm": lambda t: t.nn.LSTM(3, 4)(t.ones(5, 2, 2)),
    "lstm hidden": lambda t: t.nn.LSTM(3, 4)(t.ones(5, 2, 3), (t.ones(1, 3, 4), t.ones(1, 3, 4))),
    "lstm ndim": lambda t: t.nn.LSTM(3, 4)(t.ones(5)),
    "gru hidden": lambda t: t.nn.GRU(3, 4)(t.ones(5, 2, 3), t.ones(2, 2, 4)),
    "mha": lambda t: t.nn.MultiheadAttention(5, 2),
    "mha dim": lambda t: t.nn.MultiheadAttention(4, 2)(
        t.ones(2, 3, 5), t.ones(2, 3, 5), t.ones(2, 3, 5)
    ),
    "module attr": lambda t: t.nn.Linear(2, 2).foo,
    "module noforward": lambda t: t.nn.Module()(1),
    "module before init": lambda t: type(
        "M", (t.nn.Module,), {"__init__": lambda s: setattr(s, "l", t.nn.Linear(1, 1))}
    )(),
    "param before init": lambda t: type(
        "M", (t.nn.Module,), {"__init__": lambda s: setattr(s, "l", t.nn.Parameter(t.ones(1)))}
    )(),
    "register": lambda t: t.nn.Module().register_parameter("a.b", None),
    "register type": lambda t: t.nn.Module().register_parameter("a", t.ones(1)),
    "register buffer": lambda t: t.nn.Module().register_buffer("a", 3),
    "assign param": lambda t: setattr(t.nn.Linear(1, 1), "weight", t.ones(1)),
    "sequential": lambda t: t.nn.Sequential(3),
    "modulelist": lambda t: t.nn.ModuleList([3]),
    "modulelist fwd": lambda t: t.nn.ModuleList([t.nn.ReLU()])(1),
    "moduledict": lambda t: t.nn.ModuleDict({"a": 3}),
    "collate": lambda t: next(iter(t.utils.data.DataLoader([t.ones(2), t.ones(3)], batch_size=2))),
    "collate type": lambda t: next(
        iter(t.utils.data.DataLoader([object(), object()], batch_size=2))
    ),
    "collate len": lambda t: next(iter(t.utils.data.DataLoader([[1, 2], [1]], batch_size=2))),
    "dl shuffle sampler": lambda t: t.utils.data.DataLoader(
        [1], shuffle=True, sampler=t.utils.data.SequentialSampler([1])
    ),
    "dl batch_sampler": lambda t: t.utils.data.DataLoader([1], batch_size=2, batch_sampler=[[0]]),
    "dl workers": lambda t: t.utils.data.DataLoader([1], num_workers=-1),
    "dl batch": lambda t: t.utils.data.DataLoader([1], batch_size=0),
    "tds": lambda t: t.utils.data.TensorDataset(t.ones(2), t.ones(3)),
    "random_split": lambda t: t.utils.data.random_split([1, 2, 3], [1, 1]),
    "clamp": lambda t: t.ones(2).clamp(),
    "where": lambda t: t.where(t.ones(2) > 0, t.ones(3), t.ones(2)),
    "add none": lambda t: t.ones(2) + None,
    "add list": lambda t: t.add(t.ones(2), [1, 2]),
    "add str": lambda t: t.ones(2) + "a",
    "sub bool": lambda t: t.ones(2).bool() - t.ones(2).bool(),
    "neg bool": lambda t: -t.ones(2).bool(),
    "pow neg": lambda t: t.tensor([2]) ** -1,
    "and float": lambda t: t.ones(2) & t.ones(2),
    "not float": lambda t: ~t.ones(2),
    "shift": lambda t: t.ones(2) << 1,
    "int div zero": lambda t: t.tensor([1]) // t.tensor([0]),
    "sqrt list": lambda t: t.sqrt([1.0]),
    "relu list": lambda t: t.relu([1.0]),
    "F.relu none": lambda t: t.nn.functional.relu(None),
    "sin arg": lambda t: t.sin(),
    "extra arg": lambda t: t.sin(t.ones(1), 2, 3),
    "extra kw": lambda t: t.sin(t.ones(1), foo=3),
    "ones str": lambda t: t.ones("a"),
    "ones float": lambda t: t.ones(2.5),
    "arange": lambda t: t.arange(0, 1, -1),
    "randint": lambda t: t.randint(5, 5, (2,)),
    "randperm": lambda t: t.randperm(-1),
    "normal": lambda t: t.normal(0.0, -1.0, (2,)),
    "bernoulli": lambda t: t.bernoulli(t.ones(2) * 2),
    "multinomial": lambda t: t.multinomial(t.ones(2), 3),
    "topk": lambda t: t.ones(2).topk(3),
    "kthvalue": lambda t: t.ones(2).kthvalue(3),
    "sort": lambda t: t.ones(2).sort(dim=1),
    "pad": lambda t: t.nn.functional.pad(t.ones(2), (1,)),
    "pad reflect": lambda t: t.nn.functional.pad(t.ones(1, 2), (3, 3), mode="reflect"),
    "interpolate": lambda t: t.nn.functional.interpolate(t.ones(1, 1, 2, 2)),
    "clip": lambda t: t.nn.utils.clip_grad_norm_(
        [t.ones(1, requires_grad=True)], 1, error_if_nonfinite=True
    ),
    "no attr": lambda t: t.ones(2).foo,
    "no module attr": lambda t: t.foo_bar,
    "unfold": lambda t: t.ones(3).unfold(0, 5, 1),
    "triu": lambda t: t.ones(3).triu(),
    "trace": lambda t: t.ones(3).trace(),
    "inverse": lambda t: t.linalg.inv(t.zeros(2, 2)),
    "cholesky": lambda t: t.linalg.cholesky(-t.eye(2)),
    "generator": lambda t: t.rand(2, generator=3),
    "manual_seed": lambda t: t.manual_seed("a"),
    "set_default": lambda t: t.set_default_dtype(t.int32),
    "cumsum": lambda t: t.ones(2).cumsum(3),
    "load missing": lambda t: t.load("/nonexistent/x.pt"),
    "load junk": lambda t: t.load(io.BytesIO(b"garbage")),
    "sdpa": lambda t: t.nn.functional.scaled_dot_product_attention(
        t.ones(1, 2, 3), t.ones(1, 2, 4), t.ones(1, 2, 3)
    ),
    "hook": lambda t: t.ones(2).register_hook(print),
    "retain": lambda t: t.ones(2).retain_grad(),
    "func saved": lambda t: t.autograd.Function(),
    "bilinear": lambda t: t.nn.Bilinear(2, 3, 4)(t.ones(1, 3), t.ones(1, 3)),
    "cosine": lambda t: t.nn.functional.cosine_similarity(t.ones(2, 3), t.ones(2, 4)),
    "rnn pack": lambda t: t.nn.utils.rnn.pack_padded_sequence(t.ones(3, 2, 1), [1, 3]),
    "glu": lambda t: t.nn.functional.glu(t.ones(3)),
    "pixel": lambda t: t.nn.functional.pixel_shuffle(t.ones(1, 3, 2, 2), 2),
    "flatten": lambda t: t.ones(2, 3).flatten(1, 0),
    "unflatten": lambda t: t.ones(2, 3).unflatten(1, (2, 2)),
}

OTHERWISE = {
    "permute": "PyTorch's message speaks of sparse tensors",
    "ones str": "told without the function's name",
    "ones float": "told without the function's name",
    "as dtype": "told without the function's name",
    "negative size": "PyTorch's differ between zeros and empty",
    "generator": "told directly, without a list of signatures",
    "sdpa": "told in terms of query, key and value",
    "inverse": "PyTorch's class goes by two names",
    "cholesky": "PyTorch's class goes by two names",
    "func saved": "refused here, where PyTorch makes a useless object",
}
"""The calls whose messages begin otherwise, and why."""


def _raised(call: Any, library: Any) -> Exception | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(library)
        except Exception as error:
            return error
    return None


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_refused_as_in_pytorch(name: str) -> None:
    reference = pytest.importorskip("torch")
    pytest.importorskip("torch.utils.data")
    found, wanted = _raised(CALLS[name], flambeau), _raised(CALLS[name], reference)
    if name in OTHERWISE:
        assert found is not None
        return
    assert type(found).__name__ == type(wanted).__name__ or isinstance(found, type(wanted))
    begin = [re.sub(r"\s+", " ", str(error))[:25].lower() for error in (found, wanted)]
    assert begin[0] == begin[1]
