"""Batch normalization (``BatchNorm1d``, ``BatchNorm2d``, ``BatchNorm3d``, lazy ones)."""

from __future__ import annotations

from typing import Any

import numpy as np

import flambeau
from flambeau.nn import functional as F
from flambeau.nn import init
from flambeau.nn.modules.lazy import LazyModuleMixin
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from flambeau.ops.batch_normalization import count_batch
from flambeau.tensor import Tensor

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "SyncBatchNorm",
]


class _NormBase(Module):
    """What batch and instance normalization share: parameters and running statistics."""

    _version = 2

    num_features: int
    eps: float
    momentum: float | None
    affine: bool
    track_running_stats: bool
    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        if affine:
            self.weight = Parameter(flambeau.empty(num_features, **options))
        else:
            self.register_parameter("weight", None)
        if affine and bias:
            self.bias = Parameter(flambeau.empty(num_features, **options))
        else:
            self.register_parameter("bias", None)
        if track_running_stats:
            self.register_buffer("running_mean", flambeau.zeros(num_features, **options))
            self.register_buffer("running_var", flambeau.ones(num_features, **options))
            count = flambeau.tensor(0, dtype=flambeau.int64, device=device)
            self.register_buffer("num_batches_tracked", count)
        else:
            self.register_buffer("running_mean", None)
            self.register_buffer("running_var", None)
            self.register_buffer("num_batches_tracked", None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            self.running_mean.zero_()  # type: ignore[union-attr]
            self.running_var.fill_(1)  # type: ignore[union-attr]
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]

    def reset_parameters(self) -> None:
        """Reset running statistics, weight (1) and bias (0)."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)  # type: ignore[arg-type]
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # Version 1 did not count batches.
        version = local_metadata.get("version")
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats:
            if key not in state_dict:
                own = self.num_batches_tracked
                known = own is not None and own.device != flambeau.device("meta")
                state_dict[key] = own if known else flambeau.tensor(0, dtype=flambeau.int64)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        own: Any = self._parameters
        buffers = self._buffers
        if self.training and self.track_running_stats:
            count = buffers.get("num_batches_tracked")
            if count is not None:
                count_batch(count)
                if self.momentum is None:  # a cumulative average
                    is_known = type(count._array) is np.ndarray
                    momentum = 1.0 / (float(count) if is_known else count.double())
        try:  # `self.weight` takes four times as long; it may have been parametrized away
            weight, bias = own["weight"], own["bias"]
            mean, variance = buffers["running_mean"], buffers["running_var"]
        except KeyError:
            weight, bias = self.weight, self.bias
            mean, variance = self.running_mean, self.running_var
        use_batch_statistics = self.training or (mean is None and variance is None)
        keep_statistics = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            mean if keep_statistics else None,
            variance if keep_statistics else None,
            weight,
            bias,
            use_batch_statistics,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalization of vectors, or of sequences with channels (Ioffe and Szegedy, 2015).

    In training each feature is normalized with the mean and (biased) variance of the batch; running
    averages of them, with the unbiased variance, are kept and used in evaluation.

    Args:
        num_features: number of features or channels C.
        eps: added to the variance.
        momentum: weight of the newest batch in the running averages; None for a plain average.
        affine: whether a scale and an offset per feature are learned.
        track_running_stats: whether running averages are kept; if not, evaluation uses batches too.
        bias: whether there is an offset, if ``affine``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, C)`` or ``(N, C, L)``
        - Output: the same

    Raises:
        ValueError: an input of another number of dims, or one value per channel in training.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BatchNorm1d.html
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 3):
            raise ValueError(f"expected 2D or 3D input (got {input.dim()}D input)")


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images with channels (Ioffe and Szegedy, 2015).

    Args:
        num_features, eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`BatchNorm1d`.

    Shape:
        - Input: ``(N, C, H, W)``
        - Output: the same

    Raises:
        ValueError: an input of another number of dims, or one value per channel in training.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BatchNorm2d.html
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() != 4:
            raise ValueError(f"expected 4D input (got {input.dim()}D input)")


class BatchNorm3d(_BatchNorm):
    """Batch normalization of volumes with channels (Ioffe and Szegedy, 2015).

    Args:
        num_features, eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`BatchNorm1d`.

    Shape:
        - Input: ``(N, C, D, H, W)``
        - Output: the same

    Raises:
        ValueError: an input of another number of dims, or one value per channel in training.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BatchNorm3d.html
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() != 5:
            raise ValueError(f"expected 5D input (got {input.dim()}D input)")


class _LazyNormBase(LazyModuleMixin):
    """Takes ``num_features`` from the first input."""

    def __init__(
        self: Any,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)  # type: ignore[call-arg]
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        if affine:
            self.weight = UninitializedParameter(**options)
            if bias:
                self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)
            self.num_batches_tracked = flambeau.tensor(0, dtype=flambeau.int64, device=device)

    def reset_parameters(self: Any) -> None:
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self: Any, input: Tensor) -> None:
        """Give parameters and buffers the shapes that ``input`` asks for."""
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
            if tensor is not None:
                tensor.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, BatchNorm1d):  # type: ignore[misc]
    """A :class:`BatchNorm1d` that takes ``num_features`` from its first input.

    Args:
        eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`BatchNorm1d`.

    Shape:
        - Input: ``(N, C)`` or ``(N, C, L)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyBatchNorm1d.html
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormBase, BatchNorm2d):  # type: ignore[misc]
    """A :class:`BatchNorm2d` that takes ``num_features`` from its first input.

    Args:
        eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`BatchNorm1d`.

    Shape:
        - Input: ``(N, C, H, W)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyBatchNorm2d.html
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormBase, BatchNorm3d):  # type: ignore[misc]
    """A :class:`BatchNorm3d` that takes ``num_features`` from its first input.

    Args:
        eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`BatchNorm1d`.

    Shape:
        - Input: ``(N, C, D, H, W)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyBatchNorm3d.html
    """

    cls_to_become = BatchNorm3d


class SyncBatchNorm(_BatchNorm):
    """Batch normalization whose statistics PyTorch takes over all processes.

    In one process, which is all there is on a CPU, it computes what :class:`BatchNorm1d` does for
    any number of dims.

    Args:
        num_features, eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`BatchNorm1d`.
        process_group: kept for programs that read it.

    Shape:
        - Input: ``(N, C, *)``
        - Output: the same

    Raises:
        ValueError: an input with fewer than two dims, or one value per channel in training.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SyncBatchNorm.html
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """``module`` with every batch normalization inside replaced by a SyncBatchNorm.

        Args:
            module: any module; it is changed if it is no batch normalization itself.
            process_group: kept by the new modules.

        Returns:
            ``module``, or what stands for it.
        """
        result = module
        if isinstance(module, _BatchNorm):
            made: Any = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            if module.affine:
                made.weight, made.bias = module.weight, module.bias
            made.running_mean = module.running_mean
            made.running_var = module.running_var
            made.num_batches_tracked = module.num_batches_tracked
            made.training = module.training
            result = made
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result
