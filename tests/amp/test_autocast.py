"""``autocast``: which precision each operation runs in, and how the region behaves."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

HALF, SINGLE = "bfloat16", "float32"


def array(*shape: int) -> np.ndarray:
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return values.astype(np.float32)


A, B, IMAGES, SEQUENCE = array(4, 6), array(6, 4), array(2, 3, 8, 8), array(2, 2, 5, 4)
VOLUME, TARGETS = array(1, 2, 4, 4, 4), np.array([0, 1, 2, 3])


def F(P: Any) -> Any:
    return P.nn.functional


# for float32 and for bfloat16 inputs: the dtype of the result in a bfloat16 region
CASES: dict[str, tuple[Any, str, str]] = {
    # products and convolutions
    "matmul": (lambda P, t: t(A) @ t(B), HALF, HALF),
    "matmul with a vector": (lambda P, t: t(A) @ t(B)[:, 0], HALF, HALF),
    "mm": (lambda P, t: P.mm(t(A), t(B)), HALF, HALF),
    "bmm": (lambda P, t: P.bmm(t(A)[None], t(B)[None]), HALF, HALF),
    "addmm": (lambda P, t: P.addmm(t(array(4, 4)), t(A), t(B)), HALF, HALF),
    "baddbmm": (lambda P, t: P.baddbmm(t(array(1, 4, 4)), t(A)[None], t(B)[None]), HALF, HALF),
    "linear": (lambda P, t: F(P).linear(t(A), t(B).T, t(array(4))), HALF, HALF),
    "conv1d": (lambda P, t: F(P).conv1d(t(IMAGES)[0], t(array(2, 8, 3))), HALF, HALF),
    "conv2d": (lambda P, t: F(P).conv2d(t(IMAGES), t(array(4, 3, 3, 3)), t(array(4))), HALF, HALF),
    "conv3d": (lambda P, t: F(P).conv3d(t(VOLUME), t(array(3, 2, 2, 2, 2))), HALF, HALF),
    "conv_transpose2d": (
        lambda P, t: F(P).conv_transpose2d(t(IMAGES), t(array(3, 2, 2, 2))), HALF, HALF,
    ),
    "attention": (
        lambda P, t: F(P).scaled_dot_product_attention(t(SEQUENCE), t(SEQUENCE), t(SEQUENCE)),
        HALF, HALF,
    ),
    "prelu": (lambda P, t: F(P).prelu(t(A), t(array(1))), HALF, HALF),
    "LSTM": (lambda P, t: P.nn.LSTM(6, 4)(t(A)[:, None])[0], HALF, HALF),
    # made of products here, but not in the list
    "mv": (lambda P, t: P.mv(t(A), t(B)[:, 0]), SINGLE, HALF),
    "dot": (lambda P, t: P.dot(t(A)[0], t(B)[:, 0]), SINGLE, HALF),
    "outer": (lambda P, t: P.outer(t(A)[0], t(A)[0]), SINGLE, HALF),
    "addmv": (lambda P, t: P.addmv(t(array(4)), t(A), t(B)[:, 0]), SINGLE, HALF),
    "bilinear": (lambda P, t: F(P).bilinear(t(A), t(A), t(array(2, 6, 6))), SINGLE, HALF),
    "adaptive_avg_pool2d": (lambda P, t: F(P).adaptive_avg_pool2d(t(IMAGES), 3), SINGLE, HALF),
    # losses and their like
    "cross_entropy": (lambda P, t: F(P).cross_entropy(t(A), P.tensor(TARGETS)), SINGLE, SINGLE),
    "cross_entropy of probabilities": (
        lambda P, t: F(P).cross_entropy(t(A), t(A).softmax(-1)), SINGLE, SINGLE,
    ),
    "nll_loss": (lambda P, t: F(P).nll_loss(t(A), P.tensor(TARGETS)), SINGLE, SINGLE),
    "mse_loss": (lambda P, t: F(P).mse_loss(t(A), t(A) * 2), SINGLE, SINGLE),
    "l1_loss": (lambda P, t: F(P).l1_loss(t(A), t(A) * 2), SINGLE, SINGLE),
    "smooth_l1_loss": (lambda P, t: F(P).smooth_l1_loss(t(A), t(A) * 2), SINGLE, SINGLE),
    "huber_loss": (lambda P, t: F(P).huber_loss(t(A), t(A) * 2), SINGLE, SINGLE),
    "binary_cross_entropy": (
        lambda P, t: F(P).binary_cross_entropy(t(A).sigmoid(), t(A).sigmoid()), SINGLE, SINGLE,
    ),
    "binary_cross_entropy_with_logits": (
        lambda P, t: F(P).binary_cross_entropy_with_logits(t(A), t(A).sigmoid()), SINGLE, SINGLE,
    ),
    "kl_div": (lambda P, t: F(P).kl_div(t(A), t(A).softmax(-1)), SINGLE, SINGLE),
    "cosine_embedding_loss": (
        lambda P, t: F(P).cosine_embedding_loss(t(A), t(A), P.ones(4)), SINGLE, SINGLE,
    ),
    "triplet_margin_loss": (
        lambda P, t: F(P).triplet_margin_loss(t(A), t(A) + 1, t(A) * 2), SINGLE, SINGLE,
    ),
    "soft_margin_loss": (lambda P, t: F(P).soft_margin_loss(t(A), P.ones(4, 6)), SINGLE, SINGLE),
    "prod": (lambda P, t: t(A).prod(), SINGLE, SINGLE),
    "trace": (lambda P, t: t(A).trace(), SINGLE, SINGLE),
    "cdist": (lambda P, t: P.cdist(t(A), t(A)), SINGLE, SINGLE),
    "avg_pool3d": (lambda P, t: F(P).avg_pool3d(t(VOLUME), 2), SINGLE, SINGLE),
    "max_pool3d": (lambda P, t: F(P).max_pool3d(t(VOLUME), 2), SINGLE, SINGLE),
    "reflecting pad": (lambda P, t: F(P).pad(t(A), (1, 1), mode="reflect"), SINGLE, SINGLE),
    # the precision of the inputs
    "pad": (lambda P, t: F(P).pad(t(A), (1, 1)), SINGLE, HALF),
    "relu": (lambda P, t: t(A).relu(), SINGLE, HALF),
    "softmax": (lambda P, t: t(A).softmax(-1), SINGLE, HALF),
    "sum": (lambda P, t: t(A).sum(), SINGLE, HALF),
    "norm": (lambda P, t: t(A).norm(), SINGLE, HALF),
    "layer_norm": (lambda P, t: F(P).layer_norm(t(A), (6,), P.ones(6), P.ones(6)), SINGLE, HALF),
    "batch_norm": (
        lambda P, t: F(P).batch_norm(t(A), P.zeros(6), P.ones(6), P.ones(6), P.ones(6), True),
        SINGLE, HALF,
    ),
    "group_norm": (lambda P, t: F(P).group_norm(t(A), 2, P.ones(6), P.ones(6)), SINGLE, HALF),
    "max_pool2d": (lambda P, t: F(P).max_pool2d(t(IMAGES), 2), SINGLE, HALF),
    # the widest of several
    "add": (lambda P, t: t(A) + P.ones(4, 6), SINGLE, SINGLE),
    "cat": (lambda P, t: P.cat([t(A), P.ones(1, 6)]), SINGLE, SINGLE),
    "stack": (lambda P, t: P.stack([t(A), P.ones(4, 6)]), SINGLE, SINGLE),
}  # fmt: skip


def result(library: Any, name: str, dtype: str) -> Any:
    library.manual_seed(0)

    def tensor(values: np.ndarray) -> Any:
        return library.from_numpy(values.copy()).to(getattr(library, dtype))

    with library.autocast("cpu", dtype=library.bfloat16):
        return CASES[name][0](library, tensor)


@pytest.mark.parametrize("dtype", [SINGLE, HALF])
@pytest.mark.parametrize("name", CASES)
def test_each_operation_has_its_precision(name: str, dtype: str) -> None:
    _, of_single, of_half = CASES[name]
    found = result(torch, name, dtype)
    assert str(found.dtype) == f"torch.{of_single if dtype == SINGLE else of_half}"


@pytest.mark.parametrize("dtype", [SINGLE, HALF])
@pytest.mark.parametrize("name", CASES)
def test_each_operation_gives_pytorchs_result(name: str, dtype: str) -> None:
    pytorch = pytest.importorskip("torch")
    expected, found = result(pytorch, name, dtype), result(torch, name, dtype)
    assert str(found.dtype) == str(expected.dtype)
    np.testing.assert_allclose(
        found.detach().float().numpy(), expected.detach().float().numpy(), rtol=3e-2, atol=3e-2
    )


def test_float64_and_integers_are_left_alone() -> None:
    x = torch.ones(3, 3, dtype=torch.float64)
    with torch.autocast("cpu"):
        assert (x @ x).dtype is torch.float64
        assert (x.long() @ x.long()).dtype is torch.int64
        with pytest.raises(RuntimeError, match="same dtype"):
            x @ x.float()


def test_float16_may_be_asked_for() -> None:
    x = torch.ones(3, 3)
    with torch.autocast("cpu", dtype=torch.float16):
        assert (x @ x).dtype is torch.float16


def test_gradients_have_the_dtype_of_their_tensors() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.GroupNorm(2, 4), nn.Flatten(),
        nn.Linear(144, 8), nn.LayerNorm(8), nn.Linear(8, 5),
    )  # fmt: skip
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    with torch.autocast("cpu"):
        scores = model(x)
        loss = nn.functional.cross_entropy(scores, torch.arange(4))
    assert scores.dtype is torch.bfloat16 and loss.dtype is torch.float32
    loss.backward()
    gradients = [x.grad, *(p.grad for p in model.parameters())]
    assert {g.dtype for g in gradients if g is not None} == {torch.float32}
    single = nn.functional.cross_entropy(model(x), torch.arange(4))
    exact = torch.autograd.grad(single, [x, *model.parameters()])
    for rough, gradient in zip(gradients, exact):
        assert rough is not None
        assert (rough - gradient).norm() <= 0.05 * gradient.norm() + 1e-3


def test_regions_nest_and_end() -> None:
    x = torch.ones(2, 2)
    assert not torch.is_autocast_enabled("cpu")
    with torch.autocast("cpu"):
        assert torch.is_autocast_enabled("cpu") and not torch.is_autocast_enabled()
        with torch.autocast("cpu", enabled=False):
            assert (x @ x).dtype is torch.float32
            with torch.autocast("cpu", dtype=torch.float16):
                assert torch.get_autocast_dtype("cpu") is torch.float16
                assert (x @ x).dtype is torch.float16
        assert (x @ x).dtype is torch.bfloat16
    assert (x @ x).dtype is torch.float32
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    with pytest.raises(ZeroDivisionError), torch.autocast("cpu"):
        1 / 0  # noqa: B018
    assert (x @ x).dtype is torch.float32


def test_a_decorated_function_is_a_region_every_time() -> None:
    @torch.autocast("cpu")
    def product(x: Any) -> Any:
        return x @ x

    x = torch.ones(2, 2)
    for _ in range(2):
        assert product(x).dtype is torch.bfloat16
        assert (x @ x).dtype is torch.float32
    assert product.__name__ == "product"


def test_a_region_is_its_threads_own() -> None:
    x = torch.ones(2, 2)
    found = []
    with torch.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append(((x @ x).dtype, x.trace().dtype)))
        thread.start()
        thread.join()
    assert found == [(torch.float32, torch.float32)]


def test_a_parameter_is_cast_once_in_a_region() -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    casts = []

    def record(node: Any) -> None:
        for edge, _ in node.next_functions:
            if edge is not None:
                casts.append(edge)

    with torch.autocast("cpu"):
        for _ in range(2):
            record((torch.ones(2, 2) @ weight).grad_fn)
    assert casts[0] is casts[1]
    casts.clear()
    with torch.autocast("cpu", cache_enabled=False):
        for _ in range(2):
            record((torch.ones(2, 2) @ weight).grad_fn)
    assert casts[0] is not casts[1]
    with torch.no_grad():
        weight.mul_(2)
    with torch.autocast("cpu"):  # a new region casts anew
        assert (torch.ones(1, 2) @ weight).tolist() == [[4, 4]]


def test_inside_vmap_and_grad() -> None:
    x = torch.randn(5, 3)
    w = torch.randn(3, 3)
    with torch.autocast("cpu"):
        found = torch.vmap(lambda t: t @ w)(x)
        assert found.dtype is torch.bfloat16
        slope = torch.func.grad(lambda t: nn.functional.mse_loss(t @ w, t))(x)
        assert slope.dtype is torch.float32
    assert torch.allclose(found.float(), x @ w, atol=5e-2)


def test_devices_and_dtypes_that_cannot_be() -> None:
    with pytest.warns(UserWarning, match="CUDA is not available"):
        region = torch.autocast("cuda")
    x = torch.ones(2, 2)
    with region:
        assert (x @ x).dtype is torch.float32
    with pytest.warns(UserWarning, match="only supports dtypes of torch.bfloat16, torch.float16"):
        torch.autocast("cpu", dtype=torch.float32)
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        torch.autocast(5)
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        torch.autocast("abc")


def test_the_former_names_work() -> None:
    x = torch.ones(2, 2)
    with pytest.warns(FutureWarning, match="torch.amp.autocast"):
        region = torch.cpu.amp.autocast()
    with region:
        assert (x @ x).dtype is torch.bfloat16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.cuda.amp.autocast():
            assert (x @ x).dtype is torch.float32


def test_a_function_of_the_users_own_chooses_its_precision() -> None:
    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            a, b = ctx.saved_tensors
            return g @ b.T, a.T @ g

    a = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu"):
        found = Product.apply(a, a)
    assert found.dtype is torch.float32
    found.sum().backward()
    assert a.grad is not None and a.grad.tolist() == [[4, 4], [4, 4]]


def test_guarded_functions_keep_their_signature() -> None:
    import inspect

    with torch.autocast("cpu"):
        pass
    names = list(inspect.signature(torch.addmm).parameters)
    assert names[:3] == ["input", "mat1", "mat2"]
    assert torch.addmm.__doc__
    defined = inspect.unwrap(torch.nn.functional.kl_div)
    assert "casting" not in str(inspect.getsourcefile(defined)), "one finds where it is defined"
    with pytest.raises(TypeError):
        torch.addmm(torch.ones(2, 2))
