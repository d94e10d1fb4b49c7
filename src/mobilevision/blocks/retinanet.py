"""RetinaNet with separable convolutions: a pyramid and two shared towers (arXiv:1708.02002; arXiv:2404.10518)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.blocks.anchors import Size, detections
from mobilevision.blocks.base import Backbone, Head, Tap
from mobilevision.blocks.maps import last_of
from mobilevision.layers import ACTIVATIONS, Chain, Conv2d, chain

COMMON = 0.01  # chance of an object that scores start with, so that the many empty anchors do not drown the few others
STRIDES = (8, 16, 32)
COARSER = 2  # maps behind the last one


@dataclass(frozen=True)
class RetinaNetLite(Head):
    """A pyramid of five maps, P3 to P7, and two towers that all of them share, of separable convolutions throughout.

    The towers' norms are each map's own, as in the authors' code: maps differ in their statistics.

    Attributes:
        channels: of the pyramid and of the towers.
        depth: convolutions of a tower.
        size: side of a map's smallest anchor, in pixels of the map.
        octaves: sizes of anchors before the next map's smallest, which is twice as large.
        ratios: height of an anchor as a multiple of its width.
        act: activation of the towers.
    """

    channels: int = 256
    depth: int = 4
    size: float = 4
    octaves: int = 3
    ratios: tuple[float, ...] = (0.5, 1, 2)
    act: str = "relu"

    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """The last maps of strides 8, 16 and 32."""
        return tuple(last_of(arch, stride) for stride in STRIDES)

    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """Takes the three maps and gives offsets, scores and anchors (see `Towers`); there is no background."""
        return Towers(self, [tap.channels for tap in taps], outputs)

    def outputs(self, channels: int) -> int:
        """The classes."""
        return channels // self.count

    @property
    def count(self) -> int:
        """Anchors at one place."""
        return self.octaves * len(self.ratios)

    def sizes(self, height: int, width: int) -> list[list[Size]]:
        """Width and height of the anchors of each map, as fractions of a picture of so many pixels."""
        found = []
        for level in range(len(STRIDES) + COARSER):
            sides = [self.size * STRIDES[0] * 2 ** (level + i / self.octaves) for i in range(self.octaves)]
            found.append(
                [(side / math.sqrt(r) / width, side * math.sqrt(r) / height) for side in sides for r in self.ratios]
            )
        return found


class Towers(nn.Module):
    """The module of a `RetinaNetLite`."""

    def __init__(self, facts: RetinaNetLite, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        wide, levels = facts.channels, len(channels) + COARSER
        self.facts = facts
        self.laterals = nn.ModuleList(Conv2d(cin, wide, 1) for cin in channels)
        self.smooth = nn.ModuleList(separable(wide, wide) for _ in channels)
        self.coarser = nn.ModuleList(separable(wide, wide, stride=2) for _ in range(COARSER))
        self.norms = nn.ModuleList(nn.BatchNorm2d(wide) for _ in range(levels))
        self.near_boxes, self.near_scores = (Tower(wide, facts.depth, levels, act=facts.act) for _ in range(2))
        self.boxes = separable(wide, facts.count * 4)
        self.spread = Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False)
        self.scores = Conv2d(wide, facts.count * classes, 1)
        assert self.scores.bias is not None
        nn.init.constant_(self.scores.bias, -math.log((1 - COMMON) / COMMON))

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """The raw outputs for every anchor.

        Returns:
            "boxes": offsets from the anchors (N, anchors, 4); "scores": logits, each class on its own
            (N, anchors, classes); "anchors": see `anchors` (anchors, 4).
        """
        height, width = (side * STRIDES[0] for side in maps[0].shape[2:])
        return detections(*self.said(maps), self.facts.sizes(height, width))

    def said(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the towers say on each map, offsets and scores. Shape: [(N, sizes * columns, H, W), ...], both."""
        pyramid = self.pyramid(maps)
        return (
            [self.boxes(x) for x in self.near_boxes(pyramid)],
            [self.scores(self.spread(x)) for x in self.near_scores(pyramid)],
        )

    def pyramid(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """P3 to P7 (arXiv:1612.03144): what is seen in coarse maps comes down to the fine ones."""
        found = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for i in reversed(range(len(found) - 1)):
            found[i] = found[i] + F.interpolate(found[i + 1], size=found[i].shape[2:], mode="nearest")
        found = [smooth(x) for smooth, x in zip(self.smooth, found, strict=True)]
        for i, coarser in enumerate(self.coarser):
            found.append(coarser(F.relu(found[-1]) if i else found[-1]))
        return [norm(x) for norm, x in zip(self.norms, found, strict=True)]


class Tower(nn.Module):
    """Separable convolutions that all maps share, each followed by the map's own norm."""

    def __init__(self, channels: int, depth: int, levels: int, *, act: str) -> None:
        super().__init__()
        self.convs = nn.ModuleList(separable(channels, channels, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(depth)) for _ in range(levels))
        self.act = ACTIVATIONS[act]()

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Shape: [(N, channels, H, W), ...] -> the same."""
        found = []
        for x, norms in zip(maps, self.norms, strict=True):
            assert isinstance(norms, nn.ModuleList)
            for layer, norm in zip(self.convs, norms, strict=True):
                x = self.act(norm(layer(x)))
            found.append(x)
        return found


def separable(cin: int, out: int, *, stride: int = 1, bias: bool = True) -> Chain:
    """A depthwise 3x3 and a pointwise convolution without a norm between them."""
    return chain(
        depthwise=Conv2d(cin, cin, 3, stride, 1, groups=cin, bias=False), pointwise=Conv2d(cin, out, 1, bias=bias)
    )
