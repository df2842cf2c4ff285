"""``einsum``: sums of products, said with letters for the dims.

Operands are contracted two at a time, from the left, each time by one batched matrix product: dims
that both have and that are needed later are its batch, those that are not its inner dim.

Source: https://pytorch.org/docs/stable/generated/torch.einsum.html
"""

from __future__ import annotations

import math
from typing import Any

from ..tensor import TENSORS
from .matmul import matmul
from .operation import composite

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ELLIPSIS = "..."
Labels = list[Any]


def _letters(text: str, where: str) -> Labels:
    """The subscripts in ``text``: letters, and ``...`` at most once."""
    labels: Labels = []
    i = 0
    while i < len(text):
        if text[i] == " ":
            i += 1
        elif text[i] == ".":
            if text[i : i + 3] != ELLIPSIS or ELLIPSIS in labels:
                raise RuntimeError(f"einsum(): found '.' {where} that is not part of any ellipsis")
            labels.append(ELLIPSIS)
            i += 3
        elif text[i] in _LETTERS:
            labels.append(text[i])
            i += 1
        else:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {i} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
    return labels


def _parsed(equation: str, count: int) -> tuple[list[Labels], Labels | None]:
    inputs, arrow, output = equation.partition("->")
    parts = inputs.split(",")
    if len(parts) < count:
        raise RuntimeError(
            "einsum(): fewer operands were provided than specified in the equation"
            if not equation else
            "einsum(): more operands were provided than specified in the equation"
        )  # fmt: skip
    if len(parts) > count:
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    labels = [_letters(p, f"for operand {i}") for i, p in enumerate(parts)]
    return labels, _letters(output, "in the output") if arrow else None


def _from_sublists(args: tuple[Any, ...]) -> tuple[list[Any], list[Labels], Labels | None]:
    """Operands, their labels and the output's, of ``einsum(a, [0, 1], b, [1, 2], [0, 2])``."""

    def labels(sublist: Any) -> Labels:
        made: Labels = []
        for item in sublist:
            if item is Ellipsis:
                made.append(ELLIPSIS)
            elif 0 <= item < len(_LETTERS):
                made.append(_LETTERS[item])
            else:
                raise RuntimeError("einsum(): not within the valid range [0, 52)")
        return made

    output = labels(args[-1]) if len(args) % 2 else None
    pairs = args[: len(args) // 2 * 2]
    return list(pairs[::2]), [labels(s) for s in pairs[1::2]], output


@composite(method=False)
def einsum(*args: Any) -> Any:
    """The sums of products of the operands that an equation says.

    Args:
        args: the equation, such as ``"bij,bjk->bik"``, and the operands; or each operand followed
            by the list of its subscripts (whole numbers), and at the end those of the output.

    Returns:
        a tensor with the output's subscripts as dims; without ``->`` those that occur once, in
        alphabetical order.

    Raises:
        RuntimeError: the equation does not fit the operands, or their sizes not each other.
        ValueError: there are no arguments.
    """
    if len(args) == 3 and args[0].__class__ is str:
        _, a, b = args
        if a.__class__ in TENSORS and b.__class__ in TENSORS:
            key = (args[0], a._array.shape, b._array.shape)
            plan = _PLANS.get(key, key)
            if plan is key:
                if len(_PLANS) >= 256:
                    _PLANS.clear()
                plan = _PLANS[key] = _planned(*key)
            if plan is not None:
                return _product(a, b, *plan)
    if not args:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if isinstance(args[0], str):
        operands = list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
            operands = list(operands[0])
        labels, output = _parsed(args[0], len(operands))
    else:
        operands, labels, output = _from_sublists(args)
    if not operands:
        raise RuntimeError("einsum(): must provide at least one operand")
    return _contracted(operands, labels, output)


_PLANS: dict[Any, tuple[Any, ...] | None] = {}
"""The steps to the product of two operands, of the equations and shapes of late."""


def _planned(
    equation: str, shape_a: tuple[int, ...], shape_b: tuple[int, ...]
) -> tuple[Any, ...] | None:
    """The steps of :func:`_product` if one matrix product is all that the equation asks for."""
    try:
        (names_a, names_b), wanted = _parsed(equation, 2)
    except RuntimeError:
        return None  # the way of all equations says what is wrong
    if (
        wanted is None
        or any(ELLIPSIS in names for names in (names_a, names_b, wanted))
        or any(len(set(names)) != len(names) for names in (names_a, names_b, wanted))
        or len(names_a) != len(shape_a)
        or len(names_b) != len(shape_b)
        or not set(wanted) <= set(names_a) | set(names_b)
    ):
        return None
    size_a, size_b = dict(zip(names_a, shape_a)), dict(zip(names_b, shape_b))
    shared = [n for n in names_a if n in size_b]
    batch = [n for n in shared if n in wanted]
    inner = [n for n in shared if n not in wanted]
    left = [n for n in names_a if n not in size_b]
    right = [n for n in names_b if n not in size_a]
    if (
        any(size_a[n] != size_b[n] for n in shared)
        or not inner
        or not set(left) | set(right) <= set(wanted)
    ):
        return None
    rows: tuple[int, ...] | None = None
    columns: tuple[int, ...] | None = None
    made: tuple[int, ...] | None = None
    if len(left) != 1 or len(right) != 1 or len(inner) != 1:
        sizes = size_a | size_b
        n, k, m, count = (
            math.prod(sizes[n] for n in names) for names in (left, inner, right, batch)
        )
        rows, columns = ((count, n, k), (count, k, m)) if batch else ((n, k), (k, m))
        made = tuple(sizes[n] for n in (*batch, *left, *right))

    def order(names: Labels, wanted: Labels) -> tuple[int, ...] | None:
        found = tuple(names.index(n) for n in wanted)
        return None if found == tuple(range(len(found))) else found

    return (
        order(names_a, [*batch, *left, *inner]), rows, order(names_b, [*batch, *inner, *right]),
        columns, made, order([*batch, *left, *right], wanted),
    )  # fmt: skip


def _product(
    a: Any, b: Any, order_a: Any, rows: Any, order_b: Any, columns: Any, made: Any, order: Any
) -> Any:
    """A matrix product of two tensors, with permutations and reshapes where not None."""
    if order_a is not None:
        a = a.permute(order_a)
    if order_b is not None:
        b = b.permute(order_b)
    if rows is not None:
        a, b = a.reshape(rows), b.reshape(columns)
    product = matmul.function(a, b)
    if made is not None:
        product = product.reshape(made)
    return product if order is None else product.permute(order)


def _contracted(operands: list[Any], labels: list[Labels], output: Labels | None) -> Any:
    wide = _ellipsis_dims(operands, labels)
    names = [_spelled_out(item, tensor, wide) for item, tensor in zip(labels, operands)]
    if output is None:
        flat = [n for item in labels for n in item if n != ELLIPSIS]
        letters = sorted(n for n in set(flat) if flat.count(n) == 1)
        output = [*([ELLIPSIS] if wide else []), *letters]
    wanted = []
    for label in output:
        if label == ELLIPSIS:
            wanted += [("...", i) for i in range(wide)]
        elif label in wanted:
            raise RuntimeError(
                f"einsum(): output subscript {label} appears more than once in the output"
            )
        elif not any(label in n for n in names):
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input "
                "operand"
            )
        else:
            wanted.append(label)
    sizes = _sizes(operands, names)
    terms = [_diagonals(t, n, sizes) for t, n in zip(operands, names)]
    tensor, have = terms[0]
    for position in range(1, len(terms)):
        other, others = terms[position]
        later = set(wanted).union(*(n for _, n in terms[position + 1 :]))
        tensor, have = _pair(tensor, have, other, others, later, sizes)
    gone = tuple(i for i, n in enumerate(have) if n not in wanted)
    if gone:
        tensor = tensor.sum(gone)
        have = [n for n in have if n in wanted]
    order = tuple(have.index(n) for n in wanted)
    if order != tuple(range(len(order))):
        tensor = tensor.permute(order)
    full = tuple(sizes[n] for n in wanted)
    return tensor if tuple(tensor._array.shape) == full else tensor.expand(full)


def _ellipsis_dims(operands: list[Any], labels: list[Labels]) -> int:
    """How many dims the ellipses stand for, at most."""
    widest = 0
    for position, (tensor, item) in enumerate(zip(operands, labels)):
        named = sum(label != ELLIPSIS for label in item)
        ndim = tensor._array.ndim
        if ELLIPSIS in item:
            if named > ndim:
                raise RuntimeError(
                    f"einsum(): the number of subscripts in the equation ({named}) is more than "
                    f"the number of dimensions ({ndim}) for operand {position}"
                )
            widest = max(widest, ndim - named)
        elif named != ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the "
                f"number of dimensions ({ndim}) for operand {position} and no ellipsis was given"
            )
    return widest


def _spelled_out(labels: Labels, tensor: Any, wide: int) -> Labels:
    """``labels`` with a name for every dim that an ellipsis stands for, counted from the last."""
    result: Labels = []
    for label in labels:
        if label == ELLIPSIS:
            count = tensor._array.ndim - (len(labels) - 1)
            result += [("...", i) for i in range(wide - count, wide)]
        else:
            result.append(label)
    return result


def _sizes(operands: list[Any], names: list[Labels]) -> dict[Any, int]:
    """The size of each name; sizes of 1 broadcast."""
    sizes: dict[Any, int] = {}
    for position, (tensor, item) in enumerate(zip(operands, names)):
        for name, n in zip(item, tensor._array.shape):
            known = sizes.setdefault(name, n)
            if known == 1:
                sizes[name] = n
            elif n not in (1, known):
                shown = name if isinstance(name, str) else "..."
                raise RuntimeError(
                    f"einsum(): subscript {shown} has size {n} for operand {position} which does "
                    f"not broadcast with previously seen size {known}"
                )
    return sizes


def _diagonals(tensor: Any, names: Labels, sizes: dict[Any, int]) -> tuple[Any, Labels]:
    """``tensor`` with one dim for every name, and the names in order."""
    names = list(names)
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            n, m = tensor._array.shape[first], tensor._array.shape[second]
            if n != m:
                raise RuntimeError(
                    f"einsum(): subscript {name} is repeated for operand but the sizes don't "
                    f"match, {m} != {n}"
                )
            tensor = tensor.diagonal(0, first, second)
            del names[second], names[first]
            names.append(name)
    return tensor, names


def _pair(
    a: Any, names_a: Labels, b: Any, names_b: Labels, later: set[Any], sizes: dict[Any, int]
) -> tuple[Any, Labels]:
    """Two operands contracted over what is not needed later."""
    a, names_a = _summed(a, names_a, later | set(names_b))
    b, names_b = _summed(b, names_b, later | set(names_a))
    stretched = {
        n for n in names_a if n in names_b
        and a._array.shape[names_a.index(n)] != b._array.shape[names_b.index(n)]
    }  # fmt: skip
    if stretched:  # sizes of 1 that broadcast: let them
        a, b = (_stretched(t, ns, stretched, sizes) for t, ns in ((a, names_a), (b, names_b)))
    shared = [n for n in names_a if n in names_b]
    batch = [n for n in shared if n in later]
    inner = [n for n in shared if n not in later]
    left = [n for n in names_a if n not in shared]
    right = [n for n in names_b if n not in shared]
    size_a = dict(zip(names_a, a._array.shape))
    size_b = dict(zip(names_b, b._array.shape))

    def count(names: Labels, known: dict[Any, int]) -> int:
        return math.prod(known[n] for n in names)

    a = a.permute(tuple(names_a.index(n) for n in (*batch, *left, *inner)))
    b = b.permute(tuple(names_b.index(n) for n in (*batch, *inner, *right)))
    result_sizes = (
        *(size_a[n] for n in batch), *(size_a[n] for n in left), *(size_b[n] for n in right)
    )  # fmt: skip
    if not inner:
        one = (1,) * len(right)
        a = a.reshape((*a._array.shape, *one)) if one else a
        middle = (1,) * len(left)
        b = b.reshape((*b._array.shape[: len(batch)], *middle, *b._array.shape[len(batch) :]))
        return a * b, [*batch, *left, *right]
    rows = (count(batch, size_a), count(left, size_a), count(inner, size_a))
    columns = (count(batch, size_b), count(inner, size_b), count(right, size_b))
    if not batch:
        rows, columns = rows[1:], columns[1:]  # type: ignore[assignment]
    product = matmul(a.reshape(rows), b.reshape(columns))
    return product.reshape(result_sizes), [*batch, *left, *right]


def _summed(tensor: Any, names: Labels, needed: set[Any]) -> tuple[Any, Labels]:
    gone = tuple(i for i, n in enumerate(names) if n not in needed)
    if not gone:
        return tensor, names
    return tensor.sum(gone), [n for n in names if n in needed]


def _stretched(tensor: Any, names: Labels, wanted: set[Any], sizes: dict[Any, int]) -> Any:
    shape = tuple(sizes[n] if n in wanted else size for n, size in zip(names, tensor._array.shape))
    return tensor.expand(shape)
