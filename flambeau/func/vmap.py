"""``vmap``: a function of one member, run on all members of a batch in one vectorised pass.

Source: https://pytorch.org/docs/stable/generated/torch.func.vmap.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..autograd import batching
from ..namespaces.batched_array import BatchedArray, Level
from ..tensor import Tensor
from ..utils._pytree import (
    TreeSpec,
    _broadcast_to_and_flatten,
    tree_flatten,
    tree_leaves,
    tree_unflatten,
)
from .active_levels import Inside, active_levels

_RANDOMNESS = ("error", "different", "same")


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that maps ``func`` over a dim of its inputs.

    ``func`` is run once, on tensors that have the shape of one member; every operation in it works
    on all members at once.  What it returns is stacked.

    Args:
        func: takes tensors (in containers, if need be) and returns tensors.
        in_dims: which dim of each input to map over, None for an input that is the same for all
            members: one int for all, or a tuple with the structure of the arguments.
        out_dims: where the mapped dim is in each output; None for an output that is the same for
            all members.
        randomness: what random numbers in ``func`` are: "error" refuses them, "different" gives
            each member its own, "same" all the same.
        chunk_size: how many members to run at once, None for all.

    Returns:
        a function of the same arguments, the mapped dims added.  Keyword arguments are the same for
        all members.

    Raises:
        ValueError: the dims do not fit the arguments or results, which the message shows; sizes of
            mapped dims differ.
        RuntimeError: ``func`` asks for a value (``.item()``, ``if``), which differs from member to
            member; it writes members' values to a tensor that they share; it draws random numbers
            and ``randomness`` is "error".

    Source: https://pytorch.org/docs/stable/generated/torch.func.vmap.html
    """
    if randomness not in _RANDOMNESS:
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(func, out_dims)
        size, dims, leaves, spec = _mapped(func, in_dims, args)
        if chunk_size is None or chunk_size >= size:
            return _run(func, size, dims, leaves, spec, out_dims, randomness, kwargs)
        return _run_in_chunks(
            func, size, dims, leaves, spec, out_dims, randomness, kwargs, chunk_size
        )

    return wrapped


def _name(func: Any) -> str:
    if hasattr(func, "__name__"):
        return func.__name__
    if isinstance(func, functools.partial):
        return f"functools.partial({_name(func.func)}, ...)"
    return repr(func)


def _check_out_dims(func: Any, out_dims: Any) -> None:
    for dim in tree_leaves(out_dims):
        if not isinstance(dim, int) and dim is not None:
            raise ValueError(
                f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None "
                "or a python collection of ints representing where in the outputs the vmapped "
                "dimension should appear."
            )


def _mapped(
    func: Any, in_dims: Any, args: tuple[Any, ...]
) -> tuple[int, list[int | None], list[Any], TreeSpec]:
    """The batch's size; for each leaf of ``args`` the mapped dim; the leaves and structure."""
    head = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{head}expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you "
            "are trying to vmap over a function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = _broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{head}in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    sizes = []
    for i, (leaf, dim) in enumerate(zip(leaves, dims)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{head}Got in_dim={dim} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{head}Got in_dim={dim} for an input but the input is of type {type(leaf)}. We "
                "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        n = leaf.dim()
        if not -n <= dim < n:
            raise ValueError(
                f"{head}Got in_dim={dim} for some input, but that input is a Tensor of "
                f"dimensionality {n} so expected in_dim to satisfy -{n} <= in_dim < {n}."
            )
        dims[i] = dim % n
        sizes.append(leaf.shape[dims[i]])
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0], dims, leaves, spec


def _run(
    func: Any,
    size: int,
    dims: list[int | None],
    leaves: list[Any],
    spec: TreeSpec,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
) -> Any:
    level = Level(size, randomness, len(active_levels()) + 1)
    with Inside(level):
        inputs = [
            leaf if dim is None else batching.enter(leaf, level, dim)
            for leaf, dim in zip(leaves, dims)
        ]
        results = func(*tree_unflatten(inputs, spec), **kwargs)
    return _unwrapped(func, results, out_dims, level)


def _unwrapped(func: Any, results: Any, out_dims: Any, level: Level) -> Any:
    """``results`` with the batch as a dim again."""
    leaves, spec = tree_flatten(results)
    if isinstance(results, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        out_dims = out_dims[0]
    dims = _broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible "
            f"with the structure of `outputs`. out_dims has structure {tree_flatten(out_dims)[1]} "
            f"but outputs has structure {spec}."
        )
    return tree_unflatten([_left(func, t, dim, level) for t, dim in zip(leaves, dims)], spec)


def _left(func: Any, result: Any, dim: int | None, level: Level) -> Any:
    name = _name(func)
    if dim is None:
        array = getattr(result, "_array", None)
        if array.__class__ is BatchedArray and level in array.levels:
            raise ValueError(
                f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
            )
        return result
    if not isinstance(result, Tensor):
        raise ValueError(
            f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(result)}. Did "
            "you mean to set out_dims= to None for output?"
        )
    n = result.dim() + 1
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return batching.leave(result, level, dim % n)


def _run_in_chunks(
    func: Any,
    size: int,
    dims: list[int | None],
    leaves: list[Any],
    spec: TreeSpec,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
    chunk_size: int,
) -> Any:
    """Chunk after chunk, the results joined."""
    from ..ops.shape import cat
    from ..random import default_generator

    before = default_generator.state_bytes() if randomness == "same" else None
    columns: list[list[Any]] = []
    result_spec: TreeSpec | None = None
    for start in range(0, size, chunk_size):
        count = min(chunk_size, size - start)
        part = [
            leaf if dim is None else leaf.narrow(dim, start, count)
            for leaf, dim in zip(leaves, dims)
        ]
        if before is not None:
            default_generator.set_state_bytes(before)
        results = _run(func, count, dims=dims, leaves=part, spec=spec, out_dims=out_dims,
                       randomness=randomness, kwargs=kwargs)  # fmt: skip
        found, result_spec = tree_flatten(results)
        columns = columns or [[] for _ in found]
        for column, tensor in zip(columns, found):
            column.append(tensor)
    assert result_spec is not None
    if isinstance(out_dims, tuple) and len(out_dims) == 1 and result_spec.is_leaf():
        out_dims = out_dims[0]
    joined_dims = _broadcast_to_and_flatten(out_dims, result_spec)
    assert joined_dims is not None
    joined = [c[0] if dim is None else cat(c, dim) for c, dim in zip(columns, joined_dims)]
    return tree_unflatten(joined, result_spec)
