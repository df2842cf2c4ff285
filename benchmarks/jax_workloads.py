"""The workloads as a JAX user writes them: pure functions, one jitted step, parameters donated.

They start from flambeau's initial parameters, so that their losses can be checked too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Parameters = list[Any]
Forward = Callable[[Parameters, Any], Any]
Optimizer = tuple[Callable[[Any, Any, Any], tuple[Any, Any]], Callable[[Any], Any]]
"""`update(parameter, gradient, state)` to the next parameter and state; the first state."""


def cross_entropy(scores: Any, targets: Any) -> Any:
    logs = jax.nn.log_softmax(scores)
    return -jnp.mean(jnp.take_along_axis(logs, targets[:, None], axis=1))


def squared_error(predicted: Any, targets: Any) -> Any:
    return jnp.mean((predicted - targets) ** 2)


def sgd(lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> Optimizer:
    def update(parameter: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        gradient = gradient + weight_decay * parameter
        if momentum:
            state = (momentum * state[0] + gradient,)
            gradient = state[0]
        return parameter - lr * gradient, state

    return update, lambda parameter: (jnp.zeros_like(parameter),) if momentum else ()


def adam(lr: float, decoupled_decay: float = 0.0) -> Optimizer:
    def update(parameter: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        first, second, step = state
        step = step + 1
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        size = jnp.sqrt(second / (1 - 0.999**step)) + 1e-8
        parameter = parameter * (1 - lr * decoupled_decay)
        return parameter - lr * first / (1 - 0.9**step) / size, (first, second, step)

    return update, lambda parameter: (
        jnp.zeros_like(parameter),
        jnp.zeros_like(parameter),
        jnp.zeros(()),
    )


def mlp(activation: Callable[[Any], Any] = jax.nn.relu) -> Forward:
    def forward(parameters: Parameters, x: Any) -> Any:
        pairs = list(zip(parameters[::2], parameters[1::2]))
        for weight, bias in pairs[:-1]:
            x = activation(x @ weight.T + bias)
        weight, bias = pairs[-1]
        return x @ weight.T + bias

    return forward


def convolve(x: Any, weight: Any, bias: Any, padding: int = 0) -> Any:
    out = lax.conv_general_dilated(x, weight, (1, 1), [(padding, padding)] * 2)
    return out + bias[:, None, None]


def pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def digits_cnn(parameters: Parameters, x: Any) -> Any:
    weight, bias, output, output_bias = parameters
    x = pool(jax.nn.relu(convolve(x.reshape(-1, 1, 8, 8), weight, bias, 1)))
    return x.reshape(-1, 128) @ output.T + output_bias


def mnist_cnn(parameters: Parameters, x: Any) -> Any:
    for weight, bias in (parameters[0:2], parameters[2:4]):
        x = pool(jax.nn.relu(convolve(x, weight, bias)))
    return x.reshape(-1, 320) @ parameters[4].T + parameters[5]


def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def character_gpt(parameters: Parameters, index: Any, heads: int = 4) -> Any:
    token, position, *rest = parameters
    *blocks, norm, norm_bias, head = rest
    x = token[index] + position[: index.shape[1]]
    rows, length, width = x.shape
    mask = jnp.tril(jnp.ones((length, length), bool))
    for first in range(0, len(blocks), 12):
        # in the order of the modules' definition: two norms, attention's two layers, the MLP's two
        n1, n1b, n2, n2b, qkv, qkv_bias, out, out_bias, up, up_bias, down, down_bias = blocks[
            first : first + 12
        ]
        h = layer_norm(x, n1, n1b) @ qkv.T + qkv_bias
        query, key, value = (
            part.reshape(rows, length, heads, -1).swapaxes(1, 2) for part in jnp.split(h, 3, -1)
        )
        scores = query @ key.swapaxes(2, 3) / np.sqrt(width // heads)
        weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))
        x = x + (weights @ value).swapaxes(1, 2).reshape(rows, length, width) @ out.T + out_bias
        h = jax.nn.gelu(layer_norm(x, n2, n2b) @ up.T + up_bias, approximate=False)
        x = x + h @ down.T + down_bias
    return (layer_norm(x, norm, norm_bias) @ head.T).reshape(-1, head.shape[0])


def lstm(parameters: Parameters, x: Any) -> Any:
    weight, recurrent, bias, recurrent_bias, head, head_bias = parameters
    gates_of_inputs = x @ weight.T + bias + recurrent_bias

    def cell(state: Any, gates: Any) -> tuple[Any, None]:
        hidden, memory = state
        i, f, g, o = jnp.split(gates + hidden @ recurrent.T, 4, -1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(memory), memory), None

    zero = jnp.zeros((x.shape[0], recurrent.shape[1]), x.dtype)
    (hidden, _), _ = lax.scan(cell, (zero, zero), gates_of_inputs.swapaxes(0, 1))
    return (hidden @ head.T + head_bias)[:, 0]


def iris(parameters: Parameters, x: Any) -> Any:
    return jax.nn.softmax(mlp(jax.nn.sigmoid)(parameters, x))


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


def batch(arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    """A batch as JAX's arrays."""
    return tuple(jnp.asarray(array) for array in arrays)


def jitted_step(name: str, initial: list[np.ndarray]) -> Callable[[Any, Any], Any]:
    """`step(inputs, targets)` that updates its own parameters and returns the loss."""
    forward, criterion, (update, first_state) = MODELS[name]
    parameters: Any = [jnp.asarray(array) for array in initial]
    state: Any = [first_state(parameter) for parameter in parameters]

    def pure_step(parameters: Any, state: Any, inputs: Any, targets: Any) -> Any:
        loss, gradients = jax.value_and_grad(
            lambda parameters: criterion(forward(parameters, inputs), targets)
        )(parameters)
        updated = [update(p, g, s) for p, g, s in zip(parameters, gradients, state)]
        return [p for p, _ in updated], [s for _, s in updated], loss

    compiled = jax.jit(pure_step, donate_argnums=(0, 1))

    def step(inputs: Any, targets: Any) -> Any:
        nonlocal parameters, state
        parameters, state, loss = compiled(parameters, state, inputs, targets)
        return loss

    return step
