"""SSDLite: boxes from six maps by depthwise separable layers (arXiv:1801.04381, section 6.2; arXiv:1905.02244, 6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from torch import Tensor, nn

from mobilevision.blocks.anchors import Size, detections
from mobilevision.blocks.base import Backbone, Head, Tap
from mobilevision.errors import UsageError
from mobilevision.layers import Chain, Conv2d, chain, conv, depthwise


@dataclass(frozen=True)
class SSDLite(Head):
    """Two maps of the network and smaller ones behind them; at every place a few anchors, each with boxes and scores.

    The anchors are those of TensorFlow's and torchvision's networks: on every map a square of the map's own scale, one
    of the geometric mean with the next map's, and each ratio upright and lying. Scales grow evenly from map to map.

    Attributes:
        extras: channels of the maps behind the network's last, each half as large as the one before.
        ratios: long side of an anchor as a multiple of its short side, beside the two squares.
        smallest: side of the first map's square, as a fraction of the picture's.
        largest: side of the last map's.
        act: activation of the added layers.
    """

    extras: tuple[int, ...] = (512, 256, 256, 128)
    ratios: tuple[float, ...] = (2, 3)
    smallest: float = 0.2
    largest: float = 0.95
    act: str = "relu6"

    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """The finer map: what the last block that halves has widened and not yet shrunk; the other: the last of all.

        Where that block does not widen first (MobileNetV1, EMO), the finer map is the one it takes.

        Raises:
            UsageError: if nothing is halved after the first block.
        """
        places = list(arch.places())
        halving = max((i for i, (_, block) in enumerate(places) if block.stride > 1), default=0)
        if not halving:
            raise UsageError(f"{arch.name} halves its map in its first block alone; SSDLite needs two sizes of map")
        place, block = places[halving]
        first = arch.tap(place, block.expansion) if block.expansion else arch.tap(places[halving - 1][0])
        return first, arch.tap(arch.last)

    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """Takes both maps and gives offsets, scores and anchors (see `Boxes`); the first score is the background's."""
        return Boxes(self, [tap.channels for tap in taps], outputs)

    def outputs(self, channels: int) -> int:
        """The classes without the background."""
        return channels // self.count - 1

    @property
    def count(self) -> int:
        """Anchors at one place."""
        return 2 + 2 * len(self.ratios)

    def sizes(self) -> list[list[Size]]:
        """Width and height of the anchors at a place of each map."""
        maps = 2 + len(self.extras)
        step = (self.largest - self.smallest) / (maps - 1)
        scales = [*(self.smallest + step * i for i in range(maps)), 1.0]
        return [self._sizes(one, sqrt(one * after)) for one, after in pairwise(scales)]

    def _sizes(self, scale: float, between: float) -> list[Size]:
        shapes = [(scale, scale), (between, between)]
        for ratio in self.ratios:
            long, short = scale * sqrt(ratio), scale / sqrt(ratio)
            shapes += [(long, short), (short, long)]
        return [(min(width, 1.0), min(height, 1.0)) for width, height in shapes]


class Boxes(nn.Module):
    """The module of an `SSDLite`."""

    def __init__(self, facts: SSDLite, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.sizes = facts.sizes()
        ins = [channels[-1], *facts.extras]
        self.extras = nn.ModuleList(
            _halving(cin, out, act=facts.act) for cin, out in zip(ins, facts.extras, strict=False)
        )
        maps = [*channels, *facts.extras]
        self.near_boxes = nn.ModuleList(depthwise(cin, 3, act=facts.act) for cin in maps)
        self.boxes = nn.ModuleList(Conv2d(cin, facts.count * 4, 1) for cin in maps)
        self.near_scores = nn.ModuleList(depthwise(cin, 3, act=facts.act) for cin in maps)
        self.scores = nn.ModuleList(Conv2d(cin, facts.count * (classes + 1), 1) for cin in maps)
        for part in (self.extras, self.near_boxes, self.boxes, self.near_scores, self.scores):
            quiet_(part)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """The raw outputs for every anchor.

        Returns:
            "boxes": offsets from the anchors (N, anchors, 4); "scores": logits, the background's first
            (N, anchors, 1 + classes); "anchors": see `anchors` (anchors, 4).
        """
        return detections(*self.said(maps), self.sizes)

    def said(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the layers say on each map, offsets and scores. Shape: [(N, sizes * columns, H, W), ...], both."""
        found = list(maps)
        for extra in self.extras:
            found.append(extra(found[-1]))
        return (
            [layer(near(x)) for layer, near, x in zip(self.boxes, self.near_boxes, found, strict=True)],
            [layer(near(x)) for layer, near, x in zip(self.scores, self.near_scores, found, strict=True)],
        )


def quiet_(module: nn.Module) -> None:
    """Start convolutions near zero, so that all anchors say nearly the same at first (as in the reference codes)."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=0.03)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _halving(cin: int, out: int, *, act: str) -> Chain:
    return chain(
        narrow=conv(cin, out // 2, act=act),
        depthwise=depthwise(out // 2, 3, 2, act=act),
        widen=conv(out // 2, out, act=act),
    )
