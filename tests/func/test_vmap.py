"""``vmap``: dims and structures, randomness, writes, and what it refuses."""

from __future__ import annotations

import threading
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.func import grad, vmap

X = np.random.default_rng(0).standard_normal((4, 3, 5)).astype(np.float32)


def tensor(*shape: int) -> torch.Tensor:
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return torch.from_numpy(values.astype(np.float32))


def equal(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return tuple(found.shape) == tuple(expected.shape) and torch.allclose(found, expected)


# -- dims and structures ----


def test_the_function_sees_one_member() -> None:
    seen = []

    def look(x: Any) -> Any:
        seen.append((tuple(x.shape), x.dim(), x.numel(), x.size(0), x.dtype, str(x.device)))
        return x

    vmap(look)(tensor(4, 3, 5))
    assert seen == [((3, 5), 2, 15, 3, torch.float32, "cpu")]


@pytest.mark.parametrize("in_dim", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("out_dim", [0, 1, -1])
def test_any_dim_can_be_mapped(in_dim: int, out_dim: int) -> None:
    x = tensor(4, 3, 5)
    found = vmap(lambda t: t.cumsum(0) + t.sum(), in_dims=in_dim, out_dims=out_dim)(x)
    rows = [t.cumsum(0) + t.sum() for t in x.unbind(in_dim)]
    assert equal(found, torch.stack(rows, out_dim))


def test_inputs_and_outputs_may_be_trees() -> None:
    pair = namedtuple("pair", ["first", "second"])
    a, b, c = tensor(2, 3), tensor(3, 2), tensor(5)

    def function(tree: Any, scale: Any) -> Any:
        return {"sum": tree["a"] + tree["rest"][0].sum(), "pair": pair(tree["a"] * scale, scale)}

    dims = ({"a": 0, "rest": [1]}, None)
    found = vmap(function, in_dims=dims, out_dims={"sum": 0, "pair": pair(1, 0)})(
        {"a": a, "rest": [b]}, c[0]
    )
    assert isinstance(found["pair"], pair)
    assert equal(found["sum"], a + b.sum(0)[:, None])
    assert equal(found["pair"].first, (a * c[0]).T)
    assert equal(found["pair"].second, c[0].expand(2))


def test_what_does_not_depend_on_the_batch_is_repeated_unless_out_dims_is_none() -> None:
    x, fixed = tensor(4, 3), tensor(2)
    assert equal(vmap(lambda t: fixed * 2)(x), (fixed * 2).expand(4, 2))
    assert equal(vmap(lambda t: fixed * 2, out_dims=None)(x), fixed * 2)
    with pytest.raises(ValueError, match="can not return a BatchedTensor when out_dim is None"):
        vmap(lambda t: t, out_dims=None)(x)


def test_keyword_arguments_are_the_same_for_all() -> None:
    x = tensor(4, 3)
    assert equal(vmap(lambda t, *, w: t * w)(x, w=x[0]), x * x[0])


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 100])
def test_chunks_give_the_same(chunk_size: int) -> None:
    x = tensor(7, 3)

    def function(t: Any, u: Any) -> Any:
        return t * u, {"s": t.sum()}

    whole = vmap(function, in_dims=(0, None), out_dims=(1, 0))(x, x[0])
    parts = vmap(function, in_dims=(0, None), out_dims=(1, 0), chunk_size=chunk_size)(x, x[0])
    assert equal(whole[0], parts[0])
    assert equal(whole[1]["s"], parts[1]["s"])


def test_a_batch_of_none() -> None:
    assert tuple(vmap(lambda t: t.sin() @ t)(torch.zeros(0, 3)).shape) == (0,)


def test_nested_maps_are_an_outer_product() -> None:
    a, b = tensor(3), tensor(4)
    found = vmap(lambda x: vmap(lambda y: x * y)(b))(a)
    assert equal(found, a[:, None] * b)


def test_three_levels_each_over_another_argument() -> None:
    a, b, c = tensor(2, 3), tensor(4, 3), tensor(5, 3)
    inner = vmap(lambda x, y, z: (x * y * z).sum(), in_dims=(None, None, 0))
    found = vmap(vmap(inner, in_dims=(None, 0, None)), in_dims=(0, None, None))(a, b, c)
    expected = (a[:, None, None] * b[None, :, None] * c[None, None]).sum(-1)
    assert equal(found, expected)


def test_numbers_and_dtypes_are_promoted_as_for_one_member() -> None:
    zero_d = torch.arange(4, dtype=torch.float64)  # 0-d inside: does not widen
    x = tensor(4, 3)
    assert vmap(lambda s, t: s * t)(zero_d, x).dtype is torch.float32
    assert vmap(lambda t: t.to(torch.int32) * 2.5)(x).dtype is torch.float32
    assert vmap(lambda t: (t @ t).half() + 1)(x).dtype is torch.float16


def test_half_precision_accumulates_in_single() -> None:
    x = torch.full((2, 5000), 0.1).half()
    assert vmap(lambda t: t.sum())(x).tolist() == [x[0].sum().item()] * 2


def test_maps_of_one_thread_are_no_business_of_another() -> None:
    found = []

    def other() -> None:
        found.append(torch.rand(3).shape)

    def function(t: Any) -> Any:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return t

    vmap(function)(tensor(4))
    assert [tuple(s) for s in found] == [(3,)]


# -- gradients of what is outside ----


def test_gradients_reach_a_shared_tensor_as_a_sum() -> None:
    w = tensor(3).requires_grad_()
    x = tensor(4, 3)
    vmap(lambda t: (w * t).sin().sum())(x).sum().backward()
    expected = (x * (w.detach() * x).cos()).sum(0)
    assert w.grad is not None
    assert equal(w.grad, expected)


def test_a_shared_tensor_returned_as_it_is_counts_once_per_member() -> None:
    w = tensor(3).requires_grad_()
    vmap(lambda t: w)(tensor(4, 2)).sum().backward()
    assert w.grad is not None
    assert equal(w.grad, torch.full((3,), 4.0))


def test_gradients_reach_the_mapped_input() -> None:
    x = tensor(3, 4).requires_grad_()
    vmap(lambda t: (t * t).sum(), in_dims=1)(x).sum().backward()
    assert x.grad is not None
    assert equal(x.grad, 2 * x.detach())


def test_a_function_of_the_users_own_is_mapped_with_its_gradient() -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            return g * w, g * x

    w = tensor(3).requires_grad_()
    x = tensor(4, 3).requires_grad_()
    vmap(lambda t: Twice.apply(t, w).sum())(x).sum().backward()
    assert w.grad is not None and x.grad is not None
    assert equal(w.grad, x.detach().sum(0))
    assert equal(x.grad, w.detach().expand(4, 3))


# -- writes ----


def test_writes_go_to_the_mapped_tensor() -> None:
    x = tensor(4, 3)
    before = x.clone()

    def function(t: Any) -> Any:
        t.mul_(2)
        t[0] = 7
        t[1:].add_(t[2])
        return t.sum()

    found = vmap(function)(x)
    expected = before * 2
    expected[:, 0] = 7
    expected[:, 1:] = expected[:, 1:] + expected[:, 2:].clone()
    assert equal(x, expected)
    assert equal(found, expected.sum(1))


def test_writes_are_differentiated() -> None:
    x = tensor(4, 3)

    def function(t: Any) -> Any:
        y = t * 1
        y[0] = t[1] * t[2]
        y[1:].mul_(3)
        return (y * y).sum()

    found = vmap(grad(function))(x)
    for row, gradient in zip(x, found):
        leaf = row.clone().requires_grad_()
        function(leaf).backward()
        assert equal(gradient, leaf.grad)


def test_tensors_made_like_a_members_can_be_written() -> None:
    x = tensor(4, 3)

    def function(t: Any) -> Any:
        result = torch.zeros_like(t)
        result[0] = t[1]
        return result + t.new_zeros(3).add_(t) + t.new_full((3,), 2.0).copy_(t)

    expected = 2 * x
    expected[:, 0] += x[:, 1]
    assert equal(vmap(function)(x), expected)


def test_a_mask_may_select_what_is_set_to_a_number() -> None:
    def function(t: Any) -> Any:
        t = t.clone()
        t[t < 0] = 0.5
        return t

    x = tensor(4, 3)
    assert equal(vmap(function)(x), torch.where(x < 0, torch.full((), 0.5), x))


def test_members_values_are_not_written_to_a_shared_tensor() -> None:
    x = tensor(4, 3)
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match=r"vmap: inplace arithmetic\(self, \*extra_args\)"):
        vmap(lambda t: shared.add_(t))(x)
    assert shared.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="more elements than `self`"):
        vmap(lambda t: shared.__setitem__(0, t[0]) or shared)(x)


# -- randomness ----


def test_random_numbers_are_refused_unless_said() -> None:
    for draw in (torch.rand_like, torch.nn.Dropout(0.5), lambda t: t + torch.randn(3)):
        with pytest.raises(RuntimeError, match="called random operation while in randomness error"):
            vmap(draw)(tensor(4, 3))


def test_different_numbers_are_one_draw_for_the_batch() -> None:
    torch.manual_seed(5)
    found = vmap(lambda t: t + torch.randn(3), randomness="different")(torch.zeros(40, 2, 3))
    torch.manual_seed(5)
    drawn = torch.randn(40, 3)
    assert equal(found, drawn[:, None].expand(40, 2, 3))


def test_the_same_numbers_are_one_draw_for_a_member() -> None:
    torch.manual_seed(5)
    found = vmap(lambda t: t + torch.rand(3), randomness="same")(torch.zeros(4, 3))
    torch.manual_seed(5)
    assert equal(found, torch.rand(3).expand(4, 3))


def test_a_shared_tensor_is_not_filled_with_different_numbers() -> None:
    with pytest.raises(RuntimeError, match="Cannot ask for different inplace randomness"):
        vmap(lambda t: torch.zeros(3).normal_() + t, randomness="different")(tensor(4, 3))


RANDOM = {
    "randn": lambda torch, t: torch.randn(3, 5) + t,
    "rand": lambda torch, t: torch.rand(17) + t[0, 0],
    "rand_like": lambda torch, t: torch.rand_like(t),
    "randint": lambda torch, t: torch.randint(0, 9, (3,)) + t[0, 0],
    "randperm": lambda torch, t: torch.randperm(7) + t[0, 0],
    "dropout": lambda torch, t: torch.nn.functional.dropout(t, 0.3, True),
    "dropout of what is shared": lambda torch, t: (
        torch.nn.functional.dropout(torch.ones(3, 5), 0.3, True) + t
    ),
    "bernoulli": lambda torch, t: torch.bernoulli(t.sigmoid()),
    "normal_": lambda torch, t: t.clone().normal_(),
    "exponential_": lambda torch, t: t.clone().exponential_(),
    "multinomial": lambda torch, t: torch.multinomial(t.exp(), 2),
    "several": lambda torch, t: torch.rand(2) + torch.randn(2) + t[0, :2],
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("randomness", ["different", "same"])
def test_the_numbers_are_pytorchs(name: str, randomness: str) -> None:
    pytorch = pytest.importorskip("torch")
    found = []
    for library in (pytorch, torch):
        library.manual_seed(3)
        mapped = library.vmap(lambda t, lib=library: RANDOM[name](lib, t), randomness=randomness)
        try:
            result = mapped(library.from_numpy(X.copy())).numpy()
        except RuntimeError:  # PyTorch has no rule for some that are the same for a batched input
            if library is torch:
                raise
            pytest.skip("PyTorch refuses it")
        found.append((result, library.rand(1).item()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    assert found[0][1] == found[1][1]


# -- what is refused ----


REFUSED = {
    "no inputs": (lambda t: t, {}, (), ValueError, "got no inputs"),
    "in_dims of another kind": (
        lambda t: t, {"in_dims": "0"}, (X,), ValueError, "expected `in_dims` to be int or",
    ),
    "in_dims of another structure": (
        lambda t, u: t, {"in_dims": (0,)}, (X, X), ValueError, "in_dims is not compatible",
    ),
    "a dim that is no number": (
        lambda t: t, {"in_dims": ("a",)}, (X,), ValueError, "in_dim must be either an integer",
    ),
    "an input that is no tensor": (
        lambda t: t, {}, (3,), ValueError, "We cannot vmap over non-Tensor arguments",
    ),
    "a dim out of range": (
        lambda t: t, {"in_dims": 3}, (X,), ValueError, "to satisfy -3 <= in_dim < 3",
    ),
    "sizes that differ": (
        lambda t, u: t, {"in_dims": (0, 1)}, (X, X), ValueError, "same size in the mapped",
    ),
    "nothing mapped": (
        lambda t: t, {"in_dims": (None,)}, (X,), ValueError, "at least one Tensor to vmap over",
    ),
    "a result that is no tensor": (lambda t: 3, {}, (X,), ValueError, "must only return Tensors"),
    "out_dims of another structure": (
        lambda t: (t, t), {"out_dims": (0, 0, 0)}, (X,), ValueError, "out_dims is not compatible",
    ),
    "out_dims of another kind": (
        lambda t: t, {"out_dims": "a"}, (X,), ValueError, "`out_dims` must be an int, None or",
    ),
    "an output dim out of range": (
        lambda t: t, {"out_dims": 3}, (X,), IndexError, "Dimension out of range",
    ),
    "item": (lambda t: t.sum().item(), {}, (X,), RuntimeError, r"you're calling \.item\(\)"),
    "a branch": (
        lambda t: t if t.sum() > 0 else -t, {}, (X,), RuntimeError, "data-dependent control flow",
    ),
    "a mask": (lambda t: t[t > 0], {}, (X,), RuntimeError, "indexing with a boolean mask"),
    "nonzero": (lambda t: t.nonzero(), {}, (X,), RuntimeError, "can output dynamic shape"),
    "tolist": (lambda t: t.tolist(), {}, (X,), RuntimeError, r"\.tolist\(\)"),
    "an array": (lambda t: np.sin(t), {}, (X,), RuntimeError, r"\.numpy\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    function, options, inputs, kind, message = REFUSED[name]
    given = [torch.from_numpy(i.copy()) if isinstance(i, np.ndarray) else i for i in inputs]
    with pytest.raises(kind, match=message):
        vmap(function, **options)(*given)


REFUSED_BY_PYTORCH_IN_OTHER_WORDS = ("a dim that is no number", "an array", "tolist")


@pytest.mark.parametrize("name", [n for n in REFUSED if n not in REFUSED_BY_PYTORCH_IN_OTHER_WORDS])
def test_pytorch_refuses_it_in_these_words(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    function, options, inputs, kind, message = REFUSED[name]
    given = [pytorch.from_numpy(i.copy()) if isinstance(i, np.ndarray) else i for i in inputs]
    with pytest.raises(kind, match=message):
        pytorch.vmap(function, **options)(*given)


def test_options_are_checked_at_once() -> None:
    with pytest.raises(RuntimeError, match="Only allowed values for randomness are"):
        vmap(torch.sin, randomness="other")
    with pytest.raises(ValueError, match="chunk_size should be None or greater than 0"):
        vmap(torch.sin, chunk_size=0)


def test_an_error_leaves_no_level_behind() -> None:
    with pytest.raises(ZeroDivisionError):
        vmap(lambda t: t / (1 // 0))(tensor(4))
    assert tuple(torch.rand(3).shape) == (3,)  # would be refused inside


# -- with the compiler ----


def test_a_compiled_function_may_map() -> None:
    x = tensor(5, 3)
    compiled = torch.compile(lambda t: vmap(grad(lambda a: (a.sin() * a).sum()))(t))
    for _ in range(3):
        assert torch.allclose(compiled(x), x.cos() * x + x.sin(), atol=1e-6)


# -- functions of many operations, beside PyTorch's ----


def _at(t: Any, i: Any) -> Any:
    return t[:, i]


IMAGES = np.random.default_rng(1).standard_normal((4, 2, 3, 8, 8)).astype(np.float32)
FILTERS = np.random.default_rng(2).standard_normal((4, 5, 3, 3, 3)).astype(np.float32)
PLACES = np.array([0, 2, 1, 1])
CLASSES = np.random.default_rng(3).integers(0, 5, (4, 3))

FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...], Any]] = {
    "sort": (lambda P, t: t.sort(0), (X,), 0),
    "topk": (lambda P, t: t.topk(2), (X,), 0),
    "max": (lambda P, t: t.max(), (X,), 0),
    "max of a dim": (lambda P, t: t.max(1), (X,), 0),
    "norm": (lambda P, t: t.norm(dim=1), (X,), 0),
    "split": (lambda P, t: t.split(2), (X,), 0),
    "cat with a shared tensor": (lambda P, t: P.cat([t, P.ones(1, 5)], 0), (X,), 0),
    "outer product": (lambda P, t: P.outer(t[0], t[1]), (X,), 0),
    "vector times matrix": (lambda P, t: t[0] @ t.T, (X,), 0),
    "bmm": (lambda P, t: P.bmm(t[None], t.T[None]), (X,), 0),
    "indexed by an index": (lambda P, t, i: t[i], (X, PLACES), 0),
    "indexed by an index after a dim": (lambda P, t, i: _at(t, i), (X, PLACES), 0),
    "index shared, data mapped": (lambda P, t, i: t[i], (X, PLACES), (0, None)),
    "data shared, index mapped": (lambda P, t, i: t[i], (X, PLACES), (None, 0)),
    "indices apart": (lambda P, t, i: t[None][:, i, :, None], (X, PLACES), 0),
    "one_hot": (lambda P, i: P.nn.functional.one_hot(i, 5), (CLASSES,), 0),
    "cross_entropy": (lambda P, t, y: P.nn.functional.cross_entropy(t, y), (X, CLASSES), 0),
    "conv of mapped images": (
        lambda P, t, w: P.nn.functional.conv2d(t, w, padding=1), (IMAGES, FILTERS[0]), (0, None),
    ),
    "conv with mapped filters": (
        lambda P, t, w: P.nn.functional.conv2d(t, w, padding=1), (IMAGES[0], FILTERS), (None, 0),
    ),
    "conv of both": (
        lambda P, t, w: P.nn.functional.conv2d(t, w, stride=2), (IMAGES, FILTERS), 0,
    ),
    "conv without a batch dim": (
        lambda P, t, w: P.nn.functional.conv2d(t[0], w), (IMAGES, FILTERS), 0,
    ),
    "max_pool2d": (lambda P, t: P.nn.functional.max_pool2d(t, 2), (IMAGES,), 0),
    "adaptive_avg_pool2d": (lambda P, t: P.nn.functional.adaptive_avg_pool2d(t, 3), (IMAGES,), 0),
    "batch_norm": (
        lambda P, t: P.nn.functional.batch_norm(t, None, None, training=True), (IMAGES,), 0,
    ),
    "group_norm": (lambda P, t: P.nn.functional.group_norm(t, 1), (IMAGES,), 0),
    "attention": (
        lambda P, t: P.nn.functional.scaled_dot_product_attention(t, t, t, is_causal=True),
        (IMAGES,), 0,
    ),
    "rfft": (lambda P, t: P.fft.rfft(t).abs(), (X,), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_pytorchs_results(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    function, arrays, in_dims = FUNCTIONS[name]
    results = []
    for library in (pytorch, torch):
        mapped = library.vmap(
            lambda *t, lib=library: function(lib, *t), in_dims=in_dims, randomness="same"
        )
        found = mapped(*[library.from_numpy(a.copy()) for a in arrays])
        found = found if isinstance(found, tuple) else (found,)
        results.append([t.numpy() for t in found])
    for expected, got in zip(*results, strict=True):
        assert got.shape == expected.shape
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)
