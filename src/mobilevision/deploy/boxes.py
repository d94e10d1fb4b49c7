"""A detector as a file holds it: boxes decoded, and of those that cover each other the best, in plain operators.

The operators are those that every format has: sort, gather, compare, multiply. What chooses among boxes is a matrix of
who covers whom; a box stays if no better one that stays covers it, which a few rounds of a product find.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from mobilevision.blocks.anchors import rows
from mobilevision.network import Network
from mobilevision.tasks.coding import LARGEST
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.styles import Style

TOGETHER = 2
"""A file compares so many times as many boxes of all classes together as torch compares of each class: with no more, a
class that crowds a picture crowds out the others."""

ROUNDS = 12
"""Longest chain of boxes, each covered by the one before, that is resolved exactly."""


class Raw(nn.Module):
    """A detector's head without its anchors, which at one size of picture are constants."""

    def __init__(self, head: nn.Module, columns: int) -> None:
        super().__init__()
        self.head, self.columns = head, columns

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Scores and offsets. Shape: maps -> (N, anchors, columns), (N, anchors, 4)."""
        head: Any = self.head
        boxes, scores = head.said(maps)
        return torch.cat([rows(x, self.columns) for x in scores], 1), torch.cat([rows(x, 4) for x in boxes], 1)


class ClassRows(nn.Module):
    """What a detector says of classes alone, as rows: how much a layer matters is seen from them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N * anchors, columns)."""
        scores: Tensor = self.network(pictures)[0]
        return scores.flatten(0, 1)


class Choose(nn.Module):
    """From scores and offsets to rows of boxes, the best first; those that a better one covers have probability 0.

    See `TOGETHER` for how many are compared.
    """

    anchors: Tensor
    firsts: Tensor

    def __init__(self, task: Detect, style: Style, anchors: Tensor) -> None:
        super().__init__()
        self.task, self.style, self.corners = task, style, anchors
        self.overlap, self.least = task.overlap, task.least
        self.candidates = min(task.candidates * min(task.outputs, TOGETHER), task.outputs * len(anchors))
        self.register_buffer("firsts", torch.arange(1, task.outputs) * len(anchors))  # places where classes begin
        self.register_buffer("anchors", box_convert(anchors, "xyxy", "cxcywh"))
        self.step = float(style.code[0]), float(style.code[2])

    def forward(self, scores: Tensor, offsets: Tensor) -> Tensor:
        """Shape: (N, anchors, columns), (N, anchors, 4) -> (N, candidates, 6), see `mobilevision.tasks.filed`."""
        chances = self.style.probabilities(scores)
        best, place = chances.transpose(1, 2).flatten(1).topk(self.candidates, dim=1)  # (N, candidates)
        label = (place[..., None] >= self.firsts).to(torch.int32).sum(-1, dtype=torch.int32)  # a division by comparing
        anchor = (place.to(torch.int32) - label * len(self.anchors)).long()
        boxes = torch.gather(self.decoded(offsets), 1, anchor[..., None].expand(-1, -1, 4))
        kind = label.to(best.dtype)[..., None]
        stays = self.stays(boxes + 2 * kind) * (best > self.least).to(best.dtype)
        return torch.cat([boxes, (best * stays)[..., None], kind], -1)

    def decoded(self, offsets: Tensor) -> Tensor:
        """The boxes within the picture. Shape: (N, anchors, 4), both."""
        at, sides = self.anchors[:, :2], self.anchors[:, 2:]
        centers = offsets[..., :2] * (sides / self.step[0]) + at
        half = (offsets[..., 2:] * (1 / self.step[1])).clamp(max=LARGEST).exp() * (sides / 2)
        return torch.cat([centers - half, centers + half], -1).clamp(0, 1)

    def stays(self, boxes: Tensor) -> Tensor:
        """1 for boxes that stay, else 0; the best come first. Shape: (N, boxes, 4) -> (N, boxes)."""
        left, top, right, bottom = boxes.unbind(-1)
        wide = (_each(torch.minimum, right) - _each(torch.maximum, left)).clamp(min=0)
        high = (_each(torch.minimum, bottom) - _each(torch.maximum, top)).clamp(min=0)
        area, shared = (right - left) * (bottom - top), wide * high
        covers = shared > self.overlap * (area[:, :, None] + area[:, None] - shared)
        better = covers.to(boxes.dtype).triu(1)  # the first covers the second
        stays = torch.ones_like(left)
        for _ in range(ROUNDS):
            stays = 1 - torch.matmul(stays[:, None], better)[:, 0].clamp(max=1)
        return stays


class Detector(nn.Module):
    """A network with what chooses among its boxes."""

    gives = "boxes"

    def __init__(self, network: nn.Module, choose: Choose) -> None:
        super().__init__()
        self.network, self.choose = network, choose

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, candidates, 6)."""
        boxes: Tensor = self.choose(*self.network(pictures))
        return boxes


class Every(nn.Module):
    """A network with the box of every anchor, among which nothing chooses: `mobilevision.tasks.decoder` does."""

    gives = "boxes"

    def __init__(self, network: nn.Module, choose: Choose) -> None:
        super().__init__()
        self.network, self.choose = network, choose

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, anchors, 4 + classes)."""
        scores, offsets = self.network(pictures)
        return torch.cat([self.choose.decoded(offsets), self.choose.style.probabilities(scores)], -1)


@torch.no_grad()
def open_boxes_(network: Network, task: Detect, shape: tuple[int, int, int]) -> Choose:
    """Take the anchors out of a detector, so that it gives scores and offsets alone, and give what chooses.

    Args:
        network: a detector, changed in place.
        task: how boxes are chosen.
        shape: channels, height and width of a picture.
    """
    kind = next(network.parameters())
    outputs = network(torch.zeros(1, *shape).to(kind))
    network.head = Raw(network.head, outputs["scores"].shape[-1])
    return Choose(task, task.style(outputs), outputs["anchors"])


def _each(how: Any, side: Tensor) -> Tensor:
    """A side of every box with that of every other. Shape: (N, boxes) -> (N, boxes, boxes)."""
    found: Tensor = how(side[:, :, None], side[:, None])
    return found
