"""Instance normalization (``InstanceNorm1d``, ``InstanceNorm2d``, ``InstanceNorm3d``)."""

from __future__ import annotations

import warnings
from typing import Any

from flambeau.nn import functional as F
from flambeau.nn.modules.batchnorm import _LazyNormBase, _NormBase
from flambeau.tensor import Tensor

__all__ = [
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]


class _InstanceNorm(_NormBase):
    _dimensions: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _check_input_dim(self, input: Tensor) -> None:
        n = self._dimensions
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        channels = input.dim() - self._dimensions - 1
        if input.size(channels) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={channels} to match num_features "
                    f"({self.num_features}), but got: {input.size(channels)}."
                )
            warnings.warn(
                f"input's size at dim={channels} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=3,
            )
        batched = input if channels == 1 else input.unsqueeze(0)
        result = F.instance_norm(
            batched,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return result if channels == 1 else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Normalization of each channel of each sample by itself (Ulyanov et al., 2016).

    Args:
        num_features: number of channels C.
        eps: added to the variance.
        momentum: weight of the newest batch in the running averages.
        affine: whether a scale and an offset per channel are learned.
        track_running_stats: whether running averages are kept and used in evaluation.
        bias: whether there is an offset, if ``affine``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: the same

    Raises:
        ValueError: another number of dims, one element per channel in training, or another number
            of channels if ``affine``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.InstanceNorm1d.html
    """

    _dimensions = 1


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of images (Ulyanov et al., 2016).

    Args:
        num_features, eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`InstanceNorm1d`.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same

    Raises:
        ValueError: another number of dims, one element per channel in training, or another number
            of channels if ``affine``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.InstanceNorm2d.html
    """

    _dimensions = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of volumes (Ulyanov et al., 2016).

    Args:
        num_features, eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`InstanceNorm1d`.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same

    Raises:
        ValueError: another number of dims, one element per channel in training, or another number
            of channels if ``affine``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.InstanceNorm3d.html
    """

    _dimensions = 3


class LazyInstanceNorm1d(_LazyNormBase, InstanceNorm1d):  # type: ignore[misc]
    """An :class:`InstanceNorm1d` that takes ``num_features`` from its first input.

    Args:
        eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`InstanceNorm1d`, with the defaults of :class:`LazyBatchNorm1d`.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyInstanceNorm1d.html
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNormBase, InstanceNorm2d):  # type: ignore[misc]
    """An :class:`InstanceNorm2d` that takes ``num_features`` from its first input.

    Args:
        eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`InstanceNorm1d`, with the defaults of :class:`LazyBatchNorm1d`.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(C, H, W)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyInstanceNorm2d.html
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNormBase, InstanceNorm3d):  # type: ignore[misc]
    """An :class:`InstanceNorm3d` that takes ``num_features`` from its first input.

    Args:
        eps, momentum, affine, track_running_stats, bias, device, dtype: as for
            :class:`InstanceNorm1d`, with the defaults of :class:`LazyBatchNorm1d`.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LazyInstanceNorm3d.html
    """

    cls_to_become = InstanceNorm3d
