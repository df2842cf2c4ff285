"""Products of matrices and vectors.

Source: https://pytorch.org/docs/stable/torch.html#blas-and-lapack-operations
"""

from __future__ import annotations

from typing import Any

from ..namespaces import numpy
from .dims import require_tensors
from .dtype_checks import NUMBERS, require_kinds
from .older_calls import call_in_older_order
from .operation import Array, composite, operation, renamed, sum_to
from .pointwise import add, mul
from .products_of_matrices import product
from .small_programs import small


def _transposed(xp: Any, x: Any) -> Any:
    """The last two dims swapped."""
    n = x.ndim
    return xp.permute(x, (*range(n - 2), n - 1, n - 2))


@operation(node_name="MmBackward0", same_dtype=True, dtypes="number",
           samples=(((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)),
                    ((5, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (4, 3, 2))))  # fmt: skip
def matmul(xp, input: Array, other: Array):
    """The matrix product of two tensors.

    Vectors count as a row (left) or a column (right), dims before the last two as a batch, which
    broadcasts.

    Args:
        input: (*, n, k), or (k,).
        other: (*, k, m), or (k,), of the same dtype.

    Returns:
        (*, n, m), without the dim of a vector; that dtype.

    Raises:
        RuntimeError: an operand has no dims, or the sizes or dtypes do not fit.
        NotImplementedError: the dtype is bool.
    """
    return xp.matmul(input, other)


@matmul.vjp("input")
def _(xp, grad, input_shape, other):
    if len(input_shape) == 1 and other.ndim == 1:
        return grad * other
    if len(input_shape) == 1:  # (k) @ (..., k, m): the row vector, summed over the batch
        taken = xp.matmul(other, xp.reshape(grad, (*grad.shape, 1)))
        return xp.reshape(sum_to(xp, taken, (input_shape[0], 1)), tuple(input_shape))
    if other.ndim == 1:
        columns = xp.reshape(grad, (*grad.shape, 1))
        return columns * other
    return sum_to(xp, xp.matmul(grad, _transposed(xp, other)), tuple(input_shape))


@matmul.vjp("other")
def _(xp, grad, input, other_shape):
    if input.ndim == 1 and len(other_shape) == 1:
        return input * grad
    if len(other_shape) == 1:  # (..., n, k) @ (k)
        taken = xp.matmul(_transposed(xp, input), xp.reshape(grad, (*grad.shape, 1)))
        return xp.reshape(sum_to(xp, taken, (other_shape[0], 1)), (other_shape[0],))
    if input.ndim == 1:
        rows = xp.reshape(grad, (*grad.shape[:-1], 1, grad.shape[-1]))
        return sum_to(xp, xp.reshape(input, (input.shape[0], 1)) * rows, tuple(other_shape))
    return sum_to(xp, xp.matmul(_transposed(xp, input), grad), tuple(other_shape))


@matmul.kernel
def _(input, other):
    if input.ndim == 2 == other.ndim:
        return product(input, other)
    return numpy.matmul(input, other)


@matmul.vjp_kernel("input")
def _(grad, input_shape, other):
    if grad.ndim == 2 == other.ndim:
        return product(grad, other.T)
    return matmul.vjps[0].function(numpy, grad, input_shape, other)


@matmul.vjp_kernel("other")
def _(grad, input, other_shape):
    if grad.ndim == 2 == input.ndim:
        return product(input.T, grad)
    return matmul.vjps[1].function(numpy, grad, input, other_shape)


small(matmul, 1.2, 1.5, shapes=("other",))


@matmul.checked
def _(input, other):
    require_same_dtype(input, other)
    a, b = tuple(input.shape), tuple(other.shape)
    require_kinds("dot" if len(a) == len(b) == 1 else "addmm_impl_cpu_", NUMBERS, input)
    if not a or not b:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D"
        )
    inner = b[-2] if len(b) > 1 else b[0]
    if a[-1] == inner:
        if len(a) > 2 or len(b) > 2:
            from .dims import broadcast_error

            batches = [a[:-2], b[:-2]]
            for x, y in zip(reversed(batches[0]), reversed(batches[1])):
                if x != y and 1 not in (x, y):
                    raise broadcast_error(batches)
        return
    if len(a) == 1 and len(b) == 1:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a[0]}] and src [{b[0]}] to have the same "
            f"number of elements, but got {a[0]} and {b[0]} elements respectively"
        )
    if len(b) == 1:
        raise RuntimeError(
            f"size mismatch, got input ({a[-2]}), mat ({a[-2]}x{a[-1]}), vec ({b[0]})"
        )
    if len(a) <= 2 and len(b) == 2:
        rows = 1 if len(a) == 1 else a[0]
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a[-1]} and {b[0]}x{b[1]})"
        )
    raise RuntimeError(
        "Expected size for first two dimensions of batch2 tensor to be: "
        f"[{b[0]}, {a[-1]}] but got: [{b[0]}, {inner}]. (matmul of shapes {list(a)} and {list(b)})"
    )


def require_same_dtype(first: Any, second: Any, linear: bool = False) -> None:
    """Raise unless both arrays have one dtype."""
    if first.dtype != second.dtype:
        from .. import dtypes
        from ..tensor.views import _type_word

        a, b = dtypes.from_numpy_dtype(first.dtype), dtypes.from_numpy_dtype(second.dtype)
        words = {"Float": "float", "Double": "double", "Half": "c10::Half", "Long": "long long",
                 "Int": "int", "BFloat16": "c10::BFloat16", "Bool": "bool", "Byte": "unsigned char",
                 "ComplexFloat": "c10::complex<float>",
                 "ComplexDouble": "c10::complex<double>"}  # fmt: skip
        x, y = _type_word(a), _type_word(b)
        if linear:
            raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {x} and {y}")
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {words.get(x, x)} != "
            f"{words.get(y, y)}"
        )


@operation(
    method=False,
    public=False,
    node_name="AddmmBackward0",
    same_dtype=True,
    samples=(((5, 3), (4, 3), (4,)), ((2, 5, 3), (4, 3), (4,)), ((3,), (4, 3), (4,))),
)
def linear(xp, input: Array, weight: Array, bias: Array | None = None):
    """``input @ weight.T + bias``.

    Args:
        input: (*, in_features).
        weight: (out_features, in_features) or (in_features).
        bias: (out_features) or ().
    Returns:
        (*, out_features).

    Raises:
        RuntimeError: the sizes or dtypes do not fit, or ``weight`` has more dims.
    """
    result = xp.matmul(input, xp.permute(weight, tuple(range(weight.ndim))[::-1]))
    return result if bias is None else result + bias


@linear.kernel
def _(input, weight, bias=None):
    if weight.ndim != 2 or input.ndim < 2:
        return linear.forward(numpy, input, weight, bias)
    result = _rows_by(input, weight.T)
    if bias is not None:
        result += bias
    return result


def _rows_by(x: Any, matrix: Any) -> Any:
    """The product of ``x`` (*, n) and ``matrix`` (n, m), on NumPy."""
    if x.ndim == 2:
        return product(x, matrix)
    if not x.size:
        return numpy.matmul(x, matrix)
    rows = product(x.reshape(-1, x.shape[-1]), matrix)
    return rows.reshape(*x.shape[:-1], matrix.shape[1])


@linear.vjp("input")
def _(xp, grad, weight):
    if weight.ndim == 1:
        return xp.reshape(grad, (*grad.shape, 1)) * weight
    return xp.matmul(grad, weight)


@linear.vjp_kernel("input")
def _(grad, weight):
    if weight.ndim == 2 and grad.ndim > 1:
        return _rows_by(grad, weight)
    return linear.vjps[0].function(numpy, grad, weight)


@linear.vjp("weight")
def _(xp, grad, input, weight_shape):
    if len(weight_shape) == 1:
        rows = xp.reshape(input, (_rows(input), weight_shape[0]))
        return xp.sum(rows * xp.reshape(grad, (_rows(input), 1)), (0,), False)
    if grad.ndim == 1:
        return xp.reshape(grad, (grad.shape[0], 1)) * input
    if grad.ndim > 2:
        grad = xp.reshape(grad, (_rows(grad), weight_shape[0]))
        input = xp.reshape(input, (_rows(input), weight_shape[1]))
    return xp.matmul(xp.permute(grad, (1, 0)), input)


@linear.vjp_kernel("weight")
def _(grad, input, weight_shape):
    if len(weight_shape) == 2 and grad.ndim == 2:
        return product(grad.T, input)
    if len(weight_shape) == 2 and grad.ndim > 2 and grad.size:
        rows, columns = grad.reshape(-1, weight_shape[0]), input.reshape(-1, weight_shape[1])
        return product(rows.T, columns)
    return linear.vjps[1].function(numpy, grad, input, weight_shape)


def _rows(x: Any) -> int:
    count = 1
    for n in x.shape[:-1]:
        count *= n
    return count


@linear.vjp("bias")
def _(xp, grad, bias_shape):
    if grad.ndim <= len(bias_shape):
        return grad
    if not bias_shape:
        return xp.sum(grad, None, False)
    return xp.sum(grad, tuple(range(grad.ndim - 1)), False)


small(linear, 2, 3, shapes=("weight",))


@linear.checked
def _(input, weight, bias=None):
    if weight.ndim > 2:
        raise RuntimeError(f"linear(): weight must be 1-D or 2-D, got {list(weight.shape)}")
    require_same_dtype(input, weight, linear=True)
    if not input.ndim or input.shape[-1] != weight.shape[-1]:
        rows = 1
        for n in input.shape[:-1]:
            rows *= n
        out = weight.shape[0] if weight.ndim == 2 else 1
        last = input.shape[-1] if input.ndim else 1
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{last} and "
            f"{weight.shape[-1]}x{out})"
        )
    if (
        bias is not None
        and weight.ndim == 2
        and tuple(bias.shape) not in ((), (weight.shape[0],), (1,))
    ):
        raise RuntimeError(
            f"linear(): bias of shape {list(bias.shape)} does not fit {weight.shape[0]} output "
            "features"
        )


@composite
def mm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """The product of two matrices.

    Args:
        input: (n, k).
        mat2: (k, m), of the same dtype.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (n, m), of that dtype.

    Raises:
        RuntimeError: an operand is no matrix, or the sizes or dtypes do not fit.
    """
    if input.dim() != 2 or mat2.dim() != 2:
        which = "self" if input.dim() != 2 else "mat2"
        raise RuntimeError(f"{which} must be a matrix")
    return matmul(input, mat2) if out is None else matmul(input, mat2, out=out)


@composite
def bmm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """The products of two batches of matrices.

    Args:
        input: (b, n, k).
        mat2: (b, k, m), of the same dtype.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (b, n, m), of that dtype.

    Raises:
        TypeError: ``mat2`` is no tensor.
        RuntimeError: an operand has not three dims, or the sizes or dtypes do not fit.
    """
    if not hasattr(mat2, "_array"):
        require_tensors("bmm", input=input, mat2=mat2)
    shape, other = input._array.shape, mat2._array.shape
    if len(shape) != 3 or len(other) != 3:
        raise RuntimeError(f"batch{1 if len(shape) != 3 else 2} must be a 3D tensor")
    b, _n, k = shape
    if other[0] != b or other[1] != k:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{b}, {k}] but got: [{other[0]}, {other[1]}]."
        )
    if out is not None:
        return matmul(input, mat2, out=out)
    result = matmul.function(input, mat2)
    if result._node is not None:
        result._node.renamed = "BmmBackward0"
    return result


@composite
def mv(input: Any, vec: Any, *, out: Any = None) -> Any:
    """The product of a matrix and a vector.

    Args:
        input: (n, k).
        vec: (k,), of the same dtype.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (n,), of that dtype.

    Raises:
        RuntimeError: other numbers of dims, or the sizes or dtypes do not fit.
    """
    if input.dim() != 2 or vec.dim() != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.dim()}, {vec.dim()}")
    return matmul(input, vec, out=out)


@composite
def dot(input: Any, tensor: Any, *, out: Any = None) -> Any:
    """The sum of the products of two vectors' elements.

    Args:
        input, tensor: (n,), of one dtype.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        A tensor without dims, of that dtype.

    Raises:
        TypeError: ``tensor`` is no tensor.
        RuntimeError: an operand is no vector, or their sizes or dtypes differ.
    """
    if not hasattr(tensor, "_array"):
        require_tensors("dot", input=input, tensor=tensor)
    if input.dim() != 1 or tensor.dim() != 1:
        raise RuntimeError(
            f"1D tensors expected, but got {input.dim()}D and {tensor.dim()}D tensors"
        )
    if input.dtype is not tensor.dtype:
        from ..tensor.views import _type_word

        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{_type_word(input.dtype)} and {_type_word(tensor.dtype)}"
        )
    return matmul(input, tensor, out=out)


@composite
def outer(input: Any, vec2: Any, *, out: Any = None) -> Any:
    """The products of every element of one vector with every one of another.

    Args:
        input: (n,).
        vec2: (m,).
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (n, m), of the common dtype.

    Raises:
        TypeError: ``vec2`` is no tensor.
        RuntimeError: an operand is no vector.
    """
    if not hasattr(vec2, "_array"):
        require_tensors("outer", input=input, vec2=vec2)
    if input.dim() != 1 or vec2.dim() != 1:
        raise RuntimeError(
            f"outer: Expected 1-D argument {'self' if input.dim() != 1 else 'vec2'}, but got "
            f"{input.dim() if input.dim() != 1 else vec2.dim()}-D"
        )
    return mul(input.unsqueeze(1), vec2, out=out)


def weighted(tensor: Any, factor: float) -> Any:
    """``factor * tensor``, of whole numbers too: the factor is cut to their dtype."""
    if factor == 1:
        return tensor
    kind = tensor._array.dtype.kind
    return tensor * (bool(factor) if kind == "b" else int(factor) if kind in "iu" else factor)


def _sum(input: Any, product: Any, beta: float, alpha: float, out: Any) -> Any:
    product = weighted(product, alpha)
    shape, wanted = input._array.shape, product._array.shape
    if shape != wanted:
        input = input.expand(wanted)
    if beta != 0:
        return add(weighted(input, beta), product, out=out)
    return product if out is None else _write_out(product, out)


def _write_out(result: Any, out: Any) -> Any:
    from ..tensor.views import write_out

    return write_out("addmm", result, out)


@composite
def addmm(
    input: Any, mat1: Any, mat2: Any, *older: Any, beta: float = 1, alpha: float = 1,
    out: Any = None,
) -> Any:  # fmt: skip
    """``beta * input + alpha * (mat1 @ mat2)``.

    Args:
        input: (n, m), or what is broadcast to it; not looked at if ``beta`` is 0.
        mat1: (n, k).
        mat2: (k, m).
        beta, alpha: numbers; cut to whole ones for integers.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (n, m).

    Raises:
        RuntimeError: an operand is no matrix, or the sizes or dtypes do not fit.
    """
    if older:
        given = (input, mat1, mat2, *older)
        return call_in_older_order(addmm, ("beta", "alpha"), 3, given, (beta, alpha), out)
    return renamed(_sum(input, mm(mat1, mat2), beta, alpha, out), "AddmmBackward0")


@composite
def addmv(
    input: Any, mat: Any, vec: Any, *older: Any, beta: float = 1, alpha: float = 1,
    out: Any = None,
) -> Any:  # fmt: skip
    """``beta * input + alpha * (mat @ vec)``.

    Args:
        input: (n,), or what is broadcast to it; not looked at if ``beta`` is 0.
        mat: (n, k).
        vec: (k,).
        beta, alpha: numbers; cut to whole ones for integers.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (n,).

    Raises:
        RuntimeError: other numbers of dims, or the sizes or dtypes do not fit.
    """
    if older:
        given = (input, mat, vec, *older)
        return call_in_older_order(addmv, ("beta", "alpha"), 3, given, (beta, alpha), out)
    return _sum(input, mv(mat, vec), beta, alpha, out)


@composite
def baddbmm(
    input: Any, batch1: Any, batch2: Any, *older: Any, beta: float = 1, alpha: float = 1,
    out: Any = None,
) -> Any:  # fmt: skip
    """``beta * input + alpha * (batch1 @ batch2)``, matrix by matrix.

    Args:
        input: (b, n, m), or what is broadcast to it; not looked at if ``beta`` is 0.
        batch1: (b, n, k).
        batch2: (b, k, m).
        beta, alpha: numbers; cut to whole ones for integers.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (b, n, m).

    Raises:
        RuntimeError: an operand has not three dims, or the sizes or dtypes do not fit.
    """
    if older:
        given = (input, batch1, batch2, *older)
        return call_in_older_order(baddbmm, ("beta", "alpha"), 3, given, (beta, alpha), out)
    return _sum(input, bmm(batch1, batch2), beta, alpha, out)
