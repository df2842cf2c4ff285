"""Where flambeau's operators are known to differ from PyTorch's: reason -> aspect -> entries.

The lists may only become shorter: an entry that differs no more has to be removed.
"""

from __future__ import annotations


def in_all(entries: str, aspects: str) -> dict[str, str]:
    return dict.fromkeys(aspects.split(), entries)


EXPECTED: dict[str, dict[str, str]] = {
    "PyTorch's values are off by more than 1e-7 (tests/ops/test_special.py has the integrals)": {
        **in_all("special.bessel_j0 special.bessel_j1 special.bessel_y1", "float64 out"),
    },
    "a new dim of size 1 has a row's stride, also where a scalar is expanded": {
        "view": "expand_as"
    },
    "edges of a dim whose elements are all equal are refused": {
        **in_all("histogramdd", "float64 out float32")
    },
    "eigenvectors are known up to a factor": {
        "float32": "linalg.eig",
    },
    "PyTorch's order of equal elements is not that of the input": {
        "bfloat16": "topk sort argsort",
        "int64": "topk kthvalue",
        "int32": "topk kthvalue",
        "uint8": "topk kthvalue sort argsort",
        "bool": "sort argsort",
    },
    "a fill value that the dtype has no room for is refused here": {"uint8": "full"},
    "one of several subgradients": {"second": "linalg.norm[subgradients_at_zero]"},
    "PyTorch's gradients computed chunk by chunk have no gradients; these have": {
        "second": "nn.functional.linear_cross_entropy[chunked]",
    },
    "PyTorch rounds every step to bfloat16": {"bfloat16": "matrix_exp"},
    "PyTorch has kernels of their own for bytes, with weights of 16 bits": {
        "uint8": "nn.functional.interpolate[bilinear] nn.functional.interpolate[bicubic] "
        "nn.functional.upsample_bilinear",
    },
    "integers become floating-point numbers here": {
        "int64": "nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.avg_pool3d "
        "nn.functional.local_response_norm",
    },
    "a sum over no dims keeps its dtype here": {
        **in_all("sum_to_size", "int32 uint8 bool"),
    },
    "exponentials of complex numbers are not scaled by their largest": {
        "complex64": "logaddexp logsumexp istft",
    },
    "PyTorch computes in the dtype of out": {"out": "cumsum cumprod bernoulli"},
    "PyTorch warns, or does not, where it warns elsewhere": {
        "out": "lu nn.functional.linear nonzero",
    },
    "an out without elements keeps its shape in PyTorch": {
        "out": "linspace linspace[tensor_overload] logspace logspace[tensor_overload]",
    },
    "no out= here": {
        "out": "nn.functional.avg_pool2d nn.functional.avg_pool3d linalg.lstsq",
    },
    "a tensor cannot be given other strides in place": {"inplace": "as_strided"},
    "PyTorch lets addbmm_ give the tensor another shape": {"inplace": "addbmm"},
    "parts that can be written to are copies here": {"view": "unsafe_chunk unsafe_split"},
}
