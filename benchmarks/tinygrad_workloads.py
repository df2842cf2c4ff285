"""The workloads as a tinygrad user writes them: `Tensor`, tinygrad's optimizers, a `TinyJit` step.

They start from flambeau's initial parameters, so that their losses can be checked too. Kernels are
tinygrad's usual ones: it does not search for better ones (`BEAM`). tinygrad has no loop over
tensors, so the LSTM's 50 steps are unrolled, which takes it about a minute to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn import optim

Parameters = list[Any]
Forward = Callable[[Parameters, Any], Any]


def cross_entropy(scores: Any, targets: Any) -> Any:
    return scores.sparse_categorical_crossentropy(targets)


def squared_error(predicted: Any, targets: Any) -> Any:
    return (predicted - targets).square().mean()


def sgd(lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> Callable[[Parameters], Any]:
    return lambda parameters: optim.SGD(parameters, lr, momentum, weight_decay)


def adam(lr: float, decoupled_decay: float = 0.0) -> Callable[[Parameters], Any]:
    return lambda parameters: optim.AdamW(parameters, lr, weight_decay=decoupled_decay)


def mlp(activation: Callable[[Any], Any] = Tensor.relu) -> Forward:
    def forward(parameters: Parameters, x: Any) -> Any:
        pairs = list(zip(parameters[::2], parameters[1::2]))
        for weight, bias in pairs[:-1]:
            x = activation(x.linear(weight.T, bias))
        weight, bias = pairs[-1]
        return x.linear(weight.T, bias)

    return forward


def iris(parameters: Parameters, x: Any) -> Any:
    return mlp(Tensor.sigmoid)(parameters, x).softmax()


def digits_cnn(parameters: Parameters, x: Any) -> Any:
    weight, bias, output, output_bias = parameters
    x = x.reshape(-1, 1, 8, 8).conv2d(weight, bias, padding=1).relu().max_pool2d()
    return x.reshape(-1, 128).linear(output.T, output_bias)


def mnist_cnn(parameters: Parameters, x: Any) -> Any:
    for weight, bias in (parameters[0:2], parameters[2:4]):
        x = x.conv2d(weight, bias).relu().max_pool2d()
    return x.reshape(-1, 320).linear(parameters[4].T, parameters[5])


def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    return x.layernorm() * weight + bias


def character_gpt(parameters: Parameters, index: Any, heads: int = 4) -> Any:
    token, position, *rest = parameters
    *blocks, norm, norm_bias, head = rest
    x = token[index] + position[: index.shape[1]]
    rows, length, width = x.shape
    for first in range(0, len(blocks), 12):
        # in the order of the modules' definition: two norms, attention's two layers, the MLP's two
        n1, n1b, n2, n2b, qkv, qkv_bias, out, out_bias, up, up_bias, down, down_bias = blocks[
            first : first + 12
        ]
        h = layer_norm(x, n1, n1b).linear(qkv.T, qkv_bias)
        query, key, value = (
            part.reshape(rows, length, heads, width // heads).transpose(1, 2)
            for part in h.chunk(3, dim=2)
        )
        mixed = query.scaled_dot_product_attention(key, value, is_causal=True)
        x = x + mixed.transpose(1, 2).reshape(rows, length, width).linear(out.T, out_bias)
        h = layer_norm(x, n2, n2b).linear(up.T, up_bias).gelu(approximate="none")
        x = x + h.linear(down.T, down_bias)
    return layer_norm(x, norm, norm_bias).linear(head.T).reshape(-1, head.shape[0])


def lstm(parameters: Parameters, x: Any) -> Any:
    weight, recurrent, bias, recurrent_bias, head, head_bias = parameters
    gates_of_inputs = x.linear(weight.T, bias + recurrent_bias)
    hidden = memory = Tensor.zeros(x.shape[0], recurrent.shape[1])
    for step in range(x.shape[1]):
        gates = gates_of_inputs[:, step] + hidden @ recurrent.T
        i, f, g, o = gates.chunk(4, dim=1)
        memory = (f.sigmoid() * memory + i.sigmoid() * g.tanh()).contiguous()
        hidden = (o.sigmoid() * memory.tanh()).contiguous()
    return hidden.linear(head.T, head_bias).reshape(-1)


MODELS: dict[str, tuple[Forward, Callable[[Any, Any], Any], Callable[[Parameters], Any]]] = {
    "cubic-fit": (lambda parameters, x: x @ parameters[0], squared_error, sgd(1e-3)),
    "iris-mlp": (iris, cross_entropy, adam(0.001)),
    "circles-mlp": (mlp(), cross_entropy, adam(0.1)),
    "spiral-mlp": (mlp(), cross_entropy, sgd(1.0, weight_decay=1e-3)),
    "digits-mlp": (mlp(), cross_entropy, sgd(0.001, momentum=0.9)),
    "digits-cnn": (digits_cnn, cross_entropy, sgd(0.001, momentum=0.9)),
    "mnist-cnn": (mnist_cnn, cross_entropy, sgd(0.01)),
    "wide-mlp": (mlp(), cross_entropy, sgd(0.01, momentum=0.9)),
    "character-gpt": (character_gpt, cross_entropy, adam(1e-3, decoupled_decay=0.01)),
    "lstm": (lstm, squared_error, adam(1e-3)),
}


def batch(arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    """A batch in memory that the jitted step reads; class numbers as int32, tinygrad's own."""
    small = [array.astype(np.int32) if array.dtype == np.int64 else array for array in arrays]
    return tuple(Tensor(np.ascontiguousarray(array)).realize() for array in small)


def jitted_step(name: str, initial: list[np.ndarray]) -> Callable[[Any, Any], Any]:
    """`step(inputs, targets)` that updates its own parameters and returns the loss."""
    forward, criterion, optimizer_of = MODELS[name]
    parameters = [Tensor(array.copy()).realize() for array in initial]
    optimizer = optimizer_of(parameters)
    Context(TRAINING=1).__enter__()  # for as long as the process lives

    @TinyJit
    def step(inputs: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(forward(parameters, inputs), targets)
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    return step
