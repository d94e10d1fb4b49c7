"""DeepLabV3: a segmenter that looks at several distances at once (arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.blocks.base import Backbone, Head, Tap
from mobilevision.blocks.maps import first_of, resized
from mobilevision.layers import Conv2d, chain, conv


@dataclass(frozen=True)
class DeepLabV3(Head):
    """Atrous spatial pyramid pooling on the last map, a 3x3 convolution, scores.

    Attributes:
        channels: of the pyramid and of the map that is scored.
        rates: distances between the pixels of the 3x3 filters, in pixels of the last map; without any there is no
            pyramid, and the last map goes to one 1x1 convolution and the scores (the mobile form that
            arXiv:1801.04381, section 6.3, recommends).
        auxiliary: whether a second, small segmenter on the first map of stride 8 helps in training.
        drop: chance that a number behind the pyramid is dropped in training.
        eps: constant under the root of the head's own batch norms.
    """

    channels: int = 256
    rates: tuple[int, ...] = (12, 24, 36)
    auxiliary: bool = False
    drop: float = 0.5
    eps: float = 1e-5

    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """The last map; with `auxiliary`, the first map of stride 8 before it."""
        last = (arch.tap(arch.last),)
        return (first_of(arch, 8), *last) if self.auxiliary else last

    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """Takes the maps and gives scores at the last one's size (see `Pyramid`)."""
        return Pyramid(self, [tap.channels for tap in taps], outputs)

    def epsilon(self, arch: Backbone) -> float:
        """The head's own."""
        return self.eps


class Pyramid(nn.Module):
    """The module of a `DeepLabV3`."""

    def __init__(self, facts: DeepLabV3, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        out, cin = facts.channels, channels[-1]
        self.branches = nn.ModuleList(
            [conv(cin, out, act="relu"), *(conv(cin, out, 3, dilation=rate, act="relu") for rate in facts.rates)]
        )
        self.whole = conv(cin, out, act="relu") if facts.rates else None
        self.mix = _mix(out, len(facts.rates) + 2, drop=facts.drop) if facts.rates else None
        small = channels[0] // 4
        self.auxiliary = conv(channels[0], small, 3, act="relu") if facts.auxiliary else None
        scores = {"main": Conv2d(out, classes, 1)}
        if facts.auxiliary:
            scores["auxiliary"] = Conv2d(small, classes, 1)
        self.scores = nn.ModuleDict(scores)

    def forward(self, maps: Sequence[Tensor]) -> Tensor | dict[str, Tensor]:
        """The scores; with an auxiliary segmenter, "scores" and its "auxiliary" ones.

        Shape: [..., (N, C, h, w)] -> (N, classes, h, w); the auxiliary ones have the first map's size.
        """
        x = maps[-1]
        found = [branch(x) for branch in self.branches]
        if self.whole is not None and self.mix is not None:
            far = self.whole(F.adaptive_avg_pool2d(x, 1))
            found = [self.mix(torch.cat([*found, resized(far, x)], 1))]
        scores: Tensor = self.scores["main"](found[0])
        if self.auxiliary is None:
            return scores
        return {"scores": scores, "auxiliary": self.scores["auxiliary"](self.auxiliary(maps[0]))}


def _mix(channels: int, branches: int, *, drop: float) -> nn.Module:
    return chain(
        project=conv(branches * channels, channels, act="relu"),
        drop=nn.Dropout(drop),
        smooth=conv(channels, channels, 3, act="relu"),
    )
