"""Boxes ``(x1, y1, x2, y2)``: their areas, overlaps and the choice among them.

Source: https://docs.pytorch.org/vision/stable/ops.html
"""

from __future__ import annotations

import numpy as np

import flambeau
from flambeau.tensor import Tensor
from flambeau.tensor.creation import from_numpy

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "generalized_box_iou",
    "nms",
    "remove_small_boxes",
]


def box_area(boxes: Tensor) -> Tensor:
    """The areas of boxes.

    Args:
        boxes: ``(n, 4)``, corners.

    Returns:
        ``(n,)``.
    """
    boxes = boxes if boxes.is_floating_point() else boxes.long()
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _overlap(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """The areas that each two boxes have in common, and those that they cover."""
    low = flambeau.maximum(boxes1[:, None, :2], boxes2[:, :2])
    high = flambeau.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = (high - low).clamp(min=0)
    common = sides[:, :, 0] * sides[:, :, 1]
    return common, box_area(boxes1)[:, None] + box_area(boxes2) - common


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """The overlap of each two boxes, as a part of what they cover.

    Args:
        boxes1, boxes2: ``(n, 4)``, ``(m, 4)``, corners.

    Returns:
        ``(n, m)``, from 0 to 1.
    """
    common, covered = _overlap(boxes1, boxes2)
    return common / covered


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """``box_iou`` less the part of the smallest box around both that they leave empty.

    Args:
        boxes1, boxes2: ``(n, 4)``, ``(m, 4)``, corners.

    Returns:
        ``(n, m)``, from -1 to 1.

    Source: Rezatofighi et al., Generalized Intersection over Union, 2019.
    """
    common, covered = _overlap(boxes1, boxes2)
    low = flambeau.minimum(boxes1[:, None, :2], boxes2[:, :2])
    high = flambeau.maximum(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = (high - low).clamp(min=0)
    around = sides[:, :, 0] * sides[:, :, 1]
    return common / covered - (around - covered) / around


def _corners(boxes: Tensor, fmt: str) -> Tensor:
    a, b, c, d = boxes.unbind(-1)
    if fmt == "xywh":
        return flambeau.stack((a, b, a + c, b + d), -1)
    if fmt == "cxcywh":
        return flambeau.stack((a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d), -1)
    return boxes


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes in another form.

    Args:
        boxes: ``(n, 4)``.
        in_fmt, out_fmt: corners "xyxy", corner and size "xywh", or centre and size "cxcywh".

    Returns:
        ``(n, 4)``, new memory.

    Raises:
        ValueError: another form.
    """
    forms = ("xyxy", "xywh", "cxcywh")
    if in_fmt not in forms or out_fmt not in forms:
        raise ValueError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt!r} and out_fmt "
            f"{out_fmt!r}; there are {', '.join(forms)}"
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    x1, y1, x2, y2 = _corners(boxes, in_fmt).unbind(-1)
    if out_fmt == "xywh":
        return flambeau.stack((x1, y1, x2 - x1, y2 - y1), -1)
    if out_fmt == "cxcywh":
        return flambeau.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), -1)
    return flambeau.stack((x1, y1, x2, y2), -1)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut at the borders of an image.

    Args:
        boxes: ``(..., 4)``, corners.
        size: ``(height, width)``.

    Returns:
        The shape of ``boxes``.
    """
    height, width = size
    x = boxes[..., 0::2].clamp(min=0, max=width)
    y = boxes[..., 1::2].clamp(min=0, max=height)
    return flambeau.stack((x, y), -1).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """The numbers of the boxes, ``(n, 4)``, whose sides are both at least ``min_size``.

    Returns:
        ``(k,)``, int64.
    """
    wide = boxes[:, 2] - boxes[:, 0] >= min_size
    return flambeau.where(wide & (boxes[:, 3] - boxes[:, 1] >= min_size))[0]


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The boxes that are left when each removes those of a lower score that it overlaps.

    Args:
        boxes: ``(n, 4)``.
        scores: ``(n,)``.
        iou_threshold: boxes that overlap by more are removed.

    Returns:
        their numbers, the highest score first.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    if boxes.dim() != 2 or boxes.size(1) != 4:
        raise RuntimeError(f"boxes should be a 2d tensor with 4 columns, got {list(boxes.shape)}")
    if scores.dim() != 1 or scores.size(0) != boxes.size(0):
        raise RuntimeError(
            f"boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.size(0)} and {list(scores.shape)}"
        )
    corners, areas = boxes.detach().numpy(), box_area(boxes.detach()).numpy()
    order = np.argsort(-scores.detach().numpy(), kind="stable")
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[order, :2])
        high = np.minimum(corners[best, 2:], corners[order, 2:])
        common = np.clip(high - low, 0, None).prod(1)
        order = order[common / (areas[best] + areas[order] - common) <= iou_threshold]
    return from_numpy(np.array(kept, np.int64))


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """``nms`` among the boxes of the same class only.

    Args:
        boxes: ``(n, 4)``.
        scores: ``(n,)``.
        idxs: ``(n,)``, the classes.
        iou_threshold: boxes of one class that overlap by more are removed.

    Returns:
        ``(k,)``: their numbers, the highest score first.

    Raises:
        RuntimeError: the shapes do not fit.
    """
    if boxes.numel() == 0:
        return flambeau.empty((0,), dtype=flambeau.int64)
    apart = idxs.to(boxes.dtype) * (boxes.max() + 1)  # classes lie beside one another
    return nms(boxes + apart[:, None], scores, iou_threshold)
