"""Boxes, losses and blocks of torchvision.ops, against values worked out by hand."""

from __future__ import annotations

import math

import pytest

import flambeau as torch
from flambeau.vision import ops

BOXES = torch.tensor([[0.0, 0, 4, 4], [1, 1, 5, 5], [10, 10, 12, 14]])


def test_overlaps_of_boxes() -> None:
    assert ops.box_area(BOXES).tolist() == [16, 16, 8]
    overlaps = ops.box_iou(BOXES, BOXES)
    assert overlaps[0].tolist() == pytest.approx([1, 9 / 23, 0])
    generalized = ops.generalized_box_iou(BOXES, BOXES)
    assert generalized[0, 1].item() == pytest.approx(9 / 23 - 2 / 25)
    assert generalized[0, 2].item() == pytest.approx(-(12 * 14 - 24) / (12 * 14))


@pytest.mark.parametrize("form", ["xyxy", "xywh", "cxcywh"])
def test_boxes_come_back_from_every_form(form: str) -> None:
    there = ops.box_convert(BOXES, "xyxy", form)
    assert torch.allclose(ops.box_convert(there, form, "xyxy"), BOXES)
    with pytest.raises(ValueError, match="Unsupported Bounding Box"):
        ops.box_convert(BOXES, form, "corners")


def test_boxes_that_overlap_a_better_one_are_removed() -> None:
    scores = torch.tensor([0.5, 0.9, 0.1])
    assert ops.nms(BOXES, scores, 0.3).tolist() == [1, 2]
    assert ops.nms(BOXES, scores, 0.5).tolist() == [1, 0, 2]
    assert ops.batched_nms(BOXES, scores, torch.tensor([0, 1, 0]), 0.3).tolist() == [1, 0, 2]
    assert ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.3).shape == (0,)
    with pytest.raises(RuntimeError, match="4 columns"):
        ops.nms(torch.zeros(2, 3), scores, 0.3)


def test_boxes_are_clipped_and_small_ones_found() -> None:
    clipped = ops.clip_boxes_to_image(BOXES, (11, 4))
    assert clipped.tolist() == [[0, 0, 4, 4], [1, 1, 4, 5], [4, 10, 4, 11]]
    assert ops.remove_small_boxes(BOXES, 3).tolist() == [0, 1]


def test_focal_loss_of_one_score() -> None:
    p = 1 / (1 + math.exp(-2))
    loss = ops.sigmoid_focal_loss(torch.tensor([2.0]), torch.tensor([1.0]))
    assert loss.item() == pytest.approx(-0.25 * (1 - p) ** 2 * math.log(p), rel=1e-5)
    with pytest.raises(ValueError, match="reduction"):
        ops.sigmoid_focal_loss(torch.ones(1), torch.ones(1), reduction="max")


def test_rows_are_dropped_whole_and_the_others_scaled() -> None:
    torch.manual_seed(1)
    out = ops.StochasticDepth(0.5, "row")(torch.ones(20, 3))
    assert set(out.sum(1).tolist()) == {0, 6}
    assert ops.stochastic_depth(out, 0.5, "row", training=False) is out
    with pytest.raises(ValueError, match="mode has to be"):
        ops.stochastic_depth(out, 0.5, "column")


def test_blocks_have_torchvision_s_parameters() -> None:
    block = ops.Conv2dNormActivation(3, 8, 3, stride=2)
    assert block(torch.ones(2, 3, 8, 8)).shape == (2, 8, 4, 4)
    assert list(dict(block.named_parameters())) == ["0.weight", "1.weight", "1.bias"]
    assert ops.SqueezeExcitation(8, 2)(torch.ones(1, 8, 4, 4)).shape == (1, 8, 4, 4)
    assert ops.MLP(3, [8, 4])(torch.ones(2, 3)).shape == (2, 4)
    assert ops.Permute([1, 0])(torch.ones(2, 3)).shape == (3, 2)
