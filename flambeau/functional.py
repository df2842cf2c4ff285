"""``torch.functional``: functions of ``torch`` under a second name."""

from __future__ import annotations

import flambeau as _torch

_NAMES = (
    "atleast_1d atleast_2d atleast_3d align_tensors block_diag broadcast_shapes broadcast_tensors "
    "cartesian_prod cdist chain_matmul einsum istft lu meshgrid norm split stft tensordot unique "
    "unique_consecutive unravel_index"
).split()
__all__ = [_name for _name in _NAMES if hasattr(_torch, _name)]
globals().update({_name: getattr(_torch, _name) for _name in __all__})
