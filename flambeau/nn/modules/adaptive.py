"""``AdaptiveLogSoftmaxWithLoss``: rare classes in clusters of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import flambeau
from flambeau.nn import functional as F
from flambeau.nn.modules.container import ModuleList, Sequential
from flambeau.nn.modules.linear import Linear
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


_ASMoutput.__name__ = _ASMoutput.__qualname__ = "ASMoutput"


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of very many classes, those that are rare in clusters.

    Args:
        in_features: size of the input vectors.
        n_classes: number of classes, the frequent ones first.
        cutoffs: where the clusters begin.
        div_value: how much smaller each cluster's inner size is than the one before's.
        head_bias: whether the scores of frequent classes and clusters have a bias.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, in_features)`` or ``(in_features)``; targets ``(N)`` or ``()``
        - Output: a pair: ``output`` ``(N)``, the log-probabilities of the targets, and ``loss``,
          minus their mean

    Raises:
        ValueError: ``cutoffs`` are not increasing integers from 1 to ``n_classes - 1``.

    Source: Grave et al., Efficient softmax approximation for GPUs, 2016;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = {"device": device, "dtype": dtype}
        super().__init__()
        cutoffs = list(cutoffs)
        if len(cutoffs) == 0:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(cutoffs)
            or min(cutoffs) <= 0
            or max(cutoffs) > n_classes - 1
            or len(set(cutoffs)) != len(cutoffs)
            or any(int(c) != c for c in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an "
                "increasing order, where each value is between 1 and n_classes-1 "
                f"(got {cutoffs} for {n_classes} classes)"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            inner = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, inner, bias=False, **options),
                    Linear(inner, size, bias=False, **options),
                )
            )

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for projection, scores in self.tail:  # type: ignore[attr-defined]
            projection.reset_parameters()
            scores.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Log-probabilities of the targets, and their loss.

        Args:
            input_: ``(N, in_features)`` or ``(in_features)``.
            target_: ``(N)`` or ``()``, classes.

        Returns:
            A named tuple: ``output``, ``(N)`` or ``()``, and ``loss``, a 0-d tensor.

        Raises:
            RuntimeError: shapes that do not fit, or a target that is no class.
        """
        wanted = target_.dim()
        if wanted == 1:
            if input_.shape[0] != target_.shape[0]:
                raise RuntimeError(
                    "Input and target should have the same size in the batch dimension."
                )
            if input_.dim() != 2:
                raise RuntimeError(
                    "1D target tensor expects 2D input tensors, but found inputs with size "
                    f"{input_.size()}"
                )
        elif wanted == 0:
            if input_.dim() != 1:
                raise RuntimeError(
                    "0D target tensor expects 1D input tensors, but found inputs with size "
                    f"{input_.size()}"
                )
        else:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        alone = wanted == 0
        input = input_.unsqueeze(0) if alone else input_
        target = target_.unsqueeze(0) if alone else target_
        if target.numel() and not (int(target.min()) >= 0 and int(target.max()) < self.n_classes):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{int(target.min())}, {int(target.max())}] were found. "
            )
        output = input.new_zeros(target.shape[0])
        head_class = target.clone()
        bounds = [0, *self.cutoffs]
        for i in range(1, len(bounds) - 1):
            rows = ((target >= bounds[i]) & (target < bounds[i + 1])).nonzero().squeeze(-1)
            if not rows.numel():
                continue
            within = (target[rows] - bounds[i]).unsqueeze(1)
            scores = self.tail[i - 1](input.index_select(0, rows))  # type: ignore[operator]
            local = F.log_softmax(scores, dim=1).gather(1, within)
            output = output.index_copy(0, rows, local.squeeze(1))
            head_class[rows] = self.shortlist_size + i - 1
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, head_class.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output.squeeze(0) if alone else output, loss)

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            scores = self.tail[i](input)  # type: ignore[operator]
            cluster = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(F.log_softmax(scores, dim=1) + cluster)
        return flambeau.cat(parts, 1)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, in_features) to (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The most likely class of each row: (N, in_features) to (N,)."""
        head = self.head(input)
        best = head.argmax(1)
        if bool((best < self.shortlist_size).all()):
            return best
        return self._get_full_log_prob(input, head).argmax(1)
