"""``jacrev``, ``jacfwd`` and ``hessian``: whole Jacobians, all rows or columns in one pass.

Source: https://pytorch.org/docs/stable/func.api.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from ..utils._pytree import tree_flatten, tree_map, tree_unflatten
from .arguments import Argnums, replaced, selected
from .gradients import vjp
from .tangents import jvp
from .vmap import vmap


def _basis(tensors: Sequence[Tensor]) -> list[Tensor]:
    """For each tensor (n, *shape): the n unit vectors of all their elements together."""
    total = sum(t.numel() for t in tensors)
    result, start = [], 0
    for tensor in tensors:
        count = tensor.numel()
        rows = np.zeros((total, count), tensor._array.dtype)
        rows[start : start + count] = np.eye(count, dtype=rows.dtype)
        result.append(wrap(rows.reshape((total, *tensor._array.shape))))
        start += count
    return result


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that computes the Jacobian of ``func``, row by row of backward passes.

    Cheaper than :func:`jacfwd` for functions of more inputs than outputs.

    Args:
        func: returns tensors.
        argnums: which argument(s) to differentiate with respect to; trees of tensors.
        has_aux: whether ``func`` returns ``(output, aux)``.
        chunk_size: how many rows to compute at once, None for all.

    Returns:
        a function of the same arguments: for each output, for each selected input a tensor
        ``(*output shape, *input shape)``; and ``aux``, if ``has_aux``.

    Raises:
        ValueError: ``chunk_size`` is not positive.

    Source: https://pytorch.org/docs/stable/generated/torch.func.jacrev.html
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = selected(args, argnums)

        def of_chosen(values: Any) -> Any:
            return func(*replaced(args, argnums, values), **kwargs)

        output, pullback, *aux = vjp(of_chosen, chosen, has_aux=has_aux)
        outputs, spec = tree_flatten(output)
        inputs, inputs_spec = tree_flatten(chosen)

        def row(*cotangents: Tensor) -> tuple[Tensor, ...]:
            return tuple(tree_flatten(pullback(tree_unflatten(cotangents, spec)))[0])

        rows = vmap(row, chunk_size=chunk_size)(*_basis(outputs))
        jacobians, start = [], 0
        for output in outputs:
            shape, count = tuple(output.shape), output.numel()
            parts = [
                every.narrow(0, start, count).reshape((*shape, *input.shape))
                for every, input in zip(rows, inputs)
            ]
            jacobians.append(tree_unflatten(parts, inputs_spec))
            start += count
        result = tree_unflatten(jacobians, spec)
        return (result, aux[0]) if has_aux else result

    return wrapped


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """A function that computes the Jacobian of ``func``, column by column of derivatives.

    Cheaper than :func:`jacrev` for functions of more outputs than inputs.

    Args:
        func: returns tensors.
        argnums: which argument(s) to differentiate with respect to; trees of tensors.
        has_aux: whether ``func`` returns ``(output, aux)``.
        randomness: what random numbers in ``func`` are, as for :func:`vmap`.

    Returns:
        a function of the same arguments: for each output, for each selected input a tensor
        ``(*output shape, *input shape)``; and ``aux``, if ``has_aux``.

    Source: https://pytorch.org/docs/stable/generated/torch.func.jacfwd.html
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = selected(args, argnums)
        inputs, inputs_spec = tree_flatten(chosen)

        def of_chosen(values: Any) -> Any:
            return func(*replaced(args, argnums, values), **kwargs)

        def column(*tangents: Tensor) -> Any:
            direction = tree_unflatten(tangents, inputs_spec)
            found = jvp(of_chosen, (chosen,), (direction,), has_aux=has_aux)
            return found[1:]

        columns, *aux = vmap(column, randomness=randomness)(*_basis(inputs))
        every, spec = tree_flatten(columns)
        jacobians = []
        for result in every:
            shape = tuple(result.shape[1:])
            last = result.movedim(0, -1)
            parts, start = [], 0
            for input in inputs:
                count = input.numel()
                part = last.narrow(-1, start, count)
                parts.append(part.reshape((*shape, *input.shape)))
                start += count
            jacobians.append(tree_unflatten(parts, inputs_spec))
        result = tree_unflatten(jacobians, spec)
        if not has_aux:
            return result
        return result, tree_map(lambda t: t[0], aux[0])  # the same in all columns

    return wrapped


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that computes the second derivatives of ``func``.

    Args:
        func: returns tensors, usually one of one element.
        argnums: which argument(s) to differentiate with respect to; trees of tensors.

    Returns:
        a function of the same arguments: for each output and pair of inputs a tensor
        ``(*output shape, *first input's shape, *second input's shape)``.

    Source: https://pytorch.org/docs/stable/generated/torch.func.hessian.html
    """
    return jacfwd(jacrev(func, argnums), argnums)
