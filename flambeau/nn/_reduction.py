"""Reductions of losses by number (``torch.nn._reduction``), for losses that programs write.

Source: ``torch/nn/_reduction.py`` of PyTorch.
"""

from __future__ import annotations

from flambeau.ops.loss import check_reduction, legacy_reduction

_NUMBERS = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """The number of a reduction: 0 for ``"none"``, 1 for ``"mean"``, 2 for ``"sum"``.

    Raises:
        ValueError: ``reduction`` is another word.
    """
    return _NUMBERS[check_reduction(reduction)]


def legacy_get_string(
    size_average: bool | None, reduce: bool | None, emit_warning: bool = True
) -> str:
    """The reduction that the deprecated arguments ask for.

    Args:
        size_average: whether the mean is wanted; None is True.
        reduce: whether anything but ``"none"`` is; None is True.
        emit_warning: whether a warning says that they are deprecated.
    """
    return legacy_reduction(size_average, reduce, emit_warning)


def legacy_get_enum(
    size_average: bool | None, reduce: bool | None, emit_warning: bool = True
) -> int:
    """The number of the reduction that the deprecated arguments ask for.

    Args:
        size_average, reduce, emit_warning: as of :func:`legacy_get_string`.
    """
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
