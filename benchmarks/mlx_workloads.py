"""The workloads as an MLX user writes them: pure functions, one step through `mx.compile`.

They start from flambeau's initial parameters, so that their losses can be checked too. MLX keeps
images with their channels last, so convolutions' weights and the inputs of the layers behind them
are brought into that order once, before the first step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

mx.set_default_device(mx.cpu)

Parameters = list[Any]
Forward = Callable[[Parameters, Any], Any]
Optimizer = tuple[Callable[[Any, Any, Any], tuple[Any, Any]], Callable[[Any], Any]]
"""`update(parameter, gradient, state)` to the next parameter and state; the first state."""


def cross_entropy(scores: Any, targets: Any) -> Any:
    return nn.losses.cross_entropy(scores, targets, reduction="mean")


def squared_error(predicted: Any, targets: Any) -> Any:
    return mx.mean(mx.square(predicted - targets))


def sgd(lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> Optimizer:
    def update(parameter: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        if weight_decay:
            gradient = gradient + weight_decay * parameter
        if momentum:
            state = [momentum * state[0] + gradient]
            gradient = state[0]
        return parameter - lr * gradient, state

    return update, lambda parameter: [mx.zeros_like(parameter)] if momentum else []


def adam(lr: float, decoupled_decay: float = 0.0) -> Optimizer:
    def update(parameter: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        first, second, step = state
        step = step + 1
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * mx.square(gradient)
        size = mx.sqrt(second / (1 - mx.power(0.999, step))) + 1e-8
        if decoupled_decay:
            parameter = parameter * (1 - lr * decoupled_decay)
        return parameter - lr * first / (1 - mx.power(0.9, step)) / size, [first, second, step]

    return update, lambda parameter: [
        mx.zeros_like(parameter),
        mx.zeros_like(parameter),
        mx.array(0.0),
    ]


def mlp(activation: Callable[[Any], Any] = nn.relu) -> Forward:
    def forward(parameters: Parameters, x: Any) -> Any:
        pairs = list(zip(parameters[::2], parameters[1::2]))
        for weight, bias in pairs[:-1]:
            x = activation(mx.addmm(bias, x, weight.T))
        weight, bias = pairs[-1]
        return mx.addmm(bias, x, weight.T)

    return forward


def iris(parameters: Parameters, x: Any) -> Any:
    return mx.softmax(mlp(mx.sigmoid)(parameters, x), axis=1)


def pool(x: Any) -> Any:
    return nn.MaxPool2d(2, 2)(x)


def digits_cnn(parameters: Parameters, x: Any) -> Any:
    weight, bias, output, output_bias = parameters
    x = pool(nn.relu(mx.conv2d(x.reshape(-1, 8, 8, 1), weight, padding=1) + bias))
    return mx.addmm(output_bias, x.reshape(-1, 128), output.T)


def mnist_cnn(parameters: Parameters, x: Any) -> Any:
    x = x.reshape(-1, 28, 28, 1)
    for weight, bias in (parameters[0:2], parameters[2:4]):
        x = pool(nn.relu(mx.conv2d(x, weight) + bias))
    return mx.addmm(parameters[5], x.reshape(-1, 320), parameters[4].T)


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
        h = mx.addmm(qkv_bias, mx.fast.layer_norm(x, n1, n1b, 1e-5), qkv.T)
        query, key, value = (
            part.reshape(rows, length, heads, -1).transpose(0, 2, 1, 3)
            for part in mx.split(h, 3, axis=-1)
        )
        mixed = mx.fast.scaled_dot_product_attention(
            query, key, value, scale=1 / math.sqrt(width // heads), mask="causal"
        )
        mixed = mixed.transpose(0, 2, 1, 3).reshape(rows, length, width)
        x = x + mx.addmm(out_bias, mixed, out.T)
        h = nn.gelu(mx.addmm(up_bias, mx.fast.layer_norm(x, n2, n2b, 1e-5), up.T))
        x = x + mx.addmm(down_bias, h, down.T)
    x = mx.fast.layer_norm(x, norm, norm_bias, 1e-5)
    return (x @ head.T).reshape(-1, head.shape[0])


def lstm(parameters: Parameters, x: Any) -> Any:
    weight, recurrent, bias, recurrent_bias, head, head_bias = parameters
    gates_of_inputs = mx.addmm(bias + recurrent_bias, x, weight.T)
    hidden = memory = mx.zeros((x.shape[0], recurrent.shape[1]))
    for step in range(x.shape[1]):  # as mlx.nn.LSTM does: MLX has no loop over arrays
        gates = mx.addmm(gates_of_inputs[:, step], hidden, recurrent.T)
        i, f, g, o = mx.split(gates, 4, axis=-1)
        memory = mx.sigmoid(f) * memory + mx.sigmoid(i) * mx.tanh(g)
        hidden = mx.sigmoid(o) * mx.tanh(memory)
    return mx.addmm(head_bias, hidden, head.T)[:, 0]


MODELS: dict[str, tuple[Forward, Callable[[Any, Any], Any], Optimizer]] = {
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
IMAGE_SIDE = {"digits-cnn": 4, "mnist-cnn": 4}
"""Rows and columns of the last convolution's pooled image, which a linear layer reads."""


def channels_last(name: str, initial: list[np.ndarray]) -> list[np.ndarray]:
    """The parameters in the order in which MLX's convolutions need them."""
    side = IMAGE_SIDE.get(name)
    if side is None:
        return initial
    channels = 0
    ordered = []
    for array in initial:
        if array.ndim == 4:
            channels = array.shape[0]
            array = array.transpose(0, 2, 3, 1)
        elif array.ndim == 2:
            images = array.reshape(-1, channels, side, side)
            array = images.transpose(0, 2, 3, 1).reshape(array.shape)
        ordered.append(np.ascontiguousarray(array))
    return ordered


def batch(arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    """A batch as MLX's arrays; class numbers as int32, which MLX's own loaders give."""
    small = [array.astype(np.int32) if array.dtype == np.int64 else array for array in arrays]
    made = tuple(mx.array(array) for array in small)
    mx.eval(*made)
    return made


def jitted_step(name: str, initial: list[np.ndarray]) -> Callable[[Any, Any], Any]:
    """`step(inputs, targets)` that updates its own parameters and returns the loss."""
    forward, criterion, (update, first_state) = MODELS[name]
    parameters: Any = [mx.array(array) for array in channels_last(name, initial)]
    state: Any = [first_state(parameter) for parameter in parameters]
    mx.eval(parameters, state)
    differentiated = mx.value_and_grad(
        lambda parameters, inputs, targets: criterion(forward(parameters, inputs), targets)
    )

    @mx.compile
    def pure_step(parameters: Any, state: Any, inputs: Any, targets: Any) -> Any:
        loss, gradients = differentiated(parameters, inputs, targets)
        updated = [update(p, g, s) for p, g, s in zip(parameters, gradients, state)]
        return [p for p, _ in updated], [s for _, s in updated], loss

    def step(inputs: Any, targets: Any) -> Any:
        nonlocal parameters, state
        parameters, state, loss = pure_step(parameters, state, inputs, targets)
        mx.eval(loss, parameters, state)
        return loss

    return step
