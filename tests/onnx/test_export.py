"""Exported networks give in onnxruntime what they give here."""

from __future__ import annotations

import io

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from flambeau.onnx import OnnxExporterError, export  # noqa: E402


def check(model, *examples, others=(), tolerance=1e-5, **options):
    """Export on the first examples; compare on those and on the others."""
    torch.manual_seed(0)
    buffer = io.BytesIO()
    proto = export(model, examples, buffer, **options)
    session = runtime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    training = model.training
    model.eval()
    for inputs in (examples, *others):
        with torch.no_grad():
            expected = model(*inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        found = session.run(None, feed)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one.shape == tuple(other.shape) and one.dtype == other.numpy().dtype
            np.testing.assert_allclose(one, other.numpy(), rtol=tolerance, atol=tolerance)
    model.train(training)
    return proto


def operators(proto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def test_a_multilayer_perceptron_is_a_few_clean_nodes(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
    proto = check(model, torch.randn(5, 4), input_names=["x"], output_names=["y"])
    assert operators(proto) == ["Gemm", "Relu", "Gemm", "Softmax"]
    names = {tensor.name for tensor in proto.graph.initializer}
    assert names == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert [value.name for value in proto.graph.output] == ["y"]
    assert model.training
    path = tmp_path / "model.onnx"
    export(model, torch.randn(5, 4), path)
    onnx.checker.check_model(str(path), full_check=True)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, stride=2, groups=4, bias=False),
            nn.AvgPool2d(2),
        )
        self.dropout = nn.Dropout(0.5)
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        return self.out(self.dropout(torch.flatten(self.features(x), 1)))


def test_a_convolutional_network_with_an_open_batch():
    torch.manual_seed(0)
    model = ConvNet()
    for _ in range(3):
        model(torch.randn(8, 3, 12, 12))  # running statistics that are not the initial ones
    proto = check(
        model,
        torch.randn(1, 3, 12, 12),
        others=[(torch.randn(n, 3, 12, 12),) for n in (2, 7)],
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
    )
    assert operators(proto) == [
        "Conv", "Mul", "Add", "Relu", "MaxPool", "Conv", "AveragePool", "Reshape", "Gemm",
    ]  # fmt: skip
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert proto.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.out = nn.Linear(16, 5)

    def forward(self, tokens):
        x = self.embedding(tokens)
        attended, weights = self.attention(x, x, x)
        return self.out(self.norm(x + attended)), weights


def test_embedding_attention_and_layer_norm_with_two_open_sizes():
    torch.manual_seed(0)
    check(
        Encoder(),
        torch.randint(0, 20, (2, 6)),
        others=[(torch.randint(0, 20, size),) for size in ((1, 6), (3, 4), (5, 11))],
        input_names=["tokens"],
        dynamic_axes={"tokens": {0: "batch", 1: "length"}},
    )


@pytest.mark.parametrize(
    "layer",
    [
        nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.ELU(), nn.LeakyReLU(0.1),
        nn.Softplus(), nn.Hardtanh(), nn.ReLU6(), nn.Tanh(), nn.Sigmoid(), nn.LogSoftmax(dim=1),
        nn.PReLU(), nn.Hardswish(), nn.Mish(), nn.SELU(),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_activations(layer):
    check(layer, torch.linspace(-4, 4, 24).reshape(4, 6))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(3, 4, 3, padding=1), (2, 3, 9)),
        (nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), (2, 3, 5, 5)),
        (nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), (2, 3, 8, 8)),
        (nn.AvgPool2d(3, stride=2, padding=1), (2, 3, 9, 9)),
        (nn.AdaptiveAvgPool2d(1), (2, 3, 5, 7)),
        (nn.AdaptiveAvgPool2d((2, 3)), (2, 3, 5, 7)),
        (nn.GroupNorm(2, 4), (2, 4, 5)),
        (nn.InstanceNorm2d(3), (2, 3, 4, 4)),
        (nn.BatchNorm1d(3), (5, 3)),
        (nn.RMSNorm(6), (3, 6)),
        (nn.Flatten(0, 1), (2, 3, 4)),
        (nn.ZeroPad2d((1, 2, 0, 1)), (1, 2, 3, 3)),
        (nn.PixelShuffle(2), (1, 8, 3, 3)),
        (nn.Linear(4, 3), (2, 5, 4)),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 3, 8)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_layers(layer, shape):
    torch.manual_seed(0)
    check(layer, torch.randn(*shape))


class Shapes(nn.Module):
    def forward(self, x, y):
        z = torch.cat([x[:, 1:], y.flip(1)], dim=1)
        first = z[:, 0, None]
        best = z.argmax(dim=1)
        chosen = torch.where(z > 0, z, first * torch.ones_like(z))
        return chosen.cumsum(1), best, z.mean(dim=0), z.sum() / x.shape[0], torch.zeros(x.shape[0])


class Indices(nn.Module):
    def forward(self, x, i, j):
        negative = x[i - 3, :, j]
        written = x.clone()
        written[i, :, j] = 1.5
        added = x.index_put((i, j), x[0, 0], accumulate=True)
        return x[i, j], x[:, i, j], negative, written, added


def test_several_tensors_of_indices_with_an_open_size():
    def inputs(n):
        return torch.randn(3, 4, n), torch.tensor([[0], [2]]), torch.tensor([1, 0])

    check(
        Indices(),
        *inputs(5),
        others=[inputs(n) for n in (4, 7)],
        input_names=["x", "i", "j"],
        dynamic_axes={"x": {2: "n"}},
    )


class Writes(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, 1] = 0
        y[1:3, 2:] += x[0, 2:]
        y[-1, ::2] *= 2
        y[..., :-1] = y[..., 1:]
        y[1:1] = 7
        return y, torch.atan2(x, y), torch.hypot(x, y)


def test_written_slices_with_an_open_size():
    check(
        Writes(),
        torch.randn(4, 5),
        others=[(torch.randn(n, 5),) for n in (3, 8)],
        input_names=["x"],
        dynamic_axes={"x": {0: "n"}},
    )


class Doubled(nn.Module):
    def forward(self, x):
        x.mul_(2)
        return x, x + 1


def test_an_argument_that_is_changed_in_place_is_returned_as_changed():
    buffer = io.BytesIO()
    export(Doubled(), torch.ones(2), buffer)
    session = runtime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"input_0": np.ones(2, np.float32)})
    assert [array.tolist() for array in found] == [[2, 2], [3, 3]]


@pytest.mark.parametrize("opset", [13, 17, 18, None])
def test_slices_choices_and_sizes_that_enter_the_values(opset):
    def inputs(n):
        return torch.randn(n, 4), torch.randn(n, 3)

    check(
        Shapes(),
        *inputs(3),
        others=[inputs(n) for n in (2, 6)],
        input_names=["x", "y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        opset_version=opset,
    )


def test_without_open_sizes_the_shapes_are_fixed():
    proto = export(nn.Linear(4, 3), torch.randn(2, 4))
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [2, 4]


def test_folding_can_be_left_out():
    model = nn.BatchNorm2d(2).eval()
    proto = check(model, torch.randn(1, 2, 3, 3), do_constant_folding=False)
    assert "Sqrt" in operators(proto)


def test_functions_and_keyword_arguments_are_exported():
    proto = export(lambda a, scale: a * scale, (torch.ones(2),), kwargs={"scale": torch.ones(2)})
    assert len(proto.graph.input) == 2 and operators(proto) == ["Mul"]


class Loops(nn.Module):
    def forward(self, x):
        total = x[0]
        for row in x[1:]:
            total = total + row
        return total


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_has_no_counterpart_is_refused_in_words():
    x = torch.randn(4, 3)
    with pytest.raises(OnnxExporterError, match=r"something else where 'n' is 5 .*dynamic_axes"):
        export(Loops(), x, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    with pytest.raises(OnnxExporterError, match="depends on values"):
        export(Branches(), x)
    with pytest.raises(OnnxExporterError, match="draws random numbers"):
        export(lambda a: a + torch.randn(3), x)
    with pytest.raises(OnnxExporterError, match="holds no tensor"):
        export(lambda a: 3, x)
    with pytest.raises(ValueError, match="opset_version=9"):
        export(nn.Linear(3, 2), x, opset_version=9)
    with pytest.raises(ValueError, match="2 names, and there are 1"):
        export(nn.Linear(3, 2), x, input_names=["a", "b"])
    with pytest.raises(ValueError, match="'x' has 2 dims, and 5 is none"):
        export(nn.Linear(3, 2), x, input_names=["x"], dynamic_axes={"x": {5: "n"}})


def test_a_failed_export_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with pytest.raises(OnnxExporterError):
        export(Branches(), torch.ones(3), path)
    assert path.read_bytes() == b"old"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "alexnet"])
def test_networks_for_images(name):
    from flambeau.vision import models

    torch.manual_seed(0)
    model = models.get_model(name, num_classes=10)
    check(
        model,
        torch.randn(1, 3, 64, 64),
        others=[(torch.randn(2, 3, 64, 64),)],
        tolerance=1e-4,
        input_names=["image"],
        dynamic_axes={"image": [0]},
    )
