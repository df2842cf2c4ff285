"""Batches of sequences of different lengths: padded, packed, and back (``torch.nn.utils.rnn``).

A packed batch holds the steps of all sequences one after the other without padding: step 0 of every
sequence, longest first, then step 1 of those that have one, and so on.

Source: https://docs.pytorch.org/docs/2.13/nn.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

import flambeau
from flambeau.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]


class PackedSequence_(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """A packed batch of sequences; made by :func:`pack_padded_sequence` and its like.

    Args:
        data, batch_sizes, sorted_indices, unsorted_indices: as below; or ``data`` is a pair of the
            first two.

    Attributes:
        data: ``(rows, *)``, the steps of all sequences.
        batch_sizes: ``(T,)``, int64 on the CPU: how many sequences have step t.
        sorted_indices: ``(N,)``, the order in which the sequences were put (longest first), or
            None if they were in that order.
        unsorted_indices: ``(N,)``, the inverse permutation.

    Raises:
        AssertionError: such a pair has not two elements.
        ValueError: ``batch_sizes`` is not on the CPU.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.PackedSequence.html
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            # an old form: one argument with both
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                "created manually. They should be instantiated by functions like "
                "pack_sequence and pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, data: Tensor, moved: Any = None) -> PackedSequence:
        if data is self.data:
            return self
        indices = [
            i if i is None or moved is None else moved(i)
            for i in (self.sorted_indices, self.unsorted_indices)
        ]
        return type(self)(data, self.batch_sizes, *indices)

    def pin_memory(self) -> PackedSequence:
        """With ``data`` and indices in page-locked memory."""
        return self._with(self.data.pin_memory(), lambda indices: indices.pin_memory())

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With ``data`` converted as by :meth:`Tensor.to`; ``self`` if that changes nothing.

        ``args`` and ``kwargs`` are those of :meth:`Tensor.to`.
        """
        data = self.data.to(*args, **kwargs)
        options = {k: v for k, v in kwargs.items() if k in ("non_blocking", "copy")}
        return self._with(data, lambda indices: indices.to(data.device, **options))

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """On the GPU; ``args`` and ``kwargs`` are those of :meth:`Tensor.to`."""
        return self._moved("cuda", args, kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """On the CPU; ``args`` and ``kwargs`` are those of :meth:`Tensor.to`."""
        return self._moved("cpu", args, kwargs)

    def _moved(self, device: str, args: Any, kwargs: Any) -> PackedSequence:
        wanted = flambeau.tensor((), dtype=self.data.dtype, device=self.data.device)
        if wanted.to(*args, **kwargs).device.type == device:
            return self.to(*args, **kwargs)
        return self.to(*args, device=device, **kwargs)

    def double(self) -> PackedSequence:
        """With ``data`` as float64."""
        return self.to(dtype=flambeau.double)

    def float(self) -> PackedSequence:
        """With ``data`` as float32."""
        return self.to(dtype=flambeau.float)

    def half(self) -> PackedSequence:
        """With ``data`` as float16."""
        return self.to(dtype=flambeau.half)

    def long(self) -> PackedSequence:
        """With ``data`` as int64."""
        return self.to(dtype=flambeau.long)

    def int(self) -> PackedSequence:
        """With ``data`` as int32."""
        return self.to(dtype=flambeau.int)

    def short(self) -> PackedSequence:
        """With ``data`` as int16."""
        return self.to(dtype=flambeau.short)

    def char(self) -> PackedSequence:
        """With ``data`` as int8."""
        return self.to(dtype=flambeau.int8)

    def byte(self) -> PackedSequence:
        """With ``data`` as uint8."""
        return self.to(dtype=flambeau.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether ``data`` is on the GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether ``data`` is in page-locked memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes ``permutation``; None for None.

    Returns:
        ``(N,)``, as ``permutation``.
    """
    if permutation is None:
        return None
    output = flambeau.empty_like(permutation)
    output.scatter_(
        0, permutation, flambeau.arange(0, permutation.numel(), device=permutation.device)
    )
    return output


def _checked_lengths(lengths: Any, batch: int) -> np.ndarray:
    if isinstance(lengths, Tensor):
        place, kind = lengths.device.type, lengths.type().rsplit(".")[-1].removesuffix("Tensor")
        if lengths.dim() != 1 or place != "cpu" or kind != "Long":
            raise RuntimeError(
                "'lengths' argument should be a 1D CPU int64 tensor, but got "
                f"{lengths.dim()}D {place} {kind} tensor"
            )
        numbers = lengths.tolist()
    else:
        numbers = [int(n) for n in lengths]
    if len(numbers) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(numbers)} "
            f"(batch_size={batch})"
        )
    if min(numbers) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    return np.array(numbers, np.int64)


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack a padded batch of sequences.

    Args:
        input: ``(T, N, *)``, or ``(N, T, *)`` if ``batch_first``.
        lengths: the N lengths, a list or an int64 tensor on the CPU.
        batch_first: whether the batch is the first dim.
        enforce_sorted: whether the sequences must come longest first; if not, they are sorted.

    Returns:
        The packed batch.

    Raises:
        RuntimeError: lengths that are not positive, not sorted, too many or too long, or an empty
            batch.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.pack_padded_sequence.html
    """
    if not isinstance(lengths, Tensor) or lengths.is_floating_point():
        lengths = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    sorted_indices = unsorted_indices = None
    if not input.numel():
        raise RuntimeError("Cannot pack empty tensors.")
    numbers = _checked_lengths(lengths, input.shape[0 if batch_first else 1])
    if not enforce_sorted:
        order = np.argsort(-numbers, kind="stable")
        numbers = numbers[order]
        sorted_indices = flambeau.from_numpy(order).to(input.device)
        unsorted_indices = flambeau.from_numpy(np.argsort(order)).to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    steps = input.transpose(0, 1) if batch_first else input
    if (np.diff(numbers) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if numbers[0] > steps.shape[0]:
        raise RuntimeError(
            f"pack_padded_sequence: a sequence of length {numbers[0]} does not fit in a batch "
            f"padded to {steps.shape[0]} steps (input of shape {list(input.shape)})"
        )
    present = np.arange(numbers[0])[:, None] < numbers
    rows = np.flatnonzero(present)
    flat = steps[: int(numbers[0])].reshape(-1, *steps.shape[2:])
    data = flat.index_select(0, flambeau.from_numpy(rows).to(input.device))
    batch_sizes = flambeau.from_numpy(present.sum(1))
    return PackedSequence(data, batch_sizes, sorted_indices, unsorted_indices)


def _lengths_of(batch_sizes: Sequence[int]) -> np.ndarray:
    """The lengths of the sequences, longest first."""
    return (np.array(batch_sizes)[:, None] > np.arange(batch_sizes[0])).sum(0)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Spread a packed batch over all steps again.

    Args:
        sequence: the packed batch.
        batch_first: whether the result is ``(N, T, *)``.
        padding_value: stands where a sequence has ended.
        total_length: pad to this length, not that of the longest sequence.

    Returns:
        The padded batch ``(T, N, *)`` and the lengths, in the order the sequences were given in.

    Raises:
        ValueError: ``total_length`` is less than the longest sequence.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.pad_packed_sequence.html
    """
    sizes = sequence.batch_sizes.tolist()
    longest, widest = len(sizes), sizes[0]
    steps = longest
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being "
                f"{longest}"
            )
        steps = total_length
    lengths = _lengths_of(sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.full((steps, widest), starts[-1])
    for t, size in enumerate(sizes):
        rows[t, :size] = np.arange(starts[t], starts[t] + size)
    data = sequence.data
    row_shape = tuple(data.shape[1:])
    if (rows == starts[-1]).any():
        data = flambeau.cat([data, data.new_full((1, *row_shape), padding_value)])
    order = sequence.unsorted_indices
    if order is not None:
        places = order.tolist()
        rows, lengths = rows[:, places], lengths[places]
    if batch_first:
        rows = rows.T
    index = flambeau.from_numpy(np.ascontiguousarray(rows).reshape(-1)).to(data.device)
    padded = data.index_select(0, index).reshape(*rows.shape, *row_shape)
    return padded, flambeau.from_numpy(np.ascontiguousarray(lengths))


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences of different lengths, padded to the longest.

    Args:
        sequences: tensors ``(L, *)``, alike in all dims but the first.
        batch_first: whether the result is ``(N, T, *)``, not ``(T, N, *)``.
        padding_value: stands where a sequence has no element.
        padding_side: "right" (behind) or "left" (before).

    Returns:
        ``(T, N, *)`` or ``(N, T, *)``, T being the longest's length, of the first one's dtype.

    Raises:
        RuntimeError: no sequences, or such as do not fit each other.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.pad_sequence.html
    """
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    elif not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    first = sequences[0]
    if first.dim() == 0:
        raise RuntimeError("pad_sequence: expected sequences of at least one dim, got 0-d tensors")
    longest = max(s.shape[0] for s in sequences)
    padded = []
    for sequence in sequences:
        _check_fits(first, sequence)
        if sequence.dtype is not first.dtype:
            sequence = sequence.to(first.dtype)
        missing = longest - sequence.shape[0]
        if missing:
            filling = first.new_full((missing, *first.shape[1:]), padding_value)
            parts = [sequence, filling] if padding_side == "right" else [filling, sequence]
            sequence = flambeau.cat(parts)
        padded.append(sequence)
    return flambeau.stack(padded, 0 if batch_first else 1)


def _check_fits(first: Tensor, sequence: Tensor) -> None:
    wanted, got = list(first.shape[1:]), list(sequence.shape[1:])
    for dim, (a, b) in enumerate(zip(wanted, got), 1):
        if a != b:
            raise RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {dim}"
            )
    if len(wanted) != len(got):
        raise RuntimeError(
            f"pad_sequence: sequences of {first.dim()} and {sequence.dim()} dims do not fit in one "
            "batch"
        )


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch ``(T, N, *)``, each of its own length.

    Args:
        padded_sequences: ``(T, N, *)``, or ``(N, T, *)`` if ``batch_first``.
        lengths: ``(N,)``.
        batch_first: whether the batch is the first dim.

    Returns:
        N tensors ``(L, *)``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.unpad_sequence.html
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    numbers = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    return [sequence[:length] for sequence, length in zip(padded_sequences, numbers)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths, tensors ``(L, *)``.

    Args:
        sequences: alike in all dims but the first.
        enforce_sorted: whether they must come longest first; if not, they are sorted.

    Returns:
        The packed batch.

    Raises:
        RuntimeError: no sequences, empty ones, such as do not fit each other, or not longest first.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.pack_sequence.html
    """
    lengths = [sequence.size(0) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, in the order they were given in.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.rnn.unpack_sequence.html

    Args:
        packed_sequences: the packed batch.

    Returns:
        N tensors ``(L, *)``.
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
