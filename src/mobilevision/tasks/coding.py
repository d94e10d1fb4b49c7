"""Boxes as offsets from anchors and back, and which box an anchor stands for (arXiv:1512.02325, section 2.2)."""

import math

import torch
from torch import Tensor
from torchvision.ops import box_convert, box_iou

Weights = tuple[float, float, float, float]
"""What the offsets of x, y, width and height are multiplied by, so that they spread about as far as a loss likes."""

LARGEST = math.log(1000 / 16)  # of the logarithm of a side over an anchor's: what is wilder would overflow

BACKGROUND, BETWEEN = -1, -2


def encode(boxes: Tensor, anchors: Tensor, weights: Weights) -> Tensor:
    """The offsets that lead from `anchors` to `boxes`, both left, top, right, bottom. Shape: (..., 4), all three."""
    to, at = (box_convert(x, "xyxy", "cxcywh") for x in (boxes, anchors))
    steps = torch.cat([(to[..., :2] - at[..., :2]) / at[..., 2:], (to[..., 2:] / at[..., 2:]).log()], -1)
    return steps * steps.new_tensor(weights)


def decode(offsets: Tensor, anchors: Tensor, weights: Weights) -> Tensor:
    """The boxes that `encode` gave offsets for. Shape: (N, anchors, 4), (anchors, 4) -> (N, anchors, 4)."""
    steps, at = offsets / offsets.new_tensor(weights), box_convert(anchors, "xyxy", "cxcywh")
    centers = steps[..., :2] * at[..., 2:] + at[..., :2]
    half = steps[..., 2:].clamp(max=LARGEST).exp() * at[..., 2:] / 2
    return torch.cat([centers - half, centers + half], -1)


def match(boxes: Tensor, anchors: Tensor, *, high: float, low: float) -> Tensor:
    """Which box each anchor stands for.

    An anchor stands for the box it overlaps most, if that much is at least `high` (intersection over union); every
    box has at least the anchor that overlaps it most.

    Args:
        boxes: shape (boxes, 4).
        anchors: shape (anchors, 4).
        high: from here on an anchor stands for a box.
        low: below, it stands for the background.

    Returns:
        Places in `boxes`; `BACKGROUND`; or `BETWEEN` for anchors that should learn neither. Shape: (anchors,).
    """
    if not len(boxes):
        return torch.full((len(anchors),), BACKGROUND, device=anchors.device)
    overlaps = box_iou(boxes, anchors)  # (boxes, anchors)
    most, place = overlaps.max(0)
    place = torch.where(most < low, BACKGROUND, torch.where(most < high, BETWEEN, place))
    place[overlaps.argmax(1)] = torch.arange(len(boxes), device=place.device)
    return place
