"""Linear and bilinear maps, one-hot vectors.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (linear functions)
"""

from __future__ import annotations

import flambeau
from flambeau.ops import matmul as _matmul
from flambeau.ops.index_checks import require_in_range
from flambeau.tensor import Tensor

__all__ = [
    "bilinear",
    "linear",
    "one_hot",
]


linear = _matmul.linear.function


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1^T A x2 + b.

    Args:
        input1: ``(*, in1_features)``.
        input2: ``(*, in2_features)``.
        weight: ``(out_features, in1_features, in2_features)``.
        bias: ``(out_features)``.

    Returns:
        ``(*, out_features)``.

    Raises:
        RuntimeError: shapes that do not fit each other.
    """
    if input1.dim() != input2.dim() or input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{list(input1.shape)} and {list(input2.shape)}"
        )
    for name, input, place in (("input1", input1, 1), ("input2", input2, 2)):
        if input.shape[-1] != weight.shape[place]:
            raise RuntimeError(
                f"bilinear(): {name} size does not match weight size: got {input.shape[-1]} but "
                f"expected {weight.shape[place]}"
            )
    batch = tuple(input1.shape[:-1])
    rows1 = input1.reshape(-1, input1.shape[-1])
    rows2 = input2.reshape(-1, input2.shape[-1])
    # (features, rows, in2) = rows1 @ weight, then each row's product with rows2
    result = (flambeau.matmul(rows1, weight) * rows2).sum(-1, dtype=rows1.dtype).t()
    result = result.contiguous().reshape((*batch, weight.shape[0]))
    return result if bias is None else result + bias


def _no_class(value: int) -> RuntimeError:
    least = "non-negative" if value < 0 else "smaller than num_classes"
    return RuntimeError(f"Class values must be {least}.")


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Ones at the places that ``tensor`` names, else zeros.

    Args:
        tensor: ``(*)``, integers from 0.
        num_classes: size of the new last dimension (-1: the largest integer plus one).

    Returns:
        ``(*, num_classes)``, int64.

    Raises:
        RuntimeError: ``tensor`` is not int64, has elements below 0 or from ``num_classes`` on, or
            is empty and ``num_classes`` not given.
    """
    if tensor.dtype is not flambeau.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, but got {tensor.dtype}"
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return flambeau.empty((*tensor.shape, num_classes), dtype=flambeau.int64)
    if num_classes > 0 and hasattr(tensor._array, "batch_memory"):  # nobody knows its elements
        return (tensor.unsqueeze(-1) == flambeau.arange(num_classes)).to(flambeau.int64)
    if num_classes > 0:
        require_in_range(tensor._array, 0, num_classes, _no_class)
    else:
        if int(tensor.min()) < 0:
            raise _no_class(-1)
        largest = int(tensor.max())
        if num_classes != -1:
            raise _no_class(largest)
        num_classes = largest + 1
    result = flambeau.zeros((*tensor.shape, num_classes), dtype=flambeau.int64)
    return result.scatter_(-1, tensor.unsqueeze(-1), 1)
