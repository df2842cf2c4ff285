"""flambeau: a deep-learning framework with PyTorch's API.  ``import flambeau as torch``.

The names here are PyTorch's.  Subpackages that not every program needs (``nn``, ``optim``,
``utils``, ``vision``, ...) are imported when they are first used.

Source: https://pytorch.org/docs/stable/torch.html
"""

from __future__ import annotations

import importlib as _importlib
import math as _math
import os as _os
import warnings as _warnings
from typing import Any as _Any

# NumPy reports 1/0 and its like as warnings; PyTorch's results are inf and nan without a word.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"flambeau\.")

from . import allocation as _allocation  # noqa: E402, F401
from . import dtypes as _dtypes  # noqa: E402
from . import ops as _ops  # noqa: E402
from . import random as random  # noqa: E402
from .autograd.grad_mode import (  # noqa: E402
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .device import device, get_default_device, set_default_device  # noqa: E402
from .dtypes import *  # noqa: E402, F403
from .layout import (  # noqa: E402
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    sparse_csr,
    strided,
)
from .ops import PUBLIC as _PUBLIC  # noqa: E402
from .random import (  # noqa: E402
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .random.functions import *  # noqa: E402, F403
from .size import Size  # noqa: E402
from .tensor import Tensor  # noqa: E402
from .tensor import creation as _creation  # noqa: E402
from .tensor import dlpack as _dlpack  # noqa: E402
from .tensor import element_writes as _element_writes  # noqa: E402
from .tensor.creation import *  # noqa: E402, F403
from .tensor.dlpack import from_dlpack, to_dlpack  # noqa: E402
from .tensor.inquiries import *  # noqa: E402, F403
from .tensor.legacy_types import *  # noqa: E402, F403
from .tensor.sequences import *  # noqa: E402, F403
from .version import __version__  # noqa: E402

if _os.environ.get("FLAMBEAU_LOG"):
    from .log_settings import read_environment as _read_environment

    _read_environment()
_dlpack.attach()
_element_writes.attach()
for _name in ("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"):
    setattr(Tensor, _name, getattr(_creation, _name))


def _method_of(name: str) -> _Any:
    """The method of Tensor that calls a function of modules that are imported when first used."""

    def method(self: Tensor, *args: _Any, **kwargs: _Any) -> _Any:
        return __getattr__(name)(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"See :func:`torch.{name}`."
    return method


for _name in ("stft", "istft", "nonzero_static"):
    setattr(Tensor, _name, _method_of(_name))
# What PyTorch has as methods of Tensor only (and `torch.cuda`, `torch.cpu` are modules).
_METHODS_ONLY = frozenset(
    "contiguous cpu cuda data_ptr expand expand_as is_contiguous is_pinned is_shared pin_memory "
    "repeat reshape_as resize_ set_ share_memory_ storage_offset stride to type type_as "
    "storage untyped_storage view view_as copy_ add_ sub_ mul_ pow_ remainder_ fmod_ "
    "floor_divide_ eq_ "
    "ne_ lt_ le_ gt_ ge_ lerp_ sign_ cumsum_ cumprod_ digamma_ lgamma_ erfinv_ atan2_ addcdiv_ "
    "addcmul_ scatter_add_ bitwise_and_ bitwise_or_ bitwise_xor_ bitwise_not_ logical_and_ "
    "logical_or_ logical_xor_ logical_not_ bitwise_left_shift_ bitwise_right_shift_ "
    "igamma_ igammac_ copysign_ heaviside_ hypot_ nextafter_ sgn_ sum_to_size unfold".split()
)
globals().update({_n: _f for _n, _f in _PUBLIC.items() if _n not in _METHODS_ONLY})

inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e
newaxis = None

_SUBMODULES = frozenset(
    "autograd compat compiler datasets distributed distributions fft func linalg nn optim plots "
    "serialization special testing training utils vision amp backends cuda mps hub jit onnx types "
    "multiprocessing cpu accelerator distributed functional profiler xpu _dynamo signal storage "
    "version".split()
)
_LAZY = {
    "save": "serialization",
    "load": "serialization",
    "compile": "compiler",
    "set_printoptions": "tensor.printing",
    "get_printoptions": "tensor.printing",
    "printoptions": "tensor.printing",
    "autocast": "amp",
    "poisson": "random.rejection",
    "binomial": "random.rejection",
    "_standard_gamma": "random.rejection",
    "_sample_dirichlet": "random.rejection",
    "autocast_decrement_nesting": "amp",
    "autocast_increment_nesting": "amp",
    "clear_autocast_cache": "amp",
    "get_autocast_cpu_dtype": "amp",
    "get_autocast_dtype": "amp",
    "get_autocast_gpu_dtype": "amp",
    "is_autocast_cache_enabled": "amp",
    "is_autocast_cpu_enabled": "amp",
    "is_autocast_enabled": "amp",
    "set_autocast_cache_enabled": "amp",
    "set_autocast_cpu_dtype": "amp",
    "set_autocast_cpu_enabled": "amp",
    "set_autocast_dtype": "amp",
    "set_autocast_enabled": "amp",
    "vmap": "func",
    "bartlett_window": "ops.windows",
    "blackman_window": "ops.windows",
    "hamming_window": "ops.windows",
    "hann_window": "ops.windows",
    "kaiser_window": "ops.windows",
    "istft": "ops.short_time_fourier",
    "stft": "ops.short_time_fourier",
    "alpha_dropout_": "nn.functional.numbered_reductions",
    "binary_cross_entropy_with_logits": "nn.functional.numbered_reductions",
    "cosine_embedding_loss": "nn.functional.numbered_reductions",
    "ctc_loss": "nn.functional.numbered_reductions",
    "dropout_": "nn.functional.numbered_reductions",
    "feature_alpha_dropout_": "nn.functional.numbered_reductions",
    "hinge_embedding_loss": "nn.functional.numbered_reductions",
    "kl_div": "nn.functional.numbered_reductions",
    "margin_ranking_loss": "nn.functional.numbered_reductions",
    "poisson_nll_loss": "nn.functional.numbered_reductions",
    "triplet_margin_loss": "nn.functional.numbered_reductions",
    "empty_permuted": "tensor.strided_creation",
    "empty_strided": "tensor.strided_creation",
    "is_inference": "tensor.strided_creation",
    "nonzero_static": "tensor.strided_creation",
    "range": "tensor.strided_creation",
    "celu_": "nn.functional",
    "rrelu": "nn.functional",
    "rrelu_": "nn.functional",
    "selu_": "nn.functional",
    "grid_sampler": "nn.functional.grids",
    "grid_sampler_2d": "nn.functional.grids",
    "grid_sampler_3d": "nn.functional.grids",
    "GradScaler": "amp",
    "are_deterministic_algorithms_enabled": "settings",
    "get_deterministic_debug_mode": "settings",
    "get_float32_matmul_precision": "settings",
    "is_deterministic_algorithms_warn_only_enabled": "settings",
    "is_warn_always_enabled": "settings",
    "set_default_tensor_type": "settings",
    "set_deterministic_debug_mode": "settings",
    "set_float32_matmul_precision": "settings",
    "set_flush_denormal": "settings",
    "set_warn_always": "settings",
    "use_deterministic_algorithms": "settings",
    "cosine_similarity": "nn.functional",
    "pairwise_distance": "nn.functional",
    "pixel_shuffle": "nn.functional",
    "pixel_unshuffle": "nn.functional",
    "channel_shuffle": "nn.functional",
    "bilinear": "nn.functional",
    "TypedStorage": "storage",
    "UntypedStorage": "storage",
    "OutOfMemoryError": "cuda",
    "AcceleratorError": "cuda",
    "is_anomaly_enabled": "autograd.anomaly",
    "is_anomaly_check_nan_enabled": "autograd.anomaly",
    "set_num_threads": "threads",
    "get_num_threads": "threads",
    "set_num_interop_threads": "threads",
    "get_num_interop_threads": "threads",
}


# In-place methods that PyTorch has as functions, too.
_INPLACE = frozenset(
    "arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ clamp_ clamp_max_ clamp_min_ clip_ "
    "deg2rad_ detach detach_ fix_ gcd_ lcm_ ldexp_ negative_ rad2deg_".split()
)


def __getattr__(name: str) -> _Any:
    if name in _SUBMODULES:
        try:
            return _importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    elif name in _LAZY:
        value = getattr(_importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    elif name in _INPLACE:
        return getattr(Tensor, name)
    elif name.startswith("_foreach_"):
        from .ops.foreach import foreach as _foreach

        if (function := _foreach(name)) is not None:
            globals()[name] = function
            return function
    raise AttributeError(f"module 'torch' has no attribute '{name}' (nor has flambeau)")


def is_floating_point(input: Tensor) -> _Any:
    """Whether the dtype of the tensor ``input`` is a floating-point one, a bool."""
    return input.is_floating_point()


def is_complex(input: Tensor) -> _Any:
    """Whether the dtype of the tensor ``input`` is a complex one, a bool."""
    return input.is_complex()


def _assert(condition: _Any, message: str) -> None:
    """Raise AssertionError with ``message`` unless ``condition`` holds: what traced models use."""
    assert condition, message


def is_storage(obj: _Any) -> _Any:
    """Whether ``obj`` is a tensor's storage, a bool."""
    from .tensor.storage import _Storage

    return isinstance(obj, _Storage)


def result_type(tensor1: _Any, tensor2: _Any) -> _dtypes.dtype:
    """The dtype of an operation on ``tensor1`` and ``tensor2``, tensors or numbers.

    Raises:
        TypeError: an operand is an array or a dtype.
    """
    promotion = _dtypes.Promotion()
    for operand in (tensor1, tensor2):
        array = hasattr(operand, "__array_finalize__") and operand.shape
        if array or isinstance(operand, _dtypes.dtype):
            found = ", ".join(type(value).__name__ for value in (tensor1, tensor2))
            raise TypeError(
                f"result_type() received an invalid combination of arguments - got ({found}), but "
                "expected tensors and numbers"
            )
        if isinstance(operand, Tensor):
            promotion.add_array(operand.dtype, operand.dim())
        else:
            promotion.add_number(operand)
    return promotion.result()
