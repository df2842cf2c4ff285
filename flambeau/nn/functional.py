"""Functions of neural networks (``torch.nn.functional``): operations under their public names."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.ops import activation as _activation
from flambeau.ops import classification as _classification
from flambeau.ops import dropout as _dropout
from flambeau.ops import loss as _loss
from flambeau.ops import matmul as _matmul
from flambeau.ops import normalization as _normalization
from flambeau.ops import pooling as _pooling
from flambeau.ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from flambeau.ops.embedding import embedding as _embedding
from flambeau.ops.operation import OPERATIONS
from flambeau.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
)
from flambeau.tensor import Tensor
from flambeau.tensor.views import write_in_place

linear = _matmul.linear.function
gelu = _activation.gelu.function
logsigmoid = _activation.logsigmoid.function
softplus = _activation.softplus.function
softshrink = _activation.softshrink.function
hardshrink = _activation.hardshrink.function
prelu = _activation.prelu.function

# -- activations --------------------------------------------------------------------------------

_relu = _activation.relu.function
_sigmoid = OPERATIONS["sigmoid"].function
_tanh = OPERATIONS["tanh"].function


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x); ``inplace`` writes it into ``input``."""
    if inplace:
        return relu_(input)
    return _relu(input)


def relu_(input: Tensor) -> Tensor:
    """In-place :func:`relu`."""
    return write_in_place(input, _relu, (), {}, "relu_")


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6); ``inplace`` writes it into ``input``."""
    return hardtanh(input, 0.0, 6.0, inplace)


def _maybe_inplace(function: Any, input: Tensor, inplace: bool, *arguments: Any) -> Tensor:
    if inplace:
        return write_in_place(input, function, arguments, {}, f"{function.__name__}_")
    return function(input, *arguments)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x; ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.leaky_relu.function, input, inplace, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place :func:`leaky_relu`."""
    return leaky_relu(input, negative_slope, True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1); ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.elu.function, input, inplace, alpha)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place :func:`elu`."""
    return elu(input, alpha, True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The scaled ELU; ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.selu, input, inplace)


def selu_(input: Tensor) -> Tensor:
    """In-place :func:`selu`."""
    return selu(input, True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)); ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.celu, input, inplace, alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place :func:`celu`."""
    return celu(input, alpha, True)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x); ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.silu.function, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)); ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.mish.function, input, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x clamped to [min_val, max_val]; ``inplace`` writes it into ``input``."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _maybe_inplace(_activation.hardtanh.function, input, inplace, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place :func:`hardtanh`."""
    return hardtanh(input, min_val, max_val, True)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1 / 2 clamped to [0, 1]; ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.hardsigmoid.function, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x); ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.hardswish.function, input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value; ``inplace`` writes it into ``input``."""
    return _maybe_inplace(_activation.threshold.function, input, inplace, threshold, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place :func:`threshold`."""
    return _maybe_inplace(_activation.threshold.function, input, True, threshold, value)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """A leaky ReLU whose slope is drawn per element from U(lower, upper) in training."""

    def rrelu(input: Tensor) -> Tensor:
        if not training:
            return _activation.leaky_relu.function(input, (lower + upper) / 2)
        # PyTorch draws, for the elements that are not positive only, in double
        slopes = flambeau.ones_like(input)
        negative = input.detach() <= 0
        drawn = flambeau.empty(int(negative.sum()), dtype=flambeau.float64).uniform_(lower, upper)
        slopes[negative] = drawn.to(input.dtype)
        return input * slopes

    return _maybe_inplace(rrelu, input, inplace)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """In-place :func:`rrelu`."""
    return rrelu(input, lower, upper, training, True)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return _sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return _tanh(input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + abs(x))."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half of the input along ``dim`` times the sigmoid of the other half."""
    return _activation.glu.function(input, dim)


def _softmax_dim(name: str, ndim: int, stacklevel: int) -> int:
    """The dim that old programs mean which give none."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(x) / sum(exp(x)) along ``dim``; ``dtype`` is what the input is cast to first."""
    if dim is None:
        dim = _softmax_dim("softmax", input.dim(), _stacklevel)
    return _activation.softmax(input, dim, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x) along ``dim``; ``dtype`` is what the input is cast to first."""
    if dim is None:
        dim = _softmax_dim("softmin", input.dim(), _stacklevel)
    return _activation.softmax(-input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """The logarithm of the softmax along ``dim``; ``dtype`` is what the input is cast to first."""
    if dim is None:
        dim = _softmax_dim("log_softmax", input.dim(), _stacklevel)
    return _activation.log_softmax(input, dim, dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample from the Gumbel-softmax distribution (Jang et al., 2016; Maddison et al., 2016).

    Args:
        logits: unnormalised log probabilities, ``(*, C)``.
        tau: the temperature.
        hard: whether the result is one-hot, with the gradient of the soft sample.
        eps: has no effect any more.
        dim: along which the softmax is taken.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -flambeau.empty_like(logits).exponential_().log()
    soft = ((logits + gumbels) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = flambeau.zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft


# -- linear -------------------------------------------------------------------------------------


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1^T A x2 + b.

    Args:
        input1: ``(*, in1_features)``.
        input2: ``(*, in2_features)``.
        weight: ``(out_features, in1_features, in2_features)``.
        bias: ``(out_features)``.

    Returns:
        ``(*, out_features)``.
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
    result = (flambeau.matmul(rows1, weight) * rows2).sum(-1).t()
    result = result.reshape((*batch, weight.shape[0]))
    return result if bias is None else result + bias


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Ones at the places that ``tensor`` names, else zeros.

    Args:
        tensor: ``(*)``, integers from 0.
        num_classes: size of the new last dimension (-1: the largest integer plus one).

    Returns:
        ``(*, num_classes)``, int64.
    """
    if tensor.dtype is not flambeau.int64:
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor, but got "
            f"{tensor.dtype}"
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return flambeau.empty((*tensor.shape, num_classes), dtype=flambeau.int64)
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif largest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    result = flambeau.zeros((*tensor.shape, num_classes), dtype=flambeau.int64)
    return result.scatter_(-1, tensor.unsqueeze(-1), 1)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of ``weight`` that ``input`` names.

    Args:
        input: ``(*)``, integers from 0 to ``rows - 1``.
        weight: ``(rows, width)``.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are longer are shortened to this, in place, when looked up.
        norm_type: which p-norm ``max_norm`` means.
        scale_grad_by_freq: whether gradients are divided by how often an index occurs.
        sparse: asks for a sparse gradient; here gradients are dense, of equal value.

    Returns:
        ``(*, width)``.
    """
    if padding_idx is None:
        padding_idx = -1
    else:
        rows = weight.size(0)
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        _shorten_rows(weight, input, max_norm, norm_type)
    return _embedding.function(weight, input, padding_idx, scale_grad_by_freq, sparse)


def _shorten_rows(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows of ``weight`` that are looked up down to ``max_norm``, in place."""
    with flambeau.no_grad():
        used = indices.reshape(-1).unique()
        rows = weight[used]
        norms = rows.norm(norm_type, 1, keepdim=True)
        weight[used] = flambeau.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of bags of rows of ``weight``.

    Args:
        input: ``(B, N)``: B bags of N indices; or ``(N,)`` with ``offsets``.
        weight: ``(rows, width)``.
        offsets: ``(B,)``: where each bag begins.
        max_norm, norm_type, scale_grad_by_freq, sparse: as in :func:`embedding`.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        per_sample_weights: of the shape of ``input``; factors of the rows, for ``"sum"`` only.
        include_last_offset: whether ``offsets`` ends with the number of indices.
        padding_idx: an index that is left out of the bags.

    Returns:
        ``(B, width)``.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None:
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not "
                f"None, then it must have the same shape as the input ({list(input.shape)})"
            )
        if mode != "sum":
            raise NotImplementedError(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
                f"supported for mode='sum' (got mode='{mode}'). Please open a feature request on "
                "GitHub."
            )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is "
                             "a mini-batch of fixed length sequences. However, found offsets of "
                             f"type {type(offsets)}")  # fmt: skip
        bags, size = input.shape
        starts = [i * size for i in range(bags + 1)]
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        starts = offsets.tolist()
        if not include_last_offset:
            starts.append(input.numel())
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if padding_idx is not None:
        padding_idx %= weight.size(0)
    rows = embedding(
        input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
    )
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    bag_of = flambeau.tensor(
        [bag for bag, (a, b) in enumerate(zip(starts, starts[1:])) for _ in range(b - a)],
        dtype=flambeau.int64,
    )
    bags = len(starts) - 1
    if padding_idx is not None:
        kept = (input != padding_idx).nonzero().squeeze(-1)
        rows, bag_of = rows[kept], bag_of[kept]
    zeros = flambeau.zeros((bags, weight.shape[1]), dtype=weight.dtype)
    if mode == "max":
        return _largest_of_bags(rows, bag_of, zeros)
    sums = zeros.index_put((bag_of,), rows, accumulate=True)
    if mode == "sum":
        return sums
    ones = flambeau.ones(rows.shape[0], dtype=weight.dtype)
    counts = flambeau.zeros(bags, dtype=weight.dtype).index_put((bag_of,), ones, accumulate=True)
    return sums / counts.clamp(min=1).unsqueeze(-1)


def _largest_of_bags(rows: Tensor, bag_of: Tensor, zeros: Tensor) -> Tensor:
    bags = [(bag_of == bag).nonzero().squeeze(-1) for bag in range(zeros.shape[0])]
    return flambeau.stack(
        [rows[bag].amax(0) if bag.numel() else zeros[i] for i, bag in enumerate(bags)]
    )


# -- dropout ------------------------------------------------------------------------------------


def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, elements set to 0 with probability ``p``, the others times ``1 / (1 - p)``."""
    _check_probability(p)
    if inplace:
        return write_in_place(input, _dropout.dropout, (p, training), {}, "dropout_")
    return _dropout.dropout(input, p, training)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps the mean and variance of what SELU returns."""
    _check_probability(p)
    if inplace:
        return write_in_place(input, _dropout.alpha_dropout, (p, training), {}, "alpha_dropout_")
    return _dropout.alpha_dropout(input, p, training)


def _feature_dropout(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    if inplace:
        return write_in_place(
            input, _dropout.feature_dropout, (p, training), {}, "feature_dropout_"
        )
    return _dropout.feature_dropout(input, p, training)


def _one_sample(
    input: Tensor, ndim: int, p: float, training: bool, inplace: bool
) -> Tensor:
    """Feature dropout of ``input``, with a batch dim put in front if it has none."""
    if input.dim() == ndim:
        return _feature_dropout(input, p, training, inplace)
    if inplace:
        _feature_dropout(input.unsqueeze(0), p, training, True)
        return input
    return _feature_dropout(input.unsqueeze(0), p, training, False).squeeze(0)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, channels of ``(N, C, L)`` or ``(C, L)`` set to 0 with probability ``p``."""
    _check_probability(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _one_sample(input, 3, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, channels of ``(N, C, H, W)`` or ``(N, C, L)`` set to 0 with probability ``p``."""
    _check_probability(p)
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _feature_dropout(input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, channels of ``(N, C, D, H, W)`` or without N set to 0 with probability ``p``."""
    _check_probability(p)
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
        return _feature_dropout(input, p, training, inplace)
    return _one_sample(input, 5, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """:func:`alpha_dropout` of whole channels."""
    _check_probability(p)
    if inplace:
        return write_in_place(
            input, _dropout.feature_alpha_dropout, (p, training), {}, "feature_alpha_dropout_"
        )
    return _dropout.feature_alpha_dropout(input, p, training)


# -- pooling ------------------------------------------------------------------------------------


def _max_pool_function(dims: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    pool = _pooling._max_pool

    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return pool(
            dims, input, kernel_size, stride, padding, dilation, ceil_mode,
            return_indices=return_indices,
        )  # fmt: skip

    def with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return pool(
            dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
        )

    name = f"max_pool{dims}d"
    max_pool.__name__ = max_pool.__qualname__ = name
    max_pool.__doc__ = (
        f"The maximum over windows of the last {dims} dims, and the places of the maxima if "
        "``return_indices``; see :class:`~flambeau.nn.MaxPool1d` for the arguments."
    )
    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = f":func:`{name}` with ``return_indices``."
    return max_pool, with_indices


max_pool1d, max_pool1d_with_indices = _max_pool_function(1)
max_pool2d, max_pool2d_with_indices = _max_pool_function(2)
max_pool3d, max_pool3d_with_indices = _max_pool_function(3)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over ``output_size`` windows of the last dim."""
    return _pooling._adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over a grid of windows of the last two dims; None keeps a dim's size."""
    return _pooling._adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum over a grid of windows of the last three dims; None keeps a dim's size."""
    return _pooling._adaptive_max_pool(3, input, output_size, return_indices)


# -- normalization ------------------------------------------------------------------------------


def _more_than_one_value(size: Any) -> None:
    count = math.prod(size) // max(1, size[1]) if len(size) > 1 else 1
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization of every channel of ``(N, C, *)`` over the batch.

    Args:
        input: ``(N, C, *)``.
        running_mean, running_var: averages that are updated in training and used otherwise.
        weight, bias: scale and offset of each channel.
        training: whether the batch's own mean and variance are used.
        momentum: weight of this batch in the averages.
        eps: added to the variance.
    """
    if training:
        _more_than_one_value(input.size())
    return _normalization.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization of every channel of every sample of ``(N, C, *)`` by itself.

    The arguments are those of :func:`batch_norm`; ``use_input_stats`` is its ``training``.
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"{input.size()}"
        )
    return _normalization.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization over the last dims, which are ``normalized_shape``."""
    return _normalization.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Division by the root mean square over the last dims, which are ``normalized_shape``."""
    return _normalization.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization over groups of channels of each sample of ``(N, C, *)``."""
    if input.dim() > 1:
        size = input.shape
        if math.prod(size[2:]) * (size[1] // max(1, num_groups)) * size[0] == 1:
            _more_than_one_value(size)
    return _normalization.group_norm(input, num_groups, weight, bias, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Division by ``(k + alpha * mean of squares over size channels) ** beta``."""
    if input.dim() < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input "
            f"(got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    squares = input * input
    n, c = input.shape[:2]
    rows = squares.reshape(n, 1, c, -1)
    rows = pad(rows, (0, 0, size // 2, (size - 1) // 2))
    means = avg_pool2d(rows, (size, 1), stride=1).reshape(tuple(input.shape))
    return input / (means * alpha + k) ** beta


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Vectors along ``dim`` divided by their p-norm, which counts at least ``eps``."""
    norm = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    if out is None:
        return input / norm
    return flambeau.div(input, norm, out=out)


# -- padding and rearranging ----------------------------------------------------------------------


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """``input`` with elements added at (or, by negative numbers, taken from) its borders.

    Args:
        input: ``(*)``.
        pad: pairs of numbers, for the last dim first.
        mode: what is added: ``"constant"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        value: the constant (default 0).
    """
    widths = tuple(pad)
    if len(widths) % 2:
        raise RuntimeError(
            f"Padding length must be divisible by 2 (got {list(widths)})"
        )
    if len(widths) // 2 > input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(widths)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        pairs = [(0, 0)] * (input.dim() - len(widths) // 2)
        pairs += [(widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)]
        for n, (before, behind) in zip(input.shape, pairs):
            if n + before + behind < 0:
                raise RuntimeError(
                    f"The input size {n}, plus negative padding {before} and {behind}, resulted in "
                    f"a negative output size: pad={list(widths)} of input {list(input.shape)}"
                )
        from flambeau.ops.shape import constant_pad

        return constant_pad(input, tuple(pairs), 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(
            f'Padding mode "{mode}" doesn\'t take in value argument'
        )
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if not len(widths) // 2 + 1 <= input.dim() <= len(widths) // 2 + 2:
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    for place in range(len(widths) // 2):
        dim = input.dim() - 1 - place
        input = _pad_dim(input, dim, widths[2 * place], widths[2 * place + 1], mode)
    return input


def _pad_dim(input: Tensor, dim: int, before: int, behind: int, mode: str) -> Tensor:
    """``input`` with elements of its own added at both ends of ``dim``."""
    if before == 0 and behind == 0:
        return input
    n = input.shape[dim]
    if mode == "reflect" and (before >= n or behind >= n):
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({before}, {behind}) at dimension {dim} of input {list(input.shape)}"
        )
    if mode == "circular" and (before > n or behind > n):
        raise RuntimeError("Padding value causes wrapping around more than once.")
    places = range(-before, n + behind)
    if mode == "replicate":
        index = [min(max(i, 0), n - 1) for i in places]
    elif mode == "circular":
        index = [i % n for i in places]
    else:
        index = [n - 1 - abs(n - 1 - abs(i)) for i in places]
    return input.index_select(dim, flambeau.tensor(index, dtype=flambeau.int64))


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Blocks of pixels made from channels: ``(*, C r r, H, W)`` to ``(*, C, H r, W r)``."""
    r = upscale_factor
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(batch)
    blocks = input.reshape((*batch, c // (r * r), r, r, h, w))
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return blocks.permute(order).reshape((*batch, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Channels made from blocks of pixels: ``(*, C, H r, W r)`` to ``(*, C r r, H, W)``."""
    r = downscale_factor
    if input.dim() < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    for what, size in (("height", h), ("width", w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but "
                f"input.size({-2 if what == 'height' else -1})={size} is not divisible by {r}"
            )
    n = len(batch)
    blocks = input.reshape((*batch, c, h // r, r, w // r, r))
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return blocks.permute(order).reshape((*batch, c * r * r, h // r, w // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of ``(N, C, *)`` divided into groups and interleaved."""
    if input.dim() <= 2:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    n, c, *spatial = input.shape
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    split = input.reshape((n, groups, c // groups, *spatial))
    return split.transpose(1, 2).reshape(tuple(input.shape))


# -- distances ------------------------------------------------------------------------------------


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last dim."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``dim``, their norms being at least ``eps``."""
    x1, x2 = flambeau.broadcast_tensors(x1, x2)
    if not (x1.is_floating_point() or x2.is_floating_point()):
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{flambeau.result_type(x1, x2)}"
        )
    norm1 = x1.norm(2, dim, keepdim=True).clamp_min(eps)
    norm2 = x2.norm(2, dim, keepdim=True).clamp_min(eps)
    return ((x1 / norm1) * (x2 / norm2)).sum(dim)


# -- losses ---------------------------------------------------------------------------------------


def _reduction(size_average: Any, reduce: Any, reduction: str) -> str:
    if size_average is not None or reduce is not None:
        return _loss.legacy_reduction(size_average, reduce)
    if reduction not in _loss.REDUCTIONS:
        return _loss.check_reduction(reduction)
    return reduction


def _reduced(values: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return values.mean()
    return values.sum() if reduction == "sum" else values


def _warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    if target.size() != input.size():
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def _weighted(values: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The weighted sum, or the mean weighted by ``weight``, of values of single elements."""
    if weight.size() != values.size():
        raise ValueError("Weights and input must have the same size.")
    weighted = values * weight
    if reduction == "mean":
        return weighted.sum() / weight.sum()
    return _reduced(weighted, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target) ** 2, of tensors of any one shape."""
    if input._array.shape != target._array.shape:
        _warn_of_broadcast(input, target)
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = _reduction(size_average, reduce, reduction)
    if weight is not None:
        return _weighted(_loss.mse_loss.function(input, target, "none"), weight, reduction)
    return _loss.mse_loss.function(input, target, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """abs(input - target), of tensors of any one shape."""
    if input._array.shape != target._array.shape:
        _warn_of_broadcast(input, target)
    reduction = _reduction(size_average, reduce, reduction)
    if weight is not None:
        return _weighted(_loss.l1_loss.function(input, target, "none"), weight, reduction)
    return _loss.l1_loss.function(input, target, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d * d / (2 * beta) where d = abs(input - target) < beta, else d - beta / 2."""
    if input._array.shape != target._array.shape:
        _warn_of_broadcast(input, target)
    reduction = _reduction(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0.0:
        return _loss.l1_loss.function(input, target, reduction)
    return _loss.smooth_l1_loss.function(input, target, reduction, beta)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d * d / 2 where d = abs(input - target) <= delta, else delta * (d - delta / 2)."""
    if input._array.shape != target._array.shape:
        _warn_of_broadcast(input, target)
    _loss.check_reduction(reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is not None:
        values = _loss.huber_loss.function(input, target, "none", delta)
        return _weighted(values, weight, reduction)
    return _loss.huber_loss.function(input, target, reduction, delta)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The binary cross entropy of probabilities ``input`` with ``target``, of any one shape."""
    reduction = _reduction(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    if weight is not None:
        weight = weight.expand(input.size())
    return _loss.binary_cross_entropy.function(input, target, weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The binary cross entropy of sigmoid(input) with ``target``, of any one shape.

    Args:
        input, target: ``(*)``.
        weight: a weight per element; it broadcasts.
        pos_weight: a weight of positive targets; it broadcasts.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    function = _loss.binary_cross_entropy_with_logits.function
    return function(input, target, weight, pos_weight, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of target classes.

    Args:
        input: log probabilities, ``(N, C)``, ``(C)`` or ``(N, C, d1, ..., dK)``.
        target: classes, ``(N)``, ``()`` or ``(N, d1, ..., dK)``.
        weight: a weight per class, ``(C)``.
        ignore_index: a target that counts nothing.
        reduction: ``"none"``, ``"mean"`` (weighted) or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    return _classification.nll_loss.function(input, target, weight, ignore_index, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy of softmax(input) with target classes or probabilities.

    Args:
        input: ``(N, C)``, ``(C)`` or ``(N, C, d1, ..., dK)``.
        target: classes, ``(N)``, ``()`` or ``(N, d1, ..., dK)``, or probabilities of the input's
            shape.
        weight: a weight per class, ``(C)``.
        ignore_index: a target class that counts nothing.
        reduction: ``"none"``, ``"mean"`` (weighted) or ``"sum"``.
        label_smoothing: how much of the target is spread evenly over all classes.
    """
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = _reduction(size_average, reduce, reduction)
    if target._array.dtype.kind in "fV" and input._array.shape == target._array.shape:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _classification.cross_entropy_probabilities.function(
            input, target, weight, reduction, label_smoothing
        )
    return _classification.cross_entropy_classes.function(
        input, target, weight, ignore_index, reduction, label_smoothing
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The Kullback-Leibler divergence of ``target`` from log probabilities ``input``.

    Args:
        input, target: ``(*)``.
        reduction: ``"batchmean"`` divides the sum by the batch size, which is the divergence.
        log_target: whether the target is log probabilities too.
    """
    if size_average is not None or reduce is not None:
        reduction = _loss.legacy_reduction(size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    function = _loss.kl_div_values.function
    if reduction == "batchmean":
        total = function(input, target, log_target, "sum")
        return total / input.size()[0] if input.dim() else total
    return function(input, target, log_target, _loss.check_reduction(reduction))


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of Poisson distributed targets; ``input`` is the (log) rate."""
    reduction = _reduction(size_average, reduce, reduction)
    if log_input:
        values = input.exp() - target * input
    else:
        values = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        values = values + stirling.masked_fill(target <= 1, 0)
    return _reduced(values, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of normally distributed targets with means ``input``.

    Args:
        input, target: ``(*)``.
        var: the variance: a number, or of the input's shape, or with a last dim of 1 or without it.
        full: whether the constant term is added.
        eps: the least variance.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * flambeau.ones_like(input)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (
            input.dim() == var.dim()
            and sum(1 for a, b in zip(input.size(), var.size()) if a != b) == 1
            and 1 in var.size()
        ):
            raise ValueError("var is of incorrect size")
    _loss.check_reduction(reduction)
    # the clamp changes the value of the variance, not its gradient
    clamped = var + (var.detach().clamp(min=eps) - var.detach())
    values = 0.5 * (clamped.log() + (input - target) ** 2 / clamped)
    if full:
        values = values + 0.5 * math.log(2 * math.pi)
    return _reduced(values, reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``input`` where the target is 1, ``max(0, margin - input)`` where it is -1."""
    reduction = _reduction(size_average, reduce, reduction)
    zeros = flambeau.zeros_like(input)
    hinge = flambeau.where(target == 1, zeros, (margin - input).clamp_min(0))
    values = hinge + flambeau.where(target == -1, zeros, input)
    return _reduced(values, reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)) with targets 1 and -1."""
    reduction = _reduction(size_average, reduce, reduction)
    return _reduced((-target * input).exp().log1p(), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes (the last dim) of binary cross entropies of sigmoid(input)."""
    reduction = _reduction(size_average, reduce, reduction)
    values = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        values = values * weight
    return _reduced(values.sum(-1) / input.size(-1), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1.

    Args:
        input1, input2: ``(N, D)`` or ``(D)``.
        target: ``(N)`` or ``()``.
        margin: the margin.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if target.dim() not in (0, 1):
        raise RuntimeError(
            "0D or 1D target tensor expected, multi-target not supported"
        )
    if target.dim() == 1 and input1.dim() != 2 or target.dim() == 0 and input1.dim() != 1:
        wanted = f"{target.dim() + 1}D"
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {wanted} input tensors, but found inputs with "
            f"sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    dim = target.dim()
    epsilon = 1e-12
    product = (input1 * input2).sum(dim)
    lengths = ((input1 * input1).sum(dim) + epsilon) * ((input2 * input2).sum(dim) + epsilon)
    cosine = product / lengths.sqrt()
    zeros = flambeau.zeros_like(cosine)
    alike = flambeau.where(target == 1, 1 - cosine, zeros)
    unlike = flambeau.where(target == -1, (cosine - margin).clamp_min(0), zeros)
    return _reduced(alike + unlike, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin) with targets 1 and -1."""
    reduction = _reduction(size_average, reduce, reduction)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return _reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of max(0, margin - x[target] + x[class]) ** p.

    Args:
        input: ``(N, C)`` or ``(C)``.
        target: ``(N)`` or ``()``.
        p: 1 or 2.
        margin: the margin.
        weight: a weight per class, ``(C)``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    single = input.dim() < 2
    rows = input.reshape(1, -1) if single else input
    classes = target.reshape(-1, 1)
    if classes.shape[0] != rows.shape[0]:
        raise RuntimeError(
            f"inconsistent target size, expected {rows.shape[0]} but got {list(target.shape)}"
        )
    hinge = (margin - rows.gather(1, classes) + rows).clamp_min(0)
    if p == 2:
        hinge = hinge * hinge
    if weight is not None:
        hinge = hinge * weight[classes]
    own = flambeau.zeros_like(rows).scatter_(1, classes, 1.0)
    values = (hinge * (1 - own)).sum(1) / rows.shape[1]
    return _reduced(values.reshape(tuple(target.shape)), reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinges between each target class of a sample and every class that is no target.

    Args:
        input: ``(N, C)`` or ``(C)``.
        target: of the same shape: classes in front, then -1.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: "
            f"{list(input.shape)}"
        )
    single = input.dim() < 2
    rows = input.reshape(1, -1) if single else input
    classes = target.reshape(1, -1) if single else target
    counted = ((classes < 0).cumsum(1) == 0).to(rows.dtype)  # those in front of the first -1
    chosen = classes.clamp(min=0)
    is_target = flambeau.zeros_like(rows).scatter_add(1, chosen, counted).clamp(max=1)
    margins = (1 - rows.gather(1, chosen)).unsqueeze(2) + rows.unsqueeze(1)
    hinge = margins.clamp_min(0) * counted.unsqueeze(2) * (1 - is_target).unsqueeze(1)
    values = hinge.sum((1, 2)) / rows.shape[1]
    return _reduced(values[0] if single else values, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm distance.

    Args:
        anchor, positive, negative: ``(N, D)`` or ``(D)``.
        margin: the margin, more than 0.
        p: the exponent of the norm.
        eps: added to differences.
        swap: whether the nearer of anchor and positive is compared with the negative.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap,
        reduction=reduction,
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """:func:`triplet_margin_loss` with a distance of the user's choice."""
    distance = pairwise_distance if distance_function is None else distance_function
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and negative "
            f"{negative.dim()}D inputs"
        )
    near = distance(anchor, positive)
    far = distance(anchor, negative)
    if swap:
        far = flambeau.minimum(far, distance(positive, negative))
    return _reduced((margin + near - far).clamp_min(0), _loss.check_reduction(reduction))


# -- attention --------------------------------------------------------------------------------------


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key^T * scale + mask) @ value (Vaswani et al., 2017).

    Args:
        query: ``(N, ..., L, E)``.
        key: ``(N, ..., S, E)``.
        value: ``(N, ..., S, Ev)``.
        attn_mask: ``(N, ..., L, S)``: added to the scores; or, if bool, where they count.
        dropout_p: the probability that a weight is dropped (in evaluation too).
        is_causal: whether position i sees positions up to i only.
        scale: the factor of the scores (default ``1 / sqrt(E)``).
        enable_gqa: whether several heads of the query share one of key and value.

    Returns:
        ``(N, ..., L, Ev)``.
    """
    length, width = query.shape[-2:]
    scale = 1 / math.sqrt(width) if scale is None else scale
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    scores = flambeau.matmul(query * scale, key.transpose(-2, -1))
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
                "is_causal=True"
            )
        attn_mask = flambeau.ones(length, key.shape[-2], dtype=flambeau.bool).tril()
    if attn_mask is not None:
        if attn_mask.dtype is flambeau.bool:
            scores = scores.masked_fill(attn_mask.logical_not(), -math.inf)
        else:
            scores = scores + attn_mask
    weights = _activation.softmax(scores, -1)
    if attn_mask is not None and attn_mask.dtype is flambeau.bool and not is_causal:
        # a row that sees nothing gives zeros, not NaN
        blind = attn_mask.any(-1, keepdim=True).logical_not()
        weights = weights.masked_fill(blind, 0.0)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return flambeau.matmul(weights, value)
