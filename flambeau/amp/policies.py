"""Which operations autocast runs in half precision, and which in single.

The lists are those of PyTorch's CPU autocast.  Products and convolutions run in half precision;
losses and what loses too much accuracy in single precision; everything else in the precision that
its inputs have.

Source: https://pytorch.org/docs/stable/amp.html#cpu-op-specific-behavior
"""

from __future__ import annotations

HALF_OPERATIONS = frozenset(
    """matmul linear convolution linalg_vecdot prelu lstm_layer rnn_layer attention
    scaled_dot_product_attention""".split()
)
"""Operations whose operands are brought to half precision."""

SINGLE_OPERATIONS = frozenset(
    """binary_cross_entropy binary_cross_entropy_with_logits cross_entropy_classes
    cross_entropy_probabilities huber_loss kl_div_values l1_loss mse_loss nll_loss prod prod_dims
    smooth_l1_loss trace""".split()
)
"""Operations whose operands are brought to single precision."""

HALF_FUNCTIONS = {
    "": "addbmm addmm baddbmm",
    "linalg": "vecdot",
    "nn.functional": "prelu scaled_dot_product_attention",
}
"""Functions made of operations, by module, that run in half precision as a whole."""

SINGLE_FUNCTIONS = {
    "": """binary_cross_entropy_with_logits cdist cholesky cholesky_inverse cholesky_solve
        cosine_embedding_loss ctc_loss geqrf grid_sampler hinge_embedding_loss inverse kl_div
        lu_solve margin_ranking_loss nanquantile ormqr pinverse poisson_nll_loss polar prod qr
        quantile stft svd trace triangular_solve triplet_margin_loss view_as_complex""",
    "nn.functional": """adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d cosine_embedding_loss
        ctc_loss fractional_max_pool2d fractional_max_pool3d grid_sample hinge_embedding_loss
        huber_loss kl_div margin_ranking_loss max_pool3d max_unpool1d max_unpool2d max_unpool3d
        multi_margin_loss multilabel_margin_loss poisson_nll_loss soft_margin_loss
        triplet_margin_loss""",
    "linalg": """cholesky cholesky_ex cond eig eigh eigvals eigvalsh householder_product inv inv_ex
        lstsq matrix_rank qr solve svd svdvals tensorinv tensorsolve""",
    "fft": """fft fft2 fftn hfft hfft2 hfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2
        irfftn rfft rfft2 rfftn""",
}
"""Functions made of operations, by module, that run in single precision as a whole."""

UNTOUCHED_FUNCTIONS = {
    "": "addmv addr dot kron mv outer vdot",
    "nn.functional": "adaptive_avg_pool1d adaptive_avg_pool2d bilinear interpolate",
    "ops.recurrent_stack": "gru_cell lstm_cell rnn_relu_cell rnn_tanh_cell",
}
"""Functions that PyTorch has no policy for, but that are made of operations that have one here."""

PADDING_IN_SINGLE = frozenset(("reflect", "replicate"))
"""The modes of ``nn.functional.pad`` that run in single precision."""
